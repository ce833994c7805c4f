// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A question for sums over traces, spans or assessments (MLflow, `queryTraceMetrics`).
package struct TraceMetricQuery: Sendable, Hashable {
    package enum View: String, Sendable, Hashable {
        case traces = "TRACES", spans = "SPANS", assessments = "ASSESSMENTS"
    }

    package enum Aggregation: Sendable, Hashable {
        case count, sum, average, least, greatest
        /// 0 to 100.
        case percentile(Double)

        /// What the answer calls it.
        package var name: String {
            switch self {
            case .count: "COUNT"
            case .sum: "SUM"
            case .average: "AVG"
            case .least: "MIN"
            case .greatest: "MAX"
            case .percentile(let value): "P\(AttributeText.number(value))"
            }
        }

        fileprivate var kind: String {
            if case .percentile = self { "PERCENTILE" } else { name }
        }
    }

    /// `trace.tag.KEY = 'VALUE'` and the like.
    package struct Filter: Sendable, Hashable {
        package let view: String
        package let entity: String
        package let key: String
        package let value: String
    }

    package let view: View
    package let metric: String
    package let aggregations: [Aggregation]
    package let dimensions: [String]
    package let filters: [Filter]
    /// Milliseconds; nil for no division by time.
    package let interval: Int64?
    /// Milliseconds since 1970.
    package let from: Int64?
    package let to: Int64?
    /// Points at most.
    package let most: Int64

    /// - Parameter fields: of a request `QueryTraceMetrics`.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package init(_ fields: RequestFields) throws(TrackingError) {
        guard let view = View(rawValue: fields.string("view_type")) else {
            throw .invalid("view_type must be one of ['TRACES', 'SPANS', 'ASSESSMENTS']")
        }
        self.view = view
        metric = fields.string("metric_name")
        let known = Self.known[view] ?? [:]
        guard let (kinds, may) = known[metric] else {
            throw .invalid(
                "metric_name must be one of \(PythonText.repr(known.keys.sorted())), got '\(metric.prefix(100))'")
        }
        var aggregations: [Aggregation] = []
        for object in fields.objects("aggregations") { aggregations.append(try Self.aggregation(object)) }
        self.aggregations = aggregations
        let wrong = Set(aggregations.map(\.kind)).subtracting(kinds)
        guard wrong.isEmpty else {
            throw .invalid(
                "Found invalid aggregation_type(s): \(PythonText.repr(wrong.sorted())). "
                    + "Supported aggregation types: \(PythonText.repr(kinds.sorted()))")
        }
        dimensions = fields.strings("dimensions")
        let others = Set(dimensions).subtracting(may)
        guard others.isEmpty else {
            throw .invalid(
                "Found invalid dimension(s): \(PythonText.repr(others.sorted())). "
                    + "Supported dimensions: \(PythonText.repr(may.sorted()))")
        }
        var filters: [Filter] = []
        for text in fields.strings("filters") { filters.append(try Self.filter(text)) }
        self.filters = filters
        let seconds = fields.integer("time_interval_seconds")
        from = fields.integerIfAny("start_time_ms")
        to = fields.integerIfAny("end_time_ms")
        guard seconds == 0 || (from != nil && to != nil) else {
            throw .invalid("start_time_ms and end_time_ms are required if time_interval_seconds is set")
        }
        guard (0...1_000_000_000).contains(seconds) else { throw .invalid("time_interval_seconds is out of range") }
        interval = seconds == 0 ? nil : seconds * 1000
        most = fields.integerIfAny("max_results") ?? 1000
        guard (1...100_000).contains(most) else {
            throw .invalid("Invalid value \(most) for parameter 'max_results' supplied. It must be a positive integer")
        }
        guard !aggregations.isEmpty || interval != nil || !dimensions.isEmpty else {
            throw TrackingError(.badRequest, "Query contains no columns with which to SELECT from.")
        }
        guard aggregations.count <= 20, filters.count <= 50, dimensions.count <= 5 else {
            throw .invalid("the query has too many aggregations, filters or dimensions")
        }
    }

    private static let counts: Set = ["COUNT"]
    private static let measures: Set = ["AVG", "MIN", "MAX", "PERCENTILE"]
    private static let amounts: Set = ["SUM", "AVG", "MIN", "MAX", "PERCENTILE"]
    private static let models: Set = ["span_model_name", "span_model_provider"]

    /// Metrics with their aggregations and dimensions.
    private static let known: [View: [String: (Set<String>, Set<String>)]] = [
        .traces: [
            "trace_count": (counts, ["trace_name", "trace_status"]), "session_count": (counts, []),
            "latency": (measures, ["trace_name"]), "input_tokens": (amounts, ["trace_name"]),
            "output_tokens": (amounts, ["trace_name"]), "total_tokens": (amounts, ["trace_name"]),
            "cache_read_input_tokens": (amounts, ["trace_name"]),
            "cache_creation_input_tokens": (amounts, ["trace_name"]),
        ],
        .spans: [
            "span_count": (counts, models.union(["span_name", "span_type", "span_status"])),
            "latency": (measures, ["span_name", "span_status"]), "input_cost": (amounts, models),
            "output_cost": (amounts, models), "total_cost": (amounts, models),
        ],
        .assessments: [
            "assessment_count": (counts, ["assessment_name", "assessment_value"]),
            "assessment_value": (measures, ["assessment_name"]),
        ],
    ]

    private static func aggregation(_ object: JSONValue) throws(TrackingError) -> Aggregation {
        let percentile = object["percentile_value"].double
        let kind = object["aggregation_type"].string ?? ""
        guard kind == "PERCENTILE" else {
            guard percentile == nil else {
                throw .invalid("Percentile value is only allowed for PERCENTILE aggregation type, got \(kind)")
            }
            switch kind {
            case "SUM": return .sum
            case "AVG": return .average
            case "MIN": return .least
            case "MAX": return .greatest
            default: return .count
            }
        }
        guard let percentile else { throw .invalid("Percentile value is required for PERCENTILE aggregation") }
        guard (0...100).contains(percentile) else {
            throw .invalid(
                "Percentile value must be between 0 and 100, got \(AttributeText.number(percentile))")
        }
        return .percentile(percentile)
    }

    private static let entities: [String: [String: Bool]] = [
        "trace": ["status": false, "tag": true, "metadata": true],
        "span": ["name": false, "status": false, "type": false], "assessment": ["name": false, "type": false],
    ]

    /// `VIEW.ENTITY[.KEY] = 'VALUE'`.
    private static func filter(_ text: String) throws(TrackingError) -> Filter {
        guard let sign = text.firstIndex(of: "="), text.utf8.count <= 20_000 else {
            throw .invalid("Invalid filter: '\(text.prefix(200))'. Expected one filter clause.")
        }
        let left = text[..<sign].trimmingSpace
        let right = text[text.index(after: sign)...].trimmingSpace
        if let last = left.last, "!<>".contains(last) {
            throw .invalid("Invalid comparator: '\(last)=', only '=' operator is supported")
        }
        let words = left.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        guard words.count >= 2 else {
            throw .invalid(
                "Invalid identifier '\(left.prefix(200))'. Columns should be specified as "
                    + "'trace.<key>', 'span.<key>', 'assessment.<key>'.")
        }
        let view = words[0].filter { $0 != "`" }
        guard let known = entities[view] else {
            throw .invalid(
                "Invalid view type '\(view.prefix(100))'. Valid values are dict_keys(['trace', 'span', 'assessment'])")
        }
        guard let hasKey = known[words[1]] else {
            throw .invalid(
                "Invalid entity '\(words[1].prefix(100))' specified for view type '\(view)'. "
                    + "Valid entities are \(PythonText.repr(known.keys.sorted()))")
        }
        if hasKey, words.count < 3 {
            throw .invalid(
                "Filtering by \(words[1]) requires a key, e.g. '\(view).\(words[1]).<key> = <value>'")
        }
        if !hasKey, words.count > 2 {
            throw .invalid("Filtering by \(words[1]) does not require a key, use '\(view).\(words[1])' instead")
        }
        guard right.count >= 2, let quote = right.first, quote == "'" || quote == "\"", right.last == quote else {
            throw .invalid(
                "Expected a quoted string value for \(words[1]) value (e.g. 'my-value'). Got value \(right.prefix(200))"
            )
        }
        let key = words.count > 2 ? words[2].filter { !"`'\"".contains($0) } : ""
        return Filter(view: view, entity: words[1], key: key, value: String(right.dropFirst().dropLast()))
    }
}

/// One point of the answer.
package struct TraceMetricPoint: Sendable, Hashable {
    package var dimensions: [String: String]
    package var values: [String: Double]

    package init(dimensions: [String: String], values: [String: Double]) {
        self.dimensions = dimensions
        self.values = values
    }

    /// As `MetricDataPoint` of a metric.
    package func json(_ metric: String) -> JSONValue {
        [
            "metric_name": .string(metric),
            "dimensions": dimensions.isEmpty ? .null : .object(dimensions.mapValues { .string($0) }),
            "values": .object(values.mapValues { .double($0) }),
        ]
    }
}

extension StringProtocol {
    fileprivate var trimmingSpace: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
