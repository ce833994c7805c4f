// SPDX-License-Identifier: Apache-2.0
import Crypto
import Testing

@testable import ObjectStore

@Suite struct UploadTests {
    private let none = ObjectAttributes()

    @Test func partsBecomeAnObjectWithoutACopy() async throws {
        let fixture = try StoreFixture()
        var store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        let attributes = ObjectAttributes(contentType: "a/b", owner: "me")
        let upload = try await store.createUpload(bucket: "b", key: "k", attributes: attributes)
        let parts = [pattern(2_100_000, seed: 1), pattern(40_000, seed: 2), pattern(1000, seed: 3)]
        var completed: [CompletedPart] = []
        // Out of order, with one that is replaced and one that is left out.
        _ = try await store.putPart(store.stored(pattern(90_000)), number: 7, upload: upload.id, bucket: "b", key: "k")
        _ = try await store.putPart(store.stored(pattern(80_000)), number: 5, upload: upload.id, bucket: "b", key: "k")
        for (number, bytes) in zip([9, 7, 2], parts.reversed()) {
            let checksum = ObjectChecksum(algorithm: "CRC32C", value: "\(number)")
            let part = try await store.putPart(
                store.stored(bytes), number: number, upload: upload.id, bucket: "b", key: "k", checksum: checksum)
            completed.insert(CompletedPart(number: number, etag: part.etag), at: 0)
        }
        let page = try await store.parts(upload: upload.id, bucket: "b", key: "k", maximum: 2)
        #expect(page.parts.map(\.number) == [2, 5] && page.next == 5 && page.upload == upload)
        let rest = try await store.parts(upload: upload.id, bucket: "b", key: "k", after: 5)
        #expect(rest.parts.map(\.number) == [7, 9] && rest.next == nil)
        await store.close()
        store = try await fixture.open()

        let info = try await store.completeUpload(upload.id, bucket: "b", key: "k", parts: completed)
        var md5 = Insecure.MD5()
        for bytes in parts { md5.update(data: Array(Insecure.MD5.hash(data: bytes))) }
        #expect(info.etag == Hex.encode(Array(md5.finalize())) + "-3")
        #expect(info.partCount == 3 && info.size == 2_141_000 && info.attributes.contentType == "a/b")
        let whole = parts.flatMap { $0 }
        #expect(try await store.bytes("k") == whole)
        #expect(try await store.bytes("k", 2_099_990..<2_140_010) == Array(whole[2_099_990..<2_140_010]))
        let described = try await store.objectParts(bucket: "b", key: "k")
        #expect(described.map(\.number) == [2, 7, 9] && described.map(\.offset) == [0, 2_100_000, 2_140_000])
        #expect(described.map { $0.checksum?.value } == ["2", "7", "9"])
        try await store.settled()
        #expect(fixture.bodyFiles().count == 2)
        #expect(await code { _ = try await store.upload(upload.id, bucket: "b", key: "k") } == .noSuchUpload)

        // A copy shares the parts; a reader keeps them.
        try await store.copy(
            from: CopySource(bucket: "b", key: "k"), bucket: "b", key: "copy", attributes: .keep(owner: "me"))
        try await store.delete(bucket: "b", key: "k")
        #expect(try await store.head(bucket: "b", key: "copy").etag == info.etag)
        let (_, reader) = try await store.get(bucket: "b", key: "copy")
        try await store.put("small", to: "copy")
        try await store.maintain(now: 0)
        #expect(try await reader.all(0..<info.size) == whole)
        #expect(fixture.bodyFiles().count == 2)
        withExtendedLifetime(reader) {}
        await store.close()
    }

