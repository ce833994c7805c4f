// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ObjectStore

#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif

@Suite struct DamageTests {
    @Test func aFlippedByteOfAFileIsNeverServed() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        let bytes = pattern(2_500_000)
        try await store.put(bytes, to: "k")
        let path = try #require(fixture.bodyFiles().first)
        try flip(path, at: 1_500_000)
        // Blocks before and after it are served, its own is not, not even a part that is as it was.
        #expect(try await store.bytes("k", 0..<1_048_576) == Array(bytes[..<1_048_576]))
        #expect(try await store.bytes("k", 2_200_000..<2_500_000) == Array(bytes[2_200_000...]))
        for range in [1_499_990..<1_500_010, 1_048_576..<1_048_577, 0..<2_500_000] as [Range<Int64>] {
            #expect(await code { _ = try await store.bytes("k", range) } == .corrupt)
        }
        try flip(path, at: 1_500_000)
        #expect(try await store.bytes("k") == bytes)
        // The checksums themselves.
        try flip(path, at: 2_500_003)
        #expect(await code { _ = try await store.bytes("k") } == .corrupt)
        try flip(path, at: 2_500_003)
        // Cut off, longer than it was, and gone.
        let whole = try contents(path)
        for other in [Array(whole.dropLast()), Array(whole.prefix(1_048_576)), whole + [0], []] {
            try write(other, to: path)
            #expect(await code { _ = try await store.bytes("k") } == .corrupt)
        }
        unlink(path)
        #expect(await code { _ = try await store.bytes("k") } == .corrupt)
        // Another body's file in its place.
        try await store.put(pattern(2_500_000, seed: 2), to: "l")
        try write(contents(try #require(fixture.bodyFiles().first)), to: path)
        #expect(await code { _ = try await store.bytes("k") } == .corrupt)
        try await store.delete(bucket: "b", key: "k")
        #expect(try await store.keys() == ["l"])
        await store.close()
    }

    /// The next block is read while the caller is at one: in pieces, by two readers at a time, and given up half way.
    @Test func whatIsReadAheadIsCheckedAndIsTheSame() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        let bytes = pattern(5_300_000)
        try await store.put(bytes, to: "k")
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for step in [1 << 20, 300_000, 1_048_575, 2 << 20] {
                group.addTask {
                    let (info, reader) = try await store.get(bucket: "b", key: "k")
                    var found: [UInt8] = []
                    while Int64(found.count) < info.size {
                        found += try await reader.read(Int64(found.count)..<info.size, maximum: step)
                    }
                    return found
                }
            }
            for try await found in group { #expect(found == bytes) }
        }
        let path = try #require(fixture.bodyFiles().first)
        try flip(path, at: 3_200_000)
        let (info, reader) = try await store.get(bucket: "b", key: "k")
        var served: Int64 = 0
        let error = await code {
            while served < info.size { served += Int64(try await reader.read(served..<info.size).count) }
        }
        #expect(error == .corrupt && served == 3 << 20)
        try flip(path, at: 3_200_000)
        // Whoever reads no further holds nothing up.
        let (_, given) = try await store.get(bucket: "b", key: "k")
        #expect(try await given.read(0..<info.size).count == 1 << 20)
        await store.close()
    }

