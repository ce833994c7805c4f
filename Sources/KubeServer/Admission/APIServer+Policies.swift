// SPDX-License-Identifier: Apache-2.0
import ApusCore
import CEL
import KubeAPI

/// What a policy found.
private struct PolicyFinding {
    var policy: CompiledPolicy
    var binding: PolicyBinding
    var message: String
    /// Machine-readable; empty for the default.
    var reason = ""
    /// The position of the validation.
    var index = 0
    /// Whether it stands for an error, which the actions of the binding do not soften.
    var isError = false
}

extension APIServer {
    /// Kinds that configure admission: policies do not apply to them, so that none can lock itself in.
    private static let policyGroup = "admissionregistration.k8s.io"

    /// Lets the validating policies in the store decide about a write.
    ///
    /// Source: Kubernetes documentation, "Validating Admission Policy"; messages are those of
    /// k8s.io/apiserver/pkg/admission/plugin/policy/validating.
    func decideByPolicies(_ object: KubeObject, _ attributes: AdmissionAttributes) throws(StatusError) {
        let candidates = policies.policies(mutating: false, attributes.resource.plural)
        guard !candidates.isEmpty, attributes.resource.group != Self.policyGroup else { return }
        let request = PolicyRequest(object, attributes, self)
        var refusal: PolicyFinding?
        var audited: [JSONValue] = []
        var annotations: [String: [String]] = [:]
        for bound in candidates {
            guard let version = bound.policy.match.version(of: request) else { continue }
            for binding in bound.bindings where binding.match.map({ $0.version(of: request) != nil }) ?? true {
                let findings = validate(bound.policy, binding, request, version, &annotations)
                for finding in findings {
                    let text = "policy '\(bound.policy.name)' with binding '\(binding.name)'"
                    if finding.isError || binding.actions.contains("Deny") { refusal = refusal ?? finding }
                    guard !finding.isError else { continue }
                    if binding.actions.contains("Warn") {
                        attributes.notes.warn(
                            "Validation failed for ValidatingAdmissionPolicy \(text.dropFirst(7)): \(finding.message)")
                    }
                    if binding.actions.contains("Audit") { audited.append(Self.auditEntry(finding)) }
                }
            }
        }
        for (key, values) in annotations {
            attributes.notes.annotate(key, Set(values).sorted().joined(separator: ", "))
        }
        if !audited.isEmpty {
            let text = String(decoding: JSONValue.array(audited).encoded, as: UTF8.self)
            attributes.notes.annotate("validation.policy.admission.k8s.io/validation_failure", text)
        }
        if let refusal { throw Self.refusal(refusal, request) }
    }

    private static func auditEntry(_ finding: PolicyFinding) -> JSONValue {
        [
            "message": .string(finding.message), "policy": .string(finding.policy.name),
            "binding": .string(finding.binding.name), "expressionIndex": JSONValue(finding.index),
            "validationActions": JSONValue(finding.binding.actions),
        ]
    }

    private static func refusal(_ finding: PolicyFinding, _ request: PolicyRequest) -> StatusError {
        let message =
            "ValidatingAdmissionPolicy '\(finding.policy.name)' with binding '\(finding.binding.name)' denied request: "
            + finding.message
        return refusal(message, reason: finding.reason, request)
    }

    private static func refusal(_ message: String, reason: String, _ request: PolicyRequest) -> StatusError {
        var error = StatusError.forbidden(request.attributes.resource, request.name, message)
        error.reason = reason.isEmpty ? "Invalid" : reason
        error.code =
            switch error.reason {
            case "Unauthorized": 401
            case "Forbidden": 403
            case "RequestEntityTooLarge": 413
            default: 422
            }
        error.causes = [StatusCause(reason: "", field: "", message: message)]
        return error
    }

