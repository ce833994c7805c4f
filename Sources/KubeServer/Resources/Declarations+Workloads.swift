// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static let deployments = ResourceDeclaration(
        .deployments, shortNames: ["deploy"], categories: ["all"], hasStatus: true, scale: Scale(),
        hasGeneration: true, columns: WorkloadColumns.deployment,
        strategy: podMaker(isSelectorImmutable: true))

    static let replicaSets = ResourceDeclaration(
        .replicaSets, shortNames: ["rs"], categories: ["all"], hasStatus: true, scale: Scale(), hasGeneration: true,
        columns: WorkloadColumns.replicaSet, selectableFields: [SelectableField("status.replicas", default: "0")],
        strategy: podMaker(isSelectorImmutable: true))

    static let jobs: ResourceDeclaration = {
        var strategy = podMaker(isSelectorImmutable: true)
        strategy.prepareCreate = { job throws(StatusError) in
            job.status = .null
            JobRules.generateSelector(&job)
        }
        let validateSelector = strategy.validate
        strategy.validate = { job, old in
            var causes = validateSelector(job, old)
            if let old, JobRules.fixedTemplate(job) != JobRules.fixedTemplate(old), old.spec["suspend"].bool != true {
                causes.append(
                    StatusCause(
                        reason: "FieldValueInvalid", field: "spec.template",
                        message: "Invalid value: \(job.spec["template"].text.prefix(200)): field is immutable"))
            }
            if let old, job.spec["completions"] != old.spec["completions"] {
                causes.append(
                    StatusCause(
                        reason: "FieldValueInvalid", field: "spec.completions",
                        message: "Invalid value: \(job.spec["completions"].text): field is immutable"))
            }
            return causes
        }
        return ResourceDeclaration(
            .jobs, categories: ["all"], hasStatus: true, hasGeneration: true, columns: WorkloadColumns.job,
            selectableFields: [
                SelectableField("status.successful", path: "status.succeeded", default: "0")
            ],
            strategy: strategy)
    }()

    /// What kinds with a pod template share.
    private static func podMaker(isSelectorImmutable: Bool) -> Strategy {
        var strategy = Strategy()
        strategy.validate = { object, old in
            guard isSelectorImmutable, let old, object.spec["selector"] != old.spec["selector"] else { return [] }
            return [
                StatusCause(
                    reason: "FieldValueInvalid", field: "spec.selector",
                    message: "Invalid value: \(object.spec["selector"].text): field is immutable")
            ]
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

    /// The part of the template that does not change after a job has started.
    static func fixedTemplate(_ job: KubeObject) -> JSONValue { job.spec["template"]["spec"] }
}
