// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP2

/// How connections end.
extension HTTP2Connection {
    private static let farewellPing = HTTP2PingData(withInteger: 0x6661_7265_7765_6c6c)
    private static let keepalivePing = HTTP2PingData(withInteger: 0x6b65_6570)

    /// Ends it when its streams are done; a client is told to go first.
    package func leave() {
        guard !isLeaving || isServer && !farewellIsSent else { return }
        isLeaving = true
        guard isActive else { return }
        if isServer {
            farewellIsSent = true
            // Requests that are on their way are still answered: the number of the last is said when the PING, and
            // with it the farewell, has come back (RFC 9113, 6.8).
            write(.goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil), on: .rootStream)
            write(.ping(Self.farewellPing, ack: false), on: .rootStream)
            flush()
        }
        closeIfDone()
    }

    func pingAnswered(_ data: HTTP2PingData) {
        guard data == Self.farewellPing, farewellIsSent, !farewellIsConfirmed else { return }
        farewellIsConfirmed = true
        write(.goAway(lastStreamID: lastInboundID, errorCode: .noError, opaqueData: nil), on: .rootStream)
        flush()
        closeIfDone()
    }

    /// Closes it when it was told to end and has no stream, whether or not the client does what it was told.
    func closeIfDone() {
        guard isLeaving, streamCount == 0, let context else { return }
        // Not at once: the last frames have to go out.
        let patience = isServer && !farewellIsConfirmed ? configuration.farewell : .zero
        context.eventLoop.assumeIsolated().scheduleTask(in: patience) {
            guard self.streamCount == 0 else { return }
            self.flushNow()
            self.context?.close(promise: nil)
        }
    }

    /// Starts what looks after it.
    func watch(_ context: ChannelHandlerContext) {
        let loop = context.eventLoop
        if let idle = configuration.idle, isServer { watchIdle(idle, loop, after: idle) }
        if let handshake = configuration.handshake, isServer {
            loop.assumeIsolated().scheduleTask(in: handshake) {
                if self.lastInboundID == .rootStream { self.context?.close(promise: nil) }
            }
        }
        if let keepalive = configuration.keepalive {
            watchPeer(keepalive.interval, keepalive.patience, loop, after: keepalive.interval)
        }
    }

    private func watchIdle(_ idle: TimeAmount, _ loop: any EventLoop, after time: TimeAmount) {
        loop.assumeIsolated().scheduleTask(in: time) {
            guard self.context != nil, !self.isLeaving else { return }
            let due = self.idleSince + idle
            if self.streamCount > 0 {
                self.watchIdle(idle, loop, after: idle)
            } else if due > loop.now {
                self.watchIdle(idle, loop, after: due - loop.now)
            } else {
                self.leave()
            }
        }
    }

    private func watchPeer(
        _ interval: TimeAmount, _ patience: TimeAmount, _ loop: any EventLoop, after time: TimeAmount
    ) {
        loop.assumeIsolated().scheduleTask(in: time) {
            guard self.context != nil else { return }
            let due = self.lastRead + interval
            guard due <= loop.now else { return self.watchPeer(interval, patience, loop, after: due - loop.now) }
            let asked = loop.now
            self.write(.ping(Self.keepalivePing, ack: false), on: .rootStream)
            self.flushNow()
            loop.assumeIsolated().scheduleTask(in: patience) {
                if self.lastRead > asked {
                    self.watchPeer(interval, patience, loop, after: interval)
                } else {
                    self.context?.close(promise: nil)
                }
            }
        }
    }
}
