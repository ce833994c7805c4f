// SPDX-License-Identifier: Apache-2.0

/// Why an object cannot be used; goes into its status.
package struct SpecFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// KServe's: `InvalidPredictorSpec`, `NoSupportingRuntime`, `RuntimeNotRecognized`, `RuntimeDisabled`.
    package var reason: String
    package var description: String

    package init(reason: String, _ description: String) {
        self.reason = reason
        self.description = description
    }
}
