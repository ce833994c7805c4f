// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The columns of `kubectl get` for kinds that make pods.
enum WorkloadColumns {
    private static let podTemplate: [TableColumn] = [
        .text("Containers", description: "Names of each container in the template.", wide: true) {
            TableText.containers($0.spec["template"]["spec"], "name")
        },
        .text("Images", description: "Images referenced by each container in the template.", wide: true) {
            TableText.containers($0.spec["template"]["spec"], "image")
        },
        .text("Selector", description: "Label selector for pods.", wide: true) {
            TableText.selector($0.spec["selector"])
        },
    ]

    static let deployment: [TableColumn] =
        [
            .name,
            .text("Ready", description: "Number of the pod with ready state") {
                "\($0.status["readyReplicas"].int ?? 0)/\($0.spec["replicas"].int ?? 0)"
            },
            .text("Up-to-date", description: "Number of pods of the present template.") {
                String($0.status["updatedReplicas"].int ?? 0)
            },
            .text("Available", description: "Number of pods that are available.") {
                String($0.status["availableReplicas"].int ?? 0)
            },
            .age,
        ] + podTemplate

    static let replicaSet: [TableColumn] =
        [
            .name,
            .number("Desired", description: "Number of pods that are wanted.") { $0.spec["replicas"].int ?? 0 },
            .number("Current", description: "Number of pods that exist.") { $0.status["replicas"].int ?? 0 },
            .number("Ready", description: "Number of pods that are ready.") { $0.status["readyReplicas"].int ?? 0 },
            .age,
        ] + podTemplate

    static let job: [TableColumn] =
        [
            .name,
            .text("Status", description: "Status of the job.", jobStatus),
            .text("Completions", description: "Number of pods that have succeeded.") { job in
                let succeeded = job.status["succeeded"].int ?? 0
                if let wanted = job.spec["completions"].int { return "\(succeeded)/\(wanted)" }
                let parallelism = job.spec["parallelism"].int ?? 0
                return parallelism > 1 ? "\(succeeded)/1 of \(parallelism)" : "\(succeeded)/1"
            },
            TableColumn("Duration", description: "Time required to complete the job.") { job, now in
                guard let start = job.status["startTime"].string.flatMap(Timestamp.init(rfc3339:)) else {
                    return .string("")
                }
                let end = job.status["completionTime"].string.flatMap(Timestamp.init(rfc3339:)) ?? now
                return .string(TableText.age(start, now: end))
            },
            .age,
        ] + podTemplate

    private static func jobStatus(_ job: KubeObject) -> String {
        if Conditions.isTrue("Complete", in: job.status) { return "Complete" }
        if Conditions.isTrue("Failed", in: job.status) { return "Failed" }
        if job.isBeingDeleted { return "Terminating" }
        if Conditions.isTrue("Suspended", in: job.status) { return "Suspended" }
        if Conditions.isTrue("FailureTarget", in: job.status) { return "FailureTarget" }
        if Conditions.isTrue("SuccessCriteriaMet", in: job.status) { return "SuccessCriteriaMet" }
        return "Running"
    }
}
