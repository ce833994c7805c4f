// SPDX-License-Identifier: Apache-2.0

/// Bounds, names and defaults of a broker. Names in brackets are Kafka's.
package struct BrokerConfiguration: Sendable {
    /// Folder of the logs and of what is known about topics.
    package var dataFolder: String
    /// Where clients are told to connect; nil for where the broker listens (`advertised.listeners`).
    package var advertisedAddress: (host: String, port: Int)?
    /// The broker's number in metadata (`node.id`).
    package var nodeID: Int32 = 0
    /// Partitions of a topic that is created without saying how many (`num.partitions`).
    package var defaultPartitions = 4
    /// Whether a topic that is asked for or written to is created (`auto.create.topics.enable`).
    package var createsTopics = true
    /// The most partitions of the broker.
    package var maximumPartitions = 10_000
    /// The largest request, in bytes (`socket.request.max.bytes`).
    package var maximumRequestBytes = 100 << 20
    /// The most bytes of requests that are read but not answered; beyond it sockets are not read (`queued.max.request.bytes`).
    package var maximumQueuedBytes = 256 << 20
    /// The most connections (`max.connections`).
    package var maximumConnections = 20_000
    /// How long a client may stop in the middle of a request or of an answer before its connection is closed.
    package var connectionPatience: Duration = .seconds(30)
    /// The most bytes of records in one answer to a fetch (`fetch.max.bytes`).
    package var maximumFetchBytes = 55 << 20
    /// How long a first member of a group waits for others before it is given work (`group.initial.rebalance.delay.ms`):
    /// some clients join before they know the topics that they are to assign.
    package var initialRebalanceDelay: Duration = .milliseconds(500)
    /// How long a member of the consumer protocol (KIP-848) may be silent (`group.consumer.session.timeout.ms`).
    package var consumerSessionTimeout: Duration = .seconds(45)
    /// How often a member of the consumer protocol sends heartbeats (`group.consumer.heartbeat.interval.ms`).
    package var consumerHeartbeatInterval: Duration = .seconds(5)
    /// How long offsets of a group without members are kept (`offsets.retention.minutes`).
    package var offsetsRetention: Duration = .seconds(7 * 86_400)
    /// The longest transaction (`transaction.max.timeout.ms`).
    package var maximumTransactionTimeout: Duration = .seconds(900)
    /// Users and rules; nil where everybody may do everything.
    package var access: AccessConfiguration?

    package init(dataFolder: String) { self.dataFolder = dataFolder }
}
