// SPDX-License-Identifier: Apache-2.0

/// A set of paths to fields, kept as a tree whose entries are in the order of their texts.
package struct FieldSet: Hashable, Sendable {
    /// A step with what is in the set at it and below it.
    struct Entry: Hashable, Sendable {
        var element: PathElement
        /// Whether the path that ends here is in the set.
        var isMember: Bool
        var children: FieldSet

        var isEmpty: Bool { !isMember && children.isEmpty }
    }

    private(set) var entries: [Entry] = []

    package init() {}

    /// Entries in any order, each element once.
    init(unsorted entries: [Entry]) {
        self.entries = entries.count > 1 ? entries.sorted { $0.element < $1.element } : entries
    }

    /// Entries that are in order.
    init(sorted entries: [Entry]) { self.entries = entries }

    /// The set of these paths.
    package init(paths: [[PathElement]]) {
        for path in paths { insert(path[...]) }
    }

    package var isEmpty: Bool { entries.isEmpty }

    /// The number of paths.
    package var count: Int { entries.reduce(0) { $0 + ($1.isMember ? 1 : 0) + $1.children.count } }

    /// The entry of an element.
    func entry(_ element: PathElement) -> Entry? {
        let index = position(element)
        guard index < entries.count, entries[index].element == element else { return nil }
        return entries[index]
    }

    private func position(_ element: PathElement) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].element < element { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func insert(_ path: ArraySlice<PathElement>) {
        guard let first = path.first else { return }
        let index = position(first)
        if index == entries.count || entries[index].element != first {
            entries.insert(Entry(element: first, isMember: false, children: FieldSet()), at: index)
        }
        if path.count == 1 { entries[index].isMember = true } else { entries[index].children.insert(path.dropFirst()) }
    }

    /// Whether a path is in the set.
    package func contains(_ path: [PathElement]) -> Bool {
        var set = self
        for (position, element) in path.enumerated() {
            guard let entry = set.entry(element) else { return false }
            if position == path.count - 1 { return entry.isMember }
            set = entry.children
        }
        return false
    }

    /// All paths, those of a level before those below it.
    package var paths: [[PathElement]] {
        var result: [[PathElement]] = []
        collect(prefix: [], into: &result)
        return result
    }

    private func collect(prefix: [PathElement], into result: inout [[PathElement]]) {
        for entry in entries where entry.isMember { result.append(prefix + [entry.element]) }
        for entry in entries { entry.children.collect(prefix: prefix + [entry.element], into: &result) }
    }

    // MARK: Operations

    /// Walks two sets side by side; `combine` makes the entry of an element that either has.
    private func combined(
        _ other: FieldSet, _ combine: (_ mine: Entry?, _ theirs: Entry?) -> Entry?
    ) -> FieldSet {
        var result = FieldSet()
        result.entries.reserveCapacity(max(entries.count, other.entries.count))
        var mine = entries[...]
        var theirs = other.entries[...]
        func keep(_ entry: Entry?) {
            if let entry, !entry.isEmpty { result.entries.append(entry) }
        }
        while let left = mine.first, let right = theirs.first {
            if left.element == right.element {
                keep(combine(left, right))
                mine = mine.dropFirst()
                theirs = theirs.dropFirst()
            } else if left.element < right.element {
                keep(combine(left, nil))
                mine = mine.dropFirst()
            } else {
                keep(combine(nil, right))
                theirs = theirs.dropFirst()
            }
        }
        for left in mine { keep(combine(left, nil)) }
        for right in theirs { keep(combine(nil, right)) }
        return result
    }

    /// The paths that are in either.
    package func union(_ other: FieldSet) -> FieldSet {
        if other.isEmpty { return self }
        if isEmpty { return other }
        return combined(other) { mine, theirs in
            guard let mine, let theirs else { return mine ?? theirs }
            return Entry(
                element: mine.element, isMember: mine.isMember || theirs.isMember,
                children: mine.children.union(theirs.children))
        }
    }

    /// The paths that are in both.
    package func intersection(_ other: FieldSet) -> FieldSet {
        if isEmpty || other.isEmpty { return FieldSet() }
        return combined(other) { mine, theirs in
            guard let mine, let theirs else { return nil }
            return Entry(
                element: mine.element, isMember: mine.isMember && theirs.isMember,
                children: mine.children.intersection(theirs.children))
        }
    }

    /// The paths that are not in `other`.
    package func subtracting(_ other: FieldSet) -> FieldSet {
        if isEmpty || other.isEmpty { return self }
        return combined(other) { mine, theirs in
            guard let mine, let theirs else { return mine }
            return Entry(
                element: mine.element, isMember: mine.isMember && !theirs.isMember,
                children: mine.children.subtracting(theirs.children))
        }
    }

    /// This set without the members of these names at the top, and what is below them.
    package func removing(fields names: Set<String>) -> FieldSet {
        var result = self
        result.entries.removeAll { $0.element.fieldName.map { names.contains(String($0)) } ?? false }
        return result
    }

    /// Only the members of these names at the top, and what is below them.
    package func keeping(fields names: Set<String>) -> FieldSet {
        var result = self
        result.entries.removeAll { !($0.element.fieldName.map { names.contains(String($0)) } ?? false) }
        return result
    }

    /// This set with every declared field on the way to a path: so that a struct goes with its last owned field.
    func withNamedFields(_ nodes: [MergeNode], _ type: Int) -> FieldSet {
        let node = nodes[type]
        var result = self
        for index in result.entries.indices where !result.entries[index].children.isEmpty {
            let entry = result.entries[index]
            var below = MergeTable.deduced
            if let name = entry.element.fieldName, case .object = node.kind {
                if let field = node.fields[String(name)] {
                    below = field.type
                    result.entries[index].isMember = true
                } else {
                    below = node.others ?? MergeTable.deduced
                }
            } else if entry.element.isKey, case .list = node.kind {
                below = node.element
            }
            result.entries[index].children = entry.children.withNamedFields(nodes, below)
        }
        return result
    }

    /// This set for a schema in which what it is below of may have become atomic: the whole is owned then.
    ///
    /// What has become granular is as if it had always been, as upstream has it.
    func reconciled(_ nodes: [MergeNode], _ type: Int) -> FieldSet {
        let node = nodes[type]
        var result = self
        for index in result.entries.indices where !result.entries[index].children.isEmpty {
            let element = result.entries[index].element
            let below: Int?
            switch node.kind {
            case .object: below = element.fieldName.flatMap { node.member(String($0)) }
            case .list: below = node.element
            default: below = nil
            }
            guard let below else { continue }
            switch nodes[below].kind {
            case .object where !nodes[below].isAtomic, .list where !nodes[below].isAtomic:
                result.entries[index].children = result.entries[index].children.reconciled(nodes, below)
            case .deduced: continue
            default:
                result.entries[index].children = FieldSet()
                result.entries[index].isMember = true
            }
        }
        return result
    }
}
