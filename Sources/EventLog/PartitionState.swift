// SPDX-License-Identifier: Apache-2.0

/// What a partition knows; behind its lock, which nobody holds while the disk works. Opening a file is the exception.
///
/// Only the writer's thread changes the active segment, the end and the producers; only the maintenance queue replaces
/// or removes sealed segments.
struct PartitionState: Sendable {
    struct Watcher: Sendable {
        var offset: Int64
        var isolation: Isolation
        var wake: @Sendable () -> Void
    }

    /// Where a reader will go on.
    struct Hint: Sendable {
        var offset: Int64
        var segment: Int64
        var position: Int64
    }

    /// A pass of compaction: all before `offset` was compacted at `time`, milliseconds since 1970.
    struct CleanPass: Sendable, Hashable {
        var offset: Int64
        var time: Int64
    }

    var configuration: PartitionConfiguration
    /// In order of their offsets; never empty; the last one is the active.
    var segments: [Segment]
    var startOffset: Int64
    /// The high watermark too: records are published once they are as safe as their producers asked.
    var endOffset: Int64
    var lastStableOffset: Int64
    var producers = ProducerTable()
    var watchers: [UInt64: Watcher] = [:]
    var nextWatcher: UInt64 = 0
    var hints: [Hint] = []
    var nextHint = 0
    var cleanPasses: [CleanPass] = []
    /// Whether the active file may be longer than the segment: a write failed, and so did cutting its rest off.
    var hasTornTail = false
    /// Whether something is to be said in the next checkpoint.
    var isDirty = false
    /// All before it is on the disk, and so is a snapshot of the producers as of it (or none was needed).
    var recoveryPoint = RecoveryPoint()
    var isClosed = false
    /// Where reading failed last, which was logged.
    var toldOffset: Int64?

    var activeIndex: Int { segments.count - 1 }

    func readableEnd(_ isolation: Isolation) -> Int64 {
        isolation == .committed ? lastStableOffset : endOffset
    }

    /// The segment that holds the offset, if any does: the last one that does not begin after it.
    func segmentIndex(of offset: Int64) -> Int? {
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].baseOffset <= offset { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? low - 1 : nil
    }

    mutating func remember(_ hint: Hint) {
        if hints.count < 8 { hints.append(hint) } else { hints[nextHint % 8] = hint }
        nextHint += 1
    }

    /// Takes out the watchers that have something to read now, or all once the partition is closed.
    mutating func wakeable() -> [@Sendable () -> Void] {
        guard !watchers.isEmpty else { return [] }
        let ready = watchers.filter { isClosed || readableEnd($0.value.isolation) > $0.value.offset }
        for id in ready.keys { watchers[id] = nil }
        return ready.values.map(\.wake)
    }
}

/// What a start after kill -9 need not read again.
struct RecoveryPoint: Sendable, Hashable {
    /// The next offset; all before it is on the disk.
    var offset: Int64 = 0
    /// The segment that was active.
    var segment: Int64 = 0
    /// Entries of that segment's index that are on the disk.
    var indexCount = 0
    /// Entries of that segment's transaction index that are on the disk.
    var abortedCount = 0
    /// Whether there is a snapshot of the producers as of `offset`; else there were none.
    var hasSnapshot = false
}
