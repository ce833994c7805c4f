// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import EventCoordination

/// Bytes written by hand from the tables of fields in Kafka's group-coordinator and transaction-coordinator.
@Suite struct RecordFormatTests {
    private func bytes(_ parts: [UInt8]...) -> [UInt8] { parts.flatMap { $0 } }
    private func text(_ text: String) -> [UInt8] { [0, UInt8(text.utf8.count)] + Array(text.utf8) }

    @Test func keysOfGroups() throws {
        let offset = bytes([0, 1], text("g"), text("topic"), [0, 0, 0, 7])
        let key = GroupRecordKey.offset(groupID: "g", PartitionName(topic: "topic", partition: 7))
        #expect(key.encoded == offset)
        #expect(try GroupRecordKey(decoding: offset) == key)
        #expect(try GroupRecordKey(decoding: [0, 0] + offset.dropFirst(2)) == key)
        let group = bytes([0, 2], text("g"))
        #expect(GroupRecordKey.group("g").encoded == group)
        #expect(try GroupRecordKey(decoding: group) == .group("g"))
        // A key of KIP-848 is not ours to read.
        #expect(try GroupRecordKey(decoding: [0, 3, 0, 1, 103]) == .other(version: 3))
        #expect(throws: RecordFormatError.self) { try GroupRecordKey(decoding: group + [0]) }
    }

    @Test func valuesOfOffsets() throws {
        let time: [UInt8] = [0, 0, 1, 0x8B, 0xCF, 0xE5, 0x68, 0]  // 1,700,000,000,000 ms
        let v3 = bytes([0, 3], [0, 0, 0, 0, 0, 0, 1, 2], [0, 0, 0, 5], text("m"), time)
        var offset = CommittedOffset(offset: 258, leaderEpoch: 5, metadata: "m", committedAt: .seconds(1_700_000_000))
        #expect(offset.encoded == v3)
        #expect(try CommittedOffset(decoding: v3) == offset)
        let v4 = bytes([0, 4], [0, 0, 0, 0, 0, 0, 1, 2], [0, 0, 0, 5], [2, 109], time, [0])
        #expect(try CommittedOffset(decoding: v4) == offset)
        offset.leaderEpoch = -1
        let v2 = bytes([0, 2], [0, 0, 0, 0, 0, 0, 1, 2], text("m"), time)
        #expect(try CommittedOffset(decoding: v2) == offset)
        #expect(try CommittedOffset(decoding: [0, 0] + v2.dropFirst(2)) == offset)
        offset.expiresAt = .milliseconds(255)
        let v1 = bytes([0, 1], [0, 0, 0, 0, 0, 0, 1, 2], text("m"), time, [0, 0, 0, 0, 0, 0, 0, 255])
        #expect(offset.encoded == v1)
        #expect(try CommittedOffset(decoding: v1) == offset)
        #expect(throws: RecordFormatError.self) { try CommittedOffset(decoding: [0, 5] + v3.dropFirst(2)) }
    }

    private var group: GroupMetadata {
        GroupMetadata(
            protocolType: "consumer", generation: 3, protocolName: "range", leaderID: "m",
            stateSince: .milliseconds(256),
            members: [
                GroupMetadata.Member(
                    memberID: "m", instanceID: "i", clientID: "c", clientHost: "/h", rebalanceTimeout: .seconds(1),
                    sessionTimeout: .milliseconds(258), subscription: [1, 2], assignment: [])
            ])
    }

