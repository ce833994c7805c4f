// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Controllers

@Suite("Deployment history and status")
struct DeploymentTests {
    @Test("a template's hash is stable, ignores nulls and its own label, and differs by content and collisions")
    func hash() {
        let template = TestObjects.template(image: "v1")
        var labelled = TestObjects.template(image: "v1", hash: "abc")
        labelled["metadata"]["creationTimestamp"] = .null
        let hash = TemplateHash.hash(template)
        #expect(hash == TemplateHash.hash(labelled))
        #expect(TemplateHash.areEqual(template, labelled))
        #expect(hash != TemplateHash.hash(TestObjects.template(image: "v2")))
        #expect(hash != TemplateHash.hash(template, collisions: 1))
        #expect(hash.allSatisfy("bcdfghjklmnpqrstvwxz2456789".contains))
        // A change of the hash rolls every Deployment out again after an update of Apus.
        #expect(TemplateHash.encode("apus".utf8, length: 10) == TemplateHash.encode("apus".utf8, length: 10))
        #expect(hash.count == 10)
    }

    @Test("a rollback finds the old ReplicaSet and gives it the next revision")
    func rollback() {
        let sets = [
            TestObjects.replicaSet("one", replicas: 0, available: 0, revision: 1, age: 30, image: "v1"),
            TestObjects.replicaSet("two", replicas: 3, available: 3, revision: 2, age: 20, image: "v2"),
        ]
        let deployment = TestObjects.deployment(replicas: 3, image: "v1")
        let history = DeploymentHistory(deployment, replicaSets: sets)
        #expect(history.new?.name == "one")
        #expect(history.nextRevision == 3)
        let annotations = history.annotations(deployment, of: sets[0])
        #expect(annotations[DeploymentHistory.revision] == "3")
        #expect(annotations[DeploymentHistory.revisionHistory] == "1")
    }

    @Test("a new ReplicaSet carries the hash everywhere, the revision, and the Deployment's own annotations only")
    func newReplicaSet() throws {
        var deployment = TestObjects.deployment(replicas: 3, image: "v3", spec: ["minReadySeconds": 5])
        deployment.annotations = [
            "kubernetes.io/change-cause": "why", "kubectl.kubernetes.io/last-applied-configuration": "{}",
            DeploymentHistory.revision: "2",
        ]
        let old = TestObjects.replicaSet("two", replicas: 3, available: 3, revision: 2, age: 20, image: "v2")
        let set = DeploymentHistory(deployment, replicaSets: [old]).newReplicaSet(deployment)
        let hash = TemplateHash.hash(deployment.spec["template"])
        #expect(set.name == "web-\(hash)")
        #expect(set.labels == ["app": "web", "pod-template-hash": hash])
        #expect(set.spec["selector"]["matchLabels"].stringMembers == set.labels)
        #expect(set.spec["template"]["metadata"]["labels"].stringMembers == set.labels)
        #expect(set.annotations == ["kubernetes.io/change-cause": "why", DeploymentHistory.revision: "3"])
        #expect(set.spec["minReadySeconds"] == 5)
        #expect(set.controllerOwner?.uid == deployment.uid)
    }

    @Test("only ReplicaSets without pods leave the history, oldest revision first")
    func history() {
        let sets = [
            TestObjects.replicaSet("a", replicas: 0, available: 0, revision: 1, age: 50, image: "a"),
            TestObjects.replicaSet("b", replicas: 1, available: 1, revision: 2, age: 40, image: "b"),
            TestObjects.replicaSet("c", replicas: 0, available: 0, revision: 3, age: 30, image: "c"),
            TestObjects.replicaSet("v1", replicas: 3, available: 3, revision: 4, age: 20, image: "v1"),
        ]
        let history = DeploymentHistory(TestObjects.deployment(replicas: 3), replicaSets: sets)
        #expect(history.expired(limit: 1).map(\.name) == ["a"])
        #expect(history.expired(limit: 0).map(\.name) == ["a", "c"])
        #expect(history.expired(limit: 3).isEmpty)
    }

    private func condition(_ type: String, _ status: DeploymentStatus) -> [String] {
        let condition = Conditions.find(type, in: status.status)
        return [condition["status"].string ?? "", condition["reason"].string ?? ""]
    }

    @Test("conditions follow a rollout: created, updated, available, and stalled past its deadline")
    func conditions() {
        var deployment = TestObjects.deployment(replicas: 2, spec: ["progressDeadlineSeconds": 10])
        var set = TestObjects.replicaSet("v1", replicas: 2, available: 0, revision: 1, age: 1)
        var status = DeploymentStatus(deployment, now: TestObjects.start)
        set.status = [:]
        status.noteVersion("web-1", isNew: true)
        status.count(new: set, all: [set])
        status.judgeProgress(new: set, all: [set])
        #expect(condition("Progressing", status) == ["True", "NewReplicaSetCreated"])
        #expect(condition("Available", status) == ["False", "MinimumReplicasUnavailable"])

        deployment.status = status.status
        set.status = ["replicas": 2]
        status = DeploymentStatus(deployment, now: TestObjects.start + .seconds(1))
        status.count(new: set, all: [set])
        status.judgeProgress(new: set, all: [set])
        #expect(condition("Progressing", status) == ["True", "ReplicaSetUpdated"])
        #expect(status.untilDeadline == .seconds(11))

        deployment.status = status.status
        var late = DeploymentStatus(deployment, now: TestObjects.start + .seconds(12))
        late.count(new: set, all: [set])
        late.judgeProgress(new: set, all: [set])
        #expect(condition("Progressing", late) == ["False", "ProgressDeadlineExceeded"])

        set.status = ["replicas": 2, "readyReplicas": 2, "availableReplicas": 2]
        status = DeploymentStatus(deployment, now: TestObjects.start + .seconds(2))
        status.count(new: set, all: [set])
        status.judgeProgress(new: set, all: [set])
        #expect(condition("Progressing", status) == ["True", "NewReplicaSetAvailable"])
        #expect(condition("Available", status) == ["True", "MinimumReplicasAvailable"])
        #expect(status.isComplete)
        #expect(status.untilDeadline == nil)
        #expect(status.status["unavailableReplicas"].isNull)

        deployment.status = status.status
        var again = DeploymentStatus(deployment, now: TestObjects.start + .seconds(60))
        again.count(new: set, all: [set])
        again.judgeProgress(new: set, all: [set])
        #expect(again.status == deployment.status, "nothing changed, so nothing may be written")
    }

    @Test("pausing and resuming are told")
    func pause() {
        var deployment = TestObjects.deployment(replicas: 1, spec: ["paused": true])
        var status = DeploymentStatus(deployment, now: TestObjects.start)
        status.notePause()
        #expect(condition("Progressing", status) == ["Unknown", "DeploymentPaused"])
        deployment.status = status.status
        deployment.spec["paused"] = false
        status = DeploymentStatus(deployment, now: TestObjects.start)
        status.notePause()
        #expect(condition("Progressing", status) == ["Unknown", "DeploymentResumed"])
    }
}
