// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient
import Testing

@testable import Controllers

@Suite("Claims and volumes on a real API server")
struct VolumeClusterTests {
    private func claim(_ name: String, storage: String = "1Gi", storageClass: String? = "") -> KubeObject {
        var claim = KubeObject(.persistentVolumeClaims, namespace: "default", name: name)
        claim.spec = [
            "accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": .string(storage)]],
            "storageClassName": JSONValue(storageClass),
        ]
        return claim
    }

    private func volume(_ name: String, storage: String = "1Gi") -> KubeObject {
        var volume = KubeObject(.persistentVolumes, name: name)
        volume.spec = [
            "accessModes": ["ReadWriteOnce"], "capacity": ["storage": .string(storage)],
            "hostPath": ["path": "/tmp/none"],
        ]
        return volume
    }

    @Test("a claim gets the free volume that fits; a released one stays, and is not given again")
    func staticBinding() async throws {
        try await TestCluster.run { cluster in
            _ = try await cluster.client.create(.persistentVolumes, volume("small"))
            _ = try await cluster.client.create(.persistentVolumes, volume("large", storage: "10Gi"))
            _ = try await cluster.client.create(.persistentVolumeClaims, claim("data", storage: "5Gi"))
            let bound = try await cluster.wait(.persistentVolumeClaims, "data") { $0.status["phase"] == "Bound" }
            #expect(bound.spec["volumeName"] == "large")
            #expect(bound.status["capacity"]["storage"] == "10Gi")
            #expect(bound.annotations["pv.kubernetes.io/bind-completed"] == "yes")
            #expect(bound.annotations["pv.kubernetes.io/bound-by-controller"] == "yes")
            #expect(bound.finalizers == ["kubernetes.io/pvc-protection"])
            let held = try await cluster.wait(.persistentVolumes, "large") { $0.status["phase"] == "Bound" }
            #expect(held.spec["claimRef"]["uid"].string == bound.uid)
            #expect(held.finalizers == ["kubernetes.io/pv-protection"])
            try await cluster.client.delete(.persistentVolumeClaims, bound.key)
            try await cluster.wait(.persistentVolumes, "large") { $0.status["phase"] == "Released" }
            _ = try await cluster.client.create(.persistentVolumeClaims, claim("more", storage: "5Gi"))
            _ = try await cluster.client.create(.persistentVolumes, volume("new", storage: "6Gi"))
            let second = try await cluster.wait(.persistentVolumeClaims, "more") { $0.status["phase"] == "Bound" }
            #expect(second.spec["volumeName"] == "new")
        }
    }

    @Test("two claims never get one volume, and each gets one as soon as there is one")
    func races() async throws {
        try await TestCluster.run { cluster in
            for index in 0..<6 { _ = try await cluster.client.create(.persistentVolumeClaims, claim("c\(index)")) }
            for index in 0..<6 { _ = try await cluster.client.create(.persistentVolumes, volume("v\(index)")) }
            let claims = try await cluster.wait(.persistentVolumeClaims) { claims in
                claims.count == 6 && claims.allSatisfy { $0.status["phase"] == "Bound" }
            }
            #expect(Set(claims.compactMap { $0.spec["volumeName"].string }).count == 6)
        }
    }

    @Test("a claim that a pod uses stays until the pod is gone; a bound volume until its claim is")
    func protection() async throws {
        try await TestCluster.run { cluster in
            _ = try await cluster.client.create(.persistentVolumes, volume("v"))
            _ = try await cluster.client.create(.persistentVolumeClaims, claim("data"))
            try await cluster.wait(.persistentVolumeClaims, "data") { $0.status["phase"] == "Bound" }
            var pod = KubeObject(.pods, namespace: "default", name: "p")
            pod.spec = [
                "nodeName": "n1", "containers": [["name": "c", "image": "x"]],
                "volumes": [["name": "d", "persistentVolumeClaim": ["claimName": "data"]]],
            ]
            _ = try await cluster.client.create(.pods, pod)
            try await cluster.client.delete(.persistentVolumes, ObjectKey(namespace: "", name: "v"))
            try await cluster.client.delete(.persistentVolumeClaims, cluster.key("data"))
            try await cluster.wait(.persistentVolumeClaims, "data") { $0.isBeingDeleted }
            // What the protection controllers saw before this pod was gone has not removed anything.
            try await cluster.client.delete(.pods, cluster.key("p"), .init(gracePeriodSeconds: 0))
            try await cluster.wait(.persistentVolumeClaims) { $0.isEmpty }
            try await cluster.wait(.persistentVolumes, namespace: "") { $0.isEmpty }
        }
    }

    @Test("a claim without a class gets the default class when there is one, and asks its provisioner")
    func provisioning() async throws {
        try await TestCluster.run { cluster in
            _ = try await cluster.client.create(.persistentVolumeClaims, claim("early", storageClass: nil))
            _ = try await cluster.client.create(
                .storageClasses, VolumeObjects.storageClass("disk", isDefault: true))
            let early = try await cluster.wait(.persistentVolumeClaims, "early") {
                $0.annotations["volume.kubernetes.io/storage-provisioner"] != nil
            }
            #expect(early.spec["storageClassName"] == "disk")
            #expect(early.annotations["volume.kubernetes.io/storage-provisioner"] == "example.com/disk")
            let late = try await cluster.client.create(.persistentVolumeClaims, claim("late", storageClass: nil))
            #expect(late.spec["storageClassName"] == "disk")
            // The provisioner's part.
            var made = volume("pvc-\(early.uid)")
            made.annotations = [VolumeAnnotations.provisionedBy: "example.com/disk"]
            made.spec["claimRef"] = early.objectReference
            made.spec["storageClassName"] = "disk"
            made.spec["persistentVolumeReclaimPolicy"] = "Delete"
            _ = try await cluster.client.create(.persistentVolumes, made)
            let bound = try await cluster.wait(.persistentVolumeClaims, "early") { $0.status["phase"] == "Bound" }
            #expect(bound.spec["volumeName"].string == made.name)
            try await cluster.client.delete(.persistentVolumeClaims, bound.key)
            try await cluster.wait(.persistentVolumes, made.name) { $0.status["phase"] == "Released" }
        }
    }

    @Test("a claim whose volume was taken away is lost")
    func lost() async throws {
        try await TestCluster.run { cluster in
            _ = try await cluster.client.create(.persistentVolumes, volume("v"))
            _ = try await cluster.client.create(.persistentVolumeClaims, claim("data"))
            try await cluster.wait(.persistentVolumeClaims, "data") { $0.status["phase"] == "Bound" }
            let key = ObjectKey(namespace: "", name: "v")
            try await cluster.client.delete(.persistentVolumes, key)
            _ = try await cluster.client.patch(
                .persistentVolumes, key, .merge, .object(["metadata": .object(["finalizers": .null])]))
            try await cluster.wait(.persistentVolumeClaims, "data") { $0.status["phase"] == "Lost" }
        }
    }
}
