// SPDX-License-Identifier: Apache-2.0
import CPostgres

/// A connection to a PostgreSQL server by libpq; one thread at a time uses it.
///
/// It is `@unchecked Sendable` because whoever owns it (the writer's queue, or the pool of readers) hands it to one
/// thread at a time only.
final class PostgresConnection: SQLSession, @unchecked Sendable {
    /// Types of parameters and results (PostgreSQL, "pg_type").
    private enum TypeID {
        static let bool: Oid = 16
        static let bytes: Oid = 17
        static let int8: Oid = 20
        static let int2: Oid = 21
        static let int4: Oid = 23
        static let text: Oid = 25
        static let float4: Oid = 700
        static let float8: Oid = 701
    }

    /// The most statements that the server keeps prepared for a connection.
    private static let maximumPrepared = 512

    let dialect = SQLDialect.postgres
    private let connection: OpaquePointer
    /// Names of prepared statements, by their text and the types of their values.
    private var prepared: [String: String] = [:]

    /// Connects. Blocks.
    /// - Parameter uri: `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, or as libpq has it.
    /// - Throws: `unavailable`.
    init(uri: String) throws(SQLError) {
        // What the address says counts; a server that cannot be reached, or went away silently, is not waited for long.
        let settings = [
            ("connect_timeout", "10"), ("tcp_user_timeout", "30000"), ("fallback_application_name", "apus"),
            ("dbname", uri),
        ]
        let opened = Self.withTexts(settings.map(\.0)) { names in
            Self.withTexts(settings.map(\.1)) { values in PQconnectdbParams(names, values, 1) }
        }
        guard let connection = opened else { throw SQLError(.other, "there is no memory for a connection") }
        guard PQstatus(connection) == CONNECTION_OK else {
            let message = Self.text(PQerrorMessage(connection))
            PQfinish(connection)
            throw SQLError(.unavailable, "the PostgreSQL server cannot be used: \(message)")
        }
        self.connection = connection
        PQsetNoticeProcessor(connection, { _, _ in }, nil)
        do throws(SQLError) {
            try command("SET client_encoding = 'UTF8'; SET standard_conforming_strings = on")
        } catch {
            PQfinish(connection)
            throw error
        }
    }

    deinit { PQfinish(connection) }

    /// Whether it can still be used.
    var isOpen: Bool { PQstatus(connection) == CONNECTION_OK }

    /// Runs statements without values.
    func command(_ sql: String) throws(SQLError) {
        let result = PQexec(connection, sql)
        defer { PQclear(result) }
        try check(result)
    }

    /// A connection in a transaction that has just begun: the given one, or another where that was lost meanwhile.
    static func begun(
        _ given: PostgresConnection?, uri: String, _ begin: String
    ) throws(SQLError) -> PostgresConnection {
        if let given, given.isOpen {
            do throws(SQLError) {
                try given.command(begin)
                return given
            } catch {
                // Nothing was asked for yet, so that nothing is done twice.
                guard error.code == .unavailable else { throw error }
            }
        }
        let connection = try PostgresConnection(uri: uri)
        try connection.command(begin)
        return connection
    }