    /// Bits of the database turned at many places: what is read is what was written, or an error.
    @Test func flippedBytesOfTheDatabaseAreNeverServed() async throws {
        let fixture = try StoreFixture()
        var store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        var attributes = ObjectAttributes(contentType: "text/plain", owner: "me")
        attributes.metadata = [ObjectField("name", "value")]
        for index in 0..<6 { try await store.put(pattern(1500, seed: UInt64(index)), to: "key\(index)", attributes) }
        let upload = try await store.createUpload(bucket: "b", key: "parts", attributes: attributes)
        var parts: [CompletedPart] = []
        for number in 1...2 {
            let part = try await store.putPart(
                store.stored(pattern(1200, seed: UInt64(number))), number: number, upload: upload.id, bucket: "b",
                key: "parts")
            parts.append(CompletedPart(number: number, etag: part.etag))
        }
        try await store.completeUpload(upload.id, bucket: "b", key: "parts", parts: parts)
        var written: [String: ([UInt8], ObjectInfo)] = [:]
        for info in try await store.list(bucket: "b", ListQuery()).objects {
            written[info.key] = (try await store.bytes(info.key), info)
        }
        #expect(written.count == 7)
        await store.close()

        let path = fixture.folder + "/store/objects.sqlite"
        let whole = try contents(path)
        var state: UInt64 = 42
        var refused = 0
        for _ in 0..<150 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            var damaged = whole
            damaged[Int(state >> 33) % whole.count] ^= UInt8(1 << (state >> 30 & 7))
            try write(damaged, to: path)
            do {
                store = try await fixture.open()
            } catch {
                refused += 1
                continue
            }
            for (key, (bytes, info)) in written {
                do {
                    let (found, reader) = try await store.get(bucket: "b", key: key)
                    #expect(try await reader.all(0..<found.size) == bytes)
                    #expect(found == info)
                } catch let error as ObjectStoreError {
                    #expect([.corrupt, .noSuchKey, .noSuchBucket, .storage].contains(error.code), "\(error)")
                    refused += 1
                }
            }
            await store.close()
            unlink(path + "-wal")
            unlink(path + "-shm")
        }
        #expect(refused > 20)
    }

    @Test func damagedBytesOfARowAreAnErrorAndTheRestIsServed() async throws {
        let fixture = try StoreFixture()
        var store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        let bytes = pattern(3000)
        try await store.put(bytes, to: "k")
        try await store.put(pattern(3000, seed: 9), to: "l")
        await store.close()
        let path = fixture.folder + "/store/objects.sqlite"
        let file = try contents(path)
        let place = try #require((0..<(file.count - 64)).first { file[$0..<($0 + 64)].elementsEqual(bytes[..<64]) })
        try flip(path, at: place + 20)
        store = try await fixture.open()
        #expect(await code { _ = try await store.bytes("k") } == .corrupt)
        #expect(try await store.bytes("l") == pattern(3000, seed: 9))
        #expect(try await store.head(bucket: "b", key: "k").size == 3000)
        // It can be written anew.
        try await store.put(bytes, to: "k")
        #expect(try await store.bytes("k") == bytes)
        await store.close()
    }

    /// A row that is damaged takes neither a list nor the expiry of others with it, and is not left out.
    @Test func aDamagedRowIsListedByItsKeyAndLeftAlone() async throws {
        let fixture = try StoreFixture()
        var store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        var attributes = ObjectAttributes(contentType: "text/plain", owner: "me")
        for key in ["k", "l", "m"] {
            attributes.metadata = [ObjectField("which", "the-metadata-of-\(key)")]
            try await store.put(pattern(10), to: key, attributes)
        }
        await store.close()
        let path = fixture.folder + "/store/objects.sqlite"
        let file = try contents(path)
        let mark = Array("the-metadata-of-l".utf8)
        let place = try #require(
            (0..<(file.count - mark.count)).first { file[$0..<($0 + mark.count)].elementsEqual(mark) })
        try flip(path, at: place)

        store = try await fixture.open()
        let list = try await store.list(bucket: "b", ListQuery()).objects
        #expect(list.map(\.key) == ["k", "l", "m"] && list.map(\.isDamaged) == [false, true, false])
        let versions = try await store.versions(bucket: "b", VersionQuery()).versions
        #expect(versions.map(\.isDamaged) == [false, true, false])
        #expect(await code { _ = try await store.head(bucket: "b", key: "l") } == .corrupt)
        var rule = LifecycleRule()
        rule.expirationDate = 1
        let report = try await store.maintain(rules: ["b": [rule]], now: 2)
        #expect(report.expired == 2 && report.damaged == 1)
        #expect(try await store.keys() == ["l"])
        // It can be deleted, so that the bucket can be.
        #expect(
            await code { _ = try await store.delete(bucket: "b", key: "l", condition: .matches("any")) } == .corrupt)
        #expect(try await store.delete(bucket: "b", key: "l").removed)
        #expect(try await store.keys().isEmpty)
        try await store.deleteBucket("b")
        await store.close()
    }
}
