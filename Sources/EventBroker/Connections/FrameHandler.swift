// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// A request as it came.
struct Frame: Sendable {
    /// Without its length.
    let bytes: [UInt8]
    /// Its place in the broker's memory.
    let share: MemoryBudget.Share
}

/// Cuts what a client sends into frames: a length of four bytes, and so many bytes.
///
/// A frame takes its place in the budget as soon as its length is known; until there is room for it the socket is not
/// read. A length out of bounds closes the connection, as Kafka does: nothing after it can be understood.
final class FrameHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Frame
    typealias OutboundIn = Any
    typealias OutboundOut = Any

    private let budget: MemoryBudget
    private let maximumBytes: Int
    /// Less, as long as it is not known who the client is.
    private var limit: Int
    private var buffer = ByteBuffer()
    /// The length of the frame that comes.
    private var length: Int?
    private var share: MemoryBudget.Share?
    private var isWaiting = false
    private var readIsDue = false

    /// - Parameters:
    ///   - budget: memory for all requests.
    ///   - maximumBytes: the largest request.
    ///   - strangersMaximumBytes: the largest request before ``ClientIsKnown``.
    init(budget: MemoryBudget, maximumBytes: Int, strangersMaximumBytes: Int? = nil) {
        self.budget = budget
        self.maximumBytes = maximumBytes
        limit = strangersMaximumBytes ?? maximumBytes
    }

    func read(context: ChannelHandlerContext) {
        if isWaiting { readIsDue = true } else { context.read() }
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is ClientIsKnown else { return context.triggerUserOutboundEvent(event, promise: promise) }
        limit = maximumBytes
        promise?.succeed()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var data = unwrapInboundIn(data)
        if buffer.readableBytes == 0 { buffer = data } else { buffer.writeBuffer(&data) }
        cut(context)
    }

    private func cut(_ context: ChannelHandlerContext) {
        while !isWaiting {
            if length == nil {
                guard let announced = buffer.readInteger(as: Int32.self) else { break }
                guard announced > 0, announced <= limit else {
                    context.fireErrorCaught(FrameError(length: Int(announced), maximum: limit))
                    return context.close(promise: nil)
                }
                length = Int(announced)
                reserve(Int(announced), context)
                continue
            }
            guard let length, let share, buffer.readableBytes >= length, let bytes = buffer.readBytes(length: length)
            else { break }
            self.length = nil
            self.share = nil
            context.fireChannelRead(wrapInboundOut(Frame(bytes: bytes, share: share)))
        }
        buffer.discardReadBytes()
    }

    private func reserve(_ bytes: Int, _ context: ChannelHandlerContext) {
        let loop = context.eventLoop
        let handler = NIOLoopBound(self, eventLoop: loop)
        let place = NIOLoopBound(context, eventLoop: loop)
        share = budget.take(bytes) { share in
            loop.execute { handler.value.granted(share, place.value) }
        }
        isWaiting = share == nil
    }

    private func granted(_ share: MemoryBudget.Share, _ context: ChannelHandlerContext) {
        self.share = share
        isWaiting = false
        cut(context)
        context.fireChannelReadComplete()
        guard readIsDue, !isWaiting else { return }
        readIsDue = false
        context.read()
    }
}

/// Why a connection was closed.
struct FrameError: Error, CustomStringConvertible {
    let length: Int
    let maximum: Int

    var description: String {
        "a request announces \(length) bytes; it may have 1 to \(maximum): is the client one of Kafka's protocol?"
    }
}
