// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import Controllers

/// Claims and volumes for tests.
enum VolumeObjects {
    static func claim(
        _ name: String = "data", uid: String = "u1", storage: String = "1Gi", storageClass: String? = nil,
        volume: String = "", annotations: [String: String] = [:], phase: String = "Pending",
        modes: JSONValue = ["ReadWriteOnce"], selector: JSONValue = nil
    ) -> KubeObject {
        var claim = KubeObject(.persistentVolumeClaims, namespace: "default", name: name)
        claim.metadata["uid"] = .string(uid)
        claim.annotations = annotations
        claim.spec = [
            "accessModes": modes, "resources": ["requests": ["storage": .string(storage)]],
            "storageClassName": JSONValue(storageClass), "volumeName": volume.isEmpty ? nil : .string(volume),
            "selector": selector,
        ]
        claim.status = ["phase": .string(phase)]
        return claim
    }

    static func volume(
        _ name: String, storage: String = "1Gi", storageClass: String = "", phase: String = "Available",
        claim: JSONValue = nil, policy: String = "Retain", annotations: [String: String] = [:],
        modes: JSONValue = ["ReadWriteOnce"], labels: [String: String] = [:], mode: String = "Filesystem"
    ) -> KubeObject {
        var volume = KubeObject(.persistentVolumes, name: name)
        volume.metadata["uid"] = .string("uid-\(name)")
        volume.annotations = annotations
        volume.labels = labels
        volume.spec = [
            "accessModes": modes, "capacity": ["storage": .string(storage)], "hostPath": ["path": "/tmp/x"],
            "storageClassName": .string(storageClass), "claimRef": claim,
            "persistentVolumeReclaimPolicy": .string(policy), "volumeMode": .string(mode),
        ]
        volume.status = ["phase": .string(phase)]
        return volume
    }

    static func reference(uid: String? = "u1", name: String = "data") -> JSONValue {
        ["namespace": "default", "name": .string(name), "uid": JSONValue(uid)]
    }

    static func storageClass(
        _ name: String, provisioner: String = "example.com/disk", waits: Bool = false, isDefault: Bool = false
    ) -> KubeObject {
        var storageClass = KubeObject(.storageClasses, name: name)
        storageClass["provisioner"] = .string(provisioner)
        storageClass["volumeBindingMode"] = waits ? "WaitForFirstConsumer" : "Immediate"
        if isDefault { storageClass.annotations = ["storageclass.kubernetes.io/is-default-class": "true"] }
        return storageClass
    }
}

@Suite struct VolumeDecisionTests {
    typealias Around = ClaimDecision.Surroundings
    private static let bound = ["pv.kubernetes.io/bind-completed": "yes"]
    private static let lateClasses = [VolumeObjects.storageClass("late", waits: true)]

