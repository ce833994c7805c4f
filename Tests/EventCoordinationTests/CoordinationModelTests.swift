// SPDX-License-Identifier: Apache-2.0
import SASLMessages
import Testing

@testable import EventCoordination

/// Random events; what must hold whatever happens is checked after each.
@Suite struct CoordinationModelTests {
    /// A client of a group, which does what it likes.
    private struct Client {
        var name: String
        var instance: String?
        var memberID = ""
        var generation: Int32 = -1
        var leads = false
        var members: [String] = []
        var join: Ticket?
        var sync: Ticket?
    }

    @Test(arguments: 0..<12) func groups(seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed))
        let bench = GroupBench {
            $0.initialRebalanceDelay = seed % 3 == 0 ? .seconds(3) : .zero
            $0.maxSize = seed % 4 == 0 ? 4 : 10_000
        }
        var clients = (0..<6).map { Client(name: "c\($0)", instance: seed % 2 == 1 && $0 < 3 ? "i\($0)" : nil) }
        /// What the leader of a generation gave to whom.
        var given: [Int32: [String: [UInt8]]] = [:]
        var highest: Int32 = 0
        var committed: Int64 = -1
        var completed = 0
        let name = PartitionName(topic: "t", partition: 0)

        func collect(_ index: Int) {
            if let ticket = clients[index].join, let answer = bench.joined(ticket) {
                clients[index].join = nil
                switch answer.code {
                case .ok:
                    clients[index].memberID = answer.memberID
                    clients[index].generation = answer.generation
                    clients[index].leads = answer.leaderID == answer.memberID && !answer.skipsAssignment
                    clients[index].members = answer.members.map(\.memberID)
                    #expect(answer.members.isEmpty || answer.leaderID == answer.memberID)
                case .memberIDRequired: clients[index].memberID = answer.memberID
                case .unknownMemberID, .fencedInstanceID, .groupMaxSizeReached: clients[index].memberID = ""
                default: break
                }
            }
            if let ticket = clients[index].sync, let answer = bench.synced(ticket) {
                clients[index].sync = nil
                guard answer.code == .ok, !answer.assignment.isEmpty else { return }
                completed += 1
                // An assignment is of the generation that was joined, and of this member.
                let assignments = given[clients[index].generation] ?? [:]
                if clients[index].instance == nil {
                    #expect(assignments[clients[index].memberID] == answer.assignment)
                } else {
                    // The id may be newer than the assignment.
                    #expect(assignments.values.contains(answer.assignment))
                }
                #expect(answer.assignment[0] == UInt8(truncatingIfNeeded: clients[index].generation))
            }
        }

        for step in 0..<1500 {
            let index = Int.random(in: 0..<clients.count, using: &random)
            let client = clients[index]
            switch Int.random(in: 0..<12, using: &random) {
            case 0...2:
                // A join that waits may come again, as after a lost connection.
                guard client.join == nil || Int.random(in: 0..<8, using: &random) == 0 else { continue }
                clients[index].join = bench.join(
                    GroupBench.request(
                        client.memberID, instance: client.instance, client: client.name, suffix: "s\(step)",
                        topics: ["t\(Int.random(in: 0..<2, using: &random))"], rebalance: .seconds(20),
                        needsID: Bool.random(using: &random), skips: Bool.random(using: &random)))
            case 3...5:
                guard client.generation > 0, client.sync == nil else { continue }
                var assignment: [String: [UInt8]] = [:]
                let wasWaiting = bench.state == .completingRebalance && bench.generation == client.generation
                if client.leads {
                    for (number, member) in client.members.enumerated() {
                        assignment[member] = [
                            UInt8(truncatingIfNeeded: client.generation), UInt8(number),
                            UInt8.random(in: 0...255, using: &random),
                        ]
                    }
                }
                if client.leads, wasWaiting, bench.coordinator.group("g")?.leaderID == client.memberID {
                    given[client.generation] = assignment
                }
                clients[index].sync = bench.sync(
                    client.memberID, client.generation, instance: client.instance, assign: assignment)
            case 6...8: _ = bench.heartbeat(client.memberID, client.generation, instance: client.instance)
            case 9:
                let request = CommitRequest(
                    groupID: "g", memberID: client.memberID, generation: client.generation,
                    instanceID: client.instance, offsets: [OffsetToCommit(partition: name, offset: Int64(step))])
                let outcome = bench.coordinator.commit(request, now: bench.now)
                bench.records += outcome.records
                if outcome.codes == [.ok] { committed = Int64(step) }
            case 10:
                if Int.random(in: 0..<4, using: &random) == 0 {
                    if bench.leave(LeavingMember(memberID: client.memberID, instanceID: client.instance)) == [.ok] {
                        clients[index].memberID = ""
                    }
                } else if Int.random(in: 0..<4, using: &random) == 0 {
                    // A crash.
                    clients[index] = Client(name: client.name, instance: client.instance)
                }
            default: bench.pass(.milliseconds(Int.random(in: 0..<4000, using: &random)))
            }
            for index in clients.indices { collect(index) }
            try check(bench)
            #expect(bench.generation >= highest || bench.coordinator.group("g") == nil)
            highest = max(highest, bench.generation)
            #expect(bench.coordinator.fetchOffsets(groupID: "g", partitions: [name])[0].offset == committed)
        }
        // In the end every ticket is answered.
        bench.pass(.seconds(4000))
        #expect(bench.open.isEmpty)
        #expect(bench.coordinator.group("g")?.members.isEmpty ?? true)
        #expect(completed > 3)
        try bench.restart()
        #expect(bench.coordinator.fetchOffsets(groupID: "g", partitions: [name])[0].offset == committed)
    }

    /// The group agrees with itself.
    private func check(_ bench: GroupBench) throws {
        guard let group = bench.coordinator.group("g") else { return }
        var waiting: Set<Ticket> = []
        for (id, member) in group.members {
            #expect(id == member.id)
            if let ticket = member.joinTicket { #expect(waiting.insert(ticket).inserted) }
            if let ticket = member.syncTicket { #expect(waiting.insert(ticket).inserted) }
            if let instance = member.instanceID { #expect(group.staticMembers[instance] == id) }
            #expect(group.pendingMembers[id] == nil)
        }
        #expect(waiting == bench.open)
        #expect(group.staticMembers.values.allSatisfy { group.members[$0] != nil })
        #expect(group.leaderID.map { group.members[$0] != nil } ?? group.members.isEmpty)
        #expect(group.pendingSync.isSubset(of: group.members.keys))
        #expect((group.rebalance != nil) == (group.state == .preparingRebalance))
        #expect((group.state == .empty) == (group.members.isEmpty && group.state != .preparingRebalance))
        if group.state == .stable { #expect(waiting.isEmpty) }
        // What waits has an end.
        #expect(waiting.isEmpty || group.nextDeadline != nil)
        #expect(bench.coordinator.nextDeadline <= group.nextDeadline ?? .seconds(Int64.max / 2))
    }

    @Test(arguments: 0..<8) func transactions(seed: Int) throws {
        var random = SplitMix(seed: UInt64(seed + 100))
        let bench = TransactionBench()
        let partitions = (0..<4).map { PartitionName(topic: "t", partition: Int32($0)) }
        var producers: [ProducerIdentity] = []
        /// The decision of each transaction, by the producer and the start.
        var decided: [String: Bool] = [:]
        var ends: [TransactionStatus: Int] = [:]
        var highest: [Int64: Int16] = [:]

        for _ in 0..<1500 {
            // Mostly the present producer, at times one that was shut out.
            let old = producers.randomElement(using: &random)
            let producer =
                (Int.random(in: 0..<4, using: &random) == 0 ? old : producers.last) ?? ProducerIdentity(id: 0, epoch: 0)
            let before = bench.coordinator.describe("x")
            switch Int.random(in: 0..<14, using: &random) {
            case 0:
                let expected = Bool.random(using: &random) ? producers.last : nil
                let answer = bench.start(expected: expected, timeout: .seconds(20))
                if answer.code == .ok {
                    // Nobody is given an epoch below one that is in use.
                    #expect(answer.producer.epoch >= highest[answer.producer.id] ?? 0)
                    highest[answer.producer.id] = answer.producer.epoch
                    producers.append(answer.producer)
                    #expect(bench.markers.isEmpty)
                }
            case 1...5:
                let partition = partitions[Int.random(in: 0..<4, using: &random)]
                let code = bench.add(producer, partition)
                if code == .ok {
                    #expect(producer == producers.last)
                    #expect(bench.coordinator.describe("x").partitions.contains(partition))
                }
            case 6...8:
                let isCommit = Int.random(in: 0..<3, using: &random) > 0
                let code = bench.end(producer, commit: isCommit)
                if code == .ok {
                    #expect(producer == producers.last)
                    let after = bench.coordinator.describe("x").status
                    #expect(after == (isCommit ? .prepareCommit : .prepareAbort) || after == before.status)
                }
            case 9...11: bench.write()
            case 12: bench.pass(.milliseconds(Int.random(in: 0..<8000, using: &random)))
            default: try bench.restart()
            }
            // A decision stays, through retries, fencing, timeouts and restarts.
            let after = bench.coordinator.describe("x")
            if let start = after.startedAt,
                [.prepareCommit, .completeCommit, .prepareAbort, .completeAbort]
                    .contains(after.status)
            {
                let isCommit = after.status == .prepareCommit || after.status == .completeCommit
                let key = "\(after.producer.id) \(start) \(after.producer.epoch)"
                #expect(decided[key, default: isCommit] == isCommit || before.status == .ongoing)
                decided[key] = isCommit
                if after.status != before.status { ends[after.status, default: 0] += 1 }
            }
            for markers in bench.markers {
                #expect(markers.isCommit == (after.status == .prepareCommit))
                #expect(markers.partitions == after.partitions)
                #expect(markers.producer == after.producer)
            }
            // Markers wait exactly while a decision is carried out.
            #expect(bench.markers.isEmpty == ![.prepareCommit, .prepareAbort].contains(after.status))
            #expect(bench.markers.count <= 1)
            let allowed: [TransactionStatus: Set<TransactionStatus>] = [
                .empty: [.empty, .ongoing], .ongoing: [.ongoing, .prepareCommit, .prepareAbort],
                .prepareCommit: [.prepareCommit, .completeCommit], .prepareAbort: [.prepareAbort, .completeAbort],
                .completeCommit: [.completeCommit, .empty, .ongoing],
                .completeAbort: [.completeAbort, .empty, .ongoing],
            ]
            if before.code == .ok { #expect(allowed[before.status]?.contains(after.status) ?? false) }
        }
        #expect(ends[.completeCommit, default: 0] > 5)
        #expect(ends[.completeAbort, default: 0] > 5)
    }

    /// Messages of SASL that are random, or nearly right, are refused and harm nothing.
    @Test func messagesOfSASL() throws {
        var random = SplitMix(seed: 5)
        let credential = ScramCredential(
            mechanism: .scramSHA256, salt: [1, 2, 3], iterations: 4096, saltedPassword: [4, 5, 6])
        let good = Array("n,,n=user,r=abcdefgh".utf8)
        for round in 0..<2000 {
            var session = SASLSession(mechanisms: SASLMechanism.allCases, decoy: [1])
            _ = session.handshake("SCRAM-SHA-256")
            var bytes = good
            for _ in 0..<Int.random(in: 0..<3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if round % 3 == 0 { bytes = Array(bytes.prefix(Int.random(in: 0..<bytes.count, using: &random))) }
            var step = session.authenticate(bytes, nonce: "xyz") { _, _ in credential }
            if case .challenge(let answer) = step {
                var final = Array("c=biws,".utf8) + answer.prefix { $0 != UInt8(ascii: ",") } + Array(",p=AAAA".utf8)
                final[Int.random(in: 0..<final.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                step = session.authenticate(final) { _, _ in credential }
            }
            guard case .failed = step else {
                Issue.record("a wrong message is taken")
                return
            }
            #expect(session.user == nil)
        }
    }
}
