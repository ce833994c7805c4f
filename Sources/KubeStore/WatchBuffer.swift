// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// What a watcher has not read yet: filled by the store without waiting, emptied by one reader.
final class WatchBuffer: Sendable {
    /// Items that all watchers of a scope share.
    struct Batch: Sendable {
        var items: [StoreWatchItem]
        var bytes: Int
    }

    private typealias Waiter = CheckedContinuation<Result<[StoreWatchItem]?, StoreError>, Never>

    private enum End {
        /// The buffered items are still read, then the sequence ends or throws.
        case afterBuffered(StoreError?)
        /// The reader has gone.
        case now
    }

    private struct State {
        var batches: [Batch] = []
        var events = 0
        var bytes = 0
        var end: End?
        var waiter: Waiter?
    }

    private let state = Mutex(State())
    private let maximumEvents: Int
    private let maximumBytes: Int

    init(maximumEvents: Int, maximumBytes: Int) {
        self.maximumEvents = maximumEvents
        self.maximumBytes = maximumBytes
    }

    /// Puts replayed events before everything else. Only before the reader starts; not counted against the bounds,
    /// since the events are shared with the window.
    func prepend(_ batches: [Batch]) {
        state.withLock { $0.batches.insert(contentsOf: batches, at: 0) }
    }

    /// Adds a batch; false when the reader is too slow or gone, and the buffer takes nothing more.
    func append(_ batch: Batch) -> Bool {
        let (accepted, waiter) = state.withLock { state -> (Bool, Waiter?) in
            guard state.end == nil else { return (false, nil) }
            if let waiter = state.waiter {
                state.waiter = nil
                return (true, waiter)
            }
            let events = state.events + batch.items.count
            let bytes = state.bytes + batch.bytes
            if state.events > 0, events > maximumEvents || bytes > maximumBytes {
                state.end = .afterBuffered(
                    StoreError(
                        .tooManyWatchEvents,
                        "the watcher is too slow: more than \(maximumEvents) events or \(maximumBytes) bytes wait for it"
                    ))
                return (false, nil)
            }
            state.events = events
            state.bytes = bytes
            state.batches.append(batch)
            return (true, nil)
        }
        waiter?.resume(returning: .success(batch.items))
        return accepted
    }

    /// Ends the sequence after what is buffered.
    func finish() {
        let waiter = state.withLock { state -> Waiter? in
            if state.end == nil { state.end = .afterBuffered(nil) }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: .success(nil))
    }

    /// Ends the sequence at once and frees what is buffered.
    func cancel() {
        let waiter = state.withLock { state -> Waiter? in
            state.end = .now
            state.batches = []
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: .success(nil))
    }

    /// Everything that is buffered, or the next batch when nothing is; nil at the end.
    func next() async -> Result<[StoreWatchItem]?, StoreError> {
        if let ready = state.withLock({ Self.take(&$0) }) { return ready }
        return await withCheckedContinuation { continuation in
            let ready = state.withLock { state -> Result<[StoreWatchItem]?, StoreError>? in
                if let ready = Self.take(&state) { return ready }
                // One reader at a time: a second one ends at once.
                if state.waiter != nil { return .success(nil) }
                state.waiter = continuation
                return nil
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }

    /// Everything that is buffered, which may be nothing; throws at the end.
    func takeReady() throws(StoreError) -> [StoreWatchItem] {
        guard let ready = state.withLock({ Self.take(&$0) }) else { return [] }
        guard let items = try ready.get() else { throw StoreError(.closed, "the watch has ended") }
        return items
    }

    /// What a reader gets without waiting; nil when it has to wait.
    private static func take(_ state: inout State) -> Result<[StoreWatchItem]?, StoreError>? {
        if !state.batches.isEmpty {
            // One batch is handed on as it is, shared with the other watchers.
            let items = state.batches.count == 1 ? state.batches[0].items : state.batches.flatMap(\.items)
            state.batches = []
            state.events = 0
            state.bytes = 0
            return .success(items)
        }
        switch state.end {
        case nil: return nil
        case .now?, .afterBuffered(nil)?: return .success(nil)
        case .afterBuffered(let error?)?:
            state.end = .now
            return .failure(error)
        }
    }
}
