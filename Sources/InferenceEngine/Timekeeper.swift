// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization

/// One thread that answers requests whose deadlines pass while all instances of their model are busy. It is started by
/// the first request with a deadline, and ends with its owner.
final class Timekeeper: Sendable {
    private struct State {
        /// By model, when to look at its queue.
        var times: [ObjectIdentifier: (time: ContinuousClock.Instant, model: ModelCore)] = [:]
        var isRunning = false
        var isEnded = false
    }

    private let state = Mutex(State())
    private let signal = DispatchSemaphore(value: 0)

    /// Looks at the model's queue at this time.
    func wake(_ model: ModelCore, at time: ContinuousClock.Instant) {
        let key = ObjectIdentifier(model)
        let (isNew, isSooner) = state.withLock { state in
            guard !state.isEnded else { return (false, false) }
            if let known = state.times[key], known.time <= time { return (false, false) }
            state.times[key] = (time, model)
            defer { state.isRunning = true }
            return (!state.isRunning, true)
        }
        if isNew {
            WorkerThread.start("deadlines") { [self] in work() }
        } else if isSooner {
            signal.signal()
        }
    }

    /// A model that is gone is not kept for its last deadline.
    func forget(_ model: ModelCore) { _ = state.withLock { $0.times.removeValue(forKey: ObjectIdentifier(model)) } }

    func end() {
        state.withLock { state in
            state.isEnded = true
            state.times = [:]
        }
        signal.signal()
    }

    private func work() {
        while true {
            let now = ContinuousClock.now
            let (due, next, isEnded) = state.withLock { state in
                let due = state.times.filter { $0.value.time <= now }
                for key in due.keys { state.times[key] = nil }
                return (due.values.map(\.model), state.times.values.map(\.time).min(), state.isEnded)
            }
            guard !isEnded else { return }
            for model in due {
                if let time = model.expire() { wake(model, at: time) }
            }
            guard due.isEmpty else { continue }
            if let next {
                _ = signal.wait(timeout: .now() + .nanoseconds(now.duration(to: next).nanoseconds + 100_000))
            } else {
                signal.wait()
            }
        }
    }
}
