// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import DeltaProtocol

/// What a change came to.
package struct DeltaOutcome: Sendable, Equatable {
    /// The version that the change made; the version that was there already when it made none.
    package var version: Int64
    /// Whether there is a commit of it: false when there was nothing to do.
    package var isCommitted: Bool
    package var rowsAdded: Int64 = 0
    package var rowsRemoved: Int64 = 0
    package var filesAdded = 0
    package var filesRemoved = 0
    /// Whether the same application had brought this change before, so that it was not made again.
    package var wasAppliedBefore = false
}

extension DeltaTable {
    /// Files that a change has written and what it wants to say of them.
    struct Draft {
        var transaction: DeltaTransaction
        var operation: String
        var parameters: [String: String] = [:]
        var metrics: [String: String] = [:]
        var outcome: DeltaOutcome
    }

    /// Does a change, again from the newest state when another commit got in its way. Files of attempts that came to
    /// nothing are deleted.
    func change(
        application: DeltaAppTransaction? = nil,
        _ make: (DeltaSnapshot) async throws(DeltaError) -> Draft?
    ) async throws(DeltaError) -> DeltaOutcome {
        var last: DeltaError?
        for attempt in 0..<Self.maximumAttempts {
            let snapshot = try await self.snapshot()
            if let application, let known = snapshot.transactions[application.appID],
                known.version >= application.version
            {
                return DeltaOutcome(version: snapshot.version, isCommitted: false, wasAppliedBefore: true)
            }
            try DeltaFeatures.checkWrite(snapshot.protocolVersions, snapshot.metadata, snapshot.schema)
            guard var draft = try await make(snapshot) else {
                return DeltaOutcome(version: snapshot.version, isCommitted: false)
            }
            if let application { draft.transaction.actions.append(.transaction(application)) }
            do throws(DeltaError) {
                var outcome = draft.outcome
                outcome.version = try await commit(draft, on: snapshot)
                outcome.isCommitted = true
                return outcome
            } catch {
                // Whether a commit is there is not known when the store fails half way: then its files must stay.
                if error.code != .storage { try? await storage.delete(draft.newFiles) }
                guard error.code == .conflict else { throw error }
                last = error
                // Others are at it too: a little chance lets one of them finish.
                try? await Task.sleep(for: .milliseconds(Int.random(in: 0...(5 * (attempt + 1)))))
                if Task.isCancelled { throw error }
            }
        }
        throw last ?? DeltaError(.conflict, "the change was tried \(Self.maximumAttempts) times")
    }

    /// Puts a commit after the newest one.
    /// - Throws: `conflict` when another commit changed what the draft has read.
    private func commit(_ draft: Draft, on snapshot: DeltaSnapshot) async throws(DeltaError) -> Int64 {
        var base = snapshot
        let identity = RandomID.uuid()
        while true {
            let now = clock()
            let info = DeltaCommitInfo(
                time: now, operation: draft.operation, parameters: draft.parameters,
                readVersion: draft.transaction.readVersion, isBlindAppend: draft.transaction.isBlindAppend,
                transaction: identity, metrics: draft.metrics)
            let actions = try DeltaCommitRules.actions(draft.transaction, info: info, on: base, now: now)
            let next = DeltaCommit(version: base.version + 1, actions: actions)
            let isOurs = try await put(next, identity)
            if isOurs {
                await committed(next, on: base)
                return next.version
            }
            let newer = try await log(after: DeltaLogName.commit(base.version).path) {
                files throws(DeltaError) in try DeltaLogSegment.commits(after: base.version, in: files)
            }
            guard !newer.isEmpty else {
                throw DeltaError(.storage, "\(storage.location) has a commit \(next.version) and does not list it")
            }
            var replay = DeltaReplay(base)
            for file in newer {
                guard let version = file.name.version else { continue }
                let winner = try await commit(version)
                if let conflict = DeltaConflicts.check(draft.transaction, after: winner) {
                    throw DeltaError(
                        .conflict,
                        "version \(version) of \(storage.location) came first and gets in the way: \(conflict.message)")
                }
                try replay.apply(winner)
            }
            base = try replay.snapshot()
            keep(base)
        }
    }

    /// Whether the commit is there and is this one. An answer that got lost on its way does not tell, so that the file
    /// itself is asked.
    private func put(_ commit: DeltaCommit, _ identity: String) async throws(DeltaError) -> Bool {
        let path = DeltaLogName.commit(commit.version).path
        do throws(DeltaError) {
            if try await storage.putIfAbsent(path, commit.encoded) { return true }
        } catch {
            guard error.code == .storage, try await isOurs(commit.version, identity) else { throw error }
            return true
        }
        return try await isOurs(commit.version, identity)
    }

