// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import NIOCore
import NIOSSL

/// Makes the HTTP client below an ``S3Client``.
enum S3Transport {
    static func make(_ configuration: S3ClientConfiguration) -> HTTPClient {
        var settings = HTTPClient.Configuration()
        settings.httpVersion = .http1Only
        if let file = configuration.certificateAuthorities {
            var tls = TLSConfiguration.makeClientConfiguration()
            tls.trustRoots = .file(file)
            settings.tlsConfiguration = tls
        }
        settings.redirectConfiguration = .disallow
        settings.timeout = .init(
            connect: .nanoseconds(nanoseconds(configuration.connectTimeout)),
            read: .nanoseconds(nanoseconds(configuration.idleTimeout)))
        settings.connectionPool = .init(
            idleTimeout: .seconds(30), concurrentHTTP1ConnectionsPerHostSoftLimit: configuration.connections)
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }

    private static func nanoseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
