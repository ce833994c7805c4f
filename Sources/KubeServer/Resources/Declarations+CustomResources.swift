// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let customResourceDefinitions = ResourceDeclaration(
        .customResourceDefinitions, shortNames: ["crd", "crds"], categories: ["api-extensions"], hasStatus: true,
        hasGeneration: true)
}
