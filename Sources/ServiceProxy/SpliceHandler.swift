// SPDX-License-Identifier: Apache-2.0
import NIOCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One end of a spliced connection: what arrives is written to the other end.
///
/// Reading pauses while the other end cannot be written to. The end of input ends the other end's output once all has
/// been sent; a failure resets the other end, so that a cut answer is not taken for a whole one. What arrives before the
/// ends are joined (a peer that sends and closes at once) is kept. Both ends are on the same event loop.
final class SpliceHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let count: (Int) -> Void
    private var partner: SpliceHandler?
    private var context: ChannelHandlerContext?
    private var wantsToRead = false
    private var isOutputEnding = false
    private var early: [ByteBuffer] = []
    private var hasEarlyEnd = false

    /// - Parameter count: told of the bytes that arrive.
    init(count: @escaping (Int) -> Void) { self.count = count }

    /// Makes the two handlers the ends of one connection, and passes on what has arrived at either.
    static func join(_ one: SpliceHandler, _ other: SpliceHandler) {
        one.partner = other
        other.partner = one
        one.passOnEarly()
        other.passOnEarly()
    }

    private func passOnEarly() {
        for buffer in early { partner?.context?.write(wrapOutboundOut(buffer), promise: nil) }
        if !early.isEmpty { partner?.context?.flush() }
        early = []
        if hasEarlyEnd { partner?.endOutput() }
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        partner = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        count(buffer.readableBytes)
        if let partner {
            partner.context?.write(data, promise: nil)
        } else {
            early.append(buffer)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { partner?.context?.flush() }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent { endPartner() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        endPartner()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        partner?.context?.channel.reset()
        context.channel.reset()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { partner?.resumeReading() }
    }

    func read(context: ChannelHandlerContext) {
        if partner?.context?.channel.isWritable ?? true {
            context.read()
        } else {
            wantsToRead = true
        }
    }

    private func endPartner() {
        hasEarlyEnd = true
        partner?.endOutput()
    }

    private func resumeReading() {
        guard wantsToRead else { return }
        wantsToRead = false
        context?.read()
    }

    /// Shuts the output down after everything written so far; closing at once would drop what waits to be sent.
    private func endOutput() {
        guard !isOutputEnding, let context else { return }
        isOutputEnding = true
        let channel = context.channel
        let nothing = context.channel.allocator.buffer(capacity: 0)
        context.writeAndFlush(wrapOutboundOut(nothing)).whenComplete { _ in
            channel.close(mode: .output, promise: nil)
        }
    }
}

extension Channel {
    /// Closes at once; the peer sees a reset rather than an orderly end.
    func reset() {
        if let options = self as? any SocketOptionProvider {
            options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in self.close(promise: nil) }
        } else {
            close(promise: nil)
        }
    }
}
