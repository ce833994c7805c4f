// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import ArrowFormat
import Foundation
import HTTPTypes

/// What a client asks for.
package struct SQLRequest: Sendable, Equatable {
    /// Values for the statement's parameters: bound, never put into its text.
    package enum Parameters: Sendable, Equatable {
        case none
        /// For `?` and `$1`, in order.
        case list([ArrowValue])
        /// For `$name`.
        case named([String: ArrowValue])
    }

    package var sql: String
    package var parameters = Parameters.none
    /// Nil: the server's first.
    package var engine: String?
    package var format: ResultFormat
    /// What the client wants less of than the server allows.
    package var limits = RequestLimits()

    package init(sql: String, format: ResultFormat) {
        self.sql = sql
        self.format = format
    }
}

/// Limits that a request may set for itself.
package struct RequestLimits: Sendable, Equatable {
    /// From the request to the last byte of its answer, in seconds.
    package var seconds: Double?
    /// Rows of the result.
    package var rows: Int?
    /// Bytes of the answer's body.
    package var bytes: Int?

    package init(seconds: Double? = nil, rows: Int? = nil, bytes: Int? = nil) {
        self.seconds = seconds
        self.rows = rows
        self.bytes = bytes
    }
}

extension SQLRequest {
    /// What a request has beside its body.
    package struct Head: Sendable {
        /// Parameters of the URL, decoded.
        package var query: [(name: String, value: String)]
        package var contentType: String?
        package var accept: String?
        /// The format where nothing names one.
        package var standard: ResultFormat

        /// The part of a URL after `?` (application/x-www-form-urlencoded: `+` is a blank).
        /// - Throws: 400 for an escape that is none.
        package static func pairs(_ query: String) throws(SQLFault) -> [(name: String, value: String)] {
            var pairs: [(name: String, value: String)] = []
            for part in query.split(separator: "&") {
                let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                    String($0.map { $0 == "+" ? " " : $0 }).removingPercentEncoding
                }
                guard let name = halves[0], let value = halves.count > 1 ? halves[1] : "" else {
                    throw SQLFault(.badRequest, "invalidArgument", "the URL has an escape that is not UTF-8")
                }
                pairs.append((name, value))
            }
            return pairs
        }