    private func reason(_ decision: ClaimDecision) -> String {
        switch decision {
        case .pend(let note): "pend \(note?.reason ?? "-")"
        case .bind(let name): "bind \(name)"
        case .lose(let note): "lose \(note.reason)"
        case .provision(let by, _): "provision \(by)"
        case .setClass(let name): "class \(name)"
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var claim: KubeObject
        var around: Around
        var expected: String

        init(_ name: String, _ claim: KubeObject, _ around: Around, _ expected: String) {
            testDescription = name
            self.claim = claim
            self.around = around
            self.expected = expected
        }
    }

    private typealias V = VolumeObjects

    @Test(arguments: [
        Case("nothing there", V.claim(), Around(), "pend FailedBinding"),
        Case("no class wanted, nothing there", V.claim(storageClass: ""), Around(), "pend FailedBinding"),
        Case("a free volume", V.claim(), Around(candidates: [V.volume("a")]), "bind a"),
        Case(
            "the smallest that is large enough", V.claim(storage: "2Gi"),
            Around(candidates: [
                V.volume("s", storage: "1Gi"), V.volume("l", storage: "8Gi"), V.volume("m", storage: "4Gi"),
            ]), "bind m"),
        Case(
            "the fewest access modes", V.claim(),
            Around(candidates: [
                V.volume("many", storage: "1Gi", modes: ["ReadWriteOnce", "ReadWriteMany"]),
                V.volume("one", storage: "4Gi"),
            ]), "bind one"),
        Case(
            "too small, wrong mode, wrong class, not available: none", V.claim(storage: "2Gi"),
            Around(candidates: [
                V.volume("small"), V.volume("block", storage: "2Gi", mode: "Block"),
                V.volume("class", storage: "2Gi", storageClass: "x"),
                V.volume("released", storage: "2Gi", phase: "Released"),
            ]), "pend FailedBinding"),
        Case(
            "a selector", V.claim(selector: ["matchLabels": ["tier": "fast"]]),
            Around(candidates: [V.volume("a"), V.volume("b", labels: ["tier": "fast"])]), "bind b"),
        Case(
            "a volume made for the claim comes first", V.claim(),
            Around(candidates: [
                V.volume("small"), V.volume("own", storage: "8Gi", claim: V.reference(uid: nil)),
            ]), "bind own"),
        Case(
            "a volume for an earlier claim of that name", V.claim(),
            Around(candidates: [V.volume("old", claim: V.reference(uid: "u0"))]), "pend FailedBinding"),
        Case("default class comes late", V.claim(), Around(classes: [V.storageClass("d", isDefault: true)]), "class d"),
        Case(
            "dynamic", V.claim(storageClass: "disk"), Around(classes: [V.storageClass("disk")]),
            "provision example.com/disk"),
        Case("no such class", V.claim(storageClass: "disk"), Around(), "pend ProvisioningFailed"),
        Case(
            "no provisioner", V.claim(storageClass: "disk"),
            Around(classes: [V.storageClass("disk", provisioner: "kubernetes.io/no-provisioner")]),
            "pend ProvisioningFailed"),
        Case(
            "waits for a pod", V.claim(storageClass: "late"),
            Around(candidates: [V.volume("a", storageClass: "late")], classes: lateClasses),
            "pend WaitForFirstConsumer"),
        Case(
            "waits for the pod to be scheduled", V.claim(storageClass: "late"),
            Around(classes: lateClasses, waitingPod: "p"), "pend WaitForPodScheduled"),
        Case(
            "does not wait for its own volume", V.claim(storageClass: "late"),
            Around(
                candidates: [V.volume("own", storageClass: "late", claim: V.reference())],
                classes: lateClasses),
            "bind own"),
        Case(
            "a node is chosen",
            V.claim(storageClass: "late", annotations: ["volume.kubernetes.io/selected-node": "n1"]),
            Around(classes: lateClasses), "provision example.com/disk"),
        Case("names a volume that is not there yet", V.claim(volume: "v"), Around(), "pend -"),
        Case("names a free volume", V.claim(volume: "v"), Around(named: V.volume("v")), "bind v"),
        Case(
            "names a volume that is too small", V.claim(storage: "2Gi", volume: "v"), Around(named: V.volume("v")),
            "pend VolumeMismatch"),
        Case(
            "names a volume of another class", V.claim(storageClass: "a", volume: "v"),
            Around(named: V.volume("v", storageClass: "b")), "pend VolumeMismatch"),
        Case(
            "names a volume of another claim", V.claim(volume: "v"),
            Around(named: V.volume("v", claim: V.reference(uid: "u9", name: "other"))), "pend FailedBinding"),
        Case(
            "bound", V.claim(volume: "v", annotations: bound), Around(named: V.volume("v", claim: V.reference())),
            "bind v"),
        Case("bound to nothing", V.claim(annotations: bound), Around(), "lose ClaimLost"),
        Case("its volume is gone", V.claim(volume: "v", annotations: bound), Around(), "lose ClaimLost"),
        Case(
            "its volume is another's", V.claim(volume: "v", annotations: bound),
            Around(named: V.volume("v", claim: V.reference(uid: "u2"))), "lose ClaimMisbound"),
        Case("bound by an earlier version", V.claim(volume: "pvc-u1", annotations: bound), Around(), "pend -"),
    ])
    func claims(example: Case) {
        #expect(reason(ClaimDecision.decide(example.claim, example.around)) == example.expected)
    }

    @Test func volumes() {
        let made = [VolumeAnnotations.provisionedBy: "example.com/disk"]
        let other = V.claim(volume: "other")
        #expect(VolumeDecision.decide(V.volume("v"), claim: nil) == .phase("Available"))
        #expect(VolumeDecision.decide(V.volume("v", claim: V.reference(uid: nil)), claim: nil) == .phase("Available"))
        #expect(VolumeDecision.decide(V.volume("v", claim: V.reference()), claim: V.claim()) == .wait)
        #expect(
            VolumeDecision.decide(V.volume("v", claim: V.reference()), claim: V.claim(volume: "v")) == .phase("Bound"))
        #expect(VolumeDecision.decide(V.volume("v", claim: V.reference()), claim: nil) == .phase("Released"))
        #expect(
            VolumeDecision.decide(V.volume("v", claim: V.reference()), claim: V.claim(uid: "u2", volume: "v"))
                == .phase("Released"))
        #expect(VolumeDecision.decide(V.volume("v", claim: V.reference()), claim: other) == .unbind)
        #expect(
            VolumeDecision.decide(
                V.volume("v", claim: V.reference(), policy: "Delete", annotations: made), claim: other)
                == .phase("Released"))
        #expect(
            VolumeDecision.decide(
                V.volume("v", claim: V.reference(), policy: "Delete", annotations: made), claim: nil)
                == .phase("Released"))
        guard
            case .phase("Failed", _, .some(let note)) = VolumeDecision.decide(
                V.volume("v", claim: V.reference(), policy: "Delete"), claim: nil)
        else {
            Issue.record("a volume that nothing can delete has to fail")
            return
        }
        #expect(note.reason == "VolumeFailedDelete")
        guard
            case .phase("Failed", "No recycler plugin found for the volume!", _) = VolumeDecision.decide(
                V.volume("v", claim: V.reference(), policy: "Recycle"), claim: nil)
        else {
            Issue.record("a volume that nothing can recycle has to fail")
            return
        }
    }

    @Test func unbinding() {
        let mine = VolumeDecision.unbound(
            V.volume("v", claim: V.reference(), annotations: [VolumeAnnotations.boundByController: "yes"]))
        #expect(mine.spec["claimRef"].isNull)
        #expect(mine.annotations.isEmpty)
        let users = VolumeDecision.unbound(V.volume("v", claim: V.reference()))
        #expect(users.spec["claimRef"]["name"] == "data")
        #expect(users.spec["claimRef"]["uid"].isNull)
    }

    @Test func ephemeralClaims() throws {
        var pod = TestObjects.pod("web")
        let volume: JSONValue = [
            "name": "scratch",
            "ephemeral": [
                "volumeClaimTemplate": [
                    "metadata": ["labels": ["a": "b"]],
                    "spec": ["accessModes": ["ReadWriteOnce"], "storageClassName": "disk"],
                ]
            ],
        ]
        pod.spec["volumes"] = [volume]
        let claim = try #require(EphemeralClaims.claim(of: volume, pod))
        #expect(claim.name == "web-scratch")
        #expect(claim.labels == ["a": "b"])
        #expect(claim.controllerOwner?.uid == pod.uid)
        #expect(claim.spec["storageClassName"] == "disk")
        #expect(VolumeIndexes.claims(of: pod) == [claim.key])
    }
}
