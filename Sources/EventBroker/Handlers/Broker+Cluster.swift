// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol

/// Which versions, brokers and topics there are.
extension Broker {
    func apiVersions(_ request: ApiVersionsRequest, _ context: RequestContext) -> ApiVersionsResponse {
        ApiVersionsResponse(apiKeys: APITable.answer())
    }

    func metadata(_ request: MetadataRequest, _ context: RequestContext) async -> MetadataResponse {
        let address = address
        var response = MetadataResponse(
            brokers: [.init(nodeId: configuration.nodeID, host: address.host, port: Int32(address.port))],
            clusterId: topics.clusterID, controllerId: configuration.nodeID)
        // No list is all topics; before version 1 an empty one was.
        guard let wanted = request.topics, context.version > 0 || !wanted.isEmpty else {
            response.topics = topics.all.map(describe)
            return response
        }
        let mayCreate = configuration.createsTopics && (context.version < 4 || request.allowAutoTopicCreation)
        for topic in wanted {
            response.topics.append(await metadata(topic, mayCreate: mayCreate))
        }
        return response
    }

    private func metadata(
        _ wanted: MetadataRequest.MetadataRequestTopic, mayCreate: Bool
    ) async -> MetadataResponse.MetadataResponseTopic {
        func failure(_ code: KafkaErrorCode) -> MetadataResponse.MetadataResponseTopic {
            .init(errorCode: code.rawValue, name: wanted.name, topicId: wanted.topicId)
        }
        guard let name = wanted.name else {
            guard let topic = topics.topic(id: wanted.topicId) else { return failure(.unknownTopicID) }
            return describe(topic)
        }
        if let topic = topics.topic(name) { return describe(topic) }
        guard TopicName.problem(name) == nil else { return failure(.invalidTopic) }
        guard mayCreate, !TopicName.isInternal(name) else { return failure(.unknownTopicOrPartition) }
        do throws(TopicError) {
            return describe(try await topics.create(name, partitions: configuration.defaultPartitions, settings: [:]))
        } catch {
            // Another request was faster.
            if error.code == .topicAlreadyExists, let topic = topics.topic(name) { return describe(topic) }
            return failure(error.code)
        }
    }

    private func describe(_ topic: Topic) -> MetadataResponse.MetadataResponseTopic {
        let node = configuration.nodeID
        return .init(
            name: topic.name, topicId: topic.id, isInternal: topic.isInternal,
            partitions: topic.partitions.indices.map {
                .init(
                    partitionIndex: Int32($0), leaderId: node, leaderEpoch: 0, replicaNodes: [node], isrNodes: [node])
            })
    }

    func describeCluster(_ request: DescribeClusterRequest, _ context: RequestContext) -> DescribeClusterResponse {
        let address = address
        return DescribeClusterResponse(
            endpointType: request.endpointType, clusterId: topics.clusterID, controllerId: configuration.nodeID,
            brokers: [.init(brokerId: configuration.nodeID, host: address.host, port: Int32(address.port))])
    }

    /// There is one coordinator for everything: this broker.
    func findCoordinator(_ request: FindCoordinatorRequest, _ context: RequestContext) -> FindCoordinatorResponse {
        let address = address
        let node = configuration.nodeID
        guard context.version >= 4 else {
            return FindCoordinatorResponse(nodeId: node, host: address.host, port: Int32(address.port))
        }
        return FindCoordinatorResponse(
            coordinators: request.coordinatorKeys.map {
                .init(key: $0, nodeId: node, host: address.host, port: Int32(address.port))
            })
    }
}
