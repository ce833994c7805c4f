// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import S3Protocol

@Suite("Requests")
struct RequestTests {
    private static let routes: [(String, S3Operation)] = [
        ("GET /", .listBuckets), ("PUT /bucket", .createBucket), ("HEAD /bucket", .headBucket),
        ("DELETE /bucket/", .deleteBucket), ("GET /bucket?prefix=a", .listObjects),
        ("GET /bucket/?list-type=2", .listObjectsV2), ("GET /bucket?versions", .listVersions),
        ("GET /bucket?uploads&prefix=x", .listUploads), ("POST /bucket?delete", .deleteObjects),
        ("GET /bucket?location", .getBucketLocation), ("GET /bucket?versioning", .getBucketVersioning),
        ("PUT /bucket?versioning", .putBucketVersioning), ("PUT /bucket?policy", .putBucketPolicy),
        ("DELETE /bucket?cors", .deleteBucketCORS), ("GET /bucket?lifecycle", .getBucketLifecycle),
        ("GET /bucket?encryption", .getBucketEncryption), ("GET /bucket?policyStatus", .getBucketPolicyStatus),
        ("PUT /bucket?publicAccessBlock=", .putPublicAccessBlock), ("OPTIONS /bucket/key", .preflight),
        ("GET /bucket?tagging", .getBucketTagging), ("GET /bucket?acl", .getBucketACL),
        ("PUT /bucket/key", .putObject), ("GET /bucket/key?versionId=1", .getObject), ("HEAD /bucket/key", .headObject),
        ("DELETE /bucket/key", .deleteObject), ("GET /bucket/key?tagging", .getObjectTagging),
        ("PUT /bucket/key?tagging", .putObjectTagging), ("DELETE /bucket/key?tagging", .deleteObjectTagging),
        ("GET /bucket/key?attributes", .getObjectAttributes), ("POST /bucket/key?uploads", .createUpload),
        ("PUT /bucket/key?partNumber=1&uploadId=u", .uploadPart), ("GET /bucket/key?uploadId=u", .listParts),
        ("POST /bucket/key?uploadId=u", .completeUpload), ("DELETE /bucket/key?uploadId=u", .abortUpload),
        ("GET /bucket/key?response-content-type=a&partNumber=1", .getObject),
        ("GET /bucket/key?X-Amz-Signature=0", .getObject),
    ]

    private static func request(
        _ line: String, _ headers: [(name: String, value: String)] = [], domain: String? = nil
    ) throws(S3Error) -> S3Request {
        let parts = line.split(separator: " ", maxSplits: 1)
        return try S3Request(
            S3RequestHead(method: String(parts[0]), target: String(parts[1]), headers: headers), domain: domain)
    }

    private static func code(_ line: String) -> S3ErrorCode? {
        do throws(S3Error) {
            _ = try request(line)
            return nil
        } catch {
            return error.code
        }
    }

    @Test("Operations by method, path and query", arguments: routes)
    func operations(line: String, expected: S3Operation) throws {
        let request = try Self.request(line)
        #expect(request.operation == expected)
        #expect(request.action.hasPrefix("s3:"))
    }

    @Test("A copy's source makes a write a copy")
    func copies() throws {
        let source = [(name: "x-amz-copy-source", value: "/b/k")]
        #expect(try Self.request("PUT /bucket/key", source).operation == .copyObject)
        #expect(try Self.request("PUT /bucket/key?partNumber=1&uploadId=u", source).operation == .uploadPartCopy)
        let parsed = try S3CopySource(header: "/source-bucket/a%20b/c%3Fd?versionId=v%2B1")
        #expect(parsed == S3CopySource(bucket: "source-bucket", key: "a b/c?d", versionID: "v+1"))
        #expect(try S3CopySource(header: parsed.text) == parsed)
        #expect(try S3CopySource(header: "source-bucket/a?b").key == "a?b")
        for bad in ["", "/", "bucket", "bucket/", "/BUCKET/key", "bucket/%zz", "bucket/../../x"] {
            #expect(throws: S3Error.self) { try S3CopySource(header: bad) }
        }
    }

