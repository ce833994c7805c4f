// SPDX-License-Identifier: Apache-2.0
import ApusCore
import SQLDatabases
import TrackingModel

/// Reads traces without their spans: a trace's row, and what belongs to it by lists of ids.
enum TraceRows {
    static let tokenColumns = SpanUsage.tokenKeys + SpanUsage.cacheKeys
    static let costColumns = SpanUsage.costKeys

    /// What ``traces(_:_:)`` wants of a row, in this order.
    static let columns =
        ([
            "id", "trace", "experiment", "time", "duration", "state", "client_request", "request", "response", "name",
            "session",
        ] + tokenColumns + costColumns).map { "t." + $0 }.joined(separator: ", ")

    /// Traces by rows of ``columns``, in their order.
    static func traces(_ rows: [SQLRow], _ session: any SQLSession) throws -> [TraceInfo] {
        var places: [Int64: Int] = [:]
        var traces: [TraceInfo] = []
        traces.reserveCapacity(rows.count)
        for row in rows {
            places[row.integer(0)] = traces.count
            traces.append(trace(row))
        }
        try session.each(rows.map { $0.integer(0) }) { ids, marks in
            for row in try session.rows("SELECT trace, key, value FROM trace_tags WHERE trace IN (\(marks))", ids) {
                if let place = places[row.integer(0)] { traces[place].tags[row.text(1)] = row.text(2) }
            }
            for row in try session.rows("SELECT trace, key, value FROM trace_metadata WHERE trace IN (\(marks))", ids) {
                if let place = places[row.integer(0)] { traces[place].metadata[row.text(1)] = row.text(2) }
            }
            let rows = try session.rows(
                "SELECT trace, \(assessmentColumns) FROM assessments WHERE trace IN (\(marks)) ORDER BY created, id",
                ids)
            for row in rows {
                guard let place = places[row.integer(0)] else { continue }
                traces[place].assessments.append(assessment(row, from: 1, trace: traces[place].id))
            }
        }
        return traces
    }

    private static func trace(_ row: SQLRow) -> TraceInfo {
        var trace = TraceInfo()
        trace.id = row.text(1)
        trace.experiment = String(row.integer(2))
        trace.time = row.integer(3)
        trace.duration = row.integerIfAny(4)
        trace.state = row.text(5)
        trace.clientRequestID = row.textIfAny(6)
        trace.requestPreview = row.textIfAny(7)
        trace.responsePreview = row.textIfAny(8)
        if let name = row.textIfAny(9) { trace.tags[TraceKey.name] = name }
        if let session = row.textIfAny(10) { trace.metadata[TraceKey.session] = session }
        var column = 11
        let tokens = tokenColumns.compactMap { key -> Attribute? in
            defer { column += 1 }
            return row.integerIfAny(column).map { Attribute(key, .int($0)) }
        }
        if !tokens.isEmpty { trace.metadata[TraceKey.tokenUsage] = AttributeText.of(.map(tokens)) }
        let costs = costColumns.compactMap { key -> Attribute? in
            defer { column += 1 }
            return row.realIfAny(column).map { Attribute(key, .double($0)) }
        }
        if !costs.isEmpty { trace.metadata[TraceKey.cost] = AttributeText.of(.map(costs)) }
        return trace
    }

    static let assessmentColumns = """
        id, name, kind, value, fault, created, updated, source_type, source, span, rationale, overrides, valid, metadata
        """

    /// An assessment by a row that has ``assessmentColumns`` from a column on.
    static func assessment(_ row: SQLRow, from first: Int, trace: String) -> Assessment {
        var assessment = Assessment()
        assessment.traceID = trace
        assessment.id = row.text(first)
        assessment.name = row.text(first + 1)
        assessment.kind = Assessment.Kind(rawValue: row.text(first + 2)) ?? .feedback
        assessment.value = row.text(first + 3)
        assessment.fault = row.textIfAny(first + 4).flatMap { Assessment.Fault(text: $0) }
        assessment.created = row.integer(first + 5)
        assessment.updated = row.integer(first + 6)
        assessment.sourceType = row.text(first + 7)
        assessment.sourceID = row.textIfAny(first + 8)
        assessment.spanID = row.textIfAny(first + 9)
        assessment.rationale = row.textIfAny(first + 10)
        assessment.overrides = row.textIfAny(first + 11)
        assessment.isValid = row.bool(first + 12)
        if let text = row.textIfAny(first + 13), let json = try? JSONParser.parse(text) {
            assessment.metadata = json.stringMembers
        }
        return assessment
    }

