// SPDX-License-Identifier: Apache-2.0
import ArrowFormat
import CADBC
import Foundation
import Synchronization

/// A connection of a driver in this process.
///
/// Sendable although it holds pointers: all calls but `cancel` come one at a time (`LakeSession`), and `cancel`
/// reads the pointer to the statement under the lock under which it is set and taken away.
final class ADBCSession: LakeSession, @unchecked Sendable {
    private struct Running {
        var statement: UnsafeMutablePointer<AdbcStatement>?
        var isCancelled = false
    }

    private let database: ADBCDatabase
    private var connection: UnsafeMutablePointer<AdbcConnection>?
    private let running = Mutex(SendableBox(Running()))
    private var stream: UnsafeMutablePointer<ArrowArrayStream>?
    private var schema: ArrowSchemaInfo?
    private var table: AdbcDriver { database.driver.table.pointee }

    init(_ database: ADBCDatabase, _ connection: UnsafeMutablePointer<AdbcConnection>) {
        self.database = database
        self.connection = connection
    }

    deinit { close() }

    func begin() { running.withLock { $0.value.isCancelled = false } }

    // MARK: Statements

    func execute(_ statement: LakeStatement) throws(LakeError) -> StatementHead {
        guard let connection else { throw LakeError(.invalidState, "the connection is closed") }
        finish()
        let pointer = UnsafeMutablePointer<AdbcStatement>.allocate(capacity: 1)
        pointer.initialize(to: AdbcStatement())
        do {
            try call("making a statement") { table.StatementNew?(connection, pointer, $0) }
        } catch {
            pointer.deallocate()
            throw error
        }
        running.withLock { $0.value.statement = pointer }
        do {
            for (name, value) in statement.options.sorted(by: { $0.key < $1.key }) {
                try call("setting the option \(name)") { table.StatementSetOption?(pointer, name, value, $0) }
            }
            if let ingest = statement.ingest { return try self.ingest(ingest, pointer) }
            try checkCancelled()
            try call("preparing the statement") { table.StatementSetSqlQuery?(pointer, statement.sql, $0) }
            if let parameters = statement.parameters { try bind(parameters, pointer) }
            try checkCancelled()
            return try run(pointer)
        } catch {
            finish()
            throw error
        }
    }

    private func run(_ pointer: UnsafeMutablePointer<AdbcStatement>) throws(LakeError) -> StatementHead {
        let stream = UnsafeMutablePointer<ArrowArrayStream>.allocate(capacity: 1)
        stream.initialize(to: ArrowArrayStream())
        self.stream = stream
        var affected: Int64 = -1
        try call("running the statement") { table.StatementExecuteQuery?(pointer, stream, &affected, $0) }
        let rows = affected >= 0 ? affected : nil
        guard stream.pointee.release != nil, let getSchema = stream.pointee.get_schema else {
            schema = ArrowSchemaInfo([])
            return StatementHead(schema: ArrowSchemaInfo([]), rowsAffected: rows)
        }
        var given = ArrowSchema()
        let status = getSchema(stream, &given)
        guard status == 0 else { throw streamError(stream, status) }
        defer { given.release?(&given) }
        let read = try Self.arrow { () throws(ArrowError) in try ArrowSchemaInfo(given) }
        schema = read
        return StatementHead(schema: read, rowsAffected: rows)
    }

    private func bind(_ parameters: ArrowBatch, _ pointer: UnsafeMutablePointer<AdbcStatement>) throws(LakeError) {
        try call("preparing the statement") { table.StatementPrepare?(pointer, $0) }
        var array = ArrowArray()
        var schema = ArrowSchema()
        parameters.export(to: &array)
        parameters.schema.export(to: &schema)
        // The driver takes both over where it succeeds, and marks them so.
        defer {
            array.release?(&array)
            schema.release?(&schema)
        }
        try call("binding parameters") { table.StatementBind?(pointer, &array, &schema, $0) }
    }

    private func ingest(_ ingest: LakeStatement.Ingest, _ pointer: UnsafeMutablePointer<AdbcStatement>)
        throws(LakeError) -> StatementHead
    {
        try call("naming the table") {
            table.StatementSetOption?(pointer, "adbc.ingest.target_table", ingest.table, $0)
        }
        try call("choosing how to write") {
            table.StatementSetOption?(pointer, "adbc.ingest.mode", ingest.mode.rawValue, $0)
        }
        var rows = ArrowArrayStream()
        StreamExport.export(ingest.batches, schema: ingest.schema, to: &rows)
        defer { rows.release?(&rows) }
        try call("binding rows") { table.StatementBindStream?(pointer, &rows, $0) }
        try checkCancelled()
        var affected: Int64 = -1
        try call("writing rows") { table.StatementExecuteQuery?(pointer, nil, &affected, $0) }
        schema = ArrowSchemaInfo([])
        return StatementHead(schema: ArrowSchemaInfo([]), rowsAffected: affected >= 0 ? affected : nil)
    }

