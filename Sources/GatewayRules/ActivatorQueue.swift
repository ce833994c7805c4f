// SPDX-License-Identifier: Apache-2.0

/// Requests that wait until endpoints can take them, first come first served. The time is given.
package struct ActivatorQueue: Sendable {
    package enum Arrival: Sendable, Hashable {
        /// It counts as running until ``ActivatorQueue/finished()``.
        case pass
        case hold
        /// Too many wait.
        case refuse
    }

    /// How many may wait.
    package var maximumHeld: Int
    /// How many may run; nil for any number.
    package private(set) var slots: Int? = 0
    package private(set) var running = 0
    private var deadlines: [UInt64: Instant] = [:]
    /// Those that are in `deadlines` wait; the others are gone already.
    private var order: [UInt64] = []
    private var first = 0

    package init(maximumHeld: Int) { self.maximumHeld = maximumHeld }

    package var held: Int { deadlines.count }

    package mutating func arrive(_ id: UInt64, deadline: Instant, now: Instant) -> Arrival {
        if deadlines.isEmpty, hasRoom {
            running += 1
            return .pass
        }
        guard deadline > now, deadlines.count < maximumHeld else { return .refuse }
        deadlines[id] = deadline
        order.append(id)
        return .hold
    }

    private var hasRoom: Bool { slots.map { running < $0 } ?? true }

    /// Endpoints can take so many at a time.
    /// - Returns: those that go on now; they run.
    package mutating func capacity(_ slots: Int?) -> [UInt64] {
        self.slots = slots
        return released()
    }

    /// One that ran has ended.
    /// - Returns: those that go on now; they run.
    package mutating func finished() -> [UInt64] {
        running -= 1
        return released()
    }

    private mutating func released() -> [UInt64] {
        var ids: [UInt64] = []
        while hasRoom, !deadlines.isEmpty, first < order.count {
            let id = order[first]
            first += 1
            guard deadlines.removeValue(forKey: id) != nil else { continue }
            running += 1
            ids.append(id)
        }
        compact()
        return ids
    }

    /// - Returns: those that have waited too long; they are gone.
    package mutating func expire(now: Instant) -> [UInt64] {
        let late = deadlines.filter { $0.value <= now }.keys.sorted()
        for id in late { deadlines[id] = nil }
        compact()
        return late
    }

    /// A client has gone away.
    /// - Returns: whether it was waiting.
    @discardableResult
    package mutating func gone(_ id: UInt64) -> Bool {
        let wasHeld = deadlines.removeValue(forKey: id) != nil
        compact()
        return wasHeld
    }

    /// When the next has waited too long.
    package var nextDeadline: Instant? { deadlines.values.min() }

    private mutating func compact() {
        if deadlines.isEmpty {
            order = []
            first = 0
        } else if first > 1024, first * 2 > order.count || order.count > 2 * deadlines.count + 1024 {
            order = order[first...].filter { deadlines[$0] != nil }
            first = 0
        }
    }
}
