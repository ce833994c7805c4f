// SPDX-License-Identifier: Apache-2.0
import EventCoordination
import KafkaProtocol

/// Members of groups.
extension Broker {
    func joinGroup(_ request: JoinGroupRequest, _ context: RequestContext) async -> JoinGroupResponse {
        guard may(context, .read, .group, request.groupId) else {
            return JoinGroupResponse(
                errorCode: CoordinationCode.groupAuthorizationFailed.rawValue,
                protocolName: context.version >= 7 ? nil : "", memberId: request.memberId)
        }
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
        guard may(context, .read, .group, request.groupId) else {
            return SyncGroupResponse(errorCode: CoordinationCode.groupAuthorizationFailed.rawValue)
        }
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
        guard may(context, .read, .group, request.groupId) else {
            return HeartbeatResponse(errorCode: CoordinationCode.groupAuthorizationFailed.rawValue)
        }
        let code = groups.heartbeat(
            groupID: request.groupId, memberID: request.memberId, generation: request.generationId,
            instanceID: request.groupInstanceId)
        return HeartbeatResponse(errorCode: code.rawValue)
    }

    func leaveGroup(_ request: LeaveGroupRequest, _ context: RequestContext) -> LeaveGroupResponse {
        guard may(context, .read, .group, request.groupId) else {
            return LeaveGroupResponse(errorCode: CoordinationCode.groupAuthorizationFailed.rawValue)
        }
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
        var denied: Set<String> = []
        let isAllowed = may(context, .read, .group, request.groupId)
        for topic in request.topics {
            guard may(context, .read, .topic, topic.name) else {
                denied.insert(topic.name)
                continue
            }
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
        let codes =
            isAllowed && (!offsets.isEmpty || denied.isEmpty)
            ? await groups.commit(
                CommitRequest(
                    groupID: request.groupId, memberID: request.memberId,
                    generation: request.generationIdOrMemberEpoch, instanceID: request.groupInstanceId,
                    offsets: offsets, knowsMemberEpochs: context.version >= 9))
            : offsets.map { _ in .groupAuthorizationFailed }
        var byPartition: [GroupPartition: CoordinationCode] = [:]
        for (offset, code) in zip(offsets, codes) { byPartition[offset.partition] = code }
        return OffsetCommitResponse(
            topics: request.topics.map { topic in
                .init(
                    name: topic.name,
                    partitions: topic.partitions.map { partition in
                        let name = GroupPartition(topic: topic.name, partition: partition.partitionIndex)
                        let code =
                            if !isAllowed {
                                CoordinationCode.groupAuthorizationFailed.rawValue
                            } else if denied.contains(topic.name) {
                                KafkaErrorCode.topicAuthorizationFailed.rawValue
                            } else if unknown.contains(name) {
                                CoordinationCode.unknownTopicOrPartition.rawValue
                            } else {
                                (byPartition[name] ?? .ok).rawValue
                            }
                        return .init(partitionIndex: partition.partitionIndex, errorCode: code)
                    })
            })
    }

    func offsetFetch(_ request: OffsetFetchRequest, _ context: RequestContext) async -> OffsetFetchResponse {
        guard context.version >= 8 else {
            guard may(context, .describe, .group, request.groupId) else { return denial(of: request) }
            let found = await offsets(
                of: request.groupId, request.topics?.map { ($0.name, $0.partitionIndexes) }, request.requireStable,
                context)
            return OffsetFetchResponse(
                topics: found.map { name, offsets in
                    .init(
                        name: name,
                        partitions: offsets.map {
                            .init(
                                partitionIndex: $0.partition.partition, committedOffset: $0.offset,
                                committedLeaderEpoch: $0.leaderEpoch, metadata: $0.metadata,
                                errorCode: may(context, .describe, .topic, name)
                                    ? $0.code.rawValue : KafkaErrorCode.topicAuthorizationFailed.rawValue)
                        })
                })
        }
        var response = OffsetFetchResponse()
        for group in request.groups {
            guard may(context, .describe, .group, group.groupId) else {
                let code = CoordinationCode.groupAuthorizationFailed
                response.groups.append(.init(groupId: group.groupId, errorCode: code.rawValue))
                continue
            }
            let code = groups.checkFetch(
                groupID: group.groupId, memberID: group.memberId, epoch: group.memberEpoch)
            guard code == .ok else {
                response.groups.append(.init(groupId: group.groupId, errorCode: code.rawValue))
                continue
            }
            let found = await offsets(
                of: group.groupId, group.topics?.map { ($0.name, $0.partitionIndexes) }, request.requireStable,
                context)
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
                                    errorCode: may(context, .describe, .topic, name)
                                        ? $0.code.rawValue : KafkaErrorCode.topicAuthorizationFailed.rawValue)
                            })
                    }))
        }
        return response
    }

    /// Offsets of a group by topic, in the order of the request; of all topics that have any where none is named.
    private func offsets(
        of group: String, _ wanted: [(name: String, partitions: [Int32])]?, _ requireStable: Bool,
        _ context: RequestContext
    ) async -> [(name: String, offsets: [FetchedOffset])] {
        let names = wanted.map {
            $0.flatMap { topic in topic.partitions.map { GroupPartition(topic: topic.name, partition: $0) } }
        }
        let found = await groups.fetchOffsets(groupID: group, partitions: names, requireStable: requireStable)
        var byTopic: [String: [FetchedOffset]] = [:]
        for var offset in found {
            let topic = offset.partition.topic
            if !may(context, .describe, .topic, topic) {
                // Of topics that the client may not know of there is nothing to see.
                guard wanted != nil else { continue }
                (offset.offset, offset.leaderEpoch, offset.metadata) = (-1, -1, "")
            }
            byTopic[topic, default: []].append(offset)
        }
        return (wanted?.map(\.name) ?? byTopic.keys.sorted()).map { ($0, byTopic[$0] ?? []) }
    }

    /// Version 1 says it of every partition, later ones once.
    private func denial(of request: OffsetFetchRequest) -> OffsetFetchResponse {
        let code = CoordinationCode.groupAuthorizationFailed.rawValue
        return OffsetFetchResponse(
            topics: (request.topics ?? []).map { topic in
                .init(
                    name: topic.name,
                    partitions: topic.partitionIndexes.map {
                        .init(partitionIndex: $0, committedOffset: -1, metadata: "", errorCode: code)
                    })
            }, errorCode: code)
    }

    func offsetDelete(_ request: OffsetDeleteRequest, _ context: RequestContext) async -> OffsetDeleteResponse {
        guard may(context, .delete, .group, request.groupId) else {
            return OffsetDeleteResponse(errorCode: CoordinationCode.groupAuthorizationFailed.rawValue)
        }
        let denied = Set(request.topics.map(\.name).filter { !may(context, .read, .topic, $0) })
        let names = request.topics.filter { !denied.contains($0.name) }.flatMap { topic in
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
                                errorCode: denied.contains(topic.name)
                                    ? KafkaErrorCode.topicAuthorizationFailed.rawValue
                                    : (codes.popFirst() ?? .ok).rawValue)
                        })
                })
    }
}

