// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What the catalog answers when it does not do what was asked: `ErrorModel` of Iceberg's REST specification.
package struct IcebergError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The specification's name of an error with the status that belongs to it.
    package struct Code: Sendable, Hashable {
        /// `type` of the answer.
        package let type: String
        /// The answer's HTTP status.
        package let status: Int

        private init(_ type: String, _ status: Int) {
            self.type = type
            self.status = status
        }

        package static let badRequest = Code("BadRequestException", 400)
        package static let validation = Code("ValidationException", 400)
        package static let notAuthorized = Code("NotAuthorizedException", 401)
        package static let forbidden = Code("ForbiddenException", 403)
        package static let noSuchNamespace = Code("NoSuchNamespaceException", 404)
        package static let noSuchTable = Code("NoSuchTableException", 404)
        package static let noSuchView = Code("NoSuchViewException", 404)
        package static let noSuchWarehouse = Code("NoSuchWarehouseException", 404)
        package static let notFound = Code("NotFoundException", 404)
        package static let methodNotAllowed = Code("MethodNotAllowedException", 405)
        package static let unsupported = Code("UnsupportedOperationException", 406)
        package static let alreadyExists = Code("AlreadyExistsException", 409)
        package static let namespaceNotEmpty = Code("NamespaceNotEmptyException", 409)
        package static let commitFailed = Code("CommitFailedException", 409)
        package static let tooLarge = Code("RequestTooLargeException", 413)
        package static let unprocessable = Code("UnprocessableEntityException", 422)
        package static let internalError = Code("InternalServerError", 500)
        package static let commitStateUnknown = Code("CommitStateUnknownException", 500)
        package static let unavailable = Code("ServiceUnavailableException", 503)
    }

    /// Which error it is.
    package let code: Code
    /// What was wrong, where, and what to do.
    package let description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// A request or a document that says something impossible.
    static func bad(_ path: String, _ problem: String) -> IcebergError {
        IcebergError(.badRequest, path.isEmpty ? problem : "\(path): \(problem)")
    }

    /// `{"error": {"message", "type", "code"}}`.
    package var json: JSONValue {
        ["error": ["message": .string(description), "type": .string(code.type), "code": JSONValue(code.status)]]
    }
}
