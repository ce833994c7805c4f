// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import FoundationEssentials
import KafkaClient
import ModelKit

/// The topic that carries events from `ingest` to `tables`, in the embedded broker or any Kafka.
struct EventTopic: Sendable {
    /// Where it is read and written.
    let configuration: KafkaConfiguration
    /// Its name.
    let name: String
    /// Partitions that it is made with; more may be added at any time.
    static let partitions = 4
    /// Its copies: what the cluster makes by default.
    private static let replicas = -1

    /// - Parameters:
    ///   - bootstrap: `HOST:PORT[,HOST:PORT…]`; nil for `KAFKA_BOOTSTRAP_SERVERS`, else this machine's port 9092.
    ///   - name: of the topic.
    ///   - client: the service's name, in the broker's logs.
    /// - Throws: `CommandFailure` when the addresses are none.
    init(bootstrap: String?, name: String, client: String) throws(CommandFailure) {
        let text = bootstrap ?? ProcessInfo.processInfo.environment["KAFKA_BOOTSTRAP_SERVERS"] ?? "127.0.0.1:9092"
        let servers = text.split(separator: ",").map { String($0.filter { !$0.isWhitespace }) }
        for server in servers where !Self.isAddress(server) {
            throw CommandFailure("KAFKA_BOOTSTRAP_SERVERS must be HOST:PORT[,HOST:PORT…], not '\(text)'")
        }
        guard !servers.isEmpty else { throw CommandFailure("KAFKA_BOOTSTRAP_SERVERS names no broker") }
        // A broker that comes back is found within a second.
        configuration = KafkaConfiguration(
            bootstrapServers: servers, clientID: "movies-\(client)", properties: ["reconnect.backoff.max.ms": "1000"])
        self.name = name
    }

    private static func isAddress(_ text: String) -> Bool {
        guard let colon = text.lastIndex(of: ":"), colon > text.startIndex,
            let port = Int(text[text.index(after: colon)...])
        else { return false }
        return (1...65535).contains(port)
    }

    /// Makes the topic unless it is there. Nothing in it ever expires: it is what the tables are made from.
    /// - Returns: the cluster's name, and whether the topic is new and empty.
    func prepare(_ admin: KafkaAdmin) async throws -> (cluster: String, isNew: Bool) {
        let before = try await admin.metadata()
        let cluster = before.clusterID ?? ""
        if before.topics.contains(where: { $0.name == name }) { return (cluster, false) }
        do {
            try await admin.createTopic(
                NewTopic(
                    name, partitions: Self.partitions, replicationFactor: Self.replicas,
                    configuration: ["retention.ms": "-1"]))
            return (cluster, true)
        } catch let error as KafkaError where error.code == .topicAlreadyExists {
            return (cluster, false)
        }
    }

    /// The cluster's name and the topic's partitions, once it is there; nil while it is not.
    func find(_ admin: KafkaAdmin) async throws -> (cluster: String, partitions: [TopicPartition])? {
        let metadata = try await admin.metadata()
        guard let topic = metadata.topics.first(where: { $0.name == name }), !topic.partitions.isEmpty else {
            return nil
        }
        return (metadata.clusterID ?? "", topic.topicPartitions.sorted())
    }

    /// An event as a record. The user is its key, so that all of a user's events are in one partition, in order.
    func record(_ event: UserEvent) -> KafkaRecord {
        KafkaRecord(topic: name, key: Array("\(event.user)".utf8), value: event.json.encoded)
    }
}

/// Where events go and come from; shared by `ingest` and `tables`.
struct EventTopicOptions: ParsableArguments {
    @Option(
        name: .customLong("bootstrap-servers"),
        help: "Kafka brokers to ask first, HOST:PORT[,…]. (default: KAFKA_BOOTSTRAP_SERVERS, else 127.0.0.1:9092)")
    var bootstrapServers: String?

    @Option(name: .customLong("topic"), help: "Topic of the events; made when missing.")
    var name = "movie-events"

    func topic(client: String) throws -> EventTopic {
        try EventTopic(bootstrap: bootstrapServers, name: name, client: client)
    }
}
