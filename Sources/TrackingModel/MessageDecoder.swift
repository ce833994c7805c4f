// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Reads JSON as a message, as protobuf's JSON mapping has it (protobuf.dev, "ProtoJSON format"): unknown members are
/// ignored, integers may be texts, enums are names or numbers, a null is no value.
package struct MessageDecoder: Sendable {
    private let table: MessageTable

    package init(_ table: MessageTable = .mlflow) { self.table = table }

    /// The members that a message has, by their names in snake case, integers as integers, enums by name.
    /// - Returns: the fields that could be read, and whether all could. A field of the wrong kind is left out.
    package func decode(_ value: JSONValue, as message: String) -> (fields: [String: JSONValue], isWhole: Bool) {
        guard case .object(let members) = value, let fields = table.messages[message] else { return ([:], false) }
        var result: [String: JSONValue] = [:]
        var isWhole = true
        for (name, member) in members where !member.isNull {
            guard let field = fields[name] else { continue }
            if let read = read(member, field, &isWhole) { result[field.name] = read } else { isWhole = false }
        }
        return (result, isWhole)
    }

    private func read(_ value: JSONValue, _ field: MessageField, _ isWhole: inout Bool) -> JSONValue? {
        guard field.isRepeated else { return read(value, field.kind, &isWhole) }
        guard case .array(let elements) = value else { return nil }
        var result: [JSONValue] = []
        result.reserveCapacity(elements.count)
        for element in elements {
            guard let element = read(element, field.kind, &isWhole) else { return nil }
            result.append(element)
        }
        return .array(result)
    }

    private func read(_ value: JSONValue, _ kind: FieldKind, _ isWhole: inout Bool) -> JSONValue? {
        switch kind {
        case .json: return value
        case .string, .bytes, .timestamp, .duration:
            guard case .string = value else { return nil }
            return value
        case .int64: return Self.integer(value).map { .int($0) }
        case .int32: return Self.integer(value).flatMap { Int32(exactly: $0) }.map { .int(Int64($0)) }
        case .double: return Self.double(value).map { .double($0) }
        case .bool:
            guard case .bool = value else { return nil }
            return value
        case .enumeration(let name):
            guard let names = table.enums[name] else { return nil }
            if case .string(let text) = value { return names[text] == nil ? nil : value }
            guard let number = Self.integer(value) else { return nil }
            return names.first { $0.value == Int(number) }.map { .string($0.key) }
        case .message(let name):
            guard case .object = value else { return nil }
            let (fields, whole) = decode(value, as: name)
            if !whole { isWhole = false }
            return .object(fields)
        case .map(let kind):
            guard case .object(let members) = value else { return nil }
            var result: [String: JSONValue] = [:]
            for (key, member) in members {
                guard let member = read(member, kind, &isWhole) else { return nil }
                result[key] = member
            }
            return .object(result)
        }
    }

    private static func integer(_ value: JSONValue) -> Int64? {
        switch value {
        case .int(let number): number
        case .double(let number): Int64(exactly: number)
        case .string(let text): Int64(text) ?? Double(text).flatMap { Int64(exactly: $0) }
        default: nil
        }
    }

    private static func double(_ value: JSONValue) -> Double? {
        switch value {
        case .int(let number): Double(number)
        case .double(let number): number
        case .string("NaN"): .nan
        case .string("Infinity"): .infinity
        case .string("-Infinity"): -.infinity
        case .string(let text): Double(text)
        default: nil
        }
    }
}
