// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

@testable import DeltaProtocol

func file(
    _ path: String, partition: [String: String?] = [:], dataChange: Bool = true, vector: String? = nil
) throws -> DeltaAddFile {
    try DeltaAddFile(
        path: path, partitionValues: partition, size: 10, modificationTime: 1, dataChange: dataChange,
        stats: #"{"numRecords":4}"#,
        deletionVector: vector.map {
            DeletionVector(storage: .relative, pathOrInline: $0, offset: 1, sizeInBytes: 4, cardinality: 1)
        })
}

func removal(_ path: String, at time: Int64 = 100, dataChange: Bool = true) throws -> DeltaAction {
    .remove(try DeltaRemoveFile(path: path, deletionTimestamp: time, dataChange: dataChange))
}

let schema = DeltaSchema([DeltaField("a", .long), DeltaField("p", .string)])

func start(_ configuration: [String: String] = [:], partitioned: Bool = false) -> DeltaCommit {
    DeltaCommit(
        version: 0,
        actions: [
            .protocolVersions(DeltaProtocolVersions()),
            .metadata(
                DeltaMetadata(
                    id: "t", schemaString: schema.text, partitionColumns: partitioned ? ["p"] : [],
                    configuration: configuration)),
        ])
}

@Suite("States of tables")
struct SnapshotTests {
    private func replay(_ commits: [DeltaCommit]) throws -> DeltaSnapshot {
        var replay = DeltaReplay()
        for commit in commits { try replay.apply(commit) }
        return try replay.snapshot()
    }

    @Test("The newest action on a file counts; a file is its path and its deletion vector")
    func reconciliation() throws {
        let snapshot = try replay([
            start(), DeltaCommit(version: 1, actions: [.add(try file("x")), .add(try file("y%20z"))]),
            DeltaCommit(
                version: 2,
                actions: [
                    try removal("x"), .add(try file("x", vector: "ab^-aqEH.-t@S}K{vb[*k^")), try removal("y z"),
                    .transaction(.init(appID: "app", version: 1)), .domain(.init(domain: "d", configuration: "1")),
                ]),
            DeltaCommit(
                version: 3,
                actions: [
                    .add(try file("y%20z")), .transaction(.init(appID: "app", version: 2)),
                    .domain(.init(domain: "d", configuration: "1", removed: true)),
                ]),
        ])
        #expect(snapshot.version == 3)
        #expect(snapshot.sortedFiles.map(\.location) == ["x", "y z"])
        #expect(snapshot.tombstones.values.map(\.location) == ["x"])
        #expect(snapshot.transactions["app"]?.version == 2)
        #expect(snapshot.domains.isEmpty)
        #expect(snapshot.rowCount == 7)
    }

    @Test("A checkpoint and the commits after it give what all commits give")
    func checkpoint() throws {
        var dice = Dice(state: 7)
        var all = DeltaReplay()
        var commits = [start()]
        try all.apply(commits[0])
        var present: Set<String> = []
        for version in 1...60 as ClosedRange<Int64> {
            var actions: [DeltaAction] = []
            for number in 0..<Int.random(in: 0...3, using: &dice) {
                let path = "f\(version)-\(number)"
                present.insert(path)
                actions.append(.add(try file(path)))
            }
            if let path = present.sorted().randomElement(using: &dice), Bool.random(using: &dice),
                !path.hasPrefix("f\(version)-")
            {
                present.remove(path)
                actions.append(try removal(path, at: 1000 + version))
            }
            actions.append(.transaction(.init(appID: "a\(version % 4)", version: version)))
            let commit = DeltaCommit(version: version, actions: actions)
            commits.append(commit)
            try all.apply(try DeltaCommit(version: version, lines: commit.encoded))
        }
        let expected = try all.snapshot()
        #expect(Set(expected.files.values.map(\.location)) == present)
        for place in [0, 1, 30, 60] {
            let at = try replay(Array(commits.prefix(place + 1)))
            let actions = at.checkpointActions(tombstonesSince: 0)
            var half = DeltaReplay()
            // In two parts, as checkpoints may be.
            try half.apply(checkpoint: Array(actions.prefix(actions.count / 2)), version: Int64(place))
            try half.apply(checkpoint: Array(actions.dropFirst(actions.count / 2)), version: Int64(place))
            for commit in commits.dropFirst(place + 1) { try half.apply(commit) }
            let found = try half.snapshot()
            #expect(Set(found.files.keys) == Set(expected.files.keys))
            #expect(found.transactions == expected.transactions)
            #expect(Set(found.tombstones.keys) == Set(expected.tombstones.keys))
        }
        #expect(
            try replay(commits).checkpointActions(tombstonesSince: 1 << 40).contains {
                if case .remove = $0 { true } else { false }
            } == false)
    }

    @Test("Gaps, and logs without protocol or metadata, are errors")
    func gaps() throws {
        var replay = DeltaReplay()
        try replay.apply(start())
        #expect(code { try replay.apply(DeltaCommit(version: 2, actions: [])) } == .logGap)
        #expect(code { try replay.apply(DeltaCommit(version: 0, actions: [])) } == .logGap)
        #expect(code { try replay.apply(checkpoint: [], version: 5) } == .logGap)
        var empty = DeltaReplay()
        try empty.apply(DeltaCommit(version: 0, actions: [.protocolVersions(.init())]))
        #expect(code { _ = try empty.snapshot() } == .corruptLog)
        var newer = DeltaReplay()
        try newer.apply(start())
        try newer.apply(
            DeltaCommit(
                version: 1,
                actions: [
                    .protocolVersions(.init(minReaderVersion: 3, minWriterVersion: 7, readerFeatures: ["variantType"]))
                ]))
        #expect(code { _ = try newer.snapshot() } == .unsupportedReaderFeature)
    }
}

