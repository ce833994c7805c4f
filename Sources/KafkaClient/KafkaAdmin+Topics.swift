// SPDX-License-Identifier: Apache-2.0
import CRDKafka

/// A topic to be made.
package struct NewTopic: Sendable {
    package var name: String
    /// -1: what the broker makes by default.
    package var partitions: Int
    /// -1: what the broker makes by default.
    package var replicationFactor: Int
    package var configuration: [String: String]

    package init(
        _ name: String, partitions: Int = -1, replicationFactor: Int = -1, configuration: [String: String] = [:]
    ) {
        self.name = name
        self.partitions = partitions
        self.replicationFactor = replicationFactor
        self.configuration = configuration
    }
}

/// What brokers tell of themselves and their topics.
package struct ClusterMetadata: Sendable {
    package struct Broker: Sendable, Hashable {
        package let id: Int32
        package let host: String
        package let port: Int
    }

    package struct Partition: Sendable, Hashable {
        package let id: Int32
        /// -1: none at the moment.
        package let leader: Int32
        package let replicas: [Int32]
        package let inSync: [Int32]
        package let error: KafkaError?
    }

    package struct Topic: Sendable {
        package let name: String
        package let partitions: [Partition]
        package let error: KafkaError?

        package var topicPartitions: [TopicPartition] { partitions.map { TopicPartition(name, $0.id) } }
    }

    /// nil from brokers older than 0.10.1.
    package let clusterID: String?
    /// -1: unknown.
    package let controller: Int32
    package let brokers: [Broker]
    /// By name.
    package let topics: [Topic]
}

