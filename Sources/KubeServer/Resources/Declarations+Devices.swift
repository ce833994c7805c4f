// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let deviceClasses = ResourceDeclaration(.deviceClasses, hasGeneration: true)
    static let resourceClaims = ResourceDeclaration(.resourceClaims, hasStatus: true)
    static let resourceClaimTemplates = ResourceDeclaration(.resourceClaimTemplates)
    static let resourceSlices = ResourceDeclaration(.resourceSlices, hasGeneration: true)
}
