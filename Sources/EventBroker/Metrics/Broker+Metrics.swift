// SPDX-License-Identifier: Apache-2.0
import EventCoordination
import EventLog
import ServiceHTTP
import Synchronization

extension Broker {
    /// The most series of groups' lag.
    private static let maximumLags = 10_000

    /// All that the broker counts, in Prometheus' text format.
    package func metricsText() async -> String {
        let topics = topics.all
        let counted = metrics.counted(keeping: Set(topics.map(\.name)))
        var text = MetricsText()
        text.family("apus_events_connections", .gauge, "Connections of clients.")
        text.sample("apus_events_connections", [], connections.count)
        text.family("apus_events_queued_bytes", .gauge, "Bytes of requests that are read and not answered.")
        text.sample("apus_events_queued_bytes", [], configuration.maximumQueuedBytes - budget.free)
        text.family("apus_events_fetch_sessions", .gauge, "Incremental fetch sessions (KIP-227).")
        text.sample("apus_events_fetch_sessions", [], sessions.withLock { $0.count })
        text.family(
            "apus_events_request_duration_seconds", .histogram, "From a request's last byte to its answer, by kind.")
        for (key, histogram) in counted.requests.sorted(by: { $0.key < $1.key }) {
            text.histogram("apus_events_request_duration_seconds", [("api", APITable.name(key))], histogram)
        }
        write(counted, to: &text)
        write(topics, to: &text)
        await writeLag(to: &text)
        return text.text
    }

    private func write(_ counted: BrokerMetrics.State, to text: inout MetricsText) {
        func traffic(_ name: String, _ help: String, _ value: KeyPath<BrokerMetrics.Traffic, UInt64>) {
            text.family(name, .counter, help)
            for (topic, traffic) in counted.topics.sorted(by: { $0.key < $1.key }) {
                text.sample(name, [("topic", topic)], traffic[keyPath: value])
            }
        }
        traffic("apus_events_topic_bytes_in_total", "Bytes of records written, as they came.", \.bytesIn)
        traffic("apus_events_topic_records_in_total", "Records written.", \.recordsIn)
        traffic("apus_events_topic_bytes_out_total", "Bytes of records sent.", \.bytesOut)
        traffic("apus_events_topic_records_out_total", "Offsets of records sent.", \.recordsOut)
        func exchange(_ name: String, _ help: String, _ value: KeyPath<BrokerMetrics.Exchange, UInt64>) {
            text.family(name, .counter, help)
            for (client, exchange) in counted.clients.sorted(by: { $0.key < $1.key }) {
                text.sample(name, [("client_id", client)], exchange[keyPath: value])
            }
            // Beside a client of that name there is none without: labels differ.
            text.sample(name, [("client_id", ""), ("others", "true")], counted.otherClients[keyPath: value])
        }
        exchange("apus_events_client_bytes_in_total", "Bytes of requests, by the client's name for itself.", \.bytesIn)
        exchange("apus_events_client_bytes_out_total", "Bytes of answers, by the client's name for itself.", \.bytesOut)
    }

    private func write(_ topics: [Topic], to text: inout MetricsText) {
        func each(_ name: String, _ help: String, _ value: (LogPartitionState) -> Int64) {
            text.family(name, .gauge, help)
            for state in states {
                text.sample(name, [("topic", state.topic), ("partition", "\(state.partition)")], value(state))
            }
        }
        let states = topics.flatMap { topic in
            topic.partitions.enumerated().map {
                LogPartitionState(
                    topic: topic.name, partition: $0, start: $1.startOffset, end: $1.endOffset, bytes: $1.sizeBytes)
            }
        }
        each("apus_events_partition_start_offset", "The first offset that is kept.") { $0.start }
        each("apus_events_partition_end_offset", "The offset that the next record gets.") { $0.end }
        each("apus_events_partition_size_bytes", "Bytes on the disk.") { $0.bytes }
    }

    private func writeLag(to text: inout MetricsText) async {
        text.family("apus_events_group_lag", .gauge, "Records that a group has not committed yet.")
        var left = Self.maximumLags
        for group in groups.list(states: [], types: []) {
            for offset in await groups.fetchOffsets(groupID: group.groupID, partitions: nil, requireStable: false) {
                let name = offset.partition
                guard let log = topics.topic(name.topic)?.partition(name.partition) else { continue }
                guard left > 0 else { return }
                left -= 1
                text.sample(
                    "apus_events_group_lag",
                    [("group", group.groupID), ("topic", name.topic), ("partition", "\(name.partition)")],
                    max(0, log.endOffset - offset.offset))
            }
        }
    }
}

/// A partition as it is shown.
private struct LogPartitionState {
    var topic: String
    var partition: Int
    var start: Int64
    var end: Int64
    var bytes: Int64
}
