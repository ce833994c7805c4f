// SPDX-License-Identifier: Apache-2.0

/// Events of a topic on their way to a table: what was read since the last commit, and how far. It ends after so many
/// rows, so many bytes, or so long after its first record.
///
/// Offsets are counted for every record, also for one that is no event or was seen before: it is not read again.
package struct EventBatch<Instant: InstantProtocol & Sendable>: Sendable where Instant.Duration == Duration {
    /// When a batch ends.
    package struct Limits: Sendable, Equatable {
        package var rows: Int
        /// Of the records' values.
        package var bytes: Int
        package var age: Duration

        package init(rows: Int = 50_000, bytes: Int = 8 << 20, age: Duration = .milliseconds(500)) {
            self.rows = rows
            self.bytes = bytes
            self.age = age
        }
    }

    /// An event and where it was read.
    package struct Row: Sendable, Equatable {
        package var event: UserEvent
        package var partition: Int32
        package var offset: Int64
    }

    package let limits: Limits
    package private(set) var rows: [Row] = []
    /// The offset that each partition goes on at; those that nothing was read of are left out.
    package private(set) var next: [Int32: Int64] = [:]
    /// What has been seen, rows of this batch included.
    package private(set) var seen: SequenceSet
    /// Records that were no events.
    package private(set) var unreadableCount = 0
    /// Events that had come before.
    package private(set) var repeatedCount = 0
    private var bytes = 0
    private var began: Instant?

    /// An empty batch; the events that the table has are not taken in again.
    package init(_ limits: Limits = Limits(), seen: SequenceSet = SequenceSet()) {
        self.limits = limits
        self.seen = seen
    }

    /// Whether nothing was read.
    package var isEmpty: Bool { next.isEmpty }

    /// How many records it still takes.
    package var room: Int { bytes >= limits.bytes ? 0 : max(0, limits.rows - rows.count) }

    /// Takes in a record's value; nil where it has none.
    package mutating func add(_ value: [UInt8]?, partition: Int32, offset: Int64, at now: Instant) {
        if began == nil { began = now }
        next[partition] = offset + 1
        bytes += value?.count ?? 0
        guard let event = value.flatMap({ UserEvent(line: $0) }), event.sequence > 0 else {
            unreadableCount += 1
            return
        }
        guard seen.insert(event.sequence) else {
            repeatedCount += 1
            return
        }
        rows.append(Row(event: event, partition: partition, offset: offset))
    }

    /// How long it may still wait for records; zero when it has to be committed, nil while it is empty.
    package func wait(at now: Instant) -> Duration? {
        guard let began else { return nil }
        guard room > 0 else { return .zero }
        return max(.zero, now.duration(to: began.advanced(by: limits.age)))
    }

    /// The batch after this one, which has been committed.
    package var successor: EventBatch { EventBatch(limits, seen: seen) }
}
