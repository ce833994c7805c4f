// SPDX-License-Identifier: Apache-2.0
import KubeStore
import Testing

@Suite struct ListTests {
    @Test func sortsByNamespaceAndNameAndFilters() async throws {
        let store = try KubeStore(inMemory: StoreConfiguration(), logger: quiet)
        for (namespace, name) in [("b", "1"), ("a", "2"), ("a", "1"), ("ab", "1"), ("c", "0")] {
            try await store.create(pod(name, in: namespace))
        }
        try await store.create(StoreKey(resource: "nodes", namespace: "", name: "n"))
        let all = try store.list(resource: "pods")
        #expect(all.objects.map(\.key.description) == ["pods/a/1", "pods/a/2", "pods/ab/1", "pods/b/1", "pods/c/0"])
        #expect(all.revision == 7)
        #expect(try store.list(resource: "pods", namespace: "a").objects.map(\.key.name) == ["1", "2"])
        #expect(try store.list(resource: "pods", namespace: "zz").objects.isEmpty)
        #expect(try store.list(resource: "pods", namespace: "").objects.isEmpty)
        #expect(try store.list(resource: "nodes", namespace: "").objects.count == 1)
        #expect(try store.list(resource: "nodes").objects.count == 1)
    }

    @Test func pagesWithTheNumberThatRemains() async throws {
        let store = try KubeStore(inMemory: StoreConfiguration(), logger: quiet)
        for index in 0..<10 { try await store.create(pod("p\(index)")) }
        try await store.create(pod("x", in: "zoo"))
        let first = try store.list(resource: "pods", namespace: "default", limit: 4)
        #expect(first.objects.map(\.key.name) == ["p0", "p1", "p2", "p3"])
        #expect(first.remaining == 6 && first.hasMore)
        let second = try store.list(
            resource: "pods", namespace: "default", limit: 4, after: first.objects.last?.key, atRevision: first.revision
        )
        #expect(second.objects.map(\.key.name) == ["p4", "p5", "p6", "p7"] && second.remaining == 2)
        let third = try store.list(
            resource: "pods", namespace: "default", limit: 4, after: second.objects.last?.key,
            atRevision: first.revision)
        #expect(third.objects.map(\.key.name) == ["p8", "p9"] && third.remaining == 0 && !third.hasMore)
        let none = try store.list(resource: "pods", namespace: "default", after: pod("zz", in: "zoo"))
        #expect(none.objects.isEmpty && none.remaining == 0)
        let before = try store.list(resource: "pods", namespace: "zoo", after: pod("p3"))
        #expect(before.objects.map(\.key.name) == ["x"])
        #expect(try store.list(resource: "pods", limit: 0).objects.count == 11)
    }

    @Test func refusesFutureAndCompactedRevisions() async throws {
        var configuration = StoreConfiguration()
        configuration.windowEvents = 4
        let store = try KubeStore(inMemory: configuration, logger: quiet)
        for index in 0..<10 { try await store.create(pod("p\(index)")) }
        #expect(throws: StoreError.self) { try store.list(resource: "pods", atRevision: 12) }
        #expect(try store.list(resource: "pods", atRevision: 11).objects.count == 10)
        #expect(try store.list(resource: "pods", atRevision: 7).objects.count == 6)
        let error = await storeError { () throws(StoreError) in try store.list(resource: "pods", atRevision: 6) }
        #expect(error?.code == .compacted)
    }

    @Test func pagesOfOneRevisionAreConsistentWhileWritersChangeEverything() async throws {
        let store = try KubeStore(inMemory: StoreConfiguration(), logger: quiet)
        for index in 0..<300 { try await store.create(pod("p\(index)", in: "ns\(index % 3)")) }
        let expected = try store.list(resource: "pods")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<3 {
                group.addTask {
                    var generator = SeededGenerator(seed: UInt64(writer))
                    for step in 0..<400 {
                        let key = pod("p\(Int.random(in: 0..<400, using: &generator))", in: "ns\(writer)")
                        guard let current = store.get(key) else {
                            try await store.create(key)
                            continue
                        }
                        if step % 2 == 0 {
                            try await store.delete(current)
                        } else {
                            try await store.update(current, "u")
                        }
                    }
                }
            }
            for limit in [7, 50, 299] {
                group.addTask {
                    var objects: [StoredObject] = []
                    var page = try store.list(resource: "pods", limit: limit, atRevision: expected.revision)
                    while true {
                        objects += page.objects
                        #expect(page.revision == expected.revision)
                        #expect(objects.count + page.remaining == 300)
                        guard page.hasMore else { break }
                        await Task.yield()
                        page = try store.list(
                            resource: "pods", limit: limit, after: objects.last?.key, atRevision: expected.revision)
                    }
                    #expect(objects.elementsEqual(expected.objects) { $0 === $1 })
                }
            }
            try await group.waitForAll()
        }
    }
}
