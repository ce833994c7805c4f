// SPDX-License-Identifier: Apache-2.0
package import NIOCore
package import NIOHTTP2

/// A connection of HTTP/2 with its streams, none of which is a channel: what a frame brings goes by one call to who
/// waits for it. `NIOHTTP2Handler` before it does frames, header compression, states and flow control of what is sent.
///
/// Used on the channel's event loop only.
package final class HTTP2Connection: ChannelInboundHandler {
    package typealias InboundIn = HTTP2Frame
    package typealias OutboundOut = HTTP2Frame

    let configuration: HTTP2ConnectionConfiguration
    let isServer: Bool
    private(set) var delegate: (any HTTP2ConnectionDelegate)?
    var context: ChannelHandlerContext?
    /// By their number; those of a client that have no number yet are not among them.
    private var streams: [HTTP2StreamID: HTTP2Stream] = [:]
    /// Streams that are not over: also those without a number, and those that are not read to their end.
    package private(set) var streamCount = 0
    /// No further stream may be opened.
    package var isLeaving = false
    /// What the peer takes at a time, as it has said; a client's.
    package private(set) var maximumStreams = 100
    /// Since when there is no stream.
    package private(set) var idleSince: NIODeadline
    /// What a stream's window is filled up to: the settings' only once the peer has confirmed them.
    private(set) var streamWindow = 65_535

    /// The last stream that was looked for: frames and events of one mostly follow each other.
    private var latest: HTTP2Stream?
    private var nextID: Int32 = 1
    private(set) var lastInboundID = HTTP2StreamID.rootStream
    private var isReady = false
    private var burst: [HTTP2Stream] = []
    private var isInBurst = false
    private var needsFlush = false
    private var isFlushScheduled = false
    /// A server's, whose answers were ended before their requests.
    private var halfRead: [HTTP2Stream] = []
    private var writable: [HTTP2Stream] = []
    var lastRead: NIODeadline
    var farewellIsSent = false
    var farewellIsConfirmed = false

    private init(
        _ configuration: HTTP2ConnectionConfiguration, _ delegate: any HTTP2ConnectionDelegate, now: NIODeadline
    ) {
        self.configuration = configuration
        self.delegate = delegate
        isServer = configuration.mode == .server
        idleSince = now
        lastRead = now
    }

    /// Makes a channel one of HTTP/2. The delegate is kept until the channel is closed. Throws where the channel is
    /// closed already.
    package static func setUp(
        _ channel: any Channel, _ configuration: HTTP2ConnectionConfiguration, _ delegate: any HTTP2ConnectionDelegate
    ) throws -> HTTP2Connection {
        let connection = HTTP2Connection(configuration, delegate, now: channel.eventLoop.now)
        let handler = NIOHTTP2Handler(
            mode: configuration.mode, frameDelegate: connection,
            connectionConfiguration: configuration.handler.connection,
            streamConfiguration: configuration.handler.stream)
        try channel.pipeline.syncOperations.addHandlers([handler, connection])
        return connection
    }

    package var channel: (any Channel)? { context?.channel }
    /// HTTP/2's preface is sent, and the channel is not closed.
    package var isActive: Bool { isReady && context?.channel.isActive ?? false }

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        isReady = context.channel.isActive
        watch(context)
    }

    package func channelActive(context: ChannelHandlerContext) {
        isReady = true
        context.fireChannelActive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        // Also where the channel has never become active.
        lost()
        self.context = nil
    }

    // MARK: streams

    /// A new stream of a client; it begins by its head.
    /// - Returns: nil where the connection takes none any more.
    package func open(_ delegate: any HTTP2StreamDelegate) -> HTTP2Stream? {
        guard !isServer, !isLeaving, isActive else { return nil }
        let stream = HTTP2Stream(self)
        stream.delegate = delegate
        streamCount += 1
        return stream
    }

    /// Gives a client's stream its number.
    /// - Returns: false where it cannot have one; then it is over.
    func begin(_ stream: HTTP2Stream) -> Bool {
        guard stream.id == .rootStream else { return true }
        guard !isLeaving, isActive else {
            stream.end(.refused, isOrderly: false)
            return false
        }
        stream.id = HTTP2StreamID(nextID)
        streams[stream.id] = stream
        // Numbers end at 2^31 - 1 (RFC 9113, 5.1.1): then another connection is needed.
        if nextID > Int32.max - 4 { leave() }
        nextID &+= 2
        return true
    }

    /// It is over.
    func forget(_ stream: HTTP2Stream) {
        streams[stream.id] = nil
        if latest === stream { latest = nil }
        streamCount -= 1
        if streamCount == 0 { idleSince = context?.eventLoop.now ?? .now() }
        delegate?.streamEnded()
        closeIfDone()
    }

    private func stream(_ id: HTTP2StreamID) -> HTTP2Stream? {
        if let latest, latest.id == id { return latest }
        let stream = streams[id]
        if stream != nil { latest = stream }
        return stream
    }

    private func accept(_ id: HTTP2StreamID) -> HTTP2Stream? {
        // What is still sent on a stream that is over begins none.
        guard isServer, id > lastInboundID, let delegate else { return nil }
        lastInboundID = id
        guard streamCount < configuration.streams else {
            write(.rstStream(.refusedStream), on: id)
            flush()
            return nil
        }
        let stream = HTTP2Stream(self)
        stream.id = id
        streams[id] = stream
        latest = stream
        streamCount += 1
        stream.delegate = delegate.opened(stream)
        return stream
    }

    // MARK: from the peer

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isInBurst = true
        let frame = unwrapInboundIn(data)
        switch frame.payload {
        case .data(let data):
            guard let stream = stream(frame.streamID), case .byteBuffer(let bytes) = data.data else { return }
            note(stream)
            stream.receive(bytes, isLast: data.endStream)
        case .headers(let headers):
            guard let stream = stream(frame.streamID) ?? accept(frame.streamID) else { return }
            note(stream)
            stream.receive(headers.headers, isLast: headers.endStream)
        case .settings(.settings(let settings)):
            guard let most = settings.last(where: { $0.parameter == .maxConcurrentStreams }) else { return }
            maximumStreams = max(1, most.value)
            delegate?.peerChanged()
        case .goAway(let last, _, _): leftBehind(last)
        case .ping(let data, ack: true): pingAnswered(data)
        default: break
        }
    }

    private func note(_ stream: HTTP2Stream) {
        guard !stream.isInBurst else { return }
        stream.isInBurst = true
        burst.append(stream)
    }

    /// The peer of a client has said goodbye: what it has not looked at is refused.
    private func leftBehind(_ last: HTTP2StreamID) {
        guard !isServer else { return }
        isLeaving = true
        for stream in streams.values where stream.id > last { stream.end(.refused, isOrderly: false) }
        delegate?.peerChanged()
        closeIfDone()
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        let streams = burst
        burst.removeAll(keepingCapacity: true)
        for stream in streams {
            stream.isInBurst = false
            stream.delegate?.receivedAll()
        }
        isInBurst = false
        if configuration.keepalive != nil { lastRead = context.eventLoop.now }
        if needsFlush { flushNow() } else { afterWriting() }
        context.fireChannelReadComplete()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? NIOHTTP2WindowUpdatedEvent {
            if event.streamID != .rootStream {
                stream(event.streamID)?.windowChanged(event.inboundWindowSize)
            } else if let size = event.inboundWindowSize {
                giveWindow(size)
            }
        } else if let event = event as? StreamClosedEvent {
            stream(event.streamID)?.close(event.reason)
        } else if let event = event as? NIOHTTP2BulkStreamWindowChangeEvent {
            streamWindow = min(max(0, streamWindow + event.delta), Int(Int32.max))
            for stream in streams.values { stream.windowMoved(by: event.delta) }
        } else if event is NIOHTTP2StreamCreatedEvent {
            return
        } else if event is ChannelShouldQuiesceEvent {
            leave()
        } else if event as? ChannelEvent == .inputClosed {
            context.close(promise: nil)
        }
    }

    /// The connection's window is given back at once: what is not read is bounded by the streams' windows.
    private func giveWindow(_ size: Int) {
        let target = configuration.handler.connection.targetWindowSize
        guard size <= target / 2, isActive else { return }
        write(.windowUpdate(windowSizeIncrement: target - size), on: .rootStream)
        flush()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        afterWriting()
        context.fireChannelWritabilityChanged()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as NIOHTTP2Errors.StreamError:
            stream(error.streamID)?.end(.lost("\(error.baseError)"), isOrderly: false)
        // Of one stream: NIO has reset it, or it was over, or refused by a farewell.
        case is NIOHTTP2Errors.StreamClosed, is NIOHTTP2Errors.NoSuchStream,
            is NIOHTTP2Errors.BadStreamStateTransition, is NIOHTTP2Errors.CreatedStreamAfterGoaway:
            break
        // NIO has told the peer, and leaves the closing to others.
        default: context.close(promise: nil)
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        lost()
        context.fireChannelInactive()
    }

    private func lost() {
        isLeaving = true
        isReady = false
        for stream in Array(streams.values) {
            // An answer that is here is still read.
            let isWhole = stream.hasReceivedEnd && !isServer
            stream.end(isWhole ? .done : .lost("the connection was closed"), isOrderly: isWhole)
        }
        latest = nil
        burst = []
        let delegate = delegate
        self.delegate = nil
        delegate?.closed()
    }

    // MARK: to the peer

    func write(_ payload: HTTP2Frame.FramePayload, on id: HTTP2StreamID) {
        guard let context else { return }
        context.write(wrapOutboundOut(HTTP2Frame(streamID: id, payload: payload)), promise: nil)
    }

    /// At the end of the burst of reads, or of what the event loop does at the moment.
    package func flush() {
        guard let context else { return }
        if isInBurst {
            needsFlush = true
        } else if !isFlushScheduled {
            isFlushScheduled = true
            context.eventLoop.assumeIsolated().execute {
                self.isFlushScheduled = false
                self.flushNow()
            }
        }
    }

    func flushNow() {
        needsFlush = false
        context?.flush()
        afterWriting()
    }

    func becameWritable(_ stream: HTTP2Stream) { writable.append(stream) }

    /// Frames have been written: some may want to send more, or nothing any more.
    private func afterWriting() {
        while let stream = writable.popLast() {
            if stream.isWritable { stream.delegate?.writabilityChanged(true) }
        }
        guard !halfRead.isEmpty else { return }
        let streams = halfRead
        halfRead = []
        for stream in streams where !stream.hasReceivedEnd && !stream.isOver {
            // Nobody reads the rest (RFC 9113, 8.1).
            stream.end(.done, isOrderly: false)
            write(.rstStream(.noError), on: stream.id)
        }
        flush()
    }
}

extension HTTP2Connection: NIOHTTP2FrameDelegate {
    /// Called by NIO before the frame's bytes are written to the channel.
    package func wroteFrame(_ frame: HTTP2Frame) {
        switch frame.payload {
        case .data(let data):
            guard let stream = stream(frame.streamID) else { return }
            stream.wrote(data.data.readableBytes)
            if isServer, data.endStream, !stream.hasReceivedEnd { halfRead.append(stream) }
        case .headers(let headers) where headers.endStream && isServer:
            guard let stream = stream(frame.streamID), !stream.hasReceivedEnd else { return }
            halfRead.append(stream)
        default: break
        }
    }
}
