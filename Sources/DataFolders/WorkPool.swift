// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization

/// A few threads, off the cooperative pool, for calls that block. They are given back while there is nothing to do.
///
/// Each is a serial queue: a concurrent one has no more threads than there are processors, and files that are synced
/// would hold up all others. Jobs are begun in the order in which they came; a job does not wait for another one of its
/// pool, or they could wait for ever.
package final class WorkPool: Sendable {
    private struct State {
        /// Those that were begun are nil.
        var jobs: [(@Sendable () -> Void)?] = []
        /// The first job that was not begun.
        var head = 0
        /// The queues that run nothing.
        var idle: [Int] = []
        var isClosed = false
        var whenIdle: [CheckedContinuation<Void, Never>] = []

        mutating func take() -> (@Sendable () -> Void)? {
            guard head < jobs.count else {
                jobs.removeAll(keepingCapacity: head <= 1024)
                head = 0
                return nil
            }
            let job = jobs[head]
            jobs[head] = nil
            head += 1
            if head >= 256, head * 2 > jobs.count {
                jobs.removeFirst(head)
                head = 0
            }
            return job
        }
    }

    private let state: Mutex<State>
    private let queues: [DispatchQueue]

    /// - Parameters:
    ///   - label: of the threads.
    ///   - threads: how many jobs run at a time, at least one. Default 8.
    package init(label: String, threads: Int = 8) {
        queues = (0..<max(1, threads)).map { DispatchQueue(label: "\(label)-\($0)", qos: .userInitiated) }
        state = Mutex(State())
        state.withLock { $0.idle = Array(queues.indices) }
    }

    /// Runs a job some time later; false when the pool is closed.
    @discardableResult
    package func submit(_ job: @escaping @Sendable () -> Void) -> Bool { submit(job, evenIfClosed: false) }

    private func submit(_ job: @escaping @Sendable () -> Void, evenIfClosed: Bool) -> Bool {
        let (isAccepted, idle) = state.withLock { state -> (Bool, Int?) in
            guard evenIfClosed || !state.isClosed else { return (false, nil) }
            state.jobs.append(job)
            return (true, state.idle.popLast())
        }
        // Not under the lock: waking a thread is a system call, and the first that it does is to take the lock.
        if let idle { queues[idle].async { self.drain(idle) } }
        return isAccepted
    }

    /// Runs a job and returns what it returns; nil when the pool is closed.
    package func runIfOpen<T: Sendable>(_ job: @escaping @Sendable () -> T) async -> T? {
        await withCheckedContinuation { (continuation: CheckedContinuation<T?, Never>) in
            if !submit({ continuation.resume(returning: job()) }) { continuation.resume(returning: nil) }
        }
    }

    /// Runs a job and returns what it returns, or throws what it throws; also when the pool is closed, so this is for
    /// pools that nobody closes.
    package func run<T: Sendable, Failure: Error>(
        _ job: @escaping @Sendable () throws(Failure) -> T
    ) async throws(Failure) -> T {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<T, Failure>, Never>) in
            _ = submit(
                {
                    do throws(Failure) {
                        continuation.resume(returning: .success(try job()))
                    } catch {
                        continuation.resume(returning: .failure(error))
                    }
                }, evenIfClosed: true)
        }
        return try result.get()
    }

    /// Returns when all that was submitted is done; what comes later is refused.
    package func close() async {
        state.withLock { $0.isClosed = true }
        await idle()
    }

    /// Returns when nothing is being done, and what was done is let go of.
    package func idle() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                let isIdle = state.idle.count == queues.count
                if !isIdle { state.whenIdle.append(continuation) }
                return isIdle
            }
            if isIdle { continuation.resume() }
        }
    }

    private func drain(_ index: Int) {
        while true {
            var waiting: [CheckedContinuation<Void, Never>] = []
            let job = state.withLock { state in
                let job = state.take()
                if job == nil {
                    state.idle.append(index)
                    if state.idle.count == queues.count { swap(&waiting, &state.whenIdle) }
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
