// SPDX-License-Identifier: Apache-2.0

/// Stages of a model's versions: what MLflow had before aliases, and still answers.
package enum ModelStage: String, Sendable, CaseIterable {
    case none = "None"
    case staging = "Staging"
    case production = "Production"
    case archived = "Archived"

    /// What a version that was deleted has: its number is not given again.
    package static let deleted = "Deleted_Internal"

    /// Stages whose versions are in use; only for them can others be archived.
    package var isActive: Bool { self == .staging || self == .production }

    /// Reads a stage; case does not matter.
    /// - Throws: INVALID_PARAMETER_VALUE for all else.
    package init(_ text: String) throws(TrackingError) {
        guard let stage = Self.allCases.first(where: { $0.rawValue.lowercased() == text.lowercased() }) else {
            let all = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw .invalid("Invalid Model Version stage: \(text). Value must be one of \(all).")
        }
        self = stage
    }
}