    @Test("Paths and hosts name buckets; keys are decoded once and never normalised")
    func addressing() throws {
        let path = try Self.request("GET /bucket/a%20b//c/./d/%2F%25+%C3%A9")
        #expect(path.bucket == "bucket" && path.key == "a b//c/./d//%+é")
        #expect(path.arn == "arn:aws:s3:::bucket/a b//c/./d//%+é")
        #expect(try Self.request("GET /bucket//x").key == "/x")
        #expect(try Self.request("GET http://host:9000/bucket/x").key == "x")
        func virtual(_ host: String, _ target: String) throws -> S3Request {
            try Self.request("GET " + target, [(name: "host", value: host)], domain: "s3.local")
        }
        let request = try virtual("my.bucket.S3.local:9000", "/a/b")
        #expect(request.bucket == "my.bucket" && request.key == "a/b")
        #expect(try virtual("my-bucket.s3.local", "/").operation == .listObjects)
        #expect(try virtual("s3.local", "/bucket/key").bucket == "bucket")
        #expect(try virtual("127.0.0.1:9000", "/bucket/key").bucket == "bucket")
        #expect(try virtual("[::1]:9000", "/bucket/key").bucket == "bucket")
        #expect(throws: S3Error.self) { try virtual("a..b.s3.local", "/key") }
    }

    private static let refusals: [(String, S3ErrorCode)] = [
        ("PATCH /bucket/key", .methodNotAllowed), ("POST /bucket/key", .methodNotAllowed), ("PUT /", .methodNotAllowed),
        ("POST /bucket", .notImplemented), ("GET /bucket?inventory", .notImplemented),
        ("PUT /bucket?website", .notImplemented), ("GET /bucket/key?torrent", .notImplemented),
        ("GET /UPPER/key", .invalidBucketName), ("GET /ab", .invalidBucketName), ("GET //key", .invalidBucketName),
        ("GET /bucket/%zz", .invalidURI), ("GET /bucket/%4", .invalidURI), ("GET /bucket/%ff", .invalidURI),
        ("GET /bucket/a%00b", .invalidURI), ("GET /bucket/..", .invalidURI), ("GET /bucket/../x", .invalidURI),
        ("GET /bucket/a/../../x", .invalidURI), ("GET /bucket/./../x", .invalidURI),
        ("GET /bucket/%2e%2e/x", .invalidURI), ("GET /bucket?prefix=%ff", .invalidURI), ("GET bucket", .invalidURI),
        ("GET *", .invalidURI), ("GET /bucket/" + String(repeating: "k", count: 1025), .keyTooLong),
        ("GET /bucket/" + String(repeating: "%C3%A9", count: 513), .keyTooLong),
    ]

