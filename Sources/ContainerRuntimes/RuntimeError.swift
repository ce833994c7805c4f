// SPDX-License-Identifier: Apache-2.0

/// Why a container runtime refused or failed; the message says what was wrong and where.
package struct RuntimeError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What kind of failure it is.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The code's name.
        package let description: String

        private init(_ name: String) { description = name }

        /// The container's description cannot be carried out.
        package static let invalidSpec = Code("invalidSpec")
        /// The id is taken by another container.
        package static let alreadyExists = Code("alreadyExists")
        /// There is no such container, or no such file of it.
        package static let notFound = Code("notFound")
        /// The container does not run (any more).
        package static let notRunning = Code("notRunning")
        /// The container still runs.
        package static let stillRunning = Code("stillRunning")
        /// The system refused something that the runtime needs.
        package static let system = Code("system")
    }

    /// What kind of failure it is.
    package var code: Code
    /// What was wrong and where.
    package var message: String

    /// Describes a failure.
    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    package var description: String { message }
}
