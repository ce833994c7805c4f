// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Synchronization
import Testing

@testable import ObjectStore

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

@Suite struct CrashTests {
    /// What was acknowledged, and how long the log was then.
    private struct Acknowledged: Sendable {
        var key: String
        /// nil for a deletion.
        var size: Int?
        var logBytes: Int
    }

    private final class Notes: Sendable {
        private let items = Mutex<[Acknowledged]>([])
        private let log: String

        init(log: String) { self.log = log }

        func add(_ key: String, _ size: Int?) {
            var status = stat()
            let bytes = stat(log, &status) == 0 ? Int(status.st_size) : 0
            items.withLock { $0.append(Acknowledged(key: key, size: size, logBytes: bytes)) }
        }

        var all: [Acknowledged] { items.withLock { $0 } }
    }

    /// What a kill -9 or a power failure at any moment leaves: the database, the log cut off or torn anywhere after
    /// what was synchronised, and files that no row names.
    @Test func nothingAcknowledgedIsLostWhereverTheLogEnds() async throws {
        let fixture = try StoreFixture()
        // The log only grows.
        let store = try await fixture.open { $0.checkpointPages = 1_000_000 }
        try await store.createBucket("b", owner: "me")
        let log = fixture.folder + "/store/objects.sqlite-wal"
        let acknowledged = Notes(log: log)
        let sizes = [0, 10, 4096, 40_000, 70_000]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<6 {
                group.addTask {
                    for index in 0..<25 {
                        let key = "w\(writer)-\(index)"
                        let size = sizes[(writer + index) % sizes.count]
                        try await store.put(pattern(size, seed: UInt64(size + index)), to: key)
                        acknowledged.add(key, size)
                        guard index % 5 == 4 else { continue }
                        let gone = "w\(writer)-\(index - 3)"
                        // Its file stays in this test: what is cut off with the log still names it.
                        try await store.copy(
                            from: CopySource(bucket: "b", key: gone), bucket: "b", key: gone + "-copy",
                            attributes: .keep(owner: "me"))
                        try await store.delete(bucket: "b", key: gone)
                        acknowledged.add(gone, nil)
                    }
                }
            }
            try await group.waitForAll()
        }
        let path = fixture.folder + "/store"
        let logBytes = try contents(log)
        let database = try contents(path + "/objects.sqlite")
        let bodies = try fixture.bodyFiles().map { ($0.dropFirst(path.utf8.count), try contents($0)) }
        await store.close()
        let all = acknowledged.all

        var state: UInt64 = 7
        for round in 0..<12 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let cut = round == 0 ? logBytes.count : Int(state >> 33) % (logBytes.count + 1)
            let copy = fixture.folder + "/copy\(round)"
            try Folder.create(copy + "/data")
            for folder in 0..<256 { mkdir(copy + "/data/" + Hex.encode(CollectionOfOne(UInt8(folder))), 0o700) }
            try write(database, to: copy + "/objects.sqlite")
            // Torn: what comes after the cut is anything.
            let tail = round.isMultiple(of: 3) ? pattern(min(3000, logBytes.count - cut), seed: state) : []
            try write(Array(logBytes[..<cut]) + tail, to: copy + "/objects.sqlite-wal")
            for (name, bytes) in bodies { try write(bytes, to: copy + name) }
            try write(pattern(500), to: copy + "/data/ab/00000ffffffff0ab")

