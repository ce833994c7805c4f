// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Controllers

@Suite("StatefulSets")
struct StatefulSetTests {
    private let now = TestObjects.start

    private func set(_ replicas: Int, _ spec: [String: JSONValue] = [:], status: JSONValue = [:]) -> KubeObject {
        var set = KubeObject(.statefulSets, namespace: "default", name: "web")
        set.metadata["uid"] = "uid-web"
        set.spec = [
            "replicas": JSONValue(replicas), "serviceName": "svc", "selector": ["matchLabels": ["app": "web"]],
            "updateStrategy": ["type": "RollingUpdate", "rollingUpdate": ["partition": 0]],
            "template": TestObjects.template(image: "x"),
        ]
        for (key, value) in spec { set.spec[key] = value }
        set.status = status
        return set
    }

    private func pod(
        _ ordinal: Int, _ revision: String = "r1", ready: Bool = true, phase: String = "Running",
        deleting: Bool = false,
        readyFor: Int = 60
    ) -> KubeObject {
        TestObjects.pod(
            "web-\(ordinal)", phase: phase, ready: ready, readyFor: readyFor,
            labels: [
                "app": "web", "controller-revision-hash": revision, "apps.kubernetes.io/pod-index": String(ordinal),
                "statefulset.kubernetes.io/pod-name": "web-\(ordinal)",
            ], deleting: deleting)
    }

    private func plan(
        _ set: KubeObject, _ pods: [KubeObject], _ current: String = "r1", _ update: String = "r1"
    ) -> StatefulSetPlan {
        StatefulSetPlan(set, pods: pods, revisions: .init(current: current, update: update), now: now)
    }

