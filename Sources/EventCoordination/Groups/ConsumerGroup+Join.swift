// SPDX-License-Identifier: Apache-2.0

extension ConsumerGroup {
    /// JoinGroup. Its answer comes when the rebalance that it starts, or joins, is over.
    package mutating func join(_ request: JoinRequest, ticket: Ticket, now: Duration) -> GroupEffects {
        guard request.sessionTimeout >= settings.minSessionTimeout,
            request.sessionTimeout <= settings.maxSessionTimeout
        else { return refusal(ticket, .invalidSessionTimeout, memberID: request.memberID) }
        guard hasRoom(for: request) else {
            var effects = remove(request.memberID)
            pendingMembers[request.memberID] = nil
            effects.append(refusal(ticket, .groupMaxSizeReached))
            effects.append(completeIfAllJoined(now: now))
            return effects
        }
        guard accepts(request.protocolType, request.protocols) else {
            return refusal(ticket, .inconsistentGroupProtocol, memberID: request.memberID)
        }
        var effects =
            request.memberID.isEmpty
            ? firstJoin(request, ticket: ticket, now: now) : laterJoin(request, ticket: ticket, now: now)
        effects.append(completeIfAllJoined(now: now))
        return effects
    }

    private func hasRoom(for request: JoinRequest) -> Bool {
        let isKnown = members[request.memberID] != nil || pendingMembers[request.memberID] != nil
        // A static member takes the place of the one it replaces.
        let replaces = request.memberID.isEmpty && request.instanceID.map { staticMembers[$0] != nil } ?? false
        switch state {
        case .empty, .completingRebalance, .stable:
            return isKnown || replaces
                ? members.count <= settings.maxSize
                : members.count + pendingMembers.count < settings.maxSize
        case .preparingRebalance:
            if members[request.memberID]?.joinTicket != nil || replaces { return true }
            let awaited = members.values.count { $0.joinTicket != nil }
            return awaited + (isKnown ? 0 : pendingMembers.count) < settings.maxSize
        case .dead: return true
        }
    }

    private func refusal(_ ticket: Ticket, _ code: CoordinationCode, memberID: String = "") -> GroupEffects {
        var effects = GroupEffects()
        effects.answers.append(.join(ticket, .failure(code, memberID: memberID)))
        return effects
    }

    private mutating func firstJoin(_ request: JoinRequest, ticket: Ticket, now: Duration) -> GroupEffects {
        let id = "\(request.instanceID ?? request.clientID)-\(request.newIDSuffix)"
        if let instance = request.instanceID {
            if let old = staticMembers[instance] {
                return replace(old, by: id, request, ticket: ticket, now: now)
            }
            return addAndRebalance(id, request, ticket: ticket, now: now)
        }
        if request.needsKnownMemberID {
            pendingMembers[id] = now + request.sessionTimeout
            return refusal(ticket, .memberIDRequired, memberID: id)
        }
        return addAndRebalance(id, request, ticket: ticket, now: now)
    }

    private mutating func laterJoin(_ request: JoinRequest, ticket: Ticket, now: Duration) -> GroupEffects {
        let id = request.memberID
        if pendingMembers[id] != nil {
            // Only dynamic members are given ids to come back with.
            guard request.instanceID == nil else { return refusal(ticket, .unknownMemberID, memberID: id) }
            return addAndRebalance(id, request, ticket: ticket, now: now)
        }
        let code = check(id, instanceID: request.instanceID)
        guard code == .ok, let member = members[id] else { return refusal(ticket, code, memberID: id) }
        switch state {
        case .preparingRebalance:
            return updateAndRebalance(id, request, ticket: ticket, now: now)
        case .completingRebalance where member.protocols == request.protocols:
            // The answer got lost: once more.
            return answerAgain(id, ticket: ticket, now: now)
        case .stable where leaderID != id && member.protocols == request.protocols:
            return answerAgain(id, ticket: ticket, now: now)
        case .completingRebalance, .stable:
            return updateAndRebalance(id, request, ticket: ticket, now: now)
        case .empty, .dead:
            return refusal(ticket, .unknownMemberID, memberID: id)
        }
    }

    private mutating func answerAgain(_ memberID: String, ticket: Ticket, now: Duration) -> GroupEffects {
        extendSession(memberID, now: now)
        var effects = GroupEffects()
        effects.answers.append(.join(ticket, joinAnswer(for: memberID)))
        return effects
    }