            let reopened = try await fixture.open(at: copy)
            guard (try? await reopened.bucket("b")) != nil else {
                #expect(all.allSatisfy { $0.logBytes > cut })
                await reopened.close()
                continue
            }
            var expected: [String: Int?] = [:]
            for item in all where item.logBytes <= cut { expected[item.key] = .some(item.size) }
            let deletedLater = Set(all.filter { $0.size == nil }.map(\.key))
            for (key, size) in expected {
                if let size {
                    let index = Int(key.split(separator: "-")[1]) ?? 0
                    do {
                        #expect(try await reopened.bytes(key) == pattern(size, seed: UInt64(size + index)))
                    } catch let error as ObjectStoreError {
                        // A deletion that was not acknowledged may be there.
                        #expect(error.code == .noSuchKey && deletedLater.contains(key), "\(key): \(error)")
                    }
                } else {
                    #expect(await code { _ = try await reopened.head(bucket: "b", key: key) } == .noSuchKey)
                }
            }
            // Whatever is listed can be read, and no other file stays.
            var named = 0
            for info in try await reopened.list(bucket: "b", ListQuery(maximum: 10_000)).objects {
                #expect(try await reopened.bytes(info.key).count == Int(info.size))
                if info.size > 32 << 10 { named += 1 }
            }
            try await reopened.settled()
            #expect(fixture.bodyFiles(at: copy).count <= named)
            try await reopened.put("goes on", to: "after")
            await reopened.close()
            removeTree(copy)
        }
    }

    @Test func identifiersAreNotGivenOutTwice() async throws {
        let fixture = try StoreFixture()
        var store = try await fixture.open()
        let first = store.files.nextIdentifier()
        await store.close()
        store = try await fixture.open()
        #expect(store.files.nextIdentifier() > first + 1_000_000)
        await store.close()
    }
}

@Suite struct DiskFullTests {
    /// A small disk, for as long as this object lives.
    private final class SmallDisk: Sendable {
        let folder: String

        init?(_ folder: String, bytes: String) throws {
            try Folder.create(folder)
            guard mount("apus-test", folder, "tmpfs", 0, "size=\(bytes)") == 0 else { return nil }
            self.folder = folder
        }

        deinit { umount2(folder, CInt(MNT_DETACH)) }
    }

    @Test func aFullDatabaseRefusesAndGoesOn() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open { $0.maximumPages = 100 }
        try await store.createBucket("b", owner: "me")
        var count = 0
        var failure: ObjectStoreError.Code?
        while failure == nil, count < 1000 {
            failure = await code { try await store.put(pattern(8000, seed: UInt64(count)), to: "k\(count)") }
            if failure == nil { count += 1 }
        }
        #expect(failure == .full && count > 10)
        #expect(try await store.keys().count == count)
        for index in 0..<count { #expect(try await store.bytes("k\(index)") == pattern(8000, seed: UInt64(index))) }
        // Of those that come together, each that fits is taken; a deletion is, too.
        async let large: Void = { try await store.put(pattern(30_000), to: "large") }()
        async let gone = store.delete(bucket: "b", key: "k0")
        #expect(try await gone.removed)
        _ = try? await large
        try await store.delete(bucket: "b", key: "k1")
        try await store.put(pattern(8000), to: "again")
        await store.close()
    }

    @Test(.enabled(if: geteuid() == 0)) func aFullDiskRefusesAndRecovers() async throws {
        let fixture = try StoreFixture()
        guard let disk = try SmallDisk(fixture.folder + "/disk", bytes: "3m") else { return }
        let store = try await fixture.open(at: disk.folder + "/store")
        try await store.createBucket("b", owner: "me")
        var count = 0
        var failure: ObjectStoreError.Code?
        while failure == nil, count < 1000 {
            failure = await code { try await store.put(pattern(200_000, seed: UInt64(count)), to: "k\(count)") }
            if failure == nil { count += 1 }
        }
        #expect(failure == .full && count > 5)
        #expect(try await store.keys().count == count)
        for index in 0..<count { #expect(try await store.bytes("k\(index)") == pattern(200_000, seed: UInt64(index))) }
        // What could not be written has left nothing.
        try await store.settled()
        #expect(fixture.bodyFiles(at: disk.folder + "/store").count == count)
        try await store.delete(bucket: "b", key: "k0")
        try await store.settled()
        try await store.put(pattern(100_000), to: "again")
        #expect(try await store.bytes("again") == pattern(100_000))
        await store.close()
    }
}
