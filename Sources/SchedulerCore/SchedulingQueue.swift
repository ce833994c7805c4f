// SPDX-License-Identifier: Apache-2.0
package import KubeAPI

/// Pods that wait for a node; a value whose clock is given with each call, as time since any fixed moment.
///
/// A pod is active (handed out by priority, then by age), backing off after a failed attempt (1 s, doubling to 10 s),
/// unschedulable (until a change that may help, or 5 minutes), gated (until its gates are removed), or in flight (handed
/// out, until it is reported bound, rejected or failed).
package struct SchedulingQueue: Sendable {
    /// How a waiting pod waits.
    package enum Place: Hashable, Sendable {
        case active
        case backingOff(until: Duration)
        case unschedulable(since: Duration)
        case gated
        case inFlight
    }

    private struct Entry {
        var pod: PodInfo
        /// Order of arrival.
        var order: UInt64
        var place: Place
        /// Marks the entry of the heap that is in force.
        var ticket: UInt64 = 0
        var attempts = 0
        var rejectedBy: FilterPlugins = []
        var backoffEnd: Duration = .zero
        /// What ``eventCount`` was when the pod was handed out.
        var eventCountAtStart: UInt64 = 0
        /// The pod itself changed while in flight.
        var hasChanged = false
        var toldMessage = ""
    }

    private struct ActiveItem: Comparable {
        var priority: Int
        var order: UInt64
        var ticket: UInt64
        var key: ObjectKey

        static func < (left: ActiveItem, right: ActiveItem) -> Bool {
            (right.priority, left.order) < (left.priority, right.order)
        }
    }

    private struct WaitingItem: Comparable {
        var end: Duration
        var ticket: UInt64
        var key: ObjectKey

        static func < (left: WaitingItem, right: WaitingItem) -> Bool {
            (left.end, left.ticket) < (right.end, right.ticket)
        }
    }

    private static let firstBackoff: Duration = .seconds(1)
    private static let longestBackoff: Duration = .seconds(10)
    private static let longestUnschedulable: Duration = .seconds(300)

    private var entries: [ObjectKey: Entry] = [:]
    private var active = PriorityHeap<ActiveItem>()
    /// Ends of back-offs, and of the time that a pod is left unschedulable.
    private var waiting = PriorityHeap<WaitingItem>()
    private var unschedulable: Set<ObjectKey> = []
    private var lastTicket: UInt64 = 0
    private var eventCount: UInt64 = 0
    /// The number of the last event of each kind.
    private var lastEvents: [ClusterEvents: UInt64] = [:]

    package init() {}

    package var count: Int { entries.count }

    /// How the pod waits; nil when it does not.
    package func place(of key: ObjectKey) -> Place? { entries[key]?.place }

    /// The pod of that key that waits.
    package func pod(_ key: ObjectKey) -> PodInfo? { entries[key]?.pod }

    /// Takes in a pod without a node that is new or has changed in what matters for scheduling.
    package mutating func add(_ pod: PodInfo, now: Duration) {
        guard var entry = entries[pod.key], entry.pod.uid == pod.uid else {
            lastTicket += 1
            entries[pod.key] = Entry(pod: pod, order: lastTicket, place: .gated)
            if pod.schedulingGates.isEmpty { activate(pod.key) }
            return
        }
        entry.pod = pod
        entry.hasChanged = true
        entries[pod.key] = entry
        switch entry.place {
        case .gated where pod.schedulingGates.isEmpty: activate(pod.key)
        case .unschedulable: retry(pod.key, now: now)
        default: break
        }
    }

    /// Forgets a pod: it is bound or gone.
    package mutating func remove(_ key: ObjectKey) {
        entries[key] = nil
        unschedulable.remove(key)
    }

    /// Hands out the active pod of the highest priority, the oldest of equals.
    package mutating func pop(now: Duration) -> PodInfo? {
        endWaits(now: now)
        while let item = active.removeFirst() {
            guard var entry = entries[item.key], entry.ticket == item.ticket, entry.place == .active else { continue }
            entry.place = .inFlight
            entry.attempts += 1
            entry.eventCountAtStart = eventCount
            entry.hasChanged = false
            entries[item.key] = entry
            return entry.pod
        }
        return nil
    }

    /// The pod in flight fits no node. It waits for a change that may help; when one came meanwhile, it backs off only.
    package mutating func rejected(_ key: ObjectKey, uid: String, by plugins: FilterPlugins, now: Duration) {
        guard var entry = inFlight(key, uid) else { return }
        entry.rejectedBy = plugins
        entry.backoffEnd = now + Self.backoff(entry.attempts)
        entries[key] = entry
        let relevant = Self.events(for: plugins)
        let cameMeanwhile = lastEvents.contains {
            !$0.key.isDisjoint(with: relevant) && $0.value > entry.eventCountAtStart
        }
        if entry.hasChanged || cameMeanwhile {
            wait(key, until: entry.backoffEnd, as: .backingOff(until: entry.backoffEnd))
        } else {
            unschedulable.insert(key)
            wait(key, until: now + Self.longestUnschedulable, as: .unschedulable(since: now))
        }
    }

    /// The attempt for the pod in flight failed for a reason other than the pod: it backs off.
    package mutating func failed(_ key: ObjectKey, uid: String, now: Duration) {
        guard var entry = inFlight(key, uid) else { return }
        entry.backoffEnd = now + Self.backoff(entry.attempts)
        entries[key] = entry
        wait(key, until: entry.backoffEnd, as: .backingOff(until: entry.backoffEnd))
    }

    /// The cluster changed: unschedulable pods that it may help are tried again when their back-off has ended.
    package mutating func changed(_ events: ClusterEvents, now: Duration) {
        eventCount += 1
        lastEvents[events] = eventCount
        let helped = unschedulable.filter { key in
            entries[key].map { !Self.events(for: $0.rejectedBy).isDisjoint(with: events) } ?? false
        }
        for key in helped.sorted(by: { (entries[$0]?.order ?? 0) < (entries[$1]?.order ?? 0) }) {
            retry(key, now: now)
        }
    }

    /// Something was done for a pod that waits after a rejection: it is tried again, at once or when its back-off ends.
    package mutating func reconsider(_ key: ObjectKey, atOnce: Bool, now: Duration) {
        switch entries[key]?.place {
        case .unschedulable, .backingOff:
            if atOnce { activate(key) } else { retry(key, now: now) }
        default: break
        }
    }

    /// Remembers what was told about the pod; returns whether it is something new.
    package mutating func tell(_ message: String, about key: ObjectKey) -> Bool {
        guard let told = entries[key]?.toldMessage, told != message else { return false }
        entries[key]?.toldMessage = message
        return true
    }

    /// When a pod that waits now becomes active by the passing of time; nil when none does.
    package mutating func nextDeadline() -> Duration? {
        while let item = waiting.first {
            if isInForce(item) { return item.end }
            _ = waiting.removeFirst()
        }
        return nil
    }

    private func inFlight(_ key: ObjectKey, _ uid: String) -> Entry? {
        entries[key].flatMap { $0.place == .inFlight && $0.pod.uid == uid ? $0 : nil }
    }

    private func isInForce(_ item: WaitingItem) -> Bool { entries[item.key]?.ticket == item.ticket }

    private mutating func endWaits(now: Duration) {
        while let item = waiting.first, item.end <= now {
            _ = waiting.removeFirst()
            if isInForce(item) { activate(item.key) }
        }
    }

    private mutating func retry(_ key: ObjectKey, now: Duration) {
        guard let entry = entries[key] else { return }
        unschedulable.remove(key)
        if entry.backoffEnd > now {
            wait(key, until: entry.backoffEnd, as: .backingOff(until: entry.backoffEnd))
        } else {
            activate(key)
        }
    }

    private mutating func activate(_ key: ObjectKey) {
        guard var entry = entries[key] else { return }
        lastTicket += 1
        entry.ticket = lastTicket
        entry.place = .active
        entries[key] = entry
        unschedulable.remove(key)
        active.insert(
            ActiveItem(priority: entry.pod.priority, order: entry.order, ticket: lastTicket, key: key))
    }

    private mutating func wait(_ key: ObjectKey, until end: Duration, as place: Place) {
        lastTicket += 1
        entries[key]?.ticket = lastTicket
        entries[key]?.place = place
        waiting.insert(WaitingItem(end: end, ticket: lastTicket, key: key))
    }

    /// Without nodes nothing rejected the pod; then any node helps.
    private static func events(for plugins: FilterPlugins) -> ClusterEvents {
        plugins.isEmpty ? .nodeAdded : plugins.relevantEvents
    }

    private static func backoff(_ attempts: Int) -> Duration {
        min(firstBackoff * (1 << min(max(0, attempts - 1), 8)), longestBackoff)
    }
}
