// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let ingresses = ResourceDeclaration(.ingresses, shortNames: ["ing"], hasStatus: true, hasGeneration: true)
    static let ingressClasses = ResourceDeclaration(.ingressClasses, hasGeneration: true)
    static let networkPolicies = ResourceDeclaration(.networkPolicies, shortNames: ["netpol"], hasGeneration: true)
    static let ipAddresses = ResourceDeclaration(.ipAddresses, shortNames: ["ip"])
    static let serviceCIDRs = ResourceDeclaration(.serviceCIDRs, hasStatus: true)
}
