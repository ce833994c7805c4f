// SPDX-License-Identifier: Apache-2.0
import ByteCodes
import NIOCore
import S3Protocol
import ScriptedHTTP
import Synchronization
import Testing

@testable import S3Client

@Suite("Uploads in parts")
struct UploadTests {
    private static let mebibyte = 1 << 20

    /// Answers an upload; parts are kept by number.
    private final class Uploads: Sendable {
        let parts = Mutex<[Int: [UInt8]]>([:])
        let completed = Mutex<S3Documents.CompleteUpload?>(nil)
        let aborted = Mutex(0)

        func answer(_ request: ScriptedServer.Request) -> ScriptedServer.Reply {
            guard let parsed = try? S3Request(request.head, domain: nil) else { return .close }
            switch parsed.operation {
            case .createUpload:
                return .answer(200, [], S3Documents.InitiateUpload(bucket: "b", key: "k", uploadID: "u+1").xml())
            case .uploadPart:
                guard parsed.query["uploadId"] == "u+1", let number = Int(parsed.query["partNumber"] ?? "") else {
                    return S3ClientTests.error(.noSuchUpload)
                }
                parts.withLock { $0[number] = request.body }
                return .answer(200, [("ETag", "\"part-\(number)\"")])
            case .completeUpload:
                completed.withLock { $0 = try? S3Documents.CompleteUpload(xml: request.body) }
                return .answer(
                    200, [], S3Documents.CompleteUploadResult(location: "", bucket: "b", key: "k", etag: "e-3").xml())
            case .abortUpload:
                aborted.withLock { $0 += 1 }
                return .answer(204)
            default: return .answer(200, [("ETag", "\"whole\"")])
            }
        }
    }

    private static func small(_ configuration: inout S3ClientConfiguration) {
        configuration.partSize = 5 << 20
        configuration.multipartThreshold = 6 << 20
        configuration.partsAtOnce = 2
    }

