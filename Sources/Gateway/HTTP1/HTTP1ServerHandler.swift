// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// A client's connection of HTTP/1.1: one request after the other, further ones wait in its buffer.
final class HTTP1ServerHandler: ChannelDuplexHandler, ClientSide {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Reading {
        case head
        case length(Int)
        case chunks(ChunkReader)
        /// The request is here, its answer under way.
        case whole
        case tunnel
        /// What still comes is thrown away until the client closes.
        case refused
    }

    private enum Writing {
        /// The answer has not begun.
        case nothing
        case length
        case chunks
        case untilClose
        case tunnel
        case done
    }

    /// What waits behind a request at most, in bytes.
    private static let longestWait = 64 << 10
    /// How much of a body is read that nobody wants, in bytes.
    private static let longestUnwanted = 256 << 10

    let loop: any EventLoop
    let peer: String
    private let isTLS: Bool
    private let services: any RequestServices
    private var context: ChannelHandlerContext?
    private var reading = Reading.head
    private var writing = Writing.done
    private var search = HeadSearch()
    private var inbound = ByteBuffer()
    private var outbound = OutboundBytes()
    /// Something was written and not flushed.
    private var isUnflushed = false
    private var receiver: (any RequestReceiver)?
    private var isOld = false
    private var keepsAlive = true
    private var wantsRead = true
    private var hasPendingRead = false
    private var isStepping = false
    private var isLeaving = false
    /// The client waits for 100 before it sends its body.
    private var awaitsContinue = false
    /// How much of a body that nobody wants is still read, in bytes.
    private var unwanted = 0
    private let timer: ConnectionTimer

    init(_ services: any RequestServices, channel: any Channel, isTLS: Bool) {
        self.services = services
        self.isTLS = isTLS
        loop = channel.eventLoop
        peer = channel.remoteAddress?.ipAddress ?? ""
        timer = ConnectionTimer(channel)
    }

