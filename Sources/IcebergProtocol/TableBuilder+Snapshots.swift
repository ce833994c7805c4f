// SPDX-License-Identifier: Apache-2.0

extension TableBuilder {
    /// How far clocks of writers may be apart, in milliseconds.
    private static let clockTolerance: Int64 = 60_000

    mutating func applyToSnapshots(_ update: TableUpdate, _ path: String) throws(IcebergError) {
        switch update {
        case .addSnapshot(let snapshot): try add(snapshot, path)
        case .setReference(let name, let reference): try set(name, reference, path)
        case .removeSnapshots(let ids):
            let gone = Set(ids)
            state.snapshots.removeAll { gone.contains($0.id) }
            state.statistics.removeAll { gone.contains($0.snapshotID) }
            state.partitionStatistics.removeAll { gone.contains($0.snapshotID) }
            removedSnapshots.formUnion(gone)
            snapshotIDs.subtract(gone)
        case .removeReference(let name):
            state.references[name] = nil
            if name == TableMetadata.mainBranch { state.snapshotLog = [] }
        case .setStatistics(let file):
            state.statistics.removeAll { $0.snapshotID == file.snapshotID }
            state.statistics.append(file)
        case .removeStatistics(let id): state.statistics.removeAll { $0.snapshotID == id }
        case .setPartitionStatistics(let file):
            state.partitionStatistics.removeAll { $0.snapshotID == file.snapshotID }
            state.partitionStatistics.append(file)
        case .removePartitionStatistics(let id): state.partitionStatistics.removeAll { $0.snapshotID == id }
        default: break
        }
    }

    private mutating func add(_ snapshot: Snapshot, _ path: String) throws(IcebergError) {
        func refuse(_ problem: String) -> IcebergError { IcebergError(.validation, "\(path): \(problem)") }
        guard !snapshotIDs.contains(snapshot.id) else {
            throw refuse("the snapshot \(snapshot.id) is there already")
        }
        guard state.snapshots.count < IcebergLimits.elements else {
            throw refuse("the table has \(state.snapshots.count) snapshots: expire some")
        }
        if let id = snapshot.schemaID, !state.schemas.contains(where: { $0.id == id }) {
            throw refuse("its schema \(id) is not there")
        }
        var snapshot = snapshot
        if state.version == 1 {
            snapshot.sequenceNumber = nil
        } else {
            guard let sequence = snapshot.sequenceNumber else { throw refuse("sequence-number is missing") }
            guard snapshot.summary["operation"] != nil else { throw refuse("its summary has no operation") }
            guard sequence > state.lastSequenceNumber || snapshot.parentID == nil else {
                throw refuse(
                    "its sequence number \(sequence) must be greater than the table's \(state.lastSequenceNumber)")
            }
            state.lastSequenceNumber = max(state.lastSequenceNumber, sequence)
        }
        let newest = max(state.lastUpdated, state.snapshotLog.last?.timestamp ?? 0)
        guard snapshot.timestamp >= newest - Self.clockTolerance else {
            throw refuse("its time \(snapshot.timestamp) is more than a minute before the last change, \(newest)")
        }
        guard snapshot.timestamp <= now + 24 * 3_600_000 else {
            throw refuse("its time \(snapshot.timestamp) is more than a day from now, \(now)")
        }
        if state.version >= 3 {
            guard let first = snapshot.firstRowID, let added = snapshot.addedRows else {
                throw refuse("first-row-id and added-rows are missing")
            }
            guard first >= state.nextRowID else {
                throw refuse("its first-row-id \(first) is less than the table's next-row-id \(state.nextRowID)")
            }
            let (next, isTooLarge) = state.nextRowID.addingReportingOverflow(added)
            guard !isTooLarge else { throw refuse("there are no row ids left") }
            state.nextRowID = max(next, first)
        } else if snapshot.firstRowID != nil || snapshot.addedRows != nil {
            throw refuse("first-row-id and added-rows need format version 3; the table has \(state.version)")
        }
        state.snapshots.append(snapshot)
        state.lastUpdated = snapshot.timestamp
        isDated = true
        addedSnapshots.insert(snapshot.id)
        snapshotIDs.insert(snapshot.id)
    }

    private mutating func set(_ name: String, _ reference: SnapshotReference, _ path: String) throws(IcebergError) {
        guard let snapshot = state.snapshots.first(where: { $0.id == reference.snapshotID }) else {
            throw IcebergError(
                .validation, "\(path): \(name) cannot be set to snapshot \(reference.snapshotID), which is not there")
        }
        let old = state.references.updateValue(reference, forKey: name)
        guard name == TableMetadata.mainBranch, old?.snapshotID != reference.snapshotID else { return }
        guard reference.isBranch else { throw .bad(path, "main must be a branch") }
        if let old, addedSnapshots.contains(old.snapshotID) { passedSnapshots.insert(old.snapshotID) }
        if addedSnapshots.contains(snapshot.id) {
            state.lastUpdated = snapshot.timestamp
        } else if !isDated {
            // An older snapshot is made the current one: that happens now.
            state.lastUpdated = max(now, state.lastUpdated)
            isDated = true
        }
        state.snapshotLog.append(.init(timestamp: state.lastUpdated, snapshotID: snapshot.id))
    }

    /// What was current only within this change leaves no entry; nothing is known of times before a snapshot that is
    /// gone (table specification, `snapshot-log`).
    func finishSnapshotLog(_ result: inout TableMetadata) {
        let passed = passedSnapshots.subtracting([result.currentSnapshotID].compactMap(\.self))
        if !passed.isEmpty { result.snapshotLog.removeAll { passed.contains($0.snapshotID) } }
        guard !removedSnapshots.isEmpty else { return }
        if let last = result.snapshotLog.lastIndex(where: { removedSnapshots.contains($0.snapshotID) }) {
            result.snapshotLog.removeFirst(last + 1)
        }
    }
}
