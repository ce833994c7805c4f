// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A database of a PostgreSQL server: one connection that writes, and some that read. Connections are made when they
/// are needed, and again after the server was away.
package final class PostgresDatabase: SQLDatabase {
    package let dialect = SQLDialect.postgres
    private let uri: String
    private let readers: ReaderPool<PostgresConnection>
    private let commits: CommitQueue

    /// Connects once, so that what is wrong with the address or the password is told at the start. Blocks.
    /// - Parameters:
    ///   - uri: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, or as libpq has it.
    ///   - readers: how many read at a time.
    /// - Throws: `unavailable`.
    package init(uri: String, readers: Int = 8) throws(SQLError) {
        self.uri = uri
        self.readers = ReaderPool(label: "apus.postgres.readers", maximum: readers) { $0.isOpen }
        let writer = Mutex<PostgresConnection?>(try PostgresConnection(uri: uri))
        // Another server of the same database may lock the same rows: PostgreSQL lets one of the two go on.
        commits = CommitQueue(label: "apus.postgres.writer", repeats: 8) { body in
            // Only the queue's thread is ever here.
            try writer.withLock { connection in
                let used = try PostgresConnection.begun(connection, uri: uri, "BEGIN")
                connection = used
                try used.finish { try body(used) }
            }
        }
    }

    package func read<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLSession) throws -> Value
    ) async throws -> Value {
        let uri = uri
        return try await readers.read { given in
            var used: PostgresConnection?
            let result = Result {
                let connection = try PostgresConnection.begun(
                    given, uri: uri, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                used = connection
                return try connection.finish { try body(connection) }
            }
            return (used, result)
        }
    }

    package func write<Value: Sendable>(
        _ body: @escaping @Sendable (any SQLSession) throws -> Value
    ) async throws -> Value {
        try await commits.write(body)
    }

    package func close() async {
        readers.close()
        await commits.close()
    }
}