    func next() throws(LakeError) -> ArrowBatch? {
        guard let stream, let schema, stream.pointee.release != nil, let getNext = stream.pointee.get_next else {
            return nil
        }
        try checkCancelled()
        var array = ArrowArray()
        let status = getNext(stream, &array)
        guard status == 0 else { throw streamError(stream, status) }
        if array.release == nil { return nil }
        return try Self.arrow { () throws(ArrowError) in try ArrowBatch(taking: &array, schema: schema) }
    }

    func finish() {
        if let stream {
            stream.pointee.release?(stream)
            stream.deallocate()
        }
        stream = nil
        schema = nil
        let statement = running.withLock { running in
            let statement = running.value.statement
            running.value.statement = nil
            return SendableBox(statement)
        }
        guard let pointer = statement.value else { return }
        _ = table.StatementRelease?(pointer, ErrorScope().pointer)
        pointer.deallocate()
    }

    func cancel() {
        running.withLock { running in
            running.value.isCancelled = true
            guard let statement = running.value.statement else { return }
            // A driver that cannot cancel says so; the statement then runs to its end.
            _ = table.StatementCancel?(statement, ErrorScope().pointer)
        }
    }

    // MARK: Connection

    func setOption(_ name: String, _ value: String) throws(LakeError) {
        guard let connection else { throw LakeError(.invalidState, "the connection is closed") }
        try call("setting the option \(name)") { table.ConnectionSetOption?(connection, name, value, $0) }
    }

    func commit() throws(LakeError) {
        guard let connection else { throw LakeError(.invalidState, "the connection is closed") }
        finish()
        try call("committing") { table.ConnectionCommit?(connection, $0) }
    }

    func rollback() throws(LakeError) {
        guard let connection else { throw LakeError(.invalidState, "the connection is closed") }
        finish()
        try call("rolling back") { table.ConnectionRollback?(connection, $0) }
    }

    func close() {
        finish()
        guard let connection else { return }
        self.connection = nil
        _ = table.ConnectionRelease?(connection, ErrorScope().pointer)
        connection.deallocate()
    }

    // MARK: Errors

    private func call(_ what: String, _ function: (UnsafeMutablePointer<AdbcError>) -> UInt8?) throws(LakeError) {
        let scope = ErrorScope()
        guard let status = function(scope.pointer) else {
            throw LakeError(.notImplemented, "the driver \(database.driver.path) does not do this: \(what)")
        }
        guard status == 0 else { throw reason(scope.error(status, doing: what)) }
    }

    /// DuckDB loses an error of one of its threads where another sees first that the statement was stopped for it, and
    /// then says "interrupted" (duckdb/duckdb pull request 25902). Where nobody interrupted, that is no cancellation.
    private func reason(_ error: LakeError) -> LakeError {
        guard error.code == .cancelled, error.message.hasPrefix("INTERRUPT Error"),
            !running.withLock({ $0.value.isCancelled })
        else { return error }
        return LakeError(
            .unknown, "the statement failed, and DuckDB lost the reason between its threads; run it again to see it")
    }

    private func checkCancelled() throws(LakeError) {
        if running.withLock({ $0.value.isCancelled }) { throw LakeError(.cancelled, "the statement was cancelled") }
    }

    /// What a stream says of its failure: an ADBC error where the driver is of 1.1, else a message and an errno.
    private func streamError(_ stream: UnsafeMutablePointer<ArrowArrayStream>, _ number: CInt) -> LakeError {
        var status: UInt8 = number == ECANCELED ? 11 : number == ETIMEDOUT ? 12 : number == EINVAL ? 5 : 10
        if let error = table.ErrorFromArrayStream?(stream, &status) {
            return reason(ErrorScope.error(error.pointee, status, doing: "reading rows"))
        }
        let message = stream.pointee.get_last_error?(stream).map { String(cString: $0) } ?? ""
        return reason(
            ErrorNormaliser.error(
                status: status,
                message: message.isEmpty ? "reading rows failed: \(String(cString: strerror(number)))" : message,
                sqlState: nil, vendorCode: nil))
    }

    private static func arrow<Value>(_ body: () throws(ArrowError) -> Value) throws(LakeError) -> Value {
        do { return try body() } catch { throw LakeError(error) }
    }
}

/// A value that a lock guards, or that moves from one owner to the next.
///
/// Sendable because the lock, or the move, keeps two threads from having it at once.
struct SendableBox<Value>: @unchecked Sendable {
    var value: Value

    init(_ value: Value) { self.value = value }
}
