// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import S3Protocol

@Suite("Documents")
struct DocumentTests {
    private func xml(_ text: String) -> [UInt8] { Array(text.utf8) }

    private func code(_ body: () throws -> Void) -> S3ErrorCode? {
        do {
            try body()
            return nil
        } catch {
            return (error as? S3Error)?.code
        }
    }

    @Test("Bucket settings survive being written and read")
    func buckets() throws {
        for status in [S3Documents.VersioningConfiguration.Status.enabled, .suspended] {
            let value = S3Documents.VersioningConfiguration(status: status)
            #expect(try S3Documents.VersioningConfiguration(xml: value.xml()) == value)
        }
        #expect(
            code { _ = try S3Documents.VersioningConfiguration(xml: xml("<VersioningConfiguration/>")) }
                == .malformedXML)
        #expect(try S3Documents.CreateBucketConfiguration(xml: []).location == nil)
        let located = S3Documents.CreateBucketConfiguration(location: "eu-west-1")
        #expect(try S3Documents.CreateBucketConfiguration(xml: located.xml()) == located)
        var block = S3Documents.PublicAccessBlock()
        block.blockPublicPolicy = true
        #expect(try S3Documents.PublicAccessBlock(xml: block.xml()) == block)
        let controls = S3Documents.OwnershipControls(.enforced)
        #expect(try S3Documents.OwnershipControls(xml: controls.xml()) == controls)
    }

    @Test("Tags, in documents and headers")
    func tags() throws {
        let value = S3Documents.Tagging([.init(key: "a", value: "1 & 2"), .init(key: "é", value: "")])
        #expect(try S3Documents.Tagging(xml: value.xml(), maximum: 10) == value)
        #expect(try S3Documents.Tagging(header: "a=1+%26+2&%C3%A9=") == value)
        let many = S3Documents.Tagging((0..<11).map { .init(key: "k\($0)", value: "v") })
        #expect(code { _ = try S3Documents.Tagging(xml: many.xml(), maximum: 10) } == .invalidTag)
        #expect(try S3Documents.Tagging(xml: many.xml(), maximum: 50) == many)
        for header in [
            "a=1&a=2", "=1", "aws:a=1", String(repeating: "k", count: 129) + "=1",
            "a=" + String(repeating: "v", count: 257),
        ] {
            #expect(code { _ = try S3Documents.Tagging(header: header) } == .invalidTag, "\(header)")
        }
        #expect(code { _ = try S3Documents.Tagging(header: "a=%zz") } == .invalidArgument)
    }

    @Test("Deleting many")
    func delete() throws {
        let request = S3Documents.DeleteRequest(
            [.init(key: " a&<b> "), .init(key: "c", versionID: "v1"), .init(key: "d", etag: "e")], isQuiet: true)
        #expect(try S3Documents.DeleteRequest(xml: request.xml()) == request)
        let full = S3Documents.DeleteRequest((0..<1000).map { .init(key: "k\($0)", versionID: "v") })
        #expect(try S3Documents.DeleteRequest(xml: full.xml()).objects.count == 1000)
        let over = S3Documents.DeleteRequest((0..<1001).map { .init(key: "k\($0)") })
        #expect(code { _ = try S3Documents.DeleteRequest(xml: over.xml()) } == .malformedXML)
        for text in [
            "<Delete/>", "<Delete><Object/></Delete>", "<Delete><Object><Key/></Object></Delete>",
            "<Delete><Other/></Delete>", "<Del/>",
        ] {
            #expect(code { _ = try S3Documents.DeleteRequest(xml: xml(text)) } == .malformedXML, "\(text)")
        }
        let result = S3Documents.DeleteResult(
            deleted: [.init(key: "a", versionID: nil, markerVersionID: "m")],
            failures: [.init(key: "b", versionID: "v", code: "AccessDenied", message: "no")])
        #expect(try S3Documents.DeleteResult(xml: result.xml(isQuiet: false)) == result)
        #expect(try S3Documents.DeleteResult(xml: result.xml(isQuiet: true)).deleted.isEmpty)
    }

    @Test("Uploads")
    func uploads() throws {
        let value = S3Documents.CompleteUpload([
            .init(number: 1, etag: "a", checksums: [.crc32c: "AAAAAA=="]), .init(number: 10_000, etag: "b"),
        ])
        #expect(try S3Documents.CompleteUpload(xml: value.xml()) == value)
        let full = S3Documents.CompleteUpload(
            (1...10_000).map { .init(number: $0, etag: String(repeating: "e", count: 32)) })
        #expect(try S3Documents.CompleteUpload(xml: full.xml()).parts.count == 10_000)
        func part(_ numbers: String...) -> [UInt8] {
            xml(
                "<CompleteMultipartUpload>"
                    + numbers.map { "<Part><PartNumber>\($0)</PartNumber><ETag>e</ETag></Part>" }.joined()
                    + "</CompleteMultipartUpload>")
        }
        #expect(code { _ = try S3Documents.CompleteUpload(xml: part("2", "1")) } == .invalidPartOrder)
        #expect(code { _ = try S3Documents.CompleteUpload(xml: part("1", "1")) } == .invalidPartOrder)
        for bad in ["0", "10001", "x", "-1", "99999999999999999999"] {
            #expect(code { _ = try S3Documents.CompleteUpload(xml: part(bad)) } == .malformedXML, "\(bad)")
        }
        #expect(code { _ = try S3Documents.CompleteUpload(xml: part()) } == .malformedXML)
        let begun = S3Documents.InitiateUpload(bucket: "b", key: "k&", uploadID: "u")
        #expect(try S3Documents.InitiateUpload(xml: begun.xml()) == begun)
        let failed = S3Error(.internalError, "later").xml(requestID: "r")
        #expect(code { _ = try S3Documents.CompleteUploadResult(xml: failed) } == .internalError)
        let copied = S3Documents.CopyResult(etag: "e", modified: 1_369_353_600_000)
        #expect(try S3Documents.CopyResult(xml: copied.xml()) == copied)
        #expect(try S3Documents.CopyResult(xml: copied.xml(isPart: true)) == copied)
    }

    @Test("Listings of both versions, with names of every kind", arguments: [true, false])
    func listings(isEncoded: Bool) throws {
        let objects: [S3Documents.ObjectEntry] = [
            .init(key: "a b+c/é&<>", modified: 1_369_353_600_123, etag: "e-2", size: 5 << 40),
            .init(key: "z", modified: 0, etag: "e", size: 0),
        ]
        for version in [
            S3Documents.ListObjectsResult.Version.two(token: nil, next: "n", startAfter: "a+"),
            .one(marker: "m &", next: "n+"),
        ] {
            let page = S3Documents.ListObjectsResult(
                bucket: "bucket", prefix: "a b", delimiter: "/", maximum: 2, isTruncated: true, isEncoded: isEncoded,
                objects: objects, prefixes: ["p+/", "q/"], version: version)
            let read = try S3Documents.ListObjectsResult(xml: page.xml())
            #expect(read.objects == objects && read.prefixes == ["p+/", "q/"] && read.version == version)
            #expect(read.isTruncated && read.prefix == "a b" && read.delimiter == "/" && read.maximum == 2)
        }
    }

    @Test("CORS: the first rule that matches answers")
    func cors() throws {
        let text = """
            <CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin>
            <AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader><AllowedHeader>Content-Type</AllowedHeader>
            <ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>300</MaxAgeSeconds></CORSRule>
            <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>
            """
        let value = try S3Documents.CORSConfiguration(xml: xml(text))
        #expect(try S3Documents.CORSConfiguration(xml: value.xml()) == value)
        func answer(_ origin: String, _ method: String, _ headers: [String]? = nil) -> [String: String]? {
            value.answer(origin: origin, method: method, requestHeaders: headers).map { fields in
                Dictionary(fields.map { ($0.name, $0.value) }) { first, _ in first }
            }
        }
        let put = answer("https://a.example.com", "PUT", ["X-Amz-Date", "content-type"])
        #expect(put?["access-control-allow-origin"] == "https://a.example.com")
        #expect(put?["access-control-allow-headers"] == "x-amz-date, content-type")
        #expect(put?["access-control-expose-headers"] == "ETag" && put?["access-control-max-age"] == "300")
        #expect(answer("https://a.example.com", "PUT", ["authorization"]) == nil)
        #expect(answer("https://example.org", "PUT") == nil)
        #expect(answer("https://example.com", "PUT") == nil)
        #expect(answer("anything", "GET")?["access-control-allow-origin"] == "*")
        #expect(answer("anything", "DELETE") == nil)
        for (bad, expected) in [
            ("<CORSConfiguration/>", S3ErrorCode.malformedXML),
            (
                "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>",
                .malformedXML
            ),
            (
                "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>PATCH</AllowedMethod></CORSRule></CORSConfiguration>",
                .invalidRequest
            ),
            (
                "<CORSConfiguration><CORSRule><AllowedOrigin>*.*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>",
                .invalidRequest
            ),
        ] {
            #expect(code { _ = try S3Documents.CORSConfiguration(xml: xml(bad)) } == expected, "\(bad)")
        }
    }

    private func rule(_ content: String) -> [UInt8] {
        xml("<LifecycleConfiguration><Rule><Status>Enabled</Status>\(content)</Rule></LifecycleConfiguration>")
    }

    @Test("Lifecycle rules: what they are about, and when")
    func lifecycle() throws {
        let and = """
            <ID>r</ID><Filter><And><Prefix>logs/</Prefix><Tag><Key>t</Key><Value>v</Value></Tag>
            <ObjectSizeGreaterThan>10</ObjectSizeGreaterThan></And></Filter><Expiration><Days>3</Days></Expiration>
            <NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>
            """
        let value = try S3Documents.LifecycleConfiguration(xml: rule(and))
        #expect(try S3Documents.LifecycleConfiguration(xml: value.xml()) == value)
        let first = try #require(value.rules.first)
        let tag = S3Documents.Tag(key: "t", value: "v")
        #expect(first.matches(key: "logs/a", size: 11, tags: [tag]))
        #expect(!first.matches(key: "logs/a", size: 10, tags: [tag]))
        #expect(!first.matches(key: "log/a", size: 11, tags: [tag]))
        #expect(!first.matches(key: "logs/a", size: 11, tags: []))
        // S3 rounds up to the next midnight.
        let made = Vectors.now * 1000 + 1
        #expect(first.expiry(made: made) == (Vectors.now + 4 * 86_400) * 1000)
        #expect(first.expiry(made: made - 1) == (Vectors.now + 3 * 86_400) * 1000)
        #expect(first.noncurrentExpiry(since: made) == (Vectors.now + 2 * 86_400) * 1000)
        #expect(value.expiry(key: "logs/a", size: 11, tags: [tag], made: made)?.ruleID == "r")
        for content in [
            "<Prefix>a</Prefix><Expiration><Date>2030-01-01T00:00:00Z</Date></Expiration>",
            "<Filter/><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
            "<Filter><Prefix/></Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
            "<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter><Expiration><Days>1</Days></Expiration>",
        ] {
            let value = try S3Documents.LifecycleConfiguration(xml: rule(content))
            #expect(try S3Documents.LifecycleConfiguration(xml: value.xml()) == value, "\(content)")
        }
        let refusals: [(String, S3ErrorCode)] = [
            ("<Filter/>", .invalidRequest), ("<Expiration><Days>1</Days></Expiration>", .malformedXML),
            ("<Filter/><Expiration><Days>0</Days></Expiration>", .invalidArgument),
            ("<Filter/><Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>", .invalidArgument),
            ("<Filter/><Transition><Days>1</Days></Transition>", .notImplemented),
            ("<Filter/><Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>", .malformedXML),
            ("<Filter/><Unknown/>", .malformedXML),
        ]
        for (content, expected) in refusals {
            #expect(code { _ = try S3Documents.LifecycleConfiguration(xml: rule(content)) } == expected, "\(content)")
        }
    }
}
