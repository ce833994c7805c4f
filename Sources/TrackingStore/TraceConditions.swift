// SPDX-License-Identifier: Apache-2.0
import LinearRegex
import SQLDatabases
import TrackingModel

/// A condition of SQL and the values of its `?`.
struct SQLText {
    var text: String
    var values: [SQLValue] = []

    init(_ text: String, _ values: [SQLValue] = []) {
        self.text = text
        self.values = values
    }

    /// `column < ?` and the like.
    static func compare(
        _ column: String, _ comparator: SearchComparator, _ value: SearchValue, _ dialect: SQLDialect
    ) throws(TrackingError) -> SQLText {
        switch (comparator, value) {
        case (.isNull, _): return SQLText("\(column) IS NULL")
        case (.isNotNull, _): return SQLText("\(column) IS NOT NULL")
        case (.in, .texts), (.notIn, .texts), (.like, .text), (.ilike, .text):
            let part = try SearchSQL.text(column, comparator, value, dialect)
            return SQLText(part.sql, part.values)
        case (.in, .integers(let numbers)):
            return SQLText("\(column) IN (\(Rows.marks(numbers.count)))", numbers.map { .integer($0) })
        case (.notIn, .integers(let numbers)):
            return SQLText("\(column) NOT IN (\(Rows.marks(numbers.count)))", numbers.map { .integer($0) })
        case (.rlike, .text(let text)):
            // Expressions of RE2 only: both databases read them alike, in bounded time.
            do {
                _ = try LinearRegex(text)
            } catch {
                throw .invalid("'\(text.prefix(200))' is no regular expression: \(error)")
            }
            return SQLText("\(column) \(dialect == .postgres ? "~" : "REGEXP") ?", [.text(text)])
        case (.equal, .text(let text)), (.notEqual, .text(let text)), (.less, .text(let text)),
            (.atMost, .text(let text)), (.greater, .text(let text)), (.atLeast, .text(let text)):
            return SQLText("\(column) \(comparator.rawValue) ?", [.text(text)])
        case (_, .integer(let number)): return SQLText("\(column) \(comparator.rawValue) ?", [.integer(number)])
        case (_, .real(let number)): return SQLText("\(column) \(comparator.rawValue) ?", [.real(number)])
        default: throw .invalid("'\(comparator.rawValue)' does not take such a value")
        }
    }

    static func all(_ parts: [SQLText]) -> SQLText {
        SQLText(parts.map { "(\($0.text))" }.joined(separator: " AND "), parts.flatMap(\.values))
    }
}

/// A filter of traces as conditions on the row `t` (MLflow, `_get_filter_clauses_for_search_traces`).
struct TraceConditions {
    let dialect: SQLDialect
    /// The experiments that are searched.
    let experiments: [Int64]
    private var spans: [SQLText] = []
    private(set) var parts: [SQLText] = []

    init(_ filter: SearchFilter, experiments: [Int64], _ dialect: SQLDialect) throws(TrackingError) {
        self.dialect = dialect
        self.experiments = experiments
        for condition in filter.conditions { try add(condition) }
        // All that is said of spans has to hold for one of them.
        guard !spans.isEmpty else { return }
        let one = SQLText.all(spans)
        parts.append(SQLText("EXISTS (SELECT 1 FROM spans s WHERE s.trace = t.id AND \(one.text))", one.values))
    }

    private mutating func add(_ condition: SearchCondition) throws(TrackingError) {
        switch condition.entity {
        case .attribute:
            guard let column = Self.column(condition.key) else {
                throw .invalid("Invalid attribute key '\(condition.key)' specified.")
            }
            parts.append(try .compare(column, condition.comparator, condition.value, dialect))
        case .tag: try tag(condition)
        case .metadata: try metadata(condition)
        case .span: spans.append(try span(condition))
        case .feedback, .expectation: try assessment(condition)
        case .issue:
            guard case .text(let id) = condition.value else { return }
            parts.append(
                SQLText(
                    "EXISTS (SELECT 1 FROM assessments a WHERE a.trace = t.id AND a.kind = 'issue' AND a.name = ?)",
                    [.text(id)]))
        default: throw .invalid("Invalid search expression type '\(condition.entity.rawValue)'")
        }
    }

