// SPDX-License-Identifier: Apache-2.0

extension ConsumerGroup {
    /// Members are to join anew.
    mutating func prepareRebalance(now: Duration) -> GroupEffects {
        var effects = GroupEffects()
        if state == .completingRebalance { effects.append(cancelSyncs(now: now)) }
        pendingSync = []
        syncEnd = nil
        let delay = settings.initialRebalanceDelay
        if state == .empty {
            rebalance = Rebalance(
                end: now + delay, isInitial: delay > .zero, remaining: max(rebalanceTimeout - delay, .zero))
            transition(to: .preparingRebalance, now: now)
            if delay <= .zero { effects.append(completeJoins(now: now)) }
        } else {
            rebalance = Rebalance(end: now + rebalanceTimeout)
            transition(to: .preparingRebalance, now: now)
            effects.append(completeIfAllJoined(now: now))
        }
        return effects
    }

    /// Nobody gets an assignment of this generation.
    private mutating func cancelSyncs(now: Duration) -> GroupEffects {
        var effects = GroupEffects()
        for member in orderedMembers {
            members[member.id]?.assignment = []
            guard let ticket = member.syncTicket else { continue }
            members[member.id]?.syncTicket = nil
            extendSession(member.id, now: now)
            effects.answers.append(.sync(ticket, SyncAnswer(code: .rebalanceInProgress)))
        }
        return effects
    }

    /// The rebalance need not wait longer when all members have joined and no given id is still out.
    mutating func completeIfAllJoined(now: Duration) -> GroupEffects {
        guard state == .preparingRebalance, let rebalance, !rebalance.isInitial, pendingMembers.isEmpty,
            members.values.allSatisfy({ $0.joinTicket != nil })
        else { return GroupEffects() }
        return completeJoins(now: now)
    }

    /// The next generation begins with those that have joined; static members stay members (KIP-345).
    private mutating func completeJoins(now: Duration) -> GroupEffects {
        var effects = GroupEffects()
        for member in orderedMembers where member.joinTicket == nil && member.instanceID == nil {
            effects.append(remove(member.id))
        }
        if !members.isEmpty, !electLeader() {
            // Only static members, and none of them has joined: there is nobody to lead.
            rebalance = Rebalance(end: now + max(rebalanceTimeout, .milliseconds(1)))
            return effects
        }
        rebalance = nil
        generation = generation == Int32.max ? 1 : generation + 1
        guard !members.isEmpty else {
            protocolName = nil
            leaderID = nil
            subscribedTopics = knownSubscriptions()
            transition(to: .empty, now: now)
            effects.records.append(record)
            return effects
        }
        protocolName = selectedProtocol()
        subscribedTopics = knownSubscriptions()
        transition(to: .completingRebalance, now: now)
        for member in orderedMembers {
            members[member.id]?.isNew = false
            extendSession(member.id, now: now)
            guard let ticket = member.joinTicket else { continue }
            members[member.id]?.joinTicket = nil
            effects.answers.append(.join(ticket, joinAnswer(for: member.id)))
        }
        pendingSync = Set(members.keys)
        syncEnd = now + rebalanceTimeout
        return effects
    }

    /// Whether there is a leader that has joined.
    private mutating func electLeader() -> Bool {
        if let leaderID, members[leaderID]?.joinTicket != nil { return true }
        guard let next = orderedMembers.first(where: { $0.joinTicket != nil }) else { return false }
        leaderID = next.id
        return true
    }

