// SPDX-License-Identifier: Apache-2.0
import EventCoordination
import KafkaProtocol

/// Members of groups.
extension Broker {
    func joinGroup(_ request: JoinGroupRequest, _ context: RequestContext) async -> JoinGroupResponse {
        let session = Duration.milliseconds(Int64(request.sessionTimeoutMs))
        let answer = await groups.join(
            JoinRequest(
                groupID: request.groupId, memberID: request.memberId, instanceID: request.groupInstanceId,
                clientID: context.clientID, clientHost: "/\(context.client.address)", sessionTimeout: session,
                rebalanceTimeout: context.version == 0
                    ? session : .milliseconds(Int64(request.rebalanceTimeoutMs)),
                protocolType: request.protocolType,
                protocols: request.protocols.map { GroupProtocol(name: $0.name, metadata: $0.metadata) },
                needsKnownMemberID: context.version >= 4, supportsSkippingAssignment: context.version >= 9))
        return JoinGroupResponse(
            errorCode: answer.code.rawValue, generationId: answer.generation, protocolType: answer.protocolType,
            protocolName: answer.protocolName ?? (context.version >= 7 ? nil : ""), leader: answer.leaderID,
            skipAssignment: answer.skipsAssignment, memberId: answer.memberID,
            members: answer.members.map {
                .init(memberId: $0.memberID, groupInstanceId: $0.instanceID, metadata: $0.metadata)
            })
    }

    func syncGroup(_ request: SyncGroupRequest, _ context: RequestContext) async -> SyncGroupResponse {
        var assignments: [String: [UInt8]] = [:]
        for entry in request.assignments { assignments[entry.memberId] = entry.assignment }
        let answer = await groups.sync(
            SyncRequest(
                groupID: request.groupId, memberID: request.memberId, generation: request.generationId,
                instanceID: request.groupInstanceId, protocolType: request.protocolType,
                protocolName: request.protocolName, assignments: assignments))
        return SyncGroupResponse(
            errorCode: answer.code.rawValue, protocolType: answer.protocolType, protocolName: answer.protocolName,
            assignment: answer.assignment)
    }

    func heartbeat(_ request: HeartbeatRequest, _ context: RequestContext) -> HeartbeatResponse {
        let code = groups.heartbeat(
            groupID: request.groupId, memberID: request.memberId, generation: request.generationId,
            instanceID: request.groupInstanceId)
        return HeartbeatResponse(errorCode: code.rawValue)
    }

    func leaveGroup(_ request: LeaveGroupRequest, _ context: RequestContext) -> LeaveGroupResponse {
        let isBatch = context.version >= 3
        let leaving =
            isBatch
            ? request.members.map { LeavingMember(memberID: $0.memberId, instanceID: $0.groupInstanceId) }
            : [LeavingMember(memberID: request.memberId)]
        let answer = groups.leave(groupID: request.groupId, leaving)
        guard isBatch else {
            let code = answer.code == .ok ? answer.codes.first ?? .ok : answer.code
            return LeaveGroupResponse(errorCode: code.rawValue)
        }
        return LeaveGroupResponse(
            errorCode: answer.code.rawValue,
            members: zip(request.members, answer.codes).map {
                .init(memberId: $0.memberId, groupInstanceId: $0.groupInstanceId, errorCode: $1.rawValue)
            })
    }
}

/// Offsets of groups.
extension Broker {
    func offsetCommit(_ request: OffsetCommitRequest, _ context: RequestContext) async -> OffsetCommitResponse {
        var offsets: [OffsetToCommit] = []
        var unknown: Set<GroupPartition> = []
        for topic in request.topics {
            for partition in topic.partitions {
                let name = GroupPartition(topic: topic.name, partition: partition.partitionIndex)
                if topics.topic(topic.name)?.partition(partition.partitionIndex) == nil {
                    unknown.insert(name)
                } else {
                    offsets.append(
                        OffsetToCommit(
                            partition: name, offset: partition.committedOffset,
                            leaderEpoch: partition.committedLeaderEpoch, metadata: partition.committedMetadata ?? ""))
                }
            }
        }
        let codes = await groups.commit(
            CommitRequest(
                groupID: request.groupId, memberID: request.memberId, generation: request.generationIdOrMemberEpoch,
                instanceID: request.groupInstanceId, offsets: offsets))
        var byPartition: [GroupPartition: CoordinationCode] = [:]
        for (offset, code) in zip(offsets, codes) { byPartition[offset.partition] = code }
        return OffsetCommitResponse(
            topics: request.topics.map { topic in
                .init(
                    name: topic.name,
                    partitions: topic.partitions.map { partition in
                        let name = GroupPartition(topic: topic.name, partition: partition.partitionIndex)
                        let code = unknown.contains(name) ? .unknownTopicOrPartition : byPartition[name] ?? .ok
                        return .init(partitionIndex: partition.partitionIndex, errorCode: code.rawValue)
                    })
            })
    }

