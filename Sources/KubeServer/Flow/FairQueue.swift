// SPDX-License-Identifier: Apache-2.0

/// Who goes next when more requests come than are worked on at a time. Pure.
///
/// Start-time fair queueing over flows: every flow has a mark of the work it was given, the request of the flow with
/// the smallest mark goes next, and a flow that comes newly begins at the mark of the one that was served last. So a
/// request of a flow that asks for little waits for what is being worked on, and for no more than one request of each
/// other flow, however many those have waiting.
struct FairQueue<Instant: Comparable & Sendable>: Sendable {
    /// Why a request is refused.
    enum Refusal: String, Sendable {
        /// Its flow has too many waiting.
        case flowFull = "queue-full"
        /// All flows together have too many waiting.
        case full = "concurrency-limit"
        /// It has waited for too long.
        case timeOut = "time-out"
    }

    enum Decision: Equatable, Sendable {
        case run
        case wait
        case refuse(Refusal)
    }

    private struct Waiting: Sendable {
        var ticket: Int
        var width: Int
        var deadline: Instant
    }

    private struct Flow: Sendable {
        var mark: Int
        var waiting: [Waiting] = []
    }

    /// How many seats there are; a request takes as many as it is wide.
    let seats: Int
    private let maximumPerFlow: Int
    private let maximumWaiting: Int
    /// How many seats are taken.
    private(set) var taken = 0
    /// How many requests wait.
    private(set) var waiting = 0
    private var flows: [String: Flow] = [:]
    private var mark = 0

    /// - Parameters:
    ///   - seats: how much is worked on at a time.
    ///   - maximumPerFlow: the most requests of one flow that wait.
    ///   - maximumWaiting: the most requests that wait.
    init(seats: Int, maximumPerFlow: Int, maximumWaiting: Int) {
        self.seats = max(1, seats)
        self.maximumPerFlow = maximumPerFlow
        self.maximumWaiting = maximumWaiting
    }

    /// Takes seats where nobody waits and there are enough.
    mutating func runAtOnce(width: Int) -> Bool {
        let width = min(max(1, width), seats)
        guard waiting == 0, taken + width <= seats else { return false }
        taken += width
        return true
    }

    /// A request comes; the same width is given to ``leave(width:)`` after it ran.
    mutating func arrive(flow name: String, ticket: Int, width: Int, deadline: Instant) -> Decision {
        if runAtOnce(width: width) { return .run }
        guard waiting < maximumWaiting else { return .refuse(.full) }
        var flow = flows[name] ?? Flow(mark: mark)
        guard flow.waiting.count < maximumPerFlow else { return .refuse(.flowFull) }
        // A flow without waiting requests cannot save up what it did not use.
        if flow.waiting.isEmpty { flow.mark = max(flow.mark, mark) }
        flow.waiting.append(Waiting(ticket: ticket, width: min(max(1, width), seats), deadline: deadline))
        flows[name] = flow
        waiting += 1
        return .wait
    }

    /// A request has ended; returns the tickets of those that run now.
    mutating func leave(width: Int) -> [Int] {
        taken -= min(max(1, width), seats)
        return dispatch()
    }

    /// A waiting request is not wanted any more; returns the tickets of those that run now, nil when it did not wait.
    mutating func withdraw(ticket: Int) -> [Int]? {
        for (name, flow) in flows {
            guard let index = flow.waiting.firstIndex(where: { $0.ticket == ticket }) else { continue }
            flows[name]?.waiting.remove(at: index)
            waiting -= 1
            return dispatch()
        }
        return nil
    }

    /// Takes out the requests whose deadline has come.
    mutating func expire(at now: Instant) -> (refused: [Int], running: [Int]) {
        var refused: [Int] = []
        for (name, flow) in flows {
            let late = flow.waiting.filter { $0.deadline <= now }
            guard !late.isEmpty else { continue }
            refused += late.map(\.ticket)
            flows[name]?.waiting.removeAll { $0.deadline <= now }
            waiting -= late.count
        }
        return (refused, dispatch())
    }

    private mutating func dispatch() -> [Int] {
        var running: [Int] = []
        while waiting > 0 {
            // Of equal marks the one that came first.
            guard
                let next = flows.lazy.filter({ !$0.value.waiting.isEmpty }).min(by: {
                    ($0.value.mark, $0.value.waiting[0].ticket) < ($1.value.mark, $1.value.waiting[0].ticket)
                })
            else { break }
            let head = next.value.waiting[0]
            // A wide request is not passed by: it would never find enough seats.
            guard taken + head.width <= seats else { break }
            taken += head.width
            waiting -= 1
            mark = next.value.mark
            flows[next.key]?.mark += head.width
            flows[next.key]?.waiting.removeFirst()
            running.append(head.ticket)
        }
        if waiting == 0 {
            flows = [:]
            mark = 0
        } else if flows.count > maximumWaiting {
            flows = flows.filter { !$0.value.waiting.isEmpty || $0.value.mark > mark }
        }
        return running
    }
}
