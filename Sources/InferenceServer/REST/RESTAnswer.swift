// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceProtocol
import NIOCore

/// An answer before it is sent.
struct RESTAnswer: Sendable {
    /// Bytes before a body that its head is written to, so that both are one buffer.
    static let headRoom = 512

    var status = 200
    var contentType: StaticString = "application/json"
    /// A type that is not known before.
    var contentText: String?
    /// Its first `headRoom` bytes are free; the reader's index is behind them.
    var body: ByteBuffer
    /// `Inference-Header-Content-Length`.
    var headerLength: Int?
    var encoding: BodyCoding?
    /// Further headers; few.
    var headers: [(String, String)] = []

    init(status: Int = 200, contentType: StaticString = "application/json", body: ByteBuffer) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// A buffer for a body, with room for the head before it.
    static func buffer(_ allocator: ByteBufferAllocator, capacity: Int) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: headRoom + capacity)
        buffer.moveWriterIndex(forwardBy: headRoom)
        buffer.moveReaderIndex(forwardBy: headRoom)
        return buffer
    }

    init(status: Int = 200, contentType: StaticString = "application/json", text: String) {
        var body = Self.buffer(ByteBufferAllocator(), capacity: text.utf8.count)
        body.writeString(text)
        self.init(status: status, contentType: contentType, body: body)
    }

    init(status: Int = 200, contentType: StaticString = "application/json", bytes: [UInt8]) {
        var body = Self.buffer(ByteBufferAllocator(), capacity: bytes.count)
        body.writeBytes(bytes)
        self.init(status: status, contentType: contentType, body: body)
    }

    init(status: Int = 200, json: JSONValue) { self.init(status: status, bytes: json.encoded) }

    /// `{"error": …}`, with the status of the fault.
    init(_ fault: InferenceFault) {
        self.init(status: FaultStatus.http(fault), json: ["error": .string(fault.description)])
        if let wait = fault.retryAfter {
            let seconds = max(1, wait.components.seconds + (wait.components.attoseconds > 0 ? 1 : 0))
            headers.append(("Retry-After", String(seconds)))
        } else if status == 429 || status == 503 {
            headers.append(("Retry-After", "1"))
        } else if status == 401 {
            headers.append(("WWW-Authenticate", "Bearer"))
        }
    }

    /// Head and body in one buffer.
    /// - Parameters:
    ///   - isHead: whether the body is left away.
    ///   - connection: what the header `Connection` says; empty: nothing.
    /// - Returns: what is written.
    consuming func bytes(isHead: Bool, connection: StaticString) -> ByteBuffer {
        var head = HeadText()
        head.append("HTTP/1.1 ")
        head.append(Self.statusLine(status))
        if status != 204 {
            if let contentText {
                head.append("Content-Type", contentText)
            } else {
                head.append("\r\nContent-Type: ")
                head.append(contentType)
            }
        }
        head.append("\r\nContent-Length: ")
        head.append(number: body.readableBytes)
        if let headerLength {
            head.append("\r\nInference-Header-Content-Length: ")
            head.append(number: headerLength)
        }
        if let encoding {
            head.append("\r\nContent-Encoding: ")
            head.append(encoding.name)
            head.append("\r\nVary: Accept-Encoding")
        }
        if connection.utf8CodeUnitCount > 0 {
            head.append("\r\nConnection: ")
            head.append(connection)
        }
        for (name, value) in headers { head.append(name, value) }
        head.append("\r\n\r\n")
        if isHead { body.clear() }
        guard !isHead, head.count <= body.readerIndex else {
            var whole = ByteBuffer(bytes: head.bytes)
            whole.writeBuffer(&body)
            return whole
        }
        let start = body.readerIndex - head.count
        body.setBytes(head.bytes, at: start)
        body.moveReaderIndex(to: start)
        return body
    }

    private static func statusLine(_ status: Int) -> StaticString {
        switch status {
        case 200: "200 OK"
        case 400: "400 Bad Request"
        case 401: "401 Unauthorized"
        case 403: "403 Forbidden"
        case 404: "404 Not Found"
        case 405: "405 Method Not Allowed"
        case 408: "408 Request Timeout"
        case 413: "413 Content Too Large"
        case 415: "415 Unsupported Media Type"
        case 424: "424 Failed Dependency"
        case 429: "429 Too Many Requests"
        case 431: "431 Request Header Fields Too Large"
        case 499: "499 Client Closed Request"
        case 501: "501 Not Implemented"
        case 503: "503 Service Unavailable"
        case 504: "504 Gateway Timeout"
        default: "500 Internal Server Error"
        }
    }
}

/// The bytes of a head.
private struct HeadText {
    private(set) var bytes: [UInt8] = []
    var count: Int { bytes.count }

    init() { bytes.reserveCapacity(256) }

    mutating func append(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(number: Int) { bytes.append(contentsOf: number.description.utf8) }

    /// A header whose value may come from outside: line ends are left away.
    mutating func append(_ name: String, _ value: String) {
        append("\r\n")
        bytes.append(contentsOf: name.utf8)
        append(": ")
        bytes.append(contentsOf: value.utf8.lazy.filter { $0 >= 0x20 && $0 != 0x7F })
    }
}
