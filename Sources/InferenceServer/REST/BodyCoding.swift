// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CZlib
import InferenceProtocol
import NIOCore

/// How a body is compressed.
enum BodyCoding: Sendable {
    case gzip
    /// zlib's format (RFC 9110, section 8.4.1.2).
    case deflate

    var name: StaticString {
        switch self {
        case .gzip: "gzip"
        case .deflate: "deflate"
        }
    }

    /// By `Content-Encoding`; nil for a body as it is.
    /// - Throws: `415` as a refusal for others.
    static func of(_ header: String) throws(RESTRefusal) -> BodyCoding? {
        switch header.lowercased() {
        case "", "identity": return nil
        case "gzip", "x-gzip": return .gzip
        case "deflate": return .deflate
        default:
            throw RESTRefusal(
                415, "the content encoding \"\(header.prefix(64))\" is not read: use gzip, deflate or none")
        }
    }

    /// By `Accept-Encoding`: the first of gzip and deflate that the client takes (weight above 0).
    static func accepted(_ header: String) -> BodyCoding? {
        for part in header.utf8.split(separator: UInt8(ascii: ",")) {
            let fields = part.split(separator: UInt8(ascii: ";"), maxSplits: 1)
            guard let word = fields.first else { continue }
            let name = String(Substring(word)).trimmed.lowercased()
            guard name == "gzip" || name == "deflate" else { continue }
            if fields.count > 1 {
                let weight = String(Substring(fields[1])).trimmed.lowercased()
                guard weight.hasPrefix("q="), let value = Double(weight.dropFirst(2)), value > 0 else { continue }
            }
            return name == "gzip" ? .gzip : .deflate
        }
        return nil
    }

    /// The bytes that were compressed, at most so many.
    func inflate(_ body: ByteBuffer, limit: Int) throws(InferenceFault) -> ByteBuffer {
        var stream = z_stream()
        let bits: Int32 = self == .gzip ? 15 + 16 : 15
        guard inflateInit2_(&stream, bits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw InferenceFault(.runtime, "zlib has no memory")
        }
        defer { inflateEnd(&stream) }
        var out = ByteBuffer()
        let result = body.withUnsafeReadableBytes { input -> Int32 in
            stream.next_in = UnsafeMutablePointer(
                mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.avail_in = UInt32(clamping: input.count)
            var result = Z_OK
            var chunk = max(16 << 10, min(input.count * 3, 1 << 20))
            while result == Z_OK, out.readableBytes <= limit {
                out.writeWithUnsafeMutableBytes(minimumWritableBytes: chunk) { room in
                    stream.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    stream.avail_out = UInt32(clamping: room.count)
                    result = CZlib.inflate(&stream, Z_NO_FLUSH)
                    return room.count - Int(stream.avail_out)
                }
                chunk = min(1 << 20, chunk * 2)
                if result == Z_BUF_ERROR { break }
            }
            return result
        }
        guard out.readableBytes <= limit else {
            throw InferenceFault(.tooLarge, "the body has more than \(limit) bytes when it is decompressed")
        }
        guard result == Z_STREAM_END, stream.avail_in == 0 else {
            throw InferenceFault(
                .invalid, "the body is not what its Content-Encoding says: \(name) cannot be read from it")
        }
        return out
    }

    /// The body compressed, with room for a head; nil where that fails.
    func deflate(_ body: ByteBuffer) -> ByteBuffer? {
        var stream = z_stream()
        let bits: Int32 = self == .gzip ? 15 + 16 : 15
        guard
            deflateInit2_(
                &stream, 1, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        var out = RESTAnswer.buffer(
            ByteBufferAllocator(), capacity: Int(deflateBound(&stream, UInt(body.readableBytes))))
        let result = body.withUnsafeReadableBytes { input in
            stream.next_in = UnsafeMutablePointer(
                mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.avail_in = UInt32(clamping: input.count)
            var result = Z_OK
            out.writeWithUnsafeMutableBytes(minimumWritableBytes: 1) { room in
                stream.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
                stream.avail_out = UInt32(clamping: room.count)
                result = CZlib.deflate(&stream, Z_FINISH)
                return room.count - Int(stream.avail_out)
            }
            return result
        }
        return result == Z_STREAM_END ? out : nil
    }
}

extension String {
    /// Without blanks around it.
    var trimmed: String {
        var utf8 = self[...].utf8
        while let first = utf8.first, first == 0x20 || first == 0x09 { utf8.removeFirst() }
        while let last = utf8.last, last == 0x20 || last == 0x09 { utf8.removeLast() }
        return String(Substring(utf8))
    }
}

/// A request that is refused before a model is asked, with a status of HTTP's own.
struct RESTRefusal: Error, Sendable {
    let status: Int
    let description: String

    init(_ status: Int, _ description: String) {
        self.status = status
        self.description = description
    }

    var answer: RESTAnswer { RESTAnswer(status: status, json: ["error": .string(description)]) }
}
