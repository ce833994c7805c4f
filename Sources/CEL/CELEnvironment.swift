// SPDX-License-Identifier: Apache-2.0

/// What an expression may refer to: variables and types, besides the functions that all have.
package struct CELEnvironment: Sendable {
    /// The types of the variables, by name.
    package var variables: [String: CELType]
    /// The types whose values expressions may make, such as `Object{…}`.
    package var structures: @Sendable (String) -> CELObjectType?
    /// Declared bounds of variables, for the estimate of the cost.
    package var schemas: [String: CELSchema]

    /// - Parameters:
    ///   - variables: the types of the variables, by name.
    ///   - structures: the types whose values expressions may make.
    package init(
        variables: [String: CELType] = [:],
        structures: @escaping @Sendable (String) -> CELObjectType? = { _ in nil }
    ) {
        self.variables = variables
        self.structures = structures
        schemas = [:]
    }

    /// Declares a variable whose value comes from JSON with a schema.
    package mutating func declare(_ name: String, _ schema: CELSchema) {
        variables[name] = schema.type
        schemas[name] = schema
    }
}

/// The values of an environment's variables.
package struct CELActivation: Sendable {
    package var values: [String: CELValue]
    /// Answers `authorizer…check(…)`; nil where an answer must be found out first, which ends the evaluation with
    /// ``CELError/Code/needsDecision(_:)``.
    package var decide: @Sendable (CELAccessQuestion) -> CELDecision?

    package init(
        _ values: [String: CELValue],
        decide: @escaping @Sendable (CELAccessQuestion) -> CELDecision? = { _ in CELDecision(isAllowed: false) }
    ) {
        self.values = values
        self.decide = decide
    }
}
