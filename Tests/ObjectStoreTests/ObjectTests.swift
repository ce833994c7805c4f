// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ObjectStore

@Suite struct ObjectTests {
    @Test func bodiesOfAllSizesComeBackAlsoAfterARestart() async throws {
        let fixture = try StoreFixture()
        var store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        let sizes = [0, 1, 4096, 32 << 10, (32 << 10) + 1, 1 << 20, (1 << 20) + 1, 3_000_000]
        var attributes = ObjectAttributes(
            contentType: "text/plain", metadata: [ObjectField("a", "1"), ObjectField("é", "ü")], owner: "me")
        attributes.cacheControl = "no-cache"
        attributes.tags = [ObjectField("k", "v")]
        attributes.checksum = ObjectChecksum(algorithm: "CRC32C", value: "AAAAAA==")
        for size in sizes {
            let info = try await store.put(pattern(size), to: "k\(size)", attributes)
            #expect(info.size == Int64(size) && info.attributes == attributes && info.versionID == "null")
        }
        for isReopened in [false, true] {
            if isReopened {
                await store.close()
                store = try await fixture.open()
            }
            for size in sizes {
                let (info, reader) = try await store.get(bucket: "b", key: "k\(size)")
                #expect(info.size == Int64(size) && info.attributes == attributes && info.isLatest)
                #expect(try await reader.all(0..<info.size) == pattern(size))
                #expect(try await store.head(bucket: "b", key: "k\(size)") == info)
            }
        }
        #expect(try await store.head(bucket: "b", key: "k0").etag == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(fixture.bodyFiles().count == 4)
        #expect(await store.buckets().map(\.name) == ["b"])
        await store.close()
        #expect(await code { try await store.createBucket("c", owner: "") } == .closed)
        #expect(await code { _ = try await store.head(bucket: "b", key: "k0") } == .closed)
    }

