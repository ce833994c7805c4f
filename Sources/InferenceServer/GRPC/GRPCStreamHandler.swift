// SPDX-License-Identifier: Apache-2.0
import InferenceEngine
import InferenceProtocol
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One call: reads its messages, has them answered, writes the answers and the status. Lives on one HTTP/2 stream.
final class GRPCStreamHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    enum State {
        case waiting
        /// A call that is read or answered.
        case open
        /// The status is sent; what still comes is not looked at.
        case done
    }

    let server: GRPCServerContext
    var state = State.waiting
    var head: GRPCHead?
    private var framing: GRPCFraming
    /// The only message of a call that has one, until the client has ended its side.
    private var message: ByteBuffer?
    private(set) var isInputClosed = false
    var hasSentHeaders = false
    var isReading = true
    /// A read that is put off until more can be taken.
    private var hasHeldRead = false
    private var budgeted = 0
    /// Answers that are on their way, by number, and what gives them up.
    var pending: [Int: Ticket?] = [:]
    var nextNumber = 0
    private(set) var deadline: ContinuousClock.Instant?
    private var timer: Scheduled<Void>?
    private var upload: Scheduled<Void>?
    private var stall: Scheduled<Void>?
    /// Of a watch of ``GRPCHealth``.
    var watch: Scheduled<Void>?
    private var discarded = 0

    init(_ server: GRPCServerContext) {
        self.server = server
        framing = GRPCFraming(limit: server.calls.limits.bodyBytes)
    }

    // MARK: What comes

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let headers):
            // Trailers of a request mean nothing.
            if state == .waiting { begin(headers.headers, context) }
            if headers.endStream { inputClosed(context) }
        case .data(let data):
            if case .byteBuffer(var bytes) = data.data { read(&bytes, context) }
            if data.endStream { inputClosed(context) }
        default: break
        }
    }

    func read(context: ChannelHandlerContext) {
        if isReading { context.read() } else { hasHeldRead = true }
    }

    /// Reads no further requests while too many are not answered, or the client does not read what is.
    func pauseOrGoOn(_ context: ChannelHandlerContext) {
        guard head?.method?.isClientStreaming == true, state == .open else { return }
        isReading = pending.count < GRPCLimits.pending && context.channel.isWritable
        guard isReading, hasHeldRead else { return }
        hasHeldRead = false
        context.read()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if state == .open, !isInputClosed, upload == nil, head?.method?.isClientStreaming == false {
            upload = after(GRPCLimits.upload, context) { handler, context in
                handler.end(GRPCStatus(.deadlineExceeded, "the message did not come within 120 s"), context)
            }
        }
        context.fireChannelReadComplete()
    }

    private func begin(_ headers: HPACKHeaders, _ context: ChannelHandlerContext) {
        state = .open
        let head: GRPCHead
        do throws(GRPCHead.NoCall) {
            head = try GRPCHead(headers)
        } catch {
            refuse(error.status, context)
            return
        }
        self.head = head
        guard let method = head.method else {
            return end(GRPCStatus(.unimplemented, "there is no method \(head.path)"), context)
        }
        if let unknown = head.unknownCompression {
            return end(
                GRPCStatus(
                    .unimplemented, "messages compressed by \(unknown) are not understood: \(GRPCCompression.accepted)"
                ), context)
        }
        guard method.isOpen || server.allows(head.token) else {
            return end(
                GRPCStatus(.unauthenticated, "a token is needed: send it as authorization: Bearer TOKEN"), context)
        }
        guard let timeout = head.timeout else { return }
        deadline = .now + timeout
        timer = after(.nanoseconds(timeout.inNanoseconds), context) { handler, context in
            handler.end(GRPCStatus(.deadlineExceeded, "the call's deadline has passed"), context)
        }
    }

    private func read(_ bytes: inout ByteBuffer, _ context: ChannelHandlerContext) {
        guard state == .open else {
            // A client that goes on although it has its status is told to stop.
            discarded += bytes.readableBytes
            if discarded > 4 * GRPCLimits.window { context.close(promise: nil) }
            return
        }
        framing.add(&bytes)
        do throws(GRPCStatus) {
            while state == .open, let next = try framing.next() {
                try take(next, context)
            }
            try budget(framing.waiting)
        } catch {
            end(error, context)
        }
    }

    private func budget(_ bytes: Int) throws(GRPCStatus) {
        if bytes > budgeted {
            guard server.budget.take(bytes - budgeted) else {
                throw GRPCStatus(
                    .resourceExhausted, "too many bytes of messages are on their way to this server: try again")
            }
        } else if bytes < budgeted {
            server.budget.give(budgeted - bytes)
        }
        budgeted = bytes
    }

    private func take(_ message: GRPCFraming.Message, _ context: ChannelHandlerContext) throws(GRPCStatus) {
        var bytes = message.bytes
        if message.isCompressed {
            guard let compression = head?.compression else {
                throw GRPCStatus(.internal, "a message is compressed, but the call has no grpc-encoding")
            }
            bytes = try compression.decompress(bytes, limit: server.calls.limits.decompressedBytes)
        }
        guard head?.method?.isClientStreaming == true else {
            guard self.message == nil else {
                throw GRPCStatus(.unimplemented, "the method takes one message, there are more")
            }
            self.message = bytes
            return
        }
        try answer(bytes, context)
    }

    private func inputClosed(_ context: ChannelHandlerContext) {
        guard !isInputClosed else { return }
        isInputClosed = true
        upload?.cancel()
        guard state == .open else { return }
        do throws(GRPCStatus) {
            guard framing.waiting == 0 else { throw GRPCStatus(.internal, "the body ends within a message") }
            if head?.method?.isClientStreaming == true {
                if pending.isEmpty { end(GRPCStatus(.ok, ""), context) }
            } else if let message {
                self.message = nil
                try answer(message, context)
            } else {
                throw GRPCStatus(.internal, "the method takes a message, there is none")
            }
        } catch {
            end(error, context)
        }
    }

    // MARK: Ends

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The client has given the call up, or broke the protocol on this stream.
        release()
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        release()
        stall?.cancel()
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        pauseOrGoOn(context)
        // Also of a call whose status is written already, but not sent.
        stall?.cancel()
        stall = nil
        if !context.channel.isWritable {
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            stall = context.eventLoop.scheduleTask(in: GRPCLimits.stall) {
                let (handler, context) = bound.value
                handler.release()
                context.close(promise: nil)
            }
        }
        context.fireChannelWritabilityChanged()
    }

    /// Nothing is waited for any more.
    func release() {
        state = .done
        timer?.cancel()
        upload?.cancel()
        watch?.cancel()
        for ticket in pending.values { ticket?.cancel() }
        pending = [:]
        message = nil
        framing = GRPCFraming(limit: 0)
        server.budget.give(budgeted)
        budgeted = 0
    }

    func after(
        _ delay: TimeAmount, _ context: ChannelHandlerContext,
        _ body: @escaping @Sendable (GRPCStreamHandler, ChannelHandlerContext) -> Void
    ) -> Scheduled<Void> {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        return context.eventLoop.scheduleTask(in: delay) {
            let (handler, context) = bound.value
            guard handler.state != .done else { return }
            body(handler, context)
        }
    }
}
