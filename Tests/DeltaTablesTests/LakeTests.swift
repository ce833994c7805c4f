// SPDX-License-Identifier: Apache-2.0
import DeltaProtocol
import Foundation
import Synchronization
import Testing

@testable import DeltaTables

struct LakeTableNameTests {
    @Test func names() {
        #expect(LakeTableName(schema: nil, name: "ratings")?.path == "ratings")
        #expect(LakeTableName(schema: "sales", name: "orders@v12")?.path == "sales/orders")
        #expect(LakeTableName(schema: nil, name: "orders@v12")?.moment == .version(12))
        #expect(LakeTableName(schema: nil, name: "a@b@v0")?.table == "a@b")
        #expect(LakeTableName(schema: nil, name: "t@2026-01-02T03:04:05Z")?.moment == .time(1_767_323_045_000))
        #expect(LakeTableName(schema: nil, name: "t@vx")?.moment == .latest)
        #expect(LakeTableName(schema: nil, name: "@v1")?.moment == .latest)
        for bad in ["", ".", "..", "a/b", "_delta_log", ".hidden", "a\0b", String(repeating: "x", count: 256)] {
            #expect(LakeTableName(schema: nil, name: bad) == nil)
        }
        #expect(LakeTableName(schema: "main", name: "t") == nil)
        #expect(LakeTableName(schema: "../x", name: "t") == nil)
    }
}

/// How often something was fetched.
private final class Fetches: Sendable {
    private let value = Mutex(0)

    var count: Int { value.withLock { $0 } }

    func add() { value.withLock { $0 += 1 } }
}

struct FileCacheTests {
    private func cache(_ capacity: Int64) throws -> (FileCache, String) {
        let parent = NSTemporaryDirectory() + "apus-cache-tests-\(UUID().uuidString)"
        return (try FileCache(in: parent, capacity: capacity), parent)
    }

    private func put(_ text: String) -> (String) async throws(DeltaError) -> Void {
        { (path) async throws(DeltaError) in
            guard FileManager.default.createFile(atPath: path, contents: Data(text.utf8)) else {
                throw DeltaError(.storage, "no file")
            }
        }
    }

    @Test func whatIsNotUsedGoesFirst() async throws {
        let (cache, parent) = try cache(10)
        var paths: [String: String] = [:]
        for key in ["a", "b", "c"] {
            let lease = cache.lease()
            paths[key] = try await cache.file(key, size: 4, for: lease, fetch: put(key))
            if key == "b" {
                let again = try await cache.file("a", size: 4, for: lease) { _ throws(DeltaError) in
                    throw DeltaError(.storage, "it is here already")
                }
                #expect(again == paths["a"])
            }
        }
        #expect(cache.size == 8)
        let there = paths.mapValues { FileManager.default.fileExists(atPath: $0) }
        #expect(there == ["a": true, "b": false, "c": true])
        _ = parent
    }

    @Test func nothingGoesThatIsRead() async throws {
        let (cache, _) = try cache(10)
        var lease: FileCache.Lease? = cache.lease()
        let held = try #require(lease)
        let path = try await cache.file("a", size: 6, for: held, fetch: put("a"))
        let error = await #expect(throws: DeltaError.self) {
            _ = try await cache.file("b", size: 6, for: cache.lease(), fetch: put("b"))
        }
        #expect(error?.code == .tooLarge)
        #expect(FileManager.default.contents(atPath: path) == Data("a".utf8))
        await #expect(throws: DeltaError.self) {
            _ = try await cache.file("huge", size: 11, for: cache.lease(), fetch: put("x"))
        }
        lease = nil
        _ = lease
    }

    @Test func aFailedFetchLeavesNothing() async throws {
        let (cache, _) = try cache(10)
        await #expect(throws: DeltaError.self) {
            _ = try await cache.file("a", size: 6, for: cache.lease()) { _ throws(DeltaError) in
                throw DeltaError(.storage, "lost")
            }
        }
        #expect(cache.size == 0)
        let path = try await cache.file("a", size: 6, for: cache.lease(), fetch: put("whole"))
        #expect(FileManager.default.contents(atPath: path) == Data("whole".utf8))
    }

    @Test(.timeLimit(.minutes(1)))
    func manyReadersFetchOnce() async throws {
        let (cache, _) = try cache(100)
        let fetches = Fetches()
        let lease = cache.lease()
        let paths = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    try await cache.file("a", size: 6, for: lease) { (path) async throws(DeltaError) in
                        fetches.add()
                        await Task.yield()
                        try await put("whole")(path)
                    }
                }
            }
            var paths: Set<String> = []
            for try await path in group { paths.insert(path) }
            return paths
        }
        #expect(paths.count == 1 && fetches.count == 1)
    }

    @Test func foldersOfTheDeadAreTakenAway() throws {
        let parent = NSTemporaryDirectory() + "apus-cache-tests-\(UUID().uuidString)"
        let dead = parent + "/apus-cache-dead"
        try FileManager.default.createDirectory(atPath: dead, withIntermediateDirectories: true)
        _ = FileManager.default.createFile(atPath: dead + "/lock", contents: nil)
        var first: FileCache? = try FileCache(in: parent, capacity: 1)
        let folder = try #require(first?.folder)
        #expect(!FileManager.default.fileExists(atPath: dead))
        let second = try FileCache(in: parent, capacity: 1)
        #expect(FileManager.default.fileExists(atPath: folder) && second.folder != folder)
        first = nil
        #expect(!FileManager.default.fileExists(atPath: folder))
        try? FileManager.default.removeItem(atPath: parent)
    }
}