    @Test func rangesAreReadAcrossBlocksAndInSmallPieces() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        let bytes = pattern(2_500_000)
        try await store.put(bytes, to: "k")
        for range in [0..<1, 0..<2_500_000, 1_048_575..<1_048_577, 2_499_999..<2_500_000, 100..<100, 5..<1_500_000] {
            let read = try await store.bytes("k", Int64(range.lowerBound)..<Int64(range.upperBound))
            #expect(read == Array(bytes[range]))
        }
        #expect(try await store.bytes("k", 1_000_000..<1_100_000, maximum: 7777) == Array(bytes[1_000_000..<1_100_000]))
        #expect(try await store.bytes("k", 2_400_000..<9_000_000) == Array(bytes[2_400_000...]))
        // Backwards, as readers of Parquet do.
        let (_, reader) = try await store.get(bucket: "b", key: "k")
        for start in stride(from: 2_400_000, through: 0, by: -300_000) {
            let range = Int64(start)..<Int64(start + 50)
            #expect(try await reader.all(range) == Array(bytes[start..<(start + 50)]))
        }
        await store.close()
    }

    @Test func aReaderKeepsWhatWasThereWhenItCame() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        let old = pattern(2_000_000, seed: 7)
        try await store.put(old, to: "k")
        let (info, reader) = try await store.get(bucket: "b", key: "k")
        try await store.put("new", to: "k")
        try await store.delete(bucket: "b", key: "k")
        try await store.settled()
        #expect(fixture.bodyFiles().isEmpty)
        #expect(try await reader.all(0..<info.size) == old)
        #expect(await code { _ = try await store.get(bucket: "b", key: "k") } == .noSuchKey)
        await store.close()
    }

    @Test func conditionsAreCheckedByTheWriter() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        #expect(await code { try await store.put([1], to: "k", condition: .matches("x")) } == .noSuchKey)
        #expect(await code { try await store.put([1], to: "k", condition: .exists) } == .noSuchKey)
        // Of many that want to be the first, one is.
        let winners = try await withThrowingTaskGroup(of: Int?.self) { group in
            for index in 0..<32 {
                group.addTask {
                    do {
                        try await store.put(
                            pattern(index < 16 ? 10 : 50_000, seed: UInt64(index)), to: "k", condition: .absent)
                        return index
                    } catch let error as ObjectStoreError where error.code == .preconditionFailed {
                        return nil
                    }
                }
            }
            return try await group.reduce(into: [Int]()) { if let index = $1 { $0.append(index) } }
        }
        let winner = try #require(winners.first)
        #expect(winners.count == 1)
        #expect(try await store.bytes("k") == pattern(winner < 16 ? 10 : 50_000, seed: UInt64(winner)))
        try await store.settled()
        #expect(fixture.bodyFiles().count == (winner < 16 ? 0 : 1))
        let etag = try await store.head(bucket: "b", key: "k").etag
        #expect(await code { try await store.put([2], to: "k", condition: .matches("x")) } == .preconditionFailed)
        try await store.put([2], to: "k", condition: .matches(etag))
        try await store.put([3], to: "k", condition: .exists)
        #expect(
            await code { try await store.delete(bucket: "b", key: "k", condition: .matches(etag)) }
                == .preconditionFailed)
        #expect(try await store.bytes("k") == [3])
        try await store.delete(bucket: "b", key: "k", condition: .exists)
        try await store.put([4], to: "k", condition: .absent)
        await store.close()
    }

    @Test func aBodyThatIsRefusedCanBeGivenAgainAndOnlyOnce() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        let body = try await store.stored(pattern(100_000))
        let none = ObjectAttributes()
        #expect(await code { try await store.put(body, none, bucket: "no", key: "k") } == .noSuchBucket)
        try await store.put(body, none, bucket: "b", key: "k")
        #expect(await code { try await store.put(body, none, bucket: "b", key: "l") } == .storage)
        #expect(try await store.keys() == ["k"])
        let unfinished = store.body()
        try await unfinished.write(pattern(100_000))
        _ = try await unfinished.finish()
        #expect(await code { try await unfinished.write([1]) } == .storage)
        await store.close()
    }

    @Test func copiesShareTheirBytes() async throws {
        let fixture = try StoreFixture()
        var store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        try await store.createBucket("c", owner: "me")
        let large = pattern(200_000)
        var attributes = ObjectAttributes(contentType: "a/b", metadata: [ObjectField("m", "1")], owner: "me")
        attributes.tags = [ObjectField("t", "1")]
        try await store.put(large, to: "large", attributes)
        try await store.put([1, 2, 3], to: "small", attributes)
        let kept = try await store.copy(
            from: CopySource(bucket: "b", key: "large"), bucket: "c", key: "copy", attributes: .keep(owner: "you"))
        #expect(kept.attributes.contentType == "a/b" && kept.attributes.owner == "you")
        let replaced = try await store.copy(
            from: CopySource(bucket: "b", key: "small"), bucket: "c", key: "small",
            attributes: .replaceKeepingTags(ObjectAttributes(contentType: "x/y")))
        #expect(replaced.attributes.contentType == "x/y" && replaced.attributes.metadata.isEmpty)
        #expect(replaced.attributes.tags == attributes.tags)
        // Onto itself, with other attributes.
        for key in ["large", "small"] {
            try await store.copy(
                from: CopySource(bucket: "b", key: key), bucket: "b", key: key,
                attributes: .replace(ObjectAttributes(contentType: "n/n")))
        }
        try await store.settled()
        #expect(fixture.bodyFiles().count == 1)
        try await store.delete(bucket: "b", key: "large")
        try await store.delete(bucket: "b", key: "small")
        await store.close()
        store = try await fixture.open()
        #expect(try await store.bytes("copy", in: "c") == large)
        #expect(try await store.bytes("small", in: "c") == [1, 2, 3])
        try await store.delete(bucket: "c", key: "copy")
        try await store.delete(bucket: "c", key: "small")
        try await store.settled()
        #expect(fixture.bodyFiles().isEmpty)
        let source = CopySource(bucket: "c", key: "gone")
        #expect(
            await code {
                try await store.copy(from: source, bucket: "b", key: "k", attributes: .keep(owner: ""))
            } == .noSuchKey)
        await store.close()
    }

    @Test func keysAreBytes() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        // The same letter, composed and not: two keys.
        let keys = ["e\u{301}", "\u{e9}", "a/../b", "..", "nul\u{0}byte", "\u{10FFFF}", "\u{FFFD}", "Z", "a"]
        for key in keys { try await store.put(Array(key.utf8), to: key) }
        for key in keys { #expect(try await store.bytes(key) == Array(key.utf8)) }
        let listed = try await store.keys().map { Array($0.utf8) }
        #expect(listed == keys.map { Array($0.utf8) }.sorted { $0.lexicographicallyPrecedes($1) })
        let long = String(repeating: "k", count: 1024)
        try await store.put("x", to: long)
        #expect(await code { try await store.put("x", to: long + "k") } == .tooLarge)
        #expect(await code { try await store.put("x", to: "") } == .tooLarge)
        var attributes = ObjectAttributes()
        attributes.metadata = [ObjectField("m", String(repeating: "v", count: 70_000))]
        #expect(await code { try await store.put([1], to: "m", attributes) } == .tooLarge)
        await store.close()
    }

    @Test func bucketsAndTheirDocuments() async throws {
        let fixture = try StoreFixture()
        var store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        #expect(await code { try await store.createBucket("b", owner: "you") } == .bucketExists)
        try await store.createBucket("a", owner: "me")
        try await store.setDocument(.cors, [1, 2], of: "b")
        try await store.setDocument(.policy, [3], of: "b")
        try await store.setDocument(.policy, nil, of: "b")
        try await store.setVersioning(.enabled, of: "a")
        #expect(await code { try await store.setVersioning(.off, of: "a") } == .invalidBucketState)
        #expect(await code { try await store.setDocument(.cors, [], of: "no") } == .noSuchBucket)
        await store.close()
        store = try await fixture.open()
        #expect(await store.buckets().map(\.name) == ["a", "b"])
        #expect(try await store.bucket("b").documents == [.cors: [1, 2]])
        #expect(try await store.bucket("a").versioning == .enabled)
        try await store.put("x", to: "k")
        #expect(await code { try await store.deleteBucket("b") } == .bucketNotEmpty)
        try await store.delete(bucket: "b", key: "k")
        _ = try await store.createUpload(bucket: "b", key: "u", attributes: ObjectAttributes())
        try await store.deleteBucket("b")
        #expect(await code { _ = try await store.bucket("b") } == .noSuchBucket)
        #expect(await code { try await store.put("x", to: "k") } == .noSuchBucket)
        // A new one of the name has nothing of the old one.
        try await store.createBucket("b", owner: "you")
        #expect(try await store.bucket("b").documents.isEmpty)
        #expect(try await store.uploads(bucket: "b", UploadQuery()).uploads.isEmpty)
        await store.close()
    }

    @Test func onlyOneStoreUsesAFolderAndOnlyOfAKnownFormat() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        #expect(await code { _ = try await fixture.open() } == .locked)
        await store.close()
        let path = fixture.folder + "/store/objects.sqlite"
        let connection = try SQLConnection(path: path, cacheKiB: 100)
        try connection.run("PRAGMA user_version = 2")
        try connection.close()
        do {
            _ = try await fixture.open()
            Issue.record("a newer format was opened")
        } catch let error as ObjectStoreError {
            #expect(error.code == .newerFormat && error.message.contains("upgrade apus"))
        }
        try write(Array("not a database, but of some length".utf8), to: path)
        #expect(await code { _ = try await fixture.open() } == .corrupt)
    }
}
