// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ObjectStore

@Suite struct ListTests {
    /// What a list has to find, by the definition.
    private func expected(_ keys: [String], _ query: ListQuery) -> [String] {
        var found: [String] = []
        for key in keys.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) where key.hasPrefix(query.prefix) {
            var entry = key
            let rest = key.dropFirst(query.prefix.count)
            if !query.delimiter.isEmpty, let index = rest.firstIndex(of: Character(query.delimiter)) {
                entry = query.prefix + rest[...index]
            }
            if let after = query.after, !after.utf8.lexicographicallyPrecedes(entry.utf8) { continue }
            if found.last != entry { found.append(entry) }
        }
        return found
    }

    @Test func pagesAreWhatTheDefinitionSays() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        try await store.createBucket("a", owner: "me")
        try await store.createBucket("c", owner: "me")
        var keys: [String] = ["x", "photos", "photos/", "photos0", "photos/2024/", "/", "//", "a//b", "é/ü/z"]
        for folder in ["photos/2023", "photos/2024", "docs", "docs/old", "z"] {
            for index in 0..<12 { keys.append("\(folder)/f\(index)") }
        }
        for key in keys {
            try await store.put(Array(key.utf8), to: key)
            // Neighbours must not be seen.
            try await store.put("-", to: key, in: "a")
            try await store.put("-", to: key, in: "c")
        }
        for prefix in ["", "photos", "photos/", "photos/2023/", "docs/f1", "é/", "nothing", "/"] {
            for delimiter in ["", "/", "2"] {
                for maximum in [1, 2, 7, 1000] {
                    let query = ListQuery(prefix: prefix, delimiter: delimiter, maximum: maximum)
                    #expect(try await store.keys(query) == expected(keys, query), "\(query)")
                }
                for after in ["docs", "photos/", "photos/2023/f3", "zzz", "a"] {
                    let query = ListQuery(prefix: prefix, delimiter: delimiter, after: after)
                    // What is rolled up is seen again when a key in it is named, and not when it is itself.
                    let page = try await store.list(bucket: "b", query)
                    #expect(page.objects.map(\.key).allSatisfy { after.utf8.lexicographicallyPrecedes($0.utf8) })
                    #expect(!page.prefixes.contains(after))
                }
            }
        }
        #expect(try await store.list(bucket: "b", ListQuery(maximum: 0)).next == nil)
        await store.close()
    }

    @Test func markersAndOldVersionsAreSkipped() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        try await store.setVersioning(.enabled, of: "b")
        for version in 0..<40 { for key in ["a/1", "b", "c/1", "d"] { try await store.put("\(version)", to: key) } }
        try await store.delete(bucket: "b", key: "a/1")
        try await store.delete(bucket: "b", key: "d")
        #expect(try await store.keys() == ["b", "c/1"])
        #expect(try await store.keys(ListQuery(delimiter: "/")) == ["b", "c/"])
        let page = try await store.list(bucket: "b", ListQuery(maximum: 2))
        #expect(page.next == nil && page.objects.count == 2)

        // Versions, a few at a time.
        for maximum in [1, 3, 7, 500] {
            var query = VersionQuery(maximum: maximum)
            var seen: [ObjectInfo] = []
            while true {
                let page = try await store.versions(bucket: "b", query)
                seen += page.versions
                guard let key = page.nextKey else { break }
                query.afterKey = key
                query.afterVersion = page.nextVersion
            }
            #expect(seen.count == 162)
            #expect(Set(seen.map(\.versionID)).count == 162)
            #expect(seen.filter(\.isLatest).map(\.key) == ["a/1", "b", "c/1", "d"])
            #expect(seen.filter(\.isLatest).map(\.isDeleteMarker) == [true, false, false, true])
        }
        let rolled = try await store.versions(bucket: "b", VersionQuery(delimiter: "/"))
        #expect(rolled.prefixes == ["a/", "c/"] && rolled.versions.count == 81)
        await store.close()
    }

    @Test func aPageCostsWhatItHasHoweverManyKeysAreRolledUp() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<16 {
                group.addTask {
                    for index in 0..<250 { try await store.put("x", to: "p\(worker % 4)/f\(worker)-\(index)") }
                }
            }
            try await group.waitForAll()
        }
        let steps = try await store.readers.read { connection in
            var scan = KeyScan<Int64>(prefix: "", delimiter: "/", maximum: 1000)
            var decoded = 0
            let bucket = try store.known("b").id
            try scan.run(
                connection.prepared(.listVersions), bucket: bucket, from: scan.start(after: nil), newestOnly: true
            ) { _, age, _ in
                decoded += 1
                return age
            }
            #expect(scan.prefixes == ["p0/", "p1/", "p2/", "p3/"])
            return decoded
        }
        #expect(steps == 4)
        // The index is used for both columns.
        let plan = try await store.readers.read { connection in
            let statement = try SQLStatement(connection, "EXPLAIN QUERY PLAN " + SQLQuery.listVersions.sql)
            defer { statement.finalize() }
            return try statement.step() ? statement.text(3) : ""
        }
        #expect(plan.contains("(bucket=? AND (key,age)>(?,?))"), "\(plan)")
        await store.close()
    }
}
