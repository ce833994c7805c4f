// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
package import TrackingModel

/// What a search for logged models asks for (MLflow, `SearchLoggedModels`).
package struct LoggedModelQuery: Sendable {
    /// A dataset that a model was measured on; an empty digest stands for all of that name.
    package struct Dataset: Sendable, Hashable {
        package let name: String
        package let digest: String

        package init(name: String, digest: String) {
            self.name = name
            self.digest = digest
        }
    }

    /// One part of the order: an attribute, or `metrics.NAME`, of one dataset where it is named.
    package struct Order: Sendable, Hashable {
        package let field: String
        package let isAscending: Bool
        package let dataset: Dataset

        package init(field: String, isAscending: Bool, dataset: Dataset) {
            self.field = field
            self.isAscending = isAscending
            self.dataset = dataset
        }
    }

    package var experiments: [String]
    package var filter: String
    package var datasets: [Dataset]
    package var limit: Int64
    package var order: [Order]
    package var pageToken: String

    package init(
        experiments: [String], filter: String = "", datasets: [Dataset] = [], limit: Int64 = 50, order: [Order] = [],
        pageToken: String = ""
    ) {
        self.experiments = experiments
        self.filter = filter
        self.datasets = datasets
        self.limit = limit
        self.order = order
        self.pageToken = pageToken
    }

    /// All that decides which models there are and in which order.
    var name: [String] {
        ["logged-models", filter] + experiments + [""] + datasets.flatMap { [$0.name, $0.digest] } + [""]
            + order.flatMap { [$0.field, "\($0.isAscending)", $0.dataset.name, $0.dataset.digest] }
    }
}

/// The statement of a search for logged models.
struct LoggedModelSearch {
    private let session: any SQLSession
    private let datasets: [LoggedModelQuery.Dataset]
    private var conditions: [SearchPart] = [SearchPart("m.deleted = 0")]
    private var joins: [SearchPart] = []
    private(set) var keys: [SearchKey] = []

    init(_ session: any SQLSession, _ datasets: [LoggedModelQuery.Dataset]) {
        self.session = session
        self.datasets = datasets
    }

    mutating func require(experiments: [Int64]) {
        conditions.append(SearchSQL.list("m.experiment IN", experiments.map { .integer($0) }))
    }

    mutating func require(behind token: PageToken) { conditions.append(SearchKey.behind(token, keys)) }

    mutating func require(_ filter: SearchFilter) throws {
        for condition in filter.conditions { conditions.append(try part(condition)) }
        // Where no metric is asked for, the datasets ask for any.
        guard !datasets.isEmpty, !filter.conditions.contains(where: { $0.entity == .metric }) else { return }
        let places = Self.any(datasets, "x")
        conditions.append(
            SearchPart(
                "EXISTS (SELECT 1 FROM model_metrics x WHERE x.model = m.model_id AND \(places.sql))", places.values))
    }

    private func part(_ condition: SearchCondition) throws -> SearchPart {
        switch condition.entity {
        case .metric:
            guard let key = try MetricKeys.find(condition.key, session) else { return .never }
            let compared = try SearchSQL.number("x.value", condition.comparator, condition.value)
            let places = datasets.isEmpty ? SearchPart("1 = 1") : Self.any(datasets, "x")
            return SearchPart(
                """
                EXISTS (SELECT 1 FROM model_metrics x WHERE x.model = m.model_id AND x.key = ? AND \(compared.sql)
                AND \(places.sql))
                """, [.integer(key)] + compared.values + places.values)
        case .param, .tag:
            let table = condition.entity == .param ? "logged_model_params" : "logged_model_tags"
            let compared = try SearchSQL.text("x.value", condition.comparator, condition.value, session.dialect)
            return SearchPart(
                "EXISTS (SELECT 1 FROM \(table) x WHERE x.model = m.id AND x.key = ? AND \(compared.sql))",
                [.text(condition.key)] + compared.values)
        default:
            guard let column = Self.columns[condition.key] else { return .never }
            if column.isNumber { return try SearchSQL.number(column.sql, condition.comparator, condition.value) }
            return try SearchSQL.text(column.sql, condition.comparator, condition.value, session.dialect)
        }
    }

    private static func any(_ datasets: [LoggedModelQuery.Dataset], _ table: String) -> SearchPart {
        let parts = datasets.map { Self.of($0, table) }
        return SearchPart("(\(parts.map(\.sql).joined(separator: " OR ")))", parts.flatMap(\.values))
    }

    /// The points of one dataset; of all where it has no name.
    private static func of(_ dataset: LoggedModelQuery.Dataset, _ table: String) -> SearchPart {
        var part = SearchPart("1 = 1")
        if !dataset.name.isEmpty {
            part = SearchPart("\(table).dataset_name = ?", [.text(dataset.name)])
        }
        if !dataset.digest.isEmpty {
            part.sql += " AND \(table).dataset_digest = ?"
            part.values.append(.text(dataset.digest))
        }
        return SearchPart("(\(part.sql))", part.values)
    }

