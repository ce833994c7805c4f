// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// What a queue of keys to reconcile does; a value, so that it can be tested without tasks or time.
///
/// A key is handed out to one worker at a time; keys that are added while being worked on are handed out again
/// afterwards; keys added several times before that are handed out once.
package struct WorkQueueState<Key: Hashable & Sendable>: Sendable {
    private var ready: [Key] = []
    private var head = 0
    private var waiting: Set<Key> = []
    private var active: Set<Key> = []
    private var failures: [Key: Int] = [:]

    package init() {}

    /// Adds a key; returns whether a worker can take one now that could not before.
    package mutating func add(_ key: Key) -> Bool {
        guard waiting.insert(key).inserted else { return false }
        guard !active.contains(key) else { return false }
        ready.append(key)
        return true
    }

    /// Takes the key that waited longest.
    package mutating func take() -> Key? {
        guard head < ready.count else { return nil }
        let key = ready[head]
        head += 1
        if head > 1024, head * 2 > ready.count {
            ready.removeFirst(head)
            head = 0
        }
        waiting.remove(key)
        active.insert(key)
        return key
    }

    /// A worker is done with a key; returns whether it became ready again.
    package mutating func done(_ key: Key) -> Bool {
        active.remove(key)
        guard waiting.contains(key) else { return false }
        ready.append(key)
        return true
    }

    /// Counts a failure and returns how long to wait: 5 ms doubling up to 30 s.
    package mutating func failed(_ key: Key) -> Duration {
        let count = failures[key, default: 0]
        failures[key] = count + 1
        return min(.milliseconds(5) * (1 << min(count, 16)), .seconds(30))
    }

    /// Forgets the failures of a key.
    package mutating func succeeded(_ key: Key) { failures[key] = nil }
}

/// A queue of keys to reconcile, shared by event handlers (which add) and workers (which take).
package final class WorkQueue<Key: Hashable & Sendable>: Sendable {
    private struct State {
        var queue = WorkQueueState<Key>()
        var meter = QueueMeter<Key>()
        var takers: [(id: Int, continuation: CheckedContinuation<Key?, Never>)] = []
        var nextTaker = 0

        /// Pairs a waiting taker with a ready key.
        mutating func match() -> (CheckedContinuation<Key?, Never>, Key)? {
            guard !takers.isEmpty, let key = take() else { return nil }
            return (takers.removeFirst().continuation, key)
        }

        mutating func take() -> Key? {
            guard let key = queue.take() else { return nil }
            meter.taken(key, at: .now)
            return key
        }
    }

    private let state = Mutex(State())

    package init() {}

    /// Adds a key; a waiting taker gets it.
    package func add(_ key: Key) {
        let match = state.withLock { state in
            state.meter.added(key, at: .now)
            return state.queue.add(key) ? state.match() : nil
        }
        if let (taker, key) = match { taker.resume(returning: key) }
    }

    /// Waits for a key; nil when the task is cancelled.
    package func next() async -> Key? {
        let id = state.withLock { state in
            state.nextTaker += 1
            return state.nextTaker
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Key?? = state.withLock { state in
                    if Task.isCancelled { return .some(nil) }
                    if let key = state.take() { return .some(key) }
                    state.takers.append((id, continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let taker = state.withLock { state in
                state.takers.firstIndex { $0.id == id }.map { state.takers.remove(at: $0) }
            }
            taker?.continuation.resume(returning: nil)
        }
    }

    /// Says that the worker which took the key is done with it.
    package func done(_ key: Key) {
        let match = state.withLock { state in
            state.meter.done(key, at: .now)
            return state.queue.done(key) ? state.match() : nil
        }
        if let (taker, key) = match { taker.resume(returning: key) }
    }

    /// Counts that a key is put back for later.
    package func retried() { state.withLock { $0.meter.retried() } }

    /// What it has done until now.
    package var statistics: QueueStatistics { state.withLock { $0.meter.read(at: .now) } }

    /// See ``WorkQueueState/failed(_:)``.
    package func failed(_ key: Key) -> Duration { state.withLock { $0.queue.failed(key) } }
    /// See ``WorkQueueState/succeeded(_:)``.
    package func succeeded(_ key: Key) { state.withLock { $0.queue.succeeded(key) } }
}