        package init(
            query: [(name: String, value: String)] = [], contentType: String? = nil, accept: String? = nil,
            standard: ResultFormat = .jsonLines
        ) {
            self.query = query
            self.contentType = contentType
            self.accept = accept
            self.standard = standard
        }
    }

    /// Reads a request: SQL in the body, or JSON `{sql, parameters, engine, format, limits}`; parameters of the URL
    /// `query`, `format` or `default_format`, `engine`, `param_NAME`, `max_execution_time`, `max_result_rows`,
    /// `max_result_bytes`. A format is taken from the end of the statement, the request, the URL, `Accept`, in this order.
    package init(_ head: Head, body: [UInt8]) throws(SQLFault) {
        func bad(_ message: String) -> SQLFault { SQLFault(.badRequest, "invalidArgument", message) }
        guard let text = String(validating: body, as: UTF8.self) else { throw bad("the body is not UTF-8") }
        var named: ResultFormat?
        var fromURL = ""
        var values: [String: ArrowValue] = [:]
        var limits = RequestLimits()
        var engine: String?
        for (name, value) in head.query {
            switch name {
            case "query": fromURL = value
            case "format", "default_format": named = try Self.format(value)
            case "engine": engine = value
            case "max_execution_time": limits.seconds = try Self.number(name, Double(value))
            case "max_result_rows": limits.rows = Int(try Self.number(name, Int(value).map(Double.init)))
            case "max_result_bytes": limits.bytes = Int(try Self.number(name, Int(value).map(Double.init)))
            case _ where name.hasPrefix("param_") && name.utf8.count > 6:
                values[String(name.dropFirst(6))] = .string(value)
            default:
                throw bad(
                    "there is no parameter '\(name.prefix(64))' of the URL: known are query, format, default_format, "
                        + "engine, param_NAME, max_execution_time, max_result_rows, max_result_bytes")
            }
        }
        var parameters: Parameters = values.isEmpty ? .none : .named(values)
        var sql = text
        if Self.isJSON(head.contentType) {
            let json: JSONValue
            do { json = try JSONParser.parse(body, maxDepth: 16) } catch { throw bad("the body is not JSON: \(error)") }
            guard case .object(let members) = json else { throw bad("the body must be a JSON object") }
            for name in members.keys.sorted()
            where !["sql", "parameters", "engine", "format", "limits"].contains(name) {
                throw bad("there is no member '\(name.prefix(64))': known are sql, parameters, engine, format, limits")
            }
            guard let given = json["sql"].string else { throw bad("the member 'sql' must be a text") }
            sql = given
            if !json["parameters"].isNull { parameters = try Self.parameters(json["parameters"]) }
            if let text = try Self.text(json, "engine") { engine = text }
            if let text = try Self.text(json, "format") { named = try Self.format(text) }
            limits = try Self.limits(json["limits"], limits)
        }
        sql = [fromURL, sql].filter { !$0.allSatisfy(\.isWhitespace) }.joined(separator: "\n")
        guard !sql.isEmpty else { throw bad("there is no statement: send it as the body, or in the URL as query") }
        let (statement, clause) = ResultFormat.clause(in: sql)
        guard let format = clause ?? named ?? ResultFormat(accept: head.accept, standard: head.standard) else {
            throw SQLFault(
                .notAcceptable, "invalidArgument", "none of the types in Accept is one that results are sent as")
        }
        self.init(sql: statement, format: format)
        self.parameters = parameters
        self.engine = engine
        self.limits = limits
    }

    private static func isJSON(_ contentType: String?) -> Bool {
        contentType?.split(separator: ";").first.map {
            $0.filter { !$0.isWhitespace }.lowercased() == "application/json"
        } ?? false
    }

    private static func format(_ name: String) throws(SQLFault) -> ResultFormat {
        guard let format = ResultFormat(name: name) else {
            throw SQLFault(
                .badRequest, "invalidArgument",
                "there is no format '\(name.prefix(64))': use ArrowStream, Arrow, JSONEachRow, JSON, CSVWithNames, CSV, "
                    + "TabSeparatedWithNames, TabSeparated or Parquet")
        }
        return format
    }

    private static func text(_ json: JSONValue, _ name: String) throws(SQLFault) -> String? {
        if json[name].isNull { return nil }
        guard let text = json[name].string else {
            throw SQLFault(.badRequest, "invalidArgument", "the member '\(name)' must be a text")
        }
        return text
    }

    private static func number(_ name: String, _ value: Double?) throws(SQLFault) -> Double {
        guard let value, value > 0, value < 1e15 else {
            throw SQLFault(.badRequest, "invalidArgument", "'\(name)' must be a number over 0")
        }
        return value
    }

    private static func limits(_ json: JSONValue, _ start: RequestLimits) throws(SQLFault) -> RequestLimits {
        if json.isNull { return start }
        var limits = start
        guard case .object(let members) = json else {
            throw SQLFault(.badRequest, "invalidArgument", "the member 'limits' must be an object")
        }
        for (name, value) in members {
            switch name {
            case "seconds": limits.seconds = try number(name, value.double)
            case "rows": limits.rows = Int(try number(name, value.int.map(Double.init)))
            case "bytes": limits.bytes = Int(try number(name, value.int.map(Double.init)))
            default:
                throw SQLFault(
                    .badRequest, "invalidArgument",
                    "there is no limit '\(name.prefix(64))': known are seconds, rows, bytes")
            }
        }
        return limits
    }

    private static func parameters(_ json: JSONValue) throws(SQLFault) -> Parameters {
        func value(_ json: JSONValue, _ name: String) throws(SQLFault) -> ArrowValue {
            switch json {
            case .null: return .null
            case .bool(let value): return .bool(value)
            case .int(let value): return .int(value)
            case .double(let value): return .double(value)
            case .string(let value): return .string(value)
            case .array, .object:
                throw SQLFault(
                    .badRequest, "invalidArgument",
                    "the parameter \(name) must be a text, a number, true, false or null; pass lists as JSON in a text")
            }
        }
        switch json {
        case .array(let elements):
            guard elements.count <= 1000 else {
                throw SQLFault(.badRequest, "limit", "a statement may have 1000 parameters")
            }
            var values: [ArrowValue] = []
            for (index, element) in elements.enumerated() { values.append(try value(element, "\(index + 1)")) }
            return .list(values)
        case .object(let members):
            guard members.count <= 1000 else {
                throw SQLFault(.badRequest, "limit", "a statement may have 1000 parameters")
            }
            var values: [String: ArrowValue] = [:]
            for (name, member) in members { values[name] = try value(member, name) }
            return .named(values)
        default:
            throw SQLFault(
                .badRequest, "invalidArgument", "the member 'parameters' must be a list, or an object of names")
        }
    }
}

extension SQLRequest.Parameters {
    /// One row, a column a parameter, where the statement's parameters stand as `places` says (1 is the first).
    package func row(_ places: [String: Int]) throws(SQLFault) -> ArrowBatch? {
        var values: [ArrowValue?] = Array(repeating: nil, count: places.values.max() ?? 0)
        switch self {
        case .none: break
        case .list(let list):
            guard list.count == values.count else {
                throw SQLFault(
                    .badRequest, "invalidArgument",
                    "the statement has \(values.count) parameters, and \(list.count) values were sent")
            }
            values = list
        case .named(let named):
            for (name, value) in named {
                guard let place = places[name.lowercased()] ?? places[name], place >= 1, place <= values.count else {
                    throw SQLFault(
                        .badRequest, "invalidArgument", "the statement has no parameter $\(name.prefix(64))")
                }
                values[place - 1] = value
            }
        }
        for (name, place) in places where place < 1 || values[place - 1] == nil {
            throw SQLFault(.badRequest, "invalidArgument", "no value was sent for the parameter $\(name)")
        }
        return try Self.batch(values.compactMap { $0 })
    }

    /// One row of values in order; nil for none.
    static func batch(_ values: [ArrowValue]) throws(SQLFault) -> ArrowBatch? {
        guard !values.isEmpty else { return nil }
        var fields: [ArrowField] = []
        var columns: [ArrowColumn] = []
        do {
            for (index, value) in values.enumerated() {
                let type: ArrowType =
                    switch value {
                    case .bool: .bool
                    case .int: .int64
                    case .double: .float64
                    default: .utf8
                    }
                fields.append(ArrowField("\(index + 1)", type))
                columns.append(try ArrowColumn(type: type, values: [value]))
            }
            return try ArrowBatch(schema: ArrowSchemaInfo(fields), rowCount: 1, columns: columns)
        } catch {
            throw SQLFault(.badRequest, "invalidArgument", "\(error)")
        }
    }
}
