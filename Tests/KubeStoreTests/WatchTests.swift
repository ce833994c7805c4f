// SPDX-License-Identifier: Apache-2.0
import KubeStore
import Testing

@Suite struct WatchTests {
    let store: KubeStore

    init() throws { store = try KubeStore(inMemory: StoreConfiguration(), logger: quiet) }

    @Test func replaysThenGoesOnLive() async throws {
        let created = try await store.create(pod("a"), "one")
        let updated = try await store.update(created, "two")
        let watch = try store.watch(resource: "pods", after: 2)
        try await store.create(StoreKey(resource: "nodes", namespace: "", name: "n"))
        try await store.delete(updated)
        var iterator = watch.makeAsyncIterator()
        let events = try await iterator.events(2)
        #expect(events.map(\.kind) == [.modified, .deleted])
        #expect(events.map(\.revision) == [3, 5])
        #expect(events[0].previous === created && events[0].object === updated)
        #expect(events[1].previous === updated && events[1].object.bytes == bytes("last", 5))
        try await store.create(pod("b"))
        let live = try await iterator.events(1)
        #expect(live[0].kind == .added && live[0].previous == nil && live[0].revision == 6)
    }

    @Test func filtersByNamespace() async throws {
        let one = try store.watch(resource: "pods", namespace: "one", after: 1)
        let all = try store.watch(resource: "pods", after: 1)
        for namespace in ["two", "one", "three", "one"] {
            try await store.create(pod("p\(store.revision)", in: namespace))
        }
        var iterator = one.makeAsyncIterator()
        #expect(try await iterator.events(2).map(\.revision) == [3, 5])
        var replayed = try store.watch(resource: "pods", namespace: "one", after: 3).makeAsyncIterator()
        #expect(try await replayed.events(1).map(\.revision) == [5])
        var every = all.makeAsyncIterator()
        #expect(try await every.events(4).map(\.revision) == [2, 3, 4, 5])
    }

    @Test func refusesFutureAndCompactedRevisions() async throws {
        var configuration = StoreConfiguration()
        configuration.windowEvents = 4
        let store = try KubeStore(inMemory: configuration, logger: quiet)
        for index in 0..<10 { try await store.create(pod("p\(index)")) }
        let future = await storeError { () throws(StoreError) in try store.watch(resource: "pods", after: 12) }
        #expect(future?.code == .futureRevision)
        let compacted = await storeError { () throws(StoreError) in try store.watch(resource: "pods", after: 6) }
        #expect(compacted?.code == .compacted)
        var oldest = try store.watch(resource: "pods", after: 7).makeAsyncIterator()
        #expect(try await oldest.events(4).map(\.revision) == [8, 9, 10, 11])
    }

    @Test func theWindowIsBoundedInBytes() async throws {
        var configuration = StoreConfiguration()
        configuration.windowBytes = 100_000
        let store = try KubeStore(inMemory: configuration, logger: quiet)
        let text = String(repeating: "x", count: 20_000)
        for index in 0..<10 { try await store.create(pod("p\(index)"), text) }
        var oldest = try store.watch(resource: "pods", after: 7).makeAsyncIterator()
        #expect(try await oldest.events(4).map(\.revision) == [8, 9, 10, 11])
        #expect(throws: StoreError.self) { try store.watch(resource: "pods", after: 6) }
    }

    @Test func endsAWatcherThatIsTooSlowAfterWhatItHas() async throws {
        var configuration = StoreConfiguration()
        configuration.watchBufferEvents = 4
        let store = try KubeStore(inMemory: configuration, logger: quiet)
        let slow = try store.watch(resource: "pods", after: 1)
        var fast = try store.watch(resource: "pods", after: 1).makeAsyncIterator()
        for index in 0..<6 {
            try await store.create(pod("p\(index)"))
            #expect(try await fast.events(1).map(\.revision) == [Int64(index) + 2])
        }
        var iterator = slow.makeAsyncIterator()
        #expect(try await iterator.events(4).map(\.revision) == [2, 3, 4, 5])
        let error = await storeError { () throws(StoreError) in try await iterator.next() }
        #expect(error?.code == .tooManyWatchEvents)
        #expect(try await iterator.next() == nil)
        #expect(store.watcherCount == 1)
    }

