// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import EventCoordination

@Suite struct OffsetTests {
    private let first = PartitionName(topic: "t", partition: 0)
    private let second = PartitionName(topic: "t", partition: 1)
    private let other = PartitionName(topic: "u", partition: 0)

    private func commit(
        _ bench: GroupBench, _ offsets: [PartitionName: Int64], member: String = "", generation: Int32 = -1,
        instance: String? = nil, producer: Int64? = nil, metadata: String = ""
    ) -> [CoordinationCode] {
        let request = CommitRequest(
            groupID: "g", memberID: member, generation: generation, instanceID: instance,
            offsets: offsets.sorted { $0.key < $1.key }.map {
                OffsetToCommit(partition: $0.key, offset: $0.value, leaderEpoch: 3, metadata: metadata)
            }, producerID: producer)
        let outcome = bench.coordinator.commit(request, now: bench.now)
        bench.records += outcome.records
        return outcome.codes
    }

    private func offsets(_ bench: GroupBench, requireStable: Bool = false) -> [Int64] {
        bench.coordinator.fetchOffsets(groupID: "g", partitions: [first, second], requireStable: requireStable)
            .map(\.offset)
    }

    @Test func simpleConsumersCommitWithoutMembers() {
        let bench = GroupBench()
        #expect(offsets(bench) == [-1, -1])
        #expect(commit(bench, [first: 5], generation: 0) == [.illegalGeneration])
        #expect(bench.coordinator.group("g") == nil)
        #expect(commit(bench, [first: 5, second: 7], metadata: "m") == [.ok, .ok])
        #expect(offsets(bench) == [5, 7])
        let all = bench.coordinator.fetchOffsets(groupID: "g", partitions: nil)
        #expect(all.map(\.partition) == [first, second])
        #expect(all.map(\.metadata) == ["m", "m"])
        #expect(all.map(\.leaderEpoch) == [3, 3])
        // An offset may be set back on purpose.
        #expect(commit(bench, [first: 1]) == [.ok])
        #expect(offsets(bench) == [1, 7])
    }

    @Test func membersCommitInTheirGeneration() {
        let bench = GroupBench()
        let ids = bench.stable(2)
        let generation = bench.generation
        #expect(commit(bench, [first: 5], member: ids[0], generation: generation) == [.ok])
        #expect(commit(bench, [first: 6], member: ids[0], generation: generation - 1) == [.illegalGeneration])
        #expect(commit(bench, [first: 6], member: "z", generation: generation) == [.unknownMemberID])
        #expect(commit(bench, [first: 6]) == [.unknownMemberID])
        #expect(commit(bench, [first: 6], member: ids[0], generation: generation, instance: "i") == [.unknownMemberID])
        // Members may commit while a rebalance gathers, and not between it and the assignment.
        _ = bench.join(GroupBench.request(ids[0]))
        #expect(commit(bench, [first: 8], member: ids[1], generation: generation) == [.ok])
        _ = bench.join(GroupBench.request(ids[1]))
        #expect(commit(bench, [first: 9], member: ids[1], generation: generation + 1) == [.rebalanceInProgress])
        #expect(offsets(bench) == [8, -1])
    }

    @Test func metadataIsLimited() {
        let bench = GroupBench()
        #expect(commit(bench, [first: 5], metadata: String(repeating: "x", count: 4097)) == [.offsetMetadataTooLarge])
        #expect(commit(bench, [first: 5], metadata: String(repeating: "x", count: 4096)) == [.ok])
        #expect(bench.records.count == 1)
    }

    @Test func commitsKeepSessionsAlive() {
        let bench = GroupBench()
        let ids = bench.stable(1)
        for _ in 0..<10 {
            bench.pass(.seconds(4))
            #expect(commit(bench, [first: 5], member: ids[0], generation: bench.generation) == [.ok])
        }
        #expect(bench.state == .stable)
    }

