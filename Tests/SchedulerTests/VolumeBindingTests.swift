// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient
import Testing

@Suite("The scheduler has volumes made before it binds")
struct VolumeBindingTests {
    private static let volumes: JSONValue = [["name": "d", "persistentVolumeClaim": ["claimName": "data"]]]

    private static func prepare(_ cluster: SchedulerCluster) async throws -> KubeObject {
        try await cluster.addNode("n1")
        var storageClass = KubeObject(.storageClasses, name: "late")
        storageClass["provisioner"] = "example.com/disk"
        storageClass["volumeBindingMode"] = "WaitForFirstConsumer"
        _ = try await cluster.client.create(.storageClasses, storageClass)
        var claim = KubeObject(.persistentVolumeClaims, namespace: "default", name: "data")
        claim.spec = [
            "accessModes": ["ReadWriteOnce"], "storageClassName": "late",
            "resources": ["requests": ["storage": "1Gi"]],
        ]
        return try await cluster.client.create(.persistentVolumeClaims, claim)
    }

    @Test("a node is chosen and told, and the pod is bound once the claim is")
    func provisions() async throws {
        try await SchedulerCluster.run { cluster in
            let created = try await Self.prepare(cluster)
            try await cluster.scheduling {
                try await cluster.addPod("p", ["volumes": Self.volumes])
                let claims = try await cluster.wait(.persistentVolumeClaims) { claims in
                    claims.contains { $0.annotations["volume.kubernetes.io/selected-node"] == "n1" }
                }
                #expect(try await cluster.client.get(.pods, cluster.key("p")).nodeName == nil)
                // What the provisioner and the binder do.
                var volume = KubeObject(.persistentVolumes, name: "v")
                volume.spec = [
                    "accessModes": ["ReadWriteOnce"], "capacity": ["storage": "1Gi"], "storageClassName": "late",
                    "hostPath": ["path": "/x"], "claimRef": created.objectReference,
                ]
                _ = try await cluster.client.create(.persistentVolumes, volume)
                var claim = try #require(claims.first)
                claim.spec["volumeName"] = "v"
                claim.annotations["pv.kubernetes.io/bind-completed"] = "yes"
                _ = try await cluster.client.update(.persistentVolumeClaims, claim)
                #expect(try await cluster.node(of: "p") == "n1")
            }
        }
    }

    @Test("when the volume cannot be made there, the pod is told and tried again")
    func givesUp() async throws {
        try await SchedulerCluster.run { cluster in
            _ = try await Self.prepare(cluster)
            try await cluster.scheduling {
                try await cluster.addPod("p", ["volumes": Self.volumes])
                func isChosen(_ claims: [KubeObject]) -> Bool {
                    claims.contains { $0.annotations["volume.kubernetes.io/selected-node"] == "n1" }
                }
                try await cluster.wait(.persistentVolumeClaims, until: isChosen)
                let annotations: JSONValue = .object(["volume.kubernetes.io/selected-node": .null])
                _ = try await cluster.client.patch(
                    .persistentVolumeClaims, cluster.key("data"), .merge,
                    .object(["metadata": .object(["annotations": annotations])]))
                let event = try await cluster.event("FailedScheduling", about: "p")
                #expect(event["message"].string?.contains("no volume could be made") == true)
                try await cluster.wait(.persistentVolumeClaims, until: isChosen)
            }
        }
    }

    @Test("a free volume is given to the claim")
    func gives() async throws {
        try await SchedulerCluster.run { cluster in
            _ = try await Self.prepare(cluster)
            var volume = KubeObject(.persistentVolumes, name: "v")
            volume.spec = [
                "accessModes": ["ReadWriteOnce"], "capacity": ["storage": "2Gi"], "storageClassName": "late",
                "hostPath": ["path": "/x"],
            ]
            volume = try await cluster.client.create(.persistentVolumes, volume)
            volume.status["phase"] = "Available"
            _ = try await cluster.client.updateStatus(.persistentVolumes, volume)
            try await cluster.scheduling {
                try await cluster.addPod("p", ["volumes": Self.volumes])
                let given = try await cluster.wait(.persistentVolumes, namespace: "") { volumes in
                    volumes.contains { $0.spec["claimRef"]["name"] == "data" }
                }
                #expect(given.first?.annotations["pv.kubernetes.io/bound-by-controller"] == "yes")
                #expect(given.first?.spec["claimRef"]["uid"].string?.isEmpty == false)
            }
        }
    }
}
