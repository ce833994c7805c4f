// SPDX-License-Identifier: Apache-2.0

/// All groups of a broker: finds the group of a request, makes and removes groups, and knows what is due next.
///
/// A value: the caller keeps it behind a lock or in an actor, and calls ``advance(now:)`` at ``nextDeadline``. Records
/// that calls return are appended to `__consumer_offsets` in that order; answers (also immediate ones) are given out
/// when all records returned so far are durable. Where writing fails, the caller answers with
/// `coordinatorNotAvailable`, and puts the group back as it was (``snapshot(_:)``, ``restore(_:_:)``).
package struct GroupCoordinator: Sendable {
    package let settings: GroupSettings
    /// Groups of the classic protocol. A name is in one of the two.
    var groups: [String: ConsumerGroup] = [:]
    /// Groups of the consumer protocol (KIP-848).
    var modern: [String: ModernGroup] = [:]
    /// The topics as they were last seen.
    var image = TopicImage()
    /// Groups with offsets of a transaction that is not decided, by producer id.
    var transactions: [Int64: Set<String>] = [:]
    /// Not later than what each group waits for.
    private var deadlines: [String: Duration] = [:]
    private var nextCleanup: Duration
    /// When to call ``advance(now:)``; at times a little too early.
    package private(set) var nextDeadline: Duration

    package init(settings: GroupSettings = GroupSettings(), replay: GroupReplay = GroupReplay(), now: Duration) {
        self.settings = settings
        nextCleanup = now + settings.offsetsCheckInterval
        nextDeadline = nextCleanup
        for group in replay.groups(settings: settings, now: now) { restore(group.id, group.group) }
    }

    /// The group as it is, to put it back by ``restore(_:_:)`` where its records cannot be written.
    package func snapshot(_ id: String) -> GroupSnapshot {
        GroupSnapshot(classic: groups[id], modern: modern[id])
    }

    /// Puts a group in the place of the one with its id.
    package mutating func restore(_ id: String, _ group: GroupSnapshot) {
        groups[id] = group.classic
        modern[id] = group.modern
        if let offsets = group.classic?.offsets ?? group.modern?.offsets {
            for producer in offsets.producers { transactions[producer, default: []].insert(id) }
        }
        schedule(id)
    }

    mutating func forget(_ id: String) {
        groups[id] = nil
        modern[id] = nil
        deadlines[id] = nil
    }

    mutating func schedule(_ id: String) {
        let deadline = groups[id]?.nextDeadline ?? modern[id]?.nextDeadline
        deadlines[id] = deadline
        if let deadline { nextDeadline = min(nextDeadline, deadline) }
    }

    // MARK: Members

    /// JoinGroup.
    package mutating func join(_ request: JoinRequest, ticket: Ticket, now: Duration) -> GroupEffects {
        var effects = GroupEffects()
        let id = request.groupID
        guard !id.isEmpty else {
            effects.answers.append(.join(ticket, .failure(.invalidGroupID, memberID: request.memberID)))
            return effects
        }
        guard groups[id] != nil || request.memberID.isEmpty else {
            effects.answers.append(.join(ticket, .failure(.unknownMemberID, memberID: request.memberID)))
            return effects
        }
        let change = becomeClassic(id)
        guard change.isClassic else {
            effects.answers.append(.join(ticket, .failure(.inconsistentGroupProtocol, memberID: request.memberID)))
            return effects
        }
        effects.records = change.records
        effects.append(
            groups[id, default: ConsumerGroup(id: id, settings: settings)].join(request, ticket: ticket, now: now))
        schedule(id)
        removeIfVoid(id)
        return effects
    }

    /// SyncGroup.
    package mutating func sync(_ request: SyncRequest, ticket: Ticket, now: Duration) -> GroupEffects {
        let id = request.groupID
        guard groups[id] != nil else {
            var effects = GroupEffects()
            let code: CoordinationCode = id.isEmpty ? .invalidGroupID : .unknownMemberID
            effects.answers.append(.sync(ticket, SyncAnswer(code: code)))
            return effects
        }
        let effects = groups[id]?.sync(request, ticket: ticket, now: now)
        schedule(id)
        return effects ?? GroupEffects()
    }

    /// Heartbeat.
    package mutating func heartbeat(
        groupID: String, memberID: String, generation: Int32, instanceID: String? = nil, now: Duration
    ) -> CoordinationCode {
        guard !groupID.isEmpty else { return .invalidGroupID }
        // It only puts deadlines off.
        return groups[groupID]?.heartbeat(
            memberID: memberID, generation: generation, instanceID: instanceID, now: now) ?? .unknownMemberID
    }

    /// LeaveGroup: a code for the request, and one a member.
    package mutating func leave(groupID: String, _ leaving: [LeavingMember], now: Duration) -> (
        code: CoordinationCode, codes: [CoordinationCode], effects: GroupEffects
    ) {
        guard !groupID.isEmpty else { return (.invalidGroupID, [], GroupEffects()) }
        if let outcome = modern[groupID]?.leave(leaving) {
            var effects = GroupEffects()
            effects.records = outcome.records
            schedule(groupID)
            return (.ok, outcome.codes, effects)
        }
        guard let outcome = groups[groupID]?.leave(leaving, now: now) else {
            return (.ok, leaving.map { _ in .unknownMemberID }, GroupEffects())
        }
        schedule(groupID)
        removeIfVoid(groupID)
        return (.ok, outcome.codes, outcome.effects)
    }

    /// Does what is due by now.
    package mutating func advance(now: Duration) -> GroupEffects {
        var effects = GroupEffects()
        guard nextDeadline <= now else { return effects }
        for (id, deadline) in deadlines where deadline <= now {
            if let more = groups[id]?.advance(now: now) { effects.append(more) }
            effects.records += modern[id]?.advance(now: now) ?? []
            deadlines[id] = groups[id]?.nextDeadline ?? modern[id]?.nextDeadline
            removeIfVoid(id)
        }
        if nextCleanup <= now {
            effects.records += cleanUp(now: now)
            nextCleanup = now + settings.offsetsCheckInterval
        }
        nextDeadline = min(nextCleanup, deadlines.values.min() ?? nextCleanup)
        return effects
    }

    /// A group that never had a generation or an offset leaves nothing behind.
    private mutating func removeIfVoid(_ id: String) {
        guard let group = groups[id], group.generation == 0, group.isDisposable else { return }
        forget(id)
    }

    /// Expired offsets, and groups that have nothing left.
    private mutating func cleanUp(now: Duration) -> [CoordinatorRecord] {
        var records: [CoordinatorRecord] = []
        for id in groups.keys.sorted() {
            records += groups[id]?.expireOffsets(now: now) ?? []
            guard let group = groups[id], group.state == .empty, group.isDisposable else { continue }
            records += group.tombstones
            forget(id)
        }
        for id in modern.keys.sorted() {
            records += modern[id]?.expireOffsets(now: now) ?? []
            guard let group = modern[id], group.isDisposable else { continue }
            records += group.tombstones
            forget(id)
        }
        return records
    }
}
