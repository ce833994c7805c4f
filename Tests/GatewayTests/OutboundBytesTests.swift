// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Testing

@testable import Gateway

struct OutboundBytesTests {
    @Test func smallPiecesGoTogetherAndLargeOnesDoNot() {
        var outbound = OutboundBytes()
        let nothing = outbound.take()
        #expect(nothing == nil)
        outbound.buffer.writeString("head ")
        let isSmallIn = outbound.add(ByteBuffer(string: "body"))
        let isLargeIn = outbound.add(ByteBuffer(repeating: 0, count: 5000))
        #expect(isSmallIn && !isLargeIn)
        let (all, rest) = (outbound.take(), outbound.take())
        #expect(all == ByteBuffer(string: "head body") && rest == nil)
    }

    /// What is written while bytes are on their way out comes after them, whatever memory it is in.
    @Test func memoryThatIsUsedAgainHasNothingOfBefore() {
        var outbound = OutboundBytes()
        outbound.buffer.writeString("first")
        var said: [String] = []
        for text in ["second", "3"] {
            guard let bytes = outbound.take() else { break }
            outbound.buffer.writeString(text)
            said.append(String(buffer: bytes))
            outbound.reuse(bytes)
            // Who still has the bytes keeps them.
            #expect(String(buffer: bytes) == said.last)
        }
        said += outbound.take().map { [String(buffer: $0)] } ?? []
        #expect(said == ["first", "second", "3"])
    }
}

struct HeaderFieldsTests {
    @Test func listsAreReadInPieces() {
        var fields = HeaderFields()
        fields.add("Connection", " ,x ,\tClose\t,")
        fields.add("connection", "KEEP-ALIVE")
        for token: StaticString in ["x", "close", "keep-alive"] { #expect(fields.lists(token, in: .connection)) }
        for token: StaticString in ["", "clos", "keep", "x ", "close "] {
            #expect(!fields.lists(token, in: .connection))
        }
        #expect(!fields.lists("close", in: .te))
    }

    @Test(arguments: [
        ("Connection", FieldName.connection), ("keep-alive", .keepAlive), ("Proxy-Connection", .proxyConnection),
        ("TRANSFER-ENCODING", .transferEncoding), ("Te", .te), ("trailer", .trailer), ("upgrade", .upgrade),
        ("proxy-authenticate", .proxyAuthenticate), ("proxy-authorization", .proxyAuthorization), ("HOST", .host),
        ("content-length", .contentLength), ("Content-Type", .contentType), ("expect", .expect), ("cookie", .cookie),
        ("authorization", .authorization), ("x-forwarded-for", .forwardedFor), ("X-Forwarded-Proto", .forwardedProto),
        ("x-forwarded-host", .forwardedHost), ("", .other), ("hosts", .other), ("content-typ\u{1}", .other),
        ("[ost", .other),
    ])
    func knownNames(text: String, name: FieldName) {
        var fields = HeaderFields()
        fields.add(text, "v")
        #expect(fields.fields.map(\.name) == [name])
    }
}
