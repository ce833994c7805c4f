// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import EventCoordination

/// The flows of the protocol guide's "Group Membership API".
@Suite struct GroupRebalanceTests {
    @Test func firstMemberGetsAnIDAndLeads() throws {
        let bench = GroupBench()
        let first = bench.join(GroupBench.request(needsID: true))
        let id = try #require(bench.joined(first)).memberID
        #expect(bench.joined(first)?.code == .memberIDRequired)
        #expect(id == "c-x")
        let second = bench.join(GroupBench.request(id, needsID: true))
        let answer = try #require(bench.joined(second))
        #expect(answer.code == .ok)
        #expect(answer.generation == 1)
        #expect(answer.leaderID == id)
        #expect(answer.protocolName == "range")
        #expect(answer.protocolType == "consumer")
        #expect(answer.members.map(\.memberID) == [id])
        #expect(bench.state == .completingRebalance)
        let sync = bench.sync(id, 1, assign: [id: [7]], type: "consumer", name: "range")
        #expect(bench.synced(sync)?.assignment == [7])
        #expect(bench.synced(sync)?.protocolName == "range")
        #expect(bench.state == .stable)
        #expect(bench.heartbeat(id, 1) == .ok)
        #expect(bench.records.count == 1)
    }

    @Test func idsThatNobodyUsesAreForgotten() {
        let bench = GroupBench()
        _ = bench.join(GroupBench.request(needsID: true))
        #expect(bench.coordinator.group("g") != nil)
        bench.pass(.seconds(11))
        #expect(bench.coordinator.group("g") == nil)
        #expect(bench.joined(bench.join(GroupBench.request("c-x", needsID: true)))?.code == .unknownMemberID)
    }

    @Test func threeMembersRebalanceEagerly() throws {
        let bench = GroupBench()
        let ids = bench.stable(2)
        let generation = bench.generation
        let third = bench.join(GroupBench.request(client: "c"))
        #expect(bench.state == .preparingRebalance)
        #expect(bench.joined(third) == nil)
        // Heartbeats tell the others to join anew.
        #expect(bench.heartbeat(ids[0], generation) == .rebalanceInProgress)
        let second = bench.join(GroupBench.request(ids[1]))
        #expect(bench.joined(second) == nil)
        let first = bench.join(GroupBench.request(ids[0]))
        let answers = try [first, second, third].map { try #require(bench.joined($0)) }
        #expect(answers.map(\.generation) == [generation + 1, generation + 1, generation + 1])
        #expect(answers.map(\.leaderID) == [ids[0], ids[0], ids[0]])
        #expect(answers.map(\.members.count) == [3, 0, 0])
        let waiting = [bench.sync("c-x", generation + 1), bench.sync(ids[1], generation + 1)]
        #expect(bench.open == Set(waiting))
        _ = bench.sync(ids[0], generation + 1, assign: ["c-x": [3], ids[1]: [2], ids[0]: [1]])
        #expect(waiting.map { bench.synced($0)?.assignment } == [[3], [2]])
        #expect(bench.state == .stable)
    }

    /// KIP-429: each member keeps what it owns; a second rebalance hands over what was given up. For the broker these
    /// are two rebalances like any other.
    @Test func cooperativeMembersRebalanceTwice() {
        let bench = GroupBench()
        var tickets: [Ticket] = []
        for name in ["a", "b", "c"] {
            tickets.append(bench.join(GroupBench.request(client: name, protocols: ["cooperative-sticky", "range"])))
        }
        for round in 1...2 {
            for id in ["a-x", "b-x", "c-x"] where bench.coordinator.group("g")?.members[id]?.joinTicket == nil {
                _ = bench.join(GroupBench.request(id, protocols: ["cooperative-sticky", "range"]))
            }
            #expect(bench.state == .completingRebalance)
            #expect(bench.generation == Int32(round + 1))
            #expect(bench.coordinator.group("g")?.protocolName == "cooperative-sticky")
            for id in ["c-x", "b-x", "a-x"] {
                _ = bench.sync(id, bench.generation, assign: ["a-x": [1], "b-x": [2], "c-x": [3]])
            }
            #expect(bench.state == .stable)
        }
        #expect(bench.open.isEmpty)
    }

    @Test func protocolsAreVotedOn() {
        let bench = GroupBench()
        _ = bench.join(GroupBench.request(client: "a", protocols: ["x", "y", "z"]))
        _ = bench.join(GroupBench.request(client: "b", protocols: ["y", "z"]))
        _ = bench.join(GroupBench.request(client: "c", protocols: ["z", "y", "w"]))
        _ = bench.join(GroupBench.request("a-x", protocols: ["x", "y", "z"]))
        #expect(bench.coordinator.group("g")?.protocolName == "y")
        // One that shares no protocol with all others cannot join, nor one of another type.
        #expect(bench.joined(bench.join(GroupBench.request(protocols: ["x"])))?.code == .inconsistentGroupProtocol)
        #expect(
            bench.joined(bench.join(GroupBench.request(protocols: ["y"], type: "connect")))?.code
                == .inconsistentGroupProtocol)
        #expect(bench.joined(bench.join(GroupBench.request(protocols: [])))?.code == .inconsistentGroupProtocol)
    }

