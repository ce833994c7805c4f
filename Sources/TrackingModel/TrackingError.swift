// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A fault in MLflow's words: what clients get as `{"error_code": …, "message": …}` (MLflow, mlflow/exceptions.py).
package struct TrackingError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        case invalidParameterValue = "INVALID_PARAMETER_VALUE"
        case badRequest = "BAD_REQUEST"
        case resourceAlreadyExists = "RESOURCE_ALREADY_EXISTS"
        case resourceDoesNotExist = "RESOURCE_DOES_NOT_EXIST"
        case endpointNotFound = "ENDPOINT_NOT_FOUND"
        case notFound = "NOT_FOUND"
        case permissionDenied = "PERMISSION_DENIED"
        case unauthenticated = "UNAUTHENTICATED"
        case resourceExhausted = "RESOURCE_EXHAUSTED"
        case resourceConflict = "RESOURCE_CONFLICT"
        case temporarilyUnavailable = "TEMPORARILY_UNAVAILABLE"
        case notImplemented = "NOT_IMPLEMENTED"
        case invalidState = "INVALID_STATE"
        case internalError = "INTERNAL_ERROR"

        /// The status of the HTTP answer.
        package var status: Int {
            switch self {
            case .invalidParameterValue, .badRequest, .resourceAlreadyExists: 400
            case .unauthenticated: 401
            case .permissionDenied: 403
            case .resourceDoesNotExist, .endpointNotFound, .notFound: 404
            case .resourceConflict: 409
            case .resourceExhausted: 429
            case .temporarilyUnavailable: 503
            case .notImplemented: 501
            case .invalidState, .internalError: 500
            }
        }
    }

    package let code: Code
    /// What was wrong; MLflow's words where clients know them.
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// A value that is refused.
    package static func invalid(_ description: String) -> TrackingError {
        TrackingError(.invalidParameterValue, description)
    }

    /// Something that is not there.
    package static func missing(_ description: String) -> TrackingError {
        TrackingError(.resourceDoesNotExist, description)
    }

    /// A name that is taken.
    package static func exists(_ description: String) -> TrackingError {
        TrackingError(.resourceAlreadyExists, description)
    }

    /// The body of the answer.
    package var json: JSONValue { ["error_code": .string(code.rawValue), "message": .string(description)] }
}
