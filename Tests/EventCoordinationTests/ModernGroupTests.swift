// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import EventCoordination

/// Groups of the consumer protocol (KIP-848).
@Suite struct ModernGroupTests {
    @Test func theFirstMemberGetsAll() {
        var bench = ModernBench()
        bench.join("a")
        #expect(bench.clients["a"]?.answer?.epoch == 1)
        #expect(bench.clients["a"]?.answer?.interval == .seconds(5))
        #expect(bench.owned("a") == [0, 1, 2, 3])
        #expect(bench.coordinator.describeModern("g")?.state == .stable)
        // Nothing new: no record, and no assignment in the answer.
        let count = bench.records.count
        #expect(bench.beat("a").assignment == nil)
        #expect(bench.records.count == count)
        // Of one who asks with everything, it is told.
        bench.clients["a"]?.isFull = true
        #expect(bench.beat("a").assignment?.count == 4)
    }

    @Test func partitionsAreGivenUpBeforeTheyAreGiven() {
        var bench = ModernBench()
        bench.join("a")
        bench.join("b")
        // Those of b are still a's.
        #expect(bench.owned("b").isEmpty)
        #expect(bench.clients["b"]?.epoch == 2)
        #expect(bench.coordinator.describeModern("g")?.state == .reconciling)
        // a is told to give up two, and keeps its epoch until it has.
        let answer = bench.send(bench.request(bench.clients["a"] ?? .init(id: "a")))
        #expect(answer.epoch == 1 && answer.assignment?.count == 2)
        var waiting = bench.clients["a"] ?? .init(id: "a")
        #expect(bench.send(bench.request(waiting)).epoch == 1)
        bench.beat("b")
        #expect(bench.owned("b").isEmpty)
        waiting.owned = answer.assignment ?? TopicPartitions()
        bench.clients["a"] = waiting
        bench.beat("a")
        #expect(bench.clients["a"]?.epoch == 2)
        bench.beat("b")
        #expect(bench.owned("b").count == 2)
        bench.settle()
        #expect(bench.coordinator.describeModern("g")?.state == .stable)
    }

    @Test func whoKeepsPartitionsForTooLongIsFenced() {
        var bench = ModernBench()
        bench.join("a")
        bench.join("b")
        let owned = bench.clients["a"] ?? .init(id: "a")
        for _ in 0..<7 {
            bench.send(bench.request(owned))
            bench.beat("b")
            bench.advance(.seconds(10))
        }
        #expect(bench.coordinator.describeModern("g")?.members.map(\.member.id) == ["b"])
        #expect(bench.send(bench.request(owned)).code == .unknownMemberID)
        bench.clients["a"] = nil
        bench.settle()
        #expect(bench.owned("b") == [0, 1, 2, 3])
    }

    @Test func whoIsSilentGoes() {
        var bench = ModernBench()
        bench.join("a")
        bench.join("b")
        bench.settle()
        bench.advance(.seconds(44))
        bench.beat("b")
        bench.advance(.seconds(1))
        #expect(bench.coordinator.describeModern("g")?.state == .assigning)
        bench.clients["a"] = nil
        bench.settle()
        #expect(bench.owned("b") == [0, 1, 2, 3])
        bench.advance(.seconds(45))
        #expect(bench.coordinator.describeModern("g")?.state == .empty)
    }

    @Test func whoLeavesGoesAtOnce() {
        var bench = ModernBench()
        bench.join("a")
        bench.join("b")
        bench.settle()
        #expect(bench.leave("a").epoch == -1)
        bench.settle()
        #expect(bench.owned("b") == [0, 1, 2, 3])
        var stranger = ConsumerHeartbeat(groupID: "g", memberID: "a", epoch: -1)
        #expect(bench.send(stranger).code == .unknownMemberID)
        stranger.groupID = "h"
        #expect(bench.send(stranger).code == .groupIDNotFound)
    }

    @Test func epochsAreChecked() {
        var bench = ModernBench()
        bench.join("a")
        let first = bench.clients["a"] ?? .init(id: "a")
        bench.join("b")
        bench.settle()
        let epoch = bench.clients["a"]?.epoch ?? 0
        #expect(epoch == 2)
        // The answer with the new epoch was lost: what it had, without what it gave up, is taken.
        var late = bench.clients["a"] ?? first
        late.epoch = 1
        #expect(bench.send(bench.request(late)).epoch == 2)
        // With more than it has, it is not.
        late.owned = first.owned
        #expect(bench.send(bench.request(late)).code == .fencedMemberEpoch)
        late.epoch = 3
        #expect(bench.send(bench.request(late)).code == .fencedMemberEpoch)
        var stranger = bench.request(first)
        stranger.memberID = "x"
        #expect(bench.send(stranger).code == .unknownMemberID)
        stranger.groupID = "h"
        #expect(bench.send(stranger).code == .groupIDNotFound)
    }

