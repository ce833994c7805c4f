// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import KubeAPI

extension StructuralSchema {
    /// The most unknown fields that are told of.
    private static let reported = 100
    /// Members of every object, not subject to pruning at the root and in embedded resources.
    static let metaFields: Set = ["apiVersion", "kind", "metadata"]

    /// Removes what the schema does not know.
    ///
    /// Source: Kubernetes "Field pruning", "Controlling pruning".
    /// - Parameters:
    ///   - object: a whole object; `apiVersion`, `kind` and `metadata` stay.
    ///   - isRoot: whether the value is a resource.
    /// - Returns: paths of what was removed, sorted, at most 100.
    package func prune(_ object: inout JSONValue, isRoot: Bool = true) -> [String] {
        var pruner = Pruner(limit: Self.reported)
        pruner.prune(&object, self, keepsMeta: isRoot || isEmbeddedResource)
        return pruner.unknown.sorted()
    }
}

/// Walks a value beside its schema. Values without unknown fields are not copied.
private struct Pruner {
    let limit: Int
    private(set) var unknown: [String] = []
    private var path: [String] = []

    init(limit: Int) { self.limit = limit }

    mutating func prune(_ value: inout JSONValue, _ schema: StructuralSchema?, keepsMeta: Bool = false) {
        switch value {
        case .object(var members):
            let keepsAll = schema?.preservesUnknownFields ?? false
            if keepsAll, let schema, schema.properties.isEmpty, schema.additionalSchema == nil { return }
            var changed: [String: JSONValue?] = [:]
            for (key, member) in members {
                if keepsMeta, StructuralSchema.metaFields.contains(key) { continue }
                let below = schema?.schema(of: key)
                if below == nil, !keepsAll {
                    if case .allowed = schema?.additional, schema?.properties[key] == nil {
                        // `additionalProperties: true` says nothing of what is inside: upstream prunes all of it.
                    } else {
                        if !(path.isEmpty && StructuralSchema.metaFields.contains(key)) { record(key) }
                        changed[key] = .some(nil)
                        continue
                    }
                }
                if below == nil, keepsAll { continue }
                guard member.object != nil || member.array != nil else { continue }
                path.append(path.isEmpty ? key : ".\(key)")
                var copy = member
                prune(&copy, below, keepsMeta: below?.isEmbeddedResource ?? false)
                path.removeLast()
                if copy != member { changed[key] = copy }
            }
            guard !changed.isEmpty else { return }
            for (key, member) in changed { members[key] = member }
            value = .object(members)
        case .array(var elements):
            if schema?.preservesUnknownFields == true, schema?.items == nil { return }
            for index in elements.indices where elements[index].object != nil || elements[index].array != nil {
                path.append("[\(index)]")
                let items = schema?.items
                prune(&elements[index], items, keepsMeta: items?.isEmbeddedResource ?? false)
                path.removeLast()
            }
            value = .array(elements)
        default: break
        }
    }

    private mutating func record(_ key: String) {
        guard unknown.count < limit else { return }
        unknown.append(path.isEmpty ? key : path.joined() + ".\(key)")
    }
}