    struct StepCase: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var replicas: Int
        var pods: [KubeObject]
        var spec: [String: JSONValue] = [:]
        var update = "r1"
        var created: [String] = []
        var deleted: [String] = []
    }

    private static let parallel: [String: JSONValue] = ["podManagementPolicy": "Parallel"]

    private static func rolling(_ partition: Int, maxUnavailable: JSONValue = nil) -> [String: JSONValue] {
        [
            "updateStrategy": [
                "type": "RollingUpdate",
                "rollingUpdate": ["partition": JSONValue(partition), "maxUnavailable": maxUnavailable],
            ]
        ]
    }

    private static let steps: [StepCase] = {
        let test = StatefulSetTests()
        func pod(
            _ ordinal: Int, _ revision: String = "r1", ready: Bool = true, phase: String = "Running",
            deleting: Bool = false
        ) -> KubeObject {
            test.pod(ordinal, revision, ready: ready, phase: phase, deleting: deleting)
        }
        return [
            StepCase(testDescription: "the first comes first", replicas: 3, pods: [], created: ["0:r1"]),
            StepCase(testDescription: "the next waits", replicas: 3, pods: [pod(0, ready: false)]),
            StepCase(testDescription: "the next comes", replicas: 3, pods: [pod(0)], created: ["1:r1"]),
            StepCase(testDescription: "a gap is filled first", replicas: 3, pods: [pod(0), pod(2)], created: ["1:r1"]),
            StepCase(
                testDescription: "all at once", replicas: 3, pods: [pod(1, ready: false)], spec: parallel,
                created: ["0:r1", "2:r1"]),
            StepCase(
                testDescription: "ordinals that start at 5", replicas: 2, pods: [pod(5)],
                spec: ["ordinals": ["start": 5]], created: ["6:r1"]),
            StepCase(
                testDescription: "the start moved: the new ones come first, then the old ones go", replicas: 2,
                pods: [pod(0), pod(1)], spec: ["ordinals": ["start": 1]], created: ["2:r1"]),
            StepCase(
                testDescription: "the highest goes first", replicas: 1, pods: [pod(0), pod(1), pod(2)],
                deleted: ["web-2"]),
            StepCase(
                testDescription: "one at a time", replicas: 0, pods: [pod(0), pod(1, deleting: true)]),
            StepCase(
                testDescription: "shrinking halts at an unhealthy pod below", replicas: 0,
                pods: [pod(0, ready: false), pod(1)], deleted: ["web-1"]),
            StepCase(
                testDescription: "shrinking halts while a lower one is unhealthy", replicas: 1,
                pods: [pod(0, ready: false), pod(1)]),
            StepCase(
                testDescription: "shrinking in parallel", replicas: 1, pods: [pod(0), pod(1, ready: false), pod(2)],
                spec: parallel, deleted: ["web-2", "web-1"]),
            StepCase(
                testDescription: "a failed pod is replaced", replicas: 1, pods: [pod(0, ready: false, phase: "Failed")],
                deleted: ["web-0"]),
            StepCase(
                testDescription: "an update goes from the top", replicas: 3, pods: [pod(0), pod(1), pod(2)],
                update: "r2", deleted: ["web-2"]),
            StepCase(
                testDescription: "an update waits for the one before", replicas: 3,
                pods: [pod(0), pod(1), pod(2, "r2", ready: false)], spec: parallel, update: "r2"),
            StepCase(
                testDescription: "an update goes on", replicas: 3, pods: [pod(0), pod(1), pod(2, "r2")],
                update: "r2", deleted: ["web-1"]),
            StepCase(
                testDescription: "the partition stays", replicas: 3, pods: [pod(0), pod(1), pod(2, "r2")],
                spec: rolling(2), update: "r2"),
            StepCase(
                testDescription: "below the partition pods come back as they were", replicas: 2, pods: [pod(1, "r2")],
                spec: rolling(1), update: "r2", created: ["0:r1"]),
            StepCase(
                testDescription: "two may be unavailable", replicas: 4, pods: [pod(0), pod(1), pod(2), pod(3)],
                spec: rolling(0, maxUnavailable: 2), update: "r2", deleted: ["web-3", "web-2"]),
            StepCase(
                testDescription: "half may be unavailable, one is", replicas: 4,
                pods: [pod(0), pod(1), pod(2), pod(3, "r2", ready: false)],
                spec: rolling(0, maxUnavailable: "50%").merging(parallel) { $1 }, update: "r2", deleted: ["web-2"]),
            StepCase(
                testDescription: "OnDelete leaves pods alone", replicas: 2, pods: [pod(0), pod(1)],
                spec: ["updateStrategy": ["type": "OnDelete"]], update: "r2"),
            StepCase(
                testDescription: "OnDelete makes new pods of the new revision", replicas: 2, pods: [pod(0)],
                spec: ["updateStrategy": ["type": "OnDelete"]], update: "r2", created: ["1:r2"]),
        ]
    }()

    @Test("steps", arguments: steps)
    func step(_ test: StepCase) {
        let plan = plan(set(test.replicas, test.spec), test.pods, "r1", test.update)
        #expect(plan.creations.map { "\($0.ordinal):\($0.revision)" } == test.created)
        #expect(plan.deletions.map(\.pod.name) == test.deleted)
    }

    @Test("a pod is only available after its minimum time, and the next waits for that")
    func minReadySeconds() {
        let spec: [String: JSONValue] = ["minReadySeconds": 20]
        let young = plan(set(2, spec), [pod(0, readyFor: 5)])
        #expect(young.creations.isEmpty)
        #expect(young.after == .seconds(15))
        #expect(young.status["readyReplicas"] == 1)
        #expect(young.status["availableReplicas"] == 0)
        #expect(plan(set(2, spec), [pod(0, readyFor: 30)]).creations.count == 1)
    }

    @Test("status counts by revision, and the update ends when every pod is of it and ready")
    func status() {
        let half = plan(set(2), [pod(0), pod(1, "r2")], "r1", "r2")
        #expect(half.status["currentReplicas"] == 1 && half.status["updatedReplicas"] == 1)
        #expect(half.status["currentRevision"] == "r1" && half.status["updateRevision"] == "r2")
        let done = plan(set(2), [pod(0, "r2"), pod(1, "r2")], "r1", "r2")
        #expect(done.status["currentRevision"] == "r2" && done.status["currentReplicas"] == 2)
        let unready = plan(set(2), [pod(0, "r2"), pod(1, "r2", ready: false)], "r1", "r2")
        #expect(unready.status["currentRevision"] == "r1")
    }

    @Test("a pod has its name, labels, host name and claims")
    func identity() {
        let claim: JSONValue = ["metadata": ["name": "data"], "spec": ["accessModes": ["ReadWriteOnce"]]]
        var set = set(1, ["volumeClaimTemplates": [claim]])
        set.spec["template"]["spec"]["volumes"] = [
            ["name": "data", "emptyDir": [:]], ["name": "tmp", "emptyDir": [:]],
        ]
        let pod = StatefulPod.make(set, template: set.spec["template"], revision: "web-r", ordinal: 3)
        #expect(pod.name == "web-3")
        #expect(pod.metadata["generateName"].isNull)
        #expect(pod.labels["statefulset.kubernetes.io/pod-name"] == "web-3")
        #expect(pod.labels["apps.kubernetes.io/pod-index"] == "3")
        #expect(pod.labels["controller-revision-hash"] == "web-r")
        #expect(pod.spec["hostname"] == "web-3" && pod.spec["subdomain"] == "svc")
        let volumes = pod.spec["volumes"].elements
        #expect(volumes.map { $0["name"] } == ["tmp", "data"])
        #expect(volumes[1]["persistentVolumeClaim"]["claimName"] == "data-web-3")
        #expect(StatefulPod.claims(set, ordinal: 3).map(\.name) == ["data-web-3"])
        #expect(StatefulPod.claims(set, ordinal: 3).first?.labels == ["app": "web"])
        #expect(StatefulPod.ordinal(of: pod, set: set) == 3)
        for name in ["web-03", "web-x", "web-", "webs-1", "web--1"] {
            var other = pod
            other.name = name
            #expect(StatefulPod.ordinal(of: other, set: set) == nil)
        }
    }

    @Test(
        "who owns a claim",
        arguments: [
            ("Retain", "Retain", false, []), ("Retain", "Retain", true, []),
            ("Delete", "Retain", false, ["StatefulSet"]),
            ("Delete", "Retain", true, ["StatefulSet"]), ("Retain", "Delete", false, []),
            ("Retain", "Delete", true, ["Pod"]), ("Delete", "Delete", false, ["StatefulSet"]),
            ("Delete", "Delete", true, ["Pod"]),
        ])
    func claimOwners(whenDeleted: String, whenScaled: String, isCondemned: Bool, kinds: [String]) {
        let set = set(
            1,
            [
                "persistentVolumeClaimRetentionPolicy": [
                    "whenDeleted": .string(whenDeleted), "whenScaled": .string(whenScaled),
                ]
            ])
        let pod = KubeObject(pod(0).json)
        let other = OwnerReference(
            apiVersion: "v1", kind: "ConfigMap", name: "x", uid: "x", isController: false, blockOwnerDeletion: false)
        let present = [other, set.controllerReference]
        let owners = StatefulPod.claimOwners(present, set, pod: pod, isCondemned: isCondemned)
        #expect(owners.map(\.kind) == ["ConfigMap"] + kinds)
    }

    @Test("revisions are made, found again and renumbered, and old ones past the limit go")
    func history() throws {
        var owner = set(1)
        func history(_ revisions: [KubeObject]) -> RevisionHistory {
            RevisionHistory(owner, revisions: revisions, hashLabel: "hash", collisions: 0)
        }
        let first = history([]).update
        #expect(history([]).change == .create(first))
        #expect(first["revision"] == 1)
        #expect(first["data"]["spec"]["template"]["$patch"] == "replace")
        #expect(history([first]).change == .none)
        owner.spec["template"] = TestObjects.template(image: "y")
        let second = history([first]).update
        #expect(second["revision"] == 2 && second.name != first.name)
        #expect(RevisionHistory.template(of: second) == owner.spec["template"])
        owner.spec["template"] = TestObjects.template(image: "x")
        let back = history([second, first])
        #expect(back.update.name == first.name && back.update["revision"] == 3)
        #expect(back.change == .renumber(back.update))
        #expect(back.expired(limit: 0, inUse: []).map(\.name) == [second.name])
        #expect(back.expired(limit: 0, inUse: [second.name]).isEmpty)
        #expect(back.expired(limit: 1, inUse: []).isEmpty)
        let collided = RevisionHistory(owner, revisions: [], hashLabel: "hash", collisions: 1)
        #expect(collided.update.name != first.name)
    }
}
