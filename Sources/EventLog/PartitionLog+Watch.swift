// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A wish to be woken; cancelled when it is let go.
package final class LogWatch: Sendable {
    private let partition: PartitionLog
    private let id: UInt64

    init(partition: PartitionLog, id: UInt64) {
        self.partition = partition
        self.id = id
    }

    deinit { cancel() }

    /// Forgets the wish; nothing is called from then on, unless it is being called right now.
    package func cancel() {
        let watcher = partition.state.withLock { $0.watchers.removeValue(forKey: id) }
        withExtendedLifetime(watcher) {}
    }
}

extension PartitionLog {
    /// Calls `wake` once, on the writer's thread (it must not block), as soon as there is something to read after what
    /// a reader that goes on at `offset` has seen, or the partition is closed or deleted.
    ///
    /// - Parameters:
    ///   - offset: Where the reader goes on: the `nextOffset` of its last slice.
    ///   - isolation: What the reader may see.
    ///   - wake: Called at most once.
    /// - Returns: Nil where that is so already: read again, `wake` is not called. Hold the watch for as long as the
    ///   wish stands.
    package func watch(
        from offset: Int64, isolation: Isolation = .uncommitted, _ wake: @escaping @Sendable () -> Void
    ) -> LogWatch? {
        let id = state.withLock { state -> UInt64? in
            guard !state.isClosed, state.readableEnd(isolation) <= offset else { return nil }
            state.nextWatcher += 1
            state.watchers[state.nextWatcher] = PartitionState.Watcher(
                offset: offset, isolation: isolation, wake: wake)
            return state.nextWatcher
        }
        return id.map { LogWatch(partition: self, id: $0) }
    }

    /// Returns once there is something to read from `offset` on, the partition is closed, or the task is cancelled.
    package func waitForRecords(from offset: Int64, isolation: Isolation = .uncommitted) async {
        let signal = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let watch = watch(from: offset, isolation: isolation) { signal.continuation.finish() }
        guard let watch else { return }
        for await _ in signal.stream {}
        watch.cancel()
    }

    /// How many readers wait.
    package var watcherCount: Int { state.withLock { $0.watchers.count } }
}
