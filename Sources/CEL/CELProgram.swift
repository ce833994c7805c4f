// SPDX-License-Identifier: Apache-2.0

/// An expression that was parsed and checked, ready to be evaluated any number of times from any thread.
package struct CELProgram: Sendable {
    package let source: String
    /// The type of its result; `dyn` where only evaluation tells.
    package let resultType: CELType
    /// The most that an evaluation can cost where schemas bound the sizes of the variables; capped.
    package let estimatedCost: UInt64
    private let plan: CELPlan

    /// Parses and checks an expression.
    ///
    /// - Parameters:
    ///   - source: the expression.
    ///   - environment: what it may refer to.
    /// - Throws: every finding, with its place.
    package init(compiling source: String, environment: CELEnvironment) throws(CELCompileError) {
        let expression: CELExpression
        do throws(CELSyntaxError) {
            expression = try CELParser.parse(source)
        } catch {
            throw CELCompileError(source, [(error.offset, error.message)])
        }
        var checker = CELChecker(environment)
        let checked = checker.check(expression)
        guard checker.issues.isEmpty else { throw CELCompileError(source, checker.issues) }
        self.source = source
        resultType = checker.final(checked.type)
        estimatedCost = checked.cost.cost
        plan = checked.plan
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
        try CELMachine.evaluate(plan, activation, &budget)
    }
}

extension CELCompileError {
    init(_ source: String, _ findings: [(offset: Int, message: String)]) {
        let scalars = Array(source.unicodeScalars.prefix(CELParser.maxLength))
        issues = findings.sorted { $0.offset < $1.offset }.map { finding in
            let offset = min(finding.offset, scalars.count)
            let start = scalars[..<offset].lastIndex(of: "\n").map { $0 + 1 } ?? 0
            let end = scalars[offset...].firstIndex(of: "\n") ?? scalars.count
            return Issue(
                line: 1 + scalars[..<offset].count { $0 == "\n" }, column: 1 + offset - start,
                message: finding.message, excerpt: CELText.text(scalars[start..<min(end, start + 1000)]))
        }
    }
}
