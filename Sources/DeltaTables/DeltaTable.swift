// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import DeltaProtocol
import Synchronization

/// A Delta table: its log is read and written here, Parquet files by the engine.
///
/// Reading (`snapshot`, `history`) asks nothing of other writers. Every change is optimistic: files first, then one
/// commit that exists as a whole or not at all; when another commit came first, the change follows it if nothing that
/// it has read is different, and is done again otherwise.
package final class DeltaTable: Sendable {
    package let storage: any DeltaStorage
    let engine: any DeltaParquet
    /// Milliseconds since 1970.
    let clock: @Sendable () -> Int64
    /// A state, and its last commit's file as a listing has it, where one was made.
    private struct Known {
        let snapshot: DeltaSnapshot
        var mark: DeltaLogFile?
    }

    /// The newest state that has been read.
    private let cached = Mutex<Known?>(nil)

    /// How often a change is done again before it fails with `conflict`.
    static let maximumAttempts = 50

    package init(
        storage: any DeltaStorage, engine: any DeltaParquet,
        clock: @escaping @Sendable () -> Int64 = { Timestamp.now().nanoseconds / 1_000_000 }
    ) {
        self.storage = storage
        self.engine = engine
        self.clock = clock
    }

    /// Keeps a state for the next reader, unless a newer one is there.
    func keep(_ snapshot: DeltaSnapshot, _ mark: DeltaLogFile? = nil) {
        cached.withLock { known in
            if known?.snapshot.version ?? -1 < snapshot.version { known = Known(snapshot: snapshot, mark: mark) }
        }
    }

    // MARK: Reading

    /// The latest state.
    /// - Throws: `notATable`, `logGap`, `corruptLog`, `unsupportedReaderFeature`.
    package func snapshot() async throws(DeltaError) -> DeltaSnapshot {
        if let known = cached.withLock({ $0 }), let snapshot = try await newest(known) { return snapshot }
        let (snapshot, mark) = try await load(nil)
        cached.withLock { $0 = Known(snapshot: snapshot, mark: mark) }
        return snapshot
    }

    /// What a state has become; nil where it is not one of the table that is there now: a table that was deleted and
    /// made again has another log.
    private func newest(_ known: Known) async throws(DeltaError) -> DeltaSnapshot? {
        let version = known.snapshot.version
        let last = DeltaLogName.commit(version)
        let start = known.mark == nil ? last : DeltaLogName.commit(max(version - 1, 0))
        let files = try await log(after: version == 0 && known.mark != nil ? nil : start.path)
        if let mark = known.mark {
            guard files.contains(mark) else { return nil }
        } else {
            guard try await isThere(version) else { return nil }
        }
        guard let newer = try? DeltaLogSegment.commits(after: version, in: files) else { return nil }
        guard let mark = newer.last else { return known.snapshot }
        let snapshot = try await replay(DeltaReplay(known.snapshot), newer)
        keep(snapshot, mark)
        return snapshot
    }

    private func isThere(_ version: Int64) async throws(DeltaError) -> Bool {
        try await storage.read(DeltaLogName.commit(version).path, maximum: DeltaCommit.maximumSize) != nil
    }

    /// The state at an older version.
    /// - Throws: `noSuchVersion` also for one whose log is gone.
    package func snapshot(at version: Int64) async throws(DeltaError) -> DeltaSnapshot {
        // One that was read from a listing may be of a table that is gone.
        if let known = cached.withLock({ $0 }), known.mark == nil, known.snapshot.version == version {
            return known.snapshot
        }
        return try await load(version).snapshot
    }

    /// The latest state that was there at a time, milliseconds since 1970.
    package func snapshot(atTime milliseconds: Int64) async throws(DeltaError) -> DeltaSnapshot {
        let files = try await log(after: nil)
        guard !files.isEmpty else { throw notATable() }
        var times: [Int64: Int64] = [:]
        if try await snapshot().properties.hasInCommitTimestamps {
            for file in files {
                guard case .commit(let version) = file.name else { continue }
                times[version] = try await commit(version).info?.inCommitTimestamp
            }
        }
        let version = try DeltaLogSegment.version(at: milliseconds, in: files, inCommit: times)
        return try await load(version, files).snapshot
    }

    /// The log's files, by listing.
    func log(after: String?) async throws(DeltaError) -> [DeltaLogFile] {
        try await storage.list(DeltaLogName.folder + "/", after: after).compactMap { file in
            let name = file.path.dropFirst(DeltaLogName.folder.utf8.count + 1)
            return DeltaLogName(String(name)).map { DeltaLogFile($0, size: file.size, modified: file.modified) }
        }
    }

    /// What is chosen from a listing. It is listed once more where a commit is missing: a folder that is written while it
    /// is read may show a commit and not the one before.
    func log<Choice>(
        after: String?, _ choose: ([DeltaLogFile]) throws(DeltaError) -> Choice
    ) async throws(DeltaError) -> Choice {
        do throws(DeltaError) {
            return try choose(try await log(after: after))
        } catch {
            guard error.code == .logGap else { throw error }
            return try choose(try await log(after: after))
        }
    }

    private func notATable() -> DeltaError {
        DeltaError(.notATable, "there is no Delta table at \(storage.location): it has no \(DeltaLogName.folder)")
    }

    private func load(
        _ version: Int64?, _ listing: [DeltaLogFile]? = nil
    ) async throws(DeltaError) -> (snapshot: DeltaSnapshot, mark: DeltaLogFile?) {
        var segment: DeltaLogSegment?
        var listed: [DeltaLogFile] = []
        if listing == nil, let hint = try await lastCheckpoint(), hint.version <= version ?? .max {
            let files = try await log(after: DeltaLogName.commit(max(hint.version - 1, 0)).path)
            // A hint may name a checkpoint that is gone; then the whole log is looked at.
            segment = try? DeltaLogSegment(choosing: files, version: version)
            listed = files
        }
        if segment == nil {
            func choose(_ files: [DeltaLogFile]) throws(DeltaError) -> DeltaLogSegment {
                guard !files.isEmpty else { throw notATable() }
                listed = files
                return try DeltaLogSegment(choosing: files, version: version)
            }
            segment = if let listing { try choose(listing) } else { try await log(after: nil, choose) }
        }
        guard let segment else { throw notATable() }
        var replay = DeltaReplay()
        if let start = segment.checkpointVersion {
            for actions in try await checkpointActions(segment.checkpoint) {
                try replay.apply(checkpoint: actions, version: start)
            }
        }
        let snapshot = try await self.replay(replay, segment.commits)
        return (snapshot, listed.first { $0.name == .commit(snapshot.version) })
    }

    private func lastCheckpoint() async throws(DeltaError) -> DeltaLastCheckpoint? {
        guard let bytes = try await storage.read(DeltaLogName.lastCheckpoint.path, maximum: 16 << 20) else {
            return nil
        }
        return DeltaLastCheckpoint(bytes)
    }

    private func replay(_ start: DeltaReplay, _ commits: [DeltaLogFile]) async throws(DeltaError) -> DeltaSnapshot {
        var replay = start
        // Some at a time: a store far away answers slowly, and memory is bounded.
        let width = 32
        for begin in stride(from: 0, to: commits.count, by: width) {
            let versions = commits[begin..<min(begin + width, commits.count)].compactMap(\.name.version)
            for commit in try await self.commits(versions) { try replay.apply(commit) }
        }
        return try replay.snapshot()
    }

    private func commits(_ versions: [Int64]) async throws(DeltaError) -> [DeltaCommit] {
        if versions.count == 1, let only = versions.first { return [try await commit(only)] }
        let results = await withTaskGroup(of: Result<DeltaCommit, DeltaError>.self) { group in
            for version in versions { group.addTask { await self.outcome(of: version) } }
            var results: [Result<DeltaCommit, DeltaError>] = []
            for await result in group { results.append(result) }
            return results
        }
        var commits: [DeltaCommit] = []
        for result in results { commits.append(try result.get()) }
        return commits.sorted { $0.version < $1.version }
    }

    private func outcome(of version: Int64) async -> Result<DeltaCommit, DeltaError> {
        do throws(DeltaError) {
            return .success(try await commit(version))
        } catch {
            return .failure(error)
        }
    }

    /// The actions of one commit.
    /// - Throws: `logGap` when it is not there.
    package func commit(_ version: Int64) async throws(DeltaError) -> DeltaCommit {
        let name = DeltaLogName.commit(version)
        guard let bytes = try await storage.read(name.path, maximum: DeltaCommit.maximumSize) else {
            throw DeltaError(.logGap, "the commit \(name.name) of \(storage.location) is missing")
        }
        return try DeltaCommit(version: version, lines: bytes)
    }

    /// One entry of a table's history.
    package struct HistoryEntry: Sendable {
        package var version: Int64
        /// Milliseconds since 1970, as ``DeltaTable/snapshot(atTime:)`` counts it: not what the writer says of it.
        package var time: Int64
        package var info: DeltaCommitInfo?
    }

    /// Who did what, the latest first. Commits whose files are gone are left out.
    package func history(limit: Int = 1000) async throws(DeltaError) -> [HistoryEntry] {
        let commits = DeltaLogSegment.times(of: try await log(after: nil))
        guard !commits.isEmpty else { throw notATable() }
        // There is a history of a table that cannot be read, too.
        let isInCommit = (try? await snapshot())?.properties.hasInCommitTimestamps ?? true
        var entries: [HistoryEntry] = []
        for (version, modified) in commits.suffix(limit).reversed() {
            let info = try await commit(version).info
            let time = isInCommit ? info?.inCommitTimestamp ?? modified : modified
            entries.append(HistoryEntry(version: version, time: time, info: info))
        }
        return entries
    }

    // MARK: Rows

    /// Runs a statement of texts, such as one over `query`.
    package func texts(_ sql: String) async throws(DeltaError) -> [[String?]] { try await engine.texts(sql) }

    /// Where the engine finds a state's files.
    package func sources(_ files: [DeltaAddFile]) async throws(DeltaError) -> [DeltaRelation.Source] {
        var sources: [DeltaRelation.Source] = []
        for file in files {
            let local = try await storage.local(try DeltaPath.inside(file.path))
            sources.append(DeltaRelation.Source(file: file, local: local, deleted: try await deleted(file)))
        }
        return sources
    }

    /// Rows of a file that do not count any more, ascending.
    func deleted(_ file: DeltaAddFile) async throws(DeltaError) -> [Int64] {
        guard let vector = file.deletionVector else { return [] }
        guard let path = try vector.location() else { return try vector.rows() }
        guard let bytes = try await storage.read(path, maximum: 1 << 30) else {
            throw DeltaError(.corruptLog, "the deletion vectors' file \(path) is missing")
        }
        return try vector.rows(file: bytes)
    }

    /// A query for the rows of a state, to be put in parentheses after FROM.
    package func query(_ snapshot: DeltaSnapshot) async throws(DeltaError) -> String {
        try DeltaRelation(snapshot).sql(try await sources(snapshot.sortedFiles))
    }
}
