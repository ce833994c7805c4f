// SPDX-License-Identifier: Apache-2.0

/// Why a declaration is not carried out.
struct Refusal: Error, Equatable, CustomStringConvertible {
    /// The condition's reason.
    enum Reason: String {
        /// The declaration itself is wrong.
        case invalid = "InvalidResource"
        /// Kafka, or this operator, cannot do that.
        case notSupported = "NotSupported"
        /// Another object declares the same.
        case conflict = "ResourceConflict"
    }

    let reason: Reason
    let description: String

    init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
    }
}
