// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let deviceClasses = ResourceDeclaration(.deviceClasses, hasGeneration: true)

    static let resourceClaims = ResourceDeclaration(
        .resourceClaims, hasStatus: true, columns: NetworkingColumns.resourceClaim)

    static let resourceClaimTemplates = ResourceDeclaration(.resourceClaimTemplates)

    static let resourceSlices = ResourceDeclaration(
        .resourceSlices, hasGeneration: true, columns: NetworkingColumns.resourceSlice,
        selectableFields: [SelectableField("spec.nodeName"), SelectableField("spec.driver")])
}
