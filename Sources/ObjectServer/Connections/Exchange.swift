// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1
import Synchronization

/// One request and its answer on a connection. One task uses it.
final class Exchange {
    /// The request's head, as it came.
    let head: HTTPRequestHead
    /// Tells this request from others, in answers and logs.
    let id: String
    /// Bytes of the body that were announced; nil where it comes in pieces of unknown number.
    let contentLength: Int64?
    private let connection: ClientConnection
    private let configuration: ObjectServerConfiguration
    private let seconds: Int64
    private let isLast: @Sendable () -> Bool
    private var expectsContinue: Bool
    /// Whether all of the body has been read.
    private(set) var bodyIsOver = false
    /// Whether the answer's head is out: it cannot become an error any more.
    private(set) var headIsSent = false
    /// Whether the connection ends after the answer.
    private(set) var closes: Bool
    /// Bytes of the answer's body that were promised and not sent.
    private var owed: Int64 = 0
    /// The status that was answered.
    private(set) var status = 0
    /// Bytes of the answer's body.
    private(set) var sent: Int64 = 0
    /// Bytes of the request's body that were read.
    private(set) var received: Int64 = 0
    /// Headers that every answer to this request has, beside its own.
    var common: [(name: String, value: String)] = []

    /// How much of a body that nobody wants is read, so that the connection can go on.
    private static let skippedBytes: Int64 = 256 << 10
    private static let ids = Atomic<UInt64>(.random(in: .min ... .max))

    /// - Parameters:
    ///   - head: of the request.
    ///   - connection: that it came on.
    ///   - configuration: limits.
    ///   - seconds: the time, since 1970.
    ///   - isLast: whether the connection ends after the answer, as the server was told to stop.
    init(
        _ head: HTTPRequestHead, connection: ClientConnection, configuration: ObjectServerConfiguration,
        seconds: Int64, isLast: @escaping @Sendable () -> Bool
    ) {
        self.head = head
        self.connection = connection
        self.configuration = configuration
        self.seconds = seconds
        self.isLast = isLast
        let lengths = head.headers["content-length"]
        let isChunked = head.headers.contains(name: "transfer-encoding")
        contentLength = isChunked ? nil : Int64(lengths.first ?? "0")
        expectsContinue = head.headers.first(name: "expect")?.lowercased() == "100-continue"
        // What follows a request to speak another protocol is not parsed.
        closes = !head.isKeepAlive || head.headers.contains(name: "upgrade")
        // Neighbours differ in all digits.
        let number = Self.ids.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        let digits = String(number, radix: 16, uppercase: true)
        id = String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    // MARK: The body

    /// The next bytes of the body; nil at its end. The client is told to send it when it waits for that.
    func read() async throws -> ByteBuffer? {
        guard !bodyIsOver else { return nil }
        if expectsContinue {
            expectsContinue = false
            var buffer = ByteBuffer()
            buffer.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
            try await connection.write(buffer)
        }
        while true {
            switch try await connection.next(within: configuration.progressPatience) {
            case .body(let bytes):
                received += Int64(bytes.readableBytes)
                if bytes.readableBytes > 0 { return bytes }
            case .end:
                bodyIsOver = true
                return nil
            case .head: throw ConnectionError.malformed("a head in the middle of a body")
            }
        }
    }

    /// Whether more of the body has come already.
    var hasMore: Bool { !bodyIsOver && connection.hasMore }

    /// Reads what is left of the body, where it is little.
    /// - Returns: whether the connection can go on.
    func skipRest() async -> Bool {
        guard !bodyIsOver else { return true }
        expectsContinue = false
        var count: Int64 = 0
        while let bytes = try? await read() {
            count += Int64(bytes.readableBytes)
            guard count <= Self.skippedBytes else { return false }
        }
        return bodyIsOver
    }

    // MARK: The answer

    /// Sends a whole answer.
    func send(_ head: AnswerHead, _ body: [UInt8] = []) async throws {
        try await send(head, length: Int64(body.count), first: body[...])
        try await end()
    }

    /// Sends an answer's head with the first bytes of its body.
    /// - Parameters:
    ///   - answer: status and headers.
    ///   - length: of the whole body, in bytes.
    ///   - first: its beginning.
    /// - Throws: ``ConnectionError/closed`` when the client has gone.
    func send(_ answer: AnswerHead, length: Int64, first: ArraySlice<UInt8>) async throws {
        guard !headIsSent else { return cutOff() }
        headIsSent = true
        status = answer.status
        if isLast() { closes = true }
        let hasBody = head.method != .HEAD && status != 304 && status != 204
        // Whether a client that was not told to send its body sends it is not known; a long rest is not waited for.
        if !bodyIsOver, contentLength != 0, expectsContinue || (contentLength ?? 0) > Self.skippedBytes {
            closes = true
        }
        var answer = answer
        for (name, value) in common { answer.add(given: name, value) }
        var buffer = ByteBuffer()
        buffer.reserveCapacity(512 + (hasBody ? first.count : 0))
        let showsLength = status != 204 && (status != 304)
        answer.write(
            to: &buffer, id: id, date: HTTPDate.text(seconds), length: showsLength ? length : nil, closes: closes,
            staysOpen: head.version == .http1_0)
        if hasBody {
            buffer.writeBytes(first)
            owed = length - Int64(first.count)
            sent = Int64(first.count)
        }
        try await connection.write(buffer)
    }

    /// Whether the client wants to see bytes of the body.
    var wantsBody: Bool { head.method != .HEAD }

    /// Sends more of the answer's body. Returns when there is room for more.
    func send(_ bytes: ByteBuffer) async throws {
        owed -= Int64(bytes.readableBytes)
        sent += Int64(bytes.readableBytes)
        try await connection.write(bytes)
    }

    /// The answer is complete. One that is not can only be cut off.
    func end() async throws {
        if owed != 0 { connection.close() }
    }

    /// Nothing right can follow what was sent.
    func cutOff() {
        closes = true
        connection.close()
    }
}
