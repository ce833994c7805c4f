// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import FoundationEssentials
package import KubeAPI
package import KubeClient
package import Logging
import NIOPosix

/// Makes and removes the volumes of storage classes with the provisioner `apus.dev/local-path` that lie on this node:
/// folders `volumes/CLAIM-UID` in its data folder, as PersistentVolumes that only this node can use.
///
/// It runs on every node and does what concerns its own, as external provisioners with `--node-deployment` do. Nothing
/// enforces a volume's capacity: a folder takes what its file system has.
package struct LocalPathVolumes: Sendable {
    private let claims: Informer
    private let volumes: Informer
    private let classes: Informer
    private let node: Informer
    private let controllers: [Controller]

    /// - Parameters:
    ///   - client: reads claims and classes, writes volumes.
    ///   - nodeName: the node whose folders are meant.
    ///   - root: the node agent's folder.
    ///   - logger: told of failures.
    package init(client: KubeClient, nodeName: String, root: String, logger: Logger) {
        let claims = Informer(.persistentVolumeClaims, client: client, logger: logger)
        let volumes = Informer(.persistentVolumes, client: client, logger: logger)
        let classes = Informer(.storageClasses, client: client, logger: logger)
        let node = Informer(
            .nodes, client: client, selection: .init(fields: "metadata.name=\(nodeName)"), logger: logger)
        self.claims = claims
        self.volumes = volumes
        self.classes = classes
        self.node = node
        let events = EventRecorder(client: client, component: LocalPath.eventSource(nodeName), host: nodeName)
        let maker = LocalPathMaker(
            client: client, nodeName: nodeName, root: root, claims: claims, volumes: volumes, classes: classes,
            node: node, events: events)
        let remover = LocalPathRemover(
            client: client, nodeName: nodeName, root: root, volumes: volumes, node: node, events: events)
        controllers = [
            Controller(
                name: "local-path-maker",
                sources: [
                    .objects(of: claims),
                    Controller.Source(classes) { storageClass in
                        claims.list().filter {
                            $0.spec["volumeName"].isNull
                                && VolumeAnnotations.storageClass(of: $0) == storageClass.object.name
                        }.map(\.key)
                    },
                ], reconciler: maker, logger: logger),
            Controller(
                name: "local-path-remover", sources: [.objects(of: volumes)], reconciler: remover, logger: logger),
        ]
    }

    /// Works until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for informer in [claims, volumes, classes, node] { group.addTask { await informer.run() } }
            await node.waitUntilSynced()
            await classes.waitUntilSynced()
            await volumes.waitUntilSynced()
            for controller in controllers { group.addTask { await controller.run() } }
        }
    }
}

/// What volumes of local paths look like. Pure.
package enum LocalPath {
    static func eventSource(_ node: String) -> String { "\(VolumeAnnotations.localPath)_\(node)" }

    /// What a claim wants that a folder cannot give; nil when nothing.
    package static func refusal(_ claim: KubeObject) -> String? {
        let spec = claim.spec
        if !spec["selector"].isNull { return "claim.Spec.Selector is not supported" }
        if spec["volumeMode"].string == "Block" { return "block volumes are not supported, only Filesystem" }
        if !spec["dataSource"].isNull || !spec["dataSourceRef"].isNull { return "data sources are not supported" }
        return nil
    }

    /// The volume of a claim.
    /// - Parameters:
    ///   - claim: whose volume it is.
    ///   - path: its folder.
    ///   - hostname: value of the label `kubernetes.io/hostname` of its node.
    ///   - storageClass: of the claim; nil when it has none.
    /// - Returns: the volume as it is to be created.
    package static func volume(
        for claim: KubeObject, path: String, hostname: String, storageClass: KubeObject?
    ) -> KubeObject {
        var volume = KubeObject(.persistentVolumes, name: "pvc-\(claim.uid)")
        volume.annotations = [VolumeAnnotations.provisionedBy: VolumeAnnotations.localPath]
        let requirement: JSONValue = [
            "key": "kubernetes.io/hostname", "operator": "In", "values": [.string(hostname)],
        ]
        let term: JSONValue = ["matchExpressions": [requirement]]
        volume.spec = [
            "capacity": ["storage": claim.spec["resources"]["requests"]["storage"]],
            "accessModes": claim.spec["accessModes"],
            "persistentVolumeReclaimPolicy": storageClass?["reclaimPolicy"] ?? "Delete",
            "storageClassName": JSONValue(VolumeAnnotations.storageClass(of: claim)),
            "volumeMode": "Filesystem",
            "claimRef": claim.objectReference,
            "local": ["path": .string(path)],
            "nodeAffinity": ["required": ["nodeSelectorTerms": [term]]],
        ]
        return volume
    }

    /// Whether a volume was made here.
    static func isLocal(_ volume: KubeObject, hostname: String) -> Bool {
        guard volume.annotations[VolumeAnnotations.provisionedBy] == VolumeAnnotations.localPath else { return false }
        let terms = volume.spec["nodeAffinity"]["required"]["nodeSelectorTerms"].elements
        return terms.contains { term in
            term["matchExpressions"].elements.contains {
                $0["key"].string == "kubernetes.io/hostname" && $0["values"].elements.contains(.string(hostname))
            }
        }
    }

    /// The folder of a volume that was made here: its recorded path, or, when the data folder was moved, the folder of
    /// the same name in it. Nil when the recorded path is no such folder.
    package static func folder(_ volume: KubeObject, root: String) -> String? {
        guard let path = volume.spec["local"]["path"].string, let slash = path.lastIndex(of: "/") else { return nil }
        let name = String(path[path.index(after: slash)...])
        guard path[..<slash].hasSuffix("/volumes"), !name.isEmpty, name != ".", name != ".." else { return nil }
        return PodDirectory.claim(root: root, uid: name)
    }
}

