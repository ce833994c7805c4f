// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1

/// What a request's head says of its body, checked.
struct BodyFraming {
    /// Nil where it comes in chunks.
    var length: Int?

    /// - Throws: `400` for framings that two servers could understand differently (RFC 9112, sections 6.1 and 6.3), `413`.
    init(_ head: HTTPRequestHead, limit: Int) throws(RESTRefusal) {
        let lengths = head.headers["content-length"]
        let codings = head.headers["transfer-encoding"]
        guard lengths.count <= 1, codings.count <= 1, lengths.isEmpty || codings.isEmpty else {
            throw RESTRefusal(400, "the body's length has to be said once: by Content-Length or by chunks")
        }
        if head.version.major == 1, head.version.minor >= 1, head.headers["host"].count != 1 {
            throw RESTRefusal(400, "the header Host has to be there, once")
        }
        if let coding = codings.first {
            guard coding.lowercased() == "chunked", head.version.minor >= 1 else {
                throw RESTRefusal(400, "the only transfer coding that is read is chunked, of HTTP/1.1")
            }
            return
        }
        guard let text = lengths.first else {
            length = 0
            return
        }
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") <= 9 }) else {
            throw RESTRefusal(400, "Content-Length has to be a number")
        }
        guard let value = Int(text), value <= limit else {
            throw RESTRefusal(413, "the body has \(text.prefix(24)) bytes, \(limit) are taken")
        }
        length = value
    }
}
