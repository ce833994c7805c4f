// SPDX-License-Identifier: Apache-2.0
import CRDKafka

/// What has a configuration.
package enum ConfigurationResource: Sendable, Hashable, CustomStringConvertible {
    case topic(String)
    case broker(Int32)

    package var description: String {
        switch self {
        case .topic(let name): "topic \(name)"
        case .broker(let id): "broker \(id)"
        }
    }

    fileprivate var native: OpaquePointer? {
        switch self {
        case .topic(let name): rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name)
        case .broker(let id): rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, String(id))
        }
    }
}

/// One setting of a topic or broker.
package struct ConfigurationEntry: Sendable, Hashable {
    /// Where the value comes from.
    package enum Source: Int, Sendable {
        case unknown, topic, broker, brokerDefault, brokerFile, `default`
    }

    package let name: String
    /// nil where it is secret or has none.
    package let value: String?
    package let source: Source
    package let isReadOnly: Bool
    package let isSensitive: Bool
}

extension KafkaAdmin {
    /// All settings, by name.
    package func describeConfiguration(_ resource: ConfigurationResource) async throws -> [ConfigurationEntry] {
        try await request(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "\(resource)") { client, options, queue in
            PointerList.with([resource.native], free: rd_kafka_ConfigResource_destroy) {
                rd_kafka_DescribeConfigs(client, $0, $1, options, queue)
            }
        } parse: { event in
            var count = 0
            let result = rd_kafka_event_DescribeConfigs_result(event)
            let array = rd_kafka_DescribeConfigs_result_resources(result, &count)
            guard let first = PointerList.elements(array, count).first else { return [] }
            try Self.check(first, resource)
            let entries = rd_kafka_ConfigResource_configs(first, &count)
            return PointerList.elements(entries, count).map(ConfigurationEntry.init).sorted { $0.name < $1.name }
        }
    }

    /// Changes settings of a topic to those of `set`; those of `remove` go back to the broker's default, and others keep
    /// their values.
    ///
    /// The library of this version has only the request that replaces all settings, so the topic's own ones are read
    /// first; of two changes at the same time one may be lost.
    package func alterConfiguration(
        topic: String, set: [String: String], remove: Set<String> = []
    ) async throws {
        var values: [String: String] = [:]
        for entry in try await describeConfiguration(.topic(topic)) where entry.source == .topic {
            values[entry.name] = entry.value
        }
        for name in remove { values[name] = nil }
        values.merge(set) { $1 }
        let all = values
        try await request(RD_KAFKA_ADMIN_OP_ALTERCONFIGS, "topic \(topic)") { client, options, queue in
            let native = ConfigurationResource.topic(topic).native
            for (name, value) in all {
                let code = rd_kafka_ConfigResource_set_config(native, name, value)
                if code != RD_KAFKA_RESP_ERR_NO_ERROR {
                    rd_kafka_ConfigResource_destroy(native)
                    throw KafkaError(code, "topic \(topic), \(name)=\(value)")
                }
            }
            PointerList.with([native], free: rd_kafka_ConfigResource_destroy) {
                rd_kafka_AlterConfigs(client, $0, $1, options, queue)
            }
        } parse: { event in
            var count = 0
            let result = rd_kafka_event_AlterConfigs_result(event)
            let array = rd_kafka_AlterConfigs_result_resources(result, &count)
            for element in PointerList.elements(array, count) { try Self.check(element, .topic(topic)) }
        }
    }

    private static func check(_ native: OpaquePointer, _ resource: ConfigurationResource) throws(KafkaError) {
        let code = rd_kafka_ConfigResource_error(native)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw KafkaError(code, "\(resource)", detail: string(rd_kafka_ConfigResource_error_string(native)))
        }
    }
}

extension ConfigurationEntry {
    fileprivate init(_ native: OpaquePointer) {
        name = string(rd_kafka_ConfigEntry_name(native)) ?? ""
        value = string(rd_kafka_ConfigEntry_value(native))
        source = Source(rawValue: Int(rd_kafka_ConfigEntry_source(native).rawValue)) ?? .unknown
        isReadOnly = rd_kafka_ConfigEntry_is_read_only(native) > 0
        isSensitive = rd_kafka_ConfigEntry_is_sensitive(native) > 0
    }
}
