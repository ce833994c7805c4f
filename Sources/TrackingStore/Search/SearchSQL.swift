// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
import TrackingModel

/// A piece of a statement with the values that stand for its question marks.
struct SearchPart: Sendable, Hashable {
    var sql: String
    var values: [SQLValue]

    init(_ sql: String, _ values: [SQLValue] = []) {
        self.sql = sql
        self.values = values
    }

    /// Nothing holds.
    static let never = SearchPart("1 = 0")
}

/// Comparisons of conditions as SQL, for both databases.
enum SearchSQL {
    /// Bytes of a pattern at most; SQLite refuses longer ones.
    static let maximumPattern = 20_000
    /// How many values a list has in statements: a few numbers, so that a few statements serve all lists.
    private static let sizes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 10_000]

    /// A text's comparison.
    /// - Parameters:
    ///   - column: SQL of a text.
    ///   - comparator: how it is compared; not IS NULL and IS NOT NULL.
    ///   - value: a text or texts.
    ///   - dialect: of the database.
    /// - Returns: its SQL.
    /// - Throws: INVALID_PARAMETER_VALUE for a pattern that is too long, and for what texts do not have.
    static func text(
        _ column: String, _ comparator: SearchComparator, _ value: SearchValue, _ dialect: SQLDialect
    ) throws(TrackingError) -> SearchPart {
        switch (comparator, value) {
        case (.like, .text(let pattern)), (.ilike, .text(let pattern)):
            guard pattern.utf8.count <= maximumPattern else {
                throw .invalid("A pattern of the filter is longer than \(maximumPattern) bytes.")
            }
            // A backslash is itself, as in SQLite.
            switch (comparator, dialect) {
            case (.like, .sqlite): return SearchPart("\(column) LIKE ?", [.text(pattern)])
            case (_, .sqlite): return SearchPart("lower(\(column)) LIKE lower(?)", [.text(pattern)])
            case (.like, .postgres): return SearchPart("\(column) LIKE ? ESCAPE ''", [.text(pattern)])
            case (_, .postgres): return SearchPart("\(column) ILIKE ? ESCAPE ''", [.text(pattern)])
            }
        case (.in, .texts(let texts)): return list("\(column) IN", texts.map { .text($0) })
        case (.notIn, .texts(let texts)): return list("\(column) NOT IN", texts.map { .text($0) })
        case (_, .text(let text)):
            guard let sign = sign(comparator) else { break }
            return SearchPart("\(column) \(sign) ?", [.text(text)])
        default: break
        }
        throw .invalid("\(comparator.rawValue) does not compare texts with this value.")
    }

    /// A number's comparison.
    /// - Throws: INVALID_PARAMETER_VALUE for what numbers do not have.
    static func number(
        _ column: String, _ comparator: SearchComparator, _ value: SearchValue
    ) throws(TrackingError) -> SearchPart {
        switch (comparator, value) {
        case (.in, .integers(let numbers)): return list("\(column) IN", numbers.map { .integer($0) })
        case (.notIn, .integers(let numbers)): return list("\(column) NOT IN", numbers.map { .integer($0) })
        case (_, .integer(let number)):
            if let sign = sign(comparator) { return SearchPart("\(column) \(sign) ?", [.integer(number)]) }
        case (_, .real(let number)):
            if let sign = sign(comparator) { return SearchPart("\(column) \(sign) ?", [.real(number)]) }
        default: break
        }
        throw .invalid("\(comparator.rawValue) does not compare numbers with this value.")
    }

    /// `x IN (?, …)`; filled up with the last value, so that a few statements serve all lengths.
    static func list(_ head: String, _ values: [SQLValue]) -> SearchPart {
        guard let last = values.last else { return .never }
        let size = sizes.first { $0 >= values.count } ?? values.count
        let filled = values + [SQLValue](repeating: last, count: size - values.count)
        return SearchPart("\(head) (\(Rows.marks(size)))", filled)
    }

    /// The comparison's sign; nil for those that are words.
    private static func sign(_ comparator: SearchComparator) -> String? {
        switch comparator {
        case .equal: "="
        case .notEqual: "<>"
        case .less: "<"
        case .atMost: "<="
        case .greater: ">"
        case .atLeast: ">="
        default: nil
        }
    }
}

/// One value by which rows are ordered, and where a page begins.
struct SearchKey: Sendable {
    /// SQL of the value, without values of its own.
    let sql: String
    let isAscending: Bool
    /// Whether it may be null; then a key before it says so, and null follows all else.
    var isNullable = false

    /// `ORDER BY …`
    static func order(_ keys: [SearchKey]) -> String {
        "ORDER BY " + keys.map { $0.sql + ($0.isAscending ? "" : " DESC") }.joined(separator: ", ")
    }

    /// What holds for rows behind a page's end.
    static func behind(_ token: PageToken, _ keys: [SearchKey]) -> SearchPart {
        var ways: [String] = []
        var values: [SQLValue] = []
        var (equal, equalValues): ([String], [SQLValue]) = ([], [])
        for (key, value) in zip(keys, token.values) {
            guard let bound = SQLValue(value) else {
                equal.append("\(key.sql) IS NULL")
                continue
            }
            ways.append((equal + ["\(key.sql) \(key.isAscending ? ">" : "<") ?"]).joined(separator: " AND "))
            values += equalValues + [bound]
            equal.append("\(key.sql) = ?")
            equalValues.append(bound)
        }
        guard !ways.isEmpty else { return .never }
        let all = ways.map { "(\($0))" }.joined(separator: " OR ")
        // Said apart, the first key bounds where an index is read.
        guard let first = keys.first, let value = token.values.first.flatMap({ SQLValue($0) }) else {
            return SearchPart("(\(all))", values)
        }
        return SearchPart("\(first.sql) \(first.isAscending ? ">=" : "<=") ? AND (\(all))", [value] + values)
    }

    /// The values of a row, from a column on.
    static func token(_ row: SQLRow, from column: Int, _ keys: [SearchKey]) -> PageToken {
        PageToken(
            keys.indices.map { index in
                switch row[column + index] {
                case .integer(let number): .integer(number)
                case .real(let number): .real(number)
                case .text(let text): .text(text)
                case .null, .bytes: .null
                }
            })
    }
}

extension SQLValue {
    /// Nil for null.
    fileprivate init?(_ value: PageToken.Value) {
        switch value {
        case .null: return nil
        case .integer(let number): self = .integer(number)
        case .real(let number): self = .real(number)
        case .text(let text): self = .text(text)
        }
    }
}
