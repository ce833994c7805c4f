// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Compiles shapes and built-in types into the nodes of a ``MergeTable``.
struct MergeTableBuilder {
    private let schema: Schema
    private var messages: [Int: Int] = [:]
    private(set) var nodes: [MergeNode] = [
        MergeNode(kind: .scalar(.string)), MergeNode(kind: .scalar(.number)), MergeNode(kind: .scalar(.boolean)),
        MergeNode(kind: .scalar(.any)), MergeNode(kind: .anything, isAtomic: true), MergeNode(kind: .deduced),
    ]

    init(schema: Schema) { self.schema = schema }

    private mutating func append(_ node: MergeNode) -> Int {
        nodes.append(node)
        return nodes.count - 1
    }

    // MARK: Shapes

    /// The index of a shape's node.
    mutating func add(_ shape: MergeShape) -> Int {
        switch shape {
        case .scalar(.string): return MergeTable.string
        case .scalar(.number): return MergeTable.number
        case .scalar(.boolean): return MergeTable.boolean
        case .scalar(.any): return MergeTable.scalar
        case .anything: return MergeTable.anything
        case .deduced: return MergeTable.deduced
        case .object(let fields, let others, let isAtomic):
            var node = MergeNode(kind: .object, isAtomic: isAtomic)
            for (name, field) in fields {
                node.fields[name] = MergeNode.Field(name, type: add(field), presence: .absent)
            }
            node.others = others.map { add($0) }
            return append(node)
        case .list(let element, let kind):
            return append(list(add(element), kind))
        case .builtIn(let name):
            guard let index = schema.messages.firstIndex(where: { $0.name == name }) else { return MergeTable.deduced }
            return add(message: index)
        }
    }

    private func list(_ element: Int, _ kind: MergeShape.ListKind) -> MergeNode {
        var node = MergeNode(kind: .list, element: element)
        switch kind {
        case .atomic: node.isAtomic = true
        case .set: break
        case .map(let keys): node.keys = keys.sorted { $0.name < $1.name }
        }
        return node
    }

    // MARK: Built-in types

    /// The index of a built-in type's node.
    mutating func add(message index: Int) -> Int {
        if let known = messages[index] { return known }
        let message = schema.messages[index]
        let position = append(MergeNode(kind: .object, isAtomic: message.isAtomic))
        messages[index] = position
        var fields: [String: MergeNode.Field] = [:]
        for field in message.jsonFields {
            fields[field.name] = MergeNode.Field(
                field.name, type: type(of: field), presence: Self.presence(of: field))
        }
        nodes[position].fields = fields
        return position
    }

    private mutating func type(of field: SchemaField) -> Int {
        let type = add(field.type, field)
        guard field.mapType == "atomic", case .object = nodes[type].kind, !nodes[type].isAtomic else { return type }
        var node = nodes[type]
        node.isAtomic = true
        return append(node)
    }

    private mutating func add(_ type: SchemaType, _ field: SchemaField?) -> Int {
        switch type {
        case .string, .bytes: return MergeTable.string
        case .bool: return MergeTable.boolean
        case .int32, .int64, .double: return MergeTable.number
        case .quantity, .intOrString, .time, .microTime: return MergeTable.scalar
        case .rawExtension, .fieldsV1: return MergeTable.anything
        case .message(let index): return add(message: index)
        case .map(let element):
            let node = MergeNode(kind: .object, others: add(element, nil))
            return append(node)
        case .wrappedStrings: return append(list(MergeTable.string, .atomic))
        case .list(let element): return append(list(add(element, nil), listKind(field, element)))
        }
    }

    /// The list type where there is one; else what a strategic merge patch would do.
    private func listKind(_ field: SchemaField?, _ element: SchemaType) -> MergeShape.ListKind {
        switch field?.listType {
        case "atomic": return .atomic
        case "set": return .set
        case "map": return .map(keys: field?.listMapKeys.map { key($0, element) } ?? [])
        default:
            guard let field, field.patchStrategies.contains("merge") else { return .atomic }
            return field.mergeKey.map { .map(keys: [key($0, element)]) } ?? .set
        }
    }

    private func key(_ name: String, _ element: SchemaType) -> MergeShape.Key {
        guard case .message(let index) = element else { return MergeShape.Key(name) }
        return MergeShape.Key(name, default: schema.messages[index].field(name)?.defaultValue)
    }

    private static func presence(of field: SchemaField) -> EmptyPresence {
        if field.isPointer { return field.omitsEmpty ? .absent : .null }
        switch field.type {
        case .message: return field.omitsZero ? .absent : .object
        case .time, .microTime: return field.omitsZero ? .absent : .null
        case _ where field.omitsEmpty: return .absent
        case .string: return .zero("")
        case .bool: return .zero(false)
        case .int32, .int64, .double: return .zero(0)
        case .quantity: return .zero("0")
        case .intOrString: return .zero(0)
        case .list, .map, .bytes, .wrappedStrings, .rawExtension, .fieldsV1: return .null
        }
    }
}