    /// SyncGroup: the leader's brings the assignment, all others wait for it.
    package mutating func sync(_ request: SyncRequest, ticket: Ticket, now: Duration) -> GroupEffects {
        var effects = GroupEffects()
        let id = request.memberID
        var code = check(id, instanceID: request.instanceID)
        if code == .ok, request.generation != generation { code = .illegalGeneration }
        if code == .ok, let type = request.protocolType, type != protocolType { code = .inconsistentGroupProtocol }
        if code == .ok, let name = request.protocolName, name != protocolName { code = .inconsistentGroupProtocol }
        if code == .ok {
            switch state {
            case .empty, .dead: code = .unknownMemberID
            case .preparingRebalance: code = .rebalanceInProgress
            case .completingRebalance, .stable: break
            }
        }
        guard code == .ok, let member = members[id] else {
            effects.answers.append(.sync(ticket, SyncAnswer(code: code)))
            return effects
        }
        pendingSync.remove(id)
        if pendingSync.isEmpty { syncEnd = nil }
        if state == .stable {
            extendSession(id, now: now)
            effects.answers.append(.sync(ticket, syncAnswer(for: id)))
            return effects
        }
        if let old = member.syncTicket {
            effects.answers.append(.sync(old, SyncAnswer(code: .rebalanceInProgress)))
        }
        members[id]?.syncTicket = ticket
        guard id == leaderID else { return effects }
        for memberID in members.keys { members[memberID]?.assignment = request.assignments[memberID] ?? [] }
        transition(to: .stable, now: now)
        effects.records.append(record)
        for member in orderedMembers {
            guard let ticket = member.syncTicket else { continue }
            members[member.id]?.syncTicket = nil
            extendSession(member.id, now: now)
            effects.answers.append(.sync(ticket, syncAnswer(for: member.id)))
        }
        return effects
    }

    private func syncAnswer(for memberID: String) -> SyncAnswer {
        SyncAnswer(
            code: .ok, protocolType: protocolType, protocolName: protocolName,
            assignment: members[memberID]?.assignment ?? [])
    }

    /// Does what is due: sessions, given ids, rebalances and syncs that took too long.
    package mutating func advance(now: Duration) -> GroupEffects {
        var effects = GroupEffects()
        for (id, end) in pendingMembers where end <= now { pendingMembers[id] = nil }
        effects.append(completeIfAllJoined(now: now))
        for member in orderedMembers where member.expires && member.sessionEnd <= now {
            // An earlier one's end may have changed what this one waits for.
            guard let current = members[member.id], current.expires, current.sessionEnd <= now else { continue }
            effects.append(removeAndRebalance(member.id, now: now))
        }
        if let end = syncEnd, end <= now {
            for id in pendingSync.sorted() { effects.append(remove(id)) }
            effects.append(prepareRebalance(now: now))
        }
        guard let due = rebalance, due.end <= now else { return effects }
        if due.isInitial, due.hasNewMember, due.remaining > .zero {
            let step = min(settings.initialRebalanceDelay, due.remaining)
            rebalance = Rebalance(
                end: now + step, isInitial: true, remaining: max(due.remaining - settings.initialRebalanceDelay, .zero))
        } else {
            effects.append(completeJoins(now: now))
        }
        return effects
    }

    /// A member goes; those that stay share its partitions anew.
    mutating func removeAndRebalance(_ memberID: String, now: Duration) -> GroupEffects {
        var effects = remove(memberID)
        switch state {
        case .empty, .dead: break
        case .preparingRebalance: effects.append(completeIfAllJoined(now: now))
        case .completingRebalance, .stable: effects.append(prepareRebalance(now: now))
        }
        return effects
    }

    /// Heartbeat, versions 0–4.
    package mutating func heartbeat(
        memberID: String, generation: Int32, instanceID: String? = nil, now: Duration
    ) -> CoordinationCode {
        let code = check(memberID, instanceID: instanceID)
        guard code == .ok else { return code }
        guard generation == self.generation else { return .illegalGeneration }
        switch state {
        case .empty, .dead: return .unknownMemberID
        case .preparingRebalance:
            extendSession(memberID, now: now)
            return .rebalanceInProgress
        case .completingRebalance, .stable:
            extendSession(memberID, now: now)
            return .ok
        }
    }

    /// LeaveGroup: a code a member, in the order of the request.
    package mutating func leave(_ leaving: [LeavingMember], now: Duration) -> (
        codes: [CoordinationCode], effects: GroupEffects
    ) {
        var codes: [CoordinationCode] = []
        var effects = GroupEffects()
        for member in leaving {
            if member.instanceID == nil, pendingMembers.removeValue(forKey: member.memberID) != nil {
                effects.append(completeIfAllJoined(now: now))
                codes.append(.ok)
                continue
            }
            // Administrators name the instance alone.
            let id = member.memberID.isEmpty ? member.instanceID.flatMap { staticMembers[$0] } ?? "" : member.memberID
            let code = check(id, instanceID: member.instanceID)
            codes.append(code)
            if code == .ok { effects.append(removeAndRebalance(id, now: now)) }
        }
        return (codes, effects)
    }
}
