// SPDX-License-Identifier: Apache-2.0

/// The newest events of all resources, in order of revision, bounded by count and bytes.
///
/// Kept in chunks, so that a reader's snapshot is O(chunks) and trimming frees whole chunks.
struct EventWindow: Sendable {
    /// Neighbouring events.
    struct Chunk: Sendable {
        var events: [StoreEvent] = []
        var cost = 0
    }

    private var chunks: [Chunk] = []
    private let maximumEvents: Int
    private let maximumCost: Int
    private let chunkEvents: Int
    private let chunkCost: Int
    private var cost = 0
    /// How many events the window holds.
    private(set) var count = 0
    /// The newest revision whose event is no longer held: replay works after this revision or a later one.
    private(set) var compactedRevision: Int64

    /// Makes an empty window whose history begins after a revision.
    init(after revision: Int64, maximumEvents: Int, maximumCost: Int) {
        compactedRevision = revision
        self.maximumEvents = max(1, maximumEvents)
        self.maximumCost = maximumCost
        chunkEvents = max(1, min(256, maximumEvents / 16))
        chunkCost = max(1, min(1 << 20, maximumCost / 16))
    }

    /// Adds the next event, and lets go of the oldest ones beyond the bounds.
    mutating func append(_ event: StoreEvent) {
        if let last = chunks.last, last.events.count < chunkEvents, last.cost < chunkCost {
            chunks[chunks.count - 1].events.append(event)
            chunks[chunks.count - 1].cost += event.cost
        } else {
            chunks.append(Chunk(events: [event], cost: event.cost))
        }
        count += 1
        cost += event.cost
        while count > maximumEvents || cost > maximumCost, let oldest = chunks.first {
            chunks.removeFirst()
            count -= oldest.events.count
            cost -= oldest.cost
            if let last = oldest.events.last { compactedRevision = last.revision }
        }
    }

    /// The chunks that hold every event after a revision; the first may also hold earlier ones.
    func chunks(after revision: Int64) -> ArraySlice<Chunk> {
        var low = 0
        var high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if let last = chunks[middle].events.last, last.revision <= revision {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return chunks[low...]
    }
}
