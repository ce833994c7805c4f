// SPDX-License-Identifier: Apache-2.0
import HTTP2Streams
import NIOHTTP2

/// What the other side of an HTTP/2 connection may do.
enum HTTP2Limits {
    /// At a time.
    static let streams = 256
    /// What may wait to be read, in bytes a stream.
    static let window = 256 << 10

    static func configuration(isServer: Bool) -> HTTP2ConnectionConfiguration {
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxHeaderListSize, value: HeadLimits.bytes),
            HTTP2Setting(parameter: .initialWindowSize, value: window),
        ]
        if isServer {
            connection.initialSettings.append(HTTP2Setting(parameter: .maxConcurrentStreams, value: streams))
        } else {
            connection.initialSettings.append(HTTP2Setting(parameter: .enablePush, value: 0))
        }
        connection.targetWindowSize = 4 * window
        // Frames that wait for a peer that reads nothing.
        connection.maximumBufferedControlFrames = 1000
        connection.controlFrameRateLimit.maximumCount = 2000
        var stream = NIOHTTP2Handler.StreamConfiguration()
        // In 30 s; endpoints are trusted more than clients.
        stream.streamResetFrameRateLimit.maximumCount = isServer ? 2000 : 100_000
        stream.streamErrorRateLimit.maximumCount = isServer ? 2000 : 100_000
        var configuration = HTTP2ConnectionConfiguration(
            mode: isServer ? .server : .client, handler: .init(connection: connection, stream: stream))
        configuration.streams = streams
        return configuration
    }
}