    @Test func endsAWatcherWithTooManyBytes() async throws {
        var configuration = StoreConfiguration()
        configuration.watchBufferBytes = 5_000
        let store = try KubeStore(inMemory: configuration, logger: quiet)
        var iterator = try store.watch(resource: "pods", after: 1).makeAsyncIterator()
        for index in 0..<3 { try await store.create(pod("p\(index)"), String(repeating: "x", count: 2_000)) }
        #expect(try await iterator.events(2).map(\.revision) == [2, 3])
        let error = await storeError { () throws(StoreError) in try await iterator.next() }
        #expect(error?.code == .tooManyWatchEvents)
    }

    @Test func progressComesAfterTheEventsUpToIt() async throws {
        let watch = try store.watch(resource: "pods", after: 1)
        watch.requestProgress()
        try await store.create(pod("a"))
        try await store.create(StoreKey(resource: "nodes", namespace: "", name: "n"))
        watch.requestProgress()
        var iterator = watch.makeAsyncIterator()
        let items = try await iterator.next() ?? []
        let seen = items.map { item in
            switch item {
            case .event(let event): "event \(event.revision)"
            case .progress(let revision): "progress \(revision)"
            }
        }
        #expect(seen == ["progress 1", "event 2", "progress 3"])
    }

    @Test func progressNeverOvertakesAnEventUnderLoad() async throws {
        let store = store
        let watch = try store.watch(resource: "pods", after: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    for index in 0..<100 {
                        try await store.create(pod("w\(writer)-\(index)"))
                        watch.requestProgress()
                    }
                }
            }
            group.addTask {
                var iterator = watch.makeAsyncIterator()
                var newest: Int64 = 1
                while newest < 401, let items = try await iterator.next() {
                    for item in items {
                        switch item {
                        case .event(let event):
                            #expect(event.revision == newest + 1)
                            newest = event.revision
                        case .progress(let revision): #expect(revision == newest)
                        }
                    }
                }
                #expect(newest == 401)
            }
            try await group.waitForAll()
        }
    }

    @Test func cancellingTheReaderUnregisters() async throws {
        let watch = try store.watch(resource: "pods", after: 1)
        #expect(store.watcherCount == 1)
        let reader = Task {
            var batches = 0
            for try await _ in watch { batches += 1 }
            return batches
        }
        reader.cancel()
        #expect(try await reader.value == 0)
        #expect(store.watcherCount == 0)
        try await store.create(pod("a"))
        var iterator = watch.makeAsyncIterator()
        #expect(try await iterator.next() == nil)
    }

    @Test func droppingAWatchUnregisters() async throws {
        do {
            let watch = try store.watch(resource: "pods", after: 1)
            withExtendedLifetime(watch) { #expect(store.watcherCount == 1) }
        }
        #expect(store.watcherCount == 0)
    }

    @Test func closingTheStoreEndsWatchesAfterWhatTheyHave() async throws {
        var waiting = try store.watch(resource: "nodes", after: 1).makeAsyncIterator()
        var buffered = try store.watch(resource: "pods", after: 1).makeAsyncIterator()
        try await store.create(pod("a"))
        async let ended = waiting.next()
        await store.close()
        #expect(try await ended == nil)
        #expect(try await buffered.events(1).count == 1)
        #expect(try await buffered.next() == nil)
    }

    @Test func everyOfManyWatchersSeesEveryEventOnce() async throws {
        let store = store
        try await withThrowingTaskGroup(of: [Int64].self) { group in
            for _ in 0..<20 {
                let watch = try store.watch(resource: "pods", after: 1)
                group.addTask {
                    var iterator = watch.makeAsyncIterator()
                    return try await iterator.events(400).map(\.revision)
                }
            }
            for writer in 0..<8 {
                group.addTask {
                    for index in 0..<50 { try await store.create(pod("w\(writer)-\(index)")) }
                    return Array(2...401)
                }
            }
            for try await revisions in group { #expect(revisions == Array(2...401)) }
        }
    }

    @Test func watchesThatBeginUnderLoadMissNothingAndSeeNothingTwice() async throws {
        let store = store
        let end: Int64 = 1 + 4 * 300
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    for index in 0..<300 { try await store.create(pod("w\(writer)-\(index)")) }
                }
            }
            for offset in 0..<30 {
                group.addTask {
                    while store.revision < end, store.revision < Int64(offset) * 35 { await Task.yield() }
                    let after = max(1, store.revision - Int64(offset))
                    var iterator = try store.watch(resource: "pods", after: after).makeAsyncIterator()
                    let events = try await iterator.events(Int(end - after))
                    #expect(events.map(\.revision) == Array(after + 1..<end + 1))
                }
            }
            try await group.waitForAll()
        }
    }
}
