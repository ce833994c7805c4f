// SPDX-License-Identifier: Apache-2.0

/// Why there is no answer; each protocol has its own status for it.
package struct InferenceFault: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        case invalid, notFound, notReady, tooMany, tooLarge, deadline, cancelled, unsupported, unauthenticated, runtime
    }

    package let code: Code
    /// What was expected, what came, what to do.
    package let description: String
    /// For `tooMany` and `notReady`.
    package var retryAfter: Duration?

    package init(_ code: Code, _ description: String, retryAfter: Duration? = nil) {
        self.code = code
        self.description = description
        self.retryAfter = retryAfter
    }
}
