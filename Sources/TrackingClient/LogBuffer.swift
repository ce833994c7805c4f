// SPDX-License-Identifier: Apache-2.0

/// What waits to be sent to a run, in batches that the protocol takes, and what becomes of it: a value without time,
/// threads or network.
///
/// At most one batch is under way. Each thing that was put in is in the end sent, merged with a neighbour, or dropped,
/// and counted as such.
package struct LogBuffer: Sendable {
    /// What the protocol takes at once.
    package struct Limits: Sendable, Hashable {
        package var entities = 1000
        package var params = 100
        package var tags = 100
        /// Estimated bytes of a request; MLflow refuses 1 MB.
        package var bytes = 800_000
        /// Points that may wait.
        package var points = 100_000
        /// Params and tags that may wait, each.
        package var pairs = 10_000

        package init() {}
    }

    /// What has become of what was put in.
    package struct Counts: Sendable, Hashable {
        /// Points, params and tags that the server has acknowledged.
        package var sent = 0
        /// Points that were left out for a later one of the same metric, as the buffer was full.
        package var merged = 0
        /// Points, params and tags that were lost: refused by the server, refused by the full buffer, or given up.
        package var dropped = 0
    }

    /// Up to what the protocol takes at once.
    package struct Batch: Sendable, Equatable {
        package var points: [MetricPoint] = []
        package var params: [(key: String, value: String)] = []
        package var tags: [(key: String, value: String)] = []

        package var count: Int { points.count + params.count + tags.count }

        package static func == (left: Batch, right: Batch) -> Bool {
            left.points == right.points && left.params.elementsEqual(right.params, by: ==)
                && left.tags.elementsEqual(right.tags, by: ==)
        }

        /// Two of about half the size.
        func halves() -> (Batch, Batch) {
            let middle = (count + 1) / 2
            var (first, second) = (Batch(), Batch())
            for (place, param) in params.enumerated() {
                if place < middle { first.params.append(param) } else { second.params.append(param) }
            }
            for (place, tag) in tags.enumerated() {
                if params.count + place < middle { first.tags.append(tag) } else { second.tags.append(tag) }
            }
            let cut = min(max(middle - params.count - tags.count, 0), points.count)
            (first.points, second.points) = (Array(points[..<cut]), Array(points[cut...]))
            return (first, second)
        }
    }

    /// What is to be done about a batch that did not go through.
    package enum Step: Sendable, Hashable {
        /// The same batch again, after a pause that grows with the failures so far.
        case again(failures: Int)
        /// What ``next()`` gives: a part of it, or what comes after.
        case next
    }

    private let limits: Limits
    private var points: [MetricPoint] = []
    private var params: [(key: String, value: String)] = []
    private var tags: [(key: String, value: String)] = []
    /// Parts of batches that the server refused, to find what it refuses.
    private var parts: [Batch] = []
    private var current: Batch?
    private var failures = 0
    package private(set) var counts = Counts()
    /// Why something was dropped, the last time.
    package private(set) var fault: TrackingClientError?

    package init(limits: Limits = Limits()) { self.limits = limits }

    /// Whether something waits or is under way.
    package var isEmpty: Bool {
        points.isEmpty && params.isEmpty && tags.isEmpty && parts.isEmpty && current == nil
    }

    /// Whether there is enough for a full batch.
    package var hasFullBatch: Bool { points.count >= limits.entities }

    // MARK: In

    /// A full buffer leaves out every second point of each metric, the latest never. Where that makes no room the point
    /// is dropped.
    package mutating func add(_ point: MetricPoint) {
        if points.count >= limits.points {
            thinOut()
            guard points.count < limits.points else { return drop(1, Self.full("point")) }
        }
        points.append(point)
    }

    package mutating func add(param key: String, _ value: String) {
        guard params.count < limits.pairs else { return drop(1, Self.full("param")) }
        params.append((key, value))
    }

    /// A tag that waits already takes its new value.
    package mutating func add(tag key: String, _ value: String) {
        if let place = tags.firstIndex(where: { $0.key == key }) {
            tags[place].value = value
            counts.merged += 1
            return
        }
        guard tags.count < limits.pairs else { return drop(1, Self.full("tag")) }
        tags.append((key, value))
    }

    private static func full(_ what: String) -> TrackingClientError {
        TrackingClientError(.connection, "the buffer is full: the tracking server takes less than is logged (\(what))")
    }

    private mutating func drop(_ count: Int, _ why: TrackingClientError) {
        counts.dropped += count
        fault = why
    }

    private mutating func thinOut() {
        var seen: [String: Int] = [:]
        let before = points.count
        // From the end, so that the latest of each is kept.
        var kept: [MetricPoint] = []
        kept.reserveCapacity(before / 2 + 1)
        for point in points.reversed() {
            let place = seen[point.key, default: 0]
            seen[point.key] = place + 1
            if place % 2 == 0 { kept.append(point) }
        }
        points = kept.reversed()
        counts.merged += before - points.count
    }

    // MARK: Out

    /// The next batch; nil when there is none. The one under way is given again until it is said what became of it.
    package mutating func next() -> Batch? {
        if let current { return current }
        if let part = parts.popLast() {
            current = part
            return part
        }
        var batch = Batch()
        var bytes = 100
        func fits(_ size: Int) -> Bool {
            batch.count < limits.entities && (bytes + size <= limits.bytes || batch.count == 0)
        }
        // Params first: they are few, and say what the points are of.
        for param in params.prefix(limits.params) {
            guard fits(Self.size(param)) else { break }
            batch.params.append(param)
            bytes += Self.size(param)
        }
        params.removeFirst(batch.params.count)
        for tag in tags.prefix(limits.tags) {
            guard fits(Self.size(tag)) else { break }
            batch.tags.append(tag)
            bytes += Self.size(tag)
        }
        tags.removeFirst(batch.tags.count)
        for point in points {
            let size = point.key.utf8.count + 110
            guard fits(size) else { break }
            batch.points.append(point)
            bytes += size
        }
        points.removeFirst(batch.points.count)
        current = batch.count > 0 ? batch : nil
        return current
    }

    /// As JSON, about: what must be escaped is rare.
    private static func size(_ pair: (key: String, value: String)) -> Int {
        pair.key.utf8.count + pair.value.utf8.count + 30
    }

    /// The batch under way was acknowledged.
    package mutating func sent() {
        counts.sent += current?.count ?? 0
        current = nil
        failures = 0
    }

    /// The batch under way did not go through. One that the server refuses is halved, until what it refuses is alone and
    /// is dropped.
    package mutating func failed(_ error: TrackingClientError) -> Step {
        guard let batch = current else { return .next }
        if error.isTransient || error.code == .cancelled {
            failures += 1
            return .again(failures: failures)
        }
        current = nil
        failures = 0
        // Only what is wrong with a part can be found in a part.
        if batch.count > 1, error.code == .invalid {
            let (first, second) = batch.halves()
            parts.append(second)
            parts.append(first)
        } else {
            drop(batch.count, error)
        }
        return .next
    }

    /// Gives up what has not been sent.
    package mutating func giveUp(_ why: TrackingClientError) {
        let rest =
            (current?.count ?? 0) + parts.reduce(0) { $0 + $1.count } + points.count + params.count + tags.count
        if rest > 0 { drop(rest, why) }
        (current, parts, points, params, tags) = (nil, [], [], [], [])
    }
}