    /// Runs a body in the transaction that was begun, and ends it.
    func finish<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            let value = try body()
            try command("COMMIT")
            return value
        } catch {
            try? command("ROLLBACK")
            throw error
        }
    }

    func rows(_ sql: String, _ values: [SQLValue]) throws -> [SQLRow] {
        let result = try execute(sql, values)
        defer { PQclear(result) }
        let columns = PQnfields(result)
        let types = (0..<columns).map { PQftype(result, $0) }
        var found: [SQLValue] = []
        found.reserveCapacity(Int(PQntuples(result)) * types.count)
        for row in 0..<PQntuples(result) {
            for column in 0..<columns { found.append(try Self.value(result, row, column, types[Int(column)])) }
        }
        return SQLRow.rows(found, columns: types.count)
    }

    func run(_ sql: String, _ values: [SQLValue]) throws -> Int {
        let result = try execute(sql, values)
        defer { PQclear(result) }
        return Int(Self.text(PQcmdTuples(result))) ?? 0
    }

    // MARK: Statements

    /// Runs a prepared statement; the result is in binary form and has to be cleared.
    private func execute(_ sql: String, _ values: [SQLValue]) throws(SQLError) -> OpaquePointer? {
        let name = try prepare(sql, values.map(Self.type))
        let result = Self.withParameters(values) { pointers, lengths, formats in
            PQexecPrepared(connection, name, CInt(values.count), pointers, lengths, formats, 1)
        }
        do {
            try check(result)
            return result
        } catch {
            PQclear(result)
            throw error
        }
    }

    /// Values as libpq takes them: addresses (null for null), lengths and formats (binary).
    private static func withParameters<Value>(
        _ values: [SQLValue], _ body: ([UnsafePointer<CChar>?], [CInt], [CInt]) -> Value
    ) -> Value {
        var bytes: [UInt8] = []
        var starts: [Int?] = []
        var lengths: [CInt] = []
        for value in values {
            let start = bytes.count
            guard append(value, to: &bytes) else {
                starts.append(nil)
                lengths.append(0)
                continue
            }
            starts.append(start)
            lengths.append(CInt(clamping: bytes.count - start))
            // A text of no bytes still needs an address of its own.
            bytes.append(0)
        }
        return bytes.withUnsafeBytes { buffer in
            let base = buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
            let pointers = starts.map { start in start.flatMap { start in base.map { $0 + start } } }
            return body(pointers, lengths, [CInt](repeating: 1, count: values.count))
        }
    }

    private func prepare(_ sql: String, _ types: [Oid]) throws(SQLError) -> String {
        let key = types.map(String.init).joined(separator: ",") + " " + sql
        if let name = prepared[key] { return name }
        if prepared.count >= Self.maximumPrepared {
            try command("DEALLOCATE ALL")
            prepared = [:]
        }
        let name = "s\(prepared.count)"
        let result = PQprepare(connection, name, Self.numbered(sql), CInt(types.count), types)
        defer { PQclear(result) }
        try check(result)
        prepared[key] = name
        return name
    }

    /// The statement with `$1`, `$2`, … where it has `?` outside of quotes.
    static func numbered(_ sql: String) -> String {
        var result: [UInt8] = []
        var quote: UInt8?
        var count = 0
        for byte in sql.utf8 {
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") {
                quote = byte
            } else if byte == UInt8(ascii: "?") {
                count += 1
                result += Array("$\(count)".utf8)
                continue
            }
            result.append(byte)
        }
        return String(decoding: result, as: UTF8.self)
    }

    private func check(_ result: OpaquePointer?) throws(SQLError) {
        guard let result else { throw SQLError(.unavailable, lost) }
        switch PQresultStatus(result) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return
        default: break
        }
        let message = Self.text(PQresultErrorField(result, CInt(UInt8(ascii: "M"))))
        let state = Self.text(PQresultErrorField(result, CInt(UInt8(ascii: "C"))))
        guard isOpen, !state.isEmpty else { throw SQLError(.unavailable, lost) }
        throw SQLError(Self.code(state), "\(message) (SQLSTATE \(state))")
    }

    private var lost: String {
        let message = Self.text(PQerrorMessage(connection))
        return "the connection to PostgreSQL was lost: \(message)"
    }

    /// PostgreSQL, appendix "PostgreSQL Error Codes".
    private static func code(_ state: String) -> SQLError.Code {
        switch state {
        case "23505": return .unique
        case "53100": return .full
        case "57P01", "57P02", "57P03": return .unavailable
        default: break
        }
        switch state.prefix(2) {
        case "23": return .constraint
        case "40": return .conflict
        case "08", "28", "53": return .unavailable
        case "XX": return .corrupt
        default: return .other
        }
    }

    // MARK: Values, in network order

    private static func type(_ value: SQLValue) -> Oid {
        switch value {
        // What the statement says.
        case .null: 0
        case .integer: TypeID.int8
        case .real: TypeID.float8
        case .text: TypeID.text
        case .bytes: TypeID.bytes
        }
    }

    /// False for null.
    private static func append(_ value: SQLValue, to bytes: inout [UInt8]) -> Bool {
        switch value {
        case .null: return false
        case .integer(let number): withUnsafeBytes(of: number.bigEndian) { bytes += $0 }
        case .real(let number): withUnsafeBytes(of: number.bitPattern.bigEndian) { bytes += $0 }
        // A text of PostgreSQL cannot have the character 0.
        case .text(let text): bytes += text.utf8.filter { $0 != 0 }
        case .bytes(let more): bytes += more
        }
        return true
    }

    private static func value(
        _ result: OpaquePointer?, _ row: CInt, _ column: CInt, _ type: Oid
    ) throws(SQLError) -> SQLValue {
        guard PQgetisnull(result, row, column) == 0, let pointer = PQgetvalue(result, row, column) else { return .null }
        let raw = UnsafeRawBufferPointer(start: pointer, count: Int(PQgetlength(result, row, column)))
        let number = raw.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch (type, raw.count) {
        case (TypeID.int8, 8): return .integer(Int64(bitPattern: number))
        case (TypeID.int4, 4): return .integer(Int64(Int32(truncatingIfNeeded: number)))
        case (TypeID.int2, 2): return .integer(Int64(Int16(truncatingIfNeeded: number)))
        case (TypeID.bool, 1): return .integer(Int64(number))
        case (TypeID.float8, 8): return .real(Double(bitPattern: number))
        case (TypeID.float4, 4): return .real(Double(Float(bitPattern: UInt32(truncatingIfNeeded: number))))
        case (TypeID.bytes, _): return .bytes(Array(raw))
        case (TypeID.text, _), (1043, _), (1042, _), (19, _), (705, _):
            return .text(String(decoding: raw, as: UTF8.self))
        default: throw SQLError(.other, "a column has PostgreSQL's type \(type), which is not read")
        }
    }

    /// Texts as C has them, with a null at the end.
    private static func withTexts<Value>(
        _ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Value
    ) -> Value {
        let bytes = texts.map { Array($0.utf8CString) }
        let starts = bytes.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
        return bytes.flatMap { $0 }.withUnsafeBufferPointer { buffer in
            var pointers: [UnsafePointer<CChar>?] = starts.dropLast().map { start in
                buffer.baseAddress.map { $0 + start }
            }
            pointers.append(nil)
            return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
        }
    }

    private static func text(_ pointer: UnsafePointer<CChar>?) -> String {
        pointer.map { String(cString: $0).trimmingNewlines } ?? ""
    }

    private static func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
        text(pointer.map { UnsafePointer($0) })
    }
}

extension String {
    fileprivate var trimmingNewlines: String { split { $0 == "\n" || $0 == "\t" }.joined(separator: " ") }
}
