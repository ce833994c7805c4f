// SPDX-License-Identifier: Apache-2.0

/// Which events have been seen, by their numbers from 1 on: all up to a watermark, and some above it. Partitions of a
/// topic are read one beside the other, and an event may come more than once.
package struct SequenceSet: Sendable, Equatable {
    /// All numbers up to this one have been seen.
    package private(set) var watermark: Int64
    private var above: Set<Int64> = []

    package init(watermark: Int64 = 0) { self.watermark = watermark }

    /// Numbers that were seen though one before them is missing.
    package var waitingCount: Int { above.count }

    /// - Returns: false for one that was seen before.
    package mutating func insert(_ sequence: Int64) -> Bool {
        guard sequence > watermark else { return false }
        guard sequence == watermark + 1 else { return above.insert(sequence).inserted }
        watermark = sequence
        while above.remove(watermark + 1) != nil { watermark += 1 }
        return true
    }
}