    private static func content(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 >> 12 ^ $0) }
    }

    private static func stream(_ bytes: [UInt8], piece: Int) -> AsyncStream<ByteBuffer> {
        AsyncStream { continuation in
            for start in stride(from: 0, to: bytes.count, by: piece) {
                continuation.yield(ByteBuffer(bytes: bytes[start..<min(start + piece, bytes.count)]))
            }
            continuation.finish()
        }
    }

    private static func check(_ uploads: Uploads, _ content: [UInt8]) {
        let parts = uploads.parts.withLock { $0 }
        #expect(parts.keys.sorted().flatMap { parts[$0] ?? [] } == content)
        #expect(parts.values.filter { $0.count != 5 << 20 }.count <= 1)
        let named = uploads.completed.withLock { $0?.parts.map(\.etag) }
        #expect(named == (1...parts.count).map { "part-\($0)" })
        #expect(uploads.aborted.withLock { $0 } == 0)
    }

    @Test("A large body in memory, and one that is streamed")
    func large() async throws {
        let content = Self.content(12 << 20)
        let uploads = Uploads()
        try await S3ClientTests.with(Self.small, script: { request, _ in uploads.answer(request) }) { client, _ in
            let result = try await client.put(content, bucket: "bucket", key: "key")
            #expect(result.etag == "e-3")
        }
        Self.check(uploads, content)
        let streamed = Uploads()
        try await S3ClientTests.with(Self.small, script: { request, _ in streamed.answer(request) }) { client, server in
            try await client.put(
                stream: Self.stream(content, piece: 777_777), length: Int64(content.count), bucket: "bucket",
                key: "key", options: .init(condition: .absent))
            let conditional = server.requests.filter { $0.head.headers["if-none-match"] == "*" }
            #expect(conditional.count == 1 && conditional.first?.head.method == "POST")
        }
        Self.check(streamed, content)
    }

    @Test("A stream of one part or none is one request", arguments: [0, 1, 5 << 20])
    func small(count: Int) async throws {
        let uploads = Uploads()
        let content = Self.content(count)
        try await S3ClientTests.with(Self.small, script: { request, _ in uploads.answer(request) }) { client, server in
            try await client.put(stream: Self.stream(content, piece: 100_000), bucket: "bucket", key: "key")
            #expect(server.requests.count == 1 && server.requests.first?.body == content)
        }
    }

    @Test("An upload that fails is given up, whatever failed")
    func failures() async throws {
        struct Broken: Error {}
        let content = Self.content(12 << 20)
        let uploads = Uploads()
        let refusing: ScriptedServer.Script = { request, _ in
            request.head.target.contains("partNumber=2&") ? S3ClientTests.error(.accessDenied) : uploads.answer(request)
        }
        try await S3ClientTests.with(Self.small, script: refusing) { client, _ in
            #expect(
                await S3ClientTests.code { _ = try await client.put(content, bucket: "bucket", key: "key") }
                    == .accessDenied)
        }
        #expect(uploads.aborted.withLock { $0 } == 1)
        try await S3ClientTests.with(Self.small, script: { request, _ in uploads.answer(request) }) { client, _ in
            let (stream, continuation) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
            continuation.yield(ByteBuffer(bytes: content[..<(7 << 20)]))
            continuation.finish(throwing: Broken())
            #expect(
                await S3ClientTests.code { _ = try await client.put(stream: stream, bucket: "bucket", key: "key") }
                    == .incompleteBody)
            #expect(
                await S3ClientTests.code {
                    _ = try await client.put(
                        stream: Self.stream(content, piece: 1 << 20), length: 13 << 20, bucket: "bucket", key: "key")
                } == .incompleteBody)
        }
        #expect(uploads.aborted.withLock { $0 } == 3)
        #expect(uploads.completed.withLock { $0 } == nil)
    }

    @Test("Parts are sent again like any request")
    func retries() async throws {
        let content = Self.content(11 << 20)
        let uploads = Uploads()
        let flaky: ScriptedServer.Script = { request, number in
            number % 3 == 2 ? S3ClientTests.error(.slowDown) : uploads.answer(request)
        }
        try await S3ClientTests.with(Self.small, script: flaky) { client, _ in
            try await client.put(content, bucket: "bucket", key: "key")
        }
        Self.check(uploads, content)
    }

    @Test("An upload whose last answer was lost is known by the object's entity tag")
    func lostAnswer() async throws {
        let part = "d41d8cd98f00b204e9800998ecf8427e"
        let whole = S3Client.etag(of: [.init(number: 1, etag: part), .init(number: 2, etag: part)])
        // As md5sum has it for the two parts' sums.
        #expect(whole == "5873dd45edd01f09c1ef2e7819369e8e-2")
        #expect(S3Client.etag(of: [.init(number: 1, etag: "no-md5")]) == nil)
        for (found, isOwn) in [(whole ?? "", true), ("other-2", false)] {
            let completions = Mutex(0)
            let script: ScriptedServer.Script = { request, _ in
                guard let parsed = try? S3Request(request.head, domain: nil) else { return .close }
                switch parsed.operation {
                case .createUpload:
                    return .answer(200, [], S3Documents.InitiateUpload(bucket: "b", key: "k", uploadID: "u").xml())
                case .uploadPart: return .answer(200, [("ETag", "\"\(part)\"")])
                case .completeUpload:
                    let count = completions.withLock { count in
                        count += 1
                        return count
                    }
                    return count == 1 ? .close : S3ClientTests.error(.noSuchUpload)
                case .headObject: return .answer(200, [("ETag", "\"\(found)\"")])
                default: return .answer(204)
                }
            }
            try await S3ClientTests.with(Self.small, script: script) { client, _ in
                let content = Self.content(8 << 20)
                let code = await S3ClientTests.code { _ = try await client.put(content, bucket: "bucket", key: "key") }
                #expect(code == (isOwn ? nil : .noSuchUpload))
            }
        }
    }

    @Test("Very large bodies get parts that are large enough")
    func partSizes() async throws {
        let client = try S3Client(.init(endpoint: "http://127.0.0.1:1", credentials: nil))
        #expect(client.partSize(length: 1) == 16 << 20)
        let size = client.partSize(length: 5 << 40)
        #expect(Int64(size) * 10_000 >= 5 << 40)
        try await client.shutdown()
    }

    @Test("Copies and deletions")
    func others() async throws {
        let script: ScriptedServer.Script = { request, _ in
            guard let parsed = try? S3Request(request.head, domain: nil) else { return .close }
            switch parsed.operation {
            case .copyObject:
                guard parsed.headers["x-amz-copy-source"] == "/bucket/a%20b?versionId=v" else { return .close }
                return .answer(200, [], S3Documents.CopyResult(etag: "c", modified: 0).xml())
            case .deleteObjects:
                guard let request = try? S3Documents.DeleteRequest(xml: request.body), request.isQuiet else {
                    return .close
                }
                let failure = S3Documents.DeleteResult.Failure(
                    key: request.objects[0].key, code: "AccessDenied", message: "no")
                return .answer(200, [], S3Documents.DeleteResult(deleted: [], failures: [failure]).xml(isQuiet: true))
            case .deleteObject: return .answer(204)
            case .getBucketPolicy: return S3ClientTests.error(.noSuchBucketPolicy)
            default: return .close
            }
        }
        try await S3ClientTests.with({ $0.retries.attempts = 1 }, script: script) { client, server in
            let source = S3CopySource(bucket: "bucket", key: "a b", versionID: "v")
            #expect(try await client.copy(source, bucket: "bucket", key: "c").etag == "c")
            let failures = try await client.delete(bucket: "bucket", objects: (0..<1500).map { .init(key: "k\($0)") })
            #expect(failures.map(\.key) == ["k0", "k1000"])
            try await client.delete(bucket: "bucket", key: "k")
            #expect(try await client.document("policy", of: "bucket") == nil)
            #expect(server.requests.count == 5)
        }
    }

    /// Documents are put with their type and checksum, read, and deleted; a bucket is made where it is wanted.
    @Test func documentsOfBuckets() async throws {
        let cors = Array("<CORSConfiguration/>".utf8)
        let script: ScriptedServer.Script = { request, _ in
            guard let parsed = try? S3Request(request.head, domain: nil) else { return .close }
            switch parsed.operation {
            case .createBucket:
                let wanted = try? S3Documents.CreateBucketConfiguration(xml: request.body)
                return wanted?.location == "eu-west-1" ? .answer(200) : .close
            case .putBucketCORS:
                let isRight =
                    request.body == cors && parsed.headers["content-type"] == "application/xml"
                    && parsed.headers["x-amz-checksum-crc32"] == Base64Text.encode(S3Checksum.crc32.of(cors))
                return isRight ? .answer(200) : .close
            case .putBucketPolicy:
                return parsed.headers["content-type"] == "application/json" ? .answer(204) : .close
            case .getBucketCORS: return .answer(200, [], cors)
            case .getBucketTagging: return S3ClientTests.error(.noSuchBucket)
            case .getBucketLifecycle: return S3ClientTests.error(.noSuchLifecycleConfiguration)
            case .deletePublicAccessBlock: return .answer(204)
            default: return .close
            }
        }
        try await S3ClientTests.with({ $0.retries.attempts = 1 }, script: script) { client, server in
            try await client.createBucket("bucket", location: "eu-west-1")
            try await client.setDocument("cors", cors, of: "bucket")
            try await client.setDocument("policy", Array("{}".utf8), of: "bucket")
            #expect(try await client.document("cors", of: "bucket") == cors)
            #expect(try await client.document("lifecycle", of: "bucket") == nil)
            await #expect(throws: S3Error.self) { try await client.document("tagging", of: "bucket") }
            try await client.deleteDocument("publicAccessBlock", of: "bucket")
            #expect(server.requests.count == 7)
        }
    }
}
