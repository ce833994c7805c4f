// SPDX-License-Identifier: Apache-2.0
import DeltaProtocol
import Foundation
import Synchronization
import Testing

@testable import DeltaTables

@Suite("Delta tables")
struct DeltaTableTests {
    static let schema = DeltaSchema([DeltaField("a", .long)])

    private func table(_ folder: TestFolder, _ engine: FakeEngine = FakeEngine(), now: Int64 = 1_700_000_000_000)
        -> DeltaTable
    {
        DeltaTable(storage: FolderStorage(folder.path), engine: engine, clock: { now })
    }

    private func code(_ work: () async throws -> Void) async -> DeltaError.Code? {
        do {
            try await work()
            return nil
        } catch {
            return (error as? DeltaError)?.code
        }
    }

    @Test("A table is made once, and there is none before")
    func create() async throws {
        let folder = try TestFolder()
        let table = table(folder)
        #expect(await code { _ = try await table.snapshot() } == .notATable)
        let made = try await table.create(Self.schema, configuration: ["delta.appendOnly": "true"])
        #expect(made.version == 0 && made.schema == Self.schema)
        #expect(await code { try await table.create(Self.schema) } == .alreadyExists)
        #expect(await code { try await self.table(folder).create(Self.schema) } == .alreadyExists)
        let other = try TestFolder()
        #expect(
            await code { try await self.table(other).create(Self.schema, configuration: ["delta.zzz": "1"]) }
                == .unsupportedWriterFeature)
        #expect(
            await code { try await self.table(other).create(Self.schema, partitionColumns: ["b"]) } == .invalidArgument)
        #expect(
            await code { try await self.table(other).create(Self.schema, partitionColumns: ["a"]) } == .invalidArgument)
        #expect(other.files().isEmpty)
    }

    @Test("Rows that are appended are there, for others too, and in older versions not")
    func append() async throws {
        let folder = try TestFolder()
        let table = table(folder)
        try await table.create(Self.schema)
        let first = try await table.append(.query("rows(5)"))
        #expect(first.version == 1 && first.isCommitted && first.rowsAdded == 5 && first.filesAdded == 1)
        let nothing = try await table.append(.query("rows(0)"))
        #expect(!nothing.isCommitted && nothing.version == 1)
        try await table.append(.query("rows(7)"))
        let other = try await self.table(folder).snapshot()
        #expect(other.version == 2 && other.rowCount == 12)
        let old = try await self.table(folder).snapshot(at: 1)
        #expect(old.rowCount == 5)
        #expect(await code { _ = try await table.snapshot(at: 3) } == .noSuchVersion)
        let statistics = FileStatistics(text: old.sortedFiles.first?.stats)
        #expect(statistics?.minValues == ["a": 1] && statistics?.nullCount == ["a": 0])
        let history = try await table.history()
        #expect(history.map(\.version) == [2, 1, 0])
        #expect(history.compactMap(\.info?.operation) == ["WRITE", "WRITE", "CREATE TABLE"])
        // Whatever the writer's clock says, a time that is shown leads to its version.
        for entry in history {
            #expect(try await table.snapshot(atTime: entry.time).version == entry.version)
        }
        #expect(folder.files().filter { $0.hasSuffix(".parquet") }.count == 2, "a file without rows stays")
    }

    @Test("A listing that shows a commit and not the one before is made again")
    func listingsWithGaps() async throws {
        let folder = try TestFolder()
        let (ours, others) = (table(folder), table(folder))
        try await others.create(Self.schema)
        _ = try await ours.snapshot()
        for _ in 0..<3 { try await others.append(.query("rows(1)")) }
        let storage = GappedStorage(FolderStorage(folder.path))
        let slow = DeltaTable(storage: storage, engine: FakeEngine(), clock: { 1_700_000_000_000 })
        storage.hidden.withLock { $0 = [2] }
        #expect(try await slow.snapshot().version == 3)
        for _ in 0..<3 { try await others.append(.query("rows(1)")) }
        storage.hidden.withLock { $0 = [5, 5] }
        let change = try await slow.append(.query("rows(1)"))
        #expect(change.version == 7 && change.rowsAdded == 1)
        #expect(storage.hidden.withLock { $0.isEmpty }, "the gaps were met")
        try FileManager.default.removeItem(atPath: folder.path + "/" + DeltaLogName.commit(4).path)
        #expect(await code { _ = try await self.table(folder).snapshot() } == .logGap)
    }

    @Test("An append of an application is made once, also by a second process")
    func exactlyOnce() async throws {
        let folder = try TestFolder()
        let table = table(folder)
        try await table.create(Self.schema)
        for number in [1, 2, 2, 1, 3] as [Int64] {
            let outcome = try await self.table(folder).append(
                .query("rows(5)"), application: DeltaAppTransaction(appID: "loader", version: number))
            let known = outcome.wasAppliedBefore
            #expect(known == !outcome.isCommitted)
        }
        let snapshot = try await table.snapshot()
        #expect(snapshot.rowCount == 15 && snapshot.transactions["loader"]?.version == 3)
        // Both at once: one of them finds the other's.
        let outcomes = try await withThrowingTaskGroup(of: DeltaOutcome.self) { group in
            for _ in 0..<6 {
                group.addTask {
                    try await self.table(folder).append(
                        .query("rows(1)"), application: DeltaAppTransaction(appID: "loader", version: 4))
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.filter(\.isCommitted).count == 1)
        #expect(try await table.snapshot().rowCount == 16)
        #expect(
            folder.files().filter { $0.hasSuffix(".parquet") && !$0.contains("checkpoint") }.count == 4,
            "files of losers stay")
    }

    @Test("Rows of a source with parts go in with how far each part came, and only where the table goes on from there")
    func progress() async throws {
        let folder = try TestFolder()
        let table = table(folder)
        try await table.create(Self.schema)
        let first = DeltaProgress(start: [:], next: ["t-0": 5, "t-1": 2])
        #expect(try await table.append(.query("rows(7)"), progress: first).rowsAdded == 7)
        // Again, as after an answer that got lost: nothing happens.
        #expect(try await !self.table(folder).append(.query("rows(7)"), progress: first).isCommitted)
        // Rows that begin before what is there, or after it.
        for start in [[:], ["t-0": 4], ["t-0": 6]] as [[String: Int64]] {
            #expect(
                await code {
                    try await self.table(folder).append(
                        .query("rows(9)"), progress: DeltaProgress(start: start, next: ["t-0": 9]))
                } == .conflict)
        }
        // One of several parts only, and no rows at all.
        let second = DeltaProgress(start: ["t-0": 5, "t-1": 2], next: ["t-1": 3])
        #expect(try await table.append(.query("rows(1)"), progress: second).isCommitted)
        let third = DeltaProgress(start: ["t-0": 5], next: ["t-0": 6, "t-2": 1])
        #expect(try await table.append(nil, progress: third).isCommitted)
        // A source that began anew, and came as far as before.
        let still = DeltaProgress(start: ["t-1": 3], next: ["t-1": 3])
        #expect(try await !table.append(nil, progress: still).isCommitted)
        #expect(try await table.append(.query("rows(1)"), progress: still).isCommitted)
        let snapshot = try await self.table(folder).snapshot()
        #expect(snapshot.rowCount == 9 && snapshot.version == 4)
        #expect(snapshot.transactions.mapValues(\.version) == ["t-0": 6, "t-1": 3, "t-2": 1])
        #expect(folder.files().filter { $0.hasSuffix(".parquet") }.count == 3, "files of refused rows stay")
    }

    @Test("Of writers that read the same part at once one at a time gets its rows in")
    func progressOfMany() async throws {
        let folder = try TestFolder()
        try await table(folder).create(Self.schema)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let table = self.table(folder)
                    for _ in 0..<200 {
                        let from = (try? await table.snapshot().transactions["t-0"]?.version) ?? 0
                        guard from < 20 else { return }
                        _ = try? await table.append(
                            .query("rows(2)"),
                            progress: DeltaProgress(start: from == 0 ? [:] : ["t-0": from], next: ["t-0": from + 2]))
                    }
                }
            }
        }
        let snapshot = try await table(folder).snapshot()
        #expect(snapshot.transactions["t-0"]?.version == 20 && snapshot.rowCount == 20 && snapshot.version == 10)
    }

    @Test("Many writers at once lose and double nothing; checkpoints are made on the way")
    func concurrency() async throws {
        let folder = try TestFolder()
        try await table(folder).create(Self.schema, configuration: ["delta.checkpointInterval": "7"])
        let versions = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for writer in 0..<10 {
                group.addTask {
                    let table = self.table(folder)
                    var versions: [Int64] = []
                    for round in 0..<6 {
                        let outcome =
                            writer == 0 && round % 2 == 1
                            ? try await table.optimize() : try await table.append(.query("rows(2)"))
                        if outcome.isCommitted { versions.append(outcome.version) }
                    }
                    return versions
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(versions).count == versions.count)
        let fresh = try await table(folder).snapshot()
        #expect(fresh.rowCount == 114)
        #expect(fresh.version == versions.max())
        #expect(folder.files("_delta_log").contains { $0.hasSuffix(".checkpoint.parquet") })
        #expect(!folder.files("_delta_log").contains { $0.contains(".apus-") })
        // The same without what only the checkpoint has.
        let last = DeltaLastCheckpoint(
            try #require(await FolderStorage(folder.path).read("_delta_log/_last_checkpoint", maximum: 1 << 20)))
        for version in 0..<(try #require(last).version) {
            try FileManager.default.removeItem(atPath: folder.path + "/" + DeltaLogName.commit(version).path)
        }
        let later = try await table(folder).snapshot()
        #expect(Set(later.files.keys) == Set(fresh.files.keys))
        #expect(await code { _ = try await self.table(folder).snapshot(at: 1) } == .noSuchVersion)
        try FileManager.default.removeItem(atPath: folder.path + "/" + DeltaLogName.commit(fresh.version - 1).path)
        if (try #require(last).version) < fresh.version - 1 {
            #expect(await code { _ = try await self.table(folder).snapshot() } == .logGap)
        }
    }

    @Test("Deletes are done again when rows came meanwhile")
    func conflict() async throws {
        let folder = try TestFolder()
        let engine = FakeEngine()
        let first = table(folder, engine)
        try await first.create(Self.schema)
        try await first.append(.query("rows(5)"))
        let second = table(folder)
        let isDone = Mutex(false)
        let outcome = try await first.change { (snapshot) async throws(DeltaError) in
            let isFirst = isDone.withLock { done in
                defer { done = true }
                return !done
            }
            let taken = try await first.rewrite(snapshot, where: "true")
            if isFirst { try await second.append(.query("rows(3)")) }
            return try first.draft("DELETE", [:], snapshot, taken, DeltaWriter.Written())
        }
        #expect(outcome.version == 3 && outcome.filesRemoved == 2)
        #expect(try await second.snapshot().files.isEmpty)
        #expect(try await second.snapshot().tombstones.count == 2)
        // Rows of one are left by the predicate of the stand-in.
        try await first.append(.query("rows(1)"))
        #expect(try await first.delete(where: "a > 1").isCommitted == false)
        #expect(try await first.delete().rowsRemoved == 1)
    }

    @Test("A failing engine leaves neither a commit nor files")
    func failing() async throws {
        let folder = try TestFolder()
        let engine = FakeEngine()
        let table = table(folder, engine)
        try await table.create(Self.schema)
        engine.failing.withLock { $0 = "min(" }
        #expect(await code { try await table.append(.query("rows(5)")) } == .engine)
        #expect(try await table.snapshot().version == 0)
        #expect(folder.files().filter { $0.hasSuffix(".parquet") }.isEmpty)
    }

    @Test("Append-only tables take rows and nothing else")
    func appendOnly() async throws {
        let folder = try TestFolder()
        let table = table(folder)
        try await table.create(Self.schema, configuration: ["delta.appendOnly": "true"])
        try await table.append(.query("rows(5)"))
        try await table.append(.query("rows(5)"))
        #expect(await code { try await table.delete() } == .notAllowed)
        #expect(await code { try await table.overwrite(.query("rows(5)")) } == .notAllowed)
        #expect(try await table.optimize().filesRemoved == 2)
        #expect(try await table.snapshot().rowCount == 10)
        try await table.setProperties(["delta.appendOnly": nil])
        #expect(try await table.delete().rowsRemoved == 10)
        #expect(
            await code { try await table.setProperties(["delta.constraints.x": "a > 1"]) } == nil,
            "version 2 has no constraints")
    }

    @Test("Vacuum takes what nobody needs: old tombstones, orphans, unfinished files")
    func vacuum() async throws {
        let folder = try TestFolder()
        let week: Int64 = 7 * 86_400_000
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        let table = table(folder, now: now)
        try await table.create(Self.schema)
        try await table.append(.query("rows(5)"))
        try await table.overwrite(.query("rows(6)"))
        for orphan in ["orphan.parquet", "_delta_log/.apus-x.tmp", "_apus_staging/x.parquet", "_other/x"] {
            try await table.storage.put(orphan, [1])
        }
        #expect(try await table.vacuum().isEmpty)
        #expect(await code { _ = try await table.vacuum(retention: 0) } == .notAllowed)
        // The files have the system's time, which goes on meanwhile.
        let later = self.table(folder, now: now + week + 3_600_000)
        let dry = try await later.vacuum(isDryRun: true)
        #expect(dry.count == 4)
        #expect(Set(try await later.vacuum().map(\.path)) == Set(dry.map(\.path)))
        #expect(folder.files().filter { $0.hasSuffix(".parquet") }.count == 1)
        #expect(folder.files().contains("_other/x"))
        #expect(try await later.snapshot().rowCount == 6)
    }

    @Test("The engine's names of types")
    func types() throws {
        #expect(try EngineType.parse("BIGINT", column: "a") == .long)
        #expect(
            try EngineType.parse("DECIMAL(18,3)[]", column: "a")
                == .array(element: .decimal(precision: 18, scale: 3), containsNull: true))
        #expect(
            try EngineType.parse("STRUCT(a INTEGER, \"b \"\"c\" MAP(VARCHAR, TIMESTAMP WITH TIME ZONE))", column: "a")
                == .structure([
                    DeltaField("a", .integer),
                    DeltaField("b \"c", .map(key: .string, value: .timestamp, valueContainsNull: true)),
                ]))
        for bad in ["INTERVAL", "TIME", "STRUCT(a", "MAP(VARCHAR)", "INTEGER[3]", "", "DECIMAL(x)", "UNION(a INTEGER)"]
        {
            #expect(throws: DeltaError.self) { try EngineType.parse(bad, column: "a") }
        }
    }
}
