// SPDX-License-Identifier: Apache-2.0
package import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Calls services over HTTP.
package struct GraphClient: GraphCaller {
    /// Bytes of an answer.
    private static let longest = 64 << 20

    private let client: HTTPClient
    private let timeout: TimeAmount

    /// - Parameters:
    ///   - client: is not shut down here.
    ///   - timeout: of one call.
    package init(_ client: HTTPClient, timeout: Duration) {
        self.client = client
        self.timeout = .milliseconds(Int64(timeout / .milliseconds(1)))
    }

    package func call(
        _ url: String, _ headers: [(String, String)], _ body: [UInt8]
    ) async throws(GraphFault) -> GraphReply {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(body)
        do {
            let response = try await client.execute(request, timeout: timeout)
            let bytes = try await response.body.collect(upTo: Self.longest)
            return GraphReply(status: Int(response.status.code), body: Array(bytes.readableBytesView))
        } catch {
            throw GraphFault(500, "\(url) does not answer: \(error)")
        }
    }
}
