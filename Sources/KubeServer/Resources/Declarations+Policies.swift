// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let validatingAdmissionPolicies = ResourceDeclaration(
        .validatingAdmissionPolicies, hasStatus: true, hasGeneration: true)
    static let validatingAdmissionPolicyBindings = ResourceDeclaration(.validatingAdmissionPolicyBindings)
    static let mutatingAdmissionPolicies = ResourceDeclaration(.mutatingAdmissionPolicies, hasGeneration: true)
    static let mutatingAdmissionPolicyBindings = ResourceDeclaration(.mutatingAdmissionPolicyBindings)
}
