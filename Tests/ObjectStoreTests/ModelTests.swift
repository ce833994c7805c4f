// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ObjectStore

/// Many operations at random, beside a model of what they have to come to.
@Suite struct ModelTests {
    private struct Version: Equatable {
        var id: String
        /// nil for a delete marker.
        var bytes: [UInt8]?
    }

    private struct Bucket {
        var versioning = BucketVersioning.off
        /// By key, the newest first.
        var versions: [String: [Version]] = [:]

        mutating func write(_ key: String, _ id: String, _ bytes: [UInt8]?) {
            if versioning != .enabled { versions[key]?.removeAll { $0.id == "null" } }
            versions[key, default: []].insert(Version(id: id, bytes: bytes), at: 0)
        }

        mutating func delete(_ key: String) {
            if versioning == .off { versions[key]?.removeAll { $0.id == "null" } }
            if versions[key]?.isEmpty == true { versions[key] = nil }
        }
    }

    private struct Random {
        var state: UInt64

        mutating func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func theStoreIsWhatTheModelSays(seed: UInt64) async throws {
        let fixture = try StoreFixture()
        var store = try await fixture.open()
        var random = Random(state: seed)
        var model: [String: Bucket] = ["a": Bucket(), "b": Bucket()]
        for name in model.keys { try await store.createBucket(name, owner: "me") }
        for step in 0..<250 {
            let name = ["a", "b"][random.next(2)]
            let key = "k/\(random.next(5))"
            let current = model[name]?.versions[key]?.first
            switch random.next(20) {
            case 0..<7:
                let bytes = pattern([0, 10, 3000, 33_000, 50_000][random.next(5)], seed: UInt64(step))
                let info = try await store.put(bytes, to: key, in: name)
                model[name]?.write(key, info.versionID, bytes)
            case 7..<10:
                let deletion = try await store.delete(bucket: name, key: key)
                #expect(deletion.removed == (current?.bytes != nil))
                if let marker = deletion.versionID { model[name]?.write(key, marker, nil) }
                model[name]?.delete(key)
            case 10..<13:
                let count = model[name]?.versions[key]?.count ?? 0
                guard count > 0, let version = model[name]?.versions[key]?[random.next(count)] else { continue }
                let deletion = try await store.delete(bucket: name, key: key, version: version.id)
                #expect(deletion.removed && deletion.isDeleteMarker == (version.bytes == nil))
                model[name]?.versions[key]?.removeAll { $0.id == version.id }
                if model[name]?.versions[key]?.isEmpty == true { model[name]?.versions[key] = nil }
            case 13..<16:
                let target = ["a", "b"][random.next(2)]
                let targetKey = "k/\(random.next(5))"
                let count = model[name]?.versions[key]?.count ?? 0
                guard count > 0, let version = model[name]?.versions[key]?[random.next(count)] else { continue }
                let source = CopySource(bucket: name, key: key, version: version.id)
                do throws(ObjectStoreError) {
                    let info = try await store.copy(
                        from: source, bucket: target, key: targetKey, attributes: .keep(owner: "me"))
                    model[target]?.write(targetKey, info.versionID, version.bytes)
                    #expect(version.bytes != nil)
                } catch {
                    #expect(error.code == .noSuchKey && version.bytes == nil)
                }
            case 16..<18:
                let upload = try await store.createUpload(bucket: name, key: key, attributes: ObjectAttributes())
                var bytes: [UInt8] = []
                var parts: [CompletedPart] = []
                for number in 1...(1 + random.next(3)) {
                    let part = pattern(1000 + random.next(2) * 40_000, seed: UInt64(step * 10 + number))
                    let stored = try await store.putPart(
                        store.stored(part), number: number, upload: upload.id, bucket: name, key: key)
                    parts.append(CompletedPart(number: number, etag: stored.etag))
                    bytes += part
                }
                if random.next(4) == 0 {
                    try await store.abortUpload(upload.id, bucket: name, key: key)
                } else {
                    let info = try await store.completeUpload(upload.id, bucket: name, key: key, parts: parts)
                    model[name]?.write(key, info.versionID, bytes)
                }
            case 18:
                let versioning: BucketVersioning = [.enabled, .suspended][random.next(2)]
                try await store.setVersioning(versioning, of: name)
                model[name]?.versioning = versioning
            default:
                if random.next(3) == 0 {
                    await store.close()
                    store = try await fixture.open()
                }
            }
            if step % 50 == 49 { try await compare(store, model, fixture) }
        }
        // Without versions there are no bodies.
        for (name, bucket) in model {
            for (key, versions) in bucket.versions {
                for version in versions { try await store.delete(bucket: name, key: key, version: version.id) }
            }
        }
        try await store.settled()
        #expect(fixture.bodyFiles().isEmpty)
        let rows = try await store.readers.read { connection in
            try ["versions", "bodies", "shares", "segments", "uploads", "parts"].map { table in
                try connection.integer("SELECT count(*) FROM \(table)")
            }
        }
        #expect(rows == [0, 0, 0, 0, 0, 0])
        await store.close()
    }

