// SPDX-License-Identifier: Apache-2.0
import ApusCore
import SQLDatabases
package import TrackingModel

extension TrackingStore {
    /// Sums over traces, their spans or assessments, by dimensions and time.
    /// - Returns: points, ordered by time and dimensions.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package func traceMetrics(_ query: TraceMetricQuery, experiments: [String]) async throws -> [TraceMetricPoint] {
        let numbers = try Self.numbers(experiments).map { $0.sorted() } ?? []
        guard !numbers.isEmpty, !query.aggregations.isEmpty else { return [] }
        return try await database.read { session in
            let statement = try TraceMetricStatement(query, experiments: numbers, session.dialect)
            return try session.rows(statement.sql.text, statement.sql.values).map(statement.point)
        }
    }
}

/// The statement of a question, and what its rows mean.
private struct TraceMetricStatement {
    let sql: SQLText
    private let dimensions: [String]
    private let aggregations: [TraceMetricQuery.Aggregation]

    init(_ query: TraceMetricQuery, experiments: [Int64], _ dialect: SQLDialect) throws(TrackingError) {
        aggregations = query.aggregations
        var dimensions = query.dimensions
        var columns: [String] = []
        for dimension in dimensions { columns.append(try Self.column(dimension)) }
        let isOfSpanTime = query.view == .spans && query.metric.hasSuffix("_cost")
        let time = isOfSpanTime ? "(s.begun / 1000000)" : "t.time"
        if let interval = query.interval {
            dimensions.insert(Self.bucket, at: 0)
            let moment = query.view == .spans ? "(s.begun / 1000000)" : "t.time"
            columns.insert("(\(moment) / \(interval)) * \(interval)", at: 0)
        }
        self.dimensions = dimensions
        let value = try Self.value(query)
        var parts = [SQLText("t.experiment IN (\(Rows.marks(experiments.count)))", experiments.map { .integer($0) })]
        if let from = query.from { parts.append(SQLText("\(time) >= ?", [.integer(from)])) }
        if let to = query.to { parts.append(SQLText("\(time) <= ?", [.integer(to)])) }
        if query.view == .assessments { parts.append(SQLText("a.valid = 1")) }
        parts.append(SQLText("\(value) IS NOT NULL"))
        for column in columns { parts.append(SQLText("\(column) IS NOT NULL")) }
        for filter in query.filters { parts.append(try Self.condition(filter, query.view)) }
        let from =
            switch query.view {
            case .traces: "traces t"
            case .spans: "traces t JOIN spans s ON s.trace = t.id"
            case .assessments: "traces t JOIN assessments a ON a.trace = t.id"
            }
        let condition = SQLText.all(parts)
        let names = columns.indices.map { "d\($0)" }
        var selected = zip(columns, names).map { "\($0) AS \($1)" } + ["\(value) AS v"]
        // The rank of a value within its group gives percentiles in both databases.
        if aggregations.contains(where: { if case .percentile = $0 { true } else { false } }) {
            let group = columns.isEmpty ? "" : "PARTITION BY \(columns.joined(separator: ", "))"
            selected.append("row_number() OVER (\(group) ORDER BY \(value)) AS r")
            selected.append("count(*) OVER (\(group)) AS n")
        }
        let outer =
            names + aggregations.map { Self.expression($0, isSession: query.metric == "session_count", dialect) }
        var text =
            "SELECT \(outer.joined(separator: ", ")) FROM (SELECT \(selected.joined(separator: ", ")) FROM \(from)"
        text += " WHERE \(condition.text)) AS q"
        if !names.isEmpty {
            let list = names.joined(separator: ", ")
            text += " GROUP BY \(list) ORDER BY \(list)"
        }
        sql = SQLText(text + " LIMIT \(query.most)", condition.values)
    }

    private static let bucket = "time_bucket"

    private static func column(_ dimension: String) throws(TrackingError) -> String {
        switch dimension {
        case "trace_name": "t.name"
        case "trace_status": "t.state"
        case "span_name": "s.name"
        case "span_type": "s.type"
        case "span_status": "s.status"
        case "span_model_name": "s.model"
        case "span_model_provider": "s.provider"
        case "assessment_name": "a.name"
        case "assessment_value": "a.value"
        default: throw .invalid("Unsupported dimension `\(dimension)`")
        }
    }

