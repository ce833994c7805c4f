// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// A request as it came.
struct Frame: Sendable {
    /// Without its length.
    let bytes: [UInt8]
    /// Its place in the broker's memory.
    let shares: [MemoryBudget.Share]
}

/// Cuts what a client sends into frames: a length of four bytes, and so many bytes.
///
/// A frame takes its place in the budget as its bytes come, in steps: what a client only announces costs nothing.
/// Until there is room the socket is not read. A length out of bounds closes the connection, as Kafka does: nothing
/// after it can be understood. So does a frame that stops in the middle, as it holds memory that others wait for.
final class FrameHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Frame
    typealias OutboundIn = Any
    typealias OutboundOut = Any

    /// The first step, in bytes; each later one is as large as all before it.
    private static let step = 256 << 10
    /// How much of a frame comes before it takes a place, in bytes.
    private static let unpaid = 16 << 10
    /// Room that is made at once for a frame, in bytes: pages that are not touched cost nothing.
    private static let room = 2 << 20

    private let budget: MemoryBudget
    private let maximumBytes: Int
    /// Less, as long as it is not known who the client is.
    private var limit: Int
    private let patience: TimeAmount
    private var context: ChannelHandlerContext?
    private var buffer = ByteBuffer()
    /// The length of the frame that comes.
    private var length: Int?
    private var body: [UInt8] = []
    /// Bytes that the frame has a place for.
    private var held = 0
    private var shares: [MemoryBudget.Share] = []
    /// Whether it waits for its next place.
    private var isWaiting = false
    /// Whether somebody wants to read meanwhile.
    private var readIsDue = false
    /// Whether the client could send more.
    private var isReading = false
    private var arrived = 0
    private var watchdog: Scheduled<Void>?

    /// - Parameters:
    ///   - budget: memory for all requests.
    ///   - maximumBytes: the largest request.
    ///   - strangersMaximumBytes: the largest request before ``ClientIsKnown``.
    ///   - patience: how long a frame may stop in the middle.
    init(budget: MemoryBudget, maximumBytes: Int, strangersMaximumBytes: Int? = nil, patience: TimeAmount) {
        self.budget = budget
        self.maximumBytes = maximumBytes
        limit = strangersMaximumBytes ?? maximumBytes
        self.patience = patience
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    private func end() {
        context = nil
        watchdog?.cancel()
        watchdog = nil
        shares = []
        body = []
        buffer = ByteBuffer()
    }

    func read(context: ChannelHandlerContext) {
        guard !isWaiting else { return readIsDue = true }
        isReading = true
        context.read()
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        guard event is ClientIsKnown else { return context.triggerUserOutboundEvent(event, promise: promise) }
        limit = maximumBytes
        promise?.succeed()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var data = unwrapInboundIn(data)
        arrived &+= data.readableBytes
        isReading = false
        if buffer.readableBytes == 0 { buffer = data } else { buffer.writeBuffer(&data) }
        cut()
    }

    private func cut() {
        while !isWaiting, let context {
            guard let length else {
                guard let announced = buffer.readInteger(as: Int32.self) else { break }
                guard announced > 0, announced <= limit else {
                    return fail(.length(Int(announced), maximum: limit))
                }
                self.length = Int(announced)
                continue
            }
            let fits = min(held - body.count, buffer.readableBytes)
            if fits > 0 {
                body.append(contentsOf: buffer.readableBytesView.prefix(fits))
                buffer.moveReaderIndex(forwardBy: fits)
            }
            guard body.count < length else {
                let frame = Frame(bytes: body, shares: shares)
                begin()
                context.fireChannelRead(wrapInboundOut(frame))
                continue
            }
            guard buffer.readableBytes >= min(length - body.count, held == 0 ? Self.unpaid : 1) else { break }
            reserve(min(length - held, max(Self.step, held)), of: length, context)
        }
        // A buffer is as large as what came at once: one that is empty is not kept.
        if buffer.readableBytes == 0 { buffer = ByteBuffer() } else { buffer.discardReadBytes() }
        watch()
    }

    /// The next frame.
    private func begin() {
        length = nil
        body = []
        held = 0
        shares = []
    }

    private func reserve(_ bytes: Int, of length: Int, _ context: ChannelHandlerContext) {
        let loop = context.eventLoop
        let handler = NIOLoopBound(self, eventLoop: loop)
        isWaiting = true
        let share = budget.take(bytes, rest: held > 0 ? length - held : nil) { share in
            loop.execute { handler.value.granted(share, of: length) }
        }
        guard let share else { return }
        isWaiting = false
        hold(share, of: length)
    }

    private func hold(_ share: MemoryBudget.Share, of length: Int) {
        held += share.bytes
        shares.append(share)
        body.reserveCapacity(min(length, max(held, Self.room)))
    }

    private func granted(_ share: MemoryBudget.Share, of length: Int) {
        isWaiting = false
        // The client may have gone meanwhile; the share goes back then.
        guard let context else { return }
        hold(share, of: length)
        cut()
        context.fireChannelReadComplete()
        guard readIsDue, !isWaiting, self.context != nil else { return }
        readIsDue = false
        isReading = true
        context.read()
    }

    private func fail(_ error: FrameError) {
        guard let context else { return }
        end()
        context.fireErrorCaught(error)
        context.close(promise: nil)
    }

    // MARK: Frames that stop in the middle

    private var isPartial: Bool { length != nil || buffer.readableBytes > 0 }

    private func watch() {
        guard watchdog == nil, isPartial, let context else { return }
        let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
        watchdog = context.eventLoop.scheduleTask(in: patience) { [arrived] in handler.value.check(arrived) }
    }

    private func check(_ before: Int) {
        watchdog = nil
        guard isPartial else { return }
        // It stands still by its own fault, or holds memory and gets no more: others may have what it holds.
        if arrived == before, isWaiting ? held > 0 : isReading {
            return fail(.stopped(body.count + buffer.readableBytes, of: length ?? 4))
        }
        watch()
    }
}

/// Why a connection was closed.
enum FrameError: Error, CustomStringConvertible {
    case length(Int, maximum: Int)
    case stopped(Int, of: Int)

    var description: String {
        switch self {
        case .length(let length, let maximum):
            "a request announces \(length) bytes; it may have 1 to \(maximum): is the client one of Kafka's protocol?"
        case .stopped(let count, let length):
            "a request stopped after \(count) of \(length) bytes, or there was no memory for the rest"
        }
    }
}
