// SPDX-License-Identifier: Apache-2.0
package import DeltaProtocol

/// Where new rows come from.
package enum DeltaRows: Sendable {
    /// A query of the engine, in its dialect.
    case query(String)
    /// JSON objects, one a line, read by the table's schema; members that are no columns are ignored.
    case jsonLines([UInt8])
}

/// Reads DuckDB's names of types, as DESCRIBE has them.
package enum EngineType {
    /// - Throws: `notAllowed` for types that Delta has not.
    package static func parse(_ text: String, column: String) throws(DeltaError) -> DeltaType {
        var scanner = Scanner(rest: text[...], column: column)
        let type = try scanner.type(0)
        guard scanner.rest.isEmpty else { throw scanner.bad() }
        return type
    }

    private struct Scanner {
        var rest: Substring
        let column: String

        func bad() -> DeltaError {
            DeltaError(
                .notAllowed,
                "column \(column) has the type \(rest.prefix(64)), which Delta has not: cast it in the query")
        }

        mutating func take(_ text: String) -> Bool {
            guard rest.hasPrefix(text) else { return false }
            rest = rest.dropFirst(text.count)
            return true
        }

        mutating func type(_ depth: Int) throws(DeltaError) -> DeltaType {
            guard depth < 50 else { throw bad() }
            var type = try single(depth)
            while take("[]") { type = .array(element: type, containsNull: true) }
            return type
        }

        private mutating func single(_ depth: Int) throws(DeltaError) -> DeltaType {
            if take("STRUCT(") {
                var fields: [DeltaField] = []
                repeat {
                    _ = take(" ")
                    let name = try self.name()
                    guard take(" ") else { throw bad() }
                    fields.append(DeltaField(name, try type(depth + 1)))
                } while take(",")
                guard take(")") else { throw bad() }
                return .structure(fields)
            }
            if take("MAP(") {
                let key = try type(depth + 1)
                guard take(", ") || take(",") else { throw bad() }
                let value = try type(depth + 1)
                guard take(")") else { throw bad() }
                return .map(key: key, value: value, valueContainsNull: true)
            }
            if take("DECIMAL(") {
                let inside = rest.prefix { $0 != ")" }
                let numbers = inside.split(separator: ",").compactMap { Int($0) }
                guard numbers.count == 2, rest.count > inside.count else { throw bad() }
                rest = rest.dropFirst(inside.count + 1)
                return .decimal(precision: numbers[0], scale: numbers[1])
            }
            // Longer names first, as some start with others.
            for (name, type) in Self.simple where take(name) { return type }
            throw bad()
        }

        private mutating func name() throws(DeltaError) -> String {
            guard take("\"") else {
                let name = rest.prefix { $0 != " " }
                rest = rest.dropFirst(name.count)
                return String(name)
            }
            var name = ""
            while let character = rest.popFirst() {
                if character == "\"" {
                    guard take("\"") else { return name }
                }
                name.append(character)
            }
            throw bad()
        }

        /// Numbers without a sign go where all of their values fit.
        private static let simple: [(String, DeltaType)] = [
            ("TIMESTAMP WITH TIME ZONE", .timestamp), ("TIMESTAMPTZ", .timestamp), ("TIMESTAMP_NS", .timestampNtz),
            ("TIMESTAMP_MS", .timestampNtz), ("TIMESTAMP_S", .timestampNtz), ("TIMESTAMP", .timestampNtz),
            ("UTINYINT", .short), ("USMALLINT", .integer), ("UINTEGER", .long), ("TINYINT", .byte),
            ("SMALLINT", .short), ("INTEGER", .integer), ("BIGINT", .long),
            ("UBIGINT", .decimal(precision: 20, scale: 0)),
            ("HUGEINT", .decimal(precision: 38, scale: 0)), ("VARCHAR", .string), ("BOOLEAN", .boolean),
            ("DOUBLE", .double), ("FLOAT", .float), ("DATE", .date), ("BLOB", .binary), ("\"NULL\"", .string),
            ("JSON", .string), ("UUID", .string),
        ]
    }
}
