// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// One reason why an object was refused (meta/v1 StatusCause).
package struct StatusCause: Hashable, Sendable {
    /// For example `FieldValueInvalid`.
    package var reason: String
    /// Path of the field, such as `spec.replicas`.
    package var field: String
    /// What was wrong with it.
    package var message: String

    package init(reason: String, field: String, message: String) {
        self.reason = reason
        self.field = field
        self.message = message
    }
}

/// A failed API request, as clients see it: a meta/v1 `Status` with upstream's reasons and codes.
///
/// Source: Kubernetes API conventions, "Response Status Kind".
package struct StatusError: Error, Hashable, Sendable, CustomStringConvertible {
    /// HTTP status code.
    package var code: Int
    /// Machine-readable reason, such as `NotFound`.
    package var reason: String
    /// What was wrong, where, and what to do.
    package var message: String
    package var group: String = ""
    /// Kind or resource of the object concerned.
    package var kind: String = ""
    package var name: String = ""
    package var causes: [StatusCause] = []
    package var retryAfterSeconds: Int?

    package init(code: Int, reason: String, message: String) {
        self.code = code
        self.reason = reason
        self.message = message
    }

    package var description: String { "\(reason): \(message)" }

    /// The `Status` object.
    package var json: JSONValue {
        let details: JSONValue = [
            "group": group.isEmpty ? nil : .string(group), "kind": kind.isEmpty ? nil : .string(kind),
            "name": name.isEmpty ? nil : .string(name),
            "retryAfterSeconds": retryAfterSeconds.map { JSONValue($0) } ?? nil,
            "causes": causes.isEmpty
                ? nil
                : .array(
                    causes.map {
                        ["reason": .string($0.reason), "field": .string($0.field), "message": .string($0.message)]
                    }),
        ]
        return [
            "kind": "Status", "apiVersion": "v1", "metadata": .object([:]), "status": "Failure",
            "message": .string(message), "reason": reason.isEmpty ? nil : .string(reason),
            "details": details.isEmpty ? nil : details, "code": JSONValue(code),
        ]
    }

    /// Reads a `Status` object; `code` is used where the object has none.
    package init(json: JSONValue, code: Int) {
        self.init(
            code: json["code"].int ?? code, reason: json["reason"].string ?? "Unknown",
            message: json["message"].string ?? "the server answered with HTTP status \(code)")
        let details = json["details"]
        group = details["group"].string ?? ""
        kind = details["kind"].string ?? ""
        name = details["name"].string ?? ""
        retryAfterSeconds = details["retryAfterSeconds"].int
        causes = details["causes"].elements.map {
            StatusCause(
                reason: $0["reason"].string ?? "", field: $0["field"].string ?? "",
                message: $0["message"].string ?? "")
        }
    }
}

extension StatusError {
    private static func about(
        _ resource: KubeResource, _ name: String, code: Int, reason: String, message: String
    ) -> StatusError {
        var error = StatusError(code: code, reason: reason, message: message)
        error.group = resource.group
        error.kind = resource.plural
        error.name = name
        return error
    }

    /// 404: there is no object of this name.
    package static func notFound(_ resource: KubeResource, _ name: String) -> StatusError {
        about(
            resource, name, code: 404, reason: "NotFound", message: "\(resource.qualifiedName) \"\(name)\" not found")
    }

    /// 409: an object of this name exists.
    package static func alreadyExists(_ resource: KubeResource, _ name: String) -> StatusError {
        about(
            resource, name, code: 409, reason: "AlreadyExists",
            message: "\(resource.qualifiedName) \"\(name)\" already exists")
    }

    /// 409: the object is not in the state that the request expects.
    package static func conflict(_ resource: KubeResource, _ name: String, _ why: String) -> StatusError {
        about(
            resource, name, code: 409, reason: "Conflict",
            message: "Operation cannot be fulfilled on \(resource.qualifiedName) \"\(name)\": \(why)")
    }

    /// The object was changed since the client read it.
    package static func staleVersion(_ resource: KubeResource, _ name: String) -> StatusError {
        conflict(
            resource, name,
            "the object has been modified; please apply your changes to the latest version and try again")
    }

    /// 403: the user may not do this, or an admission step refused it.
    package static func forbidden(_ resource: KubeResource, _ name: String, _ why: String) -> StatusError {
        about(
            resource, name, code: 403, reason: "Forbidden",
            message: "\(resource.qualifiedName)\(name.isEmpty ? "" : " \"\(name)\"") is forbidden: \(why)")
    }

    /// 422: fields of the object are not valid.
    package static func invalid(_ resource: KubeResource, _ name: String, _ causes: [StatusCause]) -> StatusError {
        let kind = resource.group.isEmpty ? resource.kind : "\(resource.kind).\(resource.group)"
        let texts = causes.map { "\($0.field): \($0.message)" }
        let list = texts.count == 1 ? texts[0] : "[\(texts.joined(separator: ", "))]"
        var error = about(
            resource, name, code: 422, reason: "Invalid", message: "\(kind) \"\(name)\" is invalid: \(list)")
        error.kind = resource.kind
        error.causes = causes
        return error
    }

    /// 400: the request is malformed.
    package static func badRequest(_ message: String) -> StatusError {
        StatusError(code: 400, reason: "BadRequest", message: message)
    }

    /// 401: it is not known who asks.
    package static func unauthorized(_ message: String = "Unauthorized") -> StatusError {
        StatusError(code: 401, reason: "Unauthorized", message: message)
    }

    /// No such path.
    package static var pathNotFound: StatusError {
        StatusError(code: 404, reason: "NotFound", message: "the server could not find the requested resource")
    }

    package static var methodNotAllowed: StatusError {
        StatusError(
            code: 405, reason: "MethodNotAllowed",
            message: "the server does not allow this method on the requested resource")
    }

    /// 410: a resource version or continue token is too old.
    package static func expired(_ message: String) -> StatusError {
        StatusError(code: 410, reason: "Expired", message: message)
    }

    /// 413: the request is too large.
    package static func tooLarge(_ message: String) -> StatusError {
        StatusError(code: 413, reason: "RequestEntityTooLarge", message: message)
    }

    /// 415: the body is in a format that is not taken.
    package static func unsupportedMediaType(_ message: String) -> StatusError {
        StatusError(code: 415, reason: "UnsupportedMediaType", message: message)
    }

    /// 500: something went wrong that is not the client's fault.
    package static func internalError(_ message: String) -> StatusError {
        StatusError(code: 500, reason: "InternalError", message: "Internal error occurred: \(message)")
    }

    /// 503: try again later.
    package static func unavailable(_ message: String) -> StatusError {
        StatusError(code: 503, reason: "ServiceUnavailable", message: message)
    }
}

extension StatusError {
    package var isNotFound: Bool { code == 404 }
    package var isConflict: Bool { code == 409 && reason == "Conflict" }
    package var isAlreadyExists: Bool { code == 409 && reason == "AlreadyExists" }
    package var isExpired: Bool { code == 410 }
}
