// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Walks values along their types. What the walks share is here; each walk has a file of its own.
///
/// The rules are those of Kubernetes' structured merges: scalars and atomic values are leaves, the members of other
/// objects and the elements of sets and keyed lists are followed one by one.
struct TypedWalker: Sendable {
    let nodes: [MergeNode]

    /// What a value is to a walk.
    enum Form {
        case leaf
        case object(MergeNode)
        case list(MergeNode)
    }

    private static let deducedObject = MergeNode(kind: .object, others: MergeTable.deduced)

    /// The form of a value of a type; a value that does not fit its type is a leaf.
    func form(_ value: JSONValue, _ type: Int) -> Form {
        let node = nodes[type]
        switch (node.kind, value) {
        case (.object, .object) where !node.isAtomic: return .object(node)
        case (.list, .array) where !node.isAtomic: return .list(node)
        case (.deduced, .object): return .object(Self.deducedObject)
        default: return .leaf
        }
    }

    /// What an object or a list is of a type whose value is missing or null; a leaf for types without a form.
    func form(of type: Int) -> Form {
        let node = nodes[type]
        switch node.kind {
        case .object where !node.isAtomic: return .object(node)
        case .list where !node.isAtomic: return .list(node)
        default: return .leaf
        }
    }

    // MARK: Elements of lists

    /// The path element of a list's element.
    /// - Throws: why there is none, in upstream's words.
    func element(_ item: JSONValue, _ node: MergeNode) throws(ElementError) -> PathElement {
        guard !node.keys.isEmpty else {
            switch item {
            case .object:
                throw ElementError(reason: "associative list without keys has an element that's a map type")
            case .array: throw ElementError(reason: "not supported: associative list with lists as elements")
            case .null:
                throw ElementError(reason: "associative list without keys has an element that's an explicit null")
            default: return .value(item)
            }
        }
        guard case .object(let members) = item else {
            throw ElementError(
                reason: item.isNull
                    ? "associative list with keys may not have null elements"
                    : "associative list with keys may not have non-map elements")
        }
        var key: [String: JSONValue] = [:]
        for part in node.keys {
            guard let value = members[part.name] ?? part.defaultValue else {
                throw ElementError(
                    reason: "associative list with keys has an element that omits key field \"\(part.name)\" (and "
                        + "doesn't have default value)")
            }
            key[part.name] = value
        }
        return .key(key)
    }

    /// The elements of a live list with their path elements: one without any, or that occurs again, counts as new.
    func elements(_ list: [JSONValue], _ node: MergeNode) -> [PathElement?] {
        list.map { try? element($0, node) }
    }

    struct ElementError: Error {
        let reason: String
    }

    /// Whether two elements have the same key, without making texts of them.
    func isSameElement(_ left: JSONValue, _ right: JSONValue, _ node: MergeNode) -> Bool {
        guard !node.keys.isEmpty else {
            switch (left, right) {
            case (.object, _), (.array, _), (.null, _): return false
            default: return left == right
            }
        }
        guard case .object(let left) = left, case .object(let right) = right else { return false }
        return node.keys.allSatisfy { key in
            let mine = left[key.name] ?? key.defaultValue
            return mine != nil && mine == (right[key.name] ?? key.defaultValue)
        }
    }

    /// Equality of leaves: numbers by value.
    static func isEqual(_ left: JSONValue, _ right: JSONValue) -> Bool {
        switch (left, right) {
        case (.int(let left), .double(let right)), (.double(let right), .int(let left)): Double(left) == right
        default: left == right
        }
    }
}
