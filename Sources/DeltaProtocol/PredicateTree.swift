// SPDX-License-Identifier: Apache-2.0
package import ApusCore

extension FilePredicate {
    /// The deepest AND and OR that is looked into.
    private static let maximumDepth = 32
    /// The most constants of an IN.
    private static let maximumConstants = 1000

    /// Reads the condition of a query without a table's alias, as DuckDB's `json_serialize_sql` gives it; columns of the
    /// table may be named by `alias` too.
    package init(tree: JSONValue, alias: String? = nil) {
        guard let statements = tree["statements"].array, statements.count == 1,
            statements[0]["node"]["type"].string == "SELECT_NODE"
        else {
            self = .unknown
            return
        }
        self = Self.read(statements[0]["node"]["where_clause"], alias, 0)
    }

    /// Columns of the table that have to be equal to a column of another relation, in every row: names by the other's.
    package static func equalities(tree: JSONValue, alias: String, other: String) -> [(column: String, other: String)] {
        guard let statements = tree["statements"].array, statements.count == 1,
            statements[0]["node"]["type"].string == "SELECT_NODE"
        else { return [] }
        var found: [(column: String, other: String)] = []
        var pending = [statements[0]["node"]["where_clause"]]
        while let node = pending.popLast() {
            if node["type"].string == "CONJUNCTION_AND" { pending += node["children"].array ?? [] }
            guard node["type"].string == "COMPARE_EQUAL" else { continue }
            for (one, two) in [(node["left"], node["right"]), (node["right"], node["left"])] {
                if let column = Self.column(one, alias), let value = qualified(two, other) {
                    found.append((column, value))
                }
            }
        }
        return found
    }

    private static func read(_ node: JSONValue, _ alias: String?, _ depth: Int) -> FilePredicate {
        guard depth < maximumDepth, let type = node["type"].string else { return .unknown }
        switch type {
        case "CONJUNCTION_AND": return .and((node["children"].array ?? []).map { read($0, alias, depth + 1) })
        case "CONJUNCTION_OR":
            let parts = (node["children"].array ?? []).map { read($0, alias, depth + 1) }
            return parts.isEmpty || parts.contains(.unknown) ? .unknown : .or(parts)
        case "COMPARE_EQUAL", "COMPARE_LESSTHAN", "COMPARE_LESSTHANOREQUALTO", "COMPARE_GREATERTHAN",
            "COMPARE_GREATERTHANOREQUALTO":
            if let name = column(node["left"], alias), let value = constant(node["right"]) {
                return comparison(name, type, value)
            }
            if let name = column(node["right"], alias), let value = constant(node["left"]) {
                return comparison(name, flipped(type), value)
            }
            return .unknown
        case "COMPARE_BETWEEN":
            guard let name = column(node["input"], alias) else { return .unknown }
            return .and([
                constant(node["lower"]).map { .atLeast(name, $0) } ?? .unknown,
                constant(node["upper"]).map { .atMost(name, $0) } ?? .unknown,
            ])
        case "COMPARE_IN":
            guard let children = node["children"].array, children.count > 1, children.count <= maximumConstants,
                let name = column(children[0], alias)
            else { return .unknown }
            var parts: [FilePredicate] = []
            for child in children.dropFirst() {
                guard let value = constant(child) else { return .unknown }
                parts.append(comparison(name, "COMPARE_EQUAL", value))
            }
            return .or(parts)
        case "OPERATOR_IS_NULL": return column(node["children"][0], alias).map { .isNull($0) } ?? .unknown
        case "OPERATOR_IS_NOT_NULL": return column(node["children"][0], alias).map { .isNotNull($0) } ?? .unknown
        default: return .unknown
        }
    }

    private static func comparison(_ name: String, _ type: String, _ value: Constant) -> FilePredicate {
        switch type {
        case "COMPARE_EQUAL": .and([.atLeast(name, value), .atMost(name, value)])
        case "COMPARE_LESSTHAN", "COMPARE_LESSTHANOREQUALTO": .atMost(name, value)
        default: .atLeast(name, value)
        }
    }

    private static func flipped(_ type: String) -> String {
        switch type {
        case "COMPARE_LESSTHAN", "COMPARE_LESSTHANOREQUALTO": "COMPARE_GREATERTHANOREQUALTO"
        case "COMPARE_GREATERTHAN", "COMPARE_GREATERTHANOREQUALTO": "COMPARE_LESSTHANOREQUALTO"
        default: type
        }
    }

    private static func column(_ node: JSONValue, _ alias: String?) -> String? {
        guard node["type"].string == "COLUMN_REF", let names = node["column_names"].array else { return nil }
        if names.count == 1 { return names[0].string }
        return alias.flatMap { qualified(node, $0) }
    }

    private static func qualified(_ node: JSONValue, _ relation: String) -> String? {
        guard node["type"].string == "COLUMN_REF", let names = node["column_names"].array, names.count == 2,
            names[0].string?.lowercased() == relation
        else { return nil }
        return names[1].string
    }

    private static func constant(_ node: JSONValue) -> Constant? {
        switch node["type"].string {
        case "VALUE_CONSTANT":
            let value = node["value"]
            guard value["is_null"].bool == false else { return nil }
            switch value["type"]["id"].string {
            case "TINYINT", "SMALLINT", "INTEGER", "BIGINT":
                guard case .int(let number) = value["value"] else { return nil }
                return .integer(number)
            case "VARCHAR": return value["value"].string.map { .text($0) }
            default: return nil
            }
        case "OPERATOR_CAST":
            guard let inner = constant(node["child"]), node["try_cast"].bool != true else { return nil }
            switch (node["cast_type"]["id"].string, inner) {
            case ("TINYINT", .integer), ("SMALLINT", .integer), ("INTEGER", .integer), ("BIGINT", .integer),
                ("VARCHAR", .text):
                return inner
            case ("DATE", .text(let text)): return date(text)
            case ("TIMESTAMP", .text(let text)), ("TIMESTAMP WITH TIME ZONE", .text(let text)): return moment(text)
            default: return nil
            }
        default: return nil
        }
    }
}
