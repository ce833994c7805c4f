// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import DeltaProtocol

extension DeltaTable {
    /// The actions of a checkpoint, part by part; a checkpoint of the second kind names further files.
    func checkpointActions(_ files: [DeltaLogFile]) async throws(DeltaError) -> [[DeltaAction]] {
        var all: [[DeltaAction]] = []
        var sidecars: [String] = []
        for file in files {
            let actions: [DeltaAction]
            if case .checkpointV2(_, _, isJSON: true) = file.name {
                guard let bytes = try await storage.read(file.name.path, maximum: DeltaCommit.maximumSize) else {
                    throw DeltaError(.logGap, "the checkpoint \(file.name.name) is missing")
                }
                actions = try DeltaCommit.actions(bytes, of: file.name.name)
            } else {
                actions = try await parquetActions(file.name.path)
            }
            for case .sidecar(let sidecar) in actions { sidecars.append(try sidecar.location()) }
            all.append(actions)
        }
        for sidecar in sidecars { all.append(try await parquetActions(sidecar)) }
        return all
    }

    /// The actions in a checkpoint's file. Only columns that are known are read.
    private func parquetActions(_ path: String) async throws(DeltaError) -> [DeltaAction] {
        let copy = try await storage.copy(path)
        do throws(DeltaError) {
            let actions = try await engine.checkpoint(path, local: copy)
            await storage.discard(copy: copy)
            return actions
        } catch {
            await storage.discard(copy: copy)
            throw error
        }
    }

    /// Writes a checkpoint of a state, so that readers need not add up the log from its start, and deletes what of the
    /// log is older than the table keeps it.
    /// - Returns: false when the table asks for a kind of checkpoint that is not written here.
    @discardableResult
    package func checkpoint(_ given: DeltaSnapshot? = nil) async throws(DeltaError) -> Bool {
        let snapshot = if let given { given } else { try await self.snapshot() }
        try DeltaFeatures.checkWrite(snapshot.protocolVersions, snapshot.metadata, snapshot.schema)
        guard snapshot.properties.wantsClassicCheckpoints else { return false }
        let now = clock()
        let actions = snapshot.checkpointActions(
            tombstonesSince: now - (try snapshot.properties.deletedFileRetention()))
        let id = RandomID.uuid()
        let lines = "\(DeltaLogName.folder)/\(FolderStorage.unfinished)\(id).json.tmp"
        let parquet = "\(DeltaLogName.folder)/\(FolderStorage.unfinished)\(id).parquet.tmp"
        let bytes = DeltaCommit.encode(actions)
        let source = try await storage.stage(lines, bytes)
        let target = try await storage.target(parquet)
        let columns = CheckpointColumns.all.filter(\.isWritten).map { "\($0.name): \(SQLText.text($0.type))" }
        let published: DeltaRetention.StoredFile
        do throws(DeltaError) {
            _ = try await engine.texts(
                """
                COPY (SELECT * FROM read_json(\(SQLText.text(source)), format = 'newline_delimited', \
                maximum_object_size = \(bytes.longestLine), columns = {\(columns.joined(separator: ", "))})) \
                TO \(SQLText.text(target)) (FORMAT parquet, COMPRESSION snappy)
                """)
            published = try await storage.publish(parquet, as: DeltaLogName.checkpoint(snapshot.version).path)
        } catch {
            try? await storage.delete([lines, parquet])
            throw error
        }
        try await storage.delete([lines])
        let hint = DeltaLastCheckpoint(
            version: snapshot.version, size: Int64(actions.count), sizeInBytes: published.size,
            numOfAddFiles: Int64(snapshot.files.count))
        // Another writer may be further.
        if let bytes = try await storage.read(DeltaLogName.lastCheckpoint.path, maximum: 16 << 20),
            let other = DeltaLastCheckpoint(bytes), other.version > snapshot.version
        {
            return true
        }
        try await storage.put(DeltaLogName.lastCheckpoint.path, hint.encoded)
        if snapshot.properties.cleansLog { try await cleanLog(snapshot, now) }
        return true
    }