    /// What a policy with a binding finds wrong with a write.
    private func validate(
        _ policy: CompiledPolicy, _ binding: PolicyBinding, _ request: PolicyRequest, _ version: String,
        _ annotations: inout [String: [String]]
    ) -> [PolicyFinding] {
        func failure(_ message: String, _ index: Int = 0) -> [PolicyFinding] {
            guard policy.failsOnError else { return [] }
            return [PolicyFinding(policy: policy, binding: binding, message: message, index: index, isError: true)]
        }
        var findings: [PolicyFinding] = []
        do throws(PolicyProblem) {
            for parameter in try request.parameters(of: policy.parameterKind, binding.parameters) {
                var evaluation = PolicyEvaluation(policy, request, version: version, parameter: parameter)
                guard try evaluation.applies() else { continue }
                for (index, validation) in policy.validations.enumerated() {
                    do throws(PolicyProblem) {
                        if case .bool(true) = try evaluation.value(validation.expression) { continue }
                        findings.append(
                            PolicyFinding(
                                policy: policy, binding: binding, message: message(validation, &evaluation),
                                reason: validation.reason, index: index))
                    } catch {
                        findings += failure(error.message, index)
                    }
                }
                for annotation in policy.auditAnnotations {
                    do throws(PolicyProblem) {
                        guard case .string(let text) = try evaluation.value(annotation.expression) else { continue }
                        let value = text.trimmingSpace
                        if !value.isEmpty {
                            annotations["\(policy.name)/\(annotation.name)", default: []].append(
                                String(value.prefix(10 * 1024)))
                        }
                    } catch {
                        findings += failure(error.message)
                    }
                }
            }
        } catch {
            findings += failure(error.message)
        }
        return findings
    }

    private func message(_ validation: CompiledPolicy.Validation, _ evaluation: inout PolicyEvaluation) -> String {
        if let expression = validation.messageExpression, let message = evaluation.message(expression) {
            return message
        }
        let message = validation.message.trimmingSpace
        return message.isEmpty ? "failed expression: \(validation.expression.source.trimmingSpace)" : message
    }

    // MARK: Mutating policies

    /// Lets the mutating policies in the store change an object.
    ///
    /// Source: Kubernetes documentation, "Mutating Admission Policy". A policy that is reinvoked runs once more when
    /// another one has changed the object after it.
    func changeByPolicies(_ object: inout KubeObject, _ attributes: AdmissionAttributes) throws(StatusError) {
        guard attributes.operation != .delete else { return }
        let candidates = policies.policies(mutating: true, attributes.resource.plural)
        guard !candidates.isEmpty, attributes.resource.group != Self.policyGroup else { return }
        var seen: [String: KubeObject] = [:]
        for bound in candidates {
            try change(&object, bound, attributes)
            seen[bound.policy.name] = object
        }
        for bound in candidates where bound.policy.isReinvoked && seen[bound.policy.name] != object {
            try change(&object, bound, attributes)
        }
    }

    private func change(
        _ object: inout KubeObject, _ bound: PolicyIndex.Bound, _ attributes: AdmissionAttributes
    ) throws(StatusError) {
        let policy = bound.policy
        var request = PolicyRequest(object, attributes, self)
        guard let version = policy.match.version(of: request) else { return }
        for binding in bound.bindings where binding.match.map({ $0.version(of: request) != nil }) ?? true {
            do throws(PolicyProblem) {
                for parameter in try request.parameters(of: policy.parameterKind, binding.parameters) {
                    request.object = object
                    var evaluation = PolicyEvaluation(policy, request, version: version, parameter: parameter)
                    guard try evaluation.applies() else { continue }
                    for mutation in policy.mutations {
                        request.object = object
                        evaluation = PolicyEvaluation(policy, request, version: version, parameter: parameter)
                        try apply(mutation, &object, &evaluation, attributes)
                    }
                }
            } catch {
                guard policy.failsOnError else { continue }
                let message = "policy '\(policy.name)' with binding '\(binding.name)' denied request: \(error.message)"
                throw Self.refusal(message, reason: "", request)
            }
        }
    }

    private func apply(
        _ mutation: CompiledPolicy.Mutation, _ object: inout KubeObject, _ evaluation: inout PolicyEvaluation,
        _ attributes: AdmissionAttributes
    ) throws(PolicyProblem) {
        let value = try evaluation.value(mutation.expression)
        let resource = attributes.resource
        let kind = GroupVersionKind(apiVersion: object.apiVersion, kind: object.kind)
        var changed: JSONValue
        do {
            if mutation.isJSONPatch {
                changed = try JSONPatch(PolicyPatch.document(value)).apply(to: object.json)
            } else {
                let patch = try PolicyPatchTypes.applyConfiguration(value)
                changed = try PolicyPatch.apply(patch, to: object.json, kind, schema)
            }
        } catch {
            throw PolicyProblem("\(error)")
        }
        guard changed != object.json else { return }
        for member in ["apiVersion", "kind"] where changed[member] != object.json[member] {
            throw PolicyProblem("a mutation must not change \(member)")
        }
        for member in ["name", "namespace", "uid"] where changed["metadata"][member] != object.metadata[member] {
            throw PolicyProblem("a mutation must not change metadata.\(member)")
        }
        if let declaration = registry.declaration(resource) {
            changed = try PolicyPatch.typed(changed, declaration, kind, schema)
        }
        Defaults.apply(&changed, kind)
        object.json = changed
    }
}
