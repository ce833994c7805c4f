// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import DeltaProtocol

extension DeltaTable {
    /// Puts small files together, and files whose rows are partly deleted anew; no row changes. Without a size, in bytes,
    /// the table says how large files should be.
    @discardableResult
    package func optimize(targetSize: Int64? = nil) async throws(DeltaError) -> DeltaOutcome {
        try await change { (snapshot) async throws(DeltaError) -> Draft? in
            let targetSize = targetSize ?? snapshot.properties.targetFileSize()
            let groups = Self.bins(snapshot, targetSize)
            if groups.isEmpty { return nil }
            let relation = try DeltaRelation(snapshot)
            var removed: [DeltaAddFile] = []
            var written = DeltaWriter.Written()
            for group in groups {
                let rows = try relation.sql(try await self.sources(group))
                do throws(DeltaError) {
                    var writer = DeltaWriter(self, snapshot)
                    writer.targetSize = targetSize
                    let part = try await writer.write(rows, dataChange: false)
                    written.files += part.files
                    written.rows += part.rows
                } catch {
                    try? await self.storage.delete(written.files.map(\.location))
                    throw error
                }
                removed += group
            }
            let now = self.clock()
            var actions: [DeltaAction] = []
            for file in removed { actions.append(.remove(try file.removal(at: now, dataChange: false))) }
            actions += written.files.map { .add($0) }
            return Draft(
                transaction: DeltaTransaction(
                    readVersion: snapshot.version, reads: .nothing, readFiles: Set(removed.map(\.key)), actions: actions
                ),
                operation: "OPTIMIZE", parameters: ["predicate": "[]"],
                metrics: ["numRemovedFiles": "\(removed.count)", "numAddedFiles": "\(written.files.count)"],
                outcome: DeltaOutcome(
                    version: snapshot.version, isCommitted: false, filesAdded: written.files.count,
                    filesRemoved: removed.count))
        }
    }

    /// Files of the same partition that fit one file; what is large enough already stays.
    static func bins(_ snapshot: DeltaSnapshot, _ targetSize: Int64) -> [[DeltaAddFile]] {
        var groups: [[DeltaAddFile]] = []
        var partitions: [[String: String?]: [DeltaAddFile]] = [:]
        for file in snapshot.sortedFiles where file.size < targetSize / 4 * 3 || file.deletionVector != nil {
            partitions[file.partitionValues, default: []].append(file)
        }
        for files in partitions.values.sorted(by: { $0[0].location < $1[0].location }) {
            var bin: [DeltaAddFile] = []
            var size: Int64 = 0
            func close() {
                if bin.count > 1 || bin.contains(where: { $0.deletionVector != nil }) { groups.append(bin) }
                bin = []
                size = 0
            }
            for file in files.sorted(by: { ($0.size, $0.location) < ($1.size, $1.location) }) {
                if size + file.size > targetSize { close() }
                bin.append(file)
                size += file.size
            }
            close()
        }
        return groups
    }

    /// Deletes files that no version within the retention needs: taken out of the table, or written by someone who never
    /// came to commit them.
    /// The retention is in milliseconds; without one the table says. One that is shorter than a week has to be forced, and
    /// is only safe when nobody else writes. What was, or in a dry run would be, deleted is given back.
    @discardableResult
    package func vacuum(retention: Int64? = nil, isForced: Bool = false, isDryRun: Bool = false)
        async throws(DeltaError) -> [DeltaRetention.StoredFile]
    {
        let snapshot = try await self.snapshot()
        try DeltaFeatures.checkWrite(snapshot.protocolVersions, snapshot.metadata, snapshot.schema)
        let kept = try snapshot.properties.deletedFileRetention()
        let retention = retention ?? kept
        guard retention >= 0 else { throw DeltaError(.invalidArgument, "a retention cannot be negative") }
        guard isForced || retention >= min(kept, DeltaRetention.shortest) else {
            throw DeltaError(
                .notAllowed,
                "files are to stay for \(min(kept, DeltaRetention.shortest) / 3_600_000) hours: a shorter retention takes "
                    + "files away from readers and writers that are at work, unless it is forced")
        }
        let now = clock()
        let stored = try await storage.list("", after: nil)
        var files = try DeltaRetention.vacuum(stored, snapshot, retention: retention, now: now)
        files += stored.filter { Self.isUnfinished($0.path) && $0.modified < now - retention }
        if !isDryRun {
            for start in stride(from: 0, to: files.count, by: 1000) {
                try await storage.delete(files[start..<min(start + 1000, files.count)].map(\.path))
            }
        }
        return files
    }

    /// Whether a file is one that only a writer here makes and takes away again itself.
    private static func isUnfinished(_ path: String) -> Bool {
        path.hasPrefix(stagingFolder + "/") || path.hasPrefix("\(DeltaLogName.folder)/\(FolderStorage.unfinished)")
    }
}
