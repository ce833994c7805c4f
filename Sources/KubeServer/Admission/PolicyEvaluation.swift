// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CEL
import KubeAPI
import Synchronization

/// The evaluation of one policy on one request with one parameter.
struct PolicyEvaluation {
    /// What conditions may cost together.
    ///
    /// Source: k8s.io/apiserver/pkg/apis/cel RuntimeCELCostBudgetMatchConditions.
    private static let conditionBudget: UInt64 = 2_500_000

    private let policy: CompiledPolicy
    private let activation: CELActivation
    private var budget = CELBudget()

    init(_ policy: CompiledPolicy, _ request: PolicyRequest, version: String, parameter: JSONValue) {
        self.policy = policy
        var values: [String: CELValue] = [
            "object": request.json(request.object, version: version),
            "oldObject": request.json(request.attributes.old, version: version),
            "request": .null,
            "params": CELValue(parameter),
            "authorizer": .access(.authorizer),
            "authorizer.requestResource": .access(request.requestResource),
            "namespaceObject": .null,
        ]
        if policy.usesRequest {
            values["request"] = CELValue(request.requestObject(version: version), schema: PolicyExpressions.request)
        }
        if policy.usesNamespace {
            values["namespaceObject"] = CELValue(request.namespaceObject, schema: PolicyExpressions.namespace)
        }
        let base = CELActivation(values) { request.decide($0) }
        values["variables"] = .host(PolicyVariables(policy.variables, base))
        activation = CELActivation(values) { request.decide($0) }
    }

    /// Whether the policy's conditions let it apply.
    mutating func applies() throws(PolicyProblem) -> Bool {
        var problems: [String] = []
        var budget = CELBudget(remaining: Self.conditionBudget)
        for condition in policy.conditions {
            do throws(PolicyProblem) {
                let value = try value(condition.expression, &budget)
                if case .bool(false) = value { return false }
                if case .bool(true) = value { continue }
                problems.append("matchCondition '\(condition.name)' evaluated to non-boolean value")
            } catch {
                problems.append(error.message)
            }
        }
        guard let first = problems.first else { return true }
        throw PolicyProblem(problems.count == 1 ? first : "[\(problems.joined(separator: ", "))]")
    }

    /// The value of an expression of the policy.
    mutating func value(_ expression: CompiledPolicy.Expression) throws(PolicyProblem) -> CELValue {
        try value(expression, &budget)
    }

    private func value(
        _ expression: CompiledPolicy.Expression, _ budget: inout CELBudget
    ) throws(PolicyProblem) -> CELValue {
        switch expression {
        case .broken(let source, let message):
            throw PolicyProblem("expression '\(source)' resulted in error: \(message)")
        case .program(let program):
            guard budget.remaining > 0 else {
                throw PolicyProblem(
                    "validation failed due to running out of cost budget, no further validation rules will be run")
            }
            do throws(CELError) {
                return try program.evaluate(activation, budget: &budget)
            } catch {
                throw PolicyProblem("expression '\(program.source)' resulted in error: \(error)")
            }
        }
    }

    /// A text that an expression gives; nil where it gives none of use.
    mutating func message(_ expression: CompiledPolicy.Expression) -> String? {
        guard let value = try? value(expression), case .string(let text) = value else { return nil }
        let message = text.trimmingSpace
        let isUsable = !message.isEmpty && !message.utf8.contains(UInt8(ascii: "\n")) && message.utf8.count <= 5 * 1024
        return isUsable ? message : nil
    }
}

/// `variables`: each is computed when it is first read, and once.
final class PolicyVariables: CELHostObject {
    private let expressions: [String: CompiledPolicy.Expression]
    private let base: CELActivation
    private let known = Mutex<[String: Result<CELValue, CELError>]>([:])

    init(_ variables: [CompiledPolicy.Named], _ base: CELActivation) {
        expressions = Dictionary(variables.map { ($0.name, $0.expression) }, uniquingKeysWith: { first, _ in first })
        self.base = base
    }

    func member(_ name: String, budget: inout CELBudget) throws(CELError) -> CELValue? {
        if let result = known.withLock({ $0[name] }) { return try result.get() }
        guard let expression = expressions[name] else { return nil }
        var activation = base
        activation.values["variables"] = .host(self)
        let result: Result<CELValue, CELError>
        switch expression {
        case .broken(let source, let message):
            result = .failure(CELError("composited variable \"\(name)\" fails to compile: '\(source)': \(message)"))
        case .program(let program):
            do throws(CELError) {
                result = .success(try program.evaluate(activation, budget: &budget))
            } catch {
                result = .failure(
                    error.code == .costExceeded
                        ? error : CELError("composited variable \"\(name)\" fails to evaluate: \(error)"))
            }
        }
        known.withLock { $0[name] = result }
        return try result.get()
    }
}

extension String {
    /// Without white space at both ends.
    var trimmingSpace: String {
        String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
