// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Cuts what a broker sends into frames: four bytes of length, then so many.
///
/// Source: "Kafka protocol guide", "Protocol".
struct DirectFrameDecoder: ByteToMessageDecoder {
    typealias InboundOut = ByteBuffer

    /// More is no answer to what is asked here, such as the rules of one user.
    static let maximumBytes = 16 << 20

    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: Int32.self) else { return .needMoreData }
        guard (4...Self.maximumBytes).contains(Int(length)) else {
            throw DirectAnswerError(
                "an answer of \(length) bytes is announced, which must be 4 to \(Self.maximumBytes)")
        }
        guard buffer.readableBytes >= 4 + Int(length) else { return .needMoreData }
        buffer.moveReaderIndex(forwardBy: 4)
        guard let frame = buffer.readSlice(length: Int(length)) else { return .needMoreData }
        context.fireChannelRead(wrapInboundOut(frame))
        return .continue
    }

    /// What is left when the connection ends is the begin of an answer, which nobody waits for any more.
    mutating func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        while try decode(context: context, buffer: &buffer) == .continue {}
        return .needMoreData
    }
}

/// What a broker sent is no answer.
struct DirectAnswerError: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