    /// The answer of the present generation.
    func joinAnswer(for memberID: String) -> JoinAnswer {
        JoinAnswer(
            code: .ok, generation: generation, protocolType: protocolType, protocolName: protocolName,
            leaderID: leaderID ?? "", memberID: memberID,
            members: memberID == leaderID ? membersForLeader : [])
    }

    private var membersForLeader: [JoinAnswer.Member] {
        orderedMembers.map { member in
            JoinAnswer.Member(
                memberID: member.id, instanceID: member.instanceID, metadata: member.metadata(protocolName))
        }
    }

    private mutating func addAndRebalance(
        _ id: String, _ request: JoinRequest, ticket: Ticket, now: Duration
    ) -> GroupEffects {
        if members.isEmpty { protocolType = request.protocolType }
        add(
            GroupMember(
                id: id, instanceID: request.instanceID, clientID: request.clientID, clientHost: request.clientHost,
                sessionTimeout: request.sessionTimeout, rebalanceTimeout: max(request.rebalanceTimeout, .zero),
                protocols: request.protocols, joinTicket: ticket, isNew: true,
                sessionEnd: now + settings.newMemberJoinTimeout))
        if state == .preparingRebalance && generation == 0 { rebalance?.hasNewMember = true }
        return state == .preparingRebalance ? GroupEffects() : prepareRebalance(now: now)
    }

    private mutating func updateAndRebalance(
        _ id: String, _ request: JoinRequest, ticket: Ticket, now: Duration
    ) -> GroupEffects {
        var effects = update(id, request, ticket: ticket)
        if state != .preparingRebalance { effects.append(prepareRebalance(now: now)) }
        return effects
    }

    /// Takes what the member says now. A join of it that still waits came over a connection that is gone.
    private mutating func update(_ id: String, _ request: JoinRequest, ticket: Ticket) -> GroupEffects {
        var effects = GroupEffects()
        guard var member = members[id] else { return refusal(ticket, .unknownMemberID, memberID: id) }
        if let old = member.joinTicket {
            effects.answers.append(.join(old, .failure(.rebalanceInProgress, memberID: id)))
        }
        member.protocols = request.protocols
        member.sessionTimeout = request.sessionTimeout
        member.rebalanceTimeout = max(request.rebalanceTimeout, .zero)
        member.joinTicket = ticket
        members[id] = member
        return effects
    }

    /// A static member came back without its id (KIP-345): it gets a new one, and the old one is fenced.
    private mutating func replace(
        _ oldID: String, by newID: String, _ request: JoinRequest, ticket: Ticket, now: Duration
    ) -> GroupEffects {
        var effects = GroupEffects()
        guard var member = members.removeValue(forKey: oldID) else {
            return addAndRebalance(newID, request, ticket: ticket, now: now)
        }
        if let old = member.joinTicket {
            effects.answers.append(.join(old, .failure(.fencedInstanceID, memberID: oldID)))
            member.joinTicket = nil
        }
        if let old = member.syncTicket {
            effects.answers.append(.sync(old, SyncAnswer(code: .fencedInstanceID)))
            member.syncTicket = nil
        }
        let oldLeader = leaderID
        member.id = newID
        member.clientID = request.clientID
        member.clientHost = request.clientHost
        member.sessionEnd = now + request.sessionTimeout
        members[newID] = member
        if let instance = request.instanceID { staticMembers[instance] = newID }
        if leaderID == oldID { leaderID = newID }
        if pendingSync.remove(oldID) != nil { pendingSync.insert(newID) }
        effects.append(update(newID, request, ticket: ticket))
        switch state {
        case .stable where selectedProtocol() == protocolName:
            // Its assignment stays as it was, so nobody else is disturbed; only the new id is written down.
            effects.records.append(record)
            members[newID]?.joinTicket = nil
            extendSession(newID, now: now)
            var answer = joinAnswer(for: newID)
            if request.supportsSkippingAssignment {
                answer.skipsAssignment = leaderID == newID
            } else {
                // Under the old id it does not take itself for the leader: what it assigned would not be given out.
                answer.leaderID = oldLeader ?? ""
                answer.members = []
            }
            effects.answers.append(.join(ticket, answer))
        case .stable, .completingRebalance:
            effects.append(prepareRebalance(now: now))
        case .preparingRebalance, .empty, .dead: break
        }
        return effects
    }
}
