// SPDX-License-Identifier: Apache-2.0

/// Why an expression could not be evaluated.
package struct CELError: Error, Equatable, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// The expression failed on these values; `&&`, `||` and macros absorb it.
        case evaluation
        /// The expression cost more than it may.
        case costExceeded
        /// The activation's authorizer does not know an answer yet.
        case needsDecision(CELAccessQuestion)
    }

    package let code: Code
    /// In cel-go's words, for example `no such key: a`.
    package let message: String

    package var description: String { message }

    init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    /// An error of the values.
    package init(_ message: String) { self.init(code: .evaluation, message: message) }

    static let costExceeded = CELError(
        code: .costExceeded, message: "operation cancelled: actual cost limit exceeded")
    static let noSuchOverload = CELError("no such overload")
    static func noSuchKey(_ key: String) -> CELError { CELError("no such key: \(key)") }

    /// Whether `&&`, `||` and macros may go on.
    var isAbsorbed: Bool { code == .evaluation }
}

/// Why a text is not an expression that can run.
package struct CELCompileError: Error, Equatable, CustomStringConvertible {
    /// One finding.
    package struct Issue: Equatable, Sendable {
        /// From 1.
        package let line: Int
        /// From 1, in characters.
        package let column: Int
        /// In cel-go's words, for example `undeclared reference to 'x' (in container '')`.
        package let message: String
        /// The line of the source, as it is shown under the message.
        package let excerpt: String
    }

    package let issues: [Issue]

    /// The findings as cel-go prints them, each with its line and a caret.
    package var description: String {
        issues.map { issue in
            "ERROR: <input>:\(issue.line):\(issue.column): \(issue.message)\n | \(issue.excerpt)\n | "
                + String(repeating: ".", count: max(0, issue.column - 1)) + "^"
        }.joined(separator: "\n")
    }
}

/// What expressions may cost.
///
/// Source: k8s.io/apiserver/pkg/apis/cel (PerCallLimit, RuntimeCELCostBudget).
package struct CELBudget: Sendable {
    /// The most that one evaluation may cost.
    package var perCall: UInt64
    /// What is left for all evaluations of a request.
    package var remaining: UInt64

    package init(perCall: UInt64 = 1_000_000, remaining: UInt64 = 10_000_000) {
        self.perCall = perCall
        self.remaining = remaining
    }
}
