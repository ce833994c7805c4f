// SPDX-License-Identifier: Apache-2.0

/// The offsets of a group: committed ones, and those of transactions that are not decided yet.
package struct GroupOffsets: Sendable {
    private struct Entry: Sendable {
        var value: CommittedOffset
        /// Order of the records: a transaction's offset does not replace one that was written after it.
        var order: UInt64
    }

    private var committed: [PartitionName: Entry] = [:]
    /// By producer id.
    private var pending: [Int64: [PartitionName: Entry]] = [:]
    private var lastOrder: UInt64 = 0

    package init() {}

    package var isEmpty: Bool { committed.isEmpty && pending.isEmpty }

    /// Partitions with a committed offset, sorted.
    package var partitions: [PartitionName] { committed.keys.sorted() }

    /// Those too that only transactions have offsets for.
    var allPartitions: [PartitionName] {
        pending.values.reduce(into: Set(committed.keys)) { $0.formUnion($1.keys) }.sorted()
    }

    package subscript(_ name: PartitionName) -> CommittedOffset? { committed[name]?.value }

    /// Whether a transaction that is not decided yet has an offset for the partition.
    package func isUnstable(_ name: PartitionName) -> Bool {
        pending.values.contains { $0[name] != nil }
    }

    /// Producers whose transactions have offsets here.
    var producers: some Collection<Int64> { pending.keys }

    mutating func commit(_ name: PartitionName, _ offset: CommittedOffset) {
        lastOrder += 1
        committed[name] = Entry(value: offset, order: lastOrder)
    }

    mutating func commit(_ name: PartitionName, _ offset: CommittedOffset, producerID: Int64) {
        lastOrder += 1
        pending[producerID, default: [:]][name] = Entry(value: offset, order: lastOrder)
    }

    /// The producer's transaction is decided.
    mutating func complete(producerID: Int64, isCommit: Bool) {
        guard let entries = pending.removeValue(forKey: producerID), isCommit else { return }
        for (name, entry) in entries where (committed[name]?.order ?? 0) < entry.order { committed[name] = entry }
    }

    /// Whether there was anything.
    @discardableResult
    mutating func remove(_ name: PartitionName) -> Bool {
        for (producer, var entries) in pending where entries.removeValue(forKey: name) != nil {
            pending[producer] = entries.isEmpty ? nil : entries
        }
        return committed.removeValue(forKey: name) != nil
    }

    /// Partitions whose committed offset meets the condition, sorted.
    func partitions(where condition: (PartitionName, CommittedOffset) -> Bool) -> [PartitionName] {
        committed.filter { condition($0.key, $0.value.value) }.keys.sorted()
    }
}
