// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import HTTPTypes
package import LakeEngine
package import ServiceHTTP

/// An error as clients get it: `{"error": {"code", "message", "sqlstate", "position"}}`.
package struct SQLFault: Error, Sendable, Equatable, CustomStringConvertible {
    /// The status of the answer, where none has begun.
    package var status: HTTPResponse.Status
    /// A word that programs decide by.
    package var code: String
    /// What was wrong and what to do.
    package var message: String
    /// Five characters of ISO 9075, where the engine gives one.
    package var sqlState: String?
    /// Bytes of the statement before the place, where it is known.
    package var position: Int?
    /// Seconds after which to try again.
    package var retryAfter: Int?

    package init(
        _ status: HTTPResponse.Status, _ code: String, _ message: String, sqlState: String? = nil, position: Int? = nil,
        retryAfter: Int? = nil
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.sqlState = sqlState
        self.position = position
        self.retryAfter = retryAfter
    }

    package init(_ error: LakeError) {
        var message = error.message
        // What follows are hints for whoever has the engine to himself.
        if error.code == .memory { message = String(message.prefix { $0 != "\n" }) }
        self.init(Self.status(error), error.code.rawValue, message, sqlState: error.sqlState)
    }

    package init(_ error: ServiceError) {
        self.init(error.status, Self.code(error.status), error.description)
    }

    private static func status(_ error: LakeError) -> HTTPResponse.Status {
        switch error.code {
        // A column that is not there is a mistake in the statement, a table is something that is asked for.
        case .notFound: error.message.hasPrefix("Binder Error") ? .badRequest : .notFound
        case .syntax, .invalidArgument, .invalidData: .badRequest
        case .unauthorized: .forbidden
        case .unauthenticated: .badGateway
        case .alreadyExists, .integrity, .conflict, .invalidState: .conflict
        case .cancelled: .serviceUnavailable
        case .timeout: .gatewayTimeout
        case .limit: .contentTooLarge
        case .memory: HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage")
        case .notImplemented: .notImplemented
        case .io, .driver: .badGateway
        case .internal, .unknown: .internalServerError
        }
    }

    private static func code(_ status: HTTPResponse.Status) -> String {
        switch status {
        case .unauthorized: "unauthenticated"
        case .forbidden: "unauthorized"
        case .notFound: "notFound"
        case .contentTooLarge: "limit"
        case .badRequest: "invalidArgument"
        default: status.code >= 500 ? "internal" : "invalidArgument"
        }
    }

    package var json: JSONValue {
        var members: [String: JSONValue] = ["code": .string(code), "message": .string(message)]
        if let sqlState { members["sqlstate"] = .string(sqlState) }
        if let position { members["position"] = .int(Int64(position)) }
        return .object(["error": .object(members)])
    }

    package var description: String { "\(code): \(message)" }
}
