// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ApusCore
import ArgumentParser
import Foundation

/// `apus serve`.
struct ServeCommand: AsyncParsableCommand {
    static let roles = PlatformRole.allCases.map(\.rawValue).joined(separator: ", ")

    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run one role alone in the foreground.",
        discussion: """
            Roles of the platform: \(roles). apiserver needs nothing else; the others are clients of the API server in \
            --kubeconfig, which may be any Kubernetes. Services: events, objects, catalog, sql, tracking, inference, gateway, graph. Prints 'ready ROLE ADDRESS' \
            when it works.
            """,
        subcommands: [
            ServeEventsCommand.self, ServeObjectsCommand.self, ServeCatalogCommand.self, ServeSQLCommand.self,
            ServeTrackingCommand.self, ServeInferenceCommand.self, ServeGatewayCommand.self, ServeGraphCommand.self,
            ServePlatformCommand.self,
        ],
        defaultSubcommand: ServePlatformCommand.self)
}

/// `apus serve` with a role of the platform.
struct ServePlatformCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "platform", abstract: "A role of the platform: \(ServeCommand.roles).", shouldDisplay: false)

    @Argument(help: "The role.") var role: String
    @OptionGroup var platform: PlatformOptions
    @OptionGroup var network: NetworkOptions
    @OptionGroup var log: LogOptions
    @OptionGroup var protection: ProtectionOptions
    @Option(help: "apiserver writes it (default: DATA-DIR/kubeconfig); the other roles read it.")
    var kubeconfig: String?

    func run() async throws {
        guard let role = PlatformRole(rawValue: role) else {
            throw ValidationError(
                "there is no role '\(role)': use \(ServeCommand.roles), events, objects, catalog, sql")
        }
        let settings = try Settings()
        let dataDir = platform.resolvedDataDir(settings)
        let (host, port) = try network.resolvedListen(settings)
        try await reporting {
            var configuration = try PlatformConfiguration(
                dataDir: dataDir, host: host, port: port, network: network.resolvedNetwork(settings),
                kubeconfig: absolute(settings.value("kubeconfig", kubeconfig) ?? "\(dataDir)/kubeconfig"),
                executable: executablePath(), logger: try log.logger(settings))
            configuration.protection = try protection.resolved(settings)
            try await RoleRunner(role: role, configuration: configuration).run { address in
                print("ready \(role.rawValue) \(address)")
                fflush(nil)
            }
        }
    }
}
