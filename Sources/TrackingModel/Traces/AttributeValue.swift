// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import ByteCodes

/// One value of an attribute: what OpenTelemetry's `AnyValue` holds, which is also what Python's JSON holds. Members keep
/// their order.
package indirect enum AttributeValue: Sendable, Hashable {
    case none
    case string(String)
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case bytes([UInt8])
    case array([AttributeValue])
    case map([Attribute])
}

/// A key and its value.
package struct Attribute: Sendable, Hashable {
    package var key: String
    package var value: AttributeValue

    package init(_ key: String, _ value: AttributeValue) {
        self.key = key
        self.value = value
    }
}

extension AttributeValue {
    /// The text, or nil for any other kind of value.
    package var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The number, or nil for any other kind of value.
    package var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// The elements, or nil for any other kind of value.
    package var elements: [AttributeValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members, or nil for any other kind of value.
    package var members: [Attribute]? {
        if case .map(let value) = self { value } else { nil }
    }

    /// The member of a key, the last where there are more.
    package subscript(key: String) -> AttributeValue? { members?.last { $0.key == key }?.value }

    /// Whether Python would call it false.
    package var isFalse: Bool {
        switch self {
        case .none, .bool(false), .int(0), .double(0): true
        case .string(let text): text.isEmpty
        case .bytes(let bytes): bytes.isEmpty
        case .array(let elements): elements.isEmpty
        case .map(let members): members.isEmpty
        default: false
        }
    }

    /// As protobuf's JSON shows an `AnyValue`.
    package var otlpJSON: JSONValue {
        switch self {
        case .none: .object([:])
        case .string(let text): ["string_value": .string(text)]
        case .bool(let value): .object(["bool_value": .bool(value)])
        case .int(let value): ["int_value": .int(value)]
        case .double(let value): ["double_value": Self.json(value)]
        case .bytes(let bytes): ["bytes_value": .string(Base64Text.encode(bytes))]
        case .array(let elements):
            .object(["array_value": .object(["values": .array(elements.map(\.otlpJSON))])])
        case .map(let members):
            .object(["kvlist_value": .object(["values": .array(members.map(\.otlpJSON))])])
        }
    }

    /// A double in protobuf's JSON: three values that JSON lacks are texts.
    private static func json(_ value: Double) -> JSONValue {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return .double(value)
    }
}

extension Attribute {
    /// As protobuf's JSON shows a `KeyValue`.
    package var otlpJSON: JSONValue { .object(["key": .string(key), "value": value.otlpJSON]) }
}