    @Test func requestsAreChecked() {
        var bench = ModernBench()
        func refused(_ change: (inout ConsumerHeartbeat) -> Void) -> CoordinationCode {
            var request = bench.request(.init(id: "a"))
            change(&request)
            let answer = bench.send(request)
            #expect(answer.code == .ok || answer.message?.isEmpty == false)
            return answer.code
        }
        #expect(refused { $0.groupID = "" } == .invalidRequest)
        #expect(refused { $0.memberID = "" } == .invalidRequest)
        #expect(refused { $0.instanceID = "" } == .invalidRequest)
        #expect(refused { $0.rackID = "" } == .invalidRequest)
        #expect(refused { $0.rebalanceTimeout = nil } == .invalidRequest)
        #expect(refused { $0.owned = nil } == .invalidRequest)
        #expect(refused { ($0.topics, $0.pattern) = (nil, nil) } == .invalidRequest)
        #expect(refused { $0.epoch = -2 } == .invalidRequest)
        #expect(refused { $0.epoch = -3 } == .invalidRequest)
        #expect(refused { $0.assignor = "sticky" } == .unsupportedAssignor)
        #expect(refused { $0.memberID = String(repeating: "m", count: 5000) } == .invalidRequest)
        #expect(refused { $0.topics = (0...10_000).map { "t\($0)" } } == .invalidRequest)
        #expect(refused { $0.topics = [String(repeating: "t", count: 5000)] } == .invalidRequest)
        #expect(bench.coordinator.list().isEmpty && bench.records.isEmpty)
        // A member without topics is one, too.
        #expect(refused { $0.topics = [] } == .ok)
        // Version 0: the coordinator chooses the id.
        var request = bench.request(.init(id: ""))
        request.newMemberID = "new"
        #expect(bench.send(request).memberID == "new")
    }

    @Test func thereIsRoomForSoMany() {
        var bench = ModernBench { $0.maxSize = 2 }
        bench.join("a")
        bench.join("b")
        bench.join("c")
        #expect(bench.clients["c"]?.answer?.code == .groupMaxSizeReached)
        #expect(bench.beat("a").code == .ok)
        bench.leave("b")
        bench.join("c")
        #expect(bench.clients["c"]?.answer?.code == .ok)
    }

    @Test func patternsAreBounded() {
        var bench = ModernBench()
        for number in 0..<100 { bench.join("m\(number)") { $0.pattern = "p\(number)" } }
        bench.join("one more") { $0.pattern = "p100" }
        #expect(bench.clients["one more"]?.answer?.code == .groupMaxSizeReached)
        bench.join("same") { $0.pattern = "p99" }
        #expect(bench.clients["same"]?.answer?.code == .ok)
    }

    @Test func topicsThatChangeAreSharedAnew() {
        var bench = ModernBench(["t": 2])
        bench.join("a") { $0.topics = ["t", "later"] }
        bench.join("b") { $0.topics = ["t", "later"] }
        bench.settle()
        let epoch = bench.coordinator.describeModern("g")?.epoch
        bench.set("other", 3)
        bench.settle()
        #expect(bench.coordinator.describeModern("g")?.epoch == epoch, "a topic that nobody reads")
        bench.set("t", 6)
        bench.settle()
        #expect(bench.owned("a").count == 3 && bench.owned("b").count == 3)
        bench.set("later", 2)
        bench.settle()
        #expect(bench.owned("a", "later").count == 1 && bench.owned("b", "later").count == 1)
        bench.set("t", nil)
        bench.settle()
        #expect(bench.owned("a").isEmpty && bench.owned("b").isEmpty)
    }

    @Test func patternsFollowTopics() {
        var bench = ModernBench(["x-1": 2, "y": 2])
        bench.join("a") { ($0.topics, $0.pattern) = ([], "x-") }
        #expect(bench.owned("a", "x-1") == [0, 1] && bench.owned("a", "y").isEmpty)
        bench.set("x-2", 3)
        bench.settle()
        #expect(bench.owned("a", "x-2") == [0, 1, 2])
        #expect(bench.coordinator.describeModern("g")?.members.first?.member.pattern == "x-")
        // Another pattern, then names.
        bench.clients["a"]?.pattern = "y"
        bench.clients["a"]?.isFull = true
        bench.settle()
        #expect(bench.owned("a", "x-1").isEmpty && bench.owned("a", "y") == [0, 1])
        bench.clients["a"]?.pattern = nil
        bench.clients["a"]?.topics = ["x-1"]
        bench.clients["a"]?.isFull = true
        bench.settle()
        #expect(bench.owned("a", "x-1") == [0, 1] && bench.owned("a", "y").isEmpty)
    }

