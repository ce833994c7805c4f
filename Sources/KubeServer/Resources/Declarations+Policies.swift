// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let validatingAdmissionPolicies = ResourceDeclaration(
        .validatingAdmissionPolicies, hasStatus: true, hasGeneration: true,
        columns: [
            .name,
            .number("Validations", description: "Validations indicates the number of validation rules") {
                $0.spec["validations"].elements.count
            },
            .text(
                "ParamKind", description: "ParamKind specifies the kind of resources used to parameterize this policy"
            ) {
                let kind = $0.spec["paramKind"]
                return kind.object == nil
                    ? "<unset>" : "\(kind["apiVersion"].string ?? "")/\(kind["kind"].string ?? "")"
            },
            .age,
        ],
        strategy: policyStrategy(checksTypes: true))

    static let validatingAdmissionPolicyBindings = ResourceDeclaration(
        .validatingAdmissionPolicyBindings, columns: bindingColumns, strategy: bindingStrategy)

    static let mutatingAdmissionPolicies = ResourceDeclaration(
        .mutatingAdmissionPolicies, hasGeneration: true, strategy: policyStrategy(checksTypes: false))

    static let mutatingAdmissionPolicyBindings = ResourceDeclaration(
        .mutatingAdmissionPolicyBindings, columns: bindingColumns, strategy: bindingStrategy)

    private static let bindingColumns: [TableColumn] = [
        .name,
        .text("PolicyName", description: "PolicyName is the policy that the binding binds") {
            $0.spec["policyName"].string ?? ""
        },
        .text("ParamRef", description: "ParamRef indicates the param resource that sets the parameters") {
            let reference = $0.spec["paramRef"]
            guard reference.object != nil else { return "<unset>" }
            guard let name = reference["name"].string, !name.isEmpty else { return "*" }
            return reference["namespace"].string.map { "\($0)/\(name)" } ?? name
        },
        .age,
    ]

    private static func policyStrategy(checksTypes: Bool) -> Strategy {
        var strategy = Strategy()
        strategy.prepareCreate = { object throws(StatusError) in
            PolicyDefaults.apply(&object)
            if checksTypes { PolicyDefaults.checkTypes(&object, generation: 1) }
        }
        strategy.prepareUpdate = { object, old throws(StatusError) in
            PolicyDefaults.apply(&object)
            guard checksTypes, object.spec != old.spec else { return }
            PolicyDefaults.checkTypes(&object, generation: old.generation + 1)
        }
        strategy.validate = { PolicyRules.faults(of: $0, old: $1) }
        return strategy
    }

    private static let bindingStrategy: Strategy = {
        var strategy = Strategy()
        strategy.prepareCreate = { object throws(StatusError) in PolicyDefaults.apply(&object) }
        strategy.prepareUpdate = { object, _ throws(StatusError) in PolicyDefaults.apply(&object) }
        strategy.validate = { object, _ in PolicyRules.faults(ofBinding: object) }
        return strategy
    }()
}
