// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP2

/// What a client of an HTTP/2 connection may ask for.
enum HTTP2Limits {
    /// Upstream's, in streams.
    static let concurrentStreams = 250
    /// The same as of HTTP/1.1, in bytes.
    static let headerList = 80 * 1024
    /// How much of a request's body may wait to be read, in bytes a stream: RFC 9113's initial window.
    static let window = 65_535

    static var configuration: NIOHTTP2Handler.Configuration {
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: concurrentStreams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: headerList),
            HTTP2Setting(parameter: .initialWindowSize, value: window),
        ]
        connection.targetWindowSize = 4 * window
        // Frames that wait for a client that reads nothing.
        connection.maximumBufferedControlFrames = 1000
        // Go's client sends a PING along with each stream that it resets.
        connection.controlFrameRateLimit.maximumCount = resets
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.targetWindowSize = window
        stream.streamResetFrameRateLimit.maximumCount = resets
        return NIOHTTP2Handler.Configuration(connection: connection, stream: stream)
    }

    /// In 30 s: a client may end all its watches and begin them again some times over.
    private static let resets = 2000

    /// Connections without requests are closed as upstream closes them. The deadline of a shutdown is
    /// ``HTTP2FailureHandler``'s.
    static let lifetime = NIOHTTP2ServerConnectionManagementHandler.Configuration(
        maxIdleTime: .seconds(90), maxAge: nil, maxGraceTime: nil, keepalive: nil)
}
