// SPDX-License-Identifier: Apache-2.0

/// The objects of one resource, sorted by namespace and name.
///
/// A two-level array: chunks of bounded size. Copying the table is O(1), and a write after a copy duplicates only the
/// list of chunks and one chunk, so that readers page through a snapshot outside of the lock.
struct ObjectTable: Sendable {
    /// A place between two objects.
    struct Position: Comparable, Sendable {
        var chunk: Int
        var offset: Int

        static func < (lhs: Position, rhs: Position) -> Bool { (lhs.chunk, lhs.offset) < (rhs.chunk, rhs.offset) }
    }

    private var chunks: [[StoredObject]] = []
    /// How many objects the table has.
    private(set) var count = 0
    private static let chunkLimit = 256

    /// Makes an empty table.
    init() {}

    /// Makes a table of objects that are sorted by key.
    init(sorted objects: [StoredObject]) {
        count = objects.count
        var start = 0
        while start < objects.count {
            let end = min(start + Self.chunkLimit / 2, objects.count)
            chunks.append(Array(objects[start..<end]))
            start = end
        }
    }

    /// The place of the first object.
    var start: Position { Position(chunk: 0, offset: 0) }
    /// The place after the last object.
    var end: Position { Position(chunk: chunks.count, offset: 0) }

    /// The place of the first object for which the predicate is false; it must be true for a prefix only.
    func position(past predicate: (StoreKey) -> Bool) -> Position {
        var low = 0
        var high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if let last = chunks[middle].last, predicate(last.key) { low = middle + 1 } else { high = middle }
        }
        guard low < chunks.count else { return end }
        let chunk = chunks[low]
        var first = 0
        var last = chunk.count
        while first < last {
            let middle = (first + last) / 2
            if predicate(chunk[middle].key) { first = middle + 1 } else { last = middle }
        }
        return Position(chunk: low, offset: first)
    }

    /// The places before the first and after the last object of a namespace, or of all with nil.
    func range(of namespace: String?) -> (start: Position, end: Position) {
        guard let namespace else { return (start, end) }
        return (position { $0.namespace < namespace }, position { $0.namespace <= namespace })
    }

    /// How many objects lie between two places, the first not after the second.
    func distance(from start: Position, to end: Position) -> Int {
        guard start.chunk < end.chunk else { return max(0, end.offset - start.offset) }
        var total = end.offset - start.offset
        for chunk in start.chunk..<end.chunk { total += chunks[chunk].count }
        return total
    }

    /// The object at a place, moving the place to the next; nil at or after the end.
    func next(_ position: inout Position, before end: Position) -> StoredObject? {
        guard position < end else { return nil }
        let chunk = chunks[position.chunk]
        let object = chunk[position.offset]
        position.offset += 1
        if position.offset == chunk.count { position = Position(chunk: position.chunk + 1, offset: 0) }
        return object
    }

    /// At most `limit` objects between two places.
    func objects(from start: Position, to end: Position, limit: Int) -> [StoredObject] {
        var result: [StoredObject] = []
        result.reserveCapacity(min(limit, distance(from: start, to: end)))
        var chunk = start.chunk
        var offset = start.offset
        while result.count < limit, chunk < chunks.count, chunk <= end.chunk {
            let stop = chunk == end.chunk ? end.offset : chunks[chunk].count
            guard offset < stop else { break }
            result.append(contentsOf: chunks[chunk][offset..<stop].prefix(limit - result.count))
            chunk += 1
            offset = 0
        }
        return result
    }

    /// Inserts an object, or replaces the one of the same key.
    mutating func set(_ object: StoredObject) {
        let place = position { $0.isBeforeInResource(object.key) }
        if place.chunk < chunks.count, chunks[place.chunk][place.offset].key == object.key {
            chunks[place.chunk][place.offset] = object
            return
        }
        count += 1
        guard !chunks.isEmpty else {
            chunks.append([object])
            return
        }
        let index = min(place.chunk, chunks.count - 1)
        chunks[index].insert(object, at: place.chunk < chunks.count ? place.offset : chunks[index].count)
        if chunks[index].count > Self.chunkLimit { split(index) }
    }

    /// Removes the object of a key, if it is there.
    mutating func remove(_ key: StoreKey) {
        let place = position { $0.isBeforeInResource(key) }
        guard place.chunk < chunks.count, chunks[place.chunk][place.offset].key == key else { return }
        count -= 1
        chunks[place.chunk].remove(at: place.offset)
        if chunks[place.chunk].isEmpty { chunks.remove(at: place.chunk) }
    }

    /// Halves a chunk; the last one keeps its most, since new names often sort last.
    private mutating func split(_ index: Int) {
        let size = chunks[index].count
        let cut = index == chunks.count - 1 ? size - size / 8 : size / 2
        let tail = Array(chunks[index][cut...])
        chunks[index].removeSubrange(cut...)
        chunks.insert(tail, at: index + 1)
    }
}
