// SPDX-License-Identifier: Apache-2.0
import InferenceEngine
import InferenceProtocol
import NIOCore
import NIOHTTP1

/// One connection of HTTP/1.1: one request after the other, each answered on the connection's event loop.
///
/// While a request is answered nothing more is read; what was read already waits in `parts`.
final class RESTConnection: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// No request; perhaps the beginning of a head.
        case idle
        case body(RESTCall)
        /// A request that is refused: the rest of its body is passed over, then comes the answer.
        case refused(RESTCall, RESTAnswer)
        case busy(RESTCall)
        /// The answer waits for the client to take it.
        case sending(isLast: Bool)
        /// The last answer is sent; what comes is dropped.
        case closing
        case closed
    }

    private let service: RESTService
    private let gate: InboundGate
    private var state = State.idle
    private var parts = CircularBuffer<HTTPServerRequestPart>()
    private var isReadWanted = false
    private var isLeaving = false
    /// Whether `parts` is being gone through: answers that come at once do not begin again.
    private var isTaking = false
    private var deadline = NIODeadline.distantFuture
    private var bodyDeadline = NIODeadline.distantFuture
    private var watch: Scheduled<Void>?
    private var context: ChannelHandlerContext?
    private let loop: any EventLoop

    init(_ service: RESTService, gate: InboundGate, loop: any EventLoop) {
        self.loop = loop
        self.service = service
        self.gate = gate
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        deadline = loop.now + service.patience.idle
        look(context.channel)
    }

    func handlerRemoved(context: ChannelHandlerContext) { end() }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    private func end() {
        watch?.cancel()
        watch = nil
        if case .body(let call) = state { service.release(call) }
        if case .refused(let call, _) = state { service.release(call) }
        if case .busy(let call) = state {
            call.ticket?.cancel()
            service.release(call)
        }
        state = .closed
        parts.removeAll()
        context = nil
    }

    // MARK: Patience

    private func look(_ channel: any Channel) {
        let bound = NIOLoopBound((handler: self, channel: channel), eventLoop: channel.eventLoop)
        watch = channel.eventLoop.scheduleTask(in: service.patience.interval) {
            let (handler, channel) = bound.value
            handler.check(channel)
        }
    }

    private func check(_ channel: any Channel) {
        let now = loop.now
        switch state {
        case .idle where gate.hasBytes:
            // A head has begun; when exactly is not known, but not before the last look.
            gate.hasBytes = false
            deadline = min(deadline, now + service.patience.head)
        case .closed: return
        default: break
        }
        guard min(deadline, bodyDeadline) <= now else { return look(channel) }
        switch state {
        case .body(let call):
            service.release(call)
            last(RESTRefusal(408, "the body did not come in time").answer)
        default: channel.close(promise: nil)
        }
        look(channel)
    }

    // MARK: Reading

    func read(context: ChannelHandlerContext) {
        if case .busy = state {
            isReadWanted = true
        } else if case .sending = state {
            isReadWanted = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        switch state {
        case .busy, .sending: parts.append(part)
        case .closing, .closed: return
        default: take(part, context)
        }
    }

    private func take(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch (part, state) {
        case (.head(let head), .idle): begin(head, context)
        case (.body(let bytes), .body(let call)):
            deadline = loop.now + service.patience.body
            do throws(RESTRefusal) {
                try service.take(bytes, call)
            } catch {
                service.release(call)
                refuse(call, error.answer)
            }
        case (.body(let bytes), .refused(let call, let answer)):
            call.passedOver += bytes.readableBytes
            // A long rest is not worth the wait.
            if call.passedOver > 1 << 20 { last(answer) }
        case (.end, .body(let call)):
            state = .busy(call)
            deadline = .distantFuture
            bodyDeadline = .distantFuture
            service.answer(call, self, context)
        case (.end, .refused(let call, let answer)):
            state = .busy(call)
            bodyDeadline = .distantFuture
            send(answer, for: call)
        default: break
        }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        gate.hasBytes = false
        let now = loop.now
        let call = RESTCall(head, now)
        deadline = now + service.patience.body
        do throws(RESTRefusal) {
            let framing = try BodyFraming(head, limit: service.configuration.limits.bodyBytes)
            let allowance =
                (framing.length ?? service.configuration.limits.bodyBytes) / service.configuration.slowestBody
            bodyDeadline = now + service.patience.body + .seconds(Int64(allowance))
            call.length = framing.length
            try service.admit(call)
            state = .body(call)
            if head.headers.contains(name: "expect"), head.version.minor >= 1 {
                guard head.headers["expect"] == ["100-continue"] else {
                    throw RESTRefusal(400, "the only expectation that is met is 100-continue")
                }
                if framing.length != 0 {
                    context.writeAndFlush(
                        wrapOutboundOut(ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
                }
            }
        } catch {
            // A body whose length is in doubt, or which is too long, is not passed over.
            if error.status == 413 || (error.status == 400 && call.route == nil) {
                call.isLast = true
                state = .busy(call)
                last(error.answer)
            } else {
                refuse(call, error.answer)
            }
        }
    }

    private func refuse(_ call: RESTCall, _ answer: RESTAnswer) {
        call.body = nil
        state = .refused(call, answer)
    }

    // MARK: Answering

    /// Sends the answer of the request that is answered now, from the connection's event loop; one of a request that is
    /// not there any more goes nowhere.
    func send(_ answer: RESTAnswer, for call: RESTCall) {
        guard case .busy(let current) = state, current === call, let context else { return }
        service.release(call)
        let isLast = call.isLast || isLeaving
        let size = answer.body.readableBytes
        let status = answer.status
        write(answer, call, isLast: isLast, context)
        service.count(call, status)
        guard context.channel.isActive else { return }
        if !context.channel.isWritable {
            state = .sending(isLast: isLast)
            deadline = loop.now + service.patience.answer + .seconds(Int64(size / service.configuration.slowestBody))
            return
        }
        next(isLast: isLast, context)
    }

    private func write(
        _ answer: consuming RESTAnswer, _ call: RESTCall?, isLast: Bool, _ context: ChannelHandlerContext
    ) {
        let connection: StaticString = isLast ? "close" : call?.isOldVersion == true ? "keep-alive" : ""
        let bytes = answer.bytes(isHead: call?.isHead ?? false, connection: connection)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    private func next(isLast: Bool, _ context: ChannelHandlerContext) {
        guard !isLast else { return closeGently(context) }
        state = .idle
        // What came until now was this request's.
        gate.hasBytes = false
        deadline = loop.now + service.patience.idle
        guard !isTaking else { return }
        isTaking = true
        defer { isTaking = false }
        while let part = parts.popFirst() {
            take(part, context)
            switch state {
            case .busy, .sending, .closing, .closed: return
            default: continue
            }
        }
        if isReadWanted {
            isReadWanted = false
            context.read()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if case .sending(let isLast) = state, context.channel.isWritable { next(isLast: isLast, context) }
        context.fireChannelWritabilityChanged()
    }

    /// Sends an answer after which nothing more is read.
    private func last(_ answer: RESTAnswer) {
        guard let context else { return }
        var call: RESTCall?
        switch state {
        case .body(let current), .refused(let current, _), .busy(let current): call = current
        default: break
        }
        if let call { service.release(call) }
        service.metrics.answered(answer.status)
        write(answer, call, isLast: true, context)
        closeGently(context)
    }

    /// Closes after the client had time to read the answer: bytes that come are taken, else the system would reset the
    /// connection, and the answer with it.
    private func closeGently(_ context: ChannelHandlerContext) {
        state = .closing
        parts.removeAll()
        gate.isDropping = true
        bodyDeadline = .distantFuture
        deadline = loop.now + .seconds(2)
        context.close(mode: .output, promise: nil)
        context.read()
    }

    // MARK: Events

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            isLeaving = true
            if case .idle = state, parts.isEmpty { context.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else { return context.close(promise: nil) }
        switch state {
        case .idle, .body, .refused:
            let status = error == .headerOverflow ? 431 : 400
            last(RESTRefusal(status, "the request is not HTTP/1.1: \(error)").answer)
        case .busy(let call):
            // The answer of the request before it still goes out.
            call.isLast = true
        default: context.close(promise: nil)
        }
    }
}
