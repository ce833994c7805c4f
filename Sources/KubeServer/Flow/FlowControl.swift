// SPDX-License-Identifier: Apache-2.0
import Dispatch
import KubeAPI
import Synchronization

/// Bounds how many requests are worked on at a time, and lets those that have to wait take turns by who sent them.
///
/// Source: Kubernetes "API Priority and Fairness"; here there is one level for requests that read and one for those
/// that change something, and no configuration by objects.
final class FlowControl: Sendable {
    /// The two levels.
    enum Level: Int, Sendable, CaseIterable {
        case readOnly
        case mutating
    }

    /// Seats that a request has; given back at the first ``leave()``.
    final class Permit: Sendable {
        private let gate: Gate
        private let width: Int
        private let isHeld = Atomic(true)

        fileprivate init(_ gate: Gate, width: Int) {
            self.gate = gate
            self.width = width
        }

        deinit { leave() }

        func leave() {
            if isHeld.exchange(false, ordering: .relaxed) { gate.leave(width: width) }
        }

        /// Gives the seats back when a moment has passed, if nobody did before.
        func leave(after duration: DispatchTimeInterval) {
            DispatchQueue.global().asyncAfter(deadline: .now() + duration) { self.leave() }
        }
    }

    private let gates: [Gate]

    /// - Parameters:
    ///   - reads: seats of requests that read.
    ///   - writes: seats of requests that change something.
    ///   - maximumWait: how long a request waits for seats before it is refused.
    init(reads: Int, writes: Int, maximumWait: Duration = .seconds(15)) {
        gates = [Gate(seats: reads, maximumWait: maximumWait), Gate(seats: writes, maximumWait: maximumWait)]
    }

    /// Waits for seats.
    /// - Returns: the permit to run; nil when the client has to come again later.
    func enter(_ level: Level, flow: @autoclosure () -> String, width: Int) async -> Permit? {
        await gates[level.rawValue].enter(flow: flow(), width: width)
    }

    /// What is told as metrics.
    struct Counts {
        var seatsTaken: Int
        var waiting: Int
        var refused: [String: Int]
    }

    func counts(_ level: Level) -> Counts { gates[level.rawValue].counts }

    /// One level.
    final class Gate: Sendable {
        private struct State {
            var queue: FairQueue<ContinuousClock.Instant>
            var continuations: [Int: CheckedContinuation<Bool, Never>] = [:]
            var nextTicket = 0
            var isSweeping = false
            var refused: [String: Int] = [:]
        }

        private let state: Mutex<State>
        private let maximumWait: Duration

        init(seats: Int, maximumPerFlow: Int = 100, maximumWaiting: Int = 2000, maximumWait: Duration) {
            state = Mutex(
                State(
                    queue: FairQueue(
                        seats: seats, maximumPerFlow: maximumPerFlow, maximumWaiting: maximumWaiting)))
            self.maximumWait = maximumWait
        }

        var counts: Counts {
            state.withLock { Counts(seatsTaken: $0.queue.taken, waiting: $0.queue.waiting, refused: $0.refused) }
        }

        func enter(flow: @autoclosure () -> String, width: Int) async -> Permit? {
            if state.withLock({ $0.queue.runAtOnce(width: width) }) { return Permit(self, width: width) }
            let flow = flow()
            let ticket = state.withLock { state in
                state.nextTicket += 1
                return state.nextTicket
            }
            let isGranted = await withTaskCancellationHandler {
                await withCheckedContinuation { arrive(flow, ticket, width, $0) }
            } onCancel: {
                withdraw(ticket)
            }
            return isGranted ? Permit(self, width: width) : nil
        }

        private func arrive(
            _ flow: String, _ ticket: Int, _ width: Int, _ continuation: CheckedContinuation<Bool, Never>
        ) {
            let deadline = ContinuousClock.now + maximumWait
            let (decision, startsSweep) = state.withLock { state in
                let decision = state.queue.arrive(flow: flow, ticket: ticket, width: width, deadline: deadline)
                if case .refuse(let why) = decision { state.refused[why.rawValue, default: 0] += 1 }
                guard decision == .wait else { return (decision, false) }
                state.continuations[ticket] = continuation
                defer { state.isSweeping = true }
                return (decision, !state.isSweeping)
            }
            if startsSweep { scheduleSweep() }
            switch decision {
            case .run: continuation.resume(returning: true)
            case .refuse: continuation.resume(returning: false)
            // The task may have been cancelled before there was something to withdraw.
            case .wait: if Task.isCancelled { withdraw(ticket) }
            }
        }

        fileprivate func leave(width: Int) {
            let running = state.withLock { state in
                state.queue.leave(width: width).compactMap { state.continuations.removeValue(forKey: $0) }
            }
            for continuation in running { continuation.resume(returning: true) }
        }

        private func withdraw(_ ticket: Int) {
            let (left, running) = state.withLock { state in
                guard let running = state.queue.withdraw(ticket: ticket) else {
                    return (nil, []) as (CheckedContinuation<Bool, Never>?, [CheckedContinuation<Bool, Never>])
                }
                return (
                    state.continuations.removeValue(forKey: ticket),
                    running.compactMap { state.continuations.removeValue(forKey: $0) }
                )
            }
            left?.resume(returning: false)
            for continuation in running { continuation.resume(returning: true) }
        }

        /// Looks for requests that waited too long, every second while any wait.
        private func scheduleSweep() {
            DispatchQueue.global().asyncAfter(deadline: .now() + .seconds(1)) { [weak self] in
                guard let self else { return }
                let (late, running, goesOn) = state.withLock { state in
                    let (late, running) = state.queue.expire(at: .now)
                    if !late.isEmpty {
                        state.refused[FairQueue<ContinuousClock.Instant>.Refusal.timeOut.rawValue, default: 0] +=
                            late.count
                    }
                    state.isSweeping = state.queue.waiting > 0
                    return (
                        late.compactMap { state.continuations.removeValue(forKey: $0) },
                        running.compactMap { state.continuations.removeValue(forKey: $0) }, state.isSweeping
                    )
                }
                for continuation in late { continuation.resume(returning: false) }
                for continuation in running { continuation.resume(returning: true) }
                if goesOn { scheduleSweep() }
            }
        }
    }
}