/// Makes volumes for claims, and enlarges them.
struct LocalPathMaker: Reconciler {
    let client: KubeClient
    let nodeName: String
    let root: String
    let claims: Informer
    let volumes: Informer
    let classes: Informer
    let node: Informer
    let events: EventRecorder

    private var hostname: String {
        node.get(ObjectKey(namespace: "", name: nodeName))?.labels["kubernetes.io/hostname"] ?? nodeName
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let claim = claims.get(key), !claim.isBeingDeleted, !claim.uid.isEmpty, !claim.uid.contains("/") else {
            return .done
        }
        do {
            if let name = claim.spec["volumeName"].string, !name.isEmpty {
                if name == "pvc-\(claim.uid)" {
                    try await adopt(claim)
                    try await resize(claim)
                }
            } else if let storageClass = try await mine(claim) {
                try await make(claim, storageClass)
            }
        } catch let error as StatusError where error.isNotFound {
            return .done
        }
        return .done
    }

    /// The class of a claim whose volume is to be made here; nil for another claim.
    private func mine(_ claim: KubeObject) async throws -> KubeObject? {
        let annotations = claim.annotations
        let provisioner = annotations[VolumeAnnotations.provisioner] ?? annotations[VolumeAnnotations.betaProvisioner]
        guard provisioner == VolumeAnnotations.localPath, let name = VolumeAnnotations.storageClass(of: claim),
            let storageClass = classes.get(ObjectKey(namespace: "", name: name)),
            storageClass["provisioner"].string == VolumeAnnotations.localPath
        else { return nil }
        if let selected = annotations[VolumeAnnotations.selectedNode] {
            return selected == nodeName ? storageClass : nil
        }
        guard storageClass["volumeBindingMode"].string != "WaitForFirstConsumer" else { return nil }
        // Any node may take it: the one whose write comes first.
        let metadata: JSONValue = [
            "resourceVersion": .string(claim.resourceVersion),
            "annotations": [VolumeAnnotations.selectedNode: .string(nodeName)],
        ]
        _ = try await client.patch(.persistentVolumeClaims, claim.key, .merge, ["metadata": metadata])
        return nil
    }

