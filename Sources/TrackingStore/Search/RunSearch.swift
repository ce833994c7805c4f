// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
package import TrackingModel

/// What a search for runs asks for (MLflow, `SearchRuns`).
package struct RunQuery: Sendable, Hashable {
    package var experiments: [String]
    package var filter: String
    package var view: ViewType
    package var limit: Int64
    package var order: [String]
    package var pageToken: String

    package init(
        experiments: [String], filter: String = "", view: ViewType = .activeOnly, limit: Int64 = 1000,
        order: [String] = [], pageToken: String = ""
    ) {
        self.experiments = experiments
        self.filter = filter
        self.view = view
        self.limit = limit
        self.order = order
        self.pageToken = pageToken
    }
}

/// The statement of a search for runs.
///
/// What runs logged is looked at run by run (EXISTS, by primary keys), in the order of the index by start time where
/// that is the order asked for: then a page ends as soon as it is full. What few runs have is looked up in its own index
/// instead.
struct RunSearch {
    /// Runs that are found by a param's or tag's index at most; with more, each run of the experiments is looked at.
    private static let few = 2_000

    private(set) var conditions: [SearchPart] = []
    private(set) var joins: [SearchPart] = []
    private(set) var keys: [SearchKey] = []
    /// Set when runs are found by their numbers first.
    private var isDriven = false
    private let session: any SQLSession
    private var dialect: SQLDialect { session.dialect }

    init(_ session: any SQLSession) { self.session = session }

    // MARK: Conditions

    mutating func require(_ filter: SearchFilter) throws {
        for condition in filter.conditions { conditions.append(try part(condition)) }
    }

    /// Only runs of these experiments, in these stages.
    mutating func require(experiments: [Int64], _ view: ViewType) {
        // The sign keeps SQLite from the index by start time.
        let sign = isDriven ? "+" : ""
        conditions.append(SearchSQL.list("\(sign)runs.experiment IN", experiments.map { .integer($0) }))
        switch view {
        case .activeOnly: conditions.append(SearchPart("runs.deleted = 0"))
        case .deletedOnly: conditions.append(SearchPart("runs.deleted = 1"))
        case .all: conditions.append(SearchPart("runs.deleted IN (0, 1)"))
        }
    }

    mutating func require(behind token: PageToken) { conditions.append(SearchKey.behind(token, keys)) }

    private mutating func part(_ condition: SearchCondition) throws -> SearchPart {
        switch condition.entity {
        case .attribute: return try attribute(condition)
        case .metric: return try metric(condition)
        case .param: return try keyed("params", condition)
        case .tag: return try keyed("tags", condition)
        case .dataset: return try dataset(condition)
        default: throw TrackingError.invalid("Invalid search expression type '\(condition.entity.rawValue)'")
        }
    }

    private func attribute(_ condition: SearchCondition) throws(TrackingError) -> SearchPart {
        let column = try Self.column(condition.key)
        if column.isNumber { return try SearchSQL.number(column.sql, condition.comparator, condition.value) }
        return try SearchSQL.text(column.sql, condition.comparator, condition.value, dialect)
    }

    private mutating func metric(_ condition: SearchCondition) throws -> SearchPart {
        guard let key = try MetricKeys.find(condition.key, session) else { return .never }
        let compared = try SearchSQL.number("m.value", condition.comparator, condition.value)
        // What is no number is unequal to all, and nothing else.
        let value =
            condition.comparator == .notEqual ? "(\(compared.sql) OR m.is_nan = 1)" : "\(compared.sql) AND m.is_nan = 0"
        let values = [.integer(key)] + compared.values
        if dialect == .sqlite, condition.comparator != .notEqual,
            try isFew("latest_metrics m WHERE m.key = ? AND \(compared.sql)", values)
        {
            isDriven = true
            return SearchPart("runs.id IN (SELECT m.run FROM latest_metrics m WHERE m.key = ? AND \(value))", values)
        }
        return SearchPart(
            "EXISTS (SELECT 1 FROM latest_metrics m WHERE m.run = runs.id AND m.key = ? AND \(value))", values)
    }

    private mutating func keyed(_ table: String, _ condition: SearchCondition) throws -> SearchPart {
        let key = SQLValue.text(condition.key)
        let head = "EXISTS (SELECT 1 FROM \(table) t WHERE t.run = runs.id AND t.key = ?"
        switch (condition.comparator, condition.value) {
        case (.isNull, _): return SearchPart("NOT \(head))", [key])
        case (.isNotNull, _): return SearchPart("\(head))", [key])
        case (.equal, .text(let text)):
            let start = "substr(t.value, 1, \(SchemaArea.indexedCharacters)) = ?"
            let prefix = String(String.UnicodeScalarView(text.unicodeScalars.prefix(SchemaArea.indexedCharacters)))
            let values = [key, .text(prefix), .text(text)]
            // The sign: SQLite would write the value into the other expression, and then finds no index for it.
            let rows = "\(table) t WHERE t.key = ? AND \(start) AND +t.value = ?"
            if dialect == .sqlite, try isFew(rows, values) {
                isDriven = true
                return SearchPart("runs.id IN (SELECT t.run FROM \(rows))", values)
            }
            // PostgreSQL finds out by itself whether the index is the shorter way.
            let also = dialect == .postgres ? " AND \(start)" : ""
            return SearchPart("\(head)\(also) AND t.value = ?)", dialect == .postgres ? values : [key, .text(text)])
        default:
            let compared = try SearchSQL.text("t.value", condition.comparator, condition.value, dialect)
            return SearchPart("\(head) AND \(compared.sql))", [key] + compared.values)
        }
    }

