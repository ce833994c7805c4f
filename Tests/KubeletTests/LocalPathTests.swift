// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import KubeAPI
import KubeClient
import Testing

@testable import Kubelet

/// Volumes in the node's data folder, without a binder: what the provisioner alone does.
@Suite(.serialized) struct LocalPathTests {
    private static func claim(
        _ name: String, annotations: [String: String] = [:], spec: [String: JSONValue] = [:]
    ) -> KubeObject {
        var claim = KubeObject(.persistentVolumeClaims, namespace: "default", name: name)
        claim.annotations = annotations
        claim.spec = [
            "accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]],
            "storageClassName": "local",
        ]
        for (key, value) in spec { claim.spec[key] = value }
        return claim
    }

    private static func addClass(_ node: TestNode, policy: String = "Delete", mode: String) async throws {
        var storageClass = KubeObject(.storageClasses, name: "local")
        storageClass["provisioner"] = .string(VolumeAnnotations.localPath)
        storageClass["reclaimPolicy"] = .string(policy)
        storageClass["volumeBindingMode"] = .string(mode)
        _ = try await node.client.create(.storageClasses, storageClass)
    }

    private static let asked = [VolumeAnnotations.provisioner: VolumeAnnotations.localPath]

    @Test func `makes a folder and a volume for the node that was chosen, and removes both`() async throws {
        try await TestNode.run { node in
            try await Self.addClass(node, mode: "WaitForFirstConsumer")
            let chosen = Self.asked.merging([VolumeAnnotations.selectedNode: "node"]) { $1 }
            let other = Self.asked.merging([VolumeAnnotations.selectedNode: "elsewhere"]) { $1 }
            let claim = try await node.client.create(.persistentVolumeClaims, Self.claim("a", annotations: chosen))
            let theirs = try await node.client.create(.persistentVolumeClaims, Self.claim("b", annotations: other))
            let waiting = try await node.client.create(
                .persistentVolumeClaims, Self.claim("c", annotations: Self.asked))
            try await node.whileAgentRuns {
                let made = try await node.wait(.persistentVolumes, "pvc-\(claim.uid)") { _ in true }
                let volume = try #require(made)
                let path = try #require(volume.spec["local"]["path"].string)
                #expect(FileManager.default.fileExists(atPath: path))
                #expect(volume.spec["claimRef"]["uid"].string == claim.uid)
                #expect(volume.spec["persistentVolumeReclaimPolicy"] == "Delete")
                #expect(volume.annotations["pv.kubernetes.io/provisioned-by"] == "apus.dev/local-path")
                let names = try await node.client.list(.persistentVolumes).items.map(\.name)
                #expect(!names.contains("pvc-\(theirs.uid)") && !names.contains("pvc-\(waiting.uid)"))
                var released = volume
                released.status["phase"] = "Released"
                released = try await node.client.updateStatus(.persistentVolumes, released)
                // The protection's part: it holds the object until it is deleted.
                let gone = try await node.wait(.persistentVolumes, volume.name) { $0.isBeingDeleted }
                #expect(gone != nil)
                #expect(!FileManager.default.fileExists(atPath: path))
            }
        }
    }

    @Test func `takes claims that wait for nobody, and says what it cannot make`() async throws {
        try await TestNode.run { node in
            try await Self.addClass(node, policy: "Retain", mode: "Immediate")
            let claim = try await node.client.create(
                .persistentVolumeClaims, Self.claim("a", annotations: Self.asked))
            _ = try await node.client.create(
                .persistentVolumeClaims, Self.claim("raw", annotations: Self.asked, spec: ["volumeMode": "Block"]))
            try await node.whileAgentRuns {
                let volume = try await node.wait(.persistentVolumes, "pvc-\(claim.uid)") { _ in true }
                #expect(volume?.spec["persistentVolumeReclaimPolicy"] == "Retain")
                let selection = KubeClient.Selection(fields: "reason=ProvisioningFailed")
                try await node.wait(.events, selection) { _ in true }
            }
        }
    }

    @Test func `makes a volume of a claim that an earlier version bound to a folder`() async throws {
        try await TestNode.run { node in
            var claim = Self.claim("old", annotations: [VolumeAnnotations.bindCompleted: "yes"])
            claim.spec["storageClassName"] = .null
            claim = try await node.client.create(.persistentVolumeClaims, claim)
            claim = try await node.client.patch(
                .persistentVolumeClaims, claim.key, .merge, ["spec": ["volumeName": .string("pvc-\(claim.uid)")]])
            claim.status = ["phase": "Bound", "capacity": ["storage": "1Gi"]]
            claim = try await node.client.updateStatus(.persistentVolumeClaims, claim)
            let folder = PodDirectory.claim(root: node.root, uid: claim.uid)
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try Data("kept".utf8).write(to: URL(filePath: folder + "/file"))
            let uid = claim.uid
            try await node.whileAgentRuns {
                let volume = try await node.wait(.persistentVolumes, "pvc-\(uid)") { _ in true }
                #expect(volume?.spec["local"]["path"].string == folder)
                try await node.wait(.persistentVolumeClaims, "old") {
                    $0.annotations[VolumeAnnotations.provisioner] == VolumeAnnotations.localPath
                }
                #expect(FileManager.default.contents(atPath: folder + "/file") == Data("kept".utf8))
            }
        }
    }

    @Test func `only folders of volumes are its own`() {
        func folder(_ path: String) -> String? {
            var volume = KubeObject(.persistentVolumes, name: "v")
            volume.spec = ["local": ["path": .string(path)]]
            return LocalPath.folder(volume, root: "/new")
        }
        #expect(folder("/old/node/volumes/u1") == "/new/volumes/u1")
        #expect(folder("/old/node/volumes/..") == nil)
        #expect(folder("/old/node/volumes/") == nil)
        #expect(folder("/etc/passwd") == nil)
        #expect(folder("volumes") == nil)
    }
}
