// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// One API request, independent of how it travels: over HTTP or by a call inside the process.
package struct KubeRequest: Sendable {
    /// `GET`, `POST`, `PUT`, `PATCH`, `DELETE` or `HEAD`.
    package var method: String
    /// Path with percent-encoding, no query.
    package var path: String
    /// Query parameters, decoded, in order.
    package var query: [(name: String, value: String)]
    /// `Content-Type` of the body.
    package var contentType: String
    /// `Accept` header.
    package var accept: String
    package var userAgent: String
    package var body: [UInt8]
    /// All headers, of requests that are passed on to a backend.
    package var headers: [(name: String, value: String)] = []
    /// The query as it was sent, of requests that are passed on to a backend.
    package var rawQuery = ""
    /// The body as it comes, of requests that are passed on to a backend.
    package var bodyStream: ByteStream?
    /// Address of the client; empty for a call inside the process.
    package var sourceAddress = ""

    package init(
        method: String, path: String, query: [(name: String, value: String)] = [], contentType: String = "",
        accept: String = "application/json", userAgent: String = "", body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.contentType = contentType
        self.accept = accept
        self.userAgent = userAgent
        self.body = body
    }

    /// The first value of a query parameter.
    package func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }
}

/// The chunks of a response that goes on while the server has more to say.
package typealias ByteStream = any AsyncSequence<[UInt8], any Error> & Sendable

/// One API response.
package struct KubeResponse: Sendable {
    /// The body: all at once, or as chunks while the server has more to say (watch, log).
    package enum Body: Sendable {
        case bytes([UInt8])
        case stream(ByteStream)
    }

    package var status: Int
    package var contentType: String
    /// Further headers, such as `Warning` and `Retry-After`.
    package var headers: [(name: String, value: String)]
    package var body: Body
    /// Called by whoever sends a body of chunks once it has ended.
    package var onEnd: (@Sendable () -> Void)?

    package init(
        status: Int = 200, contentType: String = "application/json", headers: [(name: String, value: String)] = [],
        body: Body
    ) {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        self.body = body
    }

    /// A JSON answer.
    package init(status: Int = 200, json: JSONValue) {
        self.init(status: status, body: .bytes(json.encoded))
    }
}

/// Carries requests to an API server.
package protocol KubeTransport: Sendable {
    /// - Throws: when there is no answer; an answer that is an error is returned as any other.
    func send(_ request: KubeRequest) async throws -> KubeResponse
}
