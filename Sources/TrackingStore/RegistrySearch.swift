// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
package import TrackingModel

/// The statement of a search for registered models or for versions of them.
///
/// Prompts are registered models with a tag. A search sees either them or the models: them where the filter asks for the
/// tag, else the models, and then what the filter says of the tag does not count (MLflow, `_is_querying_prompt`).
struct RegistrySearch {
    private let isOfVersions: Bool
    private let dialect: SQLDialect
    private var conditions: [SearchPart] = []
    private(set) var keys: [SearchKey] = []

    init(ofVersions: Bool, _ dialect: SQLDialect) {
        isOfVersions = ofVersions
        self.dialect = dialect
        if ofVersions { conditions.append(SearchPart("v.stage <> ?", [.text(ModelStage.deleted)])) }
    }

    mutating func require(_ filter: SearchFilter) throws(TrackingError) {
        let isOfPrompts = Self.wantsPrompts(filter)
        for condition in filter.conditions {
            if condition.entity == .tag {
                guard isOfPrompts || condition.key != RegistryRules.promptTag else { continue }
                let compared = try SearchSQL.text("t.value", condition.comparator, condition.value, dialect)
                conditions.append(
                    SearchPart(
                        "EXISTS (SELECT 1 FROM \(tags) AND t.key = ? AND \(compared.sql))",
                        [.text(condition.key)] + compared.values))
            } else if condition.key == "version_number" {
                conditions.append(try SearchSQL.number("v.version", condition.comparator, condition.value))
            } else {
                let column = Self.columns[condition.key] ?? "m.name"
                conditions.append(try SearchSQL.text(column, condition.comparator, condition.value, dialect))
            }
        }
        guard !isOfPrompts else { return }
        let table = isOfVersions ? "model_version_tags" : "registered_model_tags"
        conditions.append(
            SearchPart(
                "NOT EXISTS (SELECT 1 FROM \(table) t WHERE t.model = m.id AND t.key = ? AND t.value = 'true')",
                [.text(RegistryRules.promptTag)]))
    }

    private static func wantsPrompts(_ filter: SearchFilter) -> Bool {
        let first = filter.conditions.first { $0.entity == .tag && $0.key == RegistryRules.promptTag }
        guard let first, case .text(let text) = first.value else { return false }
        return (first.comparator == .equal && text.lowercased() == "true")
            || (first.comparator == .notEqual && text.lowercased() == "false")
    }

    private var tags: String {
        isOfVersions
            ? "model_version_tags t WHERE t.model = v.model AND t.version = v.version"
            : "registered_model_tags t WHERE t.model = m.id"
    }

    private static let columns = ["run_id": "v.run_id", "source_path": "v.source"]

    mutating func require(behind token: PageToken) { conditions.append(SearchKey.behind(token, keys)) }

    /// Orders by these; what is alike by name, then by version, newest first.
    mutating func order(by orders: [SearchOrder]) {
        let row = isOfVersions ? "v" : "m"
        for order in orders {
            let sql =
                switch order.key {
                case "version_number": "v.version"
                case "creation_timestamp": "\(row).created"
                case "last_updated_timestamp": "\(row).updated"
                default: "m.name"
                }
            keys.append(SearchKey(sql: sql, isAscending: order.isAscending))
        }
        if !orders.contains(where: { $0.key == "name" }) { keys.append(SearchKey(sql: "m.name", isAscending: true)) }
        if isOfVersions, !orders.contains(where: { $0.key == "version_number" }) {
            keys.append(SearchKey(sql: "v.version", isAscending: false))
        }
    }

    /// Columns before the keys' values: those of ``RegistryRows/Model``, or of a version's number and its model's name.
    var columns: Int { isOfVersions ? 3 : 5 }

