// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// A connection of HTTP/1.1 to an endpoint: one request after the other.
final class HTTP1ClientHandler: ChannelDuplexHandler, UpstreamSide {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Reading {
        /// No request is under way.
        case idle
        case head
        case length(Int)
        case chunks(ChunkReader)
        case untilClose
        /// Bytes of another protocol.
        case tunnel
        case closed
    }

    private var context: ChannelHandlerContext?
    private var reading = Reading.idle
    private var search = HeadSearch()
    private var inbound = ByteBuffer()
    private var outbound = OutboundBytes()
    /// Something was written and not flushed.
    private var isUnflushed = false
    private weak var pool: HTTP1Pool?
    private var receiver: (any UpstreamReceiver)?
    private var method = ""
    private var upgrades = false
    private var isSent = false
    private var keepsAlive = true
    private var sendsChunks = false
    private var wantsRead = true
    private var hasPendingRead = false
    /// When it was put into the pool.
    var idleSince = NIODeadline.now()

    init(pool: HTTP1Pool) { self.pool = pool }

    var isUsable: Bool {
        if case .idle = reading { context != nil } else { false }
    }

    private(set) var isWritable = true

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: request

    func send(_ head: RequestHead, isLast: Bool, to receiver: any UpstreamReceiver) {
        self.receiver = receiver
        method = head.method
        upgrades = head.upgrade != nil
        isSent = isLast
        keepsAlive = true
        reading = .head
        sendsChunks = head.body == .chunked
        HeadWriter.request(head, upgrade: head.upgrade, into: &outbound.buffer)
    }

    func send(_ body: ByteBuffer) {
        guard body.readableBytes > 0 else { return }
        if case .tunnel = reading {
        } else if sendsChunks {
            HeadWriter.chunk(body.readableBytes, into: &outbound.buffer)
        }
        write(body)
        if case .tunnel = reading {} else if sendsChunks { outbound.buffer.writeStaticString("\r\n") }
    }

    private func write(_ body: ByteBuffer) {
        guard !outbound.add(body) else { return }
        writeOut()
        context?.write(wrapOutboundOut(body), promise: nil)
        isUnflushed = true
    }

    func sendEnd(_ trailers: HeaderFields?) {
        isSent = true
        if case .tunnel = reading { return close() }
        if sendsChunks { HeadWriter.lastChunk(trailers, into: &outbound.buffer) }
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

    func setReading(_ isReading: Bool) {
        wantsRead = isReading
        guard isReading, hasPendingRead else { return }
        hasPendingRead = false
        context?.read()
    }

    func cancel() {
        receiver = nil
        close()
    }

    func release() { finish() }

    func close() {
        reading = .closed
        outbound = OutboundBytes()
        context?.close(promise: nil)
    }

    // MARK: answer

    func read(context: ChannelHandlerContext) {
        if wantsRead { context.read() } else { hasPendingRead = true }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        if inbound.readableBytes == 0 { inbound = buffer } else { inbound.writeBuffer(&buffer) }
        do throws(MessageFault) {
            while try step() {}
        } catch {
            fail(.malformed(error.description))
        }
        // The memory is the channel's, for what it reads next.
        if inbound.readableBytes == 0 { inbound = ByteBuffer() }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        receiver?.answerFlush()
        context.fireChannelReadComplete()
    }

    /// - Returns: whether there may be more to do.
    private func step() throws(MessageFault) -> Bool {
        guard inbound.readableBytes > 0 else { return false }
        switch reading {
        case .closed:
            inbound.clear()
            return false
        case .idle:
            // Nothing was asked for.
            close()
            return false
        case .head: return try readHead()
        case .length(let left):
            guard let piece = inbound.readSlice(length: min(left, inbound.readableBytes)) else { return false }
            reading = .length(left - piece.readableBytes)
            receiver?.answer(piece)
            if left == piece.readableBytes { end(nil) }
            return true
        case .untilClose, .tunnel:
            let piece = inbound
            inbound = ByteBuffer()
            receiver?.answer(piece)
            return false
        case .chunks(var chunks):
            let bytes = inbound
            let step = try bytes.withUnsafeReadableBytes { (bytes) throws(MessageFault) in try chunks.next(bytes) }
            reading = .chunks(chunks)
            switch step {
            case .data(let skip, let count):
                inbound.moveReaderIndex(forwardBy: skip)
                if let piece = inbound.readSlice(length: count) { receiver?.answer(piece) }
                return true
            case .more(let skip):
                inbound.moveReaderIndex(forwardBy: skip)
                return false
            case .end(let skip, let trailers):
                inbound.moveReaderIndex(forwardBy: skip)
                end(trailers.fields.isEmpty ? nil : trailers)
                return true
            }
        }
    }

    private func readHead() throws(MessageFault) -> Bool {
        guard let head = try nextHead() else { return false }
        if head.status == 101 {
            guard upgrades else { throw .bad("the answer changes to a protocol that was not asked for") }
            keepsAlive = false
            reading = .tunnel
            receiver?.answer(head, isLast: false)
            return true
        }
        // Interim answers are for this hop.
        guard head.status >= 200 else { return true }
        keepsAlive = head.keepsAlive
        switch head.body {
        case .none: reading = .idle
        case .length(let length): reading = length == 0 ? .idle : .length(length)
        case .chunked: reading = .chunks(ChunkReader())
        case .untilClose: reading = .untilClose
        }
        let isLast = if case .idle = reading { true } else { false }
        if isLast { reading = .length(0) }
        receiver?.answer(head, isLast: isLast)
        if isLast { end(nil, isSaid: true) }
        return true
    }

    private func nextHead() throws(MessageFault) -> ResponseHead? {
        let bytes = inbound
        var search = search
        let found = try bytes.withUnsafeReadableBytes { (bytes) throws(MessageFault) -> (Int, ResponseHead)? in
            guard let end = try search.end(in: bytes) else { return nil }
            return (end, try HeadReader.response(UnsafeRawBufferPointer(rebasing: bytes[..<end]), to: method))
        }
        self.search = search
        guard let (count, head) = found else { return nil }
        inbound.moveReaderIndex(forwardBy: count)
        return head
    }

    private func end(_ trailers: HeaderFields?, isSaid: Bool = false) {
        // The receiver may have given up meanwhile.
        if case .closed = reading { return }
        if !isSaid { receiver?.answerEnd(trailers) }
        receiver?.answerFlush()
        receiver = nil
        guard isSent, keepsAlive, inbound.readableBytes == 0 else { return close() }
        finish()
    }

    private func finish() {
        if case .closed = reading { return }
        reading = .idle
        wantsRead = true
        setReading(true)
        guard keepsAlive, let pool else { return close() }
        pool.putBack(self)
    }

    private func fail(_ failure: UpstreamFailure) {
        let receiver = receiver
        self.receiver = nil
        close()
        receiver?.failed(failure)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        receiver?.upstreamWritable(isWritable)
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        pool?.closed(self)
        isWritable = false
        switch reading {
        case .untilClose:
            reading = .closed
            receiver?.answerEnd(nil)
            receiver?.answerFlush()
            receiver = nil
        case .tunnel:
            reading = .closed
            receiver?.answerEnd(nil)
            receiver?.answerFlush()
            receiver = nil
        case .idle, .closed:
            reading = .closed
        case .head, .length, .chunks:
            fail(.lost("the connection was closed before the answer's end"))
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch reading {
        case .idle, .closed: close()
        case .head, .length, .chunks, .untilClose, .tunnel: fail(.lost("\(error)"))
        }
    }
}
