// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let replicationControllers: ResourceDeclaration = {
        var strategy = Strategy.counting("replicas")
        strategy.orphansDependents = true
        // Its selector is a plain map of labels.
        let scale = Scale(selector: { LabelSelector(matchLabels: $0.spec["selector"].stringMembers).description })
        return ResourceDeclaration(
            .replicationControllers, shortNames: ["rc"], categories: ["all"], hasStatus: true, scale: scale,
            hasGeneration: true, columns: ControllerColumns.replicationController,
            selectableFields: [SelectableField("status.replicas", default: "0")], strategy: strategy)
    }()

    static let statefulSets = ResourceDeclaration(
        .statefulSets, shortNames: ["sts"], categories: ["all"], hasStatus: true, scale: Scale(), hasGeneration: true,
        columns: ControllerColumns.statefulSet, strategy: .counting("replicas", "availableReplicas"))

    static let daemonSets = ResourceDeclaration(
        .daemonSets, shortNames: ["ds"], categories: ["all"], hasStatus: true, hasGeneration: true,
        columns: ControllerColumns.daemonSet,
        strategy: .counting(
            "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"))

    static let controllerRevisions = ResourceDeclaration(
        .controllerRevisions, allowsUnconditionalUpdate: false, columns: ControllerColumns.controllerRevision)

    static let cronJobs = ResourceDeclaration(
        .cronJobs, shortNames: ["cj"], categories: ["all"], hasStatus: true, hasGeneration: true,
        columns: ControllerColumns.cronJob)

    static let podTemplates = ResourceDeclaration(
        .podTemplates, hasGeneration: true, columns: ControllerColumns.podTemplate)

    static let podDisruptionBudgets = ResourceDeclaration(
        .podDisruptionBudgets, shortNames: ["pdb"], hasStatus: true, hasGeneration: true,
        allowsUnconditionalUpdate: false, columns: ControllerColumns.disruptionBudget,
        strategy: .counting("currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"))
}
