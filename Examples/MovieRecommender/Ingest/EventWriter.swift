// SPDX-License-Identifier: Apache-2.0
import HTTPTypes
import ModelKit
import ServiceLifecycle

/// Group commit: while one transaction is being synced to disk the next events gather, and all of them are stored by
/// one more.
actor EventWriter: Service {
    /// The most requests that wait; more are refused.
    private static let queueLimit = 10_000

    private typealias Waiting = (
        events: [UserEvent], continuation: CheckedContinuation<ClosedRange<Int64>, any Error>
    )

    private let store: EventStore
    /// Called when events are on disk.
    private let onStored: @Sendable () -> Void
    private var queue: [Waiting] = []
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation
    private var isClosed = false

    init(_ store: EventStore, onStored: @escaping @Sendable () -> Void) {
        self.store = store
        self.onStored = onStored
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Stores `events`; returns their sequence numbers when they are on disk.
    func append(_ events: [UserEvent]) async throws -> ClosedRange<Int64> {
        guard !isClosed else { throw RequestError(.serviceUnavailable, "the service is shutting down") }
        guard queue.count < Self.queueLimit else {
            throw RequestError(.serviceUnavailable, "too many requests are waiting; try again")
        }
        return try await withCheckedThrowingContinuation { continuation in
            queue.append((events, continuation))
            signal.yield()
        }
    }

    /// Writes until graceful shutdown, and then what is left.
    func run() async throws {
        await withGracefulShutdownHandler {
            for await _ in signals { await writeAll() }
        } onGracefulShutdown: {
            self.signal.finish()
        }
        isClosed = true
        await writeAll()
    }

    private func writeAll() async {
        while !queue.isEmpty {
            let batch = queue
            queue = []
            do {
                let ranges = try await store.append(batch.map(\.events))
                onStored()
                for (waiting, range) in zip(batch, ranges) { waiting.continuation.resume(returning: range) }
            } catch {
                for waiting in batch { waiting.continuation.resume(throwing: error) }
            }
        }
    }
}
