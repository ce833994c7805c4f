// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import EventCoordination

/// Drives a coordinator of groups, and checks that every ticket is answered once.
final class GroupBench {
    var coordinator: GroupCoordinator
    var now: Duration = .seconds(1_700_000_000)
    var records: [CoordinatorRecord] = []
    private(set) var answers: [Ticket: GroupAnswer] = [:]
    private(set) var open: Set<Ticket> = []
    private var last: UInt64 = 0
    let group = "g"

    init(_ change: (inout GroupSettings) -> Void = { _ in }) {
        var settings = GroupSettings()
        change(&settings)
        coordinator = GroupCoordinator(settings: settings, now: now)
    }

    func ticket() -> Ticket {
        last += 1
        open.insert(Ticket(last))
        return Ticket(last)
    }

    func take(_ effects: GroupEffects) {
        records += effects.records
        for answer in effects.answers {
            let ticket = answer.ticket
            #expect(open.remove(ticket) != nil, "\(ticket) is answered though it does not wait")
            answers[ticket] = answer
        }
    }

    /// A subscription in the consumers' format, version 0.
    static func subscription(_ topics: [String]) -> [UInt8] {
        var writer = RecordWriter(version: 0)
        writer.count(topics.count)
        for topic in topics { writer.string(topic) }
        writer.data(nil)
        return writer.bytes
    }

    static func request(
        _ memberID: String = "", instance: String? = nil, client: String = "c", suffix: String = "x",
        protocols: [String] = ["range"], topics: [String] = ["t"], session: Duration = .seconds(10),
        rebalance: Duration = .seconds(60), type: String = "consumer", needsID: Bool = false, skips: Bool = false
    ) -> JoinRequest {
        JoinRequest(
            groupID: "g", memberID: memberID, instanceID: instance, clientID: client, clientHost: "/127.0.0.1",
            sessionTimeout: session, rebalanceTimeout: rebalance, protocolType: type,
            protocols: protocols.map { GroupProtocol(name: $0, metadata: subscription(topics)) },
            needsKnownMemberID: needsID, supportsSkippingAssignment: skips, newIDSuffix: suffix)
    }

    func join(_ request: JoinRequest) -> Ticket {
        let ticket = ticket()
        take(coordinator.join(request, ticket: ticket, now: now))
        return ticket
    }

    func sync(
        _ memberID: String, _ generation: Int32, instance: String? = nil, assign: [String: [UInt8]] = [:],
        type: String? = nil, name: String? = nil
    ) -> Ticket {
        let ticket = ticket()
        let request = SyncRequest(
            groupID: group, memberID: memberID, generation: generation, instanceID: instance, protocolType: type,
            protocolName: name, assignments: assign)
        take(coordinator.sync(request, ticket: ticket, now: now))
        return ticket
    }

    func heartbeat(_ memberID: String, _ generation: Int32, instance: String? = nil) -> CoordinationCode {
        coordinator.heartbeat(
            groupID: group, memberID: memberID, generation: generation, instanceID: instance, now: now)
    }

    func leave(_ members: LeavingMember...) -> [CoordinationCode] {
        let outcome = coordinator.leave(groupID: group, members, now: now)
        take(outcome.effects)
        return outcome.codes
    }

    /// Lets time pass, with what is due on the way.
    func pass(_ duration: Duration) {
        let end = now + duration
        while coordinator.nextDeadline <= end {
            now = max(now, coordinator.nextDeadline)
            take(coordinator.advance(now: now))
        }
        now = end
    }

    func joined(_ ticket: Ticket) -> JoinAnswer? {
        if case .join(_, let answer) = answers[ticket] { answer } else { nil }
    }

    func synced(_ ticket: Ticket) -> SyncAnswer? {
        if case .sync(_, let answer) = answers[ticket] { answer } else { nil }
    }

    var state: ConsumerGroup.State { coordinator.describe(group).state }

    /// A stable group of that many members, the first of which leads; `a`, `b`, … have the assignments [1], [2], …
    func stable(_ count: Int, instances: Bool = false, topics: [String] = ["t"]) -> [String] {
        let names = (0..<count).map { String(UnicodeScalar(UInt8(97 + $0))) }
        var tickets: [Ticket] = []
        for name in names {
            tickets.append(join(Self.request(instance: instances ? name : nil, client: name, topics: topics)))
        }
        let ids = names.map { "\($0)-x" }
        if count > 1 {
            // All but the last join anew, as the group was rebalanced for the later ones.
            for id in ids where joined(tickets[0])?.generation == 1 && coordinator.group(group)?.members[id] != nil {
                if coordinator.group(group)?.members[id]?.joinTicket == nil {
                    _ = join(
                        Self.request(
                            id, instance: instances ? String(id.prefix(1)) : nil, client: String(id.prefix(1)),
                            topics: topics))
                }
            }
        }
        let generation = coordinator.group(group)?.generation ?? 0
        let assignment = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, [UInt8($0 + 1)]) })
        for id in ids.reversed() { _ = sync(id, generation, assign: id == ids[0] ? assignment : [:]) }
        #expect(state == .stable)
        #expect(open.isEmpty)
        return ids
    }

    var generation: Int32 { coordinator.group(group)?.generation ?? -1 }

    /// A restart: what the records say.
    func restart() throws {
        var replay = GroupReplay()
        for record in records { try replay.apply(key: record.key, value: record.value) }
        coordinator = GroupCoordinator(settings: coordinator.settings, replay: replay, now: now)
        open = []
    }
}

extension GroupCoordinator {
    /// A group of the classic protocol.
    func group(_ id: String) -> ConsumerGroup? { snapshot(id).classic }
}
