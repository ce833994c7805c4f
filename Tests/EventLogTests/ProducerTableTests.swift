// SPDX-License-Identifier: Apache-2.0
import KafkaRecords
import Testing

@testable import EventLog

@Suite struct ProducerTableTests {
    private static let name = PartitionName("t", 0)

    static func header(
        _ sequence: Int32, count: Int32 = 1, producer: Int64 = 9, epoch: Int16 = 1, offset: Int64 = 0,
        transactional: Bool = false
    ) -> RecordBatchHeader {
        var header = RecordBatchHeader()
        header.producerId = producer
        header.producerEpoch = epoch
        header.baseSequence = sequence
        header.recordCount = count
        header.lastOffsetDelta = count - 1
        header.baseOffset = offset
        header.isTransactional = transactional
        return header
    }

    private static func outcome(
        _ table: ProducerTable, _ header: RecordBatchHeader, _ origin: RecordValidation.Origin = .client
    ) -> String {
        do throws(AppendError) {
            switch try table.check(header, origin: origin, in: name) {
            case .append: return "append"
            case .duplicate(let batch): return "duplicate \(batch.baseOffset)"
            }
        } catch {
            return "\(error.code)"
        }
    }

    /// What was appended before (sequence, count, epoch), what comes, and what happens (KIP-98).
    @Test(
        arguments: [
            ([], (0, 1, 1), "append"),
            // A producer that is not known: its records may have been deleted.
            ([], (77, 1, 1), "append"),
            ([(0, 3, 1)], (3, 1, 1), "append"),
            ([(0, 3, 1)], (0, 3, 1), "duplicate 0"),
            ([(0, 3, 1)], (0, 2, 1), "outOfOrderSequence"),
            ([(0, 3, 1)], (2, 1, 1), "outOfOrderSequence"),
            ([(0, 3, 1)], (4, 1, 1), "outOfOrderSequence"),
            ([(0, 3, 1)], (3, 1, 0), "invalidProducerEpoch"),
            ([(0, 3, 1)], (0, 3, 0), "invalidProducerEpoch"),
            ([(0, 3, 1)], (0, 1, 2), "append"),
            ([(0, 3, 1)], (3, 1, 2), "outOfOrderSequence"),
            // Five batches are remembered.
            ([(0, 1, 1), (1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1)], (0, 1, 1), "duplicate 0"),
            ([(0, 1, 1), (1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1)], (2, 1, 1), "duplicate 2"),
            ([(0, 1, 1), (1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1), (5, 1, 1)], (0, 1, 1), "outOfOrderSequence"),
            // After 2³¹ − 1 comes 0, also within a batch.
            ([(2_147_483_646, 2, 1)], (0, 1, 1), "append"),
            ([(2_147_483_647, 3, 1)], (2, 1, 1), "append"),
            ([(2_147_483_647, 3, 1)], (3, 1, 1), "outOfOrderSequence"),
        ] as [([(Int32, Int32, Int16)], (Int32, Int32, Int16), String)])
    func sequences(_ row: (before: [(Int32, Int32, Int16)], next: (Int32, Int32, Int16), outcome: String)) {
        var table = ProducerTable()
        var offset: Int64 = 0
        for (sequence, count, epoch) in row.before {
            let header = Self.header(sequence, count: count, epoch: epoch, offset: offset)
            #expect(Self.outcome(table, header) == "append")
            table.append(header, now: 1)
            offset += Int64(count)
        }
        let next = Self.header(row.next.0, count: row.next.1, epoch: row.next.2, offset: offset)
        #expect(Self.outcome(table, next) == row.outcome)
    }

    @Test func coordinatorsNeedNoSequence() {
        var table = ProducerTable()
        table.append(Self.header(-1, offset: 0), now: 1)
        #expect(Self.outcome(table, Self.header(-1, offset: 1), .coordinator) == "append")
        #expect(Self.outcome(table, Self.header(-1, epoch: 0, offset: 1), .coordinator) == "invalidProducerEpoch")
    }

    @Test func transactionsOpenAndEnd() throws {
        var table = ProducerTable()
        table.append(Self.header(0, producer: 1, offset: 10, transactional: true), now: 1)
        table.append(Self.header(0, producer: 2, offset: 11, transactional: true), now: 1)
        #expect(table.firstOpenOffset == 10)
        #expect(Self.outcome(table, Self.header(1, producer: 1, offset: 12)) == "invalidTransactionState")
        let marker = ControlMarker(isCommit: false, coordinatorEpoch: 5)
        let first = table.append(marker, in: Self.header(-1, producer: 1, offset: 12), now: 2)
        #expect(first == .init(producerId: 1, firstOffset: 10, lastOffset: 12, lastStableOffset: 11))
        #expect(table.firstOpenOffset == 11)
        // A marker without a transaction here is no abort.
        #expect(table.append(marker, in: Self.header(-1, producer: 1, offset: 13), now: 2) == nil)
        #expect(throws: AppendError.self) {
            try table.checkMarker(producerId: 1, epoch: 1, coordinatorEpoch: 4, in: Self.name)
        }
        #expect(throws: AppendError.self) {
            try table.checkMarker(producerId: 1, epoch: 0, coordinatorEpoch: 5, in: Self.name)
        }
        try table.checkMarker(producerId: 1, epoch: 2, coordinatorEpoch: 5, in: Self.name)
        // A marker of a later epoch fences the producer off.
        _ = table.append(marker, in: Self.header(-1, producer: 2, epoch: 2, offset: 14), now: 2)
        #expect(Self.outcome(table, Self.header(1, producer: 2, epoch: 1)) == "invalidProducerEpoch")
        #expect(Self.outcome(table, Self.header(0, producer: 2, epoch: 2)) == "append")
        #expect(table.firstOpenOffset == nil)
    }

    @Test func changesAreTakenBackAndSnapshotsAreWhole() {
        var table = ProducerTable()
        table.append(Self.header(0, producer: 1, offset: 0, transactional: true), now: 1)
        table.append(Self.header(0, producer: 2, offset: 1), now: 1)
        let before = table
        table.begin()
        table.append(Self.header(1, producer: 1, offset: 2, transactional: true), now: 5)
        table.append(Self.header(0, producer: 3, offset: 3, transactional: true), now: 5)
        let commit = ControlMarker(isCommit: true, coordinatorEpoch: 1)
        _ = table.append(commit, in: Self.header(-1, producer: 1, offset: 4), now: 5)
        #expect(table != before)
        table.rollBack()
        #expect(table == before)
        #expect(ProducerSnapshot.table(ProducerSnapshot.bytes(before)) == before)
        var bytes = ProducerSnapshot.bytes(before)
        for index in bytes.indices {
            bytes[index] ^= 0x10
            #expect(ProducerSnapshot.table(bytes) == nil)
            bytes[index] ^= 0x10
            #expect(ProducerSnapshot.table(Array(bytes[..<index])) == nil)
        }
        #expect(table.expire(before: 100) == 1)
        #expect(Array(table.producers.keys) == [1])
    }
}
