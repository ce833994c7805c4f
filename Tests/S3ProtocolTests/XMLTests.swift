// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import S3Protocol

@Suite("XML")
struct XMLTests {
    private static func read(_ text: String, limits: XMLElement.Limits = .init()) throws(S3Error) -> XMLElement {
        try XMLElement(Array(text.utf8), limits: limits)
    }

    @Test("Elements, prefixes, white space, references and CDATA")
    func reads() throws {
        let root = try Self.read(
            """
            <?xml version="1.0" encoding="UTF-8"?>
            <!-- a comment -->
            <s3:Delete xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/" attribute="x">
              <s3:Key> a &amp; b &#x263A;&#10;<![CDATA[<&]]></s3:Key>
              <Empty/><Space> </Space>
            </s3:Delete>
            """)
        #expect(root.name == "Delete" && root.text.isEmpty && root.children.count == 3)
        #expect(root["Key"] == " a & b ☺\n<&")
        #expect(root["Empty"] == "" && root["Space"] == " ")
    }

    private static let bomb = """
        <!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><d>&b;</d>
        """
    private static let external = "<!DOCTYPE d [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><d>&x;</d>"
    private static let refusals = [
        "", " ", "text", "<a>", "<a></b>", "<a/><b/>", "<a>&unknown;</a>", "<a>&#0;</a>", "<a b=c/>", "<a>\u{1}</a>",
        "<!DOCTYPE a><a/>", bomb, external, "<?xml version=\"1.0\" encoding=\"no-such\"?><a/>",
        String(repeating: "<a>", count: 17) + String(repeating: "</a>", count: 17),
        "<a>" + String(repeating: "<b/>", count: 4096) + "</a>", "<a>" + String(repeating: "b", count: 65_536) + "</a>",
    ]

    @Test("What is not well formed, has a document type or is too much", arguments: refusals)
    func refused(text: String) {
        #expect { try Self.read(text) } throws: { error in (error as? S3Error)?.code == .malformedXML }
    }

    @Test("Bytes that are not UTF-8")
    func encoding() {
        #expect(throws: S3Error.self) { try XMLElement([0x3C, 0x61, 0x3E, 0xFF, 0xFE, 0x3C, 0x2F, 0x61, 0x3E]) }
    }

    @Test("Random changes of a document are refused or read")
    func fuzz() {
        let document = Array(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part></CompleteMultipartUpload>"
                .utf8)
        var dice = Dice(state: 5)
        var read = 0
        for _ in 0..<3000 {
            var bytes = document
            for _ in 0..<Int.random(in: 1...3, using: &dice) {
                let index = Int.random(in: 0..<bytes.count, using: &dice)
                switch Int.random(in: 0..<3, using: &dice) {
                case 0: bytes[index] = UInt8.random(in: 0...255, using: &dice)
                case 1: bytes.remove(at: index)
                default: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &dice)], at: index)
                }
            }
            if let upload = try? S3Documents.CompleteUpload(xml: bytes) {
                read += 1
                #expect(upload.parts.allSatisfy { (1...10_000).contains($0.number) })
            }
        }
        #expect(read > 10 && read < 2000)
    }

    @Test("What is written can be read, whatever the text")
    func written() throws {
        for text in ["plain", "a<b>&\"'", "é☺\u{1F426}", " spaces ", "line\nfeed\ttab\rreturn", "]]>"] {
            var writer = XMLWriter()
            writer.element("Root", namespace: XMLWriter.namespace) { $0.text("Text", text) }
            #expect(try XMLElement(writer.bytes)["Text"] == text)
        }
        var writer = XMLWriter()
        writer.element("Root") { $0.name("Key", "a b/é+\u{1}&", isEncoded: true) }
        #expect(try XMLElement(writer.bytes)["Key"] == "a%20b/%C3%A9%2B%01%26")
    }

    @Test("Errors, written and read")
    func errors() {
        let error = S3Error(
            .noSuchKey, "There is no <key>.", resource: "/bucket/a&b", details: [.init("Key", "a&b")])
        let read = S3Error(status: 404, xml: error.xml(requestID: "R1"), resource: "")
        #expect(read.code == .noSuchKey && read.message == "There is no <key>." && read.resource == "/bucket/a&b")
        #expect(read.details == [.init("Key", "a&b")] && read.requestID == "R1" && read.status == 404)
        let unknown = S3Error(status: 418, xml: Array("<Error><Code>Teapot</Code></Error>".utf8), resource: "/b")
        #expect(unknown.code == .unknown && unknown.name == "Teapot" && unknown.status == 418)
        let html = S3Error(status: 503, xml: Array("<html>busy".utf8), resource: "/b")
        #expect(html.code == .serviceUnavailable && html.resource == "/b")
        #expect(Set(S3ErrorCode.allCases.map(\.rawValue)).count == S3ErrorCode.allCases.count)
    }
}
