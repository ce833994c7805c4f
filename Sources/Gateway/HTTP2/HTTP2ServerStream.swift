// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One request of a client on a stream of HTTP/2.
final class HTTP2ServerStream: ChannelDuplexHandler, ClientSide {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    let loop: any EventLoop
    let peer: String
    private let isTLS: Bool
    private let services: any RequestServices
    private var context: ChannelHandlerContext?
    private var receiver: (any RequestReceiver)?
    private var wantsRead = true
    private var hasPendingRead = false
    private var hasHead = false
    private var requestIsWhole = false
    private var isDone = false
    /// What waits to be sent as one frame.
    private var pending = ByteBuffer()
    private let timer: ConnectionTimer

    init(_ services: any RequestServices, stream: any Channel, peer: String, isTLS: Bool) {
        self.services = services
        self.isTLS = isTLS
        self.peer = peer
        loop = stream.eventLoop
        timer = ConnectionTimer(stream)
    }

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func read(context: ChannelHandlerContext) {
        if wantsRead { context.read() } else { hasPendingRead = true }
    }

    func setReading(_ isReading: Bool) {
        wantsRead = isReading
        guard isReading, hasPendingRead else { return }
        hasPendingRead = false
        context?.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let headers):
            if hasHead {
                requestIsWhole = true
                timer.set(nil)
                receiver?.requestEnd(HeaderConversion.trailers(headers.headers))
            } else {
                begin(headers.headers, isLast: headers.endStream)
            }
        case .data(let data):
            guard case .byteBuffer(let bytes) = data.data else { return }
            if bytes.readableBytes > 0 { receiver?.request(bytes) }
            if data.endStream {
                requestIsWhole = true
                timer.set(nil)
                receiver?.requestEnd(nil)
            } else {
                timer.set(services.limits.bodyPatience)
            }
        default: break
        }
    }

    private func begin(_ headers: HPACKHeaders, isLast: Bool) {
        hasHead = true
        requestIsWhole = isLast
        let head: RequestHead
        do throws(MessageFault) {
            head = try HeaderConversion.request(headers, isLast: isLast, scheme: isTLS ? "https" : "http")
        } catch {
            services.refused(error)
            let (head, body) = LocalAnswer.plain(error.status, error.description)
            respond(head, isLast: false)
            respond(body)
            return respondEnd(nil)
        }
        if !isLast { timer.set(services.limits.bodyPatience) }
        let receiver = services.receiver(for: self)
        self.receiver = receiver
        receiver.begin(head, isLast: isLast)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        receiver?.requestFlush()
        context.fireChannelReadComplete()
    }

    // MARK: answer

    func respondContinue() {
        write(.headers(.init(headers: [":status": "100"], endStream: false)))
        flush()
    }

    func respond(_ head: ResponseHead, isLast: Bool) {
        write(.headers(.init(headers: HeaderConversion.response(head), endStream: isLast)))
        if isLast { done() }
    }

    func respond(_ body: ByteBuffer) {
        var body = body
        if pending.readableBytes == 0 { pending = body } else { pending.writeBuffer(&body) }
        if pending.readableBytes > 64 << 10 { writePending(isLast: false) }
    }

    func respondEnd(_ trailers: HeaderFields?) {
        if let trailers {
            writePending(isLast: false)
            write(.headers(.init(headers: HeaderConversion.trailers(trailers), endStream: true)))
        } else {
            writePending(isLast: true)
        }
        done()
    }

    private func writePending(isLast: Bool) {
        guard isLast || pending.readableBytes > 0 else { return }
        write(.data(.init(data: .byteBuffer(pending), endStream: isLast)))
        pending = ByteBuffer()
    }

    private func write(_ frame: HTTP2Frame.FramePayload) { context?.write(wrapOutboundOut(frame), promise: nil) }

    func flush() {
        if !isDone { writePending(isLast: false) }
        context?.flush()
    }

    private func done() {
        isDone = true
        receiver = nil
        timer.set(nil)
        flush()
        guard !requestIsWhole else { return }
        // Nobody reads the rest (RFC 9113, 8.1).
        write(.rstStream(.noError))
        context?.flush()
    }

    func respondUpgrade(_ head: ResponseHead, to upgrade: String) { abort() }

    func abort() {
        receiver = nil
        isDone = true
        write(.rstStream(.internalError))
        context?.flush()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        receiver?.clientWritable(context.channel.isWritable)
        // Who reads nothing of an answer is not waited for without end.
        if !context.channel.isWritable {
            timer.set(services.limits.bodyPatience)
        } else if requestIsWhole {
            timer.set(nil)
        }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer.set(nil)
        let receiver = receiver
        self.receiver = nil
        receiver?.clientGone()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
