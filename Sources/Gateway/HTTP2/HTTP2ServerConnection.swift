// SPDX-License-Identifier: Apache-2.0
import HTTP2Streams
import NIOCore

/// A client's connection of HTTP/2: its streams are requests.
final class HTTP2ServerConnection: HTTP2ConnectionDelegate, ServedConnection {
    /// Without streams, until it is closed.
    private static let idle = TimeAmount.seconds(90)

    private let services: any RequestServices
    private let peer: String
    private let isTLS: Bool
    private let loop: any EventLoop
    private var connection: HTTP2Connection?

    private init(_ services: any RequestServices, channel: any Channel, isTLS: Bool) {
        self.services = services
        self.isTLS = isTLS
        peer = channel.remoteAddress?.ipAddress ?? ""
        loop = channel.eventLoop
    }

    static func setUp(_ channel: any Channel, services: any RequestServices, isTLS: Bool) throws {
        let served = HTTP2ServerConnection(services, channel: channel, isTLS: isTLS)
        var configuration = HTTP2Limits.configuration(isServer: true)
        configuration.idle = Self.idle
        served.connection = try HTTP2Connection.setUp(channel, configuration, served)
        services.opened(served)
    }

    func opened(_ stream: HTTP2Stream) -> any HTTP2StreamDelegate {
        HTTP2ServerStream(services, stream: stream, on: loop, peer: peer, isTLS: isTLS)
    }

    func leave() { connection?.leave() }

    func streamEnded() {}
    func peerChanged() {}

    func closed() {
        connection = nil
        services.closed(self)
    }
}
