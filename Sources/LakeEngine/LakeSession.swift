// SPDX-License-Identifier: Apache-2.0
import ArrowFormat

/// What to run: SQL with parameters, or rows to write into a table.
struct LakeStatement: Sendable {
    struct Ingest: Sendable {
        let table: String
        let mode: IngestMode
        let schema: ArrowSchemaInfo
        let batches: [ArrowBatch]
    }

    var sql: String = ""
    var parameters: ArrowBatch?
    var ingest: Ingest?
    /// Options of the driver's statement.
    var options: [String: String] = [:]
}

/// What bulk ingestion does about the table (ADBC 1.1, "Bulk ingestion").
package enum IngestMode: String, Sendable {
    case create = "adbc.ingest.mode.create"
    case append = "adbc.ingest.mode.append"
    case replace = "adbc.ingest.mode.replace"
    case createAppend = "adbc.ingest.mode.create_append"
}

/// What a statement answers before its rows.
struct StatementHead: Sendable {
    let schema: ArrowSchemaInfo
    /// Nil where the driver does not know.
    let rowsAffected: Int64?
}

/// A connection to an engine, in this process or in a worker. Calls block, and are made one at a time on the
/// connection's own thread; only `cancel` may come from any thread at any time.
protocol LakeSession: AnyObject, Sendable {
    /// Forgets an earlier `cancel`: from here on one counts for the statement that follows.
    func begin()
    func execute(_ statement: LakeStatement) throws(LakeError) -> StatementHead
    /// The next rows of the statement; nil at their end.
    func next() throws(LakeError) -> ArrowBatch?
    /// Ends the statement, read to its end or not.
    func finish()
    /// Makes the statement that runs fail soon; nothing where none runs.
    func cancel()
    func setOption(_ name: String, _ value: String) throws(LakeError)
    func commit() throws(LakeError)
    func rollback() throws(LakeError)
    func close()
    /// False once the process that it lives in is gone.
    var isAlive: Bool { get }
}

extension LakeSession {
    var isAlive: Bool { true }
}
