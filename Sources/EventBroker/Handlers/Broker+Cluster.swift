// SPDX-License-Identifier: Apache-2.0
import EventCoordination
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
        if request.includeClusterAuthorizedOperations {
            response.clusterAuthorizedOperations = operations(context, on: .cluster, ACLBinding.clusterName)
        }
        let tellsOperations = request.includeTopicAuthorizedOperations
        // No list is all topics; before version 1 an empty one was.
        guard let wanted = request.topics, context.version > 0 || !wanted.isEmpty else {
            response.topics = topics.all.filter { may(context, .describe, .topic, $0.name) }.map {
                describe($0, context, tellsOperations)
            }
            return response
        }
        let mayCreate = configuration.createsTopics && (context.version < 4 || request.allowAutoTopicCreation)
        for topic in wanted {
            response.topics.append(
                await metadata(topic, context, mayCreate: mayCreate, tellsOperations: tellsOperations))
        }
        return response
    }

    private func metadata(
        _ wanted: MetadataRequest.MetadataRequestTopic, _ context: RequestContext, mayCreate: Bool,
        tellsOperations: Bool
    ) async -> MetadataResponse.MetadataResponseTopic {
        func failure(_ code: KafkaErrorCode) -> MetadataResponse.MetadataResponseTopic {
            .init(errorCode: code.rawValue, name: wanted.name, topicId: wanted.topicId)
        }
        guard let name = wanted.name else {
            guard let topic = topics.topic(id: wanted.topicId), may(context, .describe, .topic, topic.name) else {
                return failure(.unknownTopicID)
            }
            return describe(topic, context, tellsOperations)
        }
        guard may(context, .describe, .topic, name) else { return failure(.topicAuthorizationFailed) }
        if let topic = topics.topic(name) { return describe(topic, context, tellsOperations) }
        guard TopicName.problem(name) == nil else { return failure(.invalidTopic) }
        guard mayCreate, !TopicName.isInternal(name) else { return failure(.unknownTopicOrPartition) }
        guard self.mayCreate(context, topic: name) else { return failure(.topicAuthorizationFailed) }
        do throws(TopicError) {
            let topic = try await topics.create(name, partitions: configuration.defaultPartitions, settings: [:])
            return describe(topic, context, tellsOperations)
        } catch {
            // Another request was faster.
            if error.code == .topicAlreadyExists, let topic = topics.topic(name) {
                return describe(topic, context, tellsOperations)
            }
            return failure(error.code)
        }
    }

    private func describe(
        _ topic: Topic, _ context: RequestContext, _ tellsOperations: Bool
    ) -> MetadataResponse.MetadataResponseTopic {
        let node = configuration.nodeID
        return .init(
            name: topic.name, topicId: topic.id, isInternal: topic.isInternal,
            partitions: topic.partitions.indices.map {
                .init(
                    partitionIndex: Int32($0), leaderId: node, leaderEpoch: 0, replicaNodes: [node], isrNodes: [node])
            }, topicAuthorizedOperations: tellsOperations ? operations(context, on: .topic, topic.name) : .min)
    }

    func describeCluster(_ request: DescribeClusterRequest, _ context: RequestContext) -> DescribeClusterResponse {
        let address = address
        return DescribeClusterResponse(
            endpointType: request.endpointType, clusterId: topics.clusterID, controllerId: configuration.nodeID,
            brokers: [.init(brokerId: configuration.nodeID, host: address.host, port: Int32(address.port))],
            clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
                ? operations(context, on: .cluster, ACLBinding.clusterName) : .min)
    }

    /// There is one coordinator for everything: this broker.
    func findCoordinator(_ request: FindCoordinatorRequest, _ context: RequestContext) -> FindCoordinatorResponse {
        let address = address
        let node = configuration.nodeID
        func denial(_ key: String) -> KafkaErrorCode? {
            request.keyType == 1
                ? may(context, .describe, .transactionalID, key) ? nil : .transactionalIDAuthorizationFailed
                : may(context, .describe, .group, key) ? nil : .groupAuthorizationFailed
        }
        guard context.version >= 4 else {
            if let denial = denial(request.key) {
                return FindCoordinatorResponse(errorCode: denial.rawValue, nodeId: -1, port: -1)
            }
            return FindCoordinatorResponse(nodeId: node, host: address.host, port: Int32(address.port))
        }
        return FindCoordinatorResponse(
            coordinators: request.coordinatorKeys.map {
                if let denial = denial($0) {
                    return .init(key: $0, nodeId: -1, port: -1, errorCode: denial.rawValue)
                }
                return .init(key: $0, nodeId: node, host: address.host, port: Int32(address.port))
            })
    }
}
