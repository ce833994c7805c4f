// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Another service cannot be reached, or refused.
struct PeerError: Error, CustomStringConvertible {
    /// The status of its answer; nil when there was none.
    let status: UInt?
    /// Whether the request was not even sent, so that sending it again cannot double anything.
    let isUnsent: Bool
    let description: String

    init(status: UInt?, isUnsent: Bool = false, description: String) {
        self.status = status
        self.isUnsent = isUnsent
        self.description = description
    }
}

/// Asks another service, once more when the first try found no connection.
struct ServiceClient: Sendable {
    /// Without retries of its own, which would hide for seconds that nobody listens.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.timeout.connect = .seconds(2)
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// The service's base address.
    let base: ServiceURL
    /// The time one try may take.
    let timeout: Duration
    /// Under which name a gateway at `base` knows the service; nil: that of `base`.
    let host: String?

    init(_ base: ServiceURL, timeout: Duration = .seconds(5), host: String? = nil) {
        self.base = base
        self.timeout = timeout
        self.host = host
    }

    /// GETs `path` and gives the body of a 2xx answer.
    func get(_ path: String, limit: Int = 1 << 20) async throws -> [UInt8] {
        do {
            return try await send(request(path), limit: limit)
        } catch let error as PeerError where error.status == nil || error.status == 503 {
            return try await send(request(path), limit: limit)
        }
    }

    /// GETs JSON.
    func getJSON(_ path: String, limit: Int = 1 << 24) async throws -> JSONValue {
        try JSONParser.parse(try await get(path, limit: limit))
    }

    /// POSTs JSON. Tried again only when no connection was made: events may not be doubled.
    func post(_ path: String, _ body: JSONValue) async throws -> JSONValue {
        var request = request(path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: body.encoded))
        do {
            return try JSONParser.parse(try await send(request, limit: 1 << 20))
        } catch let error as PeerError where error.isUnsent {
            return try JSONParser.parse(try await send(request, limit: 1 << 20))
        }
    }

    private func request(_ path: String) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: base.description + path)
        if let host { request.headers.add(name: "Host", value: host) }
        return request
    }

    private func send(_ request: HTTPClientRequest, limit: Int) async throws -> [UInt8] {
        let response: HTTPClientResponse
        let bytes: [UInt8]
        do {
            response = try await Self.http.execute(
                request, timeout: .nanoseconds(Int64(timeout.nanoseconds)))
            bytes = Array(try await response.body.collect(upTo: limit).readableBytesView)
        } catch is CancellationError {
            throw CancellationError()
        } catch let error where Self.isRefusal(error) {
            throw PeerError(status: nil, isUnsent: true, description: "nobody listens at \(base)")
        } catch {
            throw PeerError(status: nil, description: "\(base) does not answer: \(error)")
        }
        guard (200..<300).contains(response.status.code) else {
            let message = (try? JSONParser.parse(bytes))?["error"].string ?? response.status.reasonPhrase
            throw PeerError(
                status: response.status.code, description: "\(base) answered \(response.status.code): \(message)")
        }
        return bytes
    }

    /// Whether no connection was made. With an IP address there is one try and its error comes bare.
    private static func isRefusal(_ error: any Error) -> Bool {
        if error is NIOConnectionError { return true }
        return (error as? IOError)?.errnoCode == ECONNREFUSED
    }
}
