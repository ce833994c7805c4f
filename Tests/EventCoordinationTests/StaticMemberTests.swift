// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import EventCoordination

/// KIP-345, KIP-814.
@Suite struct StaticMemberTests {
    @Test func restartKeepsTheAssignment() throws {
        let bench = GroupBench()
        let ids = bench.stable(3, instances: true)
        let generation = bench.generation
        let count = bench.records.count
        let back = bench.join(GroupBench.request(instance: "b", client: "b", suffix: "y"))
        let answer = try #require(bench.joined(back))
        #expect(answer.code == .ok)
        #expect(answer.memberID == "b-y")
        #expect(answer.generation == generation)
        #expect(answer.leaderID == ids[0])
        #expect(bench.state == .stable)
        #expect(bench.records.count == count + 1)
        #expect(bench.synced(bench.sync("b-y", generation, instance: "b"))?.assignment == [2])
        // The one before is fenced.
        #expect(bench.heartbeat(ids[1], generation, instance: "b") == .fencedInstanceID)
        #expect(bench.heartbeat(ids[1], generation) == .unknownMemberID)
        #expect(bench.heartbeat("b-y", generation, instance: "b") == .ok)
        #expect(bench.joined(bench.join(GroupBench.request(ids[1], instance: "b")))?.code == .fencedInstanceID)
        #expect(bench.synced(bench.sync(ids[1], generation, instance: "b"))?.code == .fencedInstanceID)
        #expect(bench.heartbeat("b-y", generation, instance: "other") == .unknownMemberID)
    }

    @Test func rollingBounceNeedsNoRebalance() {
        let bench = GroupBench()
        _ = bench.stable(3, instances: true)
        let generation = bench.generation
        for (number, instance) in ["a", "b", "c"].enumerated() {
            let back = bench.join(GroupBench.request(instance: instance, client: instance, suffix: "y", skips: true))
            #expect(bench.joined(back)?.generation == generation)
            let sync = bench.sync("\(instance)-y", generation, instance: instance)
            #expect(bench.synced(sync)?.assignment == [UInt8(number + 1)])
            bench.pass(.seconds(2))
        }
        #expect(bench.state == .stable)
        #expect(bench.generation == generation)
    }

    @Test func leaderThatComesBackDoesNotAssign() throws {
        let bench = GroupBench()
        let ids = bench.stable(2, instances: true)
        let old = try #require(bench.joined(bench.join(GroupBench.request(instance: "a", client: "a", suffix: "y"))))
        // Before version 9 it is told another leader; from then on that it need not assign.
        #expect(old.leaderID == ids[0])
        #expect(old.members.isEmpty)
        #expect(!old.skipsAssignment)
        let new = try #require(
            bench.joined(bench.join(GroupBench.request(instance: "a", client: "a", suffix: "z", skips: true))))
        #expect(new.leaderID == "a-z")
        #expect(new.skipsAssignment)
        #expect(new.members.count == 2)
    }

    @Test func otherProtocolIsARebalance() {
        let bench = GroupBench()
        _ = bench.join(GroupBench.request(instance: "a", client: "a", protocols: ["x", "y"]))
        _ = bench.sync("a-x", 1, assign: ["a-x": [1]])
        let back = bench.join(GroupBench.request(instance: "a", client: "a", suffix: "y", protocols: ["y"]))
        #expect(bench.joined(back)?.generation == 2)
        #expect(bench.joined(back)?.protocolName == "y")
    }

    @Test func restartWhileOthersWait() {
        let bench = GroupBench()
        _ = bench.stable(2, instances: true)
        // The leader starts a rebalance and dies: its join is fenced when it is back.
        let first = bench.join(GroupBench.request("a-x", instance: "a"))
        let back = bench.join(GroupBench.request(instance: "a", client: "a", suffix: "y"))
        #expect(bench.joined(first)?.code == .fencedInstanceID)
        #expect(bench.joined(back) == nil)
        _ = bench.join(GroupBench.request("b-x", instance: "b"))
        #expect(bench.joined(back)?.leaderID == "a-y")
        // While the assignment is awaited, a restart is a rebalance, and a sync of the old one is fenced.
        let sync = bench.sync("b-x", bench.generation, instance: "b")
        let again = bench.join(GroupBench.request(instance: "b", client: "b", suffix: "y"))
        #expect(bench.synced(sync)?.code == .fencedInstanceID)
        #expect(bench.state == .preparingRebalance)
        _ = bench.join(GroupBench.request("a-y", instance: "a"))
        #expect(bench.joined(again)?.code == .ok)
    }

    @Test func staysThroughRebalancesUntilItsSessionEnds() {
        let bench = GroupBench()
        _ = bench.join(
            GroupBench.request(instance: "a", client: "a", session: .seconds(300), rebalance: .seconds(20)))
        _ = bench.sync("a-x", 1, assign: ["a-x": [1]])
        let other = bench.join(GroupBench.request(client: "b", rebalance: .seconds(20)))
        bench.pass(.seconds(21))
        // It did not join in time: the other one leads, and has both in its list.
        #expect(bench.joined(other)?.leaderID == "b-x")
        #expect(bench.joined(other)?.members.map(\.instanceID) == ["a", nil])
    }

    @Test func administratorsNameTheInstance() {
        let bench = GroupBench()
        let ids = bench.stable(2, instances: true)
        #expect(
            bench.leave(
                LeavingMember(memberID: "", instanceID: "a"), LeavingMember(memberID: "", instanceID: "none"),
                LeavingMember(memberID: "wrong", instanceID: "b")) == [.ok, .unknownMemberID, .fencedInstanceID])
        #expect(bench.coordinator.describe("g").members.map(\.memberID) == [ids[1]])
    }

    @Test func onlyAbsentStaticMembersAreWaitedFor() {
        let bench = GroupBench()
        _ = bench.join(
            GroupBench.request(instance: "a", client: "a", session: .seconds(1800), rebalance: .seconds(20)))
        _ = bench.sync("a-x", 1, assign: ["a-x": [1]])
        let other = bench.join(GroupBench.request(client: "b", rebalance: .seconds(20)))
        #expect(bench.leave(LeavingMember(memberID: "b-x")) == [.ok])
        #expect(bench.joined(other)?.code == .unknownMemberID)
        bench.pass(.seconds(100))
        #expect(bench.state == .preparingRebalance)
        let back = bench.join(GroupBench.request("a-x", instance: "a", session: .seconds(1800)))
        #expect(bench.joined(back)?.generation == 2)
    }
}
