// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ArgumentParser
import Foundation
import KubeClient
import Logging

/// `apus demo`.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Run an example end to end.", subcommands: [MoviesDemoCommand.self])
}

/// `apus demo movies`.
struct MoviesDemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "movies",
        abstract: "Run the movie recommender: six services, from ratings to recommendations in the browser.",
        discussion: """
            Uses the platform that runs on --data-dir, or starts one for the time of the demo. Stays up until Ctrl-C.
            """)

    @OptionGroup var platform: PlatformOptions
    @OptionGroup var network: NetworkOptions
    @OptionGroup var log: LogOptions
    @Option(help: "Folder of MovieLens CSV files: ratings.csv and movies.csv. (default: .cache/movielens-100k)")
    var ratings: String?
    @Option(help: "Folder of the recommender's manifests. (default: found beside the program)") var manifests: String?
    @Option(help: "Id of the user to recommend to.") var user = 196
    @Flag(help: "End when the recommendations are printed.") var exit = false

    func run() async throws {
        let settings = try Settings()
        let folder = absolute(settings.value("ratings", ratings) ?? ".cache/movielens-100k")
        let dataDir = platform.resolvedDataDir(settings)
        let (host, port) = try network.resolvedListen(settings)
        try await reporting {
            let configuration = try PlatformConfiguration(
                dataDir: dataDir, host: host, port: port, network: network.resolvedNetwork(settings),
                kubeconfig: "\(dataDir)/kubeconfig", executable: executablePath(),
                logger: try log.logger(settings, defaultLevel: .warning))
            guard FileManager.default.fileExists(atPath: "\(folder)/ratings.csv") else {
                throw PlatformError(
                    "there is no ratings.csv in \(folder): run scripts/fetch-movielens or give a folder with --ratings")
            }
            let manifests = try settings.value("manifests", manifests).map(absolute) ?? Self.findManifests()
            if let running = RunState.live(in: dataDir) {
                try await demonstrate(kubeconfig: running.kubeconfig, manifests, folder)
            } else {
                try await Platform(configuration).run { summary in
                    print(summary.text)
                    try await demonstrate(kubeconfig: configuration.kubeconfig, manifests, folder)
                    return true
                }
            }
        }
    }

    private func demonstrate(kubeconfig: String, _ manifests: String, _ folder: String) async throws {
        let transport = try HTTPTransport(try Kubeconfig.load(path: kubeconfig))
        let result: Result<Void, any Error>
        do {
            let client = KubeClient(transport: transport, userAgent: "apus-demo")
            let console = Console()
            try await MovieDemo(
                client: client, manifests: manifests, serving: try Self.findServing(manifests), ratings: folder,
                user: user,
                program: CommandLine.arguments[0], console: console
            ).run()
            if !exit {
                console.say(
                    "\nUp until Ctrl-C. Look around with: export KUBECONFIG=\(kubeconfig); kubectl get pods -n movies")
                while !Task.isCancelled { try await Task.sleep(for: .seconds(3600)) }
            }
            result = .success(())
        } catch is CancellationError {
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try await transport.shutdown()
        try result.get()
    }

    /// The manifests of a checkout in whose `.build` the program lies.
    private static func findManifests() throws -> String {
        var folder = executablePath()
        while folder != "/" {
            folder = (folder as NSString).deletingLastPathComponent
            let candidate = "\(folder)/Examples/MovieRecommender/deploy"
            if FileManager.default.fileExists(atPath: candidate) { return candidate }
        }
        throw PlatformError(
            "the recommender's manifests are not beside the program: give their folder with --manifests")
    }

    /// deploy/serving of the checkout that the recommender's manifests lie in, else of the one of the program.
    private static func findServing(_ manifests: String) throws -> String {
        for start in [manifests, executablePath()] {
            var folder = start
            while folder != "/", !folder.isEmpty {
                let candidate = "\(folder)/deploy/serving"
                if FileManager.default.fileExists(atPath: "\(candidate)/kustomization.yaml") { return candidate }
                folder = (folder as NSString).deletingLastPathComponent
            }
        }
        throw PlatformError("deploy/serving is not in a folder above \(manifests), nor above the program")
    }
}