    @Test func leaverCausesARebalance() {
        let bench = GroupBench()
        let ids = bench.stable(3)
        let generation = bench.generation
        #expect(bench.leave(LeavingMember(memberID: ids[0])) == [.ok])
        #expect(bench.state == .preparingRebalance)
        #expect(bench.heartbeat(ids[0], generation) == .unknownMemberID)
        _ = bench.join(GroupBench.request(ids[2]))
        let second = bench.join(GroupBench.request(ids[1]))
        #expect(bench.joined(second)?.leaderID == ids[1])
        #expect(bench.joined(second)?.members.count == 2)
        #expect(bench.leave(LeavingMember(memberID: ids[1]), LeavingMember(memberID: "z")) == [.ok, .unknownMemberID])
        #expect(bench.leave(LeavingMember(memberID: ids[2])) == [.ok])
        #expect(bench.state == .empty)
    }

    @Test func leaderThatFailsIsReplaced() {
        let bench = GroupBench()
        let ids = bench.stable(3)
        let generation = bench.generation
        for _ in 0..<4 {
            bench.pass(.seconds(3))
            for id in ids.dropFirst() {
                #expect([.ok, .rebalanceInProgress].contains(bench.heartbeat(id, generation)))
            }
        }
        #expect(bench.state == .preparingRebalance)
        let others = ids.dropFirst().map { bench.join(GroupBench.request($0)) }
        #expect(bench.joined(others[0])?.leaderID == ids[1])
        #expect(bench.joined(others[0])?.members.map(\.memberID) == [ids[1], ids[2]])
        #expect(bench.heartbeat(ids[0], generation) == .unknownMemberID)
    }

    @Test func leaderThatFailsBeforeItAssigns() {
        let bench = GroupBench()
        let ids = bench.stable(2)
        let tickets = ids.map { bench.join(GroupBench.request($0)) }
        #expect(bench.joined(tickets[0])?.code == .ok)
        let waits = bench.sync(ids[1], bench.generation)
        // The rebalance timeout of 60 s and the leader's session of 10 s: the session ends first.
        bench.pass(.seconds(11))
        #expect(bench.synced(waits)?.code == .rebalanceInProgress)
        let again = bench.join(GroupBench.request(ids[1]))
        #expect(bench.joined(again)?.leaderID == ids[1])
    }

    @Test func membersThatDoNotRejoinAreLeftOut() {
        let bench = GroupBench()
        let ids = bench.stable(2)
        let generation = bench.generation
        let third = bench.join(GroupBench.request(client: "c"))
        let first = bench.join(GroupBench.request(ids[0]))
        // The other one sends heartbeats and does not join.
        for _ in 0..<20 {
            bench.pass(.seconds(3))
            _ = bench.heartbeat(ids[1], generation)
        }
        #expect(bench.joined(first)?.members.map(\.memberID) == [ids[0], "c-x"])
        #expect(bench.joined(third)?.generation == generation + 1)
        #expect(bench.heartbeat(ids[1], generation) == .unknownMemberID)
    }

    @Test func membersThatDoNotSyncAreLeftOut() {
        let bench = GroupBench()
        let ids = bench.stable(2)
        _ = ids.map { bench.join(GroupBench.request($0)) }
        let generation = bench.generation
        _ = bench.sync(ids[0], generation, assign: [:])
        #expect(bench.state == .stable)
        for _ in 0..<20 {
            bench.pass(.seconds(3))
            _ = ids.map { bench.heartbeat($0, generation) }
        }
        #expect(bench.state == .preparingRebalance)
        #expect(bench.heartbeat(ids[1], generation) == .unknownMemberID)
        #expect(bench.heartbeat(ids[0], generation) == .rebalanceInProgress)
    }

    @Test func generationsAreFenced() {
        let bench = GroupBench()
        let ids = bench.stable(2)
        let generation = bench.generation
        #expect(bench.heartbeat(ids[0], generation - 1) == .illegalGeneration)
        #expect(bench.heartbeat("nobody", generation) == .unknownMemberID)
        #expect(bench.synced(bench.sync(ids[0], generation - 1))?.code == .illegalGeneration)
        #expect(bench.synced(bench.sync("nobody", generation))?.code == .unknownMemberID)
        #expect(bench.synced(bench.sync(ids[0], generation, type: "x"))?.code == .inconsistentGroupProtocol)
        #expect(bench.synced(bench.sync(ids[0], generation, name: "x"))?.code == .inconsistentGroupProtocol)
        // Once stable, a sync gives the assignment again.
        #expect(bench.synced(bench.sync(ids[1], generation))?.assignment == [2])
        _ = bench.join(GroupBench.request(client: "c"))
        #expect(bench.synced(bench.sync(ids[0], generation))?.code == .rebalanceInProgress)
    }

