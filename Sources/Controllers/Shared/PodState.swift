// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What controllers ask about a pod.
extension KubeObject {
    var phase: String { status["phase"].string ?? "Pending" }
    var isFinishedPod: Bool { phase == "Succeeded" || phase == "Failed" }
    /// Counts as a replica: not finished and not being deleted.
    var isActivePod: Bool { !isFinishedPod && !isBeingDeleted }
    var isReadyPod: Bool { Conditions.isTrue("Ready", in: status) }
    var nodeName: String { spec["nodeName"].string ?? "" }

    /// When the pod became ready; nil while it is not.
    var readySince: Timestamp? {
        let condition = Conditions.find("Ready", in: status)
        guard condition["status"].string == "True" else { return nil }
        return condition["lastTransitionTime"].string.flatMap(Timestamp.init(rfc3339:))
    }

    /// Whether the pod has been ready for that long.
    func isAvailablePod(minReadySeconds: Int, now: Timestamp) -> Bool {
        guard isReadyPod else { return false }
        guard minReadySeconds > 0 else { return true }
        guard let since = readySince else { return false }
        return since + .seconds(minReadySeconds) <= now
    }

    /// Restarts of all its containers.
    var restartCount: Int {
        (status["containerStatuses"].elements + status["initContainerStatuses"].elements)
            .reduce(0) { $0 + ($1["restartCount"].int ?? 0) }
    }
}

/// Pods made from templates.
enum PodTemplate {
    /// The pod that a controller makes from its `spec.template`.
    static func pod(_ template: JSONValue, owner: KubeObject, namePrefix: String) -> KubeObject {
        var pod = KubeObject(["apiVersion": "v1", "kind": "Pod", "metadata": [:]])
        pod.metadata["generateName"] = .string(namePrefix)
        pod.namespace = owner.namespace
        let metadata = template["metadata"]
        pod.labels = metadata["labels"].stringMembers
        pod.annotations = metadata["annotations"].stringMembers
        pod.finalizers = metadata["finalizers"].elements.compactMap(\.string)
        pod.ownerReferences = [owner.controllerReference]
        pod.spec = template["spec"]
        return pod
    }
}
