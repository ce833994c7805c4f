// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import KubeStore

/// Random operations against a model that is too simple to be wrong.
@Suite struct ModelTests {
    @Test(arguments: [1, 2, 3, 4, 5, 6])
    func theStoreBehavesLikeADictionaryWithAHistory(_ seed: UInt64) async throws {
        var generator = SeededGenerator(seed: seed)
        var configuration = StoreConfiguration()
        configuration.windowEvents = [40, 400, 10_000][Int(seed) % 3]
        let directory = try TemporaryDirectory()
        var store = try KubeStore(directory: directory.path, configuration: configuration, logger: quiet)
        var history: [Int64: [StoreKey: StoredObject]] = [1: [:]]
        var log: [StoreEvent] = []
        var oldest: Int64 = 1
        for step in 0..<800 {
            let state = history[store.revision] ?? [:]
            let key = StoreKey(
                resource: ["pods", "deployments.apps"].randomElement(using: &generator) ?? "",
                namespace: ["", "a", "b", "ab"].randomElement(using: &generator) ?? "",
                name: "n\(Int.random(in: 0..<25, using: &generator))")
            let current = state[key]
            let right = Int.random(in: 0..<8, using: &generator) > 0
            let expected = (current?.revision ?? 1) + (right ? 0 : 1)
            var next = state
            var wanted: StoreError.Code?
            let mutation: StoreMutation
            switch Int.random(in: 0..<3, using: &generator) {
            case 0:
                mutation = .create(key, value("c\(step)"))
                wanted = current == nil ? nil : .alreadyExists
            case 1:
                mutation = .update(key, expectedRevision: expected, value("u\(step)"))
                wanted = current == nil ? .notFound : right ? nil : .conflict
            default:
                mutation = .delete(key, expectedRevision: expected, value("d\(step)"))
                wanted = current == nil ? .notFound : right ? nil : .conflict
            }
            let before = store.revision
            do throws(StoreError) {
                let stored = try await store.commit(mutation)
                #expect(wanted == nil)
                #expect(stored.revision == before + 1)
                if case .delete = mutation { next[key] = nil } else { next[key] = stored }
                let kind: StoreEvent.Kind = next[key] == nil ? .deleted : current == nil ? .added : .modified
                log.append(StoreEvent(kind: kind, object: stored, previous: current))
                history[stored.revision] = next
            } catch {
                #expect(error.code == wanted)
                #expect(store.revision == before)
            }
            try checkList(store, history, oldest: oldest, &generator)
            if step % 50 == 0 { try await checkWatch(store, log, oldest: oldest, &generator) }
            if step % 200 == 199 {
                await store.close()
                store = try KubeStore(directory: directory.path, configuration: configuration, logger: quiet)
                oldest = store.revision
                let same = history[store.revision] ?? [:]
                for (key, object) in same { #expect(store.get(key)?.bytes == object.bytes) }
                #expect(
                    try store.list(resource: "pods").objects.count == same.keys.filter { $0.resource == "pods" }.count)
            }
        }
        await store.close()
    }

    private func checkList(
        _ store: KubeStore, _ history: [Int64: [StoreKey: StoredObject]], oldest: Int64,
        _ generator: inout SeededGenerator
    ) throws {
        let revision = max(1, store.revision - Int64.random(in: 0...60, using: &generator))
        let namespace = [nil, "a", "ab", "", "zz"].randomElement(using: &generator) ?? nil
        let limit = [nil, 1, 3, 10].randomElement(using: &generator) ?? nil
        let after =
            [nil, StoreKey(resource: "pods", namespace: "a", name: "n15")].randomElement(using: &generator) ?? nil
        let model = (history[revision] ?? [:]).values.map(\.self).filter { object in
            object.key.resource == "pods" && (namespace == nil || object.key.namespace == namespace)
                && after.map { $0 < object.key } ?? true
        }.sorted { $0.key < $1.key }
        let expected = model.prefix(limit ?? .max)
        do throws(StoreError) {
            let list = try store.list(
                resource: "pods", namespace: namespace, limit: limit, after: after, atRevision: revision)
            #expect(list.objects.map(\.bytes) == expected.map(\.bytes))
            #expect(list.objects.map(\.key) == expected.map(\.key))
            #expect(list.remaining == model.count - expected.count)
            #expect(list.revision == revision)
        } catch {
            #expect(error.code == .compacted)
            #expect(revision < oldest || store.revision - revision > 20)
        }
    }

    private func checkWatch(
        _ store: KubeStore, _ log: [StoreEvent], oldest: Int64, _ generator: inout SeededGenerator
    ) async throws {
        let revision = Int64.random(in: max(oldest, store.revision - 20)...store.revision, using: &generator)
        let watch = try store.watch(resource: "pods", namespace: "a", after: revision)
        watch.requestProgress()
        let expected = log.filter {
            $0.revision > revision && $0.object.key.resource == "pods" && $0.object.key.namespace == "a"
        }
        var iterator = watch.makeAsyncIterator()
        let items = try await iterator.next() ?? []
        #expect(items.count == expected.count + 1)
        for (item, model) in zip(items, expected) {
            guard case .event(let event) = item else {
                Issue.record("progress before an event")
                return
            }
            #expect(event.kind == model.kind && event.revision == model.revision)
            #expect(event.object.key == model.object.key && event.previous?.revision == model.previous?.revision)
        }
    }

    @Test func theTableStaysSortedOverManyChunks() {
        var generator = SeededGenerator(seed: 11)
        var table = ObjectTable()
        var model: [StoreKey: StoredObject] = [:]
        for step in 0..<6_000 {
            let key = pod("n\(Int.random(in: 0..<3_000, using: &generator))", in: "ns\(step % 3)")
            if Int.random(in: 0..<3, using: &generator) == 0 {
                table.remove(key)
                model[key] = nil
            } else {
                let object = StoredObject(key: key, bytes: [], revision: Int64(step), createRevision: 1)
                table.set(object)
                model[key] = object
            }
        }
        let sorted = model.values.sorted { $0.key < $1.key }
        #expect(table.count == sorted.count)
        #expect(table.objects(from: table.start, to: table.end, limit: .max).elementsEqual(sorted) { $0 === $1 })
        #expect(
            ObjectTable(sorted: sorted).objects(from: table.start, to: ObjectTable(sorted: sorted).end, limit: .max)
                .count == sorted.count)
        let range = table.range(of: "ns1")
        let own = sorted.filter { $0.key.namespace == "ns1" }
        #expect(table.distance(from: range.start, to: range.end) == own.count)
        #expect(table.objects(from: range.start, to: range.end, limit: .max).elementsEqual(own) { $0 === $1 })
        let copy = table
        for object in sorted { table.remove(object.key) }
        #expect(table.count == 0 && table.start == table.end)
        #expect(copy.objects(from: copy.start, to: copy.end, limit: .max).count == sorted.count)
    }
}