@Suite("The log's files")
struct LogTests {
    @Test(
        "Names there and back",
        arguments: [
            DeltaLogName.commit(0), .commit(12_345_678_901), .checkpoint(10), .checkpointPart(7, part: 2, parts: 3),
            .checkpointV2(8, id: "016ae953-37a9-438e-8683-9a9a4a79a395", isJSON: true),
            .checkpointV2(8, id: "016ae953-37a9-438e-8683-9a9a4a79a395", isJSON: false), .checksum(3),
            .compacted(from: 4, to: 6), .lastCheckpoint,
        ])
    func names(name: DeltaLogName) { #expect(DeltaLogName(name.name) == name) }

    @Test(
        "Other names are none",
        arguments: [
            "", "0.json", "00000000000000000001.json.tmp", ".apus-x.tmp", "0000000000000000000a.json", "_last",
            "-0000000000000000001.json",
            "99999999999999999999.json", "00000000000000000001.checkpoint.0000000004.0000000003.parquet",
            "00000000000000000001.checkpoint.0000000000.0000000003.parquet", "00000000000000000001.checkpoint..json",
            "00000000000000000006.00000000000000000004.compacted.json", "00000000000000000001.parquet",
        ])
    func otherNames(name: String) { #expect(DeltaLogName(name) == nil) }

    private func files(_ names: [DeltaLogName]) -> [DeltaLogFile] { names.map { DeltaLogFile($0) } }

    @Test("The newest whole checkpoint that is not newer than the version, and every commit after it")
    func segment() throws {
        let listing = files(
            (3...12).map { .commit($0) } + [
                .checkpoint(4), .checkpointPart(8, part: 1, parts: 2), .checkpointPart(8, part: 2, parts: 2),
                .checkpointPart(10, part: 1, parts: 2), .lastCheckpoint, .checksum(12),
            ])
        let latest = try DeltaLogSegment(choosing: listing.shuffled())
        #expect(latest.version == 12 && latest.checkpointVersion == 8 && latest.checkpoint.count == 2)
        #expect(latest.commits.compactMap(\.name.version) == [9, 10, 11, 12])
        #expect(try DeltaLogSegment(choosing: listing, version: 8).commits.isEmpty)
        #expect(try DeltaLogSegment(choosing: listing, version: 7).checkpointVersion == 4)
        #expect(code { _ = try DeltaLogSegment(choosing: listing, version: 3) } == .noSuchVersion)
        #expect(code { _ = try DeltaLogSegment(choosing: listing, version: 13) } == .noSuchVersion)
        #expect(code { _ = try DeltaLogSegment(choosing: []) } == .notATable)
        #expect(code { _ = try DeltaLogSegment(choosing: self.files([.commit(0), .commit(2)])) } == .logGap)
        #expect(code { _ = try DeltaLogSegment(choosing: self.files([.commit(1), .commit(2)])) } == .logGap)
        #expect(code { _ = try DeltaLogSegment(choosing: self.files([.checkpoint(4), .commit(6)])) } == .logGap)
        #expect(try DeltaLogSegment(choosing: files([.checkpoint(4)])).version == 4)
    }

    @Test("Versions by time, though clocks went back")
    func time() throws {
        let listing = [(0, 100), (1, 90), (2, 200), (3, 150)].map { DeltaLogFile(.commit($0.0), modified: $0.1) }
        #expect(try DeltaLogSegment.version(at: 100, in: listing) == 0)
        #expect(try DeltaLogSegment.version(at: 101, in: listing) == 1)
        #expect(try DeltaLogSegment.version(at: 200, in: listing) == 2)
        #expect(try DeltaLogSegment.version(at: 201, in: listing) == 3)
        #expect(code { _ = try DeltaLogSegment.version(at: 99, in: listing) } == .noSuchVersion)
        // A version's time leads to it, also where some are in the commits of a log that was copied.
        for inCommit in [[:], [2: 70, 3: 80], [1: 300, 2: 400]] as [[Int64: Int64]] {
            let files = listing.reversed() + [DeltaLogFile(.checkpoint(2))]
            let times = DeltaLogSegment.times(of: files, inCommit: inCommit)
            #expect(times.map(\.version) == [0, 1, 2, 3])
            #expect(times.map(\.time) == [100, 101, 200, 201].enumerated().map { inCommit[Int64($0)] ?? $1 })
        }
        #expect(try DeltaLogSegment.version(at: 70, in: listing, inCommit: [2: 70, 3: 80]) == 2)
        #expect(try DeltaLogSegment.version(at: 80, in: listing, inCommit: [2: 70, 3: 80]) == 3)
        #expect(try DeltaLogSegment.version(at: 101, in: listing, inCommit: [2: 300, 3: 400]) == 1)
        #expect(try DeltaLogSegment.version(at: 300, in: listing, inCommit: [2: 300, 3: 400]) == 2)
    }

    @Test("_last_checkpoint is a hint: damaged ones are none")
    func hint() {
        let hint = DeltaLastCheckpoint(version: 40, size: 3, sizeInBytes: 9, numOfAddFiles: 1)
        #expect(DeltaLastCheckpoint(hint.encoded) == hint)
        #expect(DeltaLastCheckpoint([]) == nil)
        #expect(DeltaLastCheckpoint(Array(#"{"version":-1}"#.utf8)) == nil)
        #expect(DeltaLastCheckpoint(Array(#"{"version":"1"}"#.utf8)) == nil)
    }
}

@Suite("Conflicts of commits")
struct ConflictTests {
    private func winner(_ actions: [DeltaAction]) -> DeltaCommit { DeltaCommit(version: 9, actions: actions) }

    private func append(_ application: String? = nil) throws -> DeltaTransaction {
        DeltaTransaction(
            readVersion: 8, reads: .nothing,
            actions: [.add(try file("new"))] + (application.map { [.transaction(.init(appID: $0, version: 3))] } ?? []))
    }

    private func delete() throws -> DeltaTransaction {
        DeltaTransaction(
            readVersion: 8, reads: .everything, readFiles: [try file("x").key, try file("y").key],
            actions: [try removal("x"), .add(try file("x2"))])
    }

    @Test("Appends follow appends, deletes and compactions")
    func appends() throws {
        let append = try append("app")
        #expect(append.isBlindAppend)
        #expect(DeltaConflicts.check(append, after: winner([.add(try file("other"))])) == nil)
        #expect(DeltaConflicts.check(append, after: winner([try removal("x"), .add(try file("z"))])) == nil)
        #expect(DeltaConflicts.check(append, after: winner([.transaction(.init(appID: "other", version: 1))])) == nil)
        #expect(
            DeltaConflicts.check(append, after: winner([.transaction(.init(appID: "app", version: 1))]))
                == .concurrentTransaction("app"))
    }

    @Test("Nothing follows a change of schema or protocol unseen")
    func metadata() throws {
        for transaction in [try append(), try delete()] {
            #expect(DeltaConflicts.check(transaction, after: start()) == .protocolChanged)
            #expect(DeltaConflicts.check(transaction, after: winner([start().actions[1]])) == .metadataChanged)
        }
    }

    @Test("Deletes see rows that were added, and files that went, meanwhile")
    func deletes() throws {
        let delete = try delete()
        #expect(!delete.isBlindAppend)
        #expect(DeltaConflicts.check(delete, after: winner([.add(try file("n"))])) == .concurrentAppend("n"))
        #expect(DeltaConflicts.check(delete, after: winner([try removal("x")])) == .concurrentDeleteDelete("x"))
        #expect(DeltaConflicts.check(delete, after: winner([try removal("y")])) == .concurrentDeleteRead("y"))
        #expect(DeltaConflicts.check(delete, after: winner([try removal("z")])) == nil)
        // Files that were only put together: their rows were there before.
        #expect(
            DeltaConflicts.check(
                delete, after: winner([try removal("z", dataChange: false), .add(try file("zz", dataChange: false))]))
                == nil)
        #expect(
            DeltaConflicts.check(delete, after: winner([try removal("y", dataChange: false)]))
                == .concurrentDeleteRead("y"))
    }

    @Test("Work on some partitions does not mind the others")
    func partitions() throws {
        let work = DeltaTransaction(readVersion: 8, reads: .partitions([["p": "1"], ["p": nil]]), actions: [])
        #expect(DeltaConflicts.check(work, after: winner([.add(try file("n", partition: ["p": "2"]))])) == nil)
        for value in ["1", "", nil] {
            #expect(
                DeltaConflicts.check(work, after: winner([.add(try file("n", partition: ["p": value]))]))
                    == .concurrentAppend("n"))
        }
        let domains = DeltaTransaction(
            readVersion: 8, reads: .nothing, actions: [.domain(.init(domain: "d", configuration: ""))])
        #expect(DeltaConflicts.check(domains, after: winner(domains.actions)) == .concurrentDomain("d"))
    }

    @Test("A commit is one that its table allows")
    func rules() throws {
        var replay = DeltaReplay()
        try replay.apply(start(["delta.appendOnly": "true"]))
        let snapshot = try replay.snapshot()
        let info = DeltaCommitInfo(
            time: 5, operation: "DELETE", parameters: [:], readVersion: 0, isBlindAppend: false, transaction: "t")
        let delete = try delete()
        #expect(
            code { _ = try DeltaCommitRules.actions(delete, info: info, on: snapshot, now: 5) } == .notAllowed)
        let compaction = DeltaTransaction(
            readVersion: 0, reads: .nothing,
            actions: [try removal("x", dataChange: false), .add(try file("y", dataChange: false))])
        let actions = try DeltaCommitRules.actions(compaction, info: info, on: snapshot, now: 5)
        #expect(actions.first == .commitInfo(info))
        var timed = DeltaReplay()
        try timed.apply(start(["delta.enableInCommitTimestamps": "true"]))
        var late = info
        late.inCommitTimestamp = 1000
        try timed.apply(DeltaCommit(version: 1, actions: [.commitInfo(late)]))
        let next = try DeltaCommitRules.actions(try append(), info: info, on: try timed.snapshot(), now: 7)
        guard case .commitInfo(let given) = next[0] else {
            Issue.record("no commitInfo first")
            return
        }
        #expect(given.inCommitTimestamp == 1001)
        var feed = DeltaReplay()
        try feed.apply(start(["delta.enableChangeDataFeed": "true"]))
        let fed = try feed.snapshot()
        #expect(
            code { _ = try DeltaCommitRules.actions(delete, info: info, on: fed, now: 7) } == .unsupportedWriterFeature)
        #expect(code { _ = try DeltaCommitRules.actions(try self.append(), info: info, on: fed, now: 7) } == nil)
    }
}