    func statement(limit: Int64) -> SearchPart {
        let own = isOfVersions ? "v.model, v.version, m.name" : "m.id, m.name, m.created, m.updated, m.description"
        let tables =
            isOfVersions
            ? "model_versions v JOIN registered_models m ON m.id = v.model" : "registered_models m"
        let condition = conditions.map(\.sql).joined(separator: " AND ")
        return SearchPart(
            """
            SELECT \(([own] + keys.map(\.sql)).joined(separator: ", ")) FROM \(tables) \
            \(condition.isEmpty ? "" : "WHERE \(condition) ")\(SearchKey.order(keys)) LIMIT ?
            """, conditions.flatMap(\.values) + [.integer(limit)])
    }
}

extension TrackingStore {
    /// Rows of a page of a search for versions at most; the next page has those behind them.
    private static let maximumVersions: Int64 = 20_000

    /// Finds registered models; by name, where no order is given.
    /// - Throws: INVALID_PARAMETER_VALUE; INTERNAL_ERROR for an order that has something twice.
    package func searchRegisteredModels(
        filter text: String, limit: Int64, order: [String], pageToken: String
    ) async throws -> SearchPage<RegisteredModel> {
        try Self.checkLimit(limit, 1000, "request parameter max_results")
        let filter = try SearchFilter.parse(text, .registeredModels)
        let orders = try SearchOrder.parse(order, .registeredModels)
        let name = ["registered-models", text] + order
        return try await database.read { session in
            var search = RegistrySearch(ofVersions: false, session.dialect)
            try search.require(filter)
            search.order(by: orders)
            let (rows, next) = try Self.page(search, name, pageToken, limit, session)
            let models = try RegistryRows(session: session).whole(rows.map(RegistryRows.Model.init))
            return SearchPage(models, nextPageToken: next)
        }
    }

    /// Finds versions of models; those that were changed last first, where no order is given.
    /// - Throws: INVALID_PARAMETER_VALUE; INTERNAL_ERROR for an order that has something twice.
    package func searchModelVersions(
        filter text: String, limit: Int64, order: [String], pageToken: String
    ) async throws -> SearchPage<ModelVersion> {
        guard limit >= 1 else {
            throw TrackingError.invalid(
                "Invalid value for max_results. It must be a positive integer, but got \(limit)")
        }
        try Self.checkLimit(limit, 200_000, "request parameter max_results")
        let filter = try SearchFilter.parse(text, .modelVersions)
        let orders = try SearchOrder.parse(
            order.isEmpty ? ["last_updated_timestamp DESC", "name ASC", "version_number DESC"] : order, .modelVersions)
        let name = ["model-versions", text] + order
        return try await database.read { session in
            var search = RegistrySearch(ofVersions: true, session.dialect)
            try search.require(filter)
            search.order(by: orders)
            let (rows, next) = try Self.page(search, name, pageToken, min(limit, Self.maximumVersions), session)
            let names = Dictionary(rows.map { ($0.integer(0), $0.text(2)) }) { first, _ in first }
            let versions = try RegistryRows(session: session).versions(rows.map(RegistryRows.Number.init), names)
            return SearchPage(versions.map(\.version), nextPageToken: next)
        }
    }

    private static func checkLimit(_ limit: Int64, _ most: Int64, _ what: String) throws(TrackingError) {
        guard limit <= most else {
            throw .invalid("Invalid value for \(what). It must be at most \(most), but got value \(limit)")
        }
        guard limit >= 0 else { throw .invalid("Invalid value for \(what). It must not be negative, but is \(limit)") }
    }

    /// The rows of a page, and the token of the next one.
    private static func page(
        _ search: RegistrySearch, _ name: [String], _ token: String, _ limit: Int64, _ session: any SQLSession
    ) throws -> (rows: ArraySlice<SQLRow>, next: String) {
        var search = search
        if let token = try PageToken.decode(token, for: name, count: search.keys.count) {
            search.require(behind: token)
        }
        let statement = search.statement(limit: limit + 1)
        let rows = try session.rows(statement.sql, statement.values)
        let page = rows.prefix(Int(limit))
        guard rows.count > page.count, let last = page.last else { return (page, "") }
        return (page, SearchKey.token(last, from: search.columns, search.keys).encoded(for: name))
    }
}
