// SPDX-License-Identifier: Apache-2.0

/// Arrow data that is not as its format says, or of a type that is not supported.
package struct ArrowError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// Lengths, offsets or counts that contradict each other, or bytes that end early.
        case malformed
        /// A type, compression or message that this module does not read.
        case unsupported
        /// A length, depth or count over its limit.
        case tooLarge
        /// A value that does not fit the type that it is to be written as.
        case mismatch
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "Arrow: \(message)" }
}
