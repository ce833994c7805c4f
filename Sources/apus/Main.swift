// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import CProcessShim
import Foundation
import LakeEngine

/// Entry point. The shim that stands between the node agent and a container is handled before anything else: it is
/// C, uses next to no memory, and must not start Swift's run time machinery.
@main
enum Main {
    static func main() async {
        if CommandLine.arguments.dropFirst().first == "shim" {
            exit(apus_shim_main(CommandLine.argc, CommandLine.unsafeArgv))
        }
        // A worker holds a driver that may crash or change the process's signals; it needs nothing of the commands.
        if CommandLine.arguments.dropFirst().first == "lake-worker" { exit(LakeWorker.run()) }
        await ApusCommand.main()
    }
}

/// `apus`: the root of the command line.
struct ApusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "A cloud-native AI/ML platform in one binary, with a Kubernetes-compatible control plane.",
        discussion: """
            Start with 'apus up', then use kubectl with the kubeconfig that it writes; or try 'apus demo movies'.

            Every option can also be given as an environment variable (--data-dir is APUS_DATA_DIR) or as a key of \
            the same name in a YAML file named by APUS_CONFIG (default: ~/.apus/config.yaml). The command line wins \
            over the environment, and the environment over the file.
            """,
        version: Version.text,
        subcommands: [
            UpCommand.self, DownCommand.self, StatusCommand.self, ServeCommand.self, OperateCommand.self,
            DemoCommand.self, GetCommand.self, ApplyCommand.self, DeleteCommand.self, LogsCommand.self,
            EventsCommand.self, SQLCommand.self, LakeCommand.self, RunsCommand.self, ModelsCommand.self,
            TrackingCommand.self, VersionCommand.self,
        ])
}

/// What `apus version` says.
enum Version {
    static let text = "0.1.0"
}

/// `apus version`.
struct VersionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "Show the version.")

    func run() async { print("apus \(Version.text)") }
}
