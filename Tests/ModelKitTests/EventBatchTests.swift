// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ModelKit

/// A time that only moves when it is told to.
private struct Moment: InstantProtocol {
    var elapsed = Duration.zero

    func advanced(by duration: Duration) -> Moment { Moment(elapsed: elapsed + duration) }
    func duration(to other: Moment) -> Duration { other.elapsed - elapsed }
    static func < (left: Moment, right: Moment) -> Bool { left.elapsed < right.elapsed }
}

@Suite struct EventBatchTests {
    private typealias Batch = EventBatch<Moment>

    private func value(_ sequence: Int64) -> [UInt8] {
        UserEvent(kind: .rating, user: 1, movie: sequence, rating: 3, timestamp: 1, sequence: sequence).json.encoded
    }

    @Test func keepsRowsAndHowFarEachPartitionWasRead() {
        var batch = Batch()
        #expect(batch.isEmpty && batch.wait(at: Moment()) == nil)
        batch.add(value(1), partition: 0, offset: 7, at: Moment())
        batch.add(value(2), partition: 3, offset: 0, at: Moment())
        batch.add(value(3), partition: 0, offset: 8, at: Moment())
        #expect(batch.next == [0: 9, 3: 1])
        #expect(batch.rows.map(\.event.sequence) == [1, 2, 3])
        #expect(batch.rows.map(\.offset) == [7, 0, 8] && batch.rows.map(\.partition) == [0, 3, 0])
        #expect(batch.seen.watermark == 3)
    }

    @Test func endsByRowsByBytesAndByTime() {
        let size = value(1).count
        var batch = Batch(.init(rows: 2, bytes: 1000, age: .seconds(5)))
        batch.add(value(1), partition: 0, offset: 0, at: Moment(elapsed: .seconds(10)))
        #expect(batch.room == 1 && batch.wait(at: Moment(elapsed: .seconds(12))) == .seconds(3))
        // The first record's age counts, and it never turns back.
        #expect(batch.wait(at: Moment(elapsed: .seconds(99))) == .zero)
        batch.add(value(2), partition: 0, offset: 1, at: Moment(elapsed: .seconds(12)))
        #expect(batch.room == 0 && batch.wait(at: Moment(elapsed: .seconds(12))) == .zero)

        var large = Batch(.init(rows: 100, bytes: size + 1, age: .seconds(5)))
        large.add(value(1), partition: 0, offset: 0, at: Moment())
        #expect(large.room == 99)
        large.add(value(2), partition: 0, offset: 1, at: Moment())
        #expect(large.room == 0 && large.wait(at: Moment()) == .zero)
    }

    @Test func recordsThatAreNoEventsAreReadOnceAndKeepNobodyUp() {
        var batch = Batch()
        for (offset, value) in [nil, Array("garbage".utf8), Array("{}".utf8), value(0)].enumerated() {
            batch.add(value, partition: 1, offset: Int64(offset), at: Moment())
        }
        #expect(batch.rows.isEmpty && batch.unreadableCount == 4 && batch.next == [1: 4] && !batch.isEmpty)
        #expect(batch.wait(at: Moment()) == .milliseconds(500))
    }

    @Test func eventsThatCameBeforeAreLeftOut() {
        var batch = Batch(seen: SequenceSet(watermark: 5))
        for (offset, sequence) in [4, 7, 7, 6].enumerated() {
            batch.add(value(Int64(sequence)), partition: 0, offset: Int64(offset), at: Moment())
        }
        #expect(batch.rows.map(\.event.sequence) == [7, 6] && batch.repeatedCount == 2 && batch.next == [0: 4])
        var next = batch.successor
        #expect(next.isEmpty && next.limits == batch.limits)
        next.add(value(6), partition: 0, offset: 9, at: Moment())
        #expect(next.rows.isEmpty && next.next == [0: 10])
    }

    @Test func everyOrderOfTheSameRecordsGivesTheSameRows() {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<200 {
            // Four partitions, read in pieces, some of them twice as after a crash of the sender.
            var places = (1...60).map { sequence in (partition: Int32(sequence % 4), sequence: Int64(sequence)) }
            places += places.filter { _ in generator.index(below: 4) == 0 }
            for position in places.indices {
                places.swapAt(position, position + generator.index(below: places.count - position))
            }
            var rows: [Int64] = []
            var batch = Batch(.init(rows: 1 + generator.index(below: 20)))
            var offsets: [Int32: Int64] = [:]
            for place in places {
                let offset = offsets[place.partition, default: 0]
                batch.add(value(place.sequence), partition: place.partition, offset: offset, at: Moment())
                offsets[place.partition] = offset + 1
                if batch.room == 0 {
                    rows += batch.rows.map(\.event.sequence)
                    batch = batch.successor
                }
            }
            rows += batch.rows.map(\.event.sequence)
            #expect(rows.sorted() == Array(1...60) && batch.seen == SequenceSet(watermark: 60))
        }
    }
}

@Suite struct SequenceSetTests {
    @Test func theWatermarkFollowsWhatIsWhole() {
        var set = SequenceSet()
        #expect([2, 4, 5, 4, 0, -1].map { set.insert($0) } == [true, true, true, false, false, false])
        #expect(set.watermark == 0 && set.waitingCount == 3)
        #expect(set.insert(1) && set.watermark == 2 && set.waitingCount == 2)
        #expect(!set.insert(1) && !set.insert(2) && set.insert(3))
        #expect(set == SequenceSet(watermark: 5))
    }
}
