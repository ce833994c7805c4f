// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import NIOCore
import ServiceHTTP
import Synchronization

/// An upstream with all that is known of it, shared by the event loops; it outlives the snapshots.
final class Upstream: Sendable {
    /// What becomes of a request.
    enum Admission: Sendable {
        case pass
        case hold(UInt64)
        /// Too many wait, or none may.
        case refuse
    }

    /// A request that waits, on its own event loop.
    struct Waiter: Sendable {
        let loop: any EventLoop
        /// Called on the loop, with whether it goes on; false: its time is over.
        let resume: @Sendable (Bool) -> Void
    }

    struct State {
        var rules = UpstreamRules()
        var balance = UpstreamState()
        var queue = ActivatorQueue(maximumHeld: 0)
        var breaker: TrafficPolicy.Breaker?
        var budget: RetryBudget
        var meter: UpstreamMeter
        var waiters: [UInt64: Waiter] = [:]
        var nextID: UInt64 = 0
        /// No route leads to it any more.
        var hasLeft = false
        var isWatched = false
        var retries: UInt64 = 0
        var refused: UInt64 = 0
    }

    let id: UpstreamID
    private let state: Mutex<State>

    init(_ id: UpstreamID, now: Instant) {
        self.id = id
        state = Mutex(State(budget: RetryBudget(start: now), meter: UpstreamMeter(bounds: Histogram.seconds, now: now)))
    }

    func with<Result>(_ body: (inout State) throws -> sending Result) rethrows -> sending Result {
        try state.withLock { try body(&$0) }
    }

    /// Takes over rules. Requests that wait for what is there now go on.
    func apply(_ rules: UpstreamRules, _ policy: TrafficPolicy) {
        let resumed = state.withLock { state in
            state.rules = rules
            state.balance.concurrency = rules.concurrency
            state.balance.outliers = policy.outliers
            state.breaker = policy.breaker
            state.budget.percent = policy.retryBudget
            state.balance.update(rules.endpoints)
            state.queue.maximumHeld = rules.activation?.maximumHeld ?? policy.breaker?.pending ?? 1024
            return Self.adjust(&state)
        }
        resume(resumed)
    }

    /// No route leads to it any more: requests that were begun with it go on to the endpoints it had, and nobody wakes
    /// others.
    func leave() {
        let resumed = state.withLock { state in
            state.hasLeft = true
            state.rules.activation = nil
            return Self.adjust(&state)
        }
        resume(resumed)
    }

    /// Whether connections to an endpoint are worth keeping.
    func keeps(_ serial: Int) -> Bool { state.withLock { !$0.hasLeft && $0.balance.has(serial) } }

    /// How many requests may run, by what is known now.
    private static func adjust(_ state: inout State) -> [Waiter] {
        var slots = state.balance.capacity
        // Nobody waits for endpoints that nobody wakes: there is an answer at once.
        if slots == 0, state.rules.activation == nil { slots = nil }
        if let breaker = state.breaker {
            let most = state.rules.isHTTP2 ? breaker.requests : min(breaker.requests, breaker.connections)
            slots = min(slots ?? .max, most)
        }
        return state.queue.capacity(slots).compactMap { state.waiters.removeValue(forKey: $0) }
    }

    private func resume(_ waiters: [Waiter], goesOn: Bool = true) {
        for waiter in waiters { waiter.loop.execute { waiter.resume(goesOn) } }
    }

    /// A request has come.
    /// `waiter`: called later where the answer is `hold`.
    /// Returns what becomes of it, and whether it is the first that waits.
    func admit(now: Instant, patience: Duration?, _ waiter: @autoclosure () -> Waiter) -> (Admission, isFirst: Bool) {
        state.withLock { state in
            state.meter.began(now: now)
            state.budget.began(now: now)
            let id = state.nextID
            state.nextID += 1
            let longest = state.rules.activation?.patience ?? .seconds(10)
            let deadline = now + min(patience ?? longest, longest)
            switch state.queue.arrive(id, deadline: deadline, now: now) {
            case .pass: return (.pass, false)
            case .refuse:
                state.refused += 1
                return (.refuse, false)
            case .hold:
                state.waiters[id] = waiter()
                let isFirst = !state.isWatched
                state.isWatched = true
                return (.hold(id), isFirst)
            }
        }
    }

    /// A request that waited is given up by its client.
    /// - Returns: whether it was still waiting; else it has passed meanwhile.
    func withdraw(_ id: UInt64) -> Bool {
        state.withLock { state in
            guard state.queue.gone(id) else { return false }
            state.waiters[id] = nil
            return true
        }
    }

    /// How a request ended, and what it has to give back.
    struct End {
        let pick: UpstreamState.Pick?
        let outcome: UpstreamOutcome
        let isAdmitted: Bool
        let holdsRetry: Bool
        let latency: Duration
        /// Nil where nothing can be said.
        let isFailure: Bool?
    }

    func ended(_ end: End, now: Instant) {
        let resumed = state.withLock { state -> [Waiter] in
            if let pick = end.pick { state.balance.finished(pick, end.outcome, now: now) }
            if end.holdsRetry { state.budget.giveBack() }
            state.meter.ended(after: end.latency, isFailure: end.isFailure, now: now)
            guard end.isAdmitted else { return [] }
            return state.queue.finished().compactMap { state.waiters.removeValue(forKey: $0) }
        }
        resume(resumed)
    }

    /// An endpoint that was picked, and how it is talked to.
    struct Target: Sendable {
        let pick: UpstreamState.Pick
        let isHTTP2: Bool
        let tls: UpstreamTLS?
    }

    func pick(random: UInt64, key: UInt64?, excluding: [Int]) -> Target? {
        state.withLock { state in
            guard let pick = state.balance.pick(now: .now, random: random, key: key, excluding: excluding) else {
                return nil
            }
            return Target(pick: pick, isHTTP2: state.rules.isHTTP2, tls: state.rules.tls)
        }
    }

    func finished(_ pick: UpstreamState.Pick, _ outcome: UpstreamOutcome, now: Instant) {
        state.withLock { $0.balance.finished(pick, outcome, now: now) }
    }

    func takeRetry() -> Bool {
        state.withLock { state in
            guard state.budget.take(running: state.meter.present, now: .now) else { return false }
            state.retries += 1
            return true
        }
    }

    /// A probe has found it.
    func markReady(_ endpoint: UpstreamEndpoint) {
        let resumed = state.withLock { state in
            state.balance.markReady(endpoint)
            return Self.adjust(&state)
        }
        resume(resumed)
    }

    /// Ends those that waited too long, for the activator.
    /// - Returns: endpoints to probe and where; nil when nobody waits any more.
    func watched(now: Instant) -> (endpoints: [UpstreamEndpoint], path: String, tls: UpstreamTLS?)? {
        let (late, rest) = state.withLock { state in
            let late = state.queue.expire(now: now).compactMap { state.waiters.removeValue(forKey: $0) }
            guard state.queue.held > 0 else {
                state.isWatched = false
                return (late, nil as (endpoints: [UpstreamEndpoint], path: String, tls: UpstreamTLS?)?)
            }
            let path = state.rules.activation?.readyPath
            return (late, (path == nil ? [] : state.balance.waiting, path ?? "", state.rules.tls))
        }
        resume(late, goesOn: false)
        return rest
    }

    func activity(time: Int64, now: Instant) -> UpstreamActivity {
        state.withLock { state in
            state.meter.read(id, revision: state.rules.revision, held: state.queue.held, time: time, now: now)
        }
    }
}
