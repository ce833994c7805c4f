// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let roles = ResourceDeclaration(.roles)
    static let roleBindings = ResourceDeclaration(.roleBindings)
    static let clusterRoles = ResourceDeclaration(.clusterRoles)
    static let clusterRoleBindings = ResourceDeclaration(.clusterRoleBindings)
    static let certificateSigningRequests = ResourceDeclaration(
        .certificateSigningRequests, shortNames: ["csr"], hasStatus: true)
}
