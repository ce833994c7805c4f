// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A list: elements of JSON, seen when they are read, or values.
package struct CELList: Sendable {
    private enum Storage: Sendable {
        case json([JSONValue], CELSchema)
        case values([CELValue])
    }

    private let storage: Storage
    /// How it compares and adds.
    package let kind: CELSchema.ListKind

    package init(json: [JSONValue], schema: CELSchema, kind: CELSchema.ListKind) {
        storage = .json(json, schema)
        self.kind = kind
    }

    package init(_ values: [CELValue], kind: CELSchema.ListKind = .atomic) {
        storage = .values(values)
        self.kind = kind
    }

    package var count: Int {
        switch storage {
        case .json(let elements, _): elements.count
        case .values(let values): values.count
        }
    }

    package subscript(index: Int) -> CELValue {
        switch storage {
        case .json(let elements, let schema): CELValue(elements[index], schema: schema)
        case .values(let values): values[index]
        }
    }

    /// All elements as values.
    package var values: [CELValue] {
        switch storage {
        case .json(let elements, let schema): elements.map { CELValue($0, schema: schema) }
        case .values(let values): values
        }
    }
}

/// A key of a map, equal across the numeric types.
package enum CELKey: Hashable, Sendable {
    case bool(Bool)
    case int(Int64)
    /// Only what no `int` can be.
    case uint(UInt64)
    case string(String)

    /// The key that a value is; nil for a value that can be none.
    init?(_ value: CELValue) {
        switch value {
        case .bool(let flag): self = .bool(flag)
        case .int(let number): self = .int(number)
        case .uint(let number): self = Int64(exactly: number).map(CELKey.int) ?? .uint(number)
        case .double(let number):
            if let integer = Int64(exactly: number) {
                self = .int(integer)
            } else if let integer = UInt64(exactly: number) {
                self = .uint(integer)
            } else {
                return nil
            }
        case .string(let text): self = .string(text)
        default: return nil
        }
    }
}

/// A map: members of JSON, seen when they are read, or values.
package struct CELMap: Sendable {
    struct Entry: Sendable {
        var key: CELValue
        var value: CELValue
    }

    private enum Storage: Sendable {
        case json([String: JSONValue], CELSchema)
        case values([CELKey: Entry])
    }

    private let storage: Storage

    /// - Parameters:
    ///   - json: the members.
    ///   - schema: what is declared about each value.
    package init(json: [String: JSONValue], schema: CELSchema) { storage = .json(json, schema) }

    init(_ entries: [CELKey: Entry]) { storage = .values(entries) }

    /// A map with keys of type string.
    package init(_ members: [String: CELValue]) {
        var entries: [CELKey: Entry] = [:]
        for (key, value) in members { entries[.string(key)] = Entry(key: .string(key), value: value) }
        storage = .values(entries)
    }

    package var count: Int {
        switch storage {
        case .json(let members, _): members.count
        case .values(let entries): entries.count
        }
    }

    /// The value of a key; nil where there is none.
    package subscript(key: CELKey) -> CELValue? {
        switch storage {
        case .json(let members, let schema):
            guard case .string(let name) = key, let value = members[name] else { return nil }
            return CELValue(value, schema: schema)
        case .values(let entries): return entries[key]?.value
        }
    }

    /// The keys in a fixed order, so that an expression gives the same result every time.
    var keys: [CELValue] {
        switch storage {
        case .json(let members, _): members.keys.sorted { CELText.isLess($0, $1) }.map(CELValue.string)
        case .values(let entries): entries.keys.sorted(by: Self.precedes).compactMap { entries[$0]?.key }
        }
    }

    /// The members as entries.
    var entries: [CELKey: Entry] {
        switch storage {
        case .json(let members, let schema):
            var entries: [CELKey: Entry] = [:]
            entries.reserveCapacity(members.count)
            for (key, value) in members {
                entries[.string(key)] = Entry(key: .string(key), value: CELValue(value, schema: schema))
            }
            return entries
        case .values(let entries): return entries
        }
    }

    private static func precedes(_ left: CELKey, _ right: CELKey) -> Bool {
        switch (left, right) {
        case (.bool(let left), .bool(let right)): !left && right
        case (.int(let left), .int(let right)): left < right
        case (.uint(let left), .uint(let right)): left < right
        case (.string(let left), .string(let right)): CELText.isLess(left, right)
        default: rank(left) < rank(right)
        }
    }

    private static func rank(_ key: CELKey) -> Int {
        switch key {
        case .bool: 0
        case .int: 1
        case .uint: 2
        case .string: 3
        }
    }
}

/// A value with declared fields: members of JSON, or what an expression made (`Object{…}`).
package struct CELObject: Sendable {
    private enum Storage: Sendable {
        case json([String: JSONValue])
        case values([String: CELValue])
    }

    package let type: CELObjectType
    private let storage: Storage

    package init(type: CELObjectType, json: [String: JSONValue]) {
        self.type = type
        storage = .json(json)
    }

    init(type: CELObjectType, values: [String: CELValue]) {
        self.type = type
        storage = .values(values)
    }

    /// The field that expressions call by this name; nil where it is not set.
    package func field(_ name: String) -> CELValue? {
        switch storage {
        case .json(let members):
            guard let field = type.field(name), let value = members[field.key] else { return nil }
            return CELValue(value, schema: field.schema)
        case .values(let values): return values[name]
        }
    }

    /// The fields that are set, by the names that expressions use for what an expression made, and by those of JSON
    /// for what came from there.
    package var fields: [String: CELValue] {
        switch storage {
        case .json(let members):
            var fields: [String: CELValue] = [:]
            for (key, value) in members {
                let name = CELNames.escape(key) ?? key
                fields[name] = CELValue(value, schema: type.field(name)?.schema ?? .dynamic)
            }
            return fields
        case .values(let values): return values
        }
    }

    /// The members in JSON; nil for what an expression made.
    package var json: [String: JSONValue]? {
        if case .json(let members) = storage { members } else { nil }
    }
}
