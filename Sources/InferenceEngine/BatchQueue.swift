// SPDX-License-Identifier: Apache-2.0

/// Requests that wait for an instance of a model, and which of them run together. Pure: time comes with each call.
///
/// Instances that are free ask for work by ``next(now:)``. A batch is begun with the request that waits longest of the
/// most urgent level, and filled with those that can run with it (same ``Entry/key``), in their order. It runs at once
/// when it is full or reaches a preferred size; else when its first request has waited for ``Rules/delay``.
package struct BatchQueue<Item, Key: Equatable> {
    package typealias Instant = ContinuousClock.Instant

    package struct Rules: Sendable, Hashable {
        /// Rows of one run; below 2 each request runs alone.
        package var maximumBatch = 0
        /// Numbers of rows with which a batch does not wait for more; ascending.
        package var preferred: [Int] = []
        /// How long a request may wait for others to run with.
        package var delay: Duration = .zero
        /// Requests that may wait.
        package var maximumRequests = 1024
        /// Bytes of inputs that may wait; one request may always.
        package var maximumBytes = 256 << 20
        /// Levels of priority, 1 is the most urgent.
        package var levels = 1
        /// The level of requests that say none.
        package var defaultLevel = 1

        package init() {}
    }

    package struct Entry {
        package let id: UInt64
        package let item: Item
        /// Rows along the first axis; 0: it runs alone.
        package let rows: Int
        package let bytes: Int
        /// Requests of the same key can run together.
        package let key: Key
        package let deadline: Instant?
        package let arrived: Instant
    }

    package enum Arrival: Equatable {
        /// It waits; `asks`: a free instance should now call ``BatchQueue/next(now:)``.
        case queued(id: UInt64, asks: Bool)
        /// Too many requests, or bytes, wait.
        case full
        /// The queue was closed.
        case closed
    }

    package enum Step {
        case run([Entry])
        /// There is nothing to run before this time, unless a request comes.
        case wait(until: Instant)
        case idle
    }

    /// Requests that are looked at for one batch.
    private static var scanned: Int { 4096 }

    package let rules: Rules
    /// By level, in order of arrival.
    private var levels: [[Entry]]
    private var lastID: UInt64 = 0
    private var withDeadline = 0
    /// Requests that wait.
    package private(set) var count = 0
    /// Bytes of their inputs.
    package private(set) var bytes = 0
    package private(set) var isClosed = false

    package init(_ rules: Rules) {
        self.rules = rules
        levels = Array(repeating: [], count: max(1, rules.levels))
    }

    /// A request comes. Priority 0 is the default; those beyond the last level are the last level's.
    package mutating func add(
        _ item: Item, rows: Int, bytes: Int, key: Key, priority: UInt64 = 0, deadline: Instant? = nil, now: Instant
    ) -> Arrival {
        guard !isClosed else { return .closed }
        guard count < rules.maximumRequests, count == 0 || self.bytes + bytes <= rules.maximumBytes else {
            return .full
        }
        lastID += 1
        let entry = Entry(
            id: lastID, item: item, rows: rows, bytes: bytes, key: key, deadline: deadline, arrived: now)
        let level = priority == 0 ? rules.defaultLevel : Int(clamping: priority)
        levels[min(max(level, 1), levels.count) - 1].append(entry)
        count += 1
        self.bytes += bytes
        if deadline != nil { withDeadline += 1 }
        // Who waits for a batch to fill has to be told only when that may be so.
        guard rules.delay > .zero, rules.maximumBatch > 1, count > 1 else { return .queued(id: lastID, asks: true) }
        if case .wait = look(now: now) { return .queued(id: lastID, asks: false) }
        return .queued(id: lastID, asks: true)
    }

    /// An instance is free, or the time of ``Step/wait(until:)`` has come.
    package mutating func next(now: Instant) -> Step {
        switch look(now: now) {
        case .take(let picks): .run(take(picks))
        case .wait(let time): .wait(until: time)
        case .nothing: .idle
        }
    }

    /// Takes out requests whose deadlines have passed.
    package mutating func expire(now: Instant) -> [Entry] {
        guard withDeadline > 0 else { return [] }
        return remove { entry in entry.deadline.map { $0 <= now } ?? false }
    }

    /// The first deadline of those that wait.
    package var nextDeadline: Instant? {
        guard withDeadline > 0 else { return nil }
        return levels.lazy.flatMap { $0 }.compactMap(\.deadline).min()
    }

    /// Takes out a request; nil when it no longer waits.
    package mutating func cancel(_ id: UInt64) -> Entry? { remove { $0.id == id }.first }

    /// Refuses all that come from now on; what waits is still run.
    package mutating func close() { isClosed = true }

    /// Takes out all that wait.
    package mutating func clear() -> [Entry] { remove { _ in true } }

    private struct Pick {
        let level: Int
        let index: Int
    }

    private enum Look {
        case take([Pick])
        case wait(Instant)
        case nothing
    }

    private func look(now: Instant) -> Look {
        guard let level = levels.firstIndex(where: { !$0.isEmpty }) else { return .nothing }
        let first = levels[level][0]
        let alone = Look.take([Pick(level: level, index: 0)])
        guard rules.maximumBatch > 1, first.rows > 0, first.rows < rules.maximumBatch else { return alone }
        var picks: [Pick] = []
        var rows = 0
        var preferred: Int?
        var oldest = first.arrived
        var scanned = 0
        scan: for level in level..<levels.count {
            for (index, entry) in levels[level].enumerated() {
                scanned += 1
                guard scanned <= Self.scanned else { break scan }
                guard entry.key == first.key, entry.rows > 0, rows + entry.rows <= rules.maximumBatch else { continue }
                rows += entry.rows
                oldest = min(oldest, entry.arrived)
                picks.append(Pick(level: level, index: index))
                if rules.preferred.contains(rows) { preferred = picks.count }
                if rows == rules.maximumBatch { return .take(picks) }
            }
        }
        if let preferred { return .take(Array(picks.prefix(preferred))) }
        let due = oldest.advanced(by: rules.delay)
        return due <= now || isClosed ? .take(picks) : .wait(due)
    }

    private mutating func take(_ picks: [Pick]) -> [Entry] {
        let taken = picks.map { levels[$0.level][$0.index] }
        // From behind, so that the places of the others stay.
        for pick in picks.reversed() { levels[pick.level].remove(at: pick.index) }
        for entry in taken { forget(entry) }
        return taken
    }

    private mutating func remove(where isWanted: (Entry) -> Bool) -> [Entry] {
        var removed: [Entry] = []
        for level in levels.indices {
            guard levels[level].contains(where: isWanted) else { continue }
            removed += levels[level].filter(isWanted)
            levels[level].removeAll(where: isWanted)
        }
        for entry in removed { forget(entry) }
        return removed
    }

    private mutating func forget(_ entry: Entry) {
        count -= 1
        bytes -= entry.bytes
        if entry.deadline != nil { withDeadline -= 1 }
    }
}

extension BatchQueue: Sendable where Item: Sendable, Key: Sendable {}
extension BatchQueue.Entry: Sendable where Item: Sendable, Key: Sendable {}
extension BatchQueue.Step: Sendable where Item: Sendable, Key: Sendable {}
