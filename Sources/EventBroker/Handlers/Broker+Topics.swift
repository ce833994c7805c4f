// SPDX-License-Identifier: Apache-2.0
import EventCoordination
import KafkaProtocol

/// Making, changing and deleting topics.
extension Broker {
    func createTopics(_ request: CreateTopicsRequest, _ context: RequestContext) async -> CreateTopicsResponse {
        var response = CreateTopicsResponse()
        let names = request.topics.map(\.name)
        for topic in request.topics {
            var result = CreateTopicsResponse.CreatableTopicResult(name: topic.name)
            do throws(TopicError) {
                if names.count(where: { $0 == topic.name }) > 1 {
                    throw TopicError(
                        .invalidRequest,
                        "Create topics request from client contains multiple entries for the following topics: \(topic.name)"
                    )
                }
                guard mayCreate(context, topic: topic.name) else { throw .topicDenied }
                try await create(topic, request.validateOnly, &result)
                if !may(context, .describeConfigs, .topic, topic.name) {
                    // It is made, but its settings are not told (KIP-525).
                    result.topicConfigErrorCode = TopicError.topicDenied.code.rawValue
                    (result.numPartitions, result.replicationFactor, result.configs) = (-1, -1, nil)
                }
            } catch {
                result.errorCode = error.code.rawValue
                result.errorMessage = error.message
                result.topicConfigErrorCode = 0
            }
            response.topics.append(result)
        }
        return response
    }

    private func create(
        _ wanted: CreateTopicsRequest.CreatableTopic, _ onlyValidates: Bool,
        _ result: inout CreateTopicsResponse.CreatableTopicResult
    ) async throws(TopicError) {
        let partitions = try partitions(of: wanted)
        var settings: [String: String] = [:]
        for entry in wanted.configs {
            guard let value = entry.value else {
                throw TopicError(.invalidConfig, "Null value not supported for topic configs: \(entry.name)")
            }
            settings[entry.name] = value
        }
        if onlyValidates {
            try topics.check(wanted.name, partitions: partitions, settings: settings)
        } else {
            let topic = try await topics.create(wanted.name, partitions: partitions, settings: settings)
            result.topicId = topic.id
        }
        result.numPartitions = Int32(partitions)
        result.replicationFactor = 1
        result.configs = TopicSetting.all.map { setting in
            .init(
                name: setting.name, value: settings[setting.name] ?? setting.defaultValue, readOnly: false,
                configSource: (settings[setting.name] == nil ? SettingSource.standard : .topic).rawValue,
                isSensitive: false)
        }
    }

