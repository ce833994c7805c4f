// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Another service cannot be reached, or refused.
struct PeerError: Error, CustomStringConvertible {
    /// The status of its answer; nil when there was none.
    let status: UInt?
    let description: String
}

/// Asks another service, once more when the first try found no connection.
struct ServiceClient: Sendable {
    /// The service's base address.
    let base: ServiceURL
    /// The time one try may take.
    let timeout: Duration

    init(_ base: ServiceURL, timeout: Duration = .seconds(5)) {
        self.base = base
        self.timeout = timeout
    }

    /// GETs `path` and gives the body of a 2xx answer.
    func get(_ path: String, limit: Int = 1 << 20) async throws -> [UInt8] {
        do {
            return try await send(HTTPClientRequest(url: base.description + path), limit: limit)
        } catch let error as PeerError where error.status == nil || error.status == 503 {
            return try await send(HTTPClientRequest(url: base.description + path), limit: limit)
        }
    }

    /// GETs JSON.
    func getJSON(_ path: String, limit: Int = 1 << 24) async throws -> JSONValue {
        try JSONParser.parse(try await get(path, limit: limit))
    }

    /// POSTs JSON. Tried again only when no connection was made: events may not be doubled.
    func post(_ path: String, _ body: JSONValue) async throws -> JSONValue {
        var request = HTTPClientRequest(url: base.description + path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: body.encoded))
        return try JSONParser.parse(try await send(request, limit: 1 << 20))
    }

    private func send(_ request: HTTPClientRequest, limit: Int) async throws -> [UInt8] {
        let response: HTTPClientResponse
        let bytes: [UInt8]
        do {
            response = try await HTTPClient.shared.execute(
                request, timeout: .nanoseconds(Int64(timeout.nanoseconds)))
            bytes = Array(try await response.body.collect(upTo: limit).readableBytesView)
        } catch is CancellationError {
            throw CancellationError()
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
}