    // MARK: Static members

    @Test func staticMembersComeBack() {
        var bench = ModernBench()
        bench.join("a") { $0.instance = "i" }
        bench.join("b") { $0.instance = "j" }
        bench.settle()
        let owned = bench.owned("a")
        // While it is there, nobody else may be it.
        bench.join("x") { $0.instance = "i" }
        #expect(bench.clients["x"]?.answer?.code == .unreleasedInstanceID)
        bench.clients["x"] = nil
        let epoch = bench.coordinator.describeModern("g")?.epoch
        #expect(bench.leave("a", epoch: -2).epoch == -2)
        bench.beat("b")
        #expect(bench.owned("b").count == 2, "what is its stays its")
        bench.join("x") { $0.instance = "i" }
        #expect(bench.owned("x") == owned)
        #expect(bench.coordinator.describeModern("g")?.epoch == epoch)
        // The old one is fenced.
        var old = bench.request(.init(id: "a", instance: "i", epoch: 2, isFull: false))
        #expect(bench.send(old).code == .fencedInstanceID)
        old.instanceID = nil
        #expect(bench.send(old).code == .unknownMemberID)
        bench.settle()
        // Left for good.
        bench.leave("x")
        bench.settle()
        #expect(bench.owned("b").count == 4)
    }

    @Test func aStaticMemberThatStaysAwayGoes() {
        var bench = ModernBench()
        bench.join("a") { $0.instance = "i" }
        bench.join("b")
        bench.settle()
        bench.leave("a", epoch: -2)
        for _ in 0..<5 {
            bench.advance(.seconds(10))
            bench.beat("b")
        }
        bench.settle()
        #expect(bench.owned("b").count == 4)
    }

    @Test func administratorsTakeStaticMembersOut() {
        var bench = ModernBench()
        bench.join("a") { $0.instance = "i" }
        bench.join("b")
        let outcome = bench.coordinator.leave(
            groupID: "g",
            [
                LeavingMember(memberID: "", instanceID: "i"), LeavingMember(memberID: "b"),
                LeavingMember(memberID: "", instanceID: "k"),
            ], now: bench.now)
        #expect(outcome.codes == [.ok, .unknownMemberID, .unknownMemberID])
        #expect(bench.coordinator.describeModern("g")?.members.map(\.member.id) == ["b"])
    }

    // MARK: Offsets

    private func commit(
        _ bench: inout ModernBench, _ member: String, _ epoch: Int32, version9: Bool = true, producer: Int64? = nil
    ) -> CoordinationCode? {
        bench.coordinator.commit(
            CommitRequest(
                groupID: "g", memberID: member, generation: epoch,
                offsets: [OffsetToCommit(partition: PartitionName(topic: "t", partition: 0), offset: 5)],
                producerID: producer, knowsMemberEpochs: version9), now: bench.now
        ).codes.first
    }

    @Test func offsetsAreOfMembersInTheirEpoch() {
        var bench = ModernBench()
        #expect(commit(&bench, "a", 1) == .groupIDNotFound)
        #expect(commit(&bench, "a", 1, version9: false) == .illegalGeneration)
        bench.join("a")
        #expect(commit(&bench, "a", 1) == .ok)
        #expect(commit(&bench, "a", 0) == .staleMemberEpoch)
        #expect(commit(&bench, "a", 2) == .staleMemberEpoch)
        #expect(commit(&bench, "a", 1, version9: false) == .unsupportedVersion)
        #expect(commit(&bench, "b", 1) == .unknownMemberID)
        #expect(commit(&bench, "", -1) == .unknownMemberID)
        #expect(commit(&bench, "a", 2, producer: 9) == .illegalGeneration)
        #expect(commit(&bench, "a", 1, producer: 9) == .ok)
        #expect(bench.coordinator.checkFetch(groupID: "g", memberID: nil, epoch: -1) == .ok)
        #expect(bench.coordinator.checkFetch(groupID: "g", memberID: "a", epoch: 1) == .ok)
        #expect(bench.coordinator.checkFetch(groupID: "g", memberID: "a", epoch: 3) == .staleMemberEpoch)
        #expect(bench.coordinator.checkFetch(groupID: "g", memberID: "b", epoch: 1) == .unknownMemberID)
        let name = PartitionName(topic: "t", partition: 0)
        #expect(bench.coordinator.deleteOffsets(groupID: "g", partitions: [name]).codes == [.groupSubscribedToTopic])
        bench.leave("a")
        // Nobody is there: administrators may.
        #expect(commit(&bench, "", -1) == .ok)
        #expect(bench.coordinator.deleteOffsets(groupID: "g", partitions: [name]).codes == [.ok])
    }

