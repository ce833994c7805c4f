// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ObjectStore

@Suite struct VersionTests {
    @Test func versionsAreKeptMarkedAndRemoved() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        try await store.put("zero", to: "k")
        try await store.setVersioning(.enabled, of: "b")
        let one = try await store.put("one", to: "k").versionID
        let two = try await store.put("two", to: "k").versionID
        #expect(one != two && one.count == 32)
        #expect(try await store.text("k") == "two")
        #expect(try await store.text("k", version: one) == "one")
        #expect(try await store.text("k", version: "null") == "zero")
        #expect(try await store.head(bucket: "b", key: "k", version: one).isLatest == false)
        #expect(try await store.head(bucket: "b", key: "k", version: two).isLatest)

        let marker = try await store.delete(bucket: "b", key: "k")
        #expect(marker.isDeleteMarker && marker.removed)
        do {
            _ = try await store.head(bucket: "b", key: "k")
            Issue.record("a deleted object is there")
        } catch {
            #expect(error.code == .noSuchKey && error.isDeleteMarker && error.versionID == marker.versionID)
        }
        #expect(try await store.head(bucket: "b", key: "k", version: marker.versionID).isDeleteMarker)
        #expect(try await store.keys().isEmpty)
        #expect(await code { try await store.deleteBucket("b") } == .bucketNotEmpty)
        // A marker is no object.
        try await store.put([9], to: "k", condition: .absent)

        let page = try await store.versions(bucket: "b", VersionQuery())
        #expect(page.versions.map(\.isLatest) == [true, false, false, false, false])
        #expect(page.versions.map(\.isDeleteMarker) == [false, true, false, false, false])
        #expect(page.versions.dropFirst().map(\.versionID) == [marker.versionID, two, one, "null"])

        // Without the newest, the next is the newest.
        try await store.delete(bucket: "b", key: "k", version: page.versions[0].versionID)
        let removed = try await store.delete(bucket: "b", key: "k", version: marker.versionID)
        #expect(removed.isDeleteMarker && removed.removed)
        #expect(try await store.text("k") == "two")
        try await store.delete(bucket: "b", key: "k", version: "null")
        #expect(await code { _ = try await store.head(bucket: "b", key: "k", version: "null") } == .noSuchVersion)
        #expect(await code { _ = try await store.head(bucket: "b", key: "k", version: "nonsense") } == .noSuchVersion)
        #expect(try await store.delete(bucket: "b", key: "k", version: "nonsense").removed == false)
        await store.close()
    }

    @Test func suspendedBucketsReplaceOnlyTheirNullVersion() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        try await store.setVersioning(.enabled, of: "b")
        let kept = try await store.put("kept", to: "k").versionID
        try await store.setVersioning(.suspended, of: "b")
        #expect(try await store.put("first", to: "k").versionID == "null")
        try await store.put("second", to: "k")
        #expect(try await store.versions(bucket: "b", VersionQuery()).versions.map(\.versionID) == ["null", kept])
        try await store.setVersioning(.enabled, of: "b")
        let newer = try await store.put("newer", to: "k").versionID
        try await store.setVersioning(.suspended, of: "b")
        // The null version lies between others.
        let marker = try await store.delete(bucket: "b", key: "k")
        #expect(marker.isDeleteMarker && marker.versionID == "null")
        let versions = try await store.versions(bucket: "b", VersionQuery()).versions
        #expect(versions.map(\.versionID) == ["null", newer, kept])
        #expect(versions.map(\.isDeleteMarker) == [true, false, false])
        try await store.put("third", to: "k")
        #expect(try await store.text("k") == "third")
        #expect(try await store.versions(bucket: "b", VersionQuery()).versions.count == 3)
        await store.close()
    }

    @Test func manyAreDeletedByOneCommit() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        for index in 0..<20 { try await store.put(pattern(index.isMultiple(of: 2) ? 10 : 50_000), to: "k\(index)") }
        var requests = (0..<20).map { DeletionRequest(key: "k\($0)") }
        requests[3].condition = .matches("other")
        requests.append(DeletionRequest(key: "missing"))
        requests.append(DeletionRequest(key: String(repeating: "x", count: 2000)))
        requests.append(DeletionRequest(key: "k0"))
        let answers = try await store.delete(bucket: "b", requests)
        #expect(answers.count == 23)
        let removed = answers.map { (try? $0.get())?.removed }
        #expect(removed == (0..<20).map { $0 == 3 ? nil : true } + [false, nil, false])
        #expect(try await store.keys() == ["k3"])
        try await store.settled()
        #expect(fixture.bodyFiles().count == 1)
        await store.close()
    }

    @Test func tagsChangeInPlace() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        try await store.setVersioning(.enabled, of: "b")
        let first = try await store.put("one", to: "k")
        try await store.put("two", to: "k")
        fixture.time.add(1000, ordering: .relaxed)
        let tags = [ObjectField("a", "1"), ObjectField("b", "")]
        let changed = try await store.setTags(tags, bucket: "b", key: "k", version: first.versionID)
        #expect(changed.attributes.tags == tags && changed.modified == first.modified && !changed.isLatest)
        #expect(try await store.head(bucket: "b", key: "k").attributes.tags.isEmpty)
        #expect(try await store.text("k", version: first.versionID) == "one")
        #expect(await code { try await store.setTags([], bucket: "b", key: "no") } == .noSuchKey)
        await store.close()
    }
}
