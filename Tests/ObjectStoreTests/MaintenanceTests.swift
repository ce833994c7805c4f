// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ObjectStore

@Suite struct MaintenanceTests {
    private static let day: Int64 = 86_400_000

    @Test func objectsExpireAtTheMidnightAfterTheirDays() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        let start = fixture.time.load(ordering: .relaxed)
        var tagged = ObjectAttributes()
        tagged.tags = [ObjectField("keep", "no")]
        try await store.put(pattern(50_000), to: "logs/1")
        try await store.put([1], to: "logs/2", tagged)
        try await store.put([1], to: "other")
        var rule = LifecycleRule()
        rule.prefix = "logs/"
        rule.expirationDays = 1
        var byTag = LifecycleRule()
        byTag.tags = tagged.tags
        byTag.expirationDate = start
        let midnight = (start / Self.day + 2) * Self.day
        #expect(try await store.maintain(rules: ["b": [rule]], now: midnight - 1).expired == 0)
        #expect(try await store.maintain(rules: ["b": [byTag]], now: start).expired == 1)
        #expect(try await store.keys() == ["logs/1", "other"])
        #expect(try await store.maintain(rules: ["b": [rule]], now: midnight).expired == 1)
        #expect(try await store.keys() == ["other"])
        #expect(fixture.bodyFiles().isEmpty)
        await store.close()
    }

    @Test func rulesThatAreOthersMeanwhileRemoveNothing() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        try await store.setDocument(.lifecycle, [1], of: "b")
        var rule = LifecycleRule()
        rule.expirationDate = 1
        let rules = [rule]
        // Its object came after the rules were other ones.
        let report = try await store.maintain(now: 2) { bucket in
            #expect(bucket.documents[.lifecycle] == [1])
            await #expect(throws: Never.self) {
                try await store.setDocument(.lifecycle, nil, of: "b")
                try await store.put([1], to: "k")
            }
            return rules
        }
        #expect(report.expired == 0)
        #expect(try await store.keys() == ["k"])
        #expect(try await store.maintain(now: 2) { _ in rules }.expired == 1)
        #expect(try await store.keys() == [])
        await store.close()
    }

    @Test func oldVersionsAndLoneMarkersExpire() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        try await store.setVersioning(.enabled, of: "b")
        for index in 0..<5 {
            try await store.put("\(index)", to: "k")
            fixture.time.add(Self.day, ordering: .relaxed)
        }
        try await store.put("x", to: "gone")
        let lone = try await store.delete(bucket: "b", key: "lone")
        var rule = LifecycleRule()
        rule.noncurrentDays = 1
        rule.noncurrentKept = 2
        rule.expiresDeleteMarkers = true
        let now = fixture.time.load(ordering: .relaxed)
        // Version 0 was followed four days ago, 1 three, 2 and 3 are among the two that stay; and the lone marker.
        #expect(try await store.maintain(rules: ["b": [rule]], now: now).expired == 3)
        let versions = try await store.versions(bucket: "b", VersionQuery()).versions
        #expect(versions.map(\.key) == ["gone", "k", "k", "k"])
        #expect(!versions.map(\.versionID).contains(lone.versionID ?? ""))
        // What expires in a bucket with versions gets a marker.
        var expiry = LifecycleRule()
        expiry.prefix = "gone"
        expiry.expirationDays = 0
        #expect(try await store.maintain(rules: ["b": [expiry]], now: now + Self.day).expired == 1)
        #expect(try await store.keys() == ["k"])
        #expect(try await store.versions(bucket: "b", VersionQuery(prefix: "gone")).versions.count == 2)
        await store.close()
    }

    @Test func manyExpireInPages() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask { for index in 0..<150 { try await store.put("x", to: "k\(worker)-\(index)") } }
            }
            try await group.waitForAll()
        }
        var rule = LifecycleRule()
        rule.expirationDate = 0
        rule.prefix = "k"
        #expect(try await store.maintain(rules: ["b": [rule]], now: 1).expired == 1200)
        #expect(try await store.keys().isEmpty)
        await store.close()
    }

    @Test func abandonedUploadsAreRemoved() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        let start = fixture.time.load(ordering: .relaxed)
        let old = try await store.createUpload(bucket: "b", key: "a", attributes: ObjectAttributes())
        _ = try await store.putPart(store.stored(pattern(50_000)), number: 1, upload: old.id, bucket: "b", key: "a")
        fixture.time.add(5 * Self.day, ordering: .relaxed)
        let young = try await store.createUpload(bucket: "b", key: "a", attributes: ObjectAttributes())
        #expect(try await store.maintain(now: start + 7 * Self.day - 1).uploads == 0)
        #expect(try await store.maintain(now: start + 7 * Self.day).uploads == 1)
        #expect(try await store.uploads(bucket: "b", UploadQuery()).uploads.map(\.id) == [young.id])
        #expect(fixture.bodyFiles().isEmpty)
        var rule = LifecycleRule()
        rule.abortUploadDays = 1
        #expect(try await store.maintain(rules: ["b": [rule]], now: start + 7 * Self.day).uploads == 1)
        await store.close()
    }

    @Test func onlyFilesThatNoRowNamesAreRemoved() async throws {
        let fixture = try StoreFixture()
        var store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        try await store.put(pattern(50_000), to: "k")
        // What is looked for at the start is looked for beside this test, and would take the orphan, too.
        try await store.settled()
        let orphan = store.files.path(of: 0x1234)
        try write(pattern(10), to: orphan)
        let foreign = store.files.folder(of: 1) + "/notes.txt"
        try write(pattern(10), to: foreign)
        let unfinished = store.body()
        try await unfinished.write(pattern(100_000))
        let finished = try await store.stored(pattern(60_000))
        #expect(try await store.maintain(now: 0).files == 1)
        #expect(fixture.bodyFiles().count == 4)
        try await store.put(finished, ObjectAttributes(), bucket: "b", key: "l")
        try await store.put(unfinished.finish(), ObjectAttributes(), bucket: "b", key: "m")
        #expect(try await store.bytes("m") == pattern(100_000))
        // And at the start.
        await store.close()
        try write(pattern(10), to: orphan)
        store = try await fixture.open()
        try await store.settled()
        #expect(fixture.bodyFiles().count == 4)
        for (key, size) in [("k", 50_000), ("l", 60_000), ("m", 100_000)] {
            #expect(try await store.bytes(key) == pattern(size))
        }
        await store.close()
    }

    @Test func bodiesThatAreLetGoOfLeaveNothing() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        do {
            let body = store.body()
            try await body.write(pattern(100_000))
            _ = try await store.stored(pattern(100_000))
        }
        try await store.settled()
        #expect(fixture.bodyFiles().isEmpty)
        #expect(try await store.maintain(now: 0).files == 0)
        await store.close()
    }
}