    private func partitions(of wanted: CreateTopicsRequest.CreatableTopic) throws(TopicError) -> Int {
        guard wanted.assignments.isEmpty else {
            guard wanted.numPartitions == -1, wanted.replicationFactor == -1 else {
                throw TopicError(
                    .invalidRequest, "Both numPartitions or replicationFactor and replicasAssignments were set.")
            }
            let numbers = wanted.assignments.map(\.partitionIndex).sorted()
            guard numbers == Array(0..<Int32(numbers.count)) else {
                throw TopicError(
                    .invalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
            }
            guard wanted.assignments.allSatisfy({ $0.brokerIds == [configuration.nodeID] }) else {
                throw TopicError(
                    .invalidReplicaAssignment, "Unknown broker(s) in assignment: there is one, \(configuration.nodeID)."
                )
            }
            return numbers.count
        }
        guard wanted.replicationFactor == 1 || wanted.replicationFactor == -1 else {
            throw TopicError(
                .invalidReplicationFactor,
                wanted.replicationFactor < 1
                    ? "Replication factor must be larger than 0, or -1 to use the default value."
                    : "Unable to replicate the partition \(wanted.replicationFactor) time(s): The target replication "
                        + "factor of \(wanted.replicationFactor) cannot be reached because only 1 broker(s) are registered."
            )
        }
        guard wanted.numPartitions != -1 else { return configuration.defaultPartitions }
        guard wanted.numPartitions > 0 else {
            throw TopicError(
                .invalidPartitions,
                "Number of partitions was set to an invalid non-positive value.")
        }
        return Int(wanted.numPartitions)
    }

    func deleteTopics(_ request: DeleteTopicsRequest, _ context: RequestContext) async -> DeleteTopicsResponse {
        var response = DeleteTopicsResponse()
        let wanted =
            context.version >= 6
            ? request.topics : request.topicNames.map { DeleteTopicsRequest.DeleteTopicState(name: $0) }
        for state in wanted {
            var result = DeleteTopicsResponse.DeletableTopicResult(name: state.name, topicId: state.topicId)
            let topic = state.name.map { topics.topic($0) } ?? topics.topic(id: state.topicId)
            do throws(TopicError) {
                // Who may not even know of a topic learns nothing of it.
                if let name = state.name ?? topic?.name, !may(context, .delete, .topic, name) { throw .topicDenied }
                guard let topic else {
                    throw state.name == nil
                        ? TopicError(.unknownTopicID, "This server does not host this topic ID.") : .unknown("")
                }
                if topic.isInternal {
                    throw TopicError(.invalidTopic, "The topic \(topic.name) is one of the broker's own.")
                }
                result.name = topic.name
                result.topicId = topic.id
                try await topics.delete(topic.name)
                await groups.topicDeleted(topic.name)
            } catch {
                result.errorCode = error.code.rawValue
                result.errorMessage = error.message
            }
            response.responses.append(result)
        }
        return response
    }

    func createPartitions(
        _ request: CreatePartitionsRequest, _ context: RequestContext
    ) async -> CreatePartitionsResponse {
        var response = CreatePartitionsResponse()
        for wanted in request.topics {
            var result = CreatePartitionsResponse.CreatePartitionsTopicResult(name: wanted.name)
            do throws(TopicError) {
                guard may(context, .alter, .topic, wanted.name) else { throw .topicDenied }
                guard let topic = topics.topic(wanted.name) else { throw .unknown(wanted.name) }
                let present = topic.partitions.count
                guard Int(wanted.count) > present else {
                    throw TopicError(
                        .invalidPartitions,
                        Int(wanted.count) == present
                            ? "Topic already has \(present) partition(s)."
                            : "The topic \(wanted.name) currently has \(present) partition(s); \(wanted.count) would "
                                + "not be an increase.")
                }
                if let assignments = wanted.assignments {
                    guard assignments.count == Int(wanted.count) - present,
                        assignments.allSatisfy({ $0.brokerIds == [configuration.nodeID] })
                    else {
                        throw TopicError(
                            .invalidReplicaAssignment,
                            "Attempted to add \(Int(wanted.count) - present) additional partition(s), but only "
                                + "\(assignments.count) assignment(s) were specified, or they name another broker.")
                    }
                }
                if !request.validateOnly { try await topics.addPartitions(wanted.name, total: Int(wanted.count)) }
            } catch {
                result.errorCode = error.code.rawValue
                result.errorMessage = error.message
            }
            response.results.append(result)
        }
        return response
    }

    func deleteRecords(_ request: DeleteRecordsRequest, _ context: RequestContext) async -> DeleteRecordsResponse {
        var response = DeleteRecordsResponse()
        for wanted in request.topics {
            var result = DeleteRecordsResponse.DeleteRecordsTopicResult(name: wanted.name)
            for partition in wanted.partitions {
                var answer = DeleteRecordsResponse.DeleteRecordsPartitionResult(
                    partitionIndex: partition.partitionIndex, lowWatermark: -1)
                do throws(KafkaErrorCode) {
                    guard may(context, .delete, .topic, wanted.name) else { throw .topicAuthorizationFailed }
                    answer.lowWatermark = try await deleteRecords(wanted.name, partition)
                } catch {
                    answer.errorCode = error.rawValue
                }
                result.partitions.append(answer)
            }
            response.topics.append(result)
        }
        return response
    }

    private func deleteRecords(
        _ name: String, _ wanted: DeleteRecordsRequest.DeleteRecordsPartition
    ) async throws(KafkaErrorCode) -> Int64 {
        guard let topic = topics.topic(name), let log = topic.partition(wanted.partitionIndex) else {
            throw .unknownTopicOrPartition
        }
        guard !topic.isInternal else { throw .invalidTopic }
        guard topic.value("cleanup.policy").contains("delete") else { throw .policyViolation }
        return try await topics.deleteRecords(log, before: wanted.offset)
    }
}

/// Where the value of a setting comes from, with Kafka's numbers.
enum SettingSource: Int8 {
    case topic = 1
    case broker = 4
    case standard = 5
}
