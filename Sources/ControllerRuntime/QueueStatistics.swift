// SPDX-License-Identifier: Apache-2.0

/// How often something took how long. A value.
package struct DurationHistogram: Sendable {
    /// Upper bounds of the buckets, in seconds: 10 ns to 1,000 s, each ten times the one before.
    package static let bounds: [Double] = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1000]

    /// By bucket; what took longer than the last bound is only in ``count``.
    package private(set) var buckets = [Int](repeating: 0, count: bounds.count)
    package private(set) var count = 0
    /// Seconds.
    package private(set) var sum = 0.0

    package init() {}

    package mutating func add(_ duration: Duration) {
        let seconds = duration / .seconds(1)
        if let bucket = Self.bounds.firstIndex(where: { seconds <= $0 }) { buckets[bucket] += 1 }
        count += 1
        sum += seconds
    }
}

/// What a queue of keys has done since it began.
///
/// Source: the metrics `workqueue_*` of Kubernetes' controller manager.
package struct QueueStatistics: Sendable {
    /// How many keys wait.
    package internal(set) var depth = 0
    /// How often a key began to wait.
    package internal(set) var adds = 0
    /// How often a key was put back for later.
    package internal(set) var retries = 0
    /// From when a key began to wait until a worker took it.
    package internal(set) var waited = DurationHistogram()
    /// From then until the worker was done.
    package internal(set) var worked = DurationHistogram()
    /// What the keys that are worked on now have taken so far.
    package internal(set) var unfinished: [Duration] = []
}

/// Measures a queue. A value whose time is given with each event.
struct QueueMeter<Key: Hashable & Sendable>: Sendable {
    private var statistics = QueueStatistics()
    private var waiting: [Key: ContinuousClock.Instant] = [:]
    private var active: [Key: ContinuousClock.Instant] = [:]

    /// A key was added; nothing where it waits already.
    mutating func added(_ key: Key, at now: ContinuousClock.Instant) {
        guard waiting[key] == nil else { return }
        waiting[key] = now
        statistics.adds += 1
    }

    mutating func taken(_ key: Key, at now: ContinuousClock.Instant) {
        active[key] = now
        if let since = waiting.removeValue(forKey: key) { statistics.waited.add(now - since) }
    }

    mutating func done(_ key: Key, at now: ContinuousClock.Instant) {
        if let since = active.removeValue(forKey: key) { statistics.worked.add(now - since) }
    }

    mutating func retried() { statistics.retries += 1 }

    func read(at now: ContinuousClock.Instant) -> QueueStatistics {
        var result = statistics
        result.depth = waiting.count
        result.unfinished = active.values.map { now - $0 }
        return result
    }
}
