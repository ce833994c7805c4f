// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1

/// Why a connection cannot go on.
enum ConnectionError: Error, CustomStringConvertible {
    /// What came is not HTTP.
    case malformed(String)
    /// The head is too large.
    case headTooLarge
    /// The client has gone.
    case closed
    /// Requests came faster than they may wait.
    case tooManyRequests

    var description: String {
        switch self {
        case .malformed(let why): "not an HTTP/1.1 request: \(why)"
        case .headTooLarge: "the head of a request is too large"
        case .closed: "the client closed the connection"
        case .tooManyRequests: "too many requests were sent without waiting for an answer"
        }
    }
}

/// Keeps what a client sends until it is asked for, and reads no more than that may be.
///
/// All its methods run on the connection's event loop.
final class ConnectionHandler: ChannelInboundHandler, ChannelOutboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Requests that may wait for their turn; what one read brings may be many.
    private static let maximumWaitingHeads = 64

    /// Bytes of a body that wait at most, beside what one read brings.
    private let highWater: Int
    private var context: ChannelHandlerContext?
    private var parts = CircularBuffer<HTTPServerRequestPart>()
    private var waitingBytes = 0
    private var waitingHeads = 0
    private var readIsDue = false
    private var failure: ConnectionError?
    private var reader: CheckedContinuation<HTTPServerRequestPart, any Error>?
    private var writers: [CheckedContinuation<Bool, Never>] = []
    /// What comes is forgotten: the last answer was given.
    private var isDiscarding = false

    /// - Parameter highWater: bytes of a body that wait at most, beside what one read brings.
    init(highWater: Int) { self.highWater = highWater }

    // MARK: What the connection asks for

    /// The next part that has come already.
    func next() -> HTTPServerRequestPart? {
        guard let part = parts.popFirst() else { return nil }
        switch part {
        case .head: waitingHeads -= 1
        case .body(let bytes): waitingBytes -= bytes.readableBytes
        case .end: break
        }
        readOn()
        return part
    }

    /// Whether part of a body or a request waits.
    var hasMore: Bool { !parts.isEmpty }

    /// Answers with the next part when it comes.
    func wait(_ continuation: CheckedContinuation<HTTPServerRequestPart, any Error>) {
        if let part = next() { return continuation.resume(returning: part) }
        if let failure { return continuation.resume(throwing: failure) }
        reader = continuation
    }

    /// Why nothing more comes.
    var ended: ConnectionError? { parts.isEmpty ? failure : nil }

    var isWritable: Bool { context?.channel.isWritable ?? false }
    var isOpen: Bool { context != nil }

    /// Answers when more may be written: whether the connection is still there.
    func waitForRoom(_ continuation: CheckedContinuation<Bool, Never>) {
        guard let context else { return continuation.resume(returning: false) }
        guard !context.channel.isWritable else { return continuation.resume(returning: true) }
        writers.append(continuation)
    }

    func write(_ bytes: ByteBuffer) { context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }

    /// Sends the last bytes, reads what still comes for a while so that the client sees the answer, and closes.
    func finish(after patience: TimeAmount) {
        guard let context else { return }
        isDiscarding = true
        parts.removeAll()
        waitingBytes = 0
        waitingHeads = 0
        let channel = context.channel
        context.close(mode: .output, promise: nil)
        context.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
        readOn()
    }

    /// Closes after what was written.
    func close() { context?.close(promise: nil) }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { end(.closed) }

    func channelInactive(context: ChannelHandlerContext) {
        end(.closed)
        context.fireChannelInactive()
    }

    func read(context: ChannelHandlerContext) {
        guard mayRead else { return readIsDue = true }
        context.read()
    }

    private var mayRead: Bool { isDiscarding || (waitingBytes < highWater && waitingHeads < 2) }

    private func readOn() {
        guard readIsDue, mayRead, let context else { return }
        readIsDue = false
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDiscarding, failure == nil else { return }
        let part = unwrapInboundIn(data)
        if let reader {
            self.reader = nil
            return reader.resume(returning: part)
        }
        switch part {
        case .head:
            waitingHeads += 1
            if waitingHeads > Self.maximumWaitingHeads { return fail(.tooManyRequests) }
        case .body(let bytes): waitingBytes += bytes.readableBytes
        case .end: break
        }
        parts.append(part)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { wake(true) }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? HTTPParserError {
            fail(error == .headerOverflow ? .headTooLarge : .malformed("\(error)"))
        } else {
            end(.closed)
            context.close(promise: nil)
        }
    }

    private func fail(_ error: ConnectionError) {
        if failure == nil { failure = error }
        let reader = reader
        self.reader = nil
        reader?.resume(throwing: error)
    }

    private func end(_ error: ConnectionError) {
        context = nil
        fail(error)
        wake(false)
    }

    private func wake(_ value: Bool) {
        let waiting = writers
        writers = []
        for writer in waiting { writer.resume(returning: value) }
    }
}
