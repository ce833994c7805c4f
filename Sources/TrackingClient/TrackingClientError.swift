// SPDX-License-Identifier: Apache-2.0
internal import ApusCore

/// Why a call to a tracking server failed.
package struct TrackingClientError: Error, Sendable, Hashable, CustomStringConvertible {
    /// MLflow's name of the error, or one of the client's own in lower case.
    package struct Code: RawRepresentable, Sendable, Hashable {
        package let rawValue: String

        package init(rawValue: String) { self.rawValue = rawValue }

        package static let notFound = Code(rawValue: "RESOURCE_DOES_NOT_EXIST")
        package static let exists = Code(rawValue: "RESOURCE_ALREADY_EXISTS")
        package static let invalid = Code(rawValue: "INVALID_PARAMETER_VALUE")
        package static let invalidState = Code(rawValue: "INVALID_STATE")
        package static let noSuchEndpoint = Code(rawValue: "ENDPOINT_NOT_FOUND")
        package static let denied = Code(rawValue: "PERMISSION_DENIED")
        package static let unauthenticated = Code(rawValue: "UNAUTHENTICATED")
        /// No answer came: the server cannot be reached, or the connection broke.
        package static let connection = Code(rawValue: "connection")
        /// The answer is not what the protocol says, or larger than what is taken.
        package static let badAnswer = Code(rawValue: "bad-answer")
        /// A file of this machine cannot be read or written.
        package static let file = Code(rawValue: "file")
        /// What was asked for cannot be done by this client: a place of artifacts that the server does not hand on.
        package static let unsupported = Code(rawValue: "unsupported")
        /// The task was cancelled.
        package static let cancelled = Code(rawValue: "cancelled")
    }

    package let code: Code
    /// The status of the answer; nil where there was none.
    package let status: Int?
    /// What went wrong, in the server's words where it had some.
    package let message: String
    /// Whether the request never reached a server, so that sending it again doubles nothing.
    package let isUnsent: Bool
    /// How long the server asks to be left alone (`Retry-After`).
    package let rest: Duration?

    package init(
        _ code: Code, _ message: String, status: Int? = nil, isUnsent: Bool = false, rest: Duration? = nil
    ) {
        self.code = code
        self.status = status
        self.message = message
        self.isUnsent = isUnsent
        self.rest = rest
    }

    /// The error of an answer that is not 2xx: `{"error_code": "…", "message": "…"}`, or whatever a proxy says.
    init(status: Int, body: [UInt8], retryAfter: String? = nil) {
        let json = (try? JSONParser.parse(body, maxDepth: 16)) ?? .null
        let said = json["message"].string ?? String(decoding: body.prefix(300), as: UTF8.self)
        let message = said.isEmpty ? "the server answered \(status)" : said
        let code = json["error_code"].string.map(Code.init(rawValue:))
        let rest = retryAfter.flatMap { Int($0) }.flatMap { $0 >= 0 ? Duration.seconds($0) : nil }
        self.init(code ?? Self.code(ofStatus: status), message, status: status, rest: rest)
    }

    private static func code(ofStatus status: Int) -> Code {
        switch status {
        case 401: .unauthenticated
        case 403: .denied
        case 404: .noSuchEndpoint
        default: .badAnswer
        }
    }

    /// Whether the same request may go through later: no answer came, the server had too much to do, or failed. MLflow
    /// answers INVALID_STATE with 500, which no repetition heals.
    package var isTransient: Bool {
        if code == .connection { return true }
        if code == .invalidState { return false }
        guard let status else { return false }
        return status == 429 || (500...599).contains(status) && status != 501
    }

    /// Whether the server certainly did nothing.
    var isRefusal: Bool { isUnsent || status == 429 || status == 503 }

    package var description: String {
        status.map { "\(message) (\(code.rawValue), \($0))" } ?? message
    }
}
