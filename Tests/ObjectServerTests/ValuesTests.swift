// SPDX-License-Identifier: Apache-2.0
import NIOCore
import S3Protocol
import Testing

@testable import ObjectServer

@Suite("What requests say about objects")
struct ValuesTests {
    @Test("Nothing in a header's value can end its line")
    func headers() {
        var head = AnswerHead(200)
        head.add("Content-Disposition", "a\r\nSet-Cookie: x\u{0}\u{7F}é")
        head.add(metadata: "n\r\n", "v\t1")
        head.add("X-None", nil)
        var buffer = ByteBuffer()
        head.write(to: &buffer, id: "ID", date: "DATE", length: 5, closes: true, staysOpen: false)
        let text = String(buffer: buffer)
        #expect(
            text == "HTTP/1.1 200 OK\r\nx-amz-request-id: ID\r\nDate: DATE\r\nServer: Apus\r\n"
                + "Content-Disposition: a  Set-Cookie: x  é\r\nx-amz-meta-n  : v\t1\r\nContent-Length: 5\r\n"
                + "Connection: close\r\n\r\n")
    }

    @Test("Attributes of writes, and what is refused")
    func attributes() throws {
        let attributes = try RequestAttributes.read(
            S3Headers([
                ("content-type", "text/plain"), ("content-encoding", "aws-chunked,gzip"), ("x-amz-meta-a", "1"),
                ("x-amz-tagging", "k=v"),
            ]), owner: "me")
        #expect(attributes.contentEncoding == "gzip" && attributes.contentType == "text/plain")
        #expect(attributes.metadata.map(\.value) == ["1"] && attributes.tags.map(\.name) == ["k"])
        for (name, value) in [
            ("x-amz-server-side-encryption-customer-algorithm", "AES256"), ("x-amz-object-lock-mode", "GOVERNANCE"),
            ("x-amz-acl", "public-read"), ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-meta-a", String(repeating: "x", count: 2048)), ("x-amz-tagging", "a=1&a=2"),
            ("cache-control", String(repeating: "x", count: 5000)),
        ] {
            #expect(throws: S3Error.self, "\(name)") {
                try RequestAttributes.read(S3Headers([(name, value)]), owner: "")
            }
        }
        #expect(try RequestAttributes.condition(S3Headers([("if-none-match", "*")])) == .absent)
        #expect(try RequestAttributes.condition(S3Headers([("if-match", "\"e\"")])) == .matches("e"))
        #expect(try RequestAttributes.condition(S3Headers([])) == nil)
        #expect(throws: S3Error.self) { try RequestAttributes.condition(S3Headers([("if-none-match", "\"e\"")])) }
    }
}
