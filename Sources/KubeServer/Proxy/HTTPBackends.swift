// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
package import KubeAPI
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// Reaches pods over HTTP; bodies go through as they come, in both directions.
///
/// ``shutdown()`` must be called before the last reference goes.
package final class HTTPBackends: BackendConnector {
    /// Made at the first request.
    private let made = Mutex<HTTPClient?>(nil)

    package init() {}

    private var client: HTTPClient {
        made.withLock { made in
            if let made { return made }
            let client = Self.client()
            made = client
            return client
        }
    }

    private static func client() -> HTTPClient {
        // As upstream: pods have no certificates that this server could know.
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .none
        var settings = HTTPClient.Configuration(tlsConfiguration: tls)
        settings.httpVersion = .http1Only
        settings.redirectConfiguration = .disallow
        settings.decompression = .disabled
        settings.timeout = .init(connect: .seconds(5))
        settings.connectionPool = .init(idleTimeout: .seconds(30))
        // Whoever asks hears at once that nobody listens.
        settings.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
    }

    package func send(_ request: BackendRequest) async throws -> KubeResponse {
        var message = HTTPClientRequest(url: request.url)
        message.method = HTTPMethod(rawValue: request.method)
        for header in request.headers { message.headers.add(name: header.name, value: header.value) }
        if let body = request.body {
            message.body = Self.body(body, length: request.length)
        }
        let response = try await client.execute(message, deadline: .distantFuture)
        return KubeResponse(
            status: Int(response.status.code), contentType: response.headers.first(name: "content-type") ?? "",
            headers: response.headers.filter { $0.name.lowercased() != "content-type" }.map { ($0.name, $0.value) },
            body: .stream(response.body.map { [UInt8](buffer: $0) }))
    }

    private static func body<Chunks: AsyncSequence & Sendable>(
        _ chunks: Chunks, length: Int?
    ) -> HTTPClientRequest.Body where Chunks.Element == [UInt8] {
        .stream(chunks.map { ByteBuffer(bytes: $0) }, length: length.map { .known(Int64($0)) } ?? .unknown)
    }

    /// Closes all connections; the next request opens new ones.
    package func shutdown() async throws {
        let client = made.withLock { made in
            defer { made = nil }
            return made
        }
        try await client?.shutdown()
    }
}