    @Test func transactionalOffsetsWaitForTheirMarker() {
        let bench = GroupBench()
        #expect(commit(bench, [first: 5]) == [.ok])
        #expect(commit(bench, [first: 9, second: 9], producer: 77) == [.ok, .ok])
        #expect(offsets(bench) == [5, -1])
        let fetched = bench.coordinator.fetchOffsets(
            groupID: "g", partitions: [first, other], requireStable: true)
        #expect(fetched.map(\.code) == [.unstableOffsetCommit, .ok])
        bench.coordinator.completeTransaction(producerID: 78, isCommit: true)
        #expect(offsets(bench) == [5, -1])
        bench.coordinator.completeTransaction(producerID: 77, isCommit: true)
        #expect(offsets(bench, requireStable: true) == [9, 9])
        #expect(commit(bench, [first: 20], producer: 77) == [.ok])
        bench.coordinator.completeTransaction(producerID: 77, isCommit: false)
        #expect(offsets(bench) == [9, 9])
    }

    @Test func laterCommitsAreNotOverwrittenByMarkers() {
        let bench = GroupBench()
        #expect(commit(bench, [first: 9, second: 9], producer: 77) == [.ok, .ok])
        #expect(commit(bench, [first: 12]) == [.ok])
        bench.coordinator.completeTransaction(producerID: 77, isCommit: true)
        #expect(offsets(bench) == [12, 9])
    }

    @Test func transactionsNeedTheGeneration() {
        let bench = GroupBench()
        let ids = bench.stable(1)
        #expect(commit(bench, [first: 9], producer: 77) == [.ok])
        #expect(commit(bench, [first: 9], member: ids[0], generation: 9, producer: 77) == [.illegalGeneration])
        #expect(commit(bench, [first: 9], member: "z", generation: 1, producer: 77) == [.unknownMemberID])
        #expect(commit(bench, [first: 9], member: ids[0], generation: 1, producer: 77) == [.ok])
    }

