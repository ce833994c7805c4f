// SPDX-License-Identifier: Apache-2.0
package import DeltaTables
package import LakeEngine
import Synchronization

/// An engine that statements run on.
package struct SQLEngine: Sendable {
    package let name: String
    package let database: LakeDatabase
    /// Tables that have names; for DuckDB only.
    package let lake: DeltaLake?
    /// Whether it is DuckDB, whose statements are judged before they run. What those of another engine may do, its user's
    /// rights say.
    package let isDuckDB: Bool

    package init(name: String, database: LakeDatabase, lake: DeltaLake?, isDuckDB: Bool) {
        self.name = name
        self.database = database
        self.lake = lake
        self.isDuckDB = isDuckDB
    }
}

/// A connection of an engine, for one statement at a time.
struct SQLSession: Sendable {
    let connection: LakeConnection
    let tables: LakeSQL?
}

/// Connections of an engine: those whose statement ended well are used again, as a new one costs a process.
final class SQLSessions: Sendable {
    let engine: SQLEngine
    private let maximumIdle: Int
    private let idle = Mutex<[(session: SQLSession, uses: Int)]>([])
    /// A process that has done so many statements is let go with what it has gathered.
    private static let maximumUses = 500

    init(_ engine: SQLEngine, maximumIdle: Int) {
        self.engine = engine
        self.maximumIdle = maximumIdle
    }

    func take() async throws(LakeError) -> SQLLoan {
        while let (session, uses) = idle.withLock({ $0.popLast() }) {
            if session.connection.isAlive { return SQLLoan(self, session, uses: uses) }
        }
        let connection = try await engine.database.connect()
        let tables = engine.lake.map { LakeSQL($0, connection) }
        return SQLLoan(self, SQLSession(connection: connection, tables: tables), uses: 0)
    }

    fileprivate func giveBack(_ session: SQLSession, uses: Int) {
        idle.withLock { idle in
            if uses < Self.maximumUses, idle.count < maximumIdle { idle.append((session, uses)) }
        }
    }
}

/// A session for one statement.
final class SQLLoan: Sendable {
    let session: SQLSession
    private let sessions: SQLSessions
    private let uses: Int

    fileprivate init(_ sessions: SQLSessions, _ session: SQLSession, uses: Int) {
        self.sessions = sessions
        self.session = session
        self.uses = uses + 1
    }

    /// The statement ended well: the session may be used again. One that is only let go is closed.
    func giveBack() { sessions.giveBack(session, uses: uses) }
}