    private func cleanLog(_ snapshot: DeltaSnapshot, _ now: Int64) async throws(DeltaError) {
        // A table of the second kind of checkpoint has further files that would have to be looked after.
        guard !(snapshot.protocolVersions.writerFeatures ?? []).contains("v2Checkpoint") else { return }
        let retention = try snapshot.properties.logRetention()
        let expired = DeltaRetention.expired(try await log(after: nil), retention: retention, now: now)
        if !expired.isEmpty { try await storage.delete(expired.map(\.name.path)) }
    }
}

extension [UInt8] {
    /// Bytes of the longest line, and 1 MiB at least: the engine sets aside twice as much for each of its threads.
    var longestLine: Int {
        var longest = 1 << 20
        for line in split(separator: UInt8(ascii: "\n")) { longest = Swift.max(longest, line.count + 2) }
        return longest
    }
}

extension DeltaStorage {
    /// Puts bytes where the engine can read them for a while; its path on this machine.
    func stage(_ path: String, _ bytes: [UInt8]) async throws(DeltaError) -> String {
        try await put(path, bytes)
        return try await local(path)
    }
}

/// The columns of checkpoints (protocol, "Checkpoint Schema"), with DuckDB's types.
enum CheckpointColumns {
    struct Column {
        let name: String
        let type: String
        /// Those that are read.
        let members: [ActionMember]
        var isWritten = true
    }

    private static let strings = "MAP(VARCHAR, VARCHAR)"
    private static let vector =
        "STRUCT(storageType VARCHAR, pathOrInlineDv VARCHAR, \"offset\" INTEGER, sizeInBytes INTEGER, cardinality BIGINT)"

    static let all: [Column] = [
        Column(
            name: "txn", type: "STRUCT(appId VARCHAR, version BIGINT, lastUpdated BIGINT)",
            members: [.appId, .version, .lastUpdated]),
        Column(
            name: "add",
            type: """
                STRUCT(path VARCHAR, partitionValues \(strings), size BIGINT, modificationTime BIGINT, \
                dataChange BOOLEAN, tags \(strings), deletionVector \(vector), baseRowId BIGINT, \
                defaultRowCommitVersion BIGINT, clusteringProvider VARCHAR, stats VARCHAR)
                """,
            members: [
                .path, .partitionValues, .size, .modificationTime, .dataChange, .stats, .tags, .deletionVector,
                .baseRowId, .defaultRowCommitVersion, .clusteringProvider,
            ]),
        Column(
            name: "remove",
            type: """
                STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN, extendedFileMetadata BOOLEAN, \
                partitionValues \(strings), size BIGINT, tags \(strings), deletionVector \(vector), \
                baseRowId BIGINT, defaultRowCommitVersion BIGINT)
                """,
            members: [
                .path, .deletionTimestamp, .dataChange, .extendedFileMetadata, .partitionValues, .size, .stats, .tags,
                .deletionVector, .baseRowId, .defaultRowCommitVersion,
            ]),
        Column(
            name: "metaData",
            type: """
                STRUCT(id VARCHAR, name VARCHAR, description VARCHAR, \
                format STRUCT(provider VARCHAR, options \(strings)), schemaString VARCHAR, \
                partitionColumns VARCHAR[], configuration \(strings), createdTime BIGINT)
                """,
            members: [
                .id, .name, .description, .format, .schemaString, .partitionColumns, .configuration, .createdTime,
            ]),
        Column(
            name: "protocol",
            type: """
                STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[], \
                writerFeatures VARCHAR[])
                """,
            members: [.minReaderVersion, .minWriterVersion, .readerFeatures, .writerFeatures]),
        Column(
            name: "domainMetadata", type: "STRUCT(domain VARCHAR, configuration VARCHAR, removed BOOLEAN)",
            members: [.domain, .configuration, .removed]),
        Column(name: "sidecar", type: "", members: [.path, .sizeInBytes, .modificationTime], isWritten: false),
        Column(name: "checkpointMetadata", type: "", members: [.version], isWritten: false),
    ]
}
