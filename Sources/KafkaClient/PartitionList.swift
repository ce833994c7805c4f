// SPDX-License-Identifier: Apache-2.0
import CRDKafka

/// librdkafka's lists of partitions and values of ours, there and back.
enum PartitionList {
    /// Calls `body` with a list that lives as long as the call.
    static func with<Result>(
        _ partitions: some Sequence<(TopicPartition, Int64)>,
        _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) throws -> Result
    ) throws -> Result {
        guard let list = rd_kafka_topic_partition_list_new(8) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "making a list of partitions")
        }
        defer { rd_kafka_topic_partition_list_destroy(list) }
        for (place, offset) in partitions {
            rd_kafka_topic_partition_list_add(list, place.topic, place.partition).pointee.offset = offset
        }
        return try body(list)
    }

    /// As ``with(_:_:)``, without offsets.
    static func with<Result>(
        places: some Sequence<TopicPartition>,
        _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) throws -> Result
    ) throws -> Result {
        try with(places.map { ($0, -1001) }, body)
    }

    /// One element; `offset` is negative where there is none.
    struct Entry {
        let place: TopicPartition
        let offset: Int64
        let error: rd_kafka_resp_err_t
    }

    static func entries(_ list: UnsafePointer<rd_kafka_topic_partition_list_t>?) -> [Entry] {
        guard let list = list?.pointee, let elements = list.elems else { return [] }
        return UnsafeBufferPointer(start: elements, count: Int(list.cnt)).compactMap { element in
            guard let topic = element.topic else { return nil }
            return Entry(
                place: TopicPartition(String(cString: topic), element.partition), offset: element.offset,
                error: element.err)
        }
    }

    static func places(_ list: UnsafePointer<rd_kafka_topic_partition_list_t>?) -> [TopicPartition] {
        entries(list).map(\.place)
    }

    /// Offsets by partition, without those that have none.
    /// - Throws: the first partition's error.
    static func offsets(
        _ list: UnsafePointer<rd_kafka_topic_partition_list_t>?, _ what: String
    ) throws(KafkaError) -> [TopicPartition: Int64] {
        var offsets: [TopicPartition: Int64] = [:]
        for entry in entries(list) {
            try entry.error.check("\(what) of \(entry.place)")
            if entry.offset >= 0 { offsets[entry.place] = entry.offset }
        }
        return offsets
    }
}
