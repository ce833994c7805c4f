// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Cuts the bytes of a call's body into messages: a byte that says whether it is compressed, four of its length, itself.
struct GRPCFraming {
    struct Message {
        var isCompressed: Bool
        var bytes: ByteBuffer
    }

    /// Bytes that one message may have, as it comes.
    let limit: Int
    private var buffer = ByteBuffer()

    init(limit: Int) { self.limit = limit }

    /// Bytes of a message that is not whole yet.
    var waiting: Int { buffer.readableBytes }

    mutating func add(_ bytes: inout ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.discardReadBytes()
            buffer.writeBuffer(&bytes)
        }
    }

    /// The next message that is whole.
    /// - Throws: `resourceExhausted` once a length above the limit is seen, whatever of it has come.
    mutating func next() throws(GRPCStatus) -> Message? {
        guard let flag = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) else { return nil }
        guard flag <= 1 else {
            throw GRPCStatus(.internal, "a message begins with \(flag), expected 0 or 1: is this gRPC?")
        }
        guard let length = buffer.getInteger(at: buffer.readerIndex + 1, as: UInt32.self) else { return nil }
        guard length <= limit else {
            throw GRPCStatus(
                .resourceExhausted, "the message has \(length) bytes, this server takes \(limit) at most")
        }
        guard buffer.readableBytes >= 5 + Int(length) else { return nil }
        buffer.moveReaderIndex(forwardBy: 5)
        guard let bytes = buffer.readSlice(length: Int(length)) else { return nil }
        return Message(isCompressed: flag == 1, bytes: bytes)
    }

    /// A message with its head.
    static func frame(_ message: inout ByteBuffer, isCompressed: Bool = false) -> ByteBuffer {
        var frame = ByteBufferAllocator().buffer(capacity: message.readableBytes + 5)
        frame.writeInteger(UInt8(isCompressed ? 1 : 0))
        frame.writeInteger(UInt32(message.readableBytes))
        frame.writeBuffer(&message)
        return frame
    }
}
