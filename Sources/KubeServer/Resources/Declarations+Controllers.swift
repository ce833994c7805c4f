// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let replicationControllers = ResourceDeclaration(
        .replicationControllers, shortNames: ["rc"], categories: ["all"], hasStatus: true, scale: Scale(),
        hasGeneration: true)
    static let statefulSets = ResourceDeclaration(
        .statefulSets, shortNames: ["sts"], categories: ["all"], hasStatus: true, scale: Scale(), hasGeneration: true)
    static let daemonSets = ResourceDeclaration(
        .daemonSets, shortNames: ["ds"], categories: ["all"], hasStatus: true, hasGeneration: true)
    static let controllerRevisions = ResourceDeclaration(.controllerRevisions)
    static let cronJobs = ResourceDeclaration(
        .cronJobs, shortNames: ["cj"], categories: ["all"], hasStatus: true, hasGeneration: true)
    static let podTemplates = ResourceDeclaration(.podTemplates)
    static let podDisruptionBudgets = ResourceDeclaration(
        .podDisruptionBudgets, shortNames: ["pdb"], hasStatus: true, hasGeneration: true)
}