    @Test func filesGoWhenTheLastReaderHasGone() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        let upload = try await store.createUpload(bucket: "b", key: "k", attributes: none)
        var parts: [CompletedPart] = []
        for number in 1...3 {
            let part = try await store.putPart(
                store.stored(pattern(50_000)), number: number, upload: upload.id, bucket: "b", key: "k")
            parts.append(CompletedPart(number: number, etag: part.etag))
        }
        try await store.completeUpload(upload.id, bucket: "b", key: "k", parts: parts)
        do {
            let (info, reader) = try await store.get(bucket: "b", key: "k")
            try await store.delete(bucket: "b", key: "k")
            try await store.settled()
            #expect(fixture.bodyFiles().count == 3)
            #expect(try await reader.all(0..<info.size).count == 150_000)
        }
        try await store.settled()
        #expect(fixture.bodyFiles().isEmpty)
        await store.close()
    }

    @Test func whatCannotBeCompletedIsRefused() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        let id = try await store.createUpload(bucket: "b", key: "k", attributes: none).id
        var etags: [Int: String] = [:]
        for (number, size) in [(1, 999), (2, 1000), (3, 1)] {
            etags[number] = try await store.putPart(
                store.stored(pattern(size)), number: number, upload: id, bucket: "b", key: "k"
            ).etag
        }
        func complete(_ numbers: [Int], _ condition: WriteCondition? = nil) async -> ObjectStoreError.Code? {
            let parts = numbers.map { CompletedPart(number: $0, etag: etags[$0] ?? "none") }
            return await code {
                try await store.completeUpload(id, bucket: "b", key: "k", parts: parts, condition: condition)
            }
        }
        #expect(await complete([]) == .invalidPart)
        #expect(await complete([2, 4]) == .invalidPart)
        #expect(await complete([2, 1]) == .invalidPartOrder)
        #expect(await complete([2, 2]) == .invalidPartOrder)
        #expect(await complete([1, 2]) == .entityTooSmall)
        let good = etags[2]
        etags[2] = etags[1]
        #expect(await complete([2]) == .invalidPart)
        etags[2] = good
        try await store.put("there", to: "k")
        #expect(await complete([2, 3], .absent) == .preconditionFailed)
        #expect(
            await code {
                _ = try await store.putPart(store.stored([1]), number: 10_001, upload: id, bucket: "b", key: "k")
            } == .invalidPart)
        #expect(
            await code {
                _ = try await store.putPart(store.stored([1]), number: 1, upload: id, bucket: "b", key: "other")
            } == .noSuchUpload)
        #expect(await complete([2, 3]) == nil)
        #expect(await complete([2, 3]) == .noSuchUpload)
        #expect(try await store.bytes("k") == pattern(1000) + pattern(1))
        await store.close()
    }

    @Test func partsAreCopiedFromObjects() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        let bytes = pattern(2_000_000)
        let source = try await store.put(bytes, to: "source")
        let id = try await store.createUpload(bucket: "b", key: "k", attributes: none).id
        let from = CopySource(bucket: "b", key: "source", etag: source.etag)
        func copy(_ from: CopySource, _ range: Range<Int64>?, _ number: Int) async throws -> CompletedPart {
            let part = try await store.copyPart(
                from: from, range: range, number: number, upload: id, bucket: "b", key: "k")
            return CompletedPart(number: number, etag: part.etag)
        }
        var parts = [try await copy(from, nil, 1), try await copy(from, 1_000_000..<1_100_000, 2)]
        #expect(parts[0].etag == source.etag)
        #expect(fixture.bodyFiles().count == 2)
        #expect(await code { _ = try await copy(from, 1_999_999..<2_000_001, 3) } == .invalidPart)
        #expect(
            await code { _ = try await copy(CopySource(bucket: "b", key: "source", etag: "x"), nil, 3) }
                == .preconditionFailed)
        #expect(await code { _ = try await copy(CopySource(bucket: "b", key: "no"), nil, 3) } == .noSuchKey)
        try await store.delete(bucket: "b", key: "source")
        try await store.completeUpload(id, bucket: "b", key: "k", parts: parts)
        let whole = bytes + bytes[1_000_000..<1_100_000]
        #expect(try await store.bytes("k") == whole)
        // An object of parts as a part.
        let second = try await store.createUpload(bucket: "b", key: "l", attributes: none).id
        let part = try await store.copyPart(
            from: CopySource(bucket: "b", key: "k"), number: 1, upload: second, bucket: "b", key: "l")
        parts = [CompletedPart(number: 1, etag: part.etag)]
        try await store.completeUpload(second, bucket: "b", key: "l", parts: parts)
        try await store.delete(bucket: "b", key: "k")
        #expect(try await store.bytes("l") == whole)
        try await store.settled()
        #expect(fixture.bodyFiles().count == 1)
        await store.close()
    }

    @Test func abortedUploadsLeaveNothing() async throws {
        let fixture = try StoreFixture()
        let store = try await fixture.open()
        try await store.createBucket("b", owner: "me")
        var ids: [String] = []
        for key in ["a/1", "a/2", "a/2", "b"] {
            ids.append(try await store.createUpload(bucket: "b", key: key, attributes: none).id)
        }
        _ = try await store.putPart(store.stored(pattern(50_000)), number: 1, upload: ids[3], bucket: "b", key: "b")
        for maximum in [1, 3, 100] {
            var query = UploadQuery(maximum: maximum)
            var seen: [String] = []
            while true {
                let page = try await store.uploads(bucket: "b", query)
                seen += page.uploads.map(\.id)
                guard let key = page.nextKey else { break }
                query.afterKey = key
                query.afterUpload = page.nextUpload
            }
            #expect(seen == ids)
        }
        let rolled = try await store.uploads(bucket: "b", UploadQuery(delimiter: "/"))
        #expect(rolled.prefixes == ["a/"] && rolled.uploads.map(\.key) == ["b"])
        #expect(fixture.bodyFiles().count == 1)
        try await store.abortUpload(ids[3], bucket: "b", key: "b")
        #expect(await code { try await store.abortUpload(ids[3], bucket: "b", key: "b") } == .noSuchUpload)
        try await store.settled()
        #expect(fixture.bodyFiles().isEmpty)
        await store.close()
    }
}
