// SPDX-License-Identifier: Apache-2.0

/// What a transaction has read and wants to change, from the version it started with.
package struct DeltaTransaction: Sendable {
    /// Which files' rows decided what the transaction does.
    package enum Reads: Sendable, Equatable {
        /// None: rows are added whatever the table has.
        case nothing
        /// All files, so also those that others added meanwhile.
        case everything
        /// Files of these partitions (values of some partition columns), so also those that others added there.
        case partitions([[String: String?]])
    }

    package var readVersion: Int64
    package var reads: Reads
    /// Files whose rows were read or that are taken out.
    package var readFiles: Set<DeltaFileKey>
    package var actions: [DeltaAction]

    package init(
        readVersion: Int64, reads: Reads, readFiles: Set<DeltaFileKey> = [], actions: [DeltaAction]
    ) {
        self.readVersion = readVersion
        self.reads = reads
        self.readFiles = readFiles
        self.actions = actions
    }

    /// Whether rows are only added, whatever the table has.
    package var isBlindAppend: Bool {
        reads == .nothing
            && actions.allSatisfy { action in
                switch action {
                case .remove, .metadata, .protocolVersions: false
                default: true
                }
            }
    }
}

/// Why a transaction cannot follow a commit that came first.
package enum DeltaConflict: Sendable, Equatable {
    /// The other changed what clients must know.
    case protocolChanged
    /// The other changed schema, partitioning or properties.
    case metadataChanged
    /// The other added rows that this one would have had to read.
    case concurrentAppend(String)
    /// The other took out a file that this one read.
    case concurrentDeleteRead(String)
    /// Both take out the same file.
    case concurrentDeleteDelete(String)
    /// Both say how far the same application has come.
    case concurrentTransaction(String)
    /// Both change the same domain.
    case concurrentDomain(String)

    package var message: String {
        switch self {
        case .protocolChanged: "its protocol changed"
        case .metadataChanged: "its schema, partitioning or properties changed"
        case .concurrentAppend(let path): "rows were added (\(path))"
        case .concurrentDeleteRead(let path): "a file that was read was taken out (\(path))"
        case .concurrentDeleteDelete(let path): "both take out the same file (\(path))"
        case .concurrentTransaction(let id): "both are of the application \(id)"
        case .concurrentDomain(let domain): "both change the domain \(domain)"
        }
    }
}

/// Whether a transaction may be committed after another commit as if it had started there (optimistic concurrency;
/// serialisable: what a transaction read must be what it would read now).
package enum DeltaConflicts {
    /// - Returns: nil when the transaction may follow; the first conflict otherwise.
    package static func check(_ transaction: DeltaTransaction, after winner: DeltaCommit) -> DeltaConflict? {
        var removed: Set<DeltaFileKey> = []
        var applications: Set<String> = []
        var domains: Set<String> = []
        for action in transaction.actions {
            switch action {
            case .remove(let file): removed.insert(file.key)
            case .transaction(let own): applications.insert(own.appID)
            case .domain(let own): domains.insert(own.domain)
            default: break
            }
        }
        for action in winner.actions {
            switch action {
            case .protocolVersions: return .protocolChanged
            case .metadata: return .metadataChanged
            case .add(let file):
                // Files that are only rewritten have rows that were there before: the removals tell.
                if file.dataChange, reads(transaction, file) { return .concurrentAppend(file.location) }
            case .remove(let file):
                let key = file.key
                if removed.contains(key) { return .concurrentDeleteDelete(file.location) }
                if transaction.readFiles.contains(key) { return .concurrentDeleteRead(file.location) }
            case .transaction(let other):
                if applications.contains(other.appID) { return .concurrentTransaction(other.appID) }
            case .domain(let other):
                if domains.contains(other.domain) { return .concurrentDomain(other.domain) }
            case .commitInfo, .change, .checkpointMetadata, .sidecar, .unknown: break
            }
        }
        return nil
    }

    private static func reads(_ transaction: DeltaTransaction, _ file: DeltaAddFile) -> Bool {
        switch transaction.reads {
        case .nothing: false
        case .everything: true
        case .partitions(let partitions):
            partitions.contains { partition in
                partition.allSatisfy { column, value in
                    guard let other = file.partitionValues[column] else { return true }
                    return normal(other) == normal(value)
                }
            }
        }
    }

    /// Null and the empty text are the same.
    private static func normal(_ value: String?) -> String { value ?? "" }
}

/// What every commit of a writer must keep to.
package enum DeltaCommitRules {
    /// Puts a commit together: who did what comes first, with a time later than that of the version before when the
    /// table asks for it ("In-Commit Timestamps").
    /// - Throws: `notAllowed` when the table only takes new rows, or a change feed would be needed.
    package static func actions(
        _ transaction: DeltaTransaction, info: DeltaCommitInfo, on snapshot: DeltaSnapshot?, now: Int64
    ) throws(DeltaError) -> [DeltaAction] {
        var metadata = snapshot?.metadata
        for case .metadata(let changed) in transaction.actions { metadata = changed }
        let properties = DeltaProperties(metadata?.configuration ?? [:])
        if snapshot?.properties.isAppendOnly ?? false {
            for case .remove(let file) in transaction.actions where file.dataChange {
                throw DeltaError(
                    .notAllowed,
                    "the table is append-only (delta.appendOnly = true): rows cannot be changed or taken out of it")
            }
        }
        if properties.hasChangeDataFeed, changesRows(transaction.actions) {
            throw DeltaError(
                .unsupportedWriterFeature,
                "changeDataFeed: the table keeps a feed of changed rows (delta.enableChangeDataFeed), which is not "
                    + "written here; rows can be added, and whole files taken out")
        }
        var info = info
        if properties.hasInCommitTimestamps {
            info.inCommitTimestamp = max(now, (snapshot?.inCommitTimestamp ?? 0) + 1)
        }
        return [.commitInfo(info)] + transaction.actions
    }

    /// Whether files are both taken out and added, so that rows may have been changed in between.
    private static func changesRows(_ actions: [DeltaAction]) -> Bool {
        var isRemoving = false
        var isAdding = false
        for action in actions {
            if case .remove(let file) = action, file.dataChange { isRemoving = true }
            if case .add(let file) = action, file.dataChange { isAdding = true }
        }
        return isRemoving && isAdding
    }
}
