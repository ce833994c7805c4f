// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import KafkaClient

@Suite struct BufferTests {
    private func message(_ partition: Int32, _ offset: Int64) -> KafkaMessage {
        KafkaMessage(
            topic: "t", partition: partition, offset: offset, timestamp: nil, key: nil, value: nil, headers: [])
    }

    private func drain(_ buffer: inout ConsumerBuffer) -> [String] {
        var out: [String] = []
        while let item = buffer.popFirst() {
            switch item {
            case .message(let message): out.append("\(message.partition)@\(message.offset)")
            case .failure(let error): out.append(error.message)
            }
        }
        return out
    }

    private func filled() -> ConsumerBuffer {
        var buffer = ConsumerBuffer()
        for offset in 0..<3 { for partition in 0..<2 { buffer.append(message(Int32(partition), Int64(offset))) } }
        return buffer
    }

    private let zero: Set = [TopicPartition("t", 0)]

    @Test func keepsOrderPastItsCompaction() {
        var buffer = ConsumerBuffer()
        var expected: [String] = []
        for offset in 0..<3000 {
            buffer.append(message(0, Int64(offset)))
            expected.append("0@\(offset)")
        }
        #expect(buffer.count == 3000 && drain(&buffer) == expected && buffer.count == 0)
    }

    @Test func holdsBackAndReleasesFirst() {
        var buffer = filled()
        _ = buffer.popFirst()
        buffer.hold(zero)
        // Comes from the library after the pause.
        buffer.append(message(0, 3))
        buffer.append(message(1, 3))
        #expect(buffer.count == 4)
        #expect(buffer.firstOffsets() == [TopicPartition("t", 0): 1, TopicPartition("t", 1): 0])
        buffer.release(zero)
        #expect(drain(&buffer) == ["0@1", "0@2", "0@3", "1@0", "1@1", "1@2", "1@3"])
    }

    @Test func forgetsPartitionsThatWentAway() {
        var buffer = filled()
        buffer.append(KafkaError(.unknown, message: "bad"))
        buffer.hold(zero)
        buffer.drop(zero)
        #expect(buffer.paused.isEmpty && buffer.count == 4)
        #expect(drain(&buffer) == ["1@0", "1@1", "1@2", "bad"])
    }

    @Test func aSeekKeepsThePause() {
        var buffer = filled()
        buffer.hold(zero)
        buffer.rewind(zero)
        #expect(buffer.paused == zero)
        buffer.release(zero)
        #expect(drain(&buffer) == ["1@0", "1@1", "1@2"])
    }
}
