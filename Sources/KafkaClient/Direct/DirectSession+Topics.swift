// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol

extension DirectSession {
    /// A topic's id by Kafka's text form (KIP-516).
    /// - Returns: nil where there is no such topic, or the broker has no ids.
    package mutating func topicID(of name: String) async throws -> String? {
        guard version(of: MetadataRequest.self, least: 10) != nil else { return nil }
        let answer: MetadataResponse = try await ask(
            MetadataRequest(topics: [.init(name: name)], allowAutoTopicCreation: false), least: 10)
        guard let topic = answer.topics.first(where: { $0.name == name }),
            topic.errorCode != KafkaErrorCode.unknownTopicOrPartition.rawValue
        else { return nil }
        try check(topic.errorCode, nil, "reading the topic \(name)")
        return topic.topicId == .zero ? nil : topic.topicId.description
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
