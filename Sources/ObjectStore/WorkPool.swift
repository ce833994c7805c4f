// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization

/// A few threads, off the cooperative pool, for calls that block. They are given back while there is nothing to do.
final class WorkPool: Sendable {
    private struct State: ~Copyable {
        var jobs: [@Sendable () -> Void] = []
        /// The first job that was not begun.
        var head = 0
        var active = 0
        var isClosed = false
        var whenIdle: [CheckedContinuation<Void, Never>] = []

        mutating func take() -> (@Sendable () -> Void)? {
            guard head < jobs.count else {
                jobs.removeAll(keepingCapacity: head <= 1024)
                head = 0
                return nil
            }
            defer {
                head += 1
                if head >= 256, head * 2 > jobs.count {
                    jobs.removeFirst(head)
                    head = 0
                }
            }
            return jobs[head]
        }
    }

    private let state = Mutex(State())
    private let queue: DispatchQueue
    private let threads: Int

    init(label: String, threads: Int) {
        self.threads = max(1, threads)
        queue = DispatchQueue(
            label: label, qos: .userInitiated, attributes: threads > 1 ? .concurrent : [])
    }

    /// Runs a job some time later; false when the pool is closed.
    @discardableResult
    func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        let starts: Bool? = state.withLock { state in
            guard !state.isClosed else { return nil }
            state.jobs.append(job)
            guard state.active < threads else { return false }
            state.active += 1
            return true
        }
        guard let starts else { return false }
        if starts { queue.async { self.drain() } }
        return true
    }

    /// Runs a job and returns what it returns; nil when the pool is closed.
    func run<T: Sendable>(_ job: @escaping @Sendable () -> T) async -> T? {
        await withCheckedContinuation { (continuation: CheckedContinuation<T?, Never>) in
            if !submit({ continuation.resume(returning: job()) }) { continuation.resume(returning: nil) }
        }
    }

    /// Returns when all that was submitted is done; what comes later is refused.
    func close() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                state.isClosed = true
                if state.active > 0 { state.whenIdle.append(continuation) }
                return state.active == 0
            }
            if isIdle { continuation.resume() }
        }
    }

    private func drain() {
        while true {
            var waiting: [CheckedContinuation<Void, Never>] = []
            let job = state.withLock { state in
                let job = state.take()
                if job == nil {
                    state.active -= 1
                    if state.active == 0 { swap(&waiting, &state.whenIdle) }
                }
                return job
            }
            guard let job else {
                for continuation in waiting { continuation.resume() }
                return
            }
            job()
        }
    }
}
