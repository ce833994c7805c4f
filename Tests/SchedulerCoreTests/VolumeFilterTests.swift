// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import SchedulerCore
import Testing

@Suite struct VolumeFilterTests {
    private static let using = #"{"volumes":[{"name":"d","persistentVolumeClaim":{"claimName":"data"}}]}"#

    private static func claim(
        _ name: String = "data", storageClass: String? = "late", volume: String = "", selected: String = "",
        modes: JSONValue = ["ReadWriteOnce"], deleting: Bool = false, storage: String = "1Gi"
    ) -> ClaimInfo {
        var claim = KubeObject(.persistentVolumeClaims, namespace: "default", name: name)
        claim.metadata["uid"] = .string("uid-\(name)")
        if !volume.isEmpty { claim.annotations[VolumeAnnotations.bindCompleted] = "yes" }
        if !selected.isEmpty { claim.annotations[VolumeAnnotations.selectedNode] = selected }
        if deleting { claim.metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z" }
        claim.spec = [
            "accessModes": modes, "storageClassName": JSONValue(storageClass),
            "volumeName": volume.isEmpty ? nil : .string(volume),
            "resources": ["requests": ["storage": .string(storage)]],
        ]
        return ClaimInfo(claim)
    }

    private static func volume(_ name: String, node: String? = nil, storage: String = "1Gi") -> VolumeInfo {
        var volume = KubeObject(.persistentVolumes, name: name)
        volume.spec = [
            "accessModes": ["ReadWriteOnce"], "capacity": ["storage": .string(storage)], "storageClassName": "late",
        ]
        if let node {
            let requirement: JSONValue = ["key": "kubernetes.io/hostname", "operator": "In", "values": [.string(node)]]
            volume.spec["nodeAffinity"] = [
                "required": ["nodeSelectorTerms": [["matchExpressions": [requirement]]]]
            ]
        }
        volume.status = ["phase": "Available"]
        return VolumeInfo(volume)
    }

    private static func storageClass(
        _ name: String, provisioner: String = "example.com/disk", waits: Bool = true, zone: String? = nil
    ) -> StorageClassInfo {
        var storageClass = KubeObject(.storageClasses, name: name)
        storageClass["provisioner"] = .string(provisioner)
        storageClass["volumeBindingMode"] = waits ? "WaitForFirstConsumer" : "Immediate"
        if let zone {
            storageClass["allowedTopologies"] = [
                ["matchLabelExpressions": [["key": "zone", "values": [.string(zone)]]]]
            ]
        }
        return StorageClassInfo(storageClass)
    }

    private func cluster() throws -> ClusterState {
        var cluster = Fixture.cluster([
            try Fixture.node("n1", labels: ["zone": "a"]), try Fixture.node("n2", labels: ["zone": "b"]),
        ])
        cluster.volumes.set(Self.storageClass("late"))
        cluster.volumes.set(Self.storageClass("now", waits: false))
        cluster.volumes.set(Self.storageClass("manual", provisioner: "kubernetes.io/no-provisioner"))
        cluster.volumes.set(Self.storageClass("zonal", zone: "b"))
        return cluster
    }

    @Test func `pods without claims are not looked at`() throws {
        #expect(VolumeFilter(try Fixture.pod("p"), on: try cluster()) == nil)
    }

    @Test(arguments: [
        (nil, "0/2 nodes are available: persistentvolumeclaim \"data\" not found."),
        (claim(storageClass: "now"), "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."),
        (claim(storageClass: nil), "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims."),
        (claim(deleting: true), "0/2 nodes are available: persistentvolumeclaim \"data\" is being deleted."),
        (claim(volume: "gone"), "0/2 nodes are available: PersistentVolume \"gone\" not found."),
        (
            claim(storageClass: "manual"),
            "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind."
        ),
    ])
    func refusals(claim: ClaimInfo?, expected: String) throws {
        var cluster = try cluster()
        if let claim { cluster.volumes.set(claim) }
        let error = try #require(Fixture.error(try Fixture.pod("p", Self.using), cluster))
        #expect(error.description == expected)
        #expect(error.plugins == .volumeBinding)
        #expect(error.plugins.relevantEvents.contains(.volumeChanged))
    }

    @Test func `a bound claim's volume decides the node`() throws {
        var cluster = try cluster()
        cluster.volumes.set(Self.claim(volume: "v"))
        cluster.volumes.set(Self.volume("v", node: "n2"))
        let pod = try Fixture.pod("p", Self.using)
        #expect(Fixture.feasible(pod, cluster) == ["n2"])
        cluster.volumes.set(Self.volume("v", node: "n9"))
        #expect(
            Fixture.error(pod, cluster)?.description
                == "0/2 nodes are available: 2 node(s) didn't match PersistentVolume's node affinity.")
    }

    @Test func `volumes are made where the class allows it, and where a node was chosen before`() throws {
        var cluster = try cluster()
        let pod = try Fixture.pod("p", Self.using)
        cluster.volumes.set(Self.claim())
        #expect(Fixture.feasible(pod, cluster) == ["n1", "n2"])
        cluster.volumes.set(Self.claim(storageClass: "zonal"))
        #expect(Fixture.feasible(pod, cluster) == ["n2"])
        cluster.volumes.set(Self.claim(selected: "n1"))
        #expect(Fixture.feasible(pod, cluster) == ["n1"])
    }

    @Test func `free volumes come before made ones, and are given once`() throws {
        var cluster = try cluster()
        cluster.volumes.set(Self.claim())
        cluster.volumes.set(Self.claim("other"))
        cluster.volumes.set(Self.volume("big", node: "n1", storage: "9Gi"))
        cluster.volumes.set(Self.volume("small", node: "n1"))
        let node = try #require(cluster.node("n1")?.spec)
        let elsewhere = try #require(cluster.node("n2")?.spec)
        let first = try #require(VolumeFilter(try Fixture.pod("p", Self.using), on: cluster))
        let plan = try #require(first.plan(node))
        #expect(plan.bindings.map(\.volume) == ["small"])
        #expect(first.plan(elsewhere)?.provisions.map(\.name) == ["data"])
        cluster.volumes.take(plan)
        let second = Self.using.replacing("data", with: "other")
        let next = try #require(VolumeFilter(try Fixture.pod("q", second), on: cluster)?.plan(node))
        #expect(next.bindings.map(\.volume) == ["big"])
        cluster.volumes.release(plan)
        let again = try #require(VolumeFilter(try Fixture.pod("q", second), on: cluster)?.plan(node))
        #expect(again.bindings.map(\.volume) == ["small"])
    }

    @Test func `a claim of one pod only keeps a second pod off`() throws {
        var cluster = try cluster()
        cluster.volumes.set(Self.claim(volume: "v", modes: ["ReadWriteOncePod"]))
        cluster.volumes.set(Self.volume("v"))
        cluster.setPod(try Fixture.pod("p", Self.using, node: "n1"))
        let pod = try Fixture.pod("q", Self.using)
        #expect(Fixture.error(pod, cluster)?.description.contains("ReadWriteOncePod access mode") == true)
        cluster.removePod(ObjectKey(namespace: "default", name: "p"))
        #expect(Fixture.feasible(pod, cluster) == ["n1", "n2"])
    }
}
