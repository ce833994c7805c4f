// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CEL
import KubeAPI

/// A policy with its expressions compiled, ready for any number of requests.
struct CompiledPolicy: Sendable {
    /// An expression, or why it is none.
    enum Expression: Sendable {
        case program(CELProgram)
        case broken(source: String, message: String)

        init(_ source: String, _ environment: CELEnvironment) {
            do throws(CELCompileError) {
                self = .program(try CELProgram(compiling: source, environment: environment))
            } catch {
                self = .broken(source: source, message: "compilation error: compilation failed: \(error)")
            }
        }

        var source: String {
            switch self {
            case .program(let program): program.source
            case .broken(let source, _): source
            }
        }

        var type: CELType {
            if case .program(let program) = self { program.resultType } else { .dyn }
        }
    }

    struct Named: Sendable {
        var name: String
        var expression: Expression
    }

    struct Validation: Sendable {
        var expression: Expression
        var message: String
        var messageExpression: Expression?
        var reason: String
    }

    struct Mutation: Sendable {
        var isJSONPatch: Bool
        var expression: Expression
    }

    let name: String
    let isMutating: Bool
    let match: PolicyMatch
    let parameterKind: PolicyParameterKind?
    let failsOnError: Bool
    let isReinvoked: Bool
    let conditions: [Named]
    let variables: [Named]
    let validations: [Validation]
    let auditAnnotations: [Named]
    let mutations: [Mutation]
    /// Whether an expression looks at the namespace.
    let usesNamespace: Bool
    /// Whether an expression looks at the request.
    let usesRequest: Bool

    init(_ policy: KubeObject) {
        let spec = policy.spec
        name = policy.name
        isMutating = policy.kind == "MutatingAdmissionPolicy"
        match = PolicyMatch(spec["matchConstraints"], matchesAnything: false)
        parameterKind = PolicyParameterKind(spec["paramKind"])
        failsOnError = spec["failurePolicy"].string != "Ignore"
        isReinvoked = spec["reinvocationPolicy"].string == "IfNeeded"
        var scope = PolicyExpressions.Scope()
        scope.hasParameters = parameterKind != nil
        scope.variables = nil
        let conditionEnvironment = PolicyExpressions.environment(scope)
        conditions = spec["matchConditions"].elements.map {
            Named(
                name: $0["name"].string ?? "",
                expression: Expression($0["expression"].string ?? "", conditionEnvironment))
        }
        scope.isMutation = isMutating
        (variables, scope.variables) = Self.variables(spec["variables"].elements, scope)
        let environment = PolicyExpressions.environment(scope)
        scope.hasAuthorizer = false
        let messages = PolicyExpressions.environment(scope)
        validations = spec["validations"].elements.map { Self.validation($0, environment, messages) }
        auditAnnotations = spec["auditAnnotations"].elements.map {
            Named(
                name: $0["key"].string ?? "", expression: Expression($0["valueExpression"].string ?? "", environment))
        }
        mutations = spec["mutations"].elements.map { mutation in
            let isJSONPatch = mutation["patchType"].string == "JSONPatch"
            let source = mutation[isJSONPatch ? "jsonPatch" : "applyConfiguration"]["expression"].string ?? ""
            return Mutation(isJSONPatch: isJSONPatch, expression: Expression(source, environment))
        }
        let sources =
            (conditions + variables + auditAnnotations).map(\.expression.source) + mutations.map(\.expression.source)
            + validations.flatMap { [$0.expression.source, $0.messageExpression?.source ?? ""] }
        usesNamespace = sources.contains { $0.contains("namespaceObject") }
        usesRequest = sources.contains { $0.contains("request") }
    }

    /// Compiles variables in order: each may use those before it.
    private static func variables(
        _ list: [JSONValue], _ given: PolicyExpressions.Scope
    ) -> ([Named], [String: CELType]) {
        var scope = given
        var types: [String: CELType] = [:]
        var variables: [Named] = []
        for variable in list {
            scope.variables = types
            let name = variable["name"].string ?? ""
            let expression = Expression(variable["expression"].string ?? "", PolicyExpressions.environment(scope))
            variables.append(Named(name: name, expression: expression))
            types[name] = expression.type
        }
        return (variables, types)
    }

    private static func validation(
        _ json: JSONValue, _ environment: CELEnvironment, _ messages: CELEnvironment
    ) -> Validation {
        Validation(
            expression: Expression(json["expression"].string ?? "", environment), message: json["message"].string ?? "",
            messageExpression: json["messageExpression"].string.flatMap { $0.isEmpty ? nil : Expression($0, messages) },
            reason: json["reason"].string ?? "")
    }
}

/// A binding of a policy.
struct PolicyBinding: Sendable {
    let name: String
    let policy: String
    let match: PolicyMatch?
    let parameters: JSONValue
    let actions: [String]

    init(_ binding: KubeObject) {
        name = binding.name
        policy = binding.spec["policyName"].string ?? ""
        let resources = binding.spec["matchResources"]
        match = resources.object == nil ? nil : PolicyMatch(resources, matchesAnything: true)
        parameters = binding.spec["paramRef"]
        actions = binding.spec["validationActions"].elements.compactMap(\.string)
    }
}