    @Test func offsetsOfSubscribedTopicsDoNotExpire() {
        var bench = ModernBench { $0.offsetsRetention = .seconds(1000) }
        bench.join("a")
        #expect(commit(&bench, "a", 1) == .ok)
        for _ in 0..<40 {
            bench.advance(.seconds(40))
            bench.beat("a")
        }
        let name = PartitionName(topic: "t", partition: 0)
        #expect(bench.coordinator.fetchOffsets(groupID: "g", partitions: [name]).first?.offset == 5)
        bench.leave("a")
        bench.advance(.seconds(2000))
        #expect(bench.coordinator.fetchOffsets(groupID: "g", partitions: [name]).first?.offset == -1)
        #expect(bench.coordinator.list().isEmpty)
    }

    // MARK: Beside the classic protocol

    @Test func anEmptyGroupChangesItsProtocol() {
        let classic = GroupBench()
        _ = classic.stable(1)
        var request = ConsumerHeartbeat(groupID: "g", memberID: "a", epoch: 0)
        (request.topics, request.owned, request.rebalanceTimeout) = (["t"], TopicPartitions(), .seconds(60))
        func join() -> (answer: ConsumerHeartbeatAnswer, records: [CoordinatorRecord]) {
            classic.coordinator.heartbeat(
                request, topics: TopicImage(revision: 1), patterns: nil, now: classic.now)
        }
        // Members of the classic protocol are there.
        #expect(join().answer.code == .groupIDNotFound)
        #expect(classic.coordinator.describeModern("g") == nil)
        _ = classic.coordinator.leave(
            groupID: "g", classic.coordinator.describe("g").members.map { LeavingMember(memberID: $0.memberID) },
            now: classic.now)
        let commit = CommitRequest(
            groupID: "g", offsets: [OffsetToCommit(partition: PartitionName(topic: "t", partition: 0), offset: 7)])
        #expect(classic.coordinator.commit(commit, now: classic.now).codes == [.ok])
        let joined = join()
        #expect(joined.answer.code == .ok)
        #expect(joined.records.first?.key == GroupRecordKey.group("g").encoded && joined.records.first?.value == nil)
        #expect(classic.coordinator.list(types: ["consumer"]).map(\.groupID) == ["g"])
        #expect(classic.coordinator.describe("g").state == .dead)
        #expect(classic.coordinator.fetchOffsets(groupID: "g", partitions: nil).map(\.offset) == [7])
        // And not the other way round while there are members.
        let refused = classic.join(GroupBench.request())
        #expect(classic.joined(refused)?.code == .inconsistentGroupProtocol)
        #expect(classic.coordinator.delete("g").code == .nonEmptyGroup)
        request.epoch = -1
        _ = classic.coordinator.heartbeat(request, topics: TopicImage(revision: 1), patterns: nil, now: classic.now)
        let back = classic.join(GroupBench.request())
        #expect(classic.joined(back)?.code == .ok)
        #expect(classic.coordinator.list(types: ["classic"]).map(\.groupID) == ["g"])
        #expect(classic.coordinator.fetchOffsets(groupID: "g", partitions: nil).map(\.offset) == [7])
    }

    @Test func requestsOfTheClassicProtocolFindNobody() {
        var bench = ModernBench()
        bench.join("a")
        #expect(
            bench.coordinator.heartbeat(groupID: "g", memberID: "a", generation: 1, now: bench.now) == .unknownMemberID)
        #expect(bench.coordinator.describe("g").state == .dead)
        let effects = bench.coordinator.sync(
            SyncRequest(groupID: "g", memberID: "a", generation: 1), ticket: Ticket(1), now: bench.now)
        #expect(effects.answers == [.sync(Ticket(1), SyncAnswer(code: .unknownMemberID))])
    }

    @Test func anEmptyGroupIsDeleted() throws {
        var bench = ModernBench()
        bench.join("a")
        bench.leave("a")
        let outcome = bench.coordinator.delete("g")
        #expect(outcome.code == .ok)
        bench.records += outcome.records
        #expect(try bench.restarted().list().isEmpty)
        #expect(try bench.restarted(isCompacted: true).list().isEmpty)
        #expect(bench.coordinator.delete("g").code == .groupIDNotFound)
    }

    @Test func aGroupIsPutBackAsItWas() {
        var bench = ModernBench()
        bench.join("a")
        let before = bench.coordinator.snapshot("g")
        let summary = ModernBench.summary(bench.coordinator)
        bench.join("b")
        #expect(ModernBench.summary(bench.coordinator) != summary)
        bench.coordinator.restore("g", before)
        #expect(ModernBench.summary(bench.coordinator) == summary)
    }
}