    /// The expression of an attribute; nil for what is none.
    static func column(_ key: String) -> String? {
        switch key {
        case "timestamp_ms": "t.time"
        case "execution_time_ms": "t.duration"
        case "end_time_ms": "(t.time + COALESCE(t.duration, 0))"
        case "status": "t.state"
        case "request_id": "t.trace"
        case "client_request_id": "t.client_request"
        case "experiment_id": "t.experiment"
        default: nil
        }
    }

    private mutating func tag(_ condition: SearchCondition) throws(TrackingError) {
        switch condition.key {
        case TraceKey.name:
            parts.append(try .compare("t.name", condition.comparator, condition.value, dialect))
        case "mlflow.linkedPrompts":
            guard case .text(let prompt) = condition.value else { return }
            parts.append(
                SQLText(
                    "EXISTS (SELECT 1 FROM trace_prompts p WHERE p.prompt = ? AND p.trace = t.trace)", [.text(prompt)]))
        default: try pair("trace_tags", condition)
        }
    }

    private mutating func metadata(_ condition: SearchCondition) throws(TrackingError) {
        switch condition.key {
        case TraceKey.session:
            parts.append(try .compare("t.session", condition.comparator, condition.value, dialect))
        case TraceKey.tokenUsage: try amounts(condition, TraceRows.tokenColumns)
        case TraceKey.cost: try amounts(condition, TraceRows.costColumns)
        case TraceKey.run where condition.comparator == .equal:
            guard case .text(let run) = condition.value else { return }
            parts.append(
                SQLText("EXISTS (SELECT 1 FROM trace_runs r WHERE r.run = ? AND r.trace = t.trace)", [.text(run)]))
        default: try pair("trace_metadata", condition)
        }
    }

    private mutating func pair(_ table: String, _ condition: SearchCondition) throws(TrackingError) {
        let found = "EXISTS (SELECT 1 FROM \(table) x WHERE x.trace = t.id AND x.key = ?"
        switch condition.comparator {
        case .isNull: parts.append(SQLText("NOT \(found))", [.text(condition.key)]))
        case .isNotNull: parts.append(SQLText("\(found))", [.text(condition.key)]))
        default:
            let value = try SQLText.compare("x.value", condition.comparator, condition.value, dialect)
            parts.append(SQLText("\(found) AND \(value.text))", [.text(condition.key)] + value.values))
        }
    }

    /// Tokens and costs are columns; a filter compares the text that is made of them.
    private mutating func amounts(_ condition: SearchCondition, _ columns: [String]) throws(TrackingError) {
        let any = columns.map { "t.\($0) IS NOT NULL" }.joined(separator: " OR ")
        switch (condition.comparator, condition.value) {
        case (.isNull, _): parts.append(SQLText("NOT (\(any))"))
        case (.isNotNull, _): parts.append(SQLText(any))
        case (.equal, .text(let text)), (.notEqual, .text(let text)):
            var same = SQLText("1 = 0")
            if let value = AttributeValue(text: text), let members = value.members, AttributeText.of(value) == text,
                members.allSatisfy({ columns.contains($0.key) && $0.value.number != nil }), !members.isEmpty
            {
                same = .all(
                    columns.map { column in
                        guard let number = value[column]?.number else { return SQLText("t.\(column) IS NULL") }
                        return SQLText("COALESCE(t.\(column), -1) = ?", [.real(number)])
                    })
            }
            parts.append(
                condition.comparator == .equal
                    ? same : SQLText("(\(any)) AND NOT (\(same.text))", same.values))
        default:
            throw .invalid(
                "Comparator '\(condition.comparator.rawValue)' is not supported for reserved metadata "
                    + "'\(condition.key)'. Only '=', '!=', 'IS NULL', and 'IS NOT NULL' are supported.")
        }
    }

