// SPDX-License-Identifier: Apache-2.0

extension GroupCoordinator {
    /// OffsetCommit and TxnOffsetCommit.
    package mutating func commit(_ request: CommitRequest, now: Duration) -> CommitOutcome {
        let id = request.groupID
        if groups[id] == nil && modern[id] == nil {
            // Only consumers without group management may commit to a group that nobody has joined.
            guard request.generation < 0 else {
                let code: CoordinationCode =
                    request.knowsMemberEpochs && request.producerID == nil ? .groupIDNotFound : .illegalGeneration
                return CommitOutcome(codes: request.offsets.map { _ in code })
            }
            groups[id] = ConsumerGroup(id: id, settings: settings)
        }
        let outcome = modern[id]?.commit(request, now: now) ?? groups[id]?.commit(request, now: now)
        if let producer = request.producerID, outcome?.records.isEmpty == false {
            transactions[producer, default: []].insert(id)
        }
        if let group = groups[id], group.generation == 0, group.isDisposable { forget(id) }
        return outcome ?? CommitOutcome(codes: request.offsets.map { _ in .coordinatorNotAvailable })
    }

    /// The marker of a transaction was written to `__consumer_offsets`.
    package mutating func completeTransaction(producerID: Int64, isCommit: Bool) {
        for id in transactions.removeValue(forKey: producerID) ?? [] {
            groups[id]?.offsets.complete(producerID: producerID, isCommit: isCommit)
            modern[id]?.offsets.complete(producerID: producerID, isCommit: isCommit)
        }
    }

    /// OffsetFetch: the named partitions in order, or all that have an offset where nil. A group that does not exist has
    /// none.
    package func fetchOffsets(
        groupID: String, partitions: [PartitionName]?, requireStable: Bool = false
    ) -> [FetchedOffset] {
        modern[groupID]?.offsets.fetch(partitions, requireStable: requireStable)
            ?? groups[groupID]?.fetchOffsets(partitions, requireStable: requireStable)
            ?? (partitions ?? []).map { FetchedOffset(partition: $0) }
    }

    /// OffsetDelete: a code for the request, and where that is `ok` one a partition.
    package mutating func deleteOffsets(groupID: String, partitions: [PartitionName]) -> (
        code: CoordinationCode, codes: [CoordinationCode], records: [CoordinatorRecord]
    ) {
        modern[groupID]?.deleteOffsets(partitions) ?? groups[groupID]?.deleteOffsets(partitions)
            ?? (.groupIDNotFound, [], [])
    }

    /// Topics were deleted: their offsets go, in all groups.
    package mutating func topicsDeleted(_ topics: Set<String>) -> [CoordinatorRecord] {
        let classic = groups.keys.sorted().flatMap { groups[$0]?.topicsDeleted(topics) ?? [] }
        return classic + modern.keys.sorted().flatMap { modern[$0]?.topicsDeleted(topics) ?? [] }
    }

    // MARK: Administration

    /// DescribeGroups: a group that does not exist, or is of the consumer protocol, is dead (from version 6 with
    /// `groupIDNotFound`, which the caller adds).
    package func describe(_ groupID: String) -> GroupDescription {
        groups[groupID]?.description ?? GroupDescription(groupID: groupID, state: .dead)
    }

    /// ListGroups: those of the states and types that are named, in any case of letters; all where none is.
    package func list(states: [String] = [], types: [String] = []) -> [GroupListing] {
        let states = Set(states.map { $0.lowercased() })
        let types = Set(types.map { $0.lowercased() })
        return (groups.values.map(\.listing) + modern.values.map(\.listing))
            .filter { states.isEmpty || states.contains($0.state.lowercased()) }
            .filter { types.isEmpty || types.contains($0.type) }
            .sorted { $0.groupID < $1.groupID }
    }

    /// DeleteGroups, one group.
    package mutating func delete(_ groupID: String) -> (code: CoordinationCode, records: [CoordinatorRecord]) {
        if let group = modern[groupID] {
            guard group.members.isEmpty else { return (.nonEmptyGroup, []) }
            forget(groupID)
            return (.ok, group.offsets.allPartitions.map { GroupOffsets.tombstone(of: groupID, $0) } + group.tombstones)
        }
        guard let group = groups[groupID] else { return (.groupIDNotFound, []) }
        guard group.state == .empty else { return (.nonEmptyGroup, []) }
        forget(groupID)
        return (.ok, group.tombstones)
    }
}