    /// Orders models; those that are alike by their time, newest first, then by id.
    mutating func order(by orders: [LoggedModelQuery.Order]) throws {
        var seen: Set<String> = []
        for order in orders {
            if let point = order.field.firstIndex(of: ".") {
                guard order.field[..<point] == "metrics" else {
                    throw TrackingError.invalid(
                        "Invalid order by field name: \(order.field). Only metrics are supported.")
                }
                try add(metric: String(order.field[order.field.index(after: point)...]), order)
                continue
            }
            let name = Self.aliases[order.field] ?? order.field
            if name == "status_message" { continue }
            guard let column = Self.columns[name] else {
                throw TrackingError.invalid("Invalid order by field name: \(order.field)")
            }
            guard seen.insert(name).inserted else { continue }
            keys.append(SearchKey(sql: column.sql, isAscending: order.isAscending))
        }
        if !seen.contains("creation_timestamp_ms") { keys.append(SearchKey(sql: "m.created", isAscending: false)) }
        if !seen.contains("model_id") { keys.append(SearchKey(sql: "m.model_id", isAscending: true)) }
    }

    /// By the latest point of a metric; models without one are last.
    private mutating func add(metric name: String, _ order: LoggedModelQuery.Order) throws {
        let key = SQLValue.integer(try MetricKeys.find(name, session) ?? -1)
        let (own, other) = ("o\(joins.count)", "p\(joins.count)")
        let (ownPlace, otherPlace) = (Self.of(order.dataset, own), Self.of(order.dataset, other))
        joins.append(
            SearchPart(
                """
                LEFT JOIN model_metrics \(own) ON \(own).model = m.model_id AND \(own).key = ? AND \(ownPlace.sql)
                AND NOT EXISTS (SELECT 1 FROM model_metrics \(other) WHERE \(other).model = m.model_id
                AND \(other).key = ? AND \(otherPlace.sql)
                AND (\(other).time, \(other).step, \(other).run) > (\(own).time, \(own).step, \(own).run))
                """, [key] + ownPlace.values + [key] + otherPlace.values))
        keys.append(SearchKey(sql: "CASE WHEN \(own).value IS NULL THEN 1 ELSE 0 END", isAscending: true))
        keys.append(SearchKey(sql: "\(own).value", isAscending: order.isAscending, isNullable: true))
    }

    /// Columns before the keys' values.
    static let columnCount = 11

    func statement(limit: Int64) -> SearchPart {
        let columns = ([LoggedModelRows.columns] + keys.map(\.sql)).joined(separator: ", ")
        let parts = joins + conditions
        return SearchPart(
            """
            SELECT \(columns) FROM logged_models m \(joins.map(\.sql).joined(separator: " ")) \
            WHERE \(conditions.map(\.sql).joined(separator: " AND ")) \(SearchKey.order(keys)) LIMIT ?
            """, parts.flatMap(\.values) + [.integer(limit)])
    }

    private static let aliases = [
        "creation_time": "creation_timestamp_ms", "creation_timestamp": "creation_timestamp_ms",
        "last_updated_timestamp": "last_updated_timestamp_ms",
    ]

    private static let columns: [String: (sql: String, isNumber: Bool)] = [
        "model_id": ("m.model_id", false), "experiment_id": ("CAST(m.experiment AS TEXT)", false),
        "name": ("m.name", false), "artifact_location": ("m.artifact_location", false),
        "creation_timestamp_ms": ("m.created", true), "last_updated_timestamp_ms": ("m.updated", true),
        "status": ("CAST(m.status AS TEXT)", false),
        "lifecycle_stage": ("CASE m.deleted WHEN 0 THEN 'active' ELSE 'deleted' END", false),
        "model_type": ("m.model_type", false), "source_run_id": ("m.source_run_id", false),
    ]
}

extension TrackingStore {
    /// Models of a page at most; the next page has those behind them.
    private static let maximumLoggedModels: Int64 = 1000

    /// Finds logged models; the newest first, where no order is given.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package func searchLoggedModels(_ query: LoggedModelQuery) async throws -> SearchPage<LoggedModel> {
        guard query.datasets.allSatisfy({ !$0.name.isEmpty }) else {
            throw TrackingError.invalid("`dataset_name` in the `datasets` clause must be specified.")
        }
        guard query.limit >= 0, query.experiments.count <= 10_000, query.datasets.count <= 50, query.order.count <= 20
        else {
            throw TrackingError.invalid(
                "A search has up to 10000 experiments, 50 datasets and 20 parts of an order, and `max_results` is no "
                    + "negative number.")
        }
        // None is MLflow's own number.
        let limit = query.limit == 0 ? 100 : min(query.limit, Self.maximumLoggedModels)
        let filter = try SearchFilter.parse(query.filter, .loggedModels)
        let experiments = try query.experiments.map { try Validation.experimentID($0) }
        return try await database.read { session in
            var search = LoggedModelSearch(session, query.datasets)
            try search.require(filter)
            search.require(experiments: experiments)
            try search.order(by: query.order)
            if let token = try PageToken.decode(query.pageToken, for: query.name, count: search.keys.count) {
                search.require(behind: token)
            }
            let statement = search.statement(limit: limit + 1)
            let rows = try session.rows(statement.sql, statement.values)
            let page = rows.prefix(Int(limit))
            let models = try LoggedModelRows(session: session).whole(Array(page))
            guard rows.count > page.count, let last = page.last else { return SearchPage(models) }
            let token = SearchKey.token(last, from: LoggedModelSearch.columnCount, search.keys)
            return SearchPage(models, nextPageToken: token.encoded(for: query.name))
        }
    }
}
