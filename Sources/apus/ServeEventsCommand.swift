// SPDX-License-Identifier: Apache-2.0
import ApusApp
import ApusCore
import ArgumentParser
import EventBroker
import Foundation

/// `apus serve events`.
struct ServeEventsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "A log of events that speaks Kafka's protocol.",
        discussion: """
            Any client of Kafka works with it: kcat -b 127.0.0.1:9092 -L. A write with acks=all is on the disk when it \
            is acknowledged. Prints 'ready events HOST:PORT' when it works.

            With --sasl clients log in (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512) and may do what rules allow; \
            --admin-user is the first user, who may do everything and makes others and rules with Kafka's tools. \
            PLAIN and what is written and read are only secret over TLS.
            """)

    @Option(help: "Folder of the logs. (default: ~/.apus/events)")
    var dataDir: String?
    @Option(help: "Address to listen on, HOST:PORT; port 0 takes a free one. (default: 127.0.0.1:9092)")
    var listen: String?
    @Option(help: "Where clients are told to connect, HOST:PORT. (default: where it listens)")
    var advertise: String?
    @Option(help: "Partitions of a topic that is made without saying how many. (default: 4)")
    var partitions: Int?
    @Option(help: "Milliseconds between heartbeats of members that use group.protocol=consumer. (default: 5000)")
    var consumerHeartbeatInterval: Int?
    @Option(help: "Milliseconds after which such a member that is silent has gone. (default: 45000)")
    var consumerSessionTimeout: Int?
    @Flag(help: "Topics are made only by those who ask for it, not by reading or writing.")
    var noAutoCreateTopics = false
    @Option(help: "PEM file of the certificate with its chain: clients then connect over TLS.")
    var tlsCertificate: String?
    @Option(help: "PEM file of the certificate's key.")
    var tlsKey: String?
    @Option(help: "Address at which metrics are shown over HTTP, HOST:PORT. (default: none)")
    var metricsListen: String?
    @OptionGroup var access: EventAccessOptions
    @OptionGroup var log: LogOptions

    private static let address = "127.0.0.1:9092"

    func run() async throws {
        let settings = try Settings()
        var configuration = BrokerConfiguration(
            dataFolder: volumeFolder(
                absolute(settings.value("data-dir", dataDir) ?? "\(HomeFolder.path)/.apus/events")))
        let (host, port) = try hostAndPort(
            "listen", settings.value("listen", listen), example: Self.address, least: 0)
        if let advertised = settings.value("advertise", advertise) {
            configuration.advertisedAddress = try hostAndPort("advertise", advertised, example: Self.address)
        }
        if let partitions = try settings.integer("partitions", partitions) {
            guard (1...1000).contains(partitions) else {
                throw ValidationError("--partitions must be 1 to 1000, not \(partitions)")
            }
            configuration.defaultPartitions = partitions
        }
        configuration.createsTopics = !noAutoCreateTopics
        try readGroups(settings, &configuration)
        let chain = settings.value("tls-certificate", tlsCertificate).map(absolute)
        let key = settings.value("tls-key", tlsKey).map(absolute)
        guard (chain == nil) == (key == nil) else {
            throw ValidationError("--tls-certificate and --tls-key go together: give both, or neither")
        }
        let authorities = settings.value("tls-client-ca", access.tlsClientCa).map(absolute)
        guard authorities == nil || chain != nil else {
            throw ValidationError(
                "--tls-client-ca needs --tls-certificate and --tls-key: without TLS there are no certificates")
        }
        let certificate = chain.flatMap { chain in
            key.map { EventsRole.Certificate(chain: chain, key: $0, clientAuthorities: authorities) }
        }
        configuration.access = try access.resolved(settings)
        let metrics = try settings.value("metrics-listen", metricsListen).map {
            try hostAndPort("metrics-listen", $0, example: "127.0.0.1:9308", least: 0)
        }
        let logger = try log.logger(settings)
        try await reporting {
            let role = EventsRole(
                configuration, host: host, port: port, certificate: certificate, metrics: metrics, logger: logger)
            try await role.run { address in
                print("ready events \(address)")
                fflush(nil)
            }
        }
    }

    private func readGroups(_ settings: Settings, _ configuration: inout BrokerConfiguration) throws {
        if let interval = try settings.integer("consumer-heartbeat-interval", consumerHeartbeatInterval) {
            guard (10...600_000).contains(interval) else {
                throw ValidationError("--consumer-heartbeat-interval must be 10 to 600000 ms, not \(interval)")
            }
            configuration.consumerHeartbeatInterval = .milliseconds(interval)
        }
        if let timeout = try settings.integer("consumer-session-timeout", consumerSessionTimeout) {
            guard (100...1_800_000).contains(timeout) else {
                throw ValidationError("--consumer-session-timeout must be 100 to 1800000 ms, not \(timeout)")
            }
            configuration.consumerSessionTimeout = .milliseconds(timeout)
        }
        guard configuration.consumerHeartbeatInterval < configuration.consumerSessionTimeout else {
            throw ValidationError("--consumer-heartbeat-interval must be less than --consumer-session-timeout")
        }
    }
}