    private func compare(_ store: ObjectStore, _ model: [String: Bucket], _ fixture: StoreFixture) async throws {
        for (name, bucket) in model {
            let found = try await store.versions(bucket: name, VersionQuery()).versions
            let expected = bucket.versions.sorted { $0.key < $1.key }.flatMap { key, versions in
                versions.map { (key, $0) }
            }
            #expect(found.map(\.key) == expected.map(\.0))
            #expect(found.map(\.versionID) == expected.map(\.1.id))
            for (info, (key, version)) in zip(found, expected) {
                #expect(info.isDeleteMarker == (version.bytes == nil))
                #expect(info.isLatest == (bucket.versions[key]?.first == version))
                let read = try await store.bytes(key, in: name, version: version.id)
                #expect(read == version.bytes ?? [])
            }
            let newest = bucket.versions.filter { $0.value.first?.bytes != nil }.keys.sorted()
            #expect(try await store.keys(in: name) == newest)
        }
        try await store.settled()
        // As many files as rows that say so.
        let rows = try await store.readers.read { connection in
            try connection.integer("SELECT count(*) FROM bodies WHERE crc IS NULL")
        }
        #expect(rows == Int64(fixture.bodyFiles().count))
    }

    /// Whoever reads an object that is replaced all the time reads one of those that were written, and no error.
    @Test func readersOfWhatIsReplacedSeeOneOfIt() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        let bodies = (0..<4).map { pattern(40_000 + $0 * 20_000, seed: UInt64($0)) }
        let etags = try await withThrowingTaskGroup(of: (String, Int).self) { group in
            for (index, bytes) in bodies.enumerated() {
                group.addTask { (try await store.stored(bytes).etag, index) }
            }
            return try await group.reduce(into: [String: Int]()) { $0[$1.0] = $1.1 }
        }
        try await store.put(bodies[0], to: "k")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<3 {
                group.addTask {
                    for round in 0..<25 {
                        let bytes = bodies[(writer + round) % 4]
                        guard writer == 0 else {
                            try await store.put(bytes, to: "k")
                            continue
                        }
                        let id = try await store.createUpload(bucket: "b", key: "k", attributes: ObjectAttributes()).id
                        var parts: [CompletedPart] = []
                        for (number, half) in [bytes[..<20_000], bytes[20_000...]].enumerated() {
                            let part = try await store.putPart(
                                store.stored(Array(half)), number: number + 1, upload: id, bucket: "b", key: "k")
                            parts.append(CompletedPart(number: number + 1, etag: part.etag))
                        }
                        try await store.completeUpload(id, bucket: "b", key: "k", parts: parts)
                    }
                }
            }
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<100 {
                        let (info, reader) = try await store.get(bucket: "b", key: "k")
                        let bytes = try await reader.all(0..<info.size)
                        if let index = etags[info.etag] {
                            #expect(bytes == bodies[index])
                        } else {
                            #expect(info.partCount == 2 && bodies.contains(bytes))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        try await store.settled()
        #expect(fixture.bodyFiles().count <= 2)
        await store.close()
    }
}
