// SPDX-License-Identifier: Apache-2.0

/// Pages of a resource's table as it was at a revision.
struct Snapshot: Sendable {
    /// The table as it is now.
    var table: ObjectTable
    var resource: String
    var namespace: String?

    /// The states that the objects changed after a revision had at it; nil for those that were not there.
    static func undo(
        _ chunks: ArraySlice<EventWindow.Chunk>, after revision: Int64, resource: String, namespace: String?
    ) -> [StoreKey: StoredObject?] {
        var undo: [StoreKey: StoredObject?] = [:]
        for chunk in chunks {
            for event in chunk.events where event.revision > revision {
                let key = event.object.key
                guard key.resource == resource, namespace == nil || key.namespace == namespace else { continue }
                // The first event after the revision knows the state at it.
                if undo[key] == nil { undo[key] = .some(event.previous) }
            }
        }
        return undo
    }

    /// The page after a key, and how many objects follow it.
    func page(limit: Int?, after: StoreKey?, revision: Int64, undo: [StoreKey: StoredObject?] = [:]) -> StoreList {
        let limit = limit.flatMap { $0 > 0 ? $0 : nil } ?? Int.max
        var (start, end) = table.range(of: namespace)
        if let after {
            let next = table.position { !after.isBeforeInResource($0) }
            // A continue key outside of the namespace selects the namespace's first or no object.
            if next.chunk > start.chunk || (next.chunk == start.chunk && next.offset > start.offset) { start = next }
            if end.chunk < start.chunk || (end.chunk == start.chunk && end.offset < start.offset) { start = end }
        }
        let total = table.distance(from: start, to: end)
        if undo.isEmpty {
            let objects = table.objects(from: start, to: end, limit: limit)
            return StoreList(objects: objects, revision: revision, remaining: total - objects.count)
        }
        return merged(from: start, to: end, after: after, limit: limit, revision: revision, undo: undo)
    }

    private func merged(
        from start: ObjectTable.Position, to end: ObjectTable.Position, after: StoreKey?, limit: Int, revision: Int64,
        undo: [StoreKey: StoredObject?]
    ) -> StoreList {
        let restored = undo.values.compactMap(\.self)
            .filter { object in after.map { $0.isBeforeInResource(object.key) } ?? true }
            .sorted { $0.key.isBeforeInResource($1.key) }
        var objects: [StoredObject] = []
        var remaining = 0
        func emit(_ object: StoredObject) {
            if objects.count < limit { objects.append(object) } else { remaining += 1 }
        }
        var pending = restored[...]
        var place = start
        while let object = table.next(&place, before: end) {
            while let first = pending.first, first.key.isBeforeInResource(object.key) {
                emit(first)
                pending.removeFirst()
            }
            // What changed since is emitted from `restored`, in its place, or not at all.
            if undo[object.key] == nil { emit(object) }
        }
        for object in pending { emit(object) }
        return StoreList(objects: objects, revision: revision, remaining: remaining)
    }
}
