// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One request to an endpoint on a stream of HTTP/2.
final class HTTP2ClientStream: ChannelDuplexHandler, UpstreamSide {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private var context: ChannelHandlerContext?
    private var receiver: (any UpstreamReceiver)?
    private var wantsRead = true
    private var hasPendingRead = false
    private var hasHead = false
    private var isSent = false
    private var isOver = false
    private var method = ""
    private var pending = ByteBuffer()

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: request

    func send(_ head: RequestHead, isLast: Bool, to receiver: any UpstreamReceiver) {
        self.receiver = receiver
        method = head.method
        isSent = isLast
        write(.headers(.init(headers: HeaderConversion.request(head), endStream: isLast)))
    }

    func send(_ body: ByteBuffer) {
        var body = body
        if pending.readableBytes == 0 { pending = body } else { pending.writeBuffer(&body) }
        if pending.readableBytes > 64 << 10 { writePending(isLast: false) }
    }

    func sendEnd(_ trailers: HeaderFields?) {
        isSent = true
        if let trailers {
            writePending(isLast: false)
            write(.headers(.init(headers: HeaderConversion.trailers(trailers), endStream: true)))
        } else {
            writePending(isLast: true)
        }
    }

    private func writePending(isLast: Bool) {
        guard isLast || pending.readableBytes > 0 else { return }
        write(.data(.init(data: .byteBuffer(pending), endStream: isLast)))
        pending = ByteBuffer()
    }

    private func write(_ frame: HTTP2Frame.FramePayload) { context?.write(wrapOutboundOut(frame), promise: nil) }

    func flush() {
        writePending(isLast: false)
        context?.flush()
    }

    func cancel() {
        receiver = nil
        guard !isOver else { return }
        isOver = true
        write(.rstStream(.cancel))
        context?.flush()
    }

    func release() { cancel() }

    // MARK: answer

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
            guard !hasHead else {
                end(HeaderConversion.trailers(headers.headers))
                return
            }
            do throws(MessageFault) {
                let head = try HeaderConversion.response(headers.headers, isLast: headers.endStream, to: method)
                guard head.status >= 200 else { return }
                hasHead = true
                let receiver = receiver
                if headers.endStream { over() }
                receiver?.answer(head, isLast: headers.endStream)
                if headers.endStream { receiver?.answerFlush() }
            } catch {
                fail(.malformed(error.description))
            }
        case .data(let data):
            guard case .byteBuffer(let bytes) = data.data else { return }
            if bytes.readableBytes > 0 { receiver?.answer(bytes) }
            if data.endStream { end(nil) }
        default: break
        }
    }

    private func end(_ trailers: HeaderFields?) {
        let receiver = receiver
        over()
        receiver?.answerEnd(trailers)
        receiver?.answerFlush()
    }

    /// The answer is whole; an endpoint that wants no more of the request gets none.
    private func over() {
        receiver = nil
        guard !isOver else { return }
        isOver = true
        guard !isSent else { return }
        write(.rstStream(.noError))
        context?.flush()
    }

    private func fail(_ failure: UpstreamFailure) {
        let receiver = receiver
        cancel()
        receiver?.failed(failure)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        receiver?.answerFlush()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        receiver?.upstreamWritable(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isOver = true
        let receiver = receiver
        self.receiver = nil
        receiver?.failed(.lost("the stream was closed before the answer's end"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        isOver = true
        let receiver = receiver
        self.receiver = nil
        if !hasHead, (error as? NIOHTTP2Errors.StreamClosed)?.errorCode == .refusedStream {
            receiver?.failed(.neverSent("the stream was refused"))
        } else {
            receiver?.failed(.lost("\(error)"))
        }
        context.close(promise: nil)
    }
}
