// SPDX-License-Identifier: Apache-2.0
import ObjectStore
import S3Protocol
import ServiceHTTP

extension ObjectServer {
    /// All that the server counts, in Prometheus' text format.
    package func metricsText() async -> String {
        let counted = service.metrics.counted
        let statistics = service.store.statistics
        var text = MetricsText()
        func value(_ name: String, _ kind: MetricsText.Kind, _ help: String, _ value: some CustomStringConvertible) {
            text.family(name, kind, help)
            text.sample(name, [], value)
        }
        text.family(
            "apus_objects_request_duration_seconds", .histogram,
            "From a request's head to the end of its answer, by operation and status.")
        let requests = counted.requests.map { (name: $0.key.operation?.rawValue ?? "unknown", $0.key.status, $0.value) }
        for (name, status, histogram) in requests.sorted(by: { ($0.name, $0.1) < ($1.name, $1.1) }) {
            text.histogram(
                "apus_objects_request_duration_seconds", [("operation", name), ("status", "\(status)")], histogram)
        }
        value("apus_objects_bytes_in_total", .counter, "Bytes of requests' bodies.", counted.bytesIn)
        value("apus_objects_bytes_out_total", .counter, "Bytes of answers' bodies.", counted.bytesOut)
        value(
            "apus_objects_digest_mismatches_total", .counter,
            "Bodies that were refused as they were not what their checksum said.", counted.mismatches)
        value(
            "apus_objects_damages_total", .counter, "Times that bytes on the disk were not what was written.",
            counted.damages)
        value("apus_objects_connections", .gauge, "Connections of clients.", open.count)
        value(
            "apus_objects_body_memory_bytes", .gauge, "Bytes that large bodies hold of --body-memory.",
            service.configuration.memoryBytes - service.budget.free)
        value(
            "apus_objects_body_memory_waiting", .gauge, "Bodies that wait for their part of it.",
            service.budget.waiting)
        value("apus_objects_access_keys", .gauge, "Access keys beside the root key.", service.keys.count)
        value("apus_objects_buckets", .gauge, "Buckets.", await service.store.buckets().count)
        add(service.store.usage ?? [:], to: &text)
        text.family("apus_objects_commit_changes", .histogram, "Changes that were made durable by one commit.")
        text.histogram("apus_objects_commit_changes", [], Histogram(statistics.commitSizes))
        value(
            "apus_objects_disk_free_bytes", .gauge, "Bytes that are free where the data are.", statistics.freeBytes)
        return text.text
    }

    /// Buckets that are told of by name: a scrape stays small where there are very many.
    private static let maximumBuckets = 1000

    private func add(_ usage: [String: BucketUsage], to text: inout MetricsText) {
        let shown = usage.sorted { $0.key < $1.key }.prefix(Self.maximumBuckets)
        text.family("apus_objects_bucket_objects", .gauge, "Objects of a bucket, each version of them.")
        for (bucket, usage) in shown { text.sample("apus_objects_bucket_objects", [("bucket", bucket)], usage.objects) }
        text.family("apus_objects_bucket_bytes", .gauge, "Bytes of a bucket's objects, of all their versions.")
        for (bucket, usage) in shown { text.sample("apus_objects_bucket_bytes", [("bucket", bucket)], usage.bytes) }
    }
}

extension Histogram {
    fileprivate init(_ sizes: CommitSizes) {
        self.init(bounds: CommitSizes.bounds.map(Double.init), buckets: sizes.counts, sum: Double(sizes.sum))
    }
}