    func offsetFetch(_ request: OffsetFetchRequest, _ context: RequestContext) async -> OffsetFetchResponse {
        guard context.version >= 8 else {
            let found = await offsets(
                of: request.groupId, request.topics?.map { ($0.name, $0.partitionIndexes) }, request.requireStable)
            return OffsetFetchResponse(
                topics: found.map { name, offsets in
                    .init(
                        name: name,
                        partitions: offsets.map {
                            .init(
                                partitionIndex: $0.partition.partition, committedOffset: $0.offset,
                                committedLeaderEpoch: $0.leaderEpoch, metadata: $0.metadata,
                                errorCode: $0.code.rawValue)
                        })
                })
        }
        var response = OffsetFetchResponse()
        for group in request.groups {
            let found = await offsets(
                of: group.groupId, group.topics?.map { ($0.name, $0.partitionIndexes) }, request.requireStable)
            response.groups.append(
                .init(
                    groupId: group.groupId,
                    topics: found.map { name, offsets in
                        .init(
                            name: name,
                            partitions: offsets.map {
                                .init(
                                    partitionIndex: $0.partition.partition, committedOffset: $0.offset,
                                    committedLeaderEpoch: $0.leaderEpoch, metadata: $0.metadata,
                                    errorCode: $0.code.rawValue)
                            })
                    }))
        }
        return response
    }

    /// Offsets of a group by topic, in the order of the request; of all topics that have any where none is named.
    private func offsets(
        of group: String, _ wanted: [(name: String, partitions: [Int32])]?, _ requireStable: Bool
    ) async -> [(name: String, offsets: [FetchedOffset])] {
        let names = wanted.map {
            $0.flatMap { topic in topic.partitions.map { GroupPartition(topic: topic.name, partition: $0) } }
        }
        let found = await groups.fetchOffsets(groupID: group, partitions: names, requireStable: requireStable)
        var byTopic: [String: [FetchedOffset]] = [:]
        for offset in found { byTopic[offset.partition.topic, default: []].append(offset) }
        return (wanted?.map(\.name) ?? byTopic.keys.sorted()).map { ($0, byTopic[$0] ?? []) }
    }

    func offsetDelete(_ request: OffsetDeleteRequest, _ context: RequestContext) async -> OffsetDeleteResponse {
        let names = request.topics.flatMap { topic in
            topic.partitions.map { GroupPartition(topic: topic.name, partition: $0.partitionIndex) }
        }
        let answer = await groups.deleteOffsets(groupID: request.groupId, partitions: names)
        var codes = answer.codes[...]
        return OffsetDeleteResponse(
            errorCode: answer.code.rawValue,
            topics: answer.code != .ok
                ? []
                : request.topics.map { topic in
                    .init(
                        name: topic.name,
                        partitions: topic.partitions.map {
                            .init(
                                partitionIndex: $0.partitionIndex,
                                errorCode: (codes.popFirst() ?? .ok).rawValue)
                        })
                })
    }
}

/// What administrators ask of groups.
extension Broker {
    func describeGroups(_ request: DescribeGroupsRequest, _ context: RequestContext) -> DescribeGroupsResponse {
        DescribeGroupsResponse(
            groups: request.groups.map { id in
                let group = groups.describe(id)
                return .init(
                    errorCode: group.code.rawValue, groupId: id, groupState: group.state.rawValue,
                    protocolType: group.protocolType, protocolData: group.protocolName,
                    members: group.members.map {
                        .init(
                            memberId: $0.memberID, groupInstanceId: $0.instanceID, clientId: $0.clientID,
                            clientHost: $0.clientHost, memberMetadata: $0.metadata, memberAssignment: $0.assignment)
                    })
            })
    }

    func listGroups(_ request: ListGroupsRequest, _ context: RequestContext) -> ListGroupsResponse {
        ListGroupsResponse(
            groups: groups.list(states: request.statesFilter, types: request.typesFilter).map {
                .init(groupId: $0.groupID, protocolType: $0.protocolType, groupState: $0.state, groupType: $0.type)
            })
    }

    func deleteGroups(_ request: DeleteGroupsRequest, _ context: RequestContext) async -> DeleteGroupsResponse {
        var response = DeleteGroupsResponse()
        for name in request.groupsNames {
            response.results.append(.init(groupId: name, errorCode: await groups.delete(name).rawValue))
        }
        return response
    }
}
