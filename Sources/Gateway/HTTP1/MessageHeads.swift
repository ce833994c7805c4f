// SPDX-License-Identifier: Apache-2.0

/// How the end of a message's body is known.
enum BodyLength: Sendable, Hashable {
    case none
    case length(Int)
    case chunked
    /// Only of answers.
    case untilClose
}

/// A request's beginning, whatever the version of HTTP.
struct RequestHead: Sendable {
    var method = "GET"
    /// Path and query.
    var target = "/"
    /// Of `Host` or `:authority`, with its port.
    var authority = ""
    /// `http` or `https`, as the client came.
    var scheme = "http"
    /// Without `Host` and pseudo fields.
    var fields = HeaderFields()
    var body = BodyLength.none
    /// HTTP/1.0: the connection is closed after the answer, chunks are not known.
    var isOld = false
    /// HTTP/1.1: the client wants to use the connection again.
    var keepsAlive = true
    var expectsContinue = false
    /// What it wants to change to, as `websocket`.
    var upgrade: String?
}

/// An answer's beginning, whatever the version of HTTP.
struct ResponseHead: Sendable {
    var status = 200
    var fields = HeaderFields()
    var body = BodyLength.none
    var keepsAlive = true
}

/// Why bytes are no message.
struct MessageFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// Of the answer to it.
    let status: Int
    let description: String

    init(_ status: Int, _ description: String) {
        self.status = status
        self.description = description
    }

    static func bad(_ description: String) -> Self { Self(400, description) }
}