    private func span(_ condition: SearchCondition) throws(TrackingError) -> SQLText {
        guard condition.key.hasPrefix("attributes.") else {
            return try .compare("s.\(condition.key)", condition.comparator, condition.value, dialect)
        }
        var key = String(condition.key.dropFirst("attributes.".count))
        if key.count >= 2, key.hasPrefix("`"), key.hasSuffix("`") { key = String(key.dropFirst().dropLast()) }
        guard case .text(let text) = condition.value else {
            throw .invalid("span.attributes takes =, !=, LIKE and ILIKE")
        }
        let name = AttributeText.of(key)
        switch condition.comparator {
        case .like, .ilike:
            return try .compare("s.content", condition.comparator, .text("%\(name)\(text)%"), dialect)
        case .equal, .notEqual:
            // Values are JSON as texts: that of a text has quotes, that of a number has none.
            let found = SQLText.all(
                [
                    SQLText(
                        "\(position("s.content")) > 0 OR \(position("s.content")) > 0",
                        [AttributeText.of(text), text].map { .text("\(name): \(AttributeText.of($0))") })
                ])
            guard condition.comparator == .notEqual else { return found }
            return SQLText(
                "\(position("s.content")) > 0 AND NOT (\(found.text))", [.text("\(name): ")] + found.values)
        case .rlike:
            let begin = text.hasPrefix("^") ? "\"\\\\\"" : "\"\\\\\".*"
            let end = text.hasSuffix("$") ? "\\\\\"" : ""
            let pattern = (text.hasPrefix("^") ? text.dropFirst() : text[...])
            let bare = text.hasSuffix("$") ? pattern.dropLast() : pattern
            return try .compare("s.content", .rlike, .text("\(name): \(begin)\(bare)\(end)"), dialect)
        default: throw .invalid("span.attributes takes =, !=, LIKE and ILIKE")
        }
    }

    private func position(_ column: String) -> String {
        dialect == .postgres ? "strpos(\(column), ?)" : "instr(\(column), ?)"
    }

    /// Of an assessment of the trace itself, or of one of a trace of its session that is meant for the session.
    private mutating func assessment(_ condition: SearchCondition) throws(TrackingError) {
        var match = SQLText(
            "a.kind = ? AND a.name = ? AND a.valid = 1", [.text(condition.entity.rawValue), .text(condition.key)])
        switch condition.comparator {
        case .isNull, .isNotNull: break
        case .less, .atMost, .greater, .atLeast:
            let value = try SQLText.compare("a.sum_value", condition.comparator, condition.value, dialect)
            match = SQLText("\(match.text) AND a.is_number = 1 AND \(value.text)", match.values + value.values)
        case .equal, .notEqual:
            let text = Self.text(condition.value)
            let isNot = condition.comparator == .notEqual ? "NOT " : ""
            match = SQLText(
                "\(match.text) AND \(isNot)(a.value = ? OR a.value = ?)",
                match.values + [.text(text), .text(AttributeText.of(text))])
        default:
            let value = try SQLText.compare("a.value", condition.comparator, condition.value, dialect)
            match = SQLText("\(match.text) AND \(value.text)", match.values + value.values)
        }
        let own = "EXISTS (SELECT 1 FROM assessments a WHERE a.trace = t.id AND \(match.text))"
        let ofSession = """
            (t.session IS NOT NULL AND t.session IN (SELECT o.session FROM traces o JOIN assessments a ON a.trace = o.id
            WHERE o.experiment IN (\(Rows.marks(experiments.count))) AND o.session IS NOT NULL AND \(match.text)
            AND a.metadata LIKE '%"mlflow.trace.session":%'))
            """
        let values = match.values + experiments.map { .integer($0) } + match.values
        parts.append(
            SQLText(condition.comparator == .isNull ? "NOT (\(own) OR \(ofSession))" : "\(own) OR \(ofSession)", values)
        )
    }

    private static func text(_ value: SearchValue) -> String {
        switch value {
        case .text(let text): text
        case .integer(let number): String(number)
        case .real(let number): AttributeText.number(number)
        default: ""
        }
    }
}
