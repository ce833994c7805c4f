// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import GRDB
import KubeStore
import Synchronization
import Testing

/// What the writers of a test were told is durable.
private final class Acknowledged: Sendable {
    let revisions = Mutex<[StoreKey: Int64]>([:])
}

@Suite struct DurabilityTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func everythingIsThereAfterARestart() async throws {
        let store = try KubeStore(directory: directory.path, logger: quiet)
        let labels = ["app": "π \"quoted\"", "empty": ""]
        let first = try await store.commit(.create(pod("a"), value("one", labels: labels, fields: ["f": "v"])))
        let second = try await store.create(pod("b", in: ""))
        let updated = try await store.update(second, "two")
        try await store.commit(.create(pod("empty"), StoreValue { _ in [] }))
        let last = try await store.create(pod("c"))
        try await store.delete(last)
        await store.close()

        let reopened = try KubeStore(directory: directory.path, logger: quiet)
        #expect(reopened.revision == 7)
        let objects = try reopened.list(resource: "pods").objects
        #expect(objects.map(\.key.description) == ["pods/b", "pods/default/a", "pods/default/empty"])
        #expect(objects.map(\.bytes) == [updated.bytes, first.bytes, []])
        #expect(objects.map(\.revision) == [4, 2, 5] && objects.map(\.createRevision) == [3, 2, 5])
        #expect(objects[1].labels == labels && objects[1].fields == ["f": "v"])
        // The window does not survive, so only the current revision can be watched.
        #expect(throws: StoreError.self) { try reopened.watch(resource: "pods", after: 6) }
        _ = try reopened.watch(resource: "pods", after: 7)
        #expect(try await reopened.create(pod("c")).revision == 8)
        await reopened.close()
    }

    /// What a kill -9 at any moment leaves: the file, and the log cut off, or torn, anywhere after what was synchronised.
    @Test func nothingAcknowledgedIsLostWhateverTheLogsEnd() async throws {
        var configuration = StoreConfiguration()
        configuration.checkpointPages = 1_000_000  // so that the log only grows while it is copied
        let store = try KubeStore(directory: directory.path, configuration: configuration, logger: quiet)
        let path = directory.path
        let acknowledged = Acknowledged()
        let writers = 6
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    for index in 0..<150 {
                        let key = pod("w\(writer)-\(index % 40)")
                        let text = String(repeating: "\(index % 10)", count: (index * 37) % 3000)
                        let stored =
                            if let current = store.get(key) { try await store.update(current, text) } else {
                                try await store.create(key, text)
                            }
                        acknowledged.revisions.withLock { $0[key] = stored.revision }
                    }
                }
            }
            group.addTask {
                var generator = SeededGenerator(seed: 7)
                for _ in 0..<25 {
                    let known = acknowledged.revisions.withLock { $0 }
                    let synchronised = try fileSize(path + "/store.sqlite-wal")
                    let main = try Data(contentsOf: URL(filePath: path + "/store.sqlite"))
                    var log = try Data(contentsOf: URL(filePath: path + "/store.sqlite-wal"))
                    #expect(log.count >= synchronised)
                    log = log.prefix(Int.random(in: synchronised...max(synchronised, log.count), using: &generator))
                    // A torn write: sectors that were allocated and never written, or written with something else.
                    let torn = Int.random(in: 0...9000, using: &generator)
                    log.append(contentsOf: (0..<torn).map { _ in UInt8.random(in: 0...255, using: &generator) })
                    try verify(main: main, log: log, acknowledged: known)
                    await Task.yield()
                }
            }
            try await group.waitForAll()
        }
        await store.close()
        let reopened = try KubeStore(directory: path, logger: quiet)
        #expect(reopened.revision == 1 + Int64(writers * 150))
        await reopened.close()
    }

    private func verify(main: Data, log: Data, acknowledged: [StoreKey: Int64]) throws {
        let copy = try TemporaryDirectory()
        try main.write(to: URL(filePath: copy.path + "/store.sqlite"))
        try log.write(to: URL(filePath: copy.path + "/store.sqlite-wal"))
        let store = try KubeStore(directory: copy.path, logger: quiet)
        for (key, revision) in acknowledged {
            let object = try #require(store.get(key), "\(key) was acknowledged at \(revision) and is lost")
            #expect(object.revision >= revision)
            #expect(object.bytes.starts(with: Array("{\"rv\":\"\(object.revision)\"".utf8)))
        }
        #expect(store.revision >= acknowledged.values.max() ?? 1)
    }

    /// With checkpoints all the time: the state on disk at rest is the state in memory.
    @Test func theFilesAtRestHoldTheStateInMemory() async throws {
        var configuration = StoreConfiguration()
        configuration.checkpointPages = 5
        let store = try KubeStore(directory: directory.path, configuration: configuration, logger: quiet)
        var generator = SeededGenerator(seed: 3)
        for round in 0..<10 {
            for _ in 0..<20 {
                let key = pod("p\(Int.random(in: 0..<30, using: &generator))")
                if let current = store.get(key) {
                    if Bool.random(using: &generator) {
                        try await store.delete(current)
                    } else {
                        try await store.update(current, String(repeating: "y", count: 100 * round))
                    }
                } else {
                    try await store.create(key, "new")
                }
            }
            let copy = try TemporaryDirectory()
            for file in ["store.sqlite", "store.sqlite-wal"] {
                try FileManager.default.copyItem(atPath: directory.path + "/" + file, toPath: copy.path + "/" + file)
            }
            let recovered = try KubeStore(directory: copy.path, logger: quiet)
            #expect(recovered.revision == store.revision)
            let (live, durable) = (try store.list(resource: "pods"), try recovered.list(resource: "pods"))
            #expect(live.objects.map(\.key) == durable.objects.map(\.key))
            #expect(live.objects.map(\.bytes) == durable.objects.map(\.bytes))
            await recovered.close()
        }
        await store.close()
    }

    @Test func commitsThatRaceWithCloseAreDurableOrRefused() async throws {
        for round in 0..<20 {
            let store = try KubeStore(directory: directory.path, logger: quiet)
            let acknowledged = await withTaskGroup(of: [StoreKey].self) { group in
                for writer in 0..<4 {
                    group.addTask {
                        var keys: [StoreKey] = []
                        while true {
                            let key = pod("r\(round)-w\(writer)-\(keys.count)")
                            let error = await storeError { () throws(StoreError) in try await store.create(key) }
                            guard let error else {
                                keys.append(key)
                                continue
                            }
                            #expect(error.code == .closed)
                            return keys
                        }
                    }
                }
                group.addTask {
                    for _ in 0..<round { await Task.yield() }
                    await store.close()
                    return []
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
            let reopened = try KubeStore(directory: directory.path, logger: quiet)
            for key in acknowledged { #expect(reopened.get(key) != nil) }
            #expect(reopened.revision == store.revision)
            await reopened.close()
        }
    }

    @Test func theLogDoesNotGrowForEver() async throws {
        var configuration = StoreConfiguration()
        configuration.checkpointPages = 20
        let store = try KubeStore(directory: directory.path, configuration: configuration, logger: quiet)
        var object = try await store.create(pod("a"))
        for index in 0..<300 { object = try await store.update(object, String(repeating: "x", count: 4000 + index)) }
        #expect(try fileSize(directory.path + "/store.sqlite-wal") < 40 * 4200)
        await store.close()
        #expect(!FileManager.default.fileExists(atPath: directory.path + "/store.sqlite-wal"))
        #expect(try fileSize(directory.path + "/store.sqlite") < 40 * 4096)
    }

    @Test func aFullDiskFailsWritesWithOneSentenceAndFreedSpaceHeals() async throws {
        var configuration = StoreConfiguration()
        configuration.maximumPages = 30
        let store = try KubeStore(directory: directory.path, configuration: configuration, logger: quiet)
        let text = String(repeating: "x", count: 3000)
        var created: [StoredObject] = []
        var failure: StoreError?
        while failure == nil, created.count < 100 {
            failure = await storeError { () throws(StoreError) in
                created.append(try await store.create(pod("p\(created.count)"), text))
            }
        }
        #expect(failure?.code == .storageFull)
        #expect(failure?.message == "the disk that holds \(directory.path) is full: free space and retry")
        #expect(!created.isEmpty && created.count < 100)
        let revision = store.revision
        #expect(revision == created.last?.revision)
        #expect(store.get(pod("p\(created.count)")) == nil)

        // Everything of a batch fails, and nothing of it is seen.
        let watch = try store.watch(resource: "pods", after: revision)
        let codes = await withTaskGroup(of: StoreError.Code?.self) { group in
            for index in 0..<8 {
                group.addTask {
                    await storeError { () throws(StoreError) in try await store.create(pod("q\(index)"), text) }?.code
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes == Array(repeating: .storageFull, count: 8))
        #expect(store.revision == revision)

        for object in created.prefix(5) { try await store.delete(object) }
        #expect(try await store.create(pod("again"), text).revision == revision + 6)
        var iterator = watch.makeAsyncIterator()
        #expect(try await iterator.events(6).map(\.revision) == Array(revision + 1...revision + 6))
        await store.close()
        let reopened = try KubeStore(directory: directory.path, logger: quiet)
        #expect(try reopened.list(resource: "pods").objects.count == created.count - 4)
        #expect(reopened.revision == revision + 6)
        await reopened.close()
    }

    @Test func oneStoreAtATimeUsesADirectory() async throws {
        let store = try KubeStore(directory: directory.path, logger: quiet)
        let path = directory.path
        let error = await storeError { () throws(StoreError) in try KubeStore(directory: path, logger: quiet) }
        #expect(error?.code == .locked)
        let pid = ProcessInfo.processInfo.processIdentifier
        #expect(error?.message == "another apus (pid \(pid)) uses \(path): stop it or use another --data-dir")
        await store.close()
        await (try KubeStore(directory: path, logger: quiet)).close()
    }

    @Test func aDirectoryBelowAFileIsUnwritable() async throws {
        try Data([1]).write(to: URL(filePath: directory.path + "/file"))
        let path = directory.path + "/file/data"
        let error = await storeError { () throws(StoreError) in try KubeStore(directory: path, logger: quiet) }
        #expect(error?.code == .unwritable)
        #expect(error?.message == "cannot create the folder \(directory.path)/file: Not a directory")
    }

    @Test func createsMissingDirectories() async throws {
        let store = try KubeStore(directory: directory.path + "/a/b", logger: quiet)
        try await store.create(pod("a"))
        await store.close()
        let attributes = try FileManager.default.attributesOfItem(atPath: directory.path + "/a/b/store.sqlite")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test func refusesANewerFormatAndLeavesItAlone() async throws {
        await (try KubeStore(directory: directory.path, logger: quiet)).close()
        try change { try $0.execute(sql: "PRAGMA user_version = 3") }
        let before = try Data(contentsOf: URL(filePath: directory.path + "/store.sqlite"))
        let path = directory.path
        let error = await storeError { () throws(StoreError) in try KubeStore(directory: path, logger: quiet) }
        #expect(error?.code == .newerFormat)
        #expect(
            error?.message == "\(path) was written by a newer apus (format 3, this one reads up to 2): "
                + "upgrade apus or use another --data-dir")
        #expect(try Data(contentsOf: URL(filePath: directory.path + "/store.sqlite")) == before)
    }

    @Test(arguments: [
        "UPDATE meta SET revision = 1", "DELETE FROM meta", "UPDATE objects SET labels = '[1]'",
        "UPDATE objects SET fields = '{\"a\":1}'", "UPDATE objects SET name = 'a'",
        "UPDATE objects SET revision = 'x'", "DROP TABLE objects", "PRAGMA application_id = 5",
    ])
    func refusesDamage(_ sql: String) async throws {
        let store = try KubeStore(directory: directory.path, logger: quiet)
        try await store.create(pod("a"))
        try await store.create(pod("b"))
        await store.close()
        try change { try $0.execute(sql: sql) }
        let path = directory.path
        let error = await storeError { () throws(StoreError) in try KubeStore(directory: path, logger: quiet) }
        #expect(error?.code == .corrupt)
        #expect(error?.message.contains(path) == true)
    }

    @Test func refusesAFileThatIsNotADatabase() async throws {
        let path = directory.path
        try Data(repeating: 65, count: 5000).write(to: URL(filePath: path + "/store.sqlite"))
        let error = await storeError { () throws(StoreError) in try KubeStore(directory: path, logger: quiet) }
        #expect(error?.code == .corrupt)
    }

    @Test func refusesAFileWithOverwrittenPages() async throws {
        let path = directory.path
        let store = try KubeStore(directory: path, logger: quiet)
        for index in 0..<40 { try await store.create(pod("p\(index)"), String(repeating: "x", count: 2000)) }
        await store.close()
        var file = try Data(contentsOf: URL(filePath: path + "/store.sqlite"))
        file.replaceSubrange(8192..<file.count, with: Data(repeating: 0xEE, count: file.count - 8192))
        try file.write(to: URL(filePath: path + "/store.sqlite"))
        let error = await storeError { () throws(StoreError) in try KubeStore(directory: path, logger: quiet) }
        #expect(error?.code == .corrupt)
    }

    private func change(_ body: (Database) throws -> Void) throws {
        let queue = try DatabaseQueue(path: directory.path + "/store.sqlite")
        try queue.inDatabase(body)
        try queue.close()
    }
}

private func fileSize(_ path: String) throws -> Int {
    try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
}
