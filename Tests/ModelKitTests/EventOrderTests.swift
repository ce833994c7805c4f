// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ModelKit

@Suite struct EventOrderTests {
    private func event(_ sequence: Int64) -> UserEvent {
        UserEvent(kind: .rating, user: sequence % 7, movie: sequence, rating: 3, timestamp: 1, sequence: sequence)
    }

    private func given(out sequences: [Int64]) -> [Int64] {
        var order = EventOrder()
        var given: [Int64] = []
        for sequence in sequences { order.add(event(sequence)) { given.append($0.sequence) } }
        return given
    }

    @Test func givesEachEventOnceAndInOrder() {
        #expect(given(out: [1, 2, 3]) == [1, 2, 3])
        #expect(given(out: [3, 1, 2]) == [1, 2, 3])
        #expect(given(out: [1, 1, 3, 3, 1, 2, 2, 3]) == [1, 2, 3])
    }

    @Test func holdsBackWhatIsBehindAGap() {
        var order = EventOrder()
        var given: [Int64] = []
        for sequence in [2, 4, 5] { order.add(event(Int64(sequence))) { given.append($0.sequence) } }
        #expect(given == [] && order.waitingCount == 3 && order.sequence == 0)
        order.add(event(1)) { given.append($0.sequence) }
        #expect(given == [1, 2] && order.waitingCount == 2 && order.sequence == 2)
    }

    @Test func partitionsReadOneAfterTheOtherGiveTheSameDataset() {
        let events = (1...1000).map { event(Int64($0)) }
        var straight = DatasetBuilder()
        for event in events { straight.add(event) }
        // By partition, and each batch of fifty twice.
        var order = EventOrder()
        var builder = DatasetBuilder()
        for partition in [2, 0, 3, 1] {
            let read = events.filter { $0.user % 4 == Int64(partition) }
            for start in stride(from: 0, to: read.count, by: 50) {
                for event in read[start..<min(start + 50, read.count)] { order.add(event) { builder.add($0) } }
                for event in read[start..<min(start + 50, read.count)] { order.add(event) { builder.add($0) } }
            }
        }
        let split = DatasetSplit.random(fraction: 0.1, seed: 42)
        #expect(builder.snapshot(split).train == straight.snapshot(split).train)
        #expect(builder.snapshot(split).test == straight.snapshot(split).test)
        #expect(builder.snapshot(split).version == straight.snapshot(split).version)
    }
}