    private func isOurs(_ version: Int64, _ identity: String) async throws(DeltaError) -> Bool {
        guard let bytes = try await storage.read(DeltaLogName.commit(version).path, maximum: DeltaCommit.maximumSize),
            let found = try? DeltaCommit(version: version, lines: bytes)
        else { return false }
        return found.info?.transaction == identity
    }

    /// Work after a commit; it stands whether or not this succeeds.
    private func committed(_ commit: DeltaCommit, on base: DeltaSnapshot) async {
        var replay = DeltaReplay(base)
        guard (try? replay.apply(commit)) != nil, let snapshot = try? replay.snapshot() else { return }
        keep(snapshot)
        guard let interval = try? snapshot.properties.checkpointInterval(), commit.version > 0,
            commit.version % Int64(interval) == 0
        else { return }
        _ = try? await checkpoint(snapshot)
    }

    // MARK: Tables and their properties

    /// Makes a table.
    /// - Throws: `alreadyExists`; `unsupportedWriterFeature` for properties that are not known.
    @discardableResult
    package func create(
        _ schema: DeltaSchema, partitionColumns: [String] = [], configuration: [String: String] = [:],
        name: String? = nil, description: String? = nil
    ) async throws(DeltaError) -> DeltaSnapshot {
        for column in partitionColumns {
            guard let field = schema.fields.first(where: { $0.name == column }) else {
                throw DeltaError(.invalidArgument, "the partition column \(column) is not in the schema")
            }
            guard PartitionValue.canPartition(by: field.type) else {
                throw DeltaError(
                    .invalidArgument, "a table cannot be partitioned by \(column), which is \(field.type.sql())")
            }
        }
        guard schema.fields.count > partitionColumns.count, Set(partitionColumns).count == partitionColumns.count else {
            throw DeltaError(.invalidArgument, "a table needs a column beside those that it is partitioned by")
        }
        guard configuration["delta.columnMapping.mode"] ?? "none" == "none" else {
            throw DeltaError(.unsupportedWriterFeature, "columnMapping: tables that map columns are read, not written")
        }
        // Names are checked as a reader would.
        _ = try DeltaSchema(text: schema.text)
        let now = clock()
        let versions = DeltaFeatures.forNewTable(schema, configuration)
        let metadata = DeltaMetadata(
            id: RandomID.uuid(), name: name, description: description, schemaString: schema.text,
            partitionColumns: partitionColumns, configuration: configuration, createdTime: now)
        try DeltaFeatures.checkWrite(versions, metadata, schema)
        let identity = RandomID.uuid()
        let info = DeltaCommitInfo(
            time: now, operation: "CREATE TABLE",
            parameters: ["partitionBy": JSONValue(partitionColumns).text, "isManaged": "false"], readVersion: nil,
            isBlindAppend: true, transaction: identity)
        let transaction = DeltaTransaction(
            readVersion: -1, reads: .everything, actions: [.protocolVersions(versions), .metadata(metadata)])
        if try await !log(after: nil).isEmpty {
            throw DeltaError(.alreadyExists, "there is a Delta table at \(storage.location)")
        }
        let commit = DeltaCommit(
            version: 0, actions: try DeltaCommitRules.actions(transaction, info: info, on: nil, now: now))
        guard try await put(commit, identity) else {
            throw DeltaError(.alreadyExists, "there is a Delta table at \(storage.location)")
        }
        return try await snapshot()
    }

    /// Sets properties, and takes away those whose value is nil.
    @discardableResult
    package func setProperties(_ changes: [String: String?]) async throws(DeltaError) -> DeltaOutcome {
        try await change { (snapshot) async throws(DeltaError) -> Draft? in
            var metadata = snapshot.metadata
            for (key, value) in changes { metadata.configuration[key] = value }
            guard metadata != snapshot.metadata else { return nil }
            for feature in ["delta.columnMapping.mode", "delta.enableInCommitTimestamps", "delta.enableChangeDataFeed"]
            where metadata.configuration[feature] != snapshot.metadata.configuration[feature] {
                throw DeltaError(.notAllowed, "\(feature) can only be set when a table is made")
            }
            try DeltaFeatures.checkWrite(snapshot.protocolVersions, metadata, snapshot.schema)
            return Draft(
                transaction: DeltaTransaction(
                    readVersion: snapshot.version, reads: .nothing, actions: [.metadata(metadata)]),
                operation: "SET TBLPROPERTIES",
                parameters: ["properties": JSONValue(changes.compactMapValues { $0 }).text],
                outcome: DeltaOutcome(version: snapshot.version, isCommitted: false))
        }
    }
}

extension DeltaTable.Draft {
    /// Paths of the files that nobody knows when the draft comes to nothing.
    var newFiles: [String] {
        transaction.actions.compactMap { action in
            if case .add(let file) = action { file.location } else { nil }
        }
    }
}