    private func make(_ claim: KubeObject, _ storageClass: KubeObject) async throws {
        if let refusal = LocalPath.refusal(claim) {
            await events.warning(
                claim, reason: "ProvisioningFailed",
                "failed to provision volume with StorageClass \"\(storageClass.name)\": \(refusal)")
            return
        }
        await events.normal(
            claim, reason: "Provisioning",
            "External provisioner is provisioning volume for claim \"\(claim.key)\"")
        let path = PodDirectory.claim(root: root, uid: claim.uid)
        do {
            try await makeFolder(path)
        } catch {
            await events.warning(
                claim, reason: "ProvisioningFailed",
                "failed to provision volume with StorageClass \"\(storageClass.name)\": \(error)")
            // The scheduler looks for another node.
            let metadata: JSONValue = ["annotations": .object([VolumeAnnotations.selectedNode: .null])]
            _ = try await client.patch(.persistentVolumeClaims, claim.key, .merge, .object(["metadata": metadata]))
            return
        }
        let volume = LocalPath.volume(for: claim, path: path, hostname: hostname, storageClass: storageClass)
        do {
            _ = try await client.create(.persistentVolumes, volume)
        } catch let error as StatusError where error.isAlreadyExists {
            return
        }
        await events.normal(
            claim, reason: "ProvisioningSucceeded", "Successfully provisioned volume \(volume.name)")
    }

    /// Makes the volume of a claim that an earlier version bound to a folder without one.
    private func adopt(_ claim: KubeObject) async throws {
        guard claim.annotations[VolumeAnnotations.provisioner] == nil else { return }
        let path = PodDirectory.claim(root: root, uid: claim.uid)
        try await makeFolder(path)
        let volume = LocalPath.volume(for: claim, path: path, hostname: hostname, storageClass: nil)
        do {
            _ = try await client.create(.persistentVolumes, volume)
        } catch let error as StatusError where error.isAlreadyExists {
            // The last try came so far.
        }
        let annotations: JSONValue = [
            VolumeAnnotations.provisioner: .string(VolumeAnnotations.localPath),
            VolumeAnnotations.bindCompleted: "yes", VolumeAnnotations.boundByController: "yes",
        ]
        _ = try await client.patch(
            .persistentVolumeClaims, claim.key, .merge, ["metadata": ["annotations": annotations]])
    }

    /// Raises the capacity of a bound volume to what its claim asks for now.
    private func resize(_ claim: KubeObject) async throws {
        guard claim.status["phase"].string == "Bound",
            let volume = volumes.get(ObjectKey(namespace: "", name: "pvc-\(claim.uid)")),
            LocalPath.isLocal(volume, hostname: hostname)
        else { return }
        let wanted = claim.spec["resources"]["requests"]["storage"]
        guard let request = Quantity(wanted.string ?? ""),
            let present = Quantity(claim.status["capacity"]["storage"].string ?? ""), present < request
        else { return }
        if let capacity = Quantity(volume.spec["capacity"]["storage"].string ?? ""), capacity < request {
            _ = try await client.patch(
                .persistentVolumes, volume.key, .merge, ["spec": ["capacity": ["storage": wanted]]])
        }
        var new = claim
        new.status["capacity"] = ["storage": wanted]
        _ = try await client.updateStatus(.persistentVolumeClaims, new)
        await events.normal(
            claim, reason: "VolumeResizeSuccessful", "Resize volume succeeded for volume \"\(volume.name)\"")
    }

    private func makeFolder(_ path: String) async throws {
        try await NIOThreadPool.singleton.runIfActive {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            // Containers run as any user.
            try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: path)
        }
    }
}

/// Removes released volumes whose class says so, with their data.
struct LocalPathRemover: Reconciler {
    let client: KubeClient
    let nodeName: String
    let root: String
    let volumes: Informer
    let node: Informer
    let events: EventRecorder

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        let hostname = node.get(ObjectKey(namespace: "", name: nodeName))?.labels["kubernetes.io/hostname"] ?? nodeName
        guard let volume = volumes.get(key), LocalPath.isLocal(volume, hostname: hostname),
            volume.status["phase"].string == "Released",
            volume.spec["persistentVolumeReclaimPolicy"].string == "Delete"
        else { return .done }
        guard let path = LocalPath.folder(volume, root: root) else {
            await events.warning(
                volume, reason: "VolumeFailedDelete",
                "the path of volume \(volume.name) is no folder of this node's volumes: its data are left alone")
            return .done
        }
        do {
            try await NIOThreadPool.singleton.runIfActive {
                if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
            }
        } catch {
            await events.warning(volume, reason: "VolumeFailedDelete", "\(path) cannot be removed: \(error)")
            throw error
        }
        do {
            try await client.delete(.persistentVolumes, key, .init(uid: volume.uid))
        } catch let error as StatusError where error.isNotFound {
            return .done
        }
        return .done
    }
}