    @Test func offsetsOfEmptyGroupsExpire() {
        let bench = GroupBench { $0.offsetsRetention = .seconds(3600) }
        let ids = bench.stable(1)
        #expect(commit(bench, [first: 5, other: 6], member: ids[0], generation: 1) == [.ok, .ok])
        // While the group lives, only what it does not subscribe to expires.
        for _ in 0..<900 {
            bench.pass(.seconds(5))
            _ = bench.heartbeat(ids[0], 1)
        }
        let present = bench.coordinator.fetchOffsets(groupID: "g", partitions: nil)
        #expect(present.map(\.partition) == [first])
        _ = bench.leave(LeavingMember(memberID: ids[0]))
        bench.pass(.seconds(3000))
        #expect(offsets(bench) == [5, -1])
        bench.pass(.seconds(1300))
        // Offsets and group are gone, with tombstones.
        #expect(bench.coordinator.group("g") == nil)
        let keys = bench.records.filter { $0.value == nil }.map(\.key)
        #expect(
            keys == [
                GroupRecordKey.offset(groupID: "g", other).encoded, GroupRecordKey.offset(groupID: "g", first).encoded,
                GroupRecordKey.group("g").encoded,
            ])
    }

    @Test func offsetsOfSimpleConsumersExpireAfterTheirCommit() {
        let bench = GroupBench { $0.offsetsRetention = .seconds(3600) }
        #expect(commit(bench, [first: 5]) == [.ok])
        bench.pass(.seconds(1900))
        #expect(commit(bench, [second: 6]) == [.ok])
        bench.pass(.seconds(2400))
        #expect(offsets(bench) == [-1, 6])
        #expect(commit(bench, [second: 7], producer: 7) == [.ok])
        bench.pass(.seconds(7200))
        // A transaction that is not decided holds on to it.
        #expect(offsets(bench) == [-1, 6])
    }

    @Test func offsetsAreDeletedUnlessSubscribed() {
        let bench = GroupBench()
        #expect(bench.coordinator.deleteOffsets(groupID: "g", partitions: [first]).code == .groupIDNotFound)
        let ids = bench.stable(1)
        _ = commit(bench, [first: 5, other: 6], member: ids[0], generation: 1)
        let outcome = bench.coordinator.deleteOffsets(groupID: "g", partitions: [first, other])
        #expect(outcome.codes == [.groupSubscribedToTopic, .ok])
        #expect(outcome.records.count == 1)
        #expect(bench.coordinator.delete("g").code == .nonEmptyGroup)
        _ = bench.leave(LeavingMember(memberID: ids[0]))
        #expect(bench.coordinator.deleteOffsets(groupID: "g", partitions: [first]).codes == [.ok])
        _ = commit(bench, [first: 5])
        let deleted = bench.coordinator.delete("g")
        #expect(deleted.code == .ok)
        #expect(deleted.records.count == 2)
        #expect(bench.coordinator.delete("g").code == .groupIDNotFound)
        #expect(bench.coordinator.describe("g").state == .dead)
    }

    @Test func otherProtocolsKeepTheirOffsets() {
        let bench = GroupBench()
        _ = bench.join(GroupBench.request(type: "connect"))
        #expect(bench.coordinator.deleteOffsets(groupID: "g", partitions: [first]).code == .nonEmptyGroup)
    }

    @Test func deletedTopicsTakeTheirOffsetsAlong() {
        let bench = GroupBench()
        _ = commit(bench, [first: 5, other: 6])
        #expect(bench.coordinator.topicsDeleted(["t"]).count == 1)
        #expect(bench.coordinator.fetchOffsets(groupID: "g", partitions: nil).map(\.partition) == [other])
    }

    @Test func groupsAreListedAndDescribed() {
        let bench = GroupBench()
        let ids = bench.stable(2)
        bench.coordinator.restore("e", GroupSnapshot(classic: ConsumerGroup(id: "e")))
        #expect(bench.coordinator.list().map(\.groupID) == ["e", "g"])
        #expect(bench.coordinator.list(states: ["stable"]).map(\.groupID) == ["g"])
        #expect(bench.coordinator.list(states: ["Empty", "Dead"], types: ["Classic"]).map(\.groupID) == ["e"])
        #expect(bench.coordinator.list(types: ["consumer"]).isEmpty)
        let stable = bench.coordinator.describe("g")
        #expect(stable.protocolName == "range")
        #expect(stable.members.map(\.memberID) == ids)
        #expect(stable.members.map(\.assignment) == [[1], [2]])
        _ = bench.join(GroupBench.request(ids[0]))
        let rebalancing = bench.coordinator.describe("g")
        #expect(rebalancing.state == .preparingRebalance)
        #expect(rebalancing.protocolName.isEmpty)
        #expect(rebalancing.members.allSatisfy { $0.metadata.isEmpty && $0.assignment.isEmpty })
    }

    @Test func restartsFindGroupsAndOffsets() throws {
        let bench = GroupBench()
        let ids = bench.stable(2, instances: true)
        let generation = bench.generation
        _ = commit(bench, [first: 5, second: 6], member: ids[0], generation: generation)
        bench.records += bench.coordinator.topicsDeleted(["none"])
        let before = bench.coordinator.describe("g")
        try bench.restart()
        #expect(bench.coordinator.describe("g") == before)
        #expect(offsets(bench) == [5, 6])
        #expect(bench.heartbeat(ids[1], generation, instance: "b") == .ok)
        #expect(bench.synced(bench.sync(ids[1], generation))?.assignment == [2])
        // Whoever does not come back is left out.
        for _ in 0..<4 {
            bench.pass(.seconds(3))
            _ = bench.heartbeat(ids[1], generation)
        }
        #expect(bench.state == .preparingRebalance)
        let back = bench.join(GroupBench.request(ids[1], instance: "b"))
        #expect(bench.joined(back)?.generation == generation + 1)
        #expect(bench.joined(back)?.leaderID == ids[1])
    }

    @Test func replayEndsTransactionsWhereTheirMarkersStand() throws {
        func key(_ name: PartitionName) -> [UInt8] { GroupRecordKey.offset(groupID: "g", name).encoded }
        func value(_ offset: Int64) -> [UInt8] { CommittedOffset(offset: offset, committedAt: .seconds(1)).encoded }
        var replay = GroupReplay()
        try replay.apply(key: key(first), value: value(1), producerID: 7)
        try replay.apply(key: key(second), value: value(2), producerID: 8)
        replay.complete(producerID: 7, isCommit: true)
        replay.complete(producerID: 8, isCommit: false)
        try replay.apply(key: key(other), value: value(3), producerID: 9)
        var coordinator = GroupCoordinator(replay: replay, now: .seconds(2))
        #expect(
            coordinator.fetchOffsets(groupID: "g", partitions: [first, second, other]).map(\.offset) == [1, -1, -1])
        coordinator.completeTransaction(producerID: 9, isCommit: true)
        #expect(
            coordinator.fetchOffsets(groupID: "g", partitions: [first, second, other]).map(\.offset) == [1, -1, 3])
    }
}