    /// Whether so few rows are found that looking them up is shorter than looking at each run.
    private func isFew(_ rows: String, _ values: [SQLValue]) throws -> Bool {
        let row = try session.row("SELECT count(*) FROM (SELECT 1 FROM \(rows) LIMIT \(Self.few + 1))", values)
        return (row?.integer(0) ?? 0) <= Self.few
    }

    private func dataset(_ condition: SearchCondition) throws(TrackingError) -> SearchPart {
        if condition.key == "context" {
            let compared = try SearchSQL.text("t.value", condition.comparator, condition.value, dialect)
            return SearchPart(
                "EXISTS (SELECT 1 FROM run_dataset_tags t WHERE t.run = runs.id AND t.key = ? AND \(compared.sql))",
                [.text(DatasetInput.contextTag)] + compared.values)
        }
        let column = condition.key == "digest" ? "d.digest" : "d.name"
        let compared = try SearchSQL.text(column, condition.comparator, condition.value, dialect)
        return SearchPart(
            """
            EXISTS (SELECT 1 FROM run_datasets e JOIN datasets d ON d.id = e.dataset WHERE e.run = runs.id AND \
            \(compared.sql))
            """, compared.values)
    }

    // MARK: Order

    /// Orders runs; those that are alike by start time, latest first, then by id.
    mutating func order(by orders: [SearchOrder]) throws {
        for order in orders { try add(order) }
        if !orders.contains(where: { $0.entity == .attribute && $0.key == "start_time" }) {
            keys.append(SearchKey(sql: "runs.started", isAscending: false))
        }
        keys.append(SearchKey(sql: "runs.uuid", isAscending: true))
    }

    private mutating func add(_ order: SearchOrder) throws {
        let name = "o\(joins.count)"
        switch order.entity {
        case .attribute:
            let column = try Self.column(order.key)
            if column.isNullable {
                keys.append(SearchKey(sql: "CASE WHEN \(column.sql) IS NULL THEN 1 ELSE 0 END", isAscending: true))
            }
            let sql = column.isNumber ? column.sql : "\(column.sql)\(dialect.binaryOrder)"
            keys.append(SearchKey(sql: sql, isAscending: order.isAscending, isNullable: column.isNullable))
        case .metric:
            let key = try MetricKeys.find(order.key, session) ?? -1
            joins.append(
                SearchPart(
                    "LEFT JOIN latest_metrics \(name) ON \(name).run = runs.id AND \(name).key = ?", [.integer(key)]))
            // Numbers, then what is none, then runs without it, whichever way numbers are ordered.
            keys.append(
                SearchKey(
                    sql: "CASE WHEN \(name).run IS NULL THEN 2 WHEN \(name).is_nan = 1 THEN 1 ELSE 0 END",
                    isAscending: true))
            keys.append(SearchKey(sql: "\(name).value", isAscending: order.isAscending, isNullable: true))
        case .param, .tag:
            let table = order.entity == .param ? "params" : "tags"
            joins.append(
                SearchPart(
                    "LEFT JOIN \(table) \(name) ON \(name).run = runs.id AND \(name).key = ?", [.text(order.key)]))
            keys.append(SearchKey(sql: "CASE WHEN \(name).run IS NULL THEN 1 ELSE 0 END", isAscending: true))
            keys.append(SearchKey(sql: "\(name).value", isAscending: order.isAscending, isNullable: true))
        default: throw TrackingError.invalid("Invalid identifier type '\(order.entity.rawValue)'")
        }
    }

    // MARK: Statement

    /// The rows of a page: those of ``RunRow``, then the keys' values.
    func statement(limit: Int64) -> SearchPart {
        let columns = ([RunRow.columns] + keys.map(\.sql)).joined(separator: ", ")
        let parts = joins + conditions
        return SearchPart(
            """
            SELECT \(columns) FROM runs \(joins.map(\.sql).joined(separator: " ")) \
            WHERE \(conditions.map(\.sql).joined(separator: " AND ")) \(SearchKey.order(keys)) LIMIT ?
            """, parts.flatMap(\.values) + [.integer(limit)])
    }

    /// The SQL of an attribute.
    private static func column(
        _ key: String
    ) throws(TrackingError) -> (sql: String, isNumber: Bool, isNullable: Bool) {
        switch key {
        case "run_id": return ("runs.uuid", false, false)
        case "run_name": return ("runs.name", false, false)
        case "user_id": return ("runs.user_id", false, false)
        case "artifact_uri": return ("runs.artifact_uri", false, false)
        case "status": return (statusText, false, false)
        case "start_time": return ("runs.started", true, false)
        case "end_time": return ("runs.ended", true, true)
        default: throw .invalid("Invalid attribute key '\(key)' specified.")
        }
    }

    private static let statusText =
        "CASE runs.status "
        + RunStatus.allCases.map { "WHEN \($0.rawValue) THEN '\($0.name)'" }.joined(separator: " ") + " END"
}