    private(set) var isWritable = true

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        timer.set(services.limits.headPatience)
        services.opened(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: request

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
        var buffer = unwrapInboundIn(data)
        if inbound.readableBytes == 0 { inbound = buffer } else { inbound.writeBuffer(&buffer) }
        steps()
        // The memory is the channel's, for what it reads next.
        if inbound.readableBytes == 0 { inbound = ByteBuffer() }
        if case .whole = reading, inbound.readableBytes > Self.longestWait { setReading(false) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        receiver?.requestFlush()
        context.fireChannelReadComplete()
    }

    private func steps() {
        // An answer that is there at once comes back here.
        guard !isStepping else { return }
        isStepping = true
        do throws(MessageFault) {
            while try step() {}
        } catch {
            refuse(error)
        }
        isStepping = false
    }

    private func step() throws(MessageFault) -> Bool {
        guard inbound.readableBytes > 0 else { return false }
        switch reading {
        case .head: return try readHead()
        case .whole: return false
        case .refused:
            inbound.clear()
            return false
        case .tunnel:
            let piece = inbound
            inbound = ByteBuffer()
            receiver?.request(piece)
            return false
        case .length(let left):
            guard let piece = inbound.readSlice(length: min(left, inbound.readableBytes)) else { return false }
            reading = .length(left - piece.readableBytes)
            guard wants(piece) else { return false }
            if left == piece.readableBytes { requestEnded(nil) }
            return true
        case .chunks(var chunks):
            let bytes = inbound
            let step = try bytes.withUnsafeReadableBytes { (bytes) throws(MessageFault) in try chunks.next(bytes) }
            reading = .chunks(chunks)
            switch step {
            case .data(let skip, let count):
                inbound.moveReaderIndex(forwardBy: skip)
                guard let piece = inbound.readSlice(length: count) else { return false }
                return wants(piece)
            case .more(let skip):
                inbound.moveReaderIndex(forwardBy: skip)
                return false
            case .end(let skip, let trailers):
                inbound.moveReaderIndex(forwardBy: skip)
                requestEnded(trailers.fields.isEmpty ? nil : trailers)
                return true
            }
        }
    }

    /// Passes a piece of a body on, or throws it away when the answer is done.
    /// - Returns: whether more is read.
    private func wants(_ piece: ByteBuffer) -> Bool {
        if let receiver {
            timer.set(services.limits.bodyPatience)
            receiver.request(piece)
            return true
        }
        unwanted -= piece.readableBytes
        guard unwanted < 0 else { return true }
        refuseRest()
        return false
    }

    private func readHead() throws(MessageFault) -> Bool {
        // An empty line before a request is passed over (RFC 9112, 2.2).
        if inbound.readableBytes >= 2, inbound.getInteger(at: inbound.readerIndex) == UInt16(0x0D0A) {
            inbound.moveReaderIndex(forwardBy: 2)
            guard inbound.readableBytes > 0 else { return false }
        }
        guard let head = try nextHead() else {
            timer.setOnce(services.limits.headPatience)
            return false
        }
        begin(head)
        return true
    }

    private func begin(_ head: consuming RequestHead) {
        head.scheme = isTLS ? "https" : "http"
        isOld = head.isOld
        keepsAlive = head.keepsAlive && !isLeaving
        awaitsContinue = head.expectsContinue
        writing = .nothing
        switch head.body {
        case .none, .untilClose, .length(0): reading = .whole
        case .length(let length): reading = .length(length)
        case .chunked: reading = .chunks(ChunkReader())
        }
        let isLast = if case .whole = reading { true } else { false }
        timer.set(isLast ? nil : services.limits.bodyPatience)
        let receiver = services.receiver(for: self)
        self.receiver = receiver
        receiver.begin(head, isLast: isLast)
    }

    private func nextHead() throws(MessageFault) -> RequestHead? {
        let bytes = inbound
        var search = search
        let found = try bytes.withUnsafeReadableBytes { (bytes) throws(MessageFault) -> (Int, RequestHead)? in
            guard let end = try search.end(in: bytes) else { return nil }
            return (end, try HeadReader.request(UnsafeRawBufferPointer(rebasing: bytes[..<end])))
        }
        self.search = search
        guard let (count, head) = found else { return nil }
        inbound.moveReaderIndex(forwardBy: count)
        return head
    }

    private func requestEnded(_ trailers: HeaderFields?) {
        reading = .whole
        timer.set(nil)
        receiver?.requestEnd(trailers)
        if case .done = writing { next() }
    }

    // MARK: answer

    func respondContinue() {
        guard case .nothing = writing else { return }
        awaitsContinue = false
        outbound.buffer.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
        flush()
    }

    func respond(_ head: ResponseHead, isLast: Bool) {
        var head = head
        switch head.body {
        case .none: writing = .length
        case .length: writing = .length
        case .chunked, .untilClose:
            // HTTP/1.0 does not know chunks.
            head.body = isOld ? .untilClose : .chunked
            writing = isOld ? .untilClose : .chunks
            if isOld { keepsAlive = false }
        }
        switch reading {
        case .refused: keepsAlive = false
        case .length, .chunks: if awaitsContinue { keepsAlive = false }
        case .head, .whole, .tunnel: break
        }
        let connection: StaticString? =
            !keepsAlive ? "Connection: close\r\n" : isOld ? "Connection: keep-alive\r\n" : nil
        HeadWriter.response(head, connection: connection, into: &outbound.buffer)
        if isLast { answered() }
    }

    func respond(_ body: ByteBuffer) {
        guard body.readableBytes > 0 else { return }
        if case .chunks = writing { HeadWriter.chunk(body.readableBytes, into: &outbound.buffer) }
        if !outbound.add(body) {
            writeOut()
            context?.write(wrapOutboundOut(body), promise: nil)
            isUnflushed = true
        }
        if case .chunks = writing { outbound.buffer.writeStaticString("\r\n") }
    }

    func respondEnd(_ trailers: HeaderFields?) {
        if case .chunks = writing { HeadWriter.lastChunk(trailers, into: &outbound.buffer) }
        answered()
    }

    func respondUpgrade(_ head: ResponseHead, to upgrade: String) {
        HeadWriter.response(head, connection: nil, upgrade: upgrade, into: &outbound.buffer)
        writing = .tunnel
        reading = .tunnel
        timer.set(nil)
        flush()
        setReading(true)
        steps()
    }

    private func writeOut() {
        guard let bytes = outbound.take() else { return }
        isUnflushed = true
        context?.write(wrapOutboundOut(bytes), promise: nil)
    }

    func flush() {
        let bytes = outbound.take()
        guard bytes != nil || isUnflushed else { return }
        isUnflushed = false
        if let bytes { context?.write(wrapOutboundOut(bytes), promise: nil) }
        context?.flush()
        if let bytes { outbound.reuse(bytes) }
    }

    private func answered() {
        if case .tunnel = writing {
            flush()
            return closeNow()
        }
        writing = .done
        receiver = nil
        flush()
        switch reading {
        case .whole: next()
        case .head, .tunnel: closeNow()
        case .refused: refuseRest()
        case .length, .chunks:
            // A short rest is read, so that the connection can go on.
            guard keepsAlive else { return refuseRest() }
            unwanted = Self.longestUnwanted
            timer.set(.seconds(5))
            setReading(true)
        }
    }

    /// To the next request.
    private func next() {
        guard keepsAlive else { return refuseRest() }
        reading = .head
        receiver = nil
        timer.set(isLeaving ? .seconds(1) : services.limits.idlePatience)
        setReading(true)
        steps()
    }

    /// Says that nothing more is answered, and lets the client read what was: a connection that is closed with bytes
    /// unread is reset.
    private func refuseRest() {
        reading = .refused
        inbound.clear()
        receiver = nil
        timer.set(.seconds(2))
        setReading(true)
        context?.close(mode: .output, promise: nil)
    }

    private func refuse(_ fault: MessageFault) {
        services.refused(fault)
        let receiver = receiver
        self.receiver = nil
        receiver?.clientGone()
        switch writing {
        case .nothing, .done:
            keepsAlive = false
            reading = .refused
            let (head, body) = LocalAnswer.plain(fault.status, fault.description)
            respond(head, isLast: false)
            respond(body)
            respondEnd(nil)
        case .length, .chunks, .untilClose, .tunnel: closeNow()
        }
    }

    func abort() {
        receiver = nil
        closeNow()
    }

    private func closeNow() {
        reading = .refused
        context?.close(promise: nil)
    }

    /// Ends the connection when its request is answered.
    func leave() {
        isLeaving = true
        keepsAlive = false
        if case .head = reading, inbound.readableBytes == 0 { closeNow() }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        receiver?.clientWritable(isWritable)
        // Who reads nothing of an answer is not waited for without end.
        if !isWritable {
            timer.set(services.limits.bodyPatience)
        } else {
            switch reading {
            case .whole, .tunnel: timer.set(nil)
            case .head, .length, .chunks, .refused: break
            }
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent { leave() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer.set(nil)
        services.closed(self)
        isWritable = false
        let receiver = receiver
        self.receiver = nil
        reading = .refused
        receiver?.clientGone()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