/// What administrators ask of groups.
extension Broker {
    func describeGroups(_ request: DescribeGroupsRequest, _ context: RequestContext) -> DescribeGroupsResponse {
        DescribeGroupsResponse(
            groups: request.groups.map { id in
                guard may(context, .describe, .group, id) else {
                    return .init(errorCode: CoordinationCode.groupAuthorizationFailed.rawValue, groupId: id)
                }
                let group = groups.describe(id)
                return .init(
                    errorCode: group.code.rawValue, groupId: id, groupState: group.state.rawValue,
                    protocolType: group.protocolType, protocolData: group.protocolName,
                    members: group.members.map {
                        .init(
                            memberId: $0.memberID, groupInstanceId: $0.instanceID, clientId: $0.clientID,
                            clientHost: $0.clientHost, memberMetadata: $0.metadata, memberAssignment: $0.assignment)
                    },
                    authorizedOperations: request.includeAuthorizedOperations
                        ? operations(context, on: .group, id) : .min)
            })
    }

    func listGroups(_ request: ListGroupsRequest, _ context: RequestContext) -> ListGroupsResponse {
        let maySeeAll = may(context, .describe)
        return ListGroupsResponse(
            groups: groups.list(states: request.statesFilter, types: request.typesFilter).filter {
                maySeeAll || may(context, .describe, .group, $0.groupID)
            }.map {
                .init(groupId: $0.groupID, protocolType: $0.protocolType, groupState: $0.state, groupType: $0.type)
            })
    }

    func deleteGroups(_ request: DeleteGroupsRequest, _ context: RequestContext) async -> DeleteGroupsResponse {
        var response = DeleteGroupsResponse()
        for name in request.groupsNames {
            let code =
                may(context, .delete, .group, name) ? await groups.delete(name) : .groupAuthorizationFailed
            response.results.append(.init(groupId: name, errorCode: code.rawValue))
        }
        return response
    }
}