    /// The row of a trace; nil where there is none.
    static func row(_ trace: String, _ session: any SQLSession) throws -> SQLRow? {
        try session.row("SELECT \(columns) FROM traces t WHERE t.trace = ?", [.text(trace)])
    }

    /// The row of a trace.
    /// - Throws: RESOURCE_DOES_NOT_EXIST.
    static func existing(_ trace: String, _ session: any SQLSession) throws -> SQLRow {
        guard let row = try row(trace, session) else {
            throw TrackingError.missing("Trace with ID '\(trace)' not found.")
        }
        return row
    }
}

extension SQLSession {
    /// As ``each(_:_:)`` for numbers, with texts.
    func each(_ ids: [String], _ body: ([SQLValue], _ marks: String) throws -> Void) throws {
        for start in stride(from: 0, to: ids.count, by: 256) {
            var values = ids[start..<min(start + 256, ids.count)].map { SQLValue.text($0) }
            let last = values[values.count - 1]
            let size = [1, 16].first { values.count <= $0 } ?? 256
            values += [SQLValue](repeating: last, count: size - values.count)
            try body(values, Rows.marks(size))
        }
    }
}

extension Assessment.Fault {
    /// - Parameter text: JSON as ``json`` writes it.
    init?(text: String) {
        guard let json = try? JSONParser.parse(text) else { return nil }
        self.init(
            code: json["error_code"].string ?? "", message: json["error_message"].string,
            trace: json["stack_trace"].string)
    }
}

/// Columns of a trace that its metadata say.
struct TraceAmounts {
    /// Values by column.
    var values: [(column: String, value: SQLValue)] = []

    /// - Parameter metadata: of a trace; what goes into columns is taken out.
    /// - Throws: INVALID_PARAMETER_VALUE for a session's name that is too long.
    init(takingFrom metadata: inout [String: String]) throws(TrackingError) {
        if let session = metadata.removeValue(forKey: TraceKey.session) {
            values.append(("session", .text(try TraceLimits.session(session))))
        }
        if let text = metadata.removeValue(forKey: TraceKey.tokenUsage) {
            let usage = AttributeValue(text: text)
            for key in TraceRows.tokenColumns {
                guard let value = usage?[key] else { continue }
                values.append((key, SQLValue(Self.count(value))))
            }
        }
        if let text = metadata.removeValue(forKey: TraceKey.cost) {
            let cost = AttributeValue(text: text)
            for key in TraceRows.costColumns {
                guard let value = cost?[key] else { continue }
                values.append((key, Self.amount(value)))
            }
        }
    }

    private static func count(_ value: AttributeValue) -> Int64? {
        switch value {
        case .int(let count): count
        case .double(let count): Int64(exactly: count)
        case .string(let text): Int64(text) ?? Double(text).flatMap { Int64(exactly: $0) }
        default: nil
        }
    }

    static func amount(_ value: AttributeValue?) -> SQLValue {
        let amount = value?.number ?? value?.string.flatMap { Double($0) }
        return amount.flatMap { $0.isFinite ? .real($0) : nil } ?? .null
    }
}

/// How long the texts of a trace may be, in characters.
enum TraceLimits {
    static func session(_ text: String) throws(TrackingError) -> String { try check("Session ID", text, 250) }
    static func name(_ text: String) throws(TrackingError) -> String { try check("Trace name", text, 4096) }

    static func check(_ what: String, _ text: String, _ limit: Int) throws(TrackingError) -> String {
        guard text.utf8.count > limit, text.unicodeScalars.count > limit else { return text }
        throw .invalid("'\(what)' exceeds the maximum length of \(limit) characters")
    }

    /// A tag's value; longer ones are cut.
    static func value(_ text: String) -> String {
        let limit = 8000
        guard text.utf8.count > limit, text.unicodeScalars.count > limit else { return text }
        var cut = String.UnicodeScalarView()
        cut.append(contentsOf: text.unicodeScalars.prefix(limit))
        return String(cut)
    }
}