extension KafkaAdmin {
    /// - Returns: nil, or the error, for each topic.
    package func createTopics(
        _ topics: [NewTopic], validateOnly: Bool = false
    ) async throws -> [String: KafkaError?] {
        try await request(RD_KAFKA_ADMIN_OP_CREATETOPICS, "creating topics") { client, options, queue in
            var reason = [CChar](repeating: 0, count: 512)
            let code = rd_kafka_AdminOptions_set_validate_only(options, validateOnly ? 1 : 0, &reason, reason.count)
            if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(code, "creating topics", detail: text(reason)) }
            var natives: [OpaquePointer?] = []
            do {
                for topic in topics { natives.append(try Self.native(topic)) }
            } catch {
                natives.forEach { rd_kafka_NewTopic_destroy($0) }
                throw error
            }
            PointerList.with(natives, free: rd_kafka_NewTopic_destroy) {
                rd_kafka_CreateTopics(client, $0, $1, options, queue)
            }
        } parse: { event in
            var count = 0
            let array = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
            return Self.results(array, count)
        }
    }

    /// Makes one topic.
    /// - Throws: `KafkaError`, such as `topicAlreadyExists`.
    package func createTopic(_ topic: NewTopic) async throws {
        if let error = try await createTopics([topic])[topic.name] ?? nil { throw error }
    }

    private static func native(_ topic: NewTopic) throws -> OpaquePointer {
        var reason = [CChar](repeating: 0, count: 512)
        // -1 for the replication factor asks for the broker's default, as for the partitions (KIP-464).
        guard
            let native = rd_kafka_NewTopic_new(
                topic.name, Int32(clamping: topic.partitions), Int32(clamping: topic.replicationFactor), &reason,
                reason.count)
        else { throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, "topic \(topic.name)", detail: text(reason)) }
        for (name, value) in topic.configuration {
            let code = rd_kafka_NewTopic_set_config(native, name, value)
            if code != RD_KAFKA_RESP_ERR_NO_ERROR {
                rd_kafka_NewTopic_destroy(native)
                throw KafkaError(code, "topic \(topic.name), \(name)=\(value)")
            }
        }
        return native
    }

    private static func results(
        _ array: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int
    ) -> [String: KafkaError?] {
        var results: [String: KafkaError?] = [:]
        for result in PointerList.elements(array, count) {
            let name = string(rd_kafka_topic_result_name(result)) ?? ""
            let code = rd_kafka_topic_result_error(result)
            let error: KafkaError? =
                code == RD_KAFKA_RESP_ERR_NO_ERROR
                ? nil : KafkaError(code, "topic \(name)", detail: string(rd_kafka_topic_result_error_string(result)))
            results.updateValue(error, forKey: name)
        }
        return results
    }

    /// Deletes topics with all that is in them.
    /// - Returns: nil, or the error, for each topic.
    package func deleteTopics(_ names: [String]) async throws -> [String: KafkaError?] {
        try await request(RD_KAFKA_ADMIN_OP_DELETETOPICS, "deleting topics") { client, options, queue in
            PointerList.with(names.map { rd_kafka_DeleteTopic_new($0) }, free: rd_kafka_DeleteTopic_destroy) {
                rd_kafka_DeleteTopics(client, $0, $1, options, queue)
            }
        } parse: { event in
            var count = 0
            let array = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count)
            return Self.results(array, count)
        }
    }

    /// Raises the number of a topic's partitions. Keys move to other partitions from then on.
    package func createPartitions(topic: String, total: Int) async throws {
        let results = try await request(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, "topic \(topic)") {
            client, options, queue in
            var reason = [CChar](repeating: 0, count: 512)
            guard let native = rd_kafka_NewPartitions_new(topic, max(0, total), &reason, reason.count) else {
                throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, "topic \(topic)", detail: text(reason))
            }
            PointerList.with([native], free: rd_kafka_NewPartitions_destroy) {
                rd_kafka_CreatePartitions(client, $0, $1, options, queue)
            }
        } parse: { event in
            var count = 0
            let array = rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &count)
            return Self.results(array, count)
        }
        if let error = results[topic] ?? nil { throw error }
    }

    /// Brokers and topics; of one topic only, where it is named. Asking for one topic by name may create it, where the
    /// broker's `auto.create.topics.enable` is on; asking for all creates none.
    package func metadata(topic: String? = nil) async throws -> ClusterMetadata {
        let milliseconds = timeout.milliseconds
        return try await core.handle.blocking { client in
            var handle: OpaquePointer?
            defer { if let handle { rd_kafka_topic_destroy(handle) } }
            if let topic {
                handle = rd_kafka_topic_new(client, topic, nil)
                guard handle != nil else { throw KafkaError(rd_kafka_last_error(), "topic \(topic)") }
            }
            var native: UnsafePointer<rd_kafka_metadata>?
            try rd_kafka_metadata(client, topic == nil ? 1 : 0, handle, &native, milliseconds).check("reading metadata")
            guard let native else { throw KafkaError(RD_KAFKA_RESP_ERR__FAIL, "reading metadata") }
            defer { rd_kafka_metadata_destroy(native) }
            var clusterID: String?
            if let text = rd_kafka_clusterid(client, milliseconds) {
                clusterID = String(cString: text)
                rd_kafka_mem_free(client, text)
            }
            return ClusterMetadata(
                native.pointee, clusterID: clusterID, controller: rd_kafka_controllerid(client, milliseconds))
        }
    }

    /// The first offset of a partition and the one after the last.
    package func watermarks(_ place: TopicPartition) async throws -> Range<Int64> {
        let milliseconds = timeout.milliseconds
        return try await core.handle.blocking { client in
            var low: Int64 = 0
            var high: Int64 = 0
            try rd_kafka_query_watermark_offsets(client, place.topic, place.partition, &low, &high, milliseconds)
                .check("reading the offsets of \(place)")
            return low..<max(low, high)
        }
    }

    /// Deletes records before the given offsets; -1 deletes all there are.
    /// - Returns: the first offset that is left, of each partition.
    package func deleteRecords(before offsets: [TopicPartition: Int64]) async throws -> [TopicPartition: Int64] {
        try await request(RD_KAFKA_ADMIN_OP_DELETERECORDS, "deleting records") { client, options, queue in
            try PartitionList.with(offsets.map { ($0.key, $0.value) }) { list in
                PointerList.with([rd_kafka_DeleteRecords_new(list)], free: rd_kafka_DeleteRecords_destroy) {
                    rd_kafka_DeleteRecords(client, $0, $1, options, queue)
                }
            }
        } parse: { event in
            let result = rd_kafka_event_DeleteRecords_result(event)
            return try PartitionList.offsets(rd_kafka_DeleteRecords_result_offsets(result), "deleting records")
        }
    }
}

extension ClusterMetadata {
    fileprivate init(_ native: rd_kafka_metadata, clusterID: String?, controller: Int32) {
        self.clusterID = clusterID
        self.controller = controller
        brokers = UnsafeBufferPointer(start: native.brokers, count: Int(native.broker_cnt)).map {
            Broker(id: $0.id, host: string($0.host) ?? "", port: Int($0.port))
        }.sorted { $0.id < $1.id }
        topics = UnsafeBufferPointer(start: native.topics, count: Int(native.topic_cnt)).map(Topic.init)
            .sorted { $0.name < $1.name }
    }
}

extension ClusterMetadata.Topic {
    fileprivate init(_ native: rd_kafka_metadata_topic) {
        let name = string(native.topic) ?? ""
        self.name = name
        error = native.err == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaError(native.err, "topic \(name)")
        partitions = UnsafeBufferPointer(start: native.partitions, count: Int(native.partition_cnt)).map { partition in
            ClusterMetadata.Partition(
                id: partition.id, leader: partition.leader,
                replicas: Array(UnsafeBufferPointer(start: partition.replicas, count: Int(partition.replica_cnt))),
                inSync: Array(UnsafeBufferPointer(start: partition.isrs, count: Int(partition.isr_cnt))),
                error: partition.err == RD_KAFKA_RESP_ERR_NO_ERROR
                    ? nil : KafkaError(partition.err, "\(name)-\(partition.id)"))
        }.sorted { $0.id < $1.id }
    }
}
