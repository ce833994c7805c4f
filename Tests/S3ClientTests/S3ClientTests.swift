// SPDX-License-Identifier: Apache-2.0
import Crypto
import NIOCore
import S3Protocol
import ScriptedHTTP
import Synchronization
import Testing

@testable import S3Client

extension ScriptedServer.Request {
    /// As S3 reads it.
    var head: S3RequestHead { S3RequestHead(method: method, target: target, headers: S3Headers(headers)) }
}

@Suite("S3 client")
struct S3ClientTests {
    static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    static let now: Int64 = 1_369_353_600
    static let dropped = [("etag", "\"e\"")]

    /// Runs with a server that checks every request's signature and body before its script is asked.
    static func with(
        addressing: S3ClientConfiguration.Addressing = .path,
        _ change: (inout S3ClientConfiguration) -> Void = { _ in }, script: @escaping ScriptedServer.Script,
        _ body: (S3Client, ScriptedServer) async throws -> Void
    ) async throws {
        let server = try await ScriptedServer.start { request, number in
            do throws(S3Error) {
                let verifier = try SigV4.Verifier(request.head, now: now)
                try verifier.check(secret: secret, region: "us-east-1")
                guard verifier.payload == .signed(sha256: Array(SHA256.hash(data: request.body))) else {
                    throw S3Error(.contentSHA256Mismatch, "the body is another one")
                }
            } catch {
                return .answer(error.status, [], error.xml(requestID: "r"))
            }
            return script(request, number)
        }
        var configuration = S3ClientConfiguration(
            endpoint: server.endpoint,
            credentials: .init(accessKey: "AKIAIOSFODNN7EXAMPLE", secret: secret), addressing: addressing)
        configuration.retries.base = .milliseconds(1)
        configuration.retries.maximum = .milliseconds(4)
        configuration.connectTimeout = .seconds(60)
        change(&configuration)
        let client = try S3Client(configuration, clock: { now })
        do {
            try await body(client, server)
        } catch {
            try await client.shutdown()
            try await server.stop()
            throw error
        }
        try await client.shutdown()
        try await server.stop()
    }

    static func error(_ code: S3ErrorCode) -> ScriptedServer.Reply {
        .answer(code.status, [], S3Error(code, "as the script says").xml(requestID: "r"))
    }

