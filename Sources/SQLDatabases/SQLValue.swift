// SPDX-License-Identifier: Apache-2.0

/// A value that a statement is given, or gives.
package enum SQLValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case bytes([UInt8])

    /// Null where there is no text.
    package init(_ text: String?) { self = text.map { .text($0) } ?? .null }

    /// Null where there is no number.
    package init(_ number: Int64?) { self = number.map { .integer($0) } ?? .null }
}

extension SQLValue: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral, ExpressibleByNilLiteral {
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(stringLiteral value: String) { self = .text(value) }
    package init(nilLiteral: ()) { self = .null }
}

/// A row of a result; columns are counted from 0.
///
/// A column that is of another kind than is asked for, or null, gives nothing (`…IfAny`) or the kind's zero: statements
/// and schema are the program's own.
package struct SQLRow: Sendable, Hashable {
    /// Of all rows of the result, one after the other: rows have no memory of their own.
    private let found: [SQLValue]
    private let start: Int
    private let count: Int

    package init(_ values: [SQLValue]) { self.init(values, 0, values.count) }

    private init(_ found: [SQLValue], _ start: Int, _ count: Int) {
        self.found = found
        self.start = start
        self.count = count
    }

    /// The rows of a result.
    static func rows(_ found: [SQLValue], columns: Int) -> [SQLRow] {
        guard columns > 0 else { return [] }
        return stride(from: 0, to: found.count, by: columns).map { SQLRow(found, $0, columns) }
    }

    package var values: [SQLValue] { Array(found[start..<start + count]) }

    package static func == (one: SQLRow, other: SQLRow) -> Bool { one.values == other.values }
    package func hash(into hasher: inout Hasher) { hasher.combine(values) }

    package subscript(_ index: Int) -> SQLValue { found[start + index] }

    package func isNull(_ index: Int) -> Bool { self[index] == .null }

    package func integerIfAny(_ index: Int) -> Int64? {
        if case .integer(let value) = self[index] { value } else { nil }
    }

    package func realIfAny(_ index: Int) -> Double? {
        switch self[index] {
        case .real(let value): value
        case .integer(let value): Double(value)
        default: nil
        }
    }

    package func textIfAny(_ index: Int) -> String? {
        if case .text(let value) = self[index] { value } else { nil }
    }

    package func bytesIfAny(_ index: Int) -> [UInt8]? {
        if case .bytes(let value) = self[index] { value } else { nil }
    }

    package func integer(_ index: Int) -> Int64 { integerIfAny(index) ?? 0 }
    package func real(_ index: Int) -> Double { realIfAny(index) ?? 0 }
    package func text(_ index: Int) -> String { textIfAny(index) ?? "" }
    package func bytes(_ index: Int) -> [UInt8] { bytesIfAny(index) ?? [] }
    package func bool(_ index: Int) -> Bool { integer(index) != 0 }
}
