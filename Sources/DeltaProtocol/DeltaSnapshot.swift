// SPDX-License-Identifier: Apache-2.0

/// A table's state at one version (protocol, "Action Reconciliation").
package struct DeltaSnapshot: Sendable {
    package let version: Int64
    package let protocolVersions: DeltaProtocolVersions
    package let metadata: DeltaMetadata
    package let schema: DeltaSchema
    /// The table's files.
    package let files: [DeltaFileKey: DeltaAddFile]
    /// What was taken out and may not be deleted yet.
    package let tombstones: [DeltaFileKey: DeltaRemoveFile]
    /// By application.
    package let transactions: [String: DeltaAppTransaction]
    /// By domain; those that were removed are left out.
    package let domains: [String: DeltaDomain]
    /// The time of the last commit that had one inside.
    package let inCommitTimestamp: Int64?

    package var properties: DeltaProperties { DeltaProperties(metadata.configuration) }

    /// By path, so that equal states give equal lists.
    package var sortedFiles: [DeltaAddFile] { files.values.sorted { $0.location < $1.location } }

    /// Bytes of all files.
    package var size: Int64 { files.values.reduce(0) { $0 &+ $1.size } }

    /// Rows of all files; nil when a file does not say.
    package var rowCount: Int64? {
        var rows: Int64 = 0
        for file in files.values {
            guard let count = FileStatistics(text: file.stats)?.numRecords else { return nil }
            rows += count - (file.deletionVector?.cardinality ?? 0)
        }
        return rows
    }

    /// Everything that a checkpoint of this version has, without tombstones older than `tombstonesSince` (milliseconds).
    package func checkpointActions(tombstonesSince: Int64) -> [DeltaAction] {
        var actions: [DeltaAction] = [.protocolVersions(protocolVersions), .metadata(metadata)]
        actions += transactions.values.sorted { $0.appID < $1.appID }.map { .transaction($0) }
        actions += domains.values.sorted { $0.domain < $1.domain }.map { .domain($0) }
        let keepsStatistics = properties.checkpointsHaveJSONStatistics
        for file in sortedFiles {
            var file = file
            file.dataChange = false
            if !keepsStatistics { file.stats = nil }
            actions.append(.add(file))
        }
        for tombstone in tombstones.values.sorted(by: { $0.location < $1.location })
        where tombstone.deletionTimestamp ?? 0 > tombstonesSince {
            var tombstone = tombstone
            tombstone.dataChange = false
            tombstone.stats = nil
            actions.append(.remove(tombstone))
        }
        return actions
    }
}

/// Adds up a log: first a checkpoint's actions, then commit after commit.
package struct DeltaReplay: Sendable {
    private var version: Int64 = -1
    private var protocolVersions: DeltaProtocolVersions?
    private var metadata: DeltaMetadata?
    private var schema: DeltaSchema?
    private var files: [DeltaFileKey: DeltaAddFile] = [:]
    private var tombstones: [DeltaFileKey: DeltaRemoveFile] = [:]
    private var transactions: [String: DeltaAppTransaction] = [:]
    private var domains: [String: DeltaDomain] = [:]
    private var inCommitTimestamp: Int64?

    package init() {}

    /// Goes on from a state.
    package init(_ snapshot: DeltaSnapshot) {
        version = snapshot.version
        protocolVersions = snapshot.protocolVersions
        metadata = snapshot.metadata
        schema = snapshot.schema
        files = snapshot.files
        tombstones = snapshot.tombstones
        transactions = snapshot.transactions
        domains = snapshot.domains
        inCommitTimestamp = snapshot.inCommitTimestamp
    }

    /// Actions of a checkpoint; more than once when it has parts.
    package mutating func apply(checkpoint actions: [DeltaAction], version: Int64) throws(DeltaError) {
        guard self.version == -1 || self.version == version else {
            throw DeltaError(.logGap, "a checkpoint of version \(version) cannot follow version \(self.version)")
        }
        self.version = version
        for action in actions {
            if case .checkpointMetadata(let stated) = action, stated != version {
                throw DeltaError(.corruptLog, "the checkpoint of version \(version) says that it is of \(stated)")
            }
            apply(action)
        }
    }

    /// The next commit.
    /// - Throws: `logGap` when it is not the next.
    package mutating func apply(_ commit: DeltaCommit) throws(DeltaError) {
        guard commit.version == version + 1 else {
            throw DeltaError(.logGap, "commit \(commit.version) cannot follow version \(version)")
        }
        version = commit.version
        inCommitTimestamp = commit.info?.inCommitTimestamp ?? inCommitTimestamp
        for action in commit.actions { apply(action) }
    }

    private mutating func apply(_ action: DeltaAction) {
        switch action {
        case .protocolVersions(let versions): protocolVersions = versions
        case .metadata(let metadata):
            if metadata.schemaString != self.metadata?.schemaString { schema = nil }
            self.metadata = metadata
        case .add(let file):
            let key = file.key
            tombstones.removeValue(forKey: key)
            files[key] = file
        case .remove(let file):
            let key = file.key
            files.removeValue(forKey: key)
            tombstones[key] = file
        case .transaction(let transaction): transactions[transaction.appID] = transaction
        case .domain(let domain): domains[domain.domain] = domain.removed ? nil : domain
        case .commitInfo, .change, .checkpointMetadata, .sidecar, .unknown: break
        }
    }

    /// The state.
    /// - Throws: `corruptLog` when the log never had a protocol or metadata; `unsupportedReaderFeature`.
    package func snapshot() throws(DeltaError) -> DeltaSnapshot {
        guard let protocolVersions, let metadata else {
            throw DeltaError(
                .corruptLog,
                "the log up to version \(version) has no \(protocolVersions == nil ? "protocol" : "metaData")")
        }
        try DeltaFeatures.checkRead(protocolVersions)
        guard metadata.provider.lowercased() == "parquet" else {
            throw DeltaError(
                .unsupportedReaderFeature, "the table's files are \(metadata.provider.prefix(32)), only parquet is read"
            )
        }
        let schema = if let schema { schema } else { try DeltaSchema(text: metadata.schemaString) }
        for column in metadata.partitionColumns where !schema.fields.contains(where: { $0.name == column }) {
            throw DeltaError(.corruptLog, "the partition column \(column.prefix(128)) is not in the schema")
        }
        return DeltaSnapshot(
            version: version, protocolVersions: protocolVersions, metadata: metadata, schema: schema, files: files,
            tombstones: tombstones, transactions: transactions, domains: domains, inCommitTimestamp: inCommitTimestamp)
    }
}
