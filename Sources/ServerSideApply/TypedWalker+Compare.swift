// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// In which fields two objects differ.
package struct Comparison: Hashable, Sendable {
    package var added = FieldSet()
    package var modified = FieldSet()
    package var removed = FieldSet()

    package init() {}

    package var isEmpty: Bool { added.isEmpty && modified.isEmpty && removed.isEmpty }
    /// What the new object says that the old one does not.
    package var changed: FieldSet { added.union(modified) }
}

extension MergeType {
    /// Compares an object with its successor.
    package func compare(_ old: JSONValue, _ new: JSONValue) -> Comparison {
        walker.compare(old, new, root).below
    }

    /// What a new object has beyond an empty one.
    package func created(_ object: JSONValue) -> FieldSet { walker.added(object, root, .object).children }
}

extension TypedWalker {
    enum Change {
        case none
        case added
        case modified
        case removed
    }

    /// Collects what is found at the members or elements of one value.
    private struct Collector {
        var added: [FieldSet.Entry] = []
        var modified: [FieldSet.Entry] = []
        var removed: [FieldSet.Entry] = []

        mutating func take(_ found: (own: Change, below: Comparison), at element: @autoclosure () -> PathElement) {
            guard found.own != .none || !found.below.isEmpty else { return }
            let element = element()
            func entry(_ change: Change, _ set: FieldSet, into entries: inout [FieldSet.Entry]) {
                let entry = FieldSet.Entry(element: element, isMember: found.own == change, children: set)
                if !entry.isEmpty { entries.append(entry) }
            }
            entry(.added, found.below.added, into: &added)
            entry(.modified, found.below.modified, into: &modified)
            entry(.removed, found.below.removed, into: &removed)
        }

        var comparison: Comparison {
            var result = Comparison()
            if !added.isEmpty { result.added = FieldSet(unsorted: added) }
            if !modified.isEmpty { result.modified = FieldSet(unsorted: modified) }
            if !removed.isEmpty { result.removed = FieldSet(unsorted: removed) }
            return result
        }
    }

    /// What differs at a value (`own`) and below it. A missing value is nil; null is a value.
    func compare(_ old: JSONValue?, _ new: JSONValue?, _ type: Int) -> (own: Change, below: Comparison) {
        guard let old else {
            guard let new else { return (.none, Comparison()) }
            let (_, children) = added(new, type, .absent)
            var comparison = Comparison()
            comparison.added = children
            return (.added, comparison)
        }
        guard let new else {
            let (_, children) = added(old, type, .absent)
            var comparison = Comparison()
            comparison.removed = children
            return (.removed, comparison)
        }
        switch (form(old, type), form(new, type)) {
        case (.object(let node), .object):
            // Both without members is one leaf.
            guard !(old.isEmpty && new.isEmpty) else { break }
            return (.none, compareMembers(old.members, new.members, node))
        case (.list(let node), .list):
            guard !(old.isEmpty && new.isEmpty) else { break }
            return (.none, compareElements(old.elements, new.elements, node))
        case (.leaf, .object(let node)) where old.isNull && !new.isEmpty:
            return (.none, compareMembers([:], new.members, node))
        case (.leaf, .list(let node)) where old.isNull && !new.isEmpty:
            return (.none, compareElements([], new.elements, node))
        case (.object(let node), .leaf) where new.isNull && !old.isEmpty:
            return (.none, compareMembers(old.members, [:], node))
        case (.list(let node), .leaf) where new.isNull && !old.isEmpty:
            return (.none, compareElements(old.elements, [], node))
        default: break
        }
        return (Self.isEqual(old, new) ? .none : .modified, Comparison())
    }

    private func compareMembers(
        _ old: [String: JSONValue], _ new: [String: JSONValue], _ node: MergeNode
    ) -> Comparison {
        var found = Collector()
        for (key, value) in new {
            let type = node.member(key) ?? MergeTable.deduced
            found.take(compare(old[key], value, type), at: node.step(key))
        }
        for (key, value) in old where new[key] == nil {
            let type = node.member(key) ?? MergeTable.deduced
            found.take(compare(value, nil, type), at: node.step(key))
        }
        return found.comparison
    }

    private func compareElements(_ old: [JSONValue], _ new: [JSONValue], _ node: MergeNode) -> Comparison {
        var found = Collector()
        // Mostly nothing came or went: element by element, without texts.
        if old.count == new.count, zip(old, new).allSatisfy({ isSameElement($0, $1, node) }),
            !node.keys.isEmpty || old == new
        {
            guard !node.keys.isEmpty else { return Comparison() }
            var seen: Set<PathElement> = []
            var isUnique = true
            for (left, right) in zip(old, new) where left != right {
                guard let element = try? element(right, node) else { continue }
                isUnique = isUnique && seen.insert(element).inserted
                found.take(compare(left, right, node.element), at: element)
            }
            if isUnique { return found.comparison }
            found = Collector()
        }
        let before = grouped(old, node)
        let after = grouped(new, node)
        for (element, items) in after {
            let others = before[element]
            if items.count == 1, others?.count ?? 1 == 1 {
                found.take(compare(others?.first, items[0], node.element), at: element)
            } else if others != items {
                found.take((others == nil ? .added : .modified, Comparison()), at: element)
            }
        }
        for (element, items) in before where after[element] == nil {
            found.take(
                items.count == 1 ? compare(items[0], nil, node.element) : (.removed, Comparison()), at: element)
        }
        return found.comparison
    }

    private func grouped(_ list: [JSONValue], _ node: MergeNode) -> [PathElement: [JSONValue]] {
        var groups: [PathElement: [JSONValue]] = [:]
        for item in list {
            if let element = try? element(item, node) { groups[element, default: []].append(item) }
        }
        return groups
    }

    /// The fields of a value that was not there: all of them, or, in an object that was made from nothing, those that
    /// an empty one does not have.
    func added(_ value: JSONValue, _ type: Int, _ presence: EmptyPresence) -> (isMember: Bool, children: FieldSet) {
        var isMember = if case .absent = presence { true } else { false }
        var entries: [FieldSet.Entry] = []
        switch form(value, type) {
        case .object(let node):
            let members = value.members
            entries.reserveCapacity(members.count)
            var isFromNothing = false
            if case .object = presence { isFromNothing = true }
            if members.isEmpty, !isFromNothing { isMember = true }
            for (key, member) in members {
                let field = node.fields[key]
                let below = added(
                    member, field?.type ?? node.others ?? MergeTable.deduced,
                    isFromNothing ? field?.presence ?? .absent : .absent)
                let entry = FieldSet.Entry(
                    element: field?.element ?? .field(key), isMember: below.isMember, children: below.children)
                if !entry.isEmpty { entries.append(entry) }
            }
        case .list(let node):
            let items = value.elements
            if items.isEmpty { isMember = true }
            var seen: Set<PathElement> = []
            for item in items {
                guard let element = try? element(item, node), seen.insert(element).inserted else { continue }
                let below = added(item, node.element, .absent)
                entries.append(FieldSet.Entry(element: element, isMember: true, children: below.children))
            }
        case .leaf:
            switch presence {
            case .absent: isMember = true
            case .null: isMember = !value.isNull
            case .zero(let zero): isMember = !Self.isEqual(value, zero)
            case .object: isMember = !value.isEmpty
            }
        }
        return (isMember, FieldSet(unsorted: entries))
    }
}
