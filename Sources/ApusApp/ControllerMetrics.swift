// SPDX-License-Identifier: Apache-2.0
import ControllerRuntime
import KubeServer
import Synchronization

/// The metrics of the controllers in this process, which the API server shows with its own.
///
/// Source: Kubernetes "Metrics reference", `workqueue_*`.
enum ControllerMetrics {
    static func text(_ queues: [(name: String, statistics: QueueStatistics)]) -> String {
        var text = Exposition()
        func each(_ body: (inout Exposition, [(String, String)], QueueStatistics) -> Void) {
            for (name, statistics) in queues { body(&text, [("name", name)], statistics) }
        }
        func histogram(_ name: String, _ help: String, _ of: (QueueStatistics) -> DurationHistogram) {
            text.family(name, .histogram, help)
            each { text, labels, statistics in
                let histogram = of(statistics)
                text.histogram(
                    name, labels, Array(zip(DurationHistogram.bounds, histogram.buckets)).map { ($0, $1) },
                    count: histogram.count, sum: histogram.sum)
            }
        }
        text.family("workqueue_adds_total", .counter, "How often a key began to wait in the queue.")
        each { $0.sample("workqueue_adds_total", $1, $2.adds) }
        text.family("workqueue_depth", .gauge, "How many keys wait in the queue.")
        each { $0.sample("workqueue_depth", $1, $2.depth) }
        text.family(
            "workqueue_longest_running_processor_seconds", .gauge, "For how long the oldest key is worked on.")
        each { text, labels, statistics in
            let longest = (statistics.unfinished.max() ?? .zero) / .seconds(1)
            text.sample("workqueue_longest_running_processor_seconds", labels, longest)
        }
        histogram("workqueue_queue_duration_seconds", "For how long keys waited.") { $0.waited }
        text.family("workqueue_retries_total", .counter, "How often a key was put back for later.")
        each { $0.sample("workqueue_retries_total", $1, $2.retries) }
        text.family(
            "workqueue_unfinished_work_seconds", .gauge, "For how long all keys have been worked on that still are.")
        each { text, labels, statistics in
            let all = statistics.unfinished.reduce(.zero, +) / .seconds(1)
            text.sample("workqueue_unfinished_work_seconds", labels, all)
        }
        histogram("workqueue_work_duration_seconds", "For how long keys were worked on.") { $0.worked }
        return String(decoding: text.bytes, as: UTF8.self)
    }
}

/// Metrics that are shown once there is somebody who has them.
final class LaterMetrics: Sendable {
    private let source = Mutex<(@Sendable () -> String)?>(nil)

    func set(_ source: @escaping @Sendable () -> String) { self.source.withLock { $0 = source } }

    var text: String { source.withLock { $0 }?() ?? "" }
}
