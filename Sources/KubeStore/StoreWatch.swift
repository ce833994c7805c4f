// SPDX-License-Identifier: Apache-2.0

/// The changes of a resource, in order of revision, as batches: first a replay, then live.
///
/// One reader at a time. It ends when the reading task is cancelled or the store is closed, and throws
/// `.tooManyWatchEvents` after the last buffered event when the reader is too slow. Letting go of the watch and its
/// iterator unregisters it.
package final class StoreWatch: AsyncSequence, Sendable {
    package typealias Element = [StoreWatchItem]
    package typealias Failure = StoreError

    private let buffer: WatchBuffer
    private let registration: LiveState.Registration
    private let live: LiveState

    init(buffer: WatchBuffer, registration: LiveState.Registration, live: LiveState) {
        self.buffer = buffer
        self.registration = registration
        self.live = live
    }

    deinit { cancel() }

    /// Enqueues `.progress` with the store's current revision, after every event up to it.
    package func requestProgress() { live.deliverProgress(to: buffer) }

    /// Ends the sequence at once; the same as cancelling the task that reads it.
    package func cancel() {
        live.unregister(registration)
        buffer.cancel()
    }

    /// What has come since the last read, without waiting; empty when nothing has. For one reader that never iterates.
    /// - Throws: when the watch has ended: list and watch again.
    package func takeReady() throws(StoreError) -> [StoreWatchItem] { try buffer.takeReady() }

    package func makeAsyncIterator() -> Iterator { Iterator(watch: self) }

    /// Reads a watch.
    package struct Iterator: AsyncIteratorProtocol {
        fileprivate let watch: StoreWatch

        /// The next events, everything that has come since the last call; nil at the end.
        package mutating func next(
            isolation actor: isolated (any Actor)? = #isolation
        ) async throws(StoreError) -> [StoreWatchItem]? {
            let watch = watch
            let result = await withTaskCancellationHandler {
                await watch.buffer.next()
            } onCancel: {
                watch.cancel()
            }
            return try result.get()
        }
    }
}