    private static func value(_ query: TraceMetricQuery) throws(TrackingError) -> String {
        switch (query.view, query.metric) {
        case (.traces, "trace_count"): "t.id"
        case (.traces, "session_count"): "t.session"
        case (.traces, "latency"): "t.duration"
        case (.traces, let metric) where TraceRows.tokenColumns.contains(metric): "t.\(metric)"
        case (.spans, "span_count"): "s.span"
        case (.spans, "latency"): "((s.ended - s.begun) / 1000000)"
        case (.spans, let metric) where TraceRows.costColumns.contains(metric): "s.\(metric)"
        case (.assessments, "assessment_count"): "a.id"
        case (.assessments, "assessment_value"): "a.sum_value"
        default: throw .invalid("Unsupported metric name: \(query.metric)")
        }
    }

    private static func expression(
        _ aggregation: TraceMetricQuery.Aggregation, isSession: Bool, _ dialect: SQLDialect
    ) -> String {
        switch aggregation {
        case .count: return "CAST(count(\(isSession ? "DISTINCT " : "")v) AS \(dialect.real))"
        case .sum: return "CAST(sum(v) AS \(dialect.real))"
        case .average: return "CAST(avg(v) AS \(dialect.real))"
        case .least: return "CAST(min(v) AS \(dialect.real))"
        case .greatest: return "CAST(max(v) AS \(dialect.real))"
        case .percentile(let percent):
            // Between the two values next to the place, as numpy's quantile does by default.
            let place = "(\(percent / 100) * (n - 1))"
            let whole = dialect == .postgres ? "trunc(\(place))" : "CAST(\(place) AS INTEGER)"
            let value = "CAST(v AS \(dialect.real))"
            return """
                CAST(sum(CASE WHEN r = \(whole) + 1 THEN \(value) * (1 - (\(place) - \(whole)))
                WHEN r = \(whole) + 2 THEN \(value) * (\(place) - \(whole)) ELSE 0 END) AS \(dialect.real))
                """
        }
    }

    private static func condition(
        _ filter: TraceMetricQuery.Filter, _ view: TraceMetricQuery.View
    ) throws(TrackingError) -> SQLText {
        let value = SQLValue.text(filter.value)
        switch (filter.view, filter.entity) {
        case ("trace", "status"): return SQLText("t.state = ?", [value])
        case ("trace", "tag") where filter.key == TraceKey.name: return SQLText("t.name = ?", [value])
        case ("trace", "tag"):
            return SQLText(
                "EXISTS (SELECT 1 FROM trace_tags x WHERE x.trace = t.id AND x.key = ? AND x.value = ?)",
                [.text(filter.key), value])
        case ("trace", _) where filter.key == TraceKey.session: return SQLText("t.session = ?", [value])
        case ("trace", _) where filter.key == TraceKey.run:
            return SQLText("EXISTS (SELECT 1 FROM trace_runs r WHERE r.run = ? AND r.trace = t.trace)", [value])
        case ("trace", _):
            return SQLText(
                "EXISTS (SELECT 1 FROM trace_metadata x WHERE x.trace = t.id AND x.key = ? AND x.value = ?)",
                [.text(filter.key), value])
        case ("span", let entity):
            guard view == .spans else {
                throw .invalid("Filtering by span is only supported for SPANS view type, got \(view.rawValue)")
            }
            return SQLText("s.\(entity) = ?", [value])
        case (_, let entity):
            guard view == .assessments else {
                throw .invalid(
                    "Filtering by assessment is only supported for ASSESSMENTS view type, got \(view.rawValue)")
            }
            return SQLText(entity == "name" ? "a.name = ?" : "a.kind = ?", [value])
        }
    }

    /// The point of a row.
    func point(_ row: SQLRow) -> TraceMetricPoint {
        var point = TraceMetricPoint(dimensions: [:], values: [:])
        for (index, dimension) in dimensions.enumerated() {
            point.dimensions[dimension] =
                dimension == Self.bucket
                ? Self.moment(row.integer(index)) : row.text(index)
        }
        for (index, aggregation) in aggregations.enumerated() {
            if let value = row.realIfAny(dimensions.count + index) { point.values[aggregation.name] = value }
        }
        return point
    }

    /// As Python's `isoformat` writes a moment of UTC.
    private static func moment(_ milliseconds: Int64) -> String {
        Timestamp(seconds: milliseconds / 1000).rfc3339.dropLast() + "+00:00"
    }
}
