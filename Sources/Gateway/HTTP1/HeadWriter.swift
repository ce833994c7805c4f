// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1

/// Writes heads of HTTP/1.1.
enum HeadWriter {
    /// `upgrade`: what the connection is to become.
    /// `extra`: further fields, whole lines.
    static func request(_ head: RequestHead, upgrade: String?, into buffer: inout ByteBuffer) {
        buffer.reserveCapacity(minimumWritableBytes: 512)
        buffer.writeString(head.method)
        buffer.writeStaticString(" ")
        buffer.writeString(head.target)
        buffer.writeStaticString(" HTTP/1.1\r\nHost: ")
        buffer.writeString(head.authority)
        buffer.writeStaticString("\r\n")
        write(head.fields, into: &buffer, leavingLength: true)
        if let upgrade {
            buffer.writeString("Connection: Upgrade\r\nUpgrade: \(upgrade)\r\n")
        }
        framing(head.body, into: &buffer)
        buffer.writeStaticString("\r\n")
    }

    /// `connection`: what the field of this name says; nil: nothing.
    static func response(
        _ head: ResponseHead, connection: StaticString?, upgrade: String? = nil, into buffer: inout ByteBuffer
    ) {
        buffer.reserveCapacity(minimumWritableBytes: 512)
        switch head.status {
        case 200: buffer.writeStaticString("HTTP/1.1 200 OK\r\n")
        default:
            let reason = HTTPResponseStatus(statusCode: head.status).reasonPhrase
            buffer.writeString("HTTP/1.1 \(head.status) \(reason)\r\n")
        }
        // The length of what is not sent, after HEAD and with 304, is kept.
        write(head.fields, into: &buffer, leavingLength: head.body != .none)
        framing(head.body, into: &buffer)
        if let upgrade {
            buffer.writeString("Connection: Upgrade\r\nUpgrade: \(upgrade)\r\n")
        } else if let connection {
            buffer.writeStaticString(connection)
        }
        buffer.writeStaticString("\r\n")
    }

    private static func framing(_ body: BodyLength, into buffer: inout ByteBuffer) {
        switch body {
        case .none, .untilClose: break
        case .length(let length):
            buffer.writeStaticString("Content-Length: ")
            buffer.writeString(String(length))
            buffer.writeStaticString("\r\n")
        case .chunked: buffer.writeStaticString("Transfer-Encoding: chunked\r\n")
        }
    }

    /// Lines of fields; hop-by-hop fields are not among them.
    static func write(_ fields: HeaderFields, into buffer: inout ByteBuffer, leavingLength: Bool) {
        var count = 0
        for field in fields.fields { count += Int(field.nameCount) + Int(field.valueEnd - field.valueStart) + 4 }
        guard count > 0 else { return }
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { target in
            fields.storage.withUnsafeBytes { source in
                guard let to = target.baseAddress, let from = source.baseAddress else { return 0 }
                var position = 0
                for field in fields.fields {
                    if field.name.isHopByHop || leavingLength && field.name == .contentLength { continue }
                    let name = Int(field.nameCount)
                    (to + position).copyMemory(from: from + Int(field.nameStart), byteCount: name)
                    position += name
                    (to + position).storeBytes(of: 0x3A, as: UInt8.self)
                    (to + position + 1).storeBytes(of: 0x20, as: UInt8.self)
                    position += 2
                    let value = Int(field.valueEnd - field.valueStart)
                    (to + position).copyMemory(from: from + Int(field.valueStart), byteCount: value)
                    position += value
                    (to + position).storeBytes(of: 0x0D, as: UInt8.self)
                    (to + position + 1).storeBytes(of: 0x0A, as: UInt8.self)
                    position += 2
                }
                return position
            }
        }
    }

    static func chunk(_ count: Int, into buffer: inout ByteBuffer) {
        buffer.writeString(String(count, radix: 16))
        buffer.writeStaticString("\r\n")
    }

    static func lastChunk(_ trailers: HeaderFields?, into buffer: inout ByteBuffer) {
        buffer.writeStaticString("0\r\n")
        if let trailers { write(trailers, into: &buffer, leavingLength: true) }
        buffer.writeStaticString("\r\n")
    }
}
