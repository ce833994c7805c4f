// SPDX-License-Identifier: Apache-2.0
package import ApusCore

extension MergeType {
    /// A live object with an applied configuration merged into it.
    package func merge(_ configuration: JSONValue, into live: JSONValue) -> JSONValue {
        walker.merge(live, configuration, root)
    }

    /// An object without the fields of a set; what is below them goes with them.
    func remove(_ fields: FieldSet, from object: JSONValue) -> JSONValue {
        fields.isEmpty ? object : walker.remove(fields, from: object, root)
    }
}

extension TypedWalker {
    func merge(_ live: JSONValue?, _ applied: JSONValue?, _ type: Int) -> JSONValue {
        guard let live else { return applied ?? .null }
        guard let applied else { return live }
        switch (form(live, type), form(applied, type)) {
        case (.object(let node), .object):
            var members = live.members
            for (key, value) in applied.members {
                members[key] = merge(members[key], value, node.member(key) ?? MergeTable.deduced)
            }
            return .object(members)
        case (.list(let node), .list):
            return .array(mergeLists(live.elements, applied.elements, node))
        case (.object, .leaf) where applied.isNull && !live.isEmpty: return live
        case (.list, .leaf) where applied.isNull && !live.isEmpty: return live
        default: return applied
        }
    }

    /// Elements of the applied list come in its order; those that only the live list has stay behind the element that
    /// they followed.
    private func mergeLists(_ live: [JSONValue], _ applied: [JSONValue], _ node: MergeNode) -> [JSONValue] {
        if live.isEmpty || applied.isEmpty { return live.isEmpty ? applied : live }
        let liveKeys = elements(live, node)
        let appliedKeys = elements(applied, node)
        var counts: [PathElement: Int] = [:]
        var present: [PathElement: JSONValue] = [:]
        for (key, item) in zip(liveKeys, live) {
            guard let key else { continue }
            counts[key, default: 0] += 1
            present[key] = item
        }
        let wanted = Set(appliedKeys.compactMap { $0 })
        var shared = appliedKeys.filter { $0.map { present[$0] != nil } ?? false }[...]
        var result: [JSONValue] = []
        result.reserveCapacity(max(live.count, applied.count))
        var next = 0
        func place(_ index: Int) {
            // Elements that occur more than once in the live list are one of the applied list's.
            let key = appliedKeys[index]
            let old = key.flatMap { counts[$0] == 1 ? present[$0] : nil }
            result.append(merge(old, applied[index], node.element))
            if let first = shared.first, first == key { shared = shared.dropFirst() }
        }
        for (item, key) in zip(live, liveKeys) {
            guard let key, wanted.contains(key) else {
                result.append(item)
                continue
            }
            // Only the shared element that is next in the applied order keeps its place.
            guard shared.first == key else { continue }
            while next < applied.count {
                let isPlace = appliedKeys[next] == key
                place(next)
                next += 1
                if isPlace { break }
            }
        }
        while next < applied.count {
            place(next)
            next += 1
        }
        return result
    }

    // MARK: Removal

    func remove(_ fields: FieldSet, from value: JSONValue, _ type: Int) -> JSONValue {
        switch form(value, type) {
        case .leaf: return value
        case .object(let node):
            var members = value.members
            for entry in fields.entries {
                guard let name = entry.element.fieldName.map(String.init), let member = members[name] else { continue }
                if entry.isMember {
                    members.removeValue(forKey: name)
                } else {
                    members[name] = remove(entry.children, from: member, node.member(name) ?? MergeTable.deduced)
                }
            }
            return .object(members)
        case .list(let node):
            var rest: [JSONValue] = []
            for item in value.elements {
                guard let element = try? element(item, node), let entry = fields.entry(element) else {
                    rest.append(item)
                    continue
                }
                if !entry.isMember { rest.append(remove(entry.children, from: item, node.element)) }
            }
            return .array(rest)
        }
    }
}
