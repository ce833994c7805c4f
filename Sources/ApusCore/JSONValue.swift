// SPDX-License-Identifier: Apache-2.0

/// A JSON document as a value (RFC 8259).
///
/// Integers that fit `Int64` keep their exactness and are told apart from other numbers, as Kubernetes requires.
/// Reading a missing key or index gives `.null`; writing `.null` through a subscript removes the key.
package enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])
}

extension JSONValue {
    /// The string, or nil for any other kind of value.
    package var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The boolean, or nil for any other kind of value.
    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The integer, or nil for any other kind of value; a double that is integral is converted.
    package var int: Int? {
        switch self {
        case .int(let value): Int(value)
        case .double(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The number as a double, or nil for any other kind of value.
    package var double: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// The elements, or nil for any other kind of value.
    package var array: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members, or nil for any other kind of value.
    package var object: [String: JSONValue]? {
        if case .object(let value) = self { value } else { nil }
    }

    /// The elements; empty for any other kind of value.
    package var elements: [JSONValue] { array ?? [] }

    /// The members; empty for any other kind of value.
    package var members: [String: JSONValue] { object ?? [:] }

    /// The members whose values are strings; empty for any other kind of value.
    package var stringMembers: [String: String] { members.compactMapValues(\.string) }

    /// Whether this is `null` (also what a missing key reads as).
    package var isNull: Bool { self == .null }

    /// Whether this is `null`, an empty array or an empty object.
    package var isEmpty: Bool {
        switch self {
        case .null: true
        case .array(let value): value.isEmpty
        case .object(let value): value.isEmpty
        default: false
        }
    }

    /// The JSON name of this value's type, for error messages.
    package var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "boolean"
        case .int, .double: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    /// The member named `key`; `.null` when missing. Setting `.null` removes it; setting on a non-object replaces it
    /// by an object.
    package subscript(key: String) -> JSONValue {
        get {
            if case .object(let members) = self { members[key] ?? .null } else { .null }
        }
        _modify {
            var members: [String: JSONValue]
            if case .object(let value) = self {
                members = value
                self = .null
            } else {
                members = [:]
            }
            var value = members.removeValue(forKey: key) ?? .null
            defer {
                if !value.isNull { members[key] = value }
                self = .object(members)
            }
            yield &value
        }
    }

    /// The element at `index`; `.null` when out of range. Setting out of range does nothing.
    package subscript(index: Int) -> JSONValue {
        get {
            if case .array(let elements) = self, elements.indices.contains(index) { elements[index] } else { .null }
        }
        set {
            guard case .array(var elements) = self, elements.indices.contains(index) else { return }
            self = .null
            elements[index] = newValue
            self = .array(elements)
        }
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByStringInterpolation,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(nilLiteral: ()) { self = .null }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int64) { self = .int(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(stringLiteral value: String) { self = .string(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }

    /// Members whose value is `nil` (`.null`) are left out.
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        var members: [String: JSONValue] = [:]
        for (key, value) in elements where !value.isNull { members[key] = value }
        self = .object(members)
    }

    /// A number.
    package init(_ value: Int) { self = .int(Int64(value)) }
    /// A string, or `null`.
    package init(_ value: String?) { self = value.map(JSONValue.string) ?? .null }
    /// A number.
    package init(_ value: Double) { self = .double(value) }
    /// An object of strings.
    package init(_ value: [String: String]) { self = .object(value.mapValues(JSONValue.string)) }
    /// An array of strings.
    package init(_ value: [String]) { self = .array(value.map(JSONValue.string)) }
}
