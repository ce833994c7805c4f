// SPDX-License-Identifier: Apache-2.0
import KafkaProtocol
import NIOCore

/// Bytes of a file that an answer sends without reading them.
protocol FileBytes: Sendable {
    /// How many.
    var byteCount: Int { get }

    /// Part of them, read: so many from an offset on. Throws when the file cannot be read.
    func read(at offset: Int, count: Int) throws -> [UInt8]

    /// A handle of its own to send them from, and where they begin.
    /// - Throws: when the file cannot be opened.
    func open() throws -> (handle: NIOFileHandle, position: Int)
}

/// An answer, ready to be sent: length, header and message, with the places where bytes of files go.
struct Reply: Sendable {
    private let writer: KafkaWriter
    private let files: [any FileBytes]
    /// Whether the connection is closed after it.
    var isLast = false

    /// - Parameters:
    ///   - message: what is answered.
    ///   - correlation: the number of the request.
    ///   - version: of the request.
    ///   - files: by the ids that the message has in place of records.
    init(_ message: some KafkaMessage, correlation: Int32, version: Int16, files: [any FileBytes] = []) {
        var writer = KafkaWriter()
        writer.int32(0)
        writer.int32(correlation)
        // The answer that says which versions there are has the oldest header: it is read by clients that do not know.
        let apiVersions = ApiVersionsResponse.apiKey
        if type(of: message).isFlexible(version), type(of: message).apiKey != apiVersions { writer.noTags() }
        message.write(to: &writer, version: version)
        writer.patch(int32: Int32(clamping: writer.count - 4), at: 0)
        self.writer = writer
        self.files = files
    }

    /// Bytes with nothing but their length before them.
    init(raw bytes: [UInt8]) {
        var writer = KafkaWriter()
        writer.bytes(bytes, false)
        self.writer = writer
        files = []
    }

    /// Bytes that are sent.
    var byteCount: Int { writer.count }

    /// One piece of what is sent.
    enum Part {
        case bytes(ByteBuffer)
        case file(any FileBytes)
    }

    /// What is sent, in order.
    var parts: [Part] {
        var parts: [Part] = []
        var begin = 0
        for external in writer.externals {
            if external.position > begin {
                parts.append(.bytes(ByteBuffer(bytes: writer.bytes[begin..<external.position])))
            }
            begin = external.position
            if external.count > 0 { parts.append(.file(files[external.id])) }
        }
        if begin < writer.bytes.count { parts.append(.bytes(ByteBuffer(bytes: writer.bytes[begin...]))) }
        return parts
    }
}
