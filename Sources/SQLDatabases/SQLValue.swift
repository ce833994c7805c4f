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
    package let values: [SQLValue]

    package init(_ values: [SQLValue]) { self.values = values }

    package subscript(_ index: Int) -> SQLValue { values[index] }

    package func isNull(_ index: Int) -> Bool { values[index] == .null }

    package func integerIfAny(_ index: Int) -> Int64? {
        if case .integer(let value) = values[index] { value } else { nil }
    }

    package func realIfAny(_ index: Int) -> Double? {
        switch values[index] {
        case .real(let value): value
        case .integer(let value): Double(value)
        default: nil
        }
    }

    package func textIfAny(_ index: Int) -> String? {
        if case .text(let value) = values[index] { value } else { nil }
    }

    package func bytesIfAny(_ index: Int) -> [UInt8]? {
        if case .bytes(let value) = values[index] { value } else { nil }
    }

    package func integer(_ index: Int) -> Int64 { integerIfAny(index) ?? 0 }
    package func real(_ index: Int) -> Double { realIfAny(index) ?? 0 }
    package func text(_ index: Int) -> String { textIfAny(index) ?? "" }
    package func bytes(_ index: Int) -> [UInt8] { bytesIfAny(index) ?? [] }
    package func bool(_ index: Int) -> Bool { integer(index) != 0 }
}
