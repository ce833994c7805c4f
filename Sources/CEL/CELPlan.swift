// SPDX-License-Identifier: Apache-2.0
import LinearRegex

/// An expression that was checked: names are resolved, functions found.
indirect enum CELPlan: Sendable {
    case constant(CELValue)
    /// A variable of the activation.
    case variable(String)
    /// A variable of a macro, by its place on the stack.
    case local(Int)
    case select(CELPlan, String)
    case has(CELPlan, String)
    case optionalSelect(CELPlan, String)
    case and(CELPlan, CELPlan)
    case or(CELPlan, CELPlan)
    case conditional(CELPlan, CELPlan, CELPlan)
    /// `a.or(b)`, and `a.orValue(b)` where `isValue`.
    case optionalOr(CELPlan, CELPlan, isValue: Bool)
    case call(CELCall)
    case list([CELPlan], optional: Set<Int>)
    case map([CELEntryPlan])
    case structure(CELObjectType, [CELFieldPlan])
    case fold(CELFoldPlan)
}

/// A call of a function.
struct CELCall: Sendable {
    let function: CELFunction
    /// The target first.
    let arguments: [CELPlan]
    /// The pattern, where the expression has it as a literal.
    let regex: LinearRegex?
}

struct CELEntryPlan: Sendable {
    let key: CELPlan
    let value: CELPlan
    let isOptional: Bool
}

struct CELFieldPlan: Sendable {
    let name: String
    let value: CELPlan
    let isOptional: Bool
}

/// A macro over a list or a map.
struct CELFoldPlan: Sendable {
    let kind: CELFold.Kind
    let range: CELPlan
    /// Whether there are two variables: index or key, and element or value.
    let hasTwoVariables: Bool
    let filter: CELPlan?
    let body: CELPlan
}
