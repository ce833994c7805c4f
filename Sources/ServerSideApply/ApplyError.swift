// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// Why a configuration was not applied.
package enum ApplyError: Error, Sendable {
    /// The request is wrong: 400.
    case badRequest(String)
    /// The configuration does not fit the type of the object: 500, as upstream answers.
    case typed(TypedError)
    /// Others manage fields that the configuration changes: 409.
    case conflict(ApplyConflict)
}

/// Fields that a configuration would change and that others manage.
package struct ApplyConflict: Hashable, Sendable {
    /// The fields of one other manager.
    struct Owner: Hashable, Sendable {
        var entry: ManagedFields.Entry
        var fields: FieldSet

        /// `"kubectl" using apps/v1`, as upstream names managers.
        var text: String {
            var text = "\"\(entry.manager)\""
            if !entry.subresource.isEmpty { text += " with subresource \"\(entry.subresource)\"" }
            if entry.operation == .update { text += " using \(entry.apiVersion)" }
            return text
        }
    }

    /// Clients show them all; a message is bounded all the same.
    private static let maximumFields = 500

    var owners: [Owner]

    private func pathText(_ path: [PathElement]) -> String { path.map(\.pathText).joined() }

    /// A `FieldManagerConflict` for every field.
    package var causes: [StatusCause] {
        owners.flatMap { owner in
            owner.fields.paths.prefix(Self.maximumFields).map { path in
                StatusCause(
                    reason: "FieldManagerConflict", field: pathText(path), message: "conflict with \(owner.text)")
            }
        }
    }

    /// Upstream's sentence.
    package var message: String {
        let count = owners.reduce(0) { $0 + $1.fields.count }
        if count == 1, let owner = owners.first, let path = owner.fields.paths.first {
            return "Apply failed with 1 conflict: conflict with \(owner.text): \(pathText(path))"
        }
        let lines = owners.sorted { $0.text < $1.text }.flatMap { owner in
            ["conflicts with \(owner.text):"]
                + owner.fields.paths.prefix(Self.maximumFields).map { "- \(pathText($0))" }
        }
        return "Apply failed with \(count) conflicts: \(lines.joined(separator: "\n"))"
    }

    /// The conflict as the API answers it.
    package var status: StatusError {
        var error = StatusError(code: 409, reason: "Conflict", message: message)
        error.causes = causes
        return error
    }
}
