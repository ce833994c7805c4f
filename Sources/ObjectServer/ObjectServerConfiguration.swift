// SPDX-License-Identifier: Apache-2.0
import NIOHTTP1

/// What a server of objects may use, and for how long it waits.
package struct ObjectServerConfiguration: Sendable {
    /// The domain whose subdomains are buckets (virtual-host addressing); nil for addresses by path only.
    package var domain: String?
    /// The region that clients sign for; others are told of it.
    package var region = "us-east-1"
    /// Connections that may be open at a time.
    package var maximumConnections = 2048
    /// Bytes of one head: request line and headers.
    package var maximumHeadBytes = 32 << 10
    /// Bytes of bodies that may be in memory at a time, over all connections, in both directions.
    package var memoryBytes = 128 << 20
    /// The largest body of one PUT, in bytes (Amazon S3 user guide, "Uploading objects": 5 GiB).
    package var maximumObjectBytes: Int64 = 5 << 30
    /// The largest XML or JSON document, in bytes: 10,000 parts with their checksums fit.
    package var maximumDocumentBytes = 2 << 20
    /// How long the first head of a connection may take.
    package var headPatience: Duration = .seconds(20)
    /// How long a connection may be without a request.
    package var idlePatience: Duration = .seconds(75)
    /// How long a body or an answer may make no progress.
    package var progressPatience: Duration = .seconds(30)
    /// How long requests may go on after the server was told to stop.
    package var drainPatience: Duration = .seconds(20)

    package init() {}

    /// What the decoder of heads may take.
    var decoderLimits: NIOHTTPDecoderLimitConfiguration {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = maximumHeadBytes
        limits.maxHeaderListSize = maximumHeadBytes
        return limits
    }

    /// How often connections are looked at: those that do not move on are found at most so late.
    var watchInterval: Duration { max(.milliseconds(10), min(headPatience, idlePatience, progressPatience) / 8) }
}