    /// The code of what a call throws.
    static func code(_ body: () async throws -> Void) async -> S3ErrorCode? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? S3Error)?.code
        }
    }

    @Test("Writes carry body, type, metadata and condition; keys of every kind are signed right")
    func puts() async throws {
        try await Self.with(script: { _, _ in .answer(200, [("ETag", "\"e1\""), ("x-amz-version-id", "v1")]) }) {
            client, server in
            for key in ["plain", "a b+c%2F/../x//é~*'()!$&=:,;@?#", "/lead", "trail/", "目录/файл"] {
                let result = try await client.put(
                    Array("hello".utf8), bucket: "bucket", key: key,
                    options: .init(contentType: "text/plain", metadata: ["Name": "value"]))
                #expect(result == S3WriteResult(etag: "e1", versionID: "v1"))
                let request = try #require(server.requests.last)
                let parsed = try S3Request(request.head, domain: nil)
                #expect(parsed.bucket == "bucket" && parsed.key == key && parsed.operation == .putObject)
                #expect(request.body == Array("hello".utf8))
                #expect(parsed.headers["content-type"] == "text/plain" && parsed.headers["x-amz-meta-name"] == "value")
                #expect(parsed.headers["if-none-match"] == nil)
            }
            try await client.put([UInt8](), bucket: "bucket", key: "empty", options: .init(condition: .absent))
            #expect(server.requests.last?.head.headers["if-none-match"] == "*")
            #expect(server.requests.last?.head.headers["content-length"] == "0")
            try await client.put([1], bucket: "bucket", key: "k", options: .init(condition: .matches("abc")))
            #expect(server.requests.last?.head.headers["if-match"] == "\"abc\"")
        }
    }

    @Test("Busy servers and lost connections are asked again; other failures are not")
    func retries() async throws {
        for reply in [
            Self.error(.slowDown), Self.error(.internalError), Self.error(.conditionalRequestConflict), .close,
            .answer(502), .answer(429),
        ] {
            try await Self.with(script: { _, number in number < 3 ? reply : .answer(200, Self.dropped) }) {
                client, server in
                try await client.put([1, 2, 3], bucket: "bucket", key: "key")
                #expect(server.requests.count == 3)
            }
        }
        try await Self.with({ $0.retries.attempts = 3 }, script: { _, _ in Self.error(.serviceUnavailable) }) {
            client, server in
            #expect(
                await S3ClientTests.code { _ = try await client.put([1], bucket: "bucket", key: "key") }
                    == .serviceUnavailable)
            #expect(server.requests.count == 3)
        }
        for code in [S3ErrorCode.accessDenied, .noSuchBucket, .preconditionFailed, .notImplemented] {
            try await Self.with(script: { _, _ in Self.error(code) }) { client, server in
                #expect(
                    await S3ClientTests.code { _ = try await client.put([1], bucket: "bucket", key: "key") } == code)
                #expect(server.requests.count == 1)
            }
        }
    }

    @Test("A server that is not there is said to be so")
    func unreachable() async throws {
        // A port that nobody is given by chance, as the port of a server that has stopped may be.
        var configuration = S3ClientConfiguration(endpoint: "http://127.0.0.1:1", credentials: nil)
        configuration.retries.attempts = 2
        configuration.retries.base = .milliseconds(1)
        let client = try S3Client(configuration)
        #expect(
            await S3ClientTests.code { _ = try await client.get(bucket: "bucket", key: "key") } == .connectionFailed)
        try await client.shutdown()
        for bad in ["", "127.0.0.1:9000", "ftp://host", "http://", "http://host/path", "http://user@host"] {
            #expect(throws: S3Error.self) { try S3Client(.init(endpoint: bad, credentials: nil)) }
        }
    }

    @Test("A conditional write whose answer was lost knows its own work")
    func ownWrite() async throws {
        let token = Mutex("")
        let script: ScriptedServer.Script = { request, number in
            if request.head.method == "HEAD" {
                return .answer(200, [("ETag", "\"mine\""), ("x-amz-meta-apus-write", token.withLock { $0 })])
            }
            if number == 1 {
                token.withLock { $0 = request.head.headers["x-amz-meta-apus-write"] ?? "" }
                return .close
            }
            return Self.error(.preconditionFailed)
        }
        try await Self.with(script: script) { client, server in
            let result = try await client.put([1], bucket: "bucket", key: "key", options: .init(condition: .absent))
            #expect(result.etag == "mine" && server.requests.map(\.head.method) == ["PUT", "PUT", "HEAD"])
        }
        // Another's object in its place is a failure.
        let other: ScriptedServer.Script = { request, number in
            if request.head.method == "HEAD" { return .answer(200, [("x-amz-meta-apus-write", "other")]) }
            return number == 1 ? .close : Self.error(.preconditionFailed)
        }
        try await Self.with(script: other) { client, _ in
            #expect(
                await S3ClientTests.code {
                    _ = try await client.put([1], bucket: "bucket", key: "key", options: .init(condition: .absent))
                } == .preconditionFailed)
        }
    }

    @Test("A read goes on where its connection broke")
    func resumes() async throws {
        let body = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let script: ScriptedServer.Script = { request, number in
            let range = request.head.headers["range"].flatMap { ByteRange(header: $0) }
            let part = (try? range?.resolve(size: 200_000)) ?? 0..<200_000
            let bytes = Array(body[Int(part.lowerBound)..<Int(part.upperBound)])
            var headers = [
                ("ETag", "\"e\""), ("Last-Modified", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-meta-a", "b"),
            ]
            if range != nil {
                headers.append(("Content-Range", "bytes \(part.lowerBound)-\(part.upperBound - 1)/200000"))
            }
            let status = range == nil ? 200 : 206
            return number < 4
                ? .cut(status, headers, bytes, after: 10_000 * number) : .answer(status, headers, bytes)
        }
        try await Self.with(script: script) { client, server in
            let stream = try await client.get(bucket: "bucket", key: "key")
            #expect(stream.info.size == 200_000 && stream.info.etag == "e" && stream.info.metadata == ["a": "b"])
            #expect(stream.info.modified == Self.now * 1000)
            #expect(try await stream.bytes() == body)
            #expect(server.requests.count == 4)
            #expect(server.requests.dropFirst().allSatisfy { $0.head.headers["if-match"] == "\"e\"" })
            let part = try await client.get(bucket: "bucket", key: "key", range: .closed(100, 199))
            #expect(part.length == 100 && part.info.size == 200_000)
            #expect(try await part.bytes() == Array(body[100..<200]))
            await #expect(throws: S3Error.self) {
                try await client.get(bucket: "bucket", key: "key").bytes(maximum: 1000)
            }
        }
    }

    @Test("Failures of reads")
    func readFailures() async throws {
        try await Self.with(script: { _, _ in .answer(404) }) { client, _ in
            let info = try await client.info(bucket: "bucket", key: "key")
            let hasBucket = try await client.hasBucket("bucket")
            #expect(info?.key == nil && !hasBucket)
            #expect(await S3ClientTests.code { _ = try await client.head(bucket: "bucket", key: "key") } == .noSuchKey)
        }
        try await Self.with(script: { _, _ in .answer(304) }) { client, _ in
            #expect(
                await S3ClientTests.code { _ = try await client.get(bucket: "bucket", key: "key", ifNoneMatch: "e") }
                    == .notModified)
        }
    }

    @Test("A listing goes through its pages")
    func lists() async throws {
        let script: ScriptedServer.Script = { request, _ in
            guard let parsed = try? S3Request(request.head, domain: nil) else { return .close }
            let first = Int(parsed.query["continuation-token"] ?? "0") ?? 0
            let page = S3Documents.ListObjectsResult(
                bucket: "bucket", prefix: "", delimiter: nil, maximum: 1000, isTruncated: first < 20, isEncoded: true,
                objects: (first..<(first + 10)).map { .init(key: "k +\($0)", modified: 0, etag: "e", size: Int64($0)) },
                prefixes: first == 20 ? ["p/"] : [],
                version: .two(token: nil, next: first < 20 ? String(first + 10) : nil, startAfter: nil))
            return .answer(200, [], page.xml())
        }
        try await Self.with(script: script) { client, server in
            var keys: [String] = []
            var prefixes: [String] = []
            for try await element in client.list(bucket: "bucket", prefix: "a b", delimiter: "/") {
                switch element {
                case .object(let object): keys.append(object.key)
                case .prefix(let prefix): prefixes.append(prefix)
                }
            }
            #expect(keys == (0..<30).map { "k +\($0)" } && prefixes == ["p/"])
            #expect(server.requests.count == 3)
        }
    }

    @Test("Virtual hosts, presigned URLs, anonymous requests")
    func addressing() async throws {
        var configuration = S3ClientConfiguration(
            endpoint: "https://s3.example.com:443/", credentials: .init(accessKey: "a", secret: "b"),
            addressing: .virtualHost)
        let client = try S3Client(configuration, clock: { Self.now })
        let head = client.head(S3Call("GET", bucket: "bucket", key: "a b"))
        #expect(head.headers["host"] == "bucket.s3.example.com" && head.target == "/a%20b")
        let url = try client.presign("GET", bucket: "bucket", key: "a b", expires: .seconds(60))
        #expect(url.hasPrefix("https://bucket.s3.example.com/a%20b?X-Amz-Algorithm="))
        let target = String(url.dropFirst("https://bucket.s3.example.com".count))
        let signed = S3RequestHead(
            method: "GET", target: target, headers: [(name: "host", value: "bucket.s3.example.com")])
        try SigV4.Verifier(signed, now: Self.now + 60).check(secret: "b")
        try await client.shutdown()
        configuration.credentials = nil
        let anonymous = try S3Client(configuration)
        #expect(throws: S3Error.self) { try anonymous.presign("GET", bucket: "b", key: "k", expires: .seconds(1)) }
        try await anonymous.shutdown()
    }
}
