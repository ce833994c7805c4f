// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization

/// A database of a PostgreSQL server: one connection that writes, and some that read. Connections are made when they
/// are needed, and again after the server was away.
package final class PostgresDatabase: SQLDatabase {
    private struct State {
        var idle: [PostgresConnection] = []
        var open = 0
        var waiting: [CheckedContinuation<PostgresConnection?, Never>] = []
        var isClosed = false
    }

    package let dialect = SQLDialect.postgres
    private let uri: String
    private let maximumReaders: Int
    private let state = Mutex(State())
    private let commits: CommitQueue
    private static let readers = DispatchQueue(label: "apus.postgres.readers", attributes: .concurrent)

    /// Connects once, so that what is wrong with the address or the password is told at the start. Blocks.
    /// - Parameters:
    ///   - uri: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, or as libpq has it.
    ///   - readers: how many read at a time.
    /// - Throws: `unavailable`.
    package init(uri: String, readers: Int = 8) throws(SQLError) {
        self.uri = uri
        maximumReaders = max(1, readers)
        let writer = Mutex<PostgresConnection?>(try PostgresConnection(uri: uri))
        commits = CommitQueue(label: "apus.postgres.writer") { body in
            // Only the queue's thread is ever here.
            try writer.withLock { connection in
                let used = if let open = connection, open.isOpen { open } else { try PostgresConnection(uri: uri) }
                connection = used
                try used.transact("BEGIN") { try body(used) }
            }
        }
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLSession) throws -> Value
    ) async throws -> Value {
        let given = await take()
        let uri = uri
        let (connection, result) = await withCheckedContinuation {
            (continuation: CheckedContinuation<(PostgresConnection?, Result<Value, any Error>), Never>) in
            Self.readers.async {
                var used = given
                let result = Result {
                    let connection = if let given, given.isOpen { given } else { try PostgresConnection(uri: uri) }
                    used = connection
                    return try connection.transact("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") {
                        try body(connection)
                    }
                }
                continuation.resume(returning: (used, result))
            }
        }
        giveBack(connection)
        return try result.get()
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLSession) throws -> Value
    ) async throws -> Value {
        try await commits.write(body)
    }

    package func close() async {
        state.withLock { state in
            state.isClosed = true
            state.idle = []
        }
        await commits.close()
    }

    /// A connection that is idle, or nil for one that is to be made; waits while there are as many as there may be.
    private func take() async -> PostgresConnection? {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state -> PostgresConnection?? in
                if let connection = state.idle.popLast() { return connection }
                guard state.open >= maximumReaders else {
                    state.open += 1
                    return .some(nil)
                }
                state.waiting.append(continuation)
                return nil
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }

    private func giveBack(_ connection: PostgresConnection?) {
        let next = state.withLock { state -> CheckedContinuation<PostgresConnection?, Never>? in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            if let connection, connection.isOpen, !state.isClosed {
                state.idle.append(connection)
            } else {
                state.open -= 1
            }
            return nil
        }
        next?.resume(returning: connection)
    }
}
