// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
import TrackingModel

/// The statement of a search for experiments.
struct ExperimentSearch {
    /// How many columns stand before the keys' values.
    static let columns = 6

    private var conditions: [SearchPart] = []
    private(set) var keys: [SearchKey] = []
    private let dialect: SQLDialect

    init(_ dialect: SQLDialect) { self.dialect = dialect }

    mutating func require(_ filter: SearchFilter) throws(TrackingError) {
        for condition in filter.conditions { conditions.append(try part(condition)) }
    }

    mutating func require(_ view: ViewType) {
        switch view {
        case .activeOnly: conditions.append(SearchPart("deleted = 0"))
        case .deletedOnly: conditions.append(SearchPart("deleted = 1"))
        case .all: conditions.append(SearchPart("deleted IN (0, 1)"))
        }
    }

    mutating func require(behind token: PageToken) { conditions.append(SearchKey.behind(token, keys)) }

    private func part(_ condition: SearchCondition) throws(TrackingError) -> SearchPart {
        guard condition.entity == .tag else {
            let column = Self.column(condition.key)
            guard condition.key == "name" else {
                return try SearchSQL.number(column, condition.comparator, condition.value)
            }
            return try SearchSQL.text(column, condition.comparator, condition.value, dialect)
        }
        let head = "EXISTS (SELECT 1 FROM experiment_tags t WHERE t.experiment = experiments.id AND t.key = ?"
        switch condition.comparator {
        case .isNull: return SearchPart("NOT \(head))", [.text(condition.key)])
        case .isNotNull: return SearchPart("\(head))", [.text(condition.key)])
        default:
            let compared = try SearchSQL.text("t.value", condition.comparator, condition.value, dialect)
            return SearchPart("\(head) AND \(compared.sql))", [.text(condition.key)] + compared.values)
        }
    }

    mutating func order(by orders: [SearchOrder]) {
        keys = orders.map { SearchKey(sql: Self.column($0.key), isAscending: $0.isAscending) }
        // Newer ones have greater numbers.
        if !orders.contains(where: { $0.key == "experiment_id" }) {
            keys.append(SearchKey(sql: "id", isAscending: false))
        }
    }

    func statement(limit: Int64) -> SearchPart {
        let columns = ([Experiment.columns] + keys.map(\.sql)).joined(separator: ", ")
        return SearchPart(
            """
            SELECT \(columns) FROM experiments WHERE \(conditions.map(\.sql).joined(separator: " AND ")) \
            \(SearchKey.order(keys)) LIMIT ?
            """, conditions.flatMap(\.values) + [.integer(limit)])
    }

    private static func column(_ key: String) -> String {
        switch key {
        case "name": "name"
        case "creation_time": "created"
        case "last_update_time": "updated"
        default: "id"
        }
    }
}
