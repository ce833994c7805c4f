// SPDX-License-Identifier: Apache-2.0

/// A group as it was, of whichever protocol; neither where there was none.
package struct GroupSnapshot: Sendable {
    var classic: ConsumerGroup?
    var modern: ModernGroup?
}

extension GroupCoordinator {
    /// The patterns that the caller has to find the topics of before ``heartbeat(_:topics:patterns:now:)``.
    package func patterns(for request: ConsumerHeartbeat, topics: TopicImage, now: Duration) -> Set<String> {
        if let group = modern[request.groupID] {
            return group.wantedPatterns(request, revision: topics.revision, now: now)
        }
        return request.pattern.flatMap { $0.isEmpty ? nil : [$0] } ?? []
    }

    /// A heartbeat that tells nothing new and asks for nothing; nil for all others.
    package mutating func beat(
        _ request: ConsumerHeartbeat, topics: TopicImage, now: Duration
    ) -> ConsumerHeartbeatAnswer? {
        // It only puts deadlines off.
        modern[request.groupID]?.beat(request, revision: max(topics.revision, image.revision), now: now)
    }

    /// ConsumerGroupHeartbeat.
    package mutating func heartbeat(
        _ request: ConsumerHeartbeat, topics: TopicImage, patterns: PatternTopics?, now: Duration
    ) -> (answer: ConsumerHeartbeatAnswer, records: [CoordinatorRecord]) {
        if topics.revision > image.revision { image = topics }
        do throws(GroupRefusal) {
            try request.check()
            let outcome = try answer(request, patterns, now)
            schedule(request.groupID)
            return outcome
        } catch {
            return (ConsumerHeartbeatAnswer(error), [])
        }
    }

    private mutating func answer(
        _ request: ConsumerHeartbeat, _ patterns: PatternTopics?, _ now: Duration
    ) throws(GroupRefusal) -> (answer: ConsumerHeartbeatAnswer, records: [CoordinatorRecord]) {
        let id = request.groupID
        guard var group = modern[id] else {
            guard request.epoch == 0 else {
                throw GroupRefusal(
                    .groupIDNotFound,
                    groups[id] == nil ? "Consumer group \(id) not found." : "Group \(id) is not a consumer group.")
            }
            return try create(request, patterns, now)
        }
        // So that the value is changed in place.
        modern[id] = nil
        defer { modern[id] = group }
        return request.epoch < 0
            ? try group.leave(request)
            : try group.heartbeat(request, topics: image, patterns: patterns, now: now)
    }

    /// The first member makes the group, of a classic one without members where there is one: its offsets stay.
    private mutating func create(
        _ request: ConsumerHeartbeat, _ patterns: PatternTopics?, _ now: Duration
    ) throws(GroupRefusal) -> (answer: ConsumerHeartbeatAnswer, records: [CoordinatorRecord]) {
        let id = request.groupID
        var group = ModernGroup(id: id, settings: settings)
        var records: [CoordinatorRecord] = []
        if let classic = groups[id] {
            guard classic.state == .empty, classic.pendingMembers.isEmpty else {
                throw GroupRefusal(.groupIDNotFound, "Group \(id) is not a consumer group.")
            }
            group.offsets = classic.offsets
            records += classic.groupTombstones
        }
        let outcome = try group.heartbeat(request, topics: image, patterns: patterns, now: now)
        groups[id] = nil
        modern[id] = group
        return (outcome.answer, records + outcome.records)
    }

    /// Makes a classic group of one of the consumer protocol that has no members; false where it has.
    mutating func becomeClassic(_ id: String) -> (isClassic: Bool, records: [CoordinatorRecord]) {
        guard let group = modern[id] else { return (true, []) }
        guard group.members.isEmpty else { return (false, []) }
        var classic = ConsumerGroup(id: id, settings: settings)
        classic.offsets = group.offsets
        modern[id] = nil
        groups[id] = classic
        return (true, group.tombstones)
    }

    /// ConsumerGroupDescribe; nil where there is no such group of the consumer protocol.
    package func describeModern(_ id: String) -> ModernGroupDescription? { modern[id]?.description }

    /// OffsetFetch: whether a member may ask in that epoch; members of the classic protocol may always.
    package func checkFetch(groupID: String, memberID: String?, epoch: Int32) -> CoordinationCode {
        modern[groupID]?.checkFetch(memberID: memberID, epoch: epoch) ?? .ok
    }
}
