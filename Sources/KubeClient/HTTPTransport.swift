// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AsyncHTTPClient
package import KubeAPI
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Carries API requests over HTTPS.
///
/// Connections are pooled; ``shutdown()`` must be called before the last reference goes.
package final class HTTPTransport: KubeTransport {
    private let client: HTTPClient
    private let server: String
    private let token: String?
    private let tokenFile: TokenFile?

    /// - Throws: ``KubeconfigError`` when the certificates or the key of `config` cannot be used.
    package init(_ config: Kubeconfig) throws(KubeconfigError) {
        var tls = TLSConfiguration.makeClientConfiguration()
        do {
            if let authority = config.certificateAuthority {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(authority))
            }
            if config.skipsTLSVerification { tls.certificateVerification = .none }
            if let certificate = config.clientCertificate, let key = config.clientKey {
                tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(certificate).map { .certificate($0) }
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem))
            }
        } catch {
            throw KubeconfigError("the certificates in the kubeconfig cannot be read: \(error)")
        }
        var settings = HTTPClient.Configuration(tlsConfiguration: tls)
        settings.httpVersion = .http1Only
        settings.timeout = .init(connect: .seconds(5))
        settings.connectionPool = .init(idleTimeout: .seconds(60), concurrentHTTP1ConnectionsPerHostSoftLimit: 64)
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
        server = config.server.hasSuffix("/") ? String(config.server.dropLast()) : config.server
        token = config.token
        tokenFile = config.tokenFile.map { TokenFile($0) }
    }

    package func send(_ request: KubeRequest) async throws -> KubeResponse {
        var url = server + request.path
        if !request.query.isEmpty {
            let pairs = request.query.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }
            url += "?" + pairs.joined(separator: "&")
        }
        var message = HTTPClientRequest(url: url)
        message.method = HTTPMethod(rawValue: request.method)
        message.headers.add(name: "accept", value: request.accept)
        if !request.userAgent.isEmpty { message.headers.add(name: "user-agent", value: request.userAgent) }
        if let token = tokenFile?.token() ?? token {
            message.headers.add(name: "authorization", value: "Bearer \(token)")
        }
        if !request.body.isEmpty {
            message.headers.add(name: "content-type", value: request.contentType)
            message.body = .bytes(request.body)
        }
        let response = try await client.execute(message, deadline: .distantFuture)
        return KubeResponse(
            status: Int(response.status.code), contentType: response.headers.first(name: "content-type") ?? "",
            headers: response.headers.map { ($0.name, $0.value) },
            body: .stream(response.body.map { [UInt8](buffer: $0) }))
    }

    /// Closes all connections.
    package func shutdown() async throws { try await client.shutdown() }
}
