// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import ServingObjects

extension RevisionState {
    /// A revision as its Deployment and pods show it; nil for a Deployment that is none.
    init?(_ deployment: KubeObject, component: String, podFailure: String? = nil) {
        guard deployment.name.hasPrefix("\(component)-"), !deployment.isBeingDeleted,
            let number = Int(deployment.name.dropFirst(component.count + 1)),
            let digest = deployment.annotations[ServingNames.digest]
        else { return nil }
        self.init(name: deployment.name, number: number, digest: digest)
        let notes = deployment.annotations
        wanted = deployment.spec["replicas"].int ?? 1
        let isCurrent = deployment.status["observedGeneration"].int ?? 0 >= deployment.generation
        // Of a revision only the number of pods changes: those that could answer can, also where it is not observed yet.
        available = deployment.status["availableReplicas"].int ?? 0
        if wanted == 0, !isCurrent { wanted = 1 }
        let seen = ServingStatus.Observation.of(deployment, podFailure: podFailure)
        failure = seen.ready == "False" ? seen.message : nil
        percent = notes[ServingNames.rolloutPercent].flatMap { Int($0) }
        since = notes[ServingNames.rolloutSince].flatMap(Timestamp.init(rfc3339:))
        rolledBack = notes[ServingNames.rolledBack]
        retired = notes[ServingNames.retired].flatMap(Timestamp.init(rfc3339:))
    }
}

/// Why pods do not come up.
enum PodFailure {
    private static let reasons: Set<String> = [
        "CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError", "CreateContainerError",
        "RunContainerError", "InvalidImageName",
    ]

    /// What the first of the pods that failed more than once says; nil where none did.
    static func find(_ pods: [KubeObject]) -> String? {
        for pod in pods.sorted(by: { $0.name < $1.name }) where !pod.isBeingDeleted {
            let statuses = pod.status["initContainerStatuses"].elements + pod.status["containerStatuses"].elements
            for status in statuses {
                guard let reason = status["state"]["waiting"]["reason"].string, reasons.contains(reason) else {
                    continue
                }
                guard reason != "CrashLoopBackOff" || status["restartCount"].int ?? 0 >= 2 else { continue }
                let last = status["lastState"]["terminated"]
                let text = last["message"].string ?? status["state"]["waiting"]["message"].string ?? ""
                let code = last["exitCode"].int.map { ", exit code \($0)" } ?? ""
                return "\(pod.name): \(reason)\(code)\(text.isEmpty ? "" : ": \(text)")"
            }
        }
        return nil
    }
}
