// SPDX-License-Identifier: Apache-2.0
package import ApusCore

extension CELValue {
    /// The most values in one another that become JSON.
    private static let maxValues = 1_000_000

    /// The value as JSON.
    ///
    /// - Parameter field: the property that a field of an object stands for, by the object's type and the field's
    ///   name; may refuse the object.
    /// - Returns: JSON; absent optional values are left out of objects.
    /// - Throws: for a value that JSON has none of, or too many.
    package func json(
        field: (CELObjectType, String, CELValue) throws(CELError) -> String = { _, name, _ in CELNames.unescape(name) }
    ) throws(CELError) -> JSONValue {
        var count = 0
        return try json(field, &count)
    }

    private func json(
        _ field: (CELObjectType, String, CELValue) throws(CELError) -> String, _ count: inout Int
    ) throws(CELError) -> JSONValue {
        count += 1
        guard count <= Self.maxValues else { throw .costExceeded }
        switch self {
        case .null: return .null
        case .bool(let flag): return .bool(flag)
        case .int(let number): return .int(number)
        case .uint(let number): return Int64(exactly: number).map(JSONValue.int) ?? .double(Double(number))
        case .double(let number):
            guard number.isFinite else { throw CELError("\(CELPrinter.text(number)) is no number of JSON") }
            return .double(number)
        case .string(let text): return .string(text)
        case .bytes(let bytes): return .string(CELBase64.encode(bytes))
        case .timestamp(let moment): return .string(moment.text)
        case .duration(let span): return .string(span.text)
        case .list(let list):
            var elements: [JSONValue] = []
            for index in 0..<list.count { elements.append(try list[index].json(field, &count)) }
            return .array(elements)
        case .map(let map):
            var members: [String: JSONValue] = [:]
            for (key, entry) in map.entries {
                guard case .string(let name) = key else { throw CELError("keys of JSON are strings") }
                members[name] = try entry.value.json(field, &count)
            }
            return .object(members)
        case .object(let object):
            if let members = object.json { return .object(members) }
            var members: [String: JSONValue] = [:]
            for (name, value) in object.fields {
                if case .optional(nil) = value { continue }
                members[try field(object.type, name, value)] = try value.json(field, &count)
            }
            return .object(members)
        case .optional(let wrapped): return try wrapped?.json(field, &count) ?? .null
        case .quantity(let quantity): return .string(quantity.text)
        case .ip, .cidr, .url, .semver: return .string(CELPrinter.plain(self))
        case .type, .format, .access, .host:
            throw CELError("a value of type \(type.runtimeName) is no JSON")
        }
    }
}
