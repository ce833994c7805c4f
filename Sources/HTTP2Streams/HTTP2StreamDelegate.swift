// SPDX-License-Identifier: Apache-2.0
package import NIOCore
package import NIOHPACK
package import NIOHTTP2

/// What one stream of HTTP/2 brings. Called on the connection's event loop only; an ``HTTP2Stream`` keeps it until it
/// is over.
package protocol HTTP2StreamDelegate: AnyObject {
    /// A header list: a request's or an answer's head, an interim answer, or trailers. Nothing follows the last.
    func received(_ headers: HPACKHeaders, isLast: Bool)
    /// Bytes of the body; they may be none where `isLast`. Not called while the stream is not read.
    func received(_ body: ByteBuffer, isLast: Bool)
    /// Nothing more is there at the moment: what was received can be worked on, or sent on, as one.
    func receivedAll()
    /// Too much waits to be sent, or no longer: then there is room again.
    func writabilityChanged(_ isWritable: Bool)
    /// The stream is over, and nothing is called any more. Not called after ``HTTP2Stream/reset(_:)``.
    /// May come from within a call of `send` or `flush`.
    func closed(_ end: HTTP2StreamEnd)
}

/// How a stream ended.
package enum HTTP2StreamEnd: Sendable, Hashable {
    /// Both sides have ended it.
    case done
    /// The peer has reset it.
    case reset(HTTP2ErrorCode)
    /// The peer has done nothing with it: it may be sent again on another connection.
    case refused
    /// The connection was lost, or either side broke the protocol; the sentence says how.
    case lost(String)
}

/// What a connection tells its owner. Called on the connection's event loop only.
package protocol HTTP2ConnectionDelegate: AnyObject {
    /// A client has begun a stream; servers only.
    /// - Returns: who gets what it brings.
    func opened(_ stream: HTTP2Stream) -> any HTTP2StreamDelegate
    /// A stream has ended, however; it is no longer counted.
    func streamEnded()
    /// The peer wants no further streams, or takes another number of them: see ``HTTP2Connection/isLeaving`` and
    /// ``HTTP2Connection/maximumStreams``.
    func peerChanged()
    /// The connection is closed.
    func closed()
}

/// How a connection of HTTP/2 is kept.
package struct HTTP2ConnectionConfiguration: Sendable {
    package var mode: NIOHTTP2Handler.ParserMode
    /// Settings and limits of frames. The windows are those that are given anew as bytes are consumed; the initial
    /// window of streams is that of the settings.
    package var handler: NIOHTTP2Handler.Configuration
    /// Bytes of a stream that wait to be sent from which it is not writable, and down to which it becomes so again.
    package var outbound = 16 << 10...64 << 10
    /// A server's: streams of the client at a time; further ones are refused.
    package var streams = 256
    /// A server's: without streams, until the client is told to go; nil: for ever.
    package var idle: TimeAmount?
    /// A server's: until the first stream; nil: for ever.
    package var handshake: TimeAmount?
    /// A server's: how long a client that was told to go may still ask for something.
    package var farewell = TimeAmount.milliseconds(500)
    /// A PING after so long without a frame, and how long its answer may take; nil: none.
    package var keepalive: (interval: TimeAmount, patience: TimeAmount)?

    package init(mode: NIOHTTP2Handler.ParserMode, handler: NIOHTTP2Handler.Configuration) {
        self.mode = mode
        self.handler = handler
    }
}