    @Test func valuesOfGroups() throws {
        let v3 = bytes(
            [0, 3], text("consumer"), [0, 0, 0, 3], text("range"), text("m"), [0, 0, 0, 0, 0, 0, 1, 0], [0, 0, 0, 1],
            text("m"), text("i"), text("c"), text("/h"), [0, 0, 3, 0xE8], [0, 0, 1, 2], [0, 0, 0, 2, 1, 2],
            [0, 0, 0, 0])
        #expect(group.encoded == v3)
        #expect(try GroupMetadata(decoding: v3) == group)
        let v4 = bytes(
            [0, 4], [9], Array("consumer".utf8), [0, 0, 0, 3], [6], Array("range".utf8), [2, 109],
            [0, 0, 0, 0, 0, 0, 1, 0], [2], [2, 109], [2, 105], [2, 99], [3, 47, 104], [0, 0, 3, 0xE8], [0, 0, 1, 2],
            [3, 1, 2], [1], [0], [0])
        #expect(try GroupMetadata(decoding: v4) == group)
        var old = group
        old.stateSince = nil
        old.members[0].instanceID = nil
        old.members[0].rebalanceTimeout = .milliseconds(258)
        let v0 = bytes(
            [0, 0], text("consumer"), [0, 0, 0, 3], text("range"), text("m"), [0, 0, 0, 1], text("m"), text("c"),
            text("/h"), [0, 0, 1, 2], [0, 0, 0, 2, 1, 2], [0, 0, 0, 0])
        #expect(try GroupMetadata(decoding: v0) == old)
        let empty = GroupMetadata(
            protocolType: "", generation: 4, protocolName: nil, leaderID: nil, stateSince: nil, members: [])
        #expect(
            empty.encoded
                == [0, 3, 0, 0, 0, 0, 0, 4, 255, 255, 255, 255] + Array(repeating: 255, count: 8) + [0, 0, 0, 0])
        #expect(try GroupMetadata(decoding: empty.encoded) == empty)
    }

    @Test func transactions() throws {
        #expect(TransactionRecordKey.encode("x") == [0, 0, 0, 1, 120])
        #expect(try TransactionRecordKey.decode([0, 0, 0, 1, 120]) == "x")
        #expect(throws: RecordFormatError.self) { try TransactionRecordKey.decode([0, 1, 0, 1, 120]) }
        var transaction = TransactionMetadata(
            producerID: 4000, epoch: 2, timeout: .seconds(60), status: .ongoing,
            partitions: [PartitionName(topic: "t", partition: 1), PartitionName(topic: "t", partition: 0)],
            updatedAt: .milliseconds(256), startedAt: .milliseconds(255))
        let v0 = bytes(
            [0, 0], [0, 0, 0, 0, 0, 0, 0x0F, 0xA0], [0, 2], [0, 0, 0xEA, 0x60], [1], [0, 0, 0, 1], text("t"),
            [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0, 0, 255])
        #expect(transaction.encoded == v0)
        #expect(try TransactionMetadata(decoding: v0) == transaction)
        transaction.previousProducerID = 1
        let v1 = bytes(
            [0, 1], [0, 0, 0, 0, 0, 0, 0x0F, 0xA0], [0, 2], [0, 0, 0xEA, 0x60], [1], [2], [2, 116],
            [3, 0, 0, 0, 0, 0, 0, 0, 1], [0], [0, 0, 0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0, 0, 255],
            [1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1])
        #expect(transaction.encoded == v1)
        #expect(try TransactionMetadata(decoding: v1) == transaction)
        let empty = TransactionMetadata(
            producerID: 0, epoch: 0, timeout: .seconds(1), status: .empty, updatedAt: .zero)
        #expect(
            empty.encoded
                == bytes(
                    [0, 0], Array(repeating: 0, count: 10), [0, 0, 3, 0xE8], [0], [255, 255, 255, 255],
                    Array(repeating: 0, count: 8), Array(repeating: 255, count: 8)))
        #expect(try TransactionMetadata(decoding: empty.encoded) == empty)
        #expect(throws: RecordFormatError.self) {
            try TransactionMetadata(decoding: Array(v0[0..<16]) + [9] + Array(v0[17...]))
        }
    }

    @Test func subscriptionsAndAssignments() throws {
        let subscription = bytes([0, 3, 0, 0, 0, 2], text("a"), text("b"), [255, 255, 255, 255, 0, 0, 0, 0])
        #expect(try ConsumerSubscription(decoding: subscription).topics == ["a", "b"])
        let assignment = bytes([0, 0, 0, 0, 0, 1], text("a"), [0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4], [0, 0, 0, 0])
        #expect(
            try ConsumerAssignment(decoding: assignment).partitions
                == [PartitionName(topic: "a", partition: 1), PartitionName(topic: "a", partition: 4)])
        #expect(throws: RecordFormatError.self) { try ConsumerSubscription(decoding: [0, 0, 127, 0, 0, 0]) }
    }

    /// Java: `Math.abs("…".hashCode()) % 50` but for the least integer.
    @Test(
        arguments: [("", 0), ("a", 47), ("test-group", 12), ("consumer-group", 38), ("polygenelubricants", 0)]
            as [(String, Int32)])
    func partitionsOfGroups(id: String, partition: Int32) {
        #expect(CoordinatorPartition.index(of: id, count: 50) == partition)
    }

    @Test func damagedRecordsAreErrors() throws {
        let offset = CommittedOffset(offset: 1, metadata: "meta", committedAt: .seconds(1)).encoded
        var transaction = TransactionMetadata(
            producerID: 1, epoch: 2, timeout: .seconds(60), status: .ongoing,
            partitions: [PartitionName(topic: "t", partition: 1)], updatedAt: .zero)
        transaction.previousProducerID = 7
        let key = GroupRecordKey.offset(groupID: "g", PartitionName(topic: "t", partition: 1)).encoded
        let readers: [([UInt8], @Sendable ([UInt8]) throws -> Void)] = [
            (offset, { _ = try CommittedOffset(decoding: $0) }),
            (group.encoded, { _ = try GroupMetadata(decoding: $0) }),
            (transaction.encoded, { _ = try TransactionMetadata(decoding: $0) }),
            (key, { _ = try GroupRecordKey(decoding: $0) }),
            (TransactionRecordKey.encode("id"), { _ = try TransactionRecordKey.decode($0) }),
            (GroupBench.subscription(["a", "b"]), { _ = try ConsumerSubscription(decoding: $0) }),
            ([0, 0, 0, 0, 0, 1, 0, 1, 97, 0, 0, 0, 1, 0, 0, 0, 4], { _ = try ConsumerAssignment(decoding: $0) }),
        ]
        var random = SplitMix(seed: 11)
        for (index, (good, read)) in readers.enumerated() {
            try read(good)
            // Whatever is cut off is missed, but for the end of a subscription, which is not read.
            for count in 0..<(index == 5 ? 6 : good.count) {
                #expect(throws: RecordFormatError.self) { try read(Array(good.prefix(count))) }
            }
            // Changed bytes give a value or an error, and nothing else.
            for _ in 0..<400 {
                var bytes = good
                for _ in 0...Int.random(in: 0..<3, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                do { try read(bytes) } catch { #expect(error is RecordFormatError) }
            }
        }
    }
}

/// A generator with a seed, so that failures repeat.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