@Suite("Retention")
struct RetentionTests {
    private func stored(_ path: String, _ modified: Int64) -> DeltaRetention.StoredFile {
        .init(path: path, size: 1, modified: modified)
    }

    @Test("Vacuum leaves what a version within the retention needs, what is new, and what is not its own")
    func vacuum() throws {
        var replay = DeltaReplay()
        try replay.apply(start(partitioned: true))
        try replay.apply(
            DeltaCommit(
                version: 1,
                actions: [
                    .add(try file("live%20one")), .add(try file("v", vector: "ab^-aqEH.-t@S}K{vb[*k^")),
                    try removal("gone-new", at: 950), try removal("gone-old", at: 100),
                ]))
        let files = [
            stored("live one", 1), stored("v", 1), stored("gone-new", 1), stored("gone-old", 1),
            stored("orphan-old", 1),
            stored("orphan-new", 950), stored("_delta_log/x.json", 1), stored("_hidden/x", 1), stored(".x", 1),
            stored("p=1/orphan", 1), stored("ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin", 1),
            stored("_change_data/x", 1),
        ]
        let found = try DeltaRetention.vacuum(files, try replay.snapshot(), retention: 100, now: 1000)
        #expect(found.map(\.path) == ["gone-old", "orphan-old", "p=1/orphan", "_change_data/x"])
    }

    @Test("The log keeps the newest checkpoint that is older than its retention, and all after it")
    func log() {
        let day: Int64 = 86_400_000
        var files = (0...20 as ClosedRange<Int64>).map { DeltaLogFile(.commit($0), modified: $0 * day) }
        #expect(DeltaRetention.expired(files, retention: 5 * day, now: 20 * day).isEmpty)
        files += [5, 10, 18].map { DeltaLogFile(.checkpoint($0), modified: $0 * day) }
        files += [
            DeltaLogFile(.checkpointPart(14, part: 1, parts: 2), modified: 14 * day), DeltaLogFile(.lastCheckpoint),
        ]
        let expired = DeltaRetention.expired(files, retention: 5 * day, now: 20 * day + 7)
        #expect(Set(expired.map(\.name)) == Set((0...9).map { .commit($0) } + [.checkpoint(5)]))
    }
}
