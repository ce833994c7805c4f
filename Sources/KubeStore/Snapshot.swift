// SPDX-License-Identifier: Apache-2.0

/// Pages of a resource's table as it was at a revision.
struct Snapshot: Sendable {
    /// The table as it is now.
    var table: ObjectTable
    var resource: String
    var namespace: String?

    /// What happened to an object since a revision.
    struct Change: Sendable {
        /// The state at the revision; nil when the object was not there.
        var before: StoredObject?
        /// Whether the object is in the table now.
        var isPresent: Bool
    }

    /// The objects of the scope that changed after a revision.
    static func changes(
        _ chunks: ArraySlice<EventWindow.Chunk>, after revision: Int64, resource: String, namespace: String?
    ) -> [StoreKey: Change] {
        var changes: [StoreKey: Change] = [:]
        for chunk in chunks {
            for event in chunk.events where event.revision > revision {
                let key = event.object.key
                guard key.resource == resource, namespace == nil || key.namespace == namespace else { continue }
                // The first event after the revision knows the state at it, the last one the state now.
                changes[key, default: Change(before: event.previous, isPresent: false)].isPresent =
                    event.kind != .deleted
            }
        }
        return changes
    }

    /// The page after a key, and how many objects follow it.
    func page(limit: Int?, after: StoreKey?, revision: Int64, changes: [StoreKey: Change] = [:]) -> StoreList {
        let limit = limit.flatMap { $0 > 0 ? $0 : nil } ?? Int.max
        var (start, end) = table.range(of: namespace)
        if let after {
            // A continue key outside of the namespace selects all of it or nothing.
            start = max(start, table.position { !after.isBeforeInResource($0) })
            start = min(start, end)
        }
        guard !changes.isEmpty else {
            let objects = table.objects(from: start, to: end, limit: limit)
            let remaining = table.distance(from: start, to: end) - objects.count
            return StoreList(objects: objects, revision: revision, remaining: remaining)
        }
        return merged(from: start, to: end, after: after, limit: limit, revision: revision, changes: changes)
    }

    private func merged(
        from start: ObjectTable.Position, to end: ObjectTable.Position, after: StoreKey?, limit: Int, revision: Int64,
        changes: [StoreKey: Change]
    ) -> StoreList {
        var pending = changes.values.compactMap(\.before)
            .filter { object in after.map { $0.isBeforeInResource(object.key) } ?? true }
            .sorted { $0.key.isBeforeInResource($1.key) }[...]
        var objects: [StoredObject] = []
        var place = start
        func nextUnchanged() -> StoredObject? {
            while let object = table.next(&place, before: end) {
                if changes[object.key] == nil { return object }
            }
            return nil
        }
        // What changed since comes from `pending`, in its place, or not at all.
        var current = nextUnchanged()
        while objects.count < limit {
            if let first = pending.first, current.map({ first.key.isBeforeInResource($0.key) }) ?? true {
                objects.append(first)
                pending.removeFirst()
            } else if let object = current {
                objects.append(object)
                current = nextUnchanged()
            } else {
                break
            }
        }
        guard let last = objects.last?.key else { return StoreList(objects: [], revision: revision, remaining: 0) }
        let rest = table.position { !last.isBeforeInResource($0) }
        let changed = changes.count { key, change in change.isPresent && last.isBeforeInResource(key) }
        let unchanged = table.distance(from: max(start, rest), to: end) - changed
        return StoreList(objects: objects, revision: revision, remaining: unchanged + pending.count)
    }
}
