// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import FoundationEssentials
import KubeAPI
package import KubeClient
import NIOPosix

/// Makes the volumes of one pod ready and keeps those with made content up to date.
package actor PodVolumes {
    private struct Token {
        var value: String
        var refreshAt: Timestamp
    }

    private let client: KubeClient
    private let directory: PodDirectory
    private var tokens: [String: Token] = [:]
    /// The directory of each volume, by its name.
    package private(set) var paths: [String: String] = [:]

    package init(client: KubeClient, directory: PodDirectory) {
        self.client = client
        self.directory = directory
    }

    /// When ``prepare(_:)`` must be called again because a token grows old; nil: never.
    package var refreshAt: Timestamp? { tokens.values.map(\.refreshAt).min() }

    /// Brings all volumes to what the pod and the objects that it refers to say now.
    /// - Throws: says which volume cannot be set up, in upstream's words.
    package func prepare(_ environment: ContainerEnvironment) async throws {
        let pod = environment.pod
        for volume in pod.spec["volumes"].elements {
            let name = volume["name"].string ?? ""
            do {
                paths[name] = try await prepare(volume, name, environment)
            } catch {
                throw VolumeError("MountVolume.SetUp failed for volume \"\(name)\" : \(Self.describe(error))")
            }
        }
    }

    private func prepare(
        _ volume: JSONValue, _ name: String, _ environment: ContainerEnvironment
    ) async throws -> String {
        if !volume["hostPath"].isNull {
            let path = volume["hostPath"]["path"].string ?? ""
            let type = volume["hostPath"]["type"].string ?? ""
            try await NIOThreadPool.singleton.runIfActive { try PodDirectory.prepareHostPath(path, type: type) }
            return path
        }
        let pod = environment.pod
        if let claimName = VolumeAnnotations.claimName(of: volume, pod: pod.name) {
            return try await claim(claimName, pod, isEphemeral: !volume["ephemeral"].isNull)
        }
        let path = directory.volume(name)
        if VolumeContent.isMade(volume) {
            let content = VolumeContent(
                environment: environment, tokens: try await tokens(for: volume, name, environment.pod))
            let files = try content.files(of: volume)
            try await NIOThreadPool.singleton.runIfActive { try AtomicWriter.write(files, to: path) }
        } else if !volume["emptyDir"].isNull {
            try await Self.makeDirectory(path)
        } else {
            let kind = volume.members.keys.filter { $0 != "name" }.sorted().joined(separator: ", ")
            throw VolumeError("volumes of type \(kind) are not supported by this node agent")
        }
        return path
    }

    /// The folder of the volume that a claim is bound to.
    private func claim(_ name: String, _ pod: KubeObject, isEphemeral: Bool) async throws -> String {
        let key = ObjectKey(namespace: pod.namespace, name: name)
        let claim: KubeObject
        do {
            claim = try await client.get(.persistentVolumeClaims, key)
        } catch let error as StatusError where error.isNotFound {
            throw VolumeError("persistentvolumeclaim \"\(key.name)\" not found")
        }
        guard !claim.isBeingDeleted else {
            throw VolumeError("persistentvolumeclaim \"\(key.name)\" is being deleted")
        }
        guard !isEphemeral || claim.controllerOwner?.uid == pod.uid else {
            throw VolumeError("PVC \(key) was not created for pod \(pod.key) (pod is not owner)")
        }
        guard claim.status["phase"].string == "Bound", let volumeName = claim.spec["volumeName"].string else {
            throw VolumeError("PersistentVolumeClaim is not bound: \"\(key)\"")
        }
        let volume = try await client.get(.persistentVolumes, ObjectKey(namespace: "", name: volumeName))
        guard volume.spec["claimRef"]["uid"].string == claim.uid else {
            throw VolumeError("PersistentVolume \"\(volumeName)\" is bound to another claim than \"\(key)\"")
        }
        guard volume.spec["volumeMode"].string != "Block" else {
            throw VolumeError("block volumes are not supported by this node agent")
        }
        return try await folder(of: volume)
    }

    private func folder(of volume: KubeObject) async throws -> String {
        let spec = volume.spec
        if !spec["hostPath"].isNull {
            let path = spec["hostPath"]["path"].string ?? ""
            let type = spec["hostPath"]["type"].string ?? ""
            try await NIOThreadPool.singleton.runIfActive { try PodDirectory.prepareHostPath(path, type: type) }
            return path
        }
        guard let recorded = spec["local"]["path"].string else {
            let kind = spec.members.keys.filter { !Self.volumeMembers.contains($0) }.sorted().joined(separator: ", ")
            throw VolumeError("persistent volumes of type \(kind) are not supported by this node agent")
        }
        var paths = [recorded]
        if volume.annotations[VolumeAnnotations.provisionedBy] == VolumeAnnotations.localPath {
            paths += [LocalPath.folder(volume, root: directory.root)].compactMap { $0 }
        }
        let candidates = paths
        let found = try await NIOThreadPool.singleton.runIfActive {
            candidates.first { FileManager.default.fileExists(atPath: $0) }
        }
        guard let found else { throw VolumeError("path \"\(recorded)\" does not exist") }
        return found
    }

    /// Members of a PersistentVolume's spec that do not say what it is.
    private static let volumeMembers: Set<String> = [
        "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
        "storageClassName", "volumeAttributesClassName", "volumeMode",
    ]

    /// The tokens of a projected volume; asked for again at 80 % of their life.
    private func tokens(for volume: JSONValue, _ name: String, _ pod: KubeObject) async throws -> [String: String] {
        var values: [String: String] = [:]
        for source in volume["projected"]["sources"].elements where !source["serviceAccountToken"].isNull {
            let wanted = source["serviceAccountToken"]
            let path = wanted["path"].string ?? "token"
            let id = "\(name)/\(path)"
            let now = Timestamp.now()
            if let token = tokens[id], now < token.refreshAt {
                values[path] = token.value
                continue
            }
            let seconds = wanted["expirationSeconds"].int ?? 3600
            let audience = wanted["audience"].string
            let body: JSONValue = [
                "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                "spec": [
                    "audiences": audience.map { [.string($0)] } ?? .array([]),
                    "expirationSeconds": JSONValue(seconds),
                    "boundObjectRef": [
                        "apiVersion": "v1", "kind": "Pod", "name": .string(pod.name), "uid": .string(pod.uid),
                    ],
                ],
            ]
            let account = pod.spec["serviceAccountName"].string ?? "default"
            let answer = try await client.create(
                .serviceAccounts, ObjectKey(namespace: pod.namespace, name: account), subresource: "token", body: body)
            guard let value = answer["status"]["token"].string else {
                throw VolumeError("the server returned no token for service account \"\(account)\"")
            }
            let end =
                answer["status"]["expirationTimestamp"].string.flatMap(Timestamp.init(rfc3339:))
                ?? now + .seconds(seconds)
            tokens[id] = Token(value: value, refreshAt: now + max(.seconds(10), (end - now) * 0.8))
            values[path] = value
        }
        return values
    }

    private static func makeDirectory(_ path: String) async throws {
        try await NIOThreadPool.singleton.runIfActive {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        }
    }

    private static func describe(_ error: any Error) -> String {
        (error as? StatusError)?.message ?? "\(error)"
    }
}
