// SPDX-License-Identifier: Apache-2.0
package import NIOCore
package import NIOHPACK
package import NIOHTTP2

/// One stream of an ``HTTP2Connection``. Used on its event loop only.
///
/// Sending is never refused: who sends much looks at ``isWritable``. After its end, whatever is sent is dropped.
package final class HTTP2Stream {
    /// What came while it was not read.
    private enum Received {
        case headers(HPACKHeaders, isLast: Bool)
        case body(ByteBuffer, isLast: Bool)
    }

    package let connection: HTTP2Connection
    /// None (0) until a client's head is sent.
    package internal(set) var id = HTTP2StreamID.rootStream
    /// Whether more should be sent at the moment.
    package private(set) var isWritable = true
    /// This side has sent its end.
    package private(set) var hasSentEnd = false
    /// The peer has sent its end, though perhaps it is not yet read.
    package private(set) var hasReceivedEnd = false
    /// Nothing comes or goes any more.
    package private(set) var isOver = false

    var delegate: (any HTTP2StreamDelegate)?
    /// It is among those that were read in this burst.
    var isInBurst = false
    /// Bytes of DATA frames that are not written to the connection yet.
    private var waiting = 0
    private var isReading = true
    private var isDelivering = false
    private var unread: CircularBuffer<Received> = CircularBuffer(initialCapacity: 0)
    private var unreadBytes = 0
    /// What the peer may send, as NIO counts it; nil: nothing has come.
    private var window: Int?
    /// The protocol is done with it, but not everything is read.
    private var lateEnd: HTTP2StreamEnd?

    init(_ connection: HTTP2Connection) { self.connection = connection }

    // MARK: to the peer

    /// Sends a header list: a head, or trailers. A client's stream begins by its first.
    package func send(_ headers: HPACKHeaders, isLast: Bool) {
        guard canSend, connection.begin(self) else { return }
        if isLast { hasSentEnd = true }
        connection.write(.headers(.init(headers: headers, endStream: isLast)), on: id)
    }

    /// Sends a piece of the body. Few large ones cost less than many small ones.
    package func send(_ body: ByteBuffer, isLast: Bool) {
        guard canSend, id != .rootStream else { return }
        if isLast { hasSentEnd = true }
        waiting += body.readableBytes
        connection.write(.data(.init(data: .byteBuffer(body), endStream: isLast)), on: id)
        guard isWritable, waiting > connection.configuration.outbound.upperBound else { return }
        isWritable = false
        if !hasSentEnd { delegate?.writabilityChanged(false) }
    }

    private var canSend: Bool { !isOver && !hasSentEnd && lateEnd == nil }

    /// What was sent goes out, at the end of what the event loop does at the moment, together with other streams'.
    package func flush() { connection.flush() }

    /// Ends it at once; the delegate is not called again.
    package func reset(_ code: HTTP2ErrorCode) {
        guard !isOver else { return }
        let isKnown = id != .rootStream && lateEnd == nil
        letGo()
        connection.forget(self)
        guard isKnown else { return }
        connection.write(.rstStream(code), on: id)
        connection.flush()
    }

    /// So many bytes were written to the connection.
    func wrote(_ bytes: Int) {
        waiting -= bytes
        guard !isWritable, waiting <= connection.configuration.outbound.lowerBound else { return }
        isWritable = true
        guard !hasSentEnd else { return }
        connection.becameWritable(self)
    }

    // MARK: from the peer

    /// Whether more is wanted. What comes meanwhile is kept, and gives the peer no new window.
    package func setReading(_ isReading: Bool) {
        self.isReading = isReading
        guard isReading, !isDelivering, !unread.isEmpty else { return }
        deliver()
        delegate?.receivedAll()
        endLate()
    }

    func receive(_ headers: HPACKHeaders, isLast: Bool) {
        guard !isOver else { return }
        if isLast { hasReceivedEnd = true }
        guard isReading, unread.isEmpty else { return unread.append(.headers(headers, isLast: isLast)) }
        delegate?.received(headers, isLast: isLast)
    }

    func receive(_ body: ByteBuffer, isLast: Bool) {
        guard !isOver else { return }
        if isLast { hasReceivedEnd = true }
        guard isReading, unread.isEmpty else {
            return keep(body, isLast: isLast)
        }
        delegate?.received(body, isLast: isLast)
    }

    /// Small pieces become one: each would keep the buffer alive that it was read into.
    private func keep(_ body: ByteBuffer, isLast: Bool) {
        unreadBytes += body.readableBytes
        guard case .body(var last, isLast: false)? = unread.last, last.readableBytes < 16 << 10 else {
            return unread.append(.body(body, isLast: isLast))
        }
        unread.removeLast()
        last.writeImmutableBuffer(body)
        unread.append(.body(last, isLast: isLast))
    }

    private func deliver() {
        isDelivering = true
        while isReading, !isOver, let next = unread.popFirst() {
            switch next {
            case .headers(let headers, let isLast): delegate?.received(headers, isLast: isLast)
            case .body(let body, let isLast):
                unreadBytes -= body.readableBytes
                delegate?.received(body, isLast: isLast)
            }
        }
        isDelivering = false
        giveWindow()
    }

    /// - Parameter size: what the peer may send now; nil: it has ended its side.
    func windowChanged(_ size: Int?) {
        window = size
        giveWindow()
    }

    func windowMoved(by delta: Int) {
        window = window.map { $0 + delta }
    }

    /// Gives the peer back what was consumed, when that is half a window.
    private func giveWindow() {
        guard let window, !hasReceivedEnd, !isOver, lateEnd == nil else { return }
        // Nobody reads what still comes after this side's end of an answer.
        if hasSentEnd, connection.isServer { return }
        let open = window + unreadBytes
        let target = connection.streamWindow
        guard open <= target / 2 else { return }
        connection.write(.windowUpdate(windowSizeIncrement: target - open), on: id)
        connection.flush()
    }

    // MARK: end

    /// The protocol is done with it.
    func close(_ reason: HTTP2ErrorCode?) {
        switch reason {
        case nil: end(.done, isOrderly: true)
        case .refusedStream?: end(.refused, isOrderly: false)
        case .noError?: end(hasReceivedEnd ? .done : .reset(.noError), isOrderly: hasReceivedEnd)
        case let code?: end(.reset(code), isOrderly: false)
        }
    }

    /// What has come before is still read where it is orderly.
    func end(_ end: HTTP2StreamEnd, isOrderly: Bool) {
        guard !isOver, lateEnd == nil else { return }
        lateEnd = end
        if !isOrderly { unread.removeAll() }
        endLate()
    }

    private func endLate() {
        guard let end = lateEnd, unread.isEmpty, !isDelivering, !isOver else { return }
        let delegate = delegate
        letGo()
        connection.forget(self)
        delegate?.closed(end)
    }

    private func letGo() {
        isOver = true
        isWritable = false
        delegate = nil
        unread.removeAll()
    }
}
