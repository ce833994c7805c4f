// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Why a patch was not applied.
package struct PatchError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What kind of fault it is, and so the HTTP status that upstream answers.
    package enum Code: Sendable {
        /// The patch itself is wrong: 400.
        case malformed
        /// The patch does not fit the object: 422.
        case inapplicable
        /// The patch asks for too much: 413.
        case tooLarge
    }

    package let code: Code
    /// In upstream's wording where clients may match it.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}

/// JSON merge patch (RFC 7386).
package enum MergePatch {
    /// The media type of such patches.
    package static let mediaType = "application/merge-patch+json"

    /// Applies a patch: members that are `null` are removed, objects are merged, anything else is replaced.
    package static func apply(_ patch: JSONValue, to original: JSONValue) -> JSONValue {
        guard case .object(let changes) = patch else { return patch }
        var members = original.object ?? [:]
        for (key, change) in changes {
            switch change {
            case .null: members[key] = nil
            case .object: members[key] = apply(change, to: members[key] ?? .null)
            default: members[key] = change
            }
        }
        return .object(members)
    }
}
