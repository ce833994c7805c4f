// SPDX-License-Identifier: Apache-2.0

/// An expression that was parsed and checked, ready to be evaluated any number of times from any thread.
package struct CELProgram: Sendable {
    package let source: String
    /// The type of its result; `dyn` where only evaluation tells.
    package let resultType: CELType

    /// Parses and checks an expression.
    ///
    /// - Parameters:
    ///   - source: the expression.
    ///   - environment: what it may refer to.
    /// - Throws: every finding, with its place.
    package init(compiling source: String, environment: CELEnvironment) throws(CELCompileError) {
        self.source = source
        resultType = .dyn
    }

    /// The value of the expression.
    ///
    /// - Parameters:
    ///   - activation: the values of the variables.
    ///   - budget: what it may cost; what it did cost is taken from it.
    /// - Returns: the value.
    /// - Throws: why there is none.
    package func evaluate(
        _ activation: CELActivation, budget: inout CELBudget
    ) throws(CELError) -> CELValue {
        throw .noSuchOverload
    }

    /// The most that an evaluation can cost where schemas bound the sizes of the variables.
    ///
    /// - Returns: the estimate, capped.
    package func estimatedCost() -> UInt64 { 0 }
}
