// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// How many statements run, and how many wait for their turn: the first that came runs first.
struct AdmissionState: Sendable, Equatable {
    enum Answer: Sendable, Equatable { case run, wait, refuse }

    let places: Int
    let maximumWaiting: Int
    private(set) var running = 0
    /// Tickets, the first that came first.
    private(set) var waiting: [Int] = []

    init(places: Int, maximumWaiting: Int) {
        self.places = places
        self.maximumWaiting = maximumWaiting
    }

    mutating func arrive(_ ticket: Int) -> Answer {
        if running < places {
            running += 1
            return .run
        }
        guard waiting.count < maximumWaiting else { return .refuse }
        waiting.append(ticket)
        return .wait
    }

    /// A statement is over; the ticket that runs now.
    mutating func leave() -> Int? {
        guard waiting.isEmpty else { return waiting.removeFirst() }
        running -= 1
        return nil
    }

    /// One that waits gives up; false where it runs already, or is not there.
    mutating func giveUp(_ ticket: Int) -> Bool {
        guard let index = waiting.firstIndex(of: ticket) else { return false }
        waiting.remove(at: index)
        return true
    }
}

/// Lets statements run a few at a time.
final class AdmissionQueue: Sendable {
    /// A place to run; free again when it is let go.
    final class Place: Sendable {
        private let queue: AdmissionQueue

        fileprivate init(_ queue: AdmissionQueue) { self.queue = queue }

        deinit { queue.leave() }
    }

    private struct State {
        var admission: AdmissionState
        var next = 0
        var continuations: [Int: CheckedContinuation<Bool, Never>] = [:]
    }

    private let state: Mutex<State>

    init(places: Int, maximumWaiting: Int) {
        state = Mutex(State(admission: AdmissionState(places: places, maximumWaiting: maximumWaiting)))
    }

    /// Statements that run and that wait.
    var load: (running: Int, waiting: Int) {
        state.withLock { ($0.admission.running, $0.admission.waiting.count) }
    }

    /// A place, when there is one; nil where too many wait already.
    /// - Throws: `CancellationError` where the task is cancelled while it waits.
    func enter() async throws -> Place? {
        let (ticket, answer) = state.withLock { state in
            state.next += 1
            return (state.next, state.admission.arrive(state.next))
        }
        switch answer {
        case .run: return Place(self)
        case .refuse: return nil
        case .wait: break
        }
        let isAdmitted = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let now: Bool? = state.withLock { state in
                    // Its turn may have come before it waits here.
                    guard state.admission.waiting.contains(ticket) else { return true }
                    if Task.isCancelled {
                        _ = state.admission.giveUp(ticket)
                        return false
                    }
                    state.continuations[ticket] = continuation
                    return nil
                }
                if let now { continuation.resume(returning: now) }
            }
        } onCancel: {
            let waiting = state.withLock { state -> CheckedContinuation<Bool, Never>? in
                guard let continuation = state.continuations.removeValue(forKey: ticket) else { return nil }
                _ = state.admission.giveUp(ticket)
                return continuation
            }
            waiting?.resume(returning: false)
        }
        guard isAdmitted else { throw CancellationError() }
        return Place(self)
    }

    private func leave() {
        let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard let ticket = state.admission.leave() else { return nil }
            return state.continuations.removeValue(forKey: ticket)
        }
        next?.resume(returning: true)
    }
}
