// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let roles = ResourceDeclaration(.roles, columns: AccessColumns.role)
    static let roleBindings = ResourceDeclaration(.roleBindings, columns: AccessColumns.binding)
    static let clusterRoles = ResourceDeclaration(.clusterRoles, columns: AccessColumns.role)
    static let clusterRoleBindings = ResourceDeclaration(.clusterRoleBindings, columns: AccessColumns.binding)

    static let certificateSigningRequests = ResourceDeclaration(
        .certificateSigningRequests, shortNames: ["csr"], hasStatus: true,
        subresources: [
            Subresource("approval", kind: "CertificateSigningRequest", verbs: ["get", "patch", "update"])
        ],
        columns: AccessColumns.certificateRequest, selectableFields: [SelectableField("spec.signerName")],
        strategy: CertificateRequests.strategy)
}