    @Test("What is refused", arguments: refusals)
    func refused(line: String, expected: S3ErrorCode) { #expect(Self.code(line) == expected) }

    @Test("What looks odd and is allowed")
    func allowed() {
        for line in [
            "GET /bucket/a/..", "GET /bucket/a/../b", "GET /bucket/.hidden", "GET /bucket/...", "GET /bucket/a//../b",
            "GET /bucket/" + String(repeating: "k", count: 1024), "GET /bucket/%01%7F%F0%9F%90%A6",
        ] {
            #expect(Self.code(line) == nil, "\(line)")
        }
    }

    @Test("Names of buckets")
    func buckets() {
        func isValid(_ name: String) -> Bool { (try? S3Names.checkBucket(name)) != nil }
        for name in ["abc", "a.b", "my-bucket.1", "123", "1.2.3", String(repeating: "a", count: 63)] {
            #expect(isValid(name), "\(name)")
        }
        for name in [
            "", "ab", "Abc", "a_b", "-abc", "abc-", ".abc", "abc.", "a..b", "192.168.0.1", "xn--abc", "abc-s3alias",
            "abc--ol-s3", "a b", "a/b", "é23", String(repeating: "a", count: 64),
        ] {
            #expect(!isValid(name), "\(name)")
        }
    }

    @Test("Random targets are refused or understood")
    func fuzz() {
        var dice = Dice(state: 3)
        let alphabet = Array("/%?&=+.a0 Zé~\u{0}<".utf8)
        var understood = 0
        for _ in 0..<3000 {
            let bytes = (0..<Int.random(in: 0...40, using: &dice)).map { _ in alphabet.randomElement(using: &dice) ?? 0
            }
            let head = S3RequestHead(
                method: "GET", target: "/bucket/" + String(decoding: bytes, as: UTF8.self), headers: S3Headers())
            if let request = try? S3Request(head, domain: nil) {
                understood += 1
                #expect((request.key ?? "").utf8.count <= 1024)
            }
        }
        #expect(understood > 100)
    }

    @Test("Ranges")
    func ranges() throws {
        #expect(try ByteRange(header: "bytes=0-9")?.resolve(size: 100) == 0..<10)
        #expect(try ByteRange(header: "bytes=90-200")?.resolve(size: 100) == 90..<100)
        #expect(try ByteRange(header: "bytes=90-")?.resolve(size: 100) == 90..<100)
        #expect(try ByteRange(header: "bytes=-10")?.resolve(size: 100) == 90..<100)
        #expect(try ByteRange(header: "bytes=-200")?.resolve(size: 100) == 0..<100)
        #expect(try ByteRange(header: "bytes=0-9223372036854775807")?.resolve(size: 3) == 0..<3)
        for ignored in [
            "", "bytes", "bytes=-", "bytes=a-b", "bytes=9-0", "bytes=0-1,3-4", "lines=0-1", "bytes=+1-2",
            "bytes=99999999999999999999-",
        ] {
            #expect(ByteRange(header: ignored) == nil, "\(ignored)")
        }
        for (text, size) in [
            ("bytes=100-", 100), ("bytes=100-200", 100), ("bytes=-0", 100), ("bytes=0-", 0), ("bytes=-1", 0),
        ] {
            #expect(throws: S3Error.self) { try ByteRange(header: text)?.resolve(size: Int64(size)) }
        }
    }

    @Test("Conditions of reads and writes")
    func conditions() {
        let modified = Vectors.now * 1000 + 500
        func answer(_ headers: [(name: String, value: String)], isRead: Bool = true) -> S3Preconditions.Answer {
            S3Preconditions(S3Headers(headers)).answer(etag: "abc", modified: modified, isRead: isRead)
        }
        let same = "Fri, 24 May 2013 00:00:00 GMT"
        let before = "Thu, 23 May 2013 23:59:59 GMT"
        #expect(answer([]) == .proceed)
        #expect(answer([("if-match", "\"abc\"")]) == .proceed)
        #expect(answer([("if-match", "\"x\", \"abc\"")]) == .proceed)
        #expect(answer([("if-match", "x")]) == .failed("If-Match"))
        #expect(answer([("if-none-match", "*")]) == .notModified)
        #expect(answer([("if-none-match", "*")], isRead: false) == .failed("If-None-Match"))
        #expect(answer([("if-none-match", "\"x\"")]) == .proceed)
        #expect(answer([("if-modified-since", same)]) == .notModified)
        #expect(answer([("if-modified-since", before)]) == .proceed)
        #expect(answer([("if-unmodified-since", same)]) == .proceed)
        #expect(answer([("if-unmodified-since", before)]) == .failed("If-Unmodified-Since"))
        // RFC 9110: an entity tag goes before a date.
        #expect(answer([("if-match", "\"abc\""), ("if-unmodified-since", before)]) == .proceed)
        #expect(answer([("if-none-match", "\"x\""), ("if-modified-since", same)]) == .proceed)
    }

    @Test("Moments in their forms")
    func times() {
        #expect(S3Time.iso(milliseconds: 1_369_353_600_007) == "2013-05-24T00:00:00.007Z")
        #expect(S3Time.basic(seconds: Vectors.now + 3661) == "20130524T010101Z")
        #expect(S3Time.parse(basic: "20130524T000000Z") == Vectors.now)
        #expect(S3Time.http(seconds: Vectors.now) == "Fri, 24 May 2013 00:00:00 GMT")
        #expect(S3Time.parse(http: "Fri, 24 May 2013 00:00:00 GMT") == Vectors.now)
        #expect(S3Time.parse(http: "Friday, 24-May-13 00:00:00 GMT") == Vectors.now)
        #expect(S3Time.parse(http: "Sunday, 06-Nov-94 08:49:37 GMT") == 784_111_777)
        #expect(S3Time.parse(http: "Sun Nov  6 08:49:37 1994") == 784_111_777)
        for bad in ["20130230T000000Z", "20130524T240000Z", "2013-05-24T00:00:00Z", "20130524T00000Z", ""] {
            #expect(S3Time.parse(basic: bad) == nil, "\(bad)")
        }
    }
}
