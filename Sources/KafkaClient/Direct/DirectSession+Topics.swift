// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol

/// A topic as a broker describes it.
package struct TopicDescription: Sendable, Hashable {
    /// In Kafka's text form (KIP-516); nil where the broker has no ids.
    package var id: String?
    package var partitions: Int
    /// Of the partition that has the fewest.
    package var replicas: Int
}

extension DirectSession {
    /// One topic, whatever others there are, and without making it.
    /// - Returns: nil where there is no such topic.
    package mutating func topic(_ name: String) async throws -> TopicDescription? {
        // From version 4 on a broker makes no topic by being asked for it.
        let answer: MetadataResponse = try await ask(
            MetadataRequest(topics: [.init(name: name)], allowAutoTopicCreation: false), least: 4)
        guard let topic = answer.topics.first(where: { $0.name == name }),
            topic.errorCode != KafkaErrorCode.unknownTopicOrPartition.rawValue
        else { return nil }
        try check(topic.errorCode, nil, "reading the topic \(name)")
        return TopicDescription(
            id: topic.topicId == .zero ? nil : topic.topicId.description, partitions: topic.partitions.count,
            replicas: topic.partitions.map(\.replicaNodes.count).min() ?? 0)
    }

    /// The address of the controller; nil where the broker does not know it now.
    mutating func controller() async throws -> DirectSettings.Address? {
        let answer: MetadataResponse = try await ask(MetadataRequest(topics: []), least: 1)
        guard let node = answer.brokers.first(where: { $0.nodeId == answer.controllerId }), !node.host.isEmpty,
            (1...65535).contains(node.port)
        else { return nil }
        return DirectSettings.Address(host: node.host, port: Int(node.port))
    }
}
