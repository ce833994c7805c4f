// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import ArrowFormat

/// What a query names, as DuckDB's own parser finds it (`json_serialize_sql`): no name is looked up for it.
package struct SQLShape: Sendable, Equatable {
    /// A name where a table stands; those of `WITH` are among them.
    package struct Table: Sendable, Hashable {
        package var catalog: String
        package var schema: String
        package var name: String
        /// Whether `AT (VERSION => …)` or `AT (TIMESTAMP => …)` follows it.
        package var hasTimeTravel: Bool
        /// Bytes before it in the text; nil where the parser does not know.
        package var position: Int?
    }

    /// A function that is called.
    package struct Function: Sendable, Hashable {
        package var name: String
        /// Whether it stands where a table stands.
        package var isTable: Bool
        package var position: Int?
    }

    /// How many statements the text has.
    package private(set) var statements = 0
    /// Every mention, in no order.
    package private(set) var tables: [Table] = []
    package private(set) var functions: [Function] = []
    /// What `WITH` names, in small letters.
    package private(set) var withNames: Set<String> = []
    /// What `SHOW` and `DESCRIBE` without a query name, as `"tables"`.
    package private(set) var shows: [String] = []

    /// Whether it is `SHOW TABLES`.
    package var isTableListing: Bool {
        statements == 1 && tables.isEmpty && shows.count == 1
            && shows[0].lowercased().filter { $0 != "\"" } == "tables"
    }

    /// Where parameters stand (1 is the first), by name; those without one are named by their number.
    package private(set) var parameters: [String: Int] = [:]

    /// Reads the tree of a text, as `json_serialize_sql` gives it.
    package init(tree: JSONValue) {
        let list = tree["statements"].array ?? []
        statements = list.count
        for entry in list.first?["named_param_map"].array ?? [] {
            if let name = entry["key"].string, let place = entry["value"].int { parameters[name] = place }
        }
        // Not by recursion: the tree is as deep as its author likes.
        var pending = list
        while let value = pending.popLast() {
            switch value {
            case .array(let elements): pending += elements
            case .object(let members):
                note(value)
                pending += members.values
            default: break
            }
        }
    }

    private mutating func note(_ node: JSONValue) {
        if let map = node["cte_map"]["map"].array {
            for entry in map { if let name = entry["key"].string { withNames.insert(name.lowercased()) } }
        }
        switch node["type"].string {
        case "BASE_TABLE":
            guard let name = node["table_name"].string else { return }
            tables.append(
                Table(
                    catalog: node["catalog_name"].string ?? "", schema: node["schema_name"].string ?? "", name: name,
                    hasTimeTravel: !node["at_clause"].isNull, position: Self.position(node)))
        case "TABLE_FUNCTION":
            guard let name = node["function"]["function_name"].string else { return }
            functions.append(Function(name: name.lowercased(), isTable: true, position: Self.position(node)))
        case "SHOW_REF":
            if node["query"].isNull, let name = node["table_name"].string { shows.append(name) }
        default:
            guard node["class"].string == "FUNCTION", let name = node["function_name"].string else { return }
            functions.append(Function(name: name.lowercased(), isTable: false, position: Self.position(node)))
        }
    }

    /// The parser marks an unknown place with the largest number, which is no `Int`.
    private static func position(_ node: JSONValue) -> Int? {
        if case .int(let place) = node["query_location"], place >= 0 { Int(place) } else { nil }
    }
}

/// What DuckDB's parser says of a text.
package enum SQLParse: Sendable, Equatable {
    /// Queries only: `SELECT`, `WITH`, `VALUES`, `FROM`, `DESCRIBE`, `SUMMARIZE`, `SHOW`.
    case query(SQLShape)
    /// SQL with a statement that is no query.
    case other
    /// No SQL: what is wrong, and bytes before it where the parser knows.
    case malformed(String, position: Int?)
}

extension LakeConnection {
    /// Bytes of a tree at most: a text of some hundred KiB.
    private static var maximumTree: Int { 16 << 20 }
    /// Levels of a tree at most.
    private static var maximumDepth: Int { 1024 }

    /// Has DuckDB parse a text; nothing of it runs. For connections of DuckDB.
    /// - Throws: `limit` for a text whose tree is too large or too deep.
    package func parse(_ sql: String) async throws(LakeError) -> SQLParse {
        guard !sql.utf8.contains(0) else { return .malformed("the text has a byte 0", position: nil) }
        let parameters: ArrowBatch
        do {
            let field = ArrowField("sql", .utf8)
            parameters = try ArrowBatch(
                schema: ArrowSchemaInfo([field]), rowCount: 1, columns: [.strings([sql])])
        } catch { throw LakeError(error) }
        let result = try await query(
            "SELECT CAST(json_serialize_sql(CAST(? AS VARCHAR)) AS VARCHAR)", parameters: parameters)
        guard let text = try await result.rows().first?.first?.text else {
            throw LakeError(.internal, "the parser gave no tree")
        }
        guard text.utf8.count <= Self.maximumTree else {
            throw LakeError(.limit, "the statement has too many parts")
        }
        let tree: JSONValue
        do {
            tree = try JSONParser.parse(text, maxDepth: Self.maximumDepth)
        } catch {
            throw LakeError(.limit, "the statement is nested too deep")
        }
        guard tree["error"].bool == true else { return .query(SQLShape(tree: tree)) }
        let message = tree["error_message"].string ?? "the text is no SQL"
        if tree["error_type"].string == "not implemented", message.hasPrefix("Only SELECT") { return .other }
        return .malformed(
            message, position: tree["position"].string.flatMap { Int($0) })
    }
}
