// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Makes the pods of Jobs.
enum JobPod {
    /// The pod to create.
    ///
    /// `index`: its completion index; nil for Jobs without indexes.
    static func make(_ job: KubeObject, index: Int?) -> KubeObject {
        var prefix = "\(job.name)-"
        if let index { prefix += "\(index)-" }
        var pod = PodTemplate.pod(job.spec["template"], owner: job, namePrefix: prefix)
        var labels = pod.labels
        for key in ["batch.kubernetes.io/controller-uid", "controller-uid"] { labels[key] = job.uid }
        for key in ["batch.kubernetes.io/job-name", "job-name"] { labels[key] = job.name }
        if let index {
            labels[JobPlan.indexKey] = String(index)
            pod.annotations[JobPlan.indexKey] = String(index)
            if pod.spec["hostname"].isNull { pod.spec["hostname"] = .string("\(job.name)-\(index)") }
            for list in ["containers", "initContainers"] where !pod.spec[list].isNull {
                pod.spec[list] = .array(pod.spec[list].elements.map(addIndex))
            }
        }
        pod.labels = labels
        return pod
    }

    private static func addIndex(to container: JSONValue) -> JSONValue {
        let name = "JOB_COMPLETION_INDEX"
        guard !container["env"].elements.contains(where: { $0["name"].string == name }) else { return container }
        var container = container
        let path = "metadata.annotations['\(JobPlan.indexKey)']"
        let variable: JSONValue = [
            "name": .string(name),
            "valueFrom": ["fieldRef": ["apiVersion": "v1", "fieldPath": .string(path)]],
        ]
        container["env"] = .array(container["env"].elements + [variable])
        return container
    }

    /// The selector of a Job, also of one for which the server has made none.
    static func selector(_ job: KubeObject) throws(StatusError) -> LabelSelector {
        let selector = job.spec["selector"]
        if !selector.isEmpty { return try LabelSelector(json: selector) }
        return LabelSelector(matchLabels: ["batch.kubernetes.io/controller-uid": job.uid])
    }
}
