// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let ingresses = ResourceDeclaration(
        .ingresses, shortNames: ["ing"], hasStatus: true, hasGeneration: true,
        columns: NetworkingColumns.ingress)

    static let ingressClasses = ResourceDeclaration(
        .ingressClasses, hasGeneration: true, columns: NetworkingColumns.ingressClass)

    static let networkPolicies = ResourceDeclaration(
        .networkPolicies, shortNames: ["netpol"], hasGeneration: true, columns: NetworkingColumns.networkPolicy)

    static let ipAddresses = ResourceDeclaration(
        .ipAddresses, shortNames: ["ip"], columns: NetworkingColumns.ipAddress,
        selectableFields: [
            SelectableField("spec.parentRef.group"), SelectableField("spec.parentRef.resource"),
            SelectableField("spec.parentRef.namespace"), SelectableField("spec.parentRef.name"),
        ])

    static let serviceCIDRs = ResourceDeclaration(
        .serviceCIDRs, hasStatus: true, columns: NetworkingColumns.serviceCIDR)
}
