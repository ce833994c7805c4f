// SPDX-License-Identifier: Apache-2.0
import HTTP2Streams
import NIOCore
import NIOHTTP2
import Synchronization

/// What a client of a connection may ask for.
enum GRPCLimits {
    /// Calls of one connection at a time.
    static let concurrentStreams = 256
    /// Bytes of the headers of a call.
    static let headerList = 32 << 10
    /// Bytes of a call's body that may be on their way, and that wait while the call is not read.
    static let window = 256 << 10
    /// Bytes of a frame: large messages in fewer steps than with the 16 KiB of RFC 9113's start.
    static let frame = 256 << 10
    /// Answers that one stream of inferences may wait for; what comes then is not read until some are there.
    static let pending = 128
    /// How long a connection may take to its first call, and a call from its head to the end of its message.
    static let handshake = TimeAmount.seconds(30)
    static let upload = TimeAmount.seconds(120)
    /// How long a client may not read its answers.
    static let stall = TimeAmount.seconds(60)

    static let configuration: HTTP2ConnectionConfiguration = {
        let handler = NIOHTTP2Handler.Configuration(connection: connection, stream: stream)
        var configuration = HTTP2ConnectionConfiguration(mode: .server, handler: handler)
        configuration.streams = concurrentStreams
        configuration.handshake = handshake
        // Connections may be without calls for long, as gRPC's are; who does not answer a ping is gone.
        configuration.idle = .hours(2)
        configuration.keepalive = (.minutes(2), .seconds(20))
        return configuration
    }()

    private static var connection: NIOHTTP2Handler.ConnectionConfiguration {
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: concurrentStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: headerList),
            HTTP2Setting(parameter: .initialWindowSize, value: window),
            HTTP2Setting(parameter: .maxFrameSize, value: frame),
        ]
        connection.targetWindowSize = 16 * window
        connection.maximumBufferedControlFrames = 1000
        // gRPC's C core measures the bandwidth by a PING every few reads, and resets calls that were given up.
        connection.controlFrameRateLimit.maximumCount = 20_000
        return connection
    }

    private static var stream: NIOHTTP2Handler.StreamConfiguration {
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.targetWindowSize = window
        stream.streamResetFrameRateLimit.maximumCount = 20_000
        return stream
    }
}

/// Bytes of messages that are not whole yet, of all calls together.
final class GRPCBudget: Sendable {
    private let limit: Int
    private let used = Atomic(0)

    init(limit: Int) { self.limit = limit }

    /// - Returns: false where there is no room.
    func take(_ bytes: Int) -> Bool {
        let (_, new) = used.add(bytes, ordering: .relaxed)
        guard new > limit else { return true }
        used.subtract(bytes, ordering: .relaxed)
        return false
    }

    func give(_ bytes: Int) { used.subtract(bytes, ordering: .relaxed) }
}
