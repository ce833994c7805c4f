// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import EventCoordination

/// Drives groups of the consumer protocol as clients do, and checks that no partition has two owners.
struct ModernBench {
    /// A client as KIP-848 describes it: takes what it is given, and says what it has.
    struct Client {
        var id: String
        var instance: String?
        var epoch: Int32 = 0
        var owned = TopicPartitions()
        /// Says everything with the next heartbeat.
        var isFull = true
        var topics: [String] = ["t"]
        var pattern: String?
        var assignor: String?
        var answer: ConsumerHeartbeatAnswer?
    }

    var coordinator: GroupCoordinator
    var now: Duration = .seconds(1_700_000_000)
    var records: [CoordinatorRecord] = []
    var image = TopicImage(revision: 1)
    var clients: [String: Client] = [:]
    let settings: GroupSettings

    init(_ topics: [String: Int32] = ["t": 4], _ change: (inout GroupSettings) -> Void = { _ in }) {
        var settings = GroupSettings()
        change(&settings)
        self.settings = settings
        coordinator = GroupCoordinator(settings: settings, now: now)
        for (name, partitions) in topics { set(name, partitions) }
    }

    static func id(_ name: String) -> TopicID {
        TopicID(high: 7, low: UInt64(name.utf8.reduce(0) { $0 * 31 + Int($1) }))
    }

    /// Makes a topic or makes it larger; nil deletes it.
    mutating func set(_ name: String, _ partitions: Int32?) {
        image.revision += 1
        image.topics[name] = partitions.map { TopicImage.Topic(id: Self.id(name), partitions: $0) }
    }

    func request(_ client: Client, group: String = "g") -> ConsumerHeartbeat {
        var request = ConsumerHeartbeat(
            groupID: group, memberID: client.id, epoch: client.epoch, clientID: "c", clientHost: "/127.0.0.1")
        request.instanceID = client.instance
        if client.epoch == 0 || client.isFull {
            request.rebalanceTimeout = .seconds(60)
            request.topics = client.topics
            request.pattern = client.pattern ?? ""
            request.assignor = client.assignor
        }
        request.owned = client.epoch == 0 ? TopicPartitions() : client.owned
        return request
    }

    @discardableResult
    mutating func send(_ request: ConsumerHeartbeat) -> ConsumerHeartbeatAnswer {
        if let answer = coordinator.beat(request, topics: image, now: now) { return answer }
        let wanted = coordinator.patterns(for: request, topics: image, now: now)
        // Patterns of tests are beginnings of names.
        var found: PatternTopics?
        if !wanted.isEmpty {
            found = PatternTopics(
                revision: image.revision,
                topics: Dictionary(
                    uniqueKeysWithValues: wanted.map { pattern in
                        (pattern, Set(image.topics.keys.filter { $0.hasPrefix(pattern) }))
                    }))
        }
        let outcome = coordinator.heartbeat(request, topics: image, patterns: found, now: now)
        records += outcome.records
        return outcome.answer
    }

    /// One heartbeat of a client, which does what it is told.
    @discardableResult
    mutating func beat(_ id: String) -> ConsumerHeartbeatAnswer {
        var client = clients[id] ?? Client(id: id)
        let answer = send(request(client))
        client.answer = answer
        client.isFull = false
        switch answer.code {
        case .ok:
            client.epoch = answer.epoch
            if let assignment = answer.assignment { client.owned = assignment }
        case .fencedMemberEpoch, .unknownMemberID:
            client.epoch = 0
            client.owned = TopicPartitions()
            client.isFull = true
        default: break
        }
        clients[id] = client
        checkOwners()
        return answer
    }

    mutating func join(_ id: String, _ change: (inout Client) -> Void = { _ in }) {
        var client = Client(id: id)
        change(&client)
        clients[id] = client
        beat(id)
    }

    @discardableResult
    mutating func leave(_ id: String, epoch: Int32 = -1) -> ConsumerHeartbeatAnswer {
        guard let client = clients.removeValue(forKey: id) else { return .notWritten }
        var request = ConsumerHeartbeat(groupID: "g", memberID: id, epoch: epoch)
        request.instanceID = client.instance
        return send(request)
    }

    /// Heartbeats of all until nothing changes.
    mutating func settle() {
        for _ in 0..<30 {
            let before = clients.mapValues { "\($0.epoch) \($0.owned.sorted)" }
            for id in clients.keys.sorted() { beat(id) }
            let isQuiet = clients.mapValues { "\($0.epoch) \($0.owned.sorted)" } == before
            if isQuiet && coordinator.describeModern("g")?.state == .stable { return }
        }
        Issue.record("the group does not settle: \(String(describing: coordinator.describeModern("g")?.state))")
    }

    mutating func advance(_ time: Duration) {
        now += time
        if coordinator.nextDeadline <= now { records += coordinator.advance(now: now).records }
    }

    func checkOwners() {
        // Those that were fenced do not know it yet.
        let present = Set(coordinator.describeModern("g")?.members.map(\.member.id) ?? [])
        var taken = TopicPartitions()
        for client in clients.values where client.epoch > 0 && present.contains(client.id) {
            #expect(client.owned.isDisjoint(with: taken), "a partition has two owners")
            taken.formUnion(client.owned)
        }
    }

    /// The partitions of a topic that a client has.
    func owned(_ id: String, _ topic: String = "t") -> [Int32] {
        clients[id]?.owned[Self.id(topic)].sorted() ?? []
    }

    /// A coordinator that starts from the records; compacted, only the last of a key is left.
    func restarted(isCompacted: Bool = false) throws -> GroupCoordinator {
        var replay = GroupReplay()
        var last: [[UInt8]: Int] = [:]
        for (index, record) in records.enumerated() { last[record.key] = index }
        for (index, record) in records.enumerated() where !isCompacted || last[record.key] == index {
            if isCompacted && record.value == nil { continue }
            try replay.apply(key: record.key, value: record.value)
        }
        return GroupCoordinator(settings: settings, replay: replay, now: now)
    }

    /// All that can be seen of the group.
    static func summary(_ coordinator: GroupCoordinator) -> String {
        guard let group = coordinator.describeModern("g") else { return "none" }
        let members = group.members.map { "\($0.member.encodedForTests) \($0.target.sorted)" }
        return "\(group.state) \(group.epoch) \(group.assignmentEpoch) \(group.assignor) \(members)"
    }
}

extension ModernMember {
    var encodedForTests: String {
        "\(id) \(instanceID ?? "-") \(ModernMemberData(self).encoded) \(ModernCurrentAssignment(self).encoded)"
    }
}
