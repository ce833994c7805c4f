// SPDX-License-Identifier: Apache-2.0
import ApusCore
import EventCoordination
import KafkaProtocol

/// Settings of topics, and of the broker.
extension Broker {
    private static let topicType: Int8 = 2
    private static let brokerType: Int8 = 4
    private static let groupType: Int8 = 32

    func describeConfigs(_ request: DescribeConfigsRequest, _ context: RequestContext) -> DescribeConfigsResponse {
        DescribeConfigsResponse(
            results: request.resources.map { resource in
                var result = DescribeConfigsResponse.DescribeConfigsResult(
                    resourceType: resource.resourceType, resourceName: resource.resourceName)
                do throws(TopicError) {
                    result.configs = try settings(of: resource.resourceType, resource.resourceName, context).filter {
                        resource.configurationKeys?.contains($0.name) ?? true
                    }
                } catch {
                    result.errorCode = error.code.rawValue
                    result.errorMessage = error.message
                }
                return result
            })
    }

    private func settings(
        of type: Int8, _ name: String, _ context: RequestContext
    ) throws(TopicError) -> [DescribeConfigsResponse.DescribeConfigsResourceResult] {
        switch type {
        case Self.topicType:
            guard may(context, .describeConfigs, .topic, name) else { throw .topicDenied }
            guard let topic = topics.topic(name) else { throw .unknown(name) }
            let given = topic.settings
            return TopicSetting.all.map { setting in
                let isDefault = given[setting.name] == nil
                var result = DescribeConfigsResponse.DescribeConfigsResourceResult(
                    name: setting.name, value: given[setting.name] ?? setting.defaultValue,
                    configSource: (isDefault ? SettingSource.standard : .topic).rawValue,
                    configType: setting.kind.rawValue)
                result.isDefault = isDefault
                if !isDefault {
                    result.synonyms.append(
                        .init(name: setting.name, value: given[setting.name], source: SettingSource.topic.rawValue))
                }
                return result
            }
        case Self.brokerType:
            guard may(context, .describeConfigs) else { throw .clusterDenied }
            guard name.isEmpty || name == String(configuration.nodeID) else {
                throw TopicError(
                    .invalidRequest,
                    "Unexpected broker id, expected \(configuration.nodeID) or empty string, but received \(name)")
            }
            return brokerSettings.map { name, value in
                .init(
                    name: name, value: value, readOnly: true, configSource: SettingSource.broker.rawValue,
                    configType: TopicSetting.Kind.string.rawValue)
            }
        case Self.groupType:
            guard may(context, .describeConfigs, .group, name) else {
                throw TopicError(.groupAuthorizationFailed, "Group authorization failed.")
            }
            return groupSettings.map { name, value in
                .init(
                    name: name, value: value, readOnly: true, configSource: SettingSource.broker.rawValue,
                    configType: TopicSetting.Kind.int.rawValue)
            }
        default: throw TopicError(.invalidRequest, "Unsupported resource type: \(type)")
        }
    }

    /// What holds for every group of the consumer protocol, by the names that groups have for it.
    private var groupSettings: [(String, String)] {
        [
            ("consumer.heartbeat.interval.ms", configuration.consumerHeartbeatInterval),
            ("consumer.session.timeout.ms", configuration.consumerSessionTimeout),
        ].map { ($0, String($1.nanoseconds / 1_000_000)) }
    }

    private var brokerSettings: [(String, String)] {
        [
            ("auto.create.topics.enable", String(configuration.createsTopics)),
            ("group.consumer.assignors", ServerAssignor.allCases.map(\.rawValue).joined(separator: ",")),
            (
                "group.consumer.heartbeat.interval.ms",
                String(configuration.consumerHeartbeatInterval.nanoseconds / 1_000_000)
            ),
            (
                "group.consumer.session.timeout.ms",
                String(configuration.consumerSessionTimeout.nanoseconds / 1_000_000)
            ),
            ("max.connections", String(configuration.maximumConnections)),
            ("node.id", String(configuration.nodeID)), ("num.partitions", String(configuration.defaultPartitions)),
            ("socket.request.max.bytes", String(configuration.maximumRequestBytes)),
        ]
    }

    func alterConfigs(_ request: AlterConfigsRequest, _ context: RequestContext) async -> AlterConfigsResponse {
        var response = AlterConfigsResponse()
        for resource in request.resources {
            var result = AlterConfigsResponse.AlterConfigsResourceResponse(
                resourceType: resource.resourceType, resourceName: resource.resourceName)
            do throws(TopicError) {
                let topic = try changeable(resource.resourceType, resource.resourceName, context)
                var settings: [String: String] = [:]
                for entry in resource.configs { settings[entry.name] = entry.value }
                try await topics.configure(topic, settings, onlyValidates: request.validateOnly)
            } catch {
                result.errorCode = error.code.rawValue
                result.errorMessage = error.message
            }
            response.responses.append(result)
        }
        return response
    }

    func incrementalAlterConfigs(
        _ request: IncrementalAlterConfigsRequest, _ context: RequestContext
    ) async -> IncrementalAlterConfigsResponse {
        var response = IncrementalAlterConfigsResponse()
        for resource in request.resources {
            var result = IncrementalAlterConfigsResponse.AlterConfigsResourceResponse(
                resourceType: resource.resourceType, resourceName: resource.resourceName)
            do throws(TopicError) {
                let topic = try changeable(resource.resourceType, resource.resourceName, context)
                var settings = topic.settings
                for change in resource.configs { try Self.apply(change, &settings, topic) }
                try await topics.configure(topic, settings, onlyValidates: request.validateOnly)
            } catch {
                result.errorCode = error.code.rawValue
                result.errorMessage = error.message
            }
            response.responses.append(result)
        }
        return response
    }

    private static func apply(
        _ change: IncrementalAlterConfigsRequest.AlterableConfig, _ settings: inout [String: String], _ topic: Topic
    ) throws(TopicError) {
        let name = change.name
        switch change.configOperation {
        case 0:
            guard let value = change.value else {
                throw TopicError(.invalidRequest, "Null value not supported for : \(name)")
            }
            settings[name] = value
        case 1: settings[name] = nil
        case 2, 3:
            guard TopicSetting.byName[name]?.kind == .list else {
                throw TopicError(.invalidConfig, "Config value append is not allowed for config key: \(name)")
            }
            let given = (change.value ?? "").split(separator: ",").map(String.init)
            var list = topic.value(name).split(separator: ",").map(String.init)
            if change.configOperation == 2 {
                list += given.filter { !list.contains($0) }
            } else {
                list.removeAll(where: given.contains)
            }
            settings[name] = list.joined(separator: ",")
        default: throw TopicError(.invalidRequest, "Unknown operation \(change.configOperation) for \(name)")
        }
    }

    private func changeable(
        _ type: Int8, _ name: String, _ context: RequestContext
    ) throws(TopicError) -> Topic {
        guard type == Self.topicType else {
            guard may(context, .alterConfigs) else { throw .clusterDenied }
            throw TopicError(
                .invalidRequest, "Only settings of topics can be changed; those of the broker are given at its start.")
        }
        guard may(context, .alterConfigs, .topic, name) else { throw .topicDenied }
        guard let topic = topics.topic(name) else { throw .unknown(name) }
        return topic
    }
}
