// SPDX-License-Identifier: Apache-2.0
import HTTP2Streams
import InferenceEngine
import InferenceProtocol
import NIOCore
import NIOHPACK
import NIOHTTP2

/// Where a call's answers go: a stream of HTTP/2. Used on its event loop only.
protocol GRPCStream: AnyObject {
    /// Whether the client reads what is sent.
    var isWritable: Bool { get }
    func send(_ headers: HPACKHeaders, isLast: Bool)
    func send(_ body: ByteBuffer, isLast: Bool)
    func flush()
    /// Whether more of the request is wanted.
    func setReading(_ isReading: Bool)
    /// Ends it at once; nothing of it comes any more.
    func reset(_ code: HTTP2ErrorCode)
}

extension HTTP2Stream: GRPCStream {}

/// One call: reads its messages, has them answered, writes the answers and the status. Lives on one HTTP/2 stream, and
/// on its event loop.
final class GRPCStreamHandler: HTTP2StreamDelegate {
    enum State {
        case waiting
        /// A call that is read or answered.
        case open
        /// The status is sent; what still comes is not looked at.
        case done
    }

    let server: GRPCServerContext
    let stream: any GRPCStream
    let loop: any EventLoop
    var state = State.waiting
    var head: GRPCHead?
    private var framing: GRPCFraming
    /// The only message of a call that has one, until the client has ended its side.
    private var message: ByteBuffer?
    private(set) var isInputClosed = false
    var hasSentHeaders = false
    private var isReading = true
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

    init(_ server: GRPCServerContext, _ stream: any GRPCStream, on loop: any EventLoop) {
        self.server = server
        self.stream = stream
        self.loop = loop
        framing = GRPCFraming(limit: server.calls.limits.bodyBytes)
    }

    // MARK: What comes

    func received(_ headers: HPACKHeaders, isLast: Bool) {
        // Trailers of a request mean nothing.
        if state == .waiting { begin(headers) }
        if isLast { inputClosed() }
    }

    func received(_ body: ByteBuffer, isLast: Bool) {
        read(body)
        if isLast { inputClosed() }
    }

    /// Reads no further requests while too many are not answered, or the client does not read what is.
    func pauseOrGoOn() {
        guard head?.method?.isClientStreaming == true, state == .open else { return }
        let wantsMore = pending.count < GRPCLimits.pending && stream.isWritable
        guard wantsMore != isReading else { return }
        isReading = wantsMore
        stream.setReading(wantsMore)
    }

    func receivedAll() {
        guard state == .open, !isInputClosed, upload == nil, head?.method?.isClientStreaming == false else { return }
        upload = after(GRPCLimits.upload) { handler in
            handler.end(GRPCStatus(.deadlineExceeded, "the message did not come within 120 s"))
        }
    }

    private func begin(_ headers: HPACKHeaders) {
        state = .open
        let head: GRPCHead
        do throws(GRPCHead.NoCall) {
            head = try GRPCHead(headers)
        } catch {
            refuse(error.status)
            return
        }
        self.head = head
        guard let method = head.method else {
            return end(GRPCStatus(.unimplemented, "there is no method \(head.path)"))
        }
        if let unknown = head.unknownCompression {
            return end(
                GRPCStatus(
                    .unimplemented, "messages compressed by \(unknown) are not understood: \(GRPCCompression.accepted)"
                ))
        }
        guard method.isOpen || server.allows(head.token) else {
            return end(
                GRPCStatus(.unauthenticated, "a token is needed: send it as authorization: Bearer TOKEN"))
        }
        guard let timeout = head.timeout else { return }
        deadline = .now + timeout
        timer = after(.nanoseconds(timeout.inNanoseconds)) { handler in
            handler.end(GRPCStatus(.deadlineExceeded, "the call's deadline has passed"))
        }
    }

    private func read(_ body: ByteBuffer) {
        guard state == .open else {
            // A client that goes on although it has its status is told to stop.
            discarded += body.readableBytes
            if discarded > 4 * GRPCLimits.window { abandon() }
            return
        }
        var body = body
        framing.add(&body)
        do throws(GRPCStatus) {
            while state == .open, let next = try framing.next() {
                try take(next)
            }
            try budget(framing.waiting)
        } catch {
            end(error)
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

    private func take(_ message: GRPCFraming.Message) throws(GRPCStatus) {
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
        try answer(bytes)
    }

    private func inputClosed() {
        guard !isInputClosed else { return }
        isInputClosed = true
        upload?.cancel()
        guard state == .open else { return }
        do throws(GRPCStatus) {
            guard framing.waiting == 0 else { throw GRPCStatus(.internal, "the body ends within a message") }
            if head?.method?.isClientStreaming == true {
                if pending.isEmpty { end(GRPCStatus(.ok, "")) }
            } else if let message {
                self.message = nil
                try answer(message)
            } else {
                throw GRPCStatus(.internal, "the method takes a message, there is none")
            }
        } catch {
            end(error)
        }
    }

    // MARK: Ends

    /// The client has given the call up or broke the protocol, the connection is gone, or all was said.
    func closed(_ end: HTTP2StreamEnd) {
        release()
        stall?.cancel()
    }

    func writabilityChanged(_ isWritable: Bool) {
        pauseOrGoOn()
        stall?.cancel()
        stall = nil
        guard !isWritable else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        stall = loop.scheduleTask(in: GRPCLimits.stall) { bound.value.isStalled() }
    }

    /// Also of a call whose status is written already, but not sent: it is not told that there is room again.
    private func isStalled() {
        if !stream.isWritable { abandon() }
    }

    private func abandon() {
        release()
        stall?.cancel()
        stream.reset(.cancel)
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

    func after(_ delay: TimeAmount, _ body: @escaping @Sendable (GRPCStreamHandler) -> Void) -> Scheduled<Void> {
        let bound = NIOLoopBound(self, eventLoop: loop)
        return loop.scheduleTask(in: delay) {
            let handler = bound.value
            guard handler.state != .done else { return }
            body(handler)
        }
    }
}
