// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Hummingbird

/// What people see.
struct WebCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "web", abstract: "The web pages: search, rate, recommendations.")

    @Option(help: "HOST:PORT to listen on; without HOST, POD_IP or else 127.0.0.1.")
    var listen = ListenAddress(port: 7000)

    @Option(help: "Base address of ingest.")
    var ingest = ServiceURL(localPort: 7001)

    @Option(help: "Base address of serve, or of a gateway before it.")
    var serving = ServiceURL(localPort: 7003)

    @Option(help: "Host name under which the gateway knows serve. (default: that of --serving)")
    var servingHost: String?

    @Option(help: "Base address of features; without it pages lack what comes from there.")
    var features: ServiceURL?

    @Option(help: "Milliseconds to go on serving, not ready, after SIGTERM.")
    var drain = 0

    func run() async throws {
        guard (0...600_000).contains(drain) else { throw ValidationError("--drain is out of range") }
        let host = ServiceHost(role: "web", address: listen)
        let router = host.router()
        let peers = WebPeers(
            ingest: ServiceClient(ingest), serving: ServiceClient(serving, host: servingHost),
            features: features.map { ServiceClient($0) })
        WebRoutes(peers: peers, logger: host.logger).add(to: router)
        try await host.run(router, drain: .milliseconds(drain))
    }
}
