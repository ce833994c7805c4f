// SPDX-License-Identifier: Apache-2.0

/// What vacuum and the log's clean-up may delete.
package enum DeltaRetention {
    /// A file in the table's folder.
    package struct StoredFile: Sendable, Equatable {
        /// From the table's root, as the store has it.
        package var path: String
        package var size: Int64
        /// Milliseconds since 1970.
        package var modified: Int64

        package init(path: String, size: Int64, modified: Int64) {
            self.path = path
            self.size = size
            self.modified = modified
        }
    }

    /// The shortest retention that is taken without being told so: a week. A writer that takes longer would lose the
    /// files it has written and not yet committed.
    package static let shortest: Int64 = 7 * 86_400_000

    /// The files that no reader of a version within the retention can need: neither in the table, nor taken out within
    /// it, nor written within it (a writer may be about to commit them). `stored` is every file below the table's root,
    /// `snapshot` the latest version; times are milliseconds.
    package static func vacuum(
        _ stored: [StoredFile], _ snapshot: DeltaSnapshot, retention: Int64, now: Int64
    ) throws(DeltaError) -> [StoredFile] {
        let cutoff = now - retention
        var needed: Set<String> = []
        for file in snapshot.files.values {
            needed.insert(file.location)
            if let vector = try file.deletionVector?.location() { needed.insert(vector) }
        }
        for file in snapshot.tombstones.values where file.deletionTimestamp ?? 0 > cutoff {
            needed.insert(file.location)
            if let vector = try file.deletionVector?.location() { needed.insert(vector) }
        }
        return stored.filter { file in
            !isHidden(file.path, partitions: snapshot.metadata.partitionColumns) && file.modified < cutoff
                && !needed.contains(file.path)
        }
    }

    /// Files and folders whose names start with `_` or `.` are nobody's to delete, but for change data and folders of
    /// partition columns that are named so.
    static func isHidden(_ path: String, partitions: [String]) -> Bool {
        for (index, part) in path.split(separator: "/").enumerated() {
            guard part.hasPrefix("_") || part.hasPrefix(".") else { continue }
            if index == 0, part == "_change_data" { continue }
            if partitions.contains(where: { part.hasPrefix("\($0)=") }) { continue }
            return true
        }
        return false
    }

    /// The log's files that can go: all before the newest checkpoint that is older than the retention ("Metadata
    /// Cleanup"). Nothing goes without such a checkpoint. `files` is the whole log; times are milliseconds.
    package static func expired(_ files: [DeltaLogFile], retention: Int64, now: Int64) -> [DeltaLogFile] {
        // Midnight, so that a table is not cleaned a little at every commit.
        let cutoff = (now - retention) / 86_400_000 * 86_400_000
        var newestOld: Int64?
        for file in files {
            guard case .commit(let version) = file.name, file.modified <= cutoff else { continue }
            newestOld = max(newestOld ?? version, version)
        }
        guard let newestOld else { return [] }
        var parts: [Int64: [Int: Set<Int>]] = [:]
        var checkpoint: Int64?
        for file in files {
            switch file.name {
            case .checkpoint(let version) where version <= newestOld,
                .checkpointV2(let version, _, _) where version <= newestOld:
                checkpoint = max(checkpoint ?? version, version)
            case .checkpointPart(let version, let part, let count) where version <= newestOld:
                parts[version, default: [:]][count, default: []].insert(part)
                if parts[version]?[count]?.count == count { checkpoint = max(checkpoint ?? version, version) }
            default: break
            }
        }
        guard let checkpoint else { return [] }
        return files.filter { file in
            switch file.name {
            case .compacted(let from, _): from <= checkpoint
            case .lastCheckpoint: false
            default: (file.name.version ?? .max) < checkpoint
            }
        }
    }
}
