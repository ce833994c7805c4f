// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
package import TrackingModel

/// A search for traces, as the client asks.
package struct TraceSearch: Sendable {
    package var experiments: [String]
    package var filter: String
    package var order: [String]
    /// Traces of a page at most.
    package var most: Int64
    /// Empty for the first page.
    package var token: String

    package init(experiments: [String], filter: String, order: [String], most: Int64, token: String) {
        self.experiments = experiments
        self.filter = filter
        self.order = order
        self.most = most
        self.token = token
    }
}

extension TrackingStore {
    /// Finds traces; without an order the newest first.
    /// - Returns: a page of them, and the token of the next; nil where there is none.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package func searchTraces(_ search: TraceSearch) async throws -> (traces: [TraceInfo], token: String?) {
        guard (1...50_000).contains(search.most) else {
            throw TrackingError.invalid(
                "Invalid value \(search.most) for parameter 'max_results' supplied. It must be a positive integer")
        }
        let experiments = try Self.numbers(search.experiments).map { $0.sorted() } ?? []
        let filter = try SearchFilter.parse(search.filter, .traces)
        let keys = try TraceSortKey.keys(try SearchOrder.parse(search.order, .traces))
        let identity = experiments.map { String($0) } + [search.filter] + search.order
        let from = try PageToken.decode(search.token, for: identity, count: keys.count)
        guard !experiments.isEmpty else { return ([], nil) }
        return try await database.read { session in
            var parts = [
                SQLText("t.experiment IN (\(Rows.marks(experiments.count)))", experiments.map { .integer($0) })
            ]
            parts += try TraceConditions(filter, experiments: experiments, session.dialect).parts
            if let from { parts.append(TraceSortKey.after(from, keys)) }
            let condition = SQLText.all(parts)
            let order = keys.map { "\($0.expression.text) \($0.isAscending ? "ASC" : "DESC")" }
            let sql = """
                SELECT \(TraceRows.columns), \(keys.map(\.expression.text).joined(separator: ", ")) FROM traces t
                WHERE \(condition.text) ORDER BY \(order.joined(separator: ", ")) LIMIT \(search.most + 1)
                """
            let sorted = keys.flatMap(\.expression.values)
            var rows = try session.rows(sql, sorted + condition.values + sorted)
            var token: String?
            if rows.count > search.most {
                rows.removeLast(rows.count - Int(search.most))
                if let last = rows.last {
                    let first = last.values.count - keys.count
                    token = PageToken(keys.indices.map { Self.value(last[first + $0]) }).encoded(for: identity)
                }
            }
            return (try TraceRows.traces(rows, session), token)
        }
    }

    private static func value(_ value: SQLValue) -> PageToken.Value {
        switch value {
        case .integer(let number): .integer(number)
        case .real(let number): .real(number)
        case .text(let text): .text(text)
        case .null, .bytes: .null
        }
    }
}

/// Something by which traces are ordered; never null.
struct TraceSortKey {
    let expression: SQLText
    let isAscending: Bool

    /// Those of an order, and then the newest first and the id, so that no two traces are at one place. What is null comes
    /// last.
    static func keys(_ orders: [SearchOrder]) throws(TrackingError) -> [TraceSortKey] {
        var keys: [TraceSortKey] = []
        var isByTime = false
        for order in orders {
            var nothing = "''"
            let expression: SQLText
            var isNullable = true
            switch (order.entity, order.key) {
            case (.attribute, let key):
                guard let column = TraceConditions.column(key) else {
                    throw .invalid("Invalid attribute key '\(key)' specified.")
                }
                expression = SQLText(column)
                isNullable = ["execution_time_ms", "client_request_id"].contains(key)
                if key == "execution_time_ms" { nothing = "0" }
                if key == "timestamp_ms" { isByTime = true }
            case (.tag, TraceKey.name): expression = SQLText("t.name")
            case (.metadata, TraceKey.session): expression = SQLText("t.session")
            case (.metadata, TraceKey.tokenUsage), (.metadata, TraceKey.cost):
                throw .invalid(
                    "Ordering by reserved metadata '\(order.key)' is not supported because it is represented by "
                        + "multiple columns.")
            case (.tag, let key):
                expression = SQLText(
                    "(SELECT x.value FROM trace_tags x WHERE x.trace = t.id AND x.key = ?)", [.text(key)])
            case (.metadata, let key):
                expression = SQLText(
                    "(SELECT x.value FROM trace_metadata x WHERE x.trace = t.id AND x.key = ?)", [.text(key)])
            default: throw .invalid("Invalid identifier type '\(order.entity.rawValue)'")
            }
            if isNullable {
                keys.append(
                    TraceSortKey(
                        expression: SQLText(
                            "CASE WHEN \(expression.text) IS NULL THEN 1 ELSE 0 END", expression.values),
                        isAscending: true))
                keys.append(
                    TraceSortKey(
                        expression: SQLText("COALESCE(\(expression.text), \(nothing))", expression.values),
                        isAscending: order.isAscending))
            } else {
                keys.append(TraceSortKey(expression: expression, isAscending: order.isAscending))
            }
        }
        if !isByTime { keys.append(TraceSortKey(expression: SQLText("t.time"), isAscending: false)) }
        keys.append(TraceSortKey(expression: SQLText("t.trace"), isAscending: true))
        return keys
    }

    /// What comes after a page's last trace.
    static func after(_ token: PageToken, _ keys: [TraceSortKey]) -> SQLText {
        var condition: SQLText?
        for (key, value) in zip(keys, token.values).reversed() {
            let bound: SQLValue =
                switch value {
                case .integer(let number): .integer(number)
                case .real(let number): .real(number)
                case .text(let text): .text(text)
                case .null: .null
                }
            let (expression, values) = (key.expression.text, key.expression.values)
            let sign = key.isAscending ? ">" : "<"
            guard let rest = condition else {
                condition = SQLText("\(expression) \(sign) ?", values + [bound])
                continue
            }
            // The first part alone bounds the range of an index.
            condition = SQLText(
                "\(expression) \(sign)= ? AND (\(expression) \(sign) ? OR (\(rest.text)))",
                values + [bound] + values + [bound] + rest.values)
        }
        return condition ?? SQLText("1 = 1")
    }
}
