// SPDX-License-Identifier: Apache-2.0
import KubeStore
import Testing

@Suite struct CommitTests {
    let store: KubeStore

    init() throws { store = try KubeStore(inMemory: StoreConfiguration(), logger: quiet) }

    @Test func anEmptyStoreHasRevisionOne() throws {
        #expect(store.revision == 1)
        let list = try store.list(resource: "pods")
        #expect(list.objects.isEmpty && list.revision == 1 && !list.hasMore)
    }

    @Test func createsUpdatesAndDeletes() async throws {
        let created = try await store.commit(
            .create(pod("a"), value("one", labels: ["app": "x"], fields: ["status.phase": "Pending"])))
        #expect(created.revision == 2 && created.createRevision == 2)
        #expect(created.bytes == bytes("one", 2))
        #expect(store.get(pod("a")) === created)
        #expect(created.labels == ["app": "x"] && created.fields == ["status.phase": "Pending"])

        let updated = try await store.update(created, "two")
        #expect(updated.revision == 3 && updated.createRevision == 2)
        #expect(store.get(pod("a"))?.bytes == bytes("two", 3))
        #expect(try store.list(resource: "pods").objects.count == 1)

        let deleted = try await store.delete(updated)
        #expect(deleted.revision == 4 && deleted.createRevision == 2)
        #expect(deleted.bytes == bytes("last", 4))
        #expect(store.get(pod("a")) == nil)
        #expect(try store.list(resource: "pods").objects.count == 0)
        #expect(store.revision == 4)

        let again = try await store.create(pod("a"))
        #expect(again.revision == 5 && again.createRevision == 5)
    }

    @Test func refusesWhatDoesNotMatch() async throws {
        let created = try await store.create(pod("a"))
        let taken = await storeError { () throws(StoreError) in try await store.create(pod("a")) }
        #expect(taken?.code == .alreadyExists && taken?.currentRevision == 2)
        let stale = await storeError { () throws(StoreError) in
            try await store.commit(.update(pod("a"), expectedRevision: 1, value("")))
        }
        #expect(stale?.code == .conflict && stale?.currentRevision == 2)
        let staleDelete = await storeError { () throws(StoreError) in
            try await store.commit(.delete(pod("a"), expectedRevision: 9, value("")))
        }
        #expect(staleDelete?.code == .conflict)
        let missing = await storeError { () throws(StoreError) in
            try await store.commit(.update(pod("b"), expectedRevision: 2, value("")))
        }
        #expect(missing?.code == .notFound)
        let missingDelete = await storeError { () throws(StoreError) in
            try await store.commit(.delete(pod("a", in: "other"), expectedRevision: 2, value("")))
        }
        #expect(missingDelete?.code == .notFound)
        #expect(store.revision == 2)
        #expect(store.get(pod("a")) === created)
    }

    @Test(arguments: [
        StoreKey(resource: "", namespace: "", name: "a"), StoreKey(resource: "pods", namespace: "", name: ""),
        pod("a\0b"), pod(String(repeating: "x", count: 1025)),
    ])
    func refusesKeysThatCannotBeStored(_ key: StoreKey) async throws {
        let error = await storeError { () throws(StoreError) in try await store.create(key) }
        #expect(error?.code == .invalidKey)
        #expect(store.revision == 1)
    }

    @Test func refusesObjectsThatAreTooLarge() async throws {
        var configuration = StoreConfiguration()
        configuration.maximumObjectBytes = 100
        let store = try KubeStore(inMemory: configuration, logger: quiet)
        let error = await storeError { () throws(StoreError) in
            try await store.create(pod("a"), String(repeating: "x", count: 100))
        }
        #expect(error?.code == .objectTooLarge)
        try await store.create(pod("a"), "small")
        #expect(store.revision == 2)
    }

    @Test func storesAnObjectWithoutBytes() async throws {
        let stored = try await store.commit(.create(pod("a"), StoreValue { _ in [] }))
        #expect(stored.bytes.isEmpty)
    }

    @Test func oneOfManyConcurrentUpdatesWins() async throws {
        let created = try await store.create(pod("a"))
        let store = store
        let codes = await withTaskGroup(of: StoreError.Code?.self) { group in
            for index in 0..<50 {
                group.addTask {
                    await storeError { () throws(StoreError) in try await store.update(created, "\(index)") }?.code
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.filter { $0 == nil }.count == 1)
        #expect(codes.filter { $0 == .conflict }.count == 49)
        #expect(store.revision == 3)
    }

    @Test func concurrentCommitsGetRevisionsWithoutGapsAndInOrderPerWriter() async throws {
        let directory = try TemporaryDirectory()
        let store = try KubeStore(directory: directory.path, logger: quiet)
        let revisions = try await withThrowingTaskGroup(of: [Int64].self) { group in
            for writer in 0..<8 {
                group.addTask {
                    var revisions: [Int64] = []
                    for index in 0..<50 {
                        revisions.append(try await store.create(pod("w\(writer)-\(index)")).revision)
                    }
                    return revisions
                }
            }
            var all: [Int64] = []
            for try await own in group {
                #expect(own == own.sorted())
                all += own
            }
            return all.sorted()
        }
        #expect(revisions == Array(2...401))
        #expect(store.revision == 401)
        #expect(try store.list(resource: "pods").objects.count == 400)
        await store.close()
    }

    @Test func closeRefusesLaterWritesAndKeepsReads() async throws {
        let created = try await store.create(pod("a"))
        await store.close()
        await store.close()
        let error = await storeError { () throws(StoreError) in try await store.create(pod("b")) }
        #expect(error?.code == .closed)
        #expect(throws: StoreError.self) { try store.watch(resource: "pods", after: 2) }
        #expect(store.get(pod("a")) === created)
    }
}