    @Test func joinsAreAnsweredAgain() {
        let bench = GroupBench()
        let ids = bench.stable(2)
        let generation = bench.generation
        // A follower that asks for the same gets what it had; the leader starts a rebalance.
        let follower = bench.join(GroupBench.request(ids[1]))
        #expect(bench.joined(follower)?.generation == generation)
        #expect(bench.state == .stable)
        let leader = bench.join(GroupBench.request(ids[0]))
        #expect(bench.state == .preparingRebalance)
        // A join that comes twice: the first one's connection is gone.
        let again = bench.join(GroupBench.request(ids[0]))
        #expect(bench.joined(leader)?.code == .rebalanceInProgress)
        #expect(bench.joined(again) == nil)
        _ = bench.join(GroupBench.request(ids[1]))
        #expect(bench.joined(again)?.members.count == 2)
        // After the rebalance, before the sync.
        #expect(bench.joined(bench.join(GroupBench.request(ids[0])))?.members.count == 2)
        #expect(bench.state == .completingRebalance)
        let waits = bench.sync(ids[1], generation + 1)
        let twice = bench.sync(ids[1], generation + 1)
        #expect(bench.synced(waits)?.code == .rebalanceInProgress)
        #expect(bench.open == [twice])
        // Another subscription is a rebalance.
        _ = bench.join(GroupBench.request(ids[1], topics: ["u"]))
        #expect(bench.state == .preparingRebalance)
        #expect(bench.synced(twice)?.code == .rebalanceInProgress)
    }

    @Test func limitsAreKept() {
        let bench = GroupBench { $0.maxSize = 2 }
        let refused = [
            GroupBench.request(session: .seconds(5)), GroupBench.request(session: .seconds(1801)),
        ].map { request in bench.join(request) }
        #expect(refused.map { bench.joined($0)?.code } == [.invalidSessionTimeout, .invalidSessionTimeout])
        #expect(bench.coordinator.group("g") == nil)
        let ids = bench.stable(2)
        #expect(bench.joined(bench.join(GroupBench.request(client: "z")))?.code == .groupMaxSizeReached)
        #expect(bench.joined(bench.join(GroupBench.request(client: "z", needsID: true)))?.code == .groupMaxSizeReached)
        #expect(bench.joined(bench.join(GroupBench.request(ids[1], topics: ["v"]))) == nil)
        #expect(bench.state == .preparingRebalance)
        var request = GroupBench.request()
        request.groupID = ""
        #expect(bench.joined(bench.join(request))?.code == .invalidGroupID)
        #expect(
            bench.coordinator.heartbeat(groupID: "", memberID: "a", generation: 1, now: bench.now) == .invalidGroupID)
        #expect(bench.coordinator.leave(groupID: "", [], now: bench.now).code == .invalidGroupID)
    }

    @Test func givenIDsCountTowardsTheLimit() {
        let bench = GroupBench { $0.maxSize = 5 }
        let codes = (0..<8).map { number in
            bench.joined(bench.join(GroupBench.request(client: "m\(number)", needsID: true)))?.code
        }
        #expect(codes.filter { $0 == .memberIDRequired }.count == 5)
        #expect(codes.suffix(3).allSatisfy { $0 == .groupMaxSizeReached })
    }

    @Test func firstRebalanceWaitsForMore() {
        let bench = GroupBench { $0.initialRebalanceDelay = .seconds(3) }
        let first = bench.join(GroupBench.request(client: "a", rebalance: .seconds(7)))
        bench.pass(.seconds(2))
        let second = bench.join(GroupBench.request(client: "b", rebalance: .seconds(7)))
        bench.pass(.seconds(2))
        // Put off by another 3 s, as one more came.
        #expect(bench.joined(first) == nil)
        bench.pass(.seconds(2))
        #expect(bench.joined(first)?.members.count == 2)
        #expect(bench.joined(second)?.generation == 1)
    }

    @Test func firstRebalanceDoesNotWaitForEver() {
        let bench = GroupBench { $0.initialRebalanceDelay = .seconds(3) }
        let first = bench.join(GroupBench.request(client: "m", rebalance: .seconds(7)))
        for number in 0..<8 {
            bench.pass(.seconds(1))
            _ = bench.join(GroupBench.request(client: "m\(number)", rebalance: .seconds(7)))
        }
        #expect((bench.joined(first)?.members.count ?? 0) >= 7)
    }

    @Test func newMembersDoNotWaitForEver() {
        let bench = GroupBench()
        _ = bench.stable(1)
        let second = bench.join(GroupBench.request(client: "b", rebalance: .seconds(1000)))
        // The first member joins never, the second one's connection is gone: its session is not looked at for 5 minutes.
        for _ in 0..<110 {
            bench.pass(.seconds(3))
            _ = bench.heartbeat("a-x", 1)
        }
        #expect(bench.joined(second)?.code == .unknownMemberID)
    }
}
