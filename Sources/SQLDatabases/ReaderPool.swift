// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization

/// Connections that read, made when they are needed, at most so many at a time, each used by one thread at a time.
final class ReaderPool<Connection: Sendable>: Sendable {
    private struct State {
        var idle: [Connection] = []
        var open = 0
        var waiting: [CheckedContinuation<Connection?, Never>] = []
        var isClosed = false
    }

    private let maximum: Int
    private let queue: DispatchQueue
    private let isOpen: @Sendable (Connection) -> Bool
    private let state = Mutex(State())

    /// - Parameters:
    ///   - label: of the threads.
    ///   - maximum: how many read at a time.
    ///   - isOpen: whether a connection can be used again.
    init(label: String, maximum: Int, isOpen: @escaping @Sendable (Connection) -> Bool = { _ in true }) {
        self.maximum = max(1, maximum)
        self.isOpen = isOpen
        queue = DispatchQueue(label: label, attributes: .concurrent)
    }

    /// Reads on a thread of the pool's.
    /// - Parameter body: is given a connection that is idle, or nil where it has to make one; returns the connection that
    ///   it used, nil where there is none, and what it read.
    /// - Returns: what the body read.
    /// - Throws: `unavailable` once the pool is closed, or what the body has.
    func read<Value: Sendable>(
        _ body: @escaping @Sendable (Connection?) -> (Connection?, Result<Value, any Error>)
    ) async throws -> Value {
        guard !state.withLock(\.isClosed) else { throw SQLError(.unavailable, "the database is closed") }
        let given = await take()
        let (used, result) = await withCheckedContinuation {
            (continuation: CheckedContinuation<(Connection?, Result<Value, any Error>), Never>) in
            queue.async { continuation.resume(returning: body(given)) }
        }
        giveBack(used)
        return try result.get()
    }

    /// Lets go of the connections: those that are in use once they are given back.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.idle = []
        }
    }

    /// A connection that is idle, or nil for one that is to be made; waits while there are as many as there may be.
    private func take() async -> Connection? {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state -> Connection?? in
                if let connection = state.idle.popLast() { return connection }
                guard state.open >= maximum else {
                    state.open += 1
                    return .some(nil)
                }
                state.waiting.append(continuation)
                return nil
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }

    private func giveBack(_ connection: Connection?) {
        let usable = connection.flatMap { isOpen($0) ? $0 : nil }
        let next = state.withLock { state -> CheckedContinuation<Connection?, Never>? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            if let usable, !state.isClosed {
                state.idle.append(usable)
            } else {
                state.open -= 1
            }
            return nil
        }
        next?.resume(returning: usable)
    }
}
