// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Makes the pods of Jobs, and reads what they carry.
enum JobPod {
    /// Holds a pod until its end is counted.
    static let finalizer = "batch.kubernetes.io/job-tracking"
    static let indexKey = "batch.kubernetes.io/job-completion-index"
    static let failuresKey = "batch.kubernetes.io/job-index-failure-count"
    static let ignoredFailuresKey = "batch.kubernetes.io/job-index-ignored-failure-count"
    private static let indexVariable = "JOB_COMPLETION_INDEX"

    /// A pod to create.
    struct Creation: Equatable, Sendable {
        /// Its completion index; nil for Jobs without indexes.
        var index: Int?
        /// Failures of the index so far; nil for Jobs without a limit per index.
        var failures: Int?
        var ignoredFailures = 0
    }

    static func index(of pod: KubeObject) -> Int? { pod.annotations[indexKey].flatMap { Int($0) } }
    static func failures(of pod: KubeObject) -> Int { pod.annotations[failuresKey].flatMap { Int($0) } ?? 0 }
    static func ignoredFailures(of pod: KubeObject) -> Int {
        pod.annotations[ignoredFailuresKey].flatMap { Int($0) } ?? 0
    }

    /// The pod to create.
    static func make(_ job: KubeObject, _ creation: Creation) -> KubeObject {
        var prefix = "\(job.name)-"
        if let index = creation.index { prefix += "\(index)-" }
        var pod = PodTemplate.pod(job.spec["template"], owner: job, namePrefix: prefix)
        pod.finalizers = pod.finalizers.filter { $0 != finalizer } + [finalizer]
        var labels = pod.labels
        for key in ["batch.kubernetes.io/controller-uid", "controller-uid"] { labels[key] = job.uid }
        for key in ["batch.kubernetes.io/job-name", "job-name"] { labels[key] = job.name }
        if let index = creation.index {
            labels[indexKey] = String(index)
            pod.annotations[indexKey] = String(index)
            if let failures = creation.failures { pod.annotations[failuresKey] = String(failures) }
            if creation.ignoredFailures > 0 {
                pod.annotations[ignoredFailuresKey] = String(creation.ignoredFailures)
            }
            if pod.spec["hostname"].isNull { pod.spec["hostname"] = .string("\(job.name)-\(index)") }
            for list in ["containers", "initContainers"] where !pod.spec[list].isNull {
                pod.spec[list] = .array(pod.spec[list].elements.map(addIndex))
            }
        }
        pod.labels = labels
        return pod
    }

    private static func addIndex(to container: JSONValue) -> JSONValue {
        guard !container["env"].elements.contains(where: { $0["name"].string == indexVariable }) else {
            return container
        }
        var container = container
        let path = "metadata.labels['\(indexKey)']"
        let variable: JSONValue = [
            "name": .string(indexVariable),
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
