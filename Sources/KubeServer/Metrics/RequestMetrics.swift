// SPDX-License-Identifier: Apache-2.0
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Counts and latencies of requests.
///
/// Sharded by thread, so that requests that end at the same time on different cores do not meet at one lock.
final class RequestMetrics: Sendable {
    /// What a series is about; never a raw path, so that their number is bounded by what is served.
    struct Labels: Hashable, Sendable {
        /// `GET`, `LIST`, `WATCH`, `POST`, `PUT`, `PATCH`, `APPLY`, `DELETE`, `DELETECOLLECTION` or `CONNECT`.
        var verb: String
        var group = ""
        var version = ""
        var resource = ""
        var subresource = ""
        /// `resource`, `namespace`, `cluster` or empty.
        var scope = ""
        var isDryRun = false
    }

    struct Histogram: Sendable {
        /// Upper bounds of the buckets, in seconds; upstream's.
        static let bounds: [Double] = [
            0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
        ]
        /// Not cumulative; the last is for what is beyond all bounds.
        var buckets = [Int](repeating: 0, count: bounds.count + 1)
        var sum = 0.0

        var count: Int { buckets.reduce(0, +) }

        mutating func add(_ seconds: Double) {
            sum += seconds
            buckets[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
        }

        mutating func add(_ other: Histogram) {
            sum += other.sum
            for index in buckets.indices { buckets[index] += other.buckets[index] }
        }
    }

    struct Series: Sendable {
        var codes: [Int: Int] = [:]
        var durations = Histogram()
    }

    private final class Shard: Sendable {
        let series = Mutex<[Labels: Series]>([:])
    }

    private let shards = (0..<16).map { _ in Shard() }

    /// Counts a request that has been answered.
    ///
    /// - Parameters:
    ///   - labels: what it was.
    ///   - code: the HTTP status.
    ///   - seconds: how long it took; nil for what goes on for as long as somebody listens.
    func record(_ labels: Labels, code: Int, seconds: Double?) {
        // Descriptors of threads are addresses of pages: the low bits are the same for all.
        let shard = shards[Int((UInt(bitPattern: Int(pthread_self())) >> 12) % UInt(shards.count))]
        shard.series.withLock { series in
            series[labels, default: Series()].codes[code, default: 0] += 1
            if let seconds { series[labels]?.durations.add(seconds) }
        }
    }

    /// The sum of all shards.
    var series: [Labels: Series] {
        var all: [Labels: Series] = [:]
        for shard in shards {
            for (labels, series) in shard.series.withLock({ $0 }) {
                all[labels, default: Series()].durations.add(series.durations)
                for (code, count) in series.codes { all[labels]?.codes[code, default: 0] += count }
            }
        }
        return all
    }
}

/// How many there are now, by labels: watches and other requests that go on.
final class GaugeSet<Labels: Hashable & Sendable>: Sendable {
    private let values = Mutex<[Labels: Int]>([:])

    /// Counts one for as long as it lives.
    final class Presence: Sendable {
        private let set: GaugeSet
        private let labels: Labels

        fileprivate init(_ set: GaugeSet, _ labels: Labels) {
            self.set = set
            self.labels = labels
            set.change(labels, by: 1)
        }

        deinit { set.change(labels, by: -1) }
    }

    func enter(_ labels: Labels) -> Presence { Presence(self, labels) }

    var all: [Labels: Int] { values.withLock { $0 } }

    private func change(_ labels: Labels, by difference: Int) {
        values.withLock { values in
            let value = values[labels, default: 0] + difference
            values[labels] = value == 0 ? nil : value
        }
    }
}

/// Counters that are added to without a lock once they are found.
final class CounterSet<Labels: Hashable & Sendable>: Sendable {
    final class Counter: Sendable {
        private let value = Atomic(0)
        func add(_ count: Int) { value.add(count, ordering: .relaxed) }
        var count: Int { value.load(ordering: .relaxed) }
    }

    private let counters = Mutex<[Labels: Counter]>([:])

    func counter(_ labels: Labels) -> Counter {
        counters.withLock { counters in
            if let counter = counters[labels] { return counter }
            let counter = Counter()
            counters[labels] = counter
            return counter
        }
    }

    var all: [Labels: Int] { counters.withLock { $0.mapValues(\.count) } }
}
