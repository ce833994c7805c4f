// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let deployments = ResourceDeclaration(
        .deployments, shortNames: ["deploy"], categories: ["all"], hasStatus: true, scale: Scale(),
        hasGeneration: true, columns: WorkloadColumns.deployment)

    static let replicaSets = ResourceDeclaration(
        .replicaSets, shortNames: ["rs"], categories: ["all"], hasStatus: true, scale: Scale(), hasGeneration: true,
        columns: WorkloadColumns.replicaSet, selectableFields: [SelectableField("status.replicas", default: "0")],
        strategy: .counting("replicas"))

    static let jobs: ResourceDeclaration = {
        var strategy = Strategy()
        strategy.prepareCreate = { job throws(StatusError) in JobRules.generateSelector(&job) }
        strategy.orphansDependents = true
        strategy.orphanWarning =
            "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove "
            + "them or set propagationPolicy=Orphan to suppress this warning"
        return ResourceDeclaration(
            .jobs, categories: ["all"], hasStatus: true, hasGeneration: true, columns: WorkloadColumns.job,
            selectableFields: [
                SelectableField("status.successful", path: "status.succeeded", default: "0")
            ],
            strategy: strategy)
    }()
}

extension ResourceDeclaration.Strategy {
    /// New objects have these counts in their status: clients take them for granted.
    static func counting(_ counts: String...) -> Self {
        var strategy = Self()
        strategy.prepareCreate = { object in
            for count in counts { object.status[count] = 0 }
        }
        return strategy
    }
}

/// What a new job gets.
///
/// Source: Kubernetes "Jobs", "Specifying your own Pod selector".
enum JobRules {
    static func generateSelector(_ job: inout KubeObject) {
        guard job.spec["manualSelector"].bool != true else { return }
        let uid = JSONValue.string(job.uid)
        let name = JSONValue.string(job.name)
        for (key, value) in [
            ("controller-uid", uid), ("batch.kubernetes.io/controller-uid", uid), ("job-name", name),
            ("batch.kubernetes.io/job-name", name),
        ] {
            job.spec["template"]["metadata"]["labels"][key] = value
        }
        job.spec["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"] = uid
    }
}
