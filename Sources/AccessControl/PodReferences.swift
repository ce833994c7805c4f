// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// An object that the agent of a pod's node may need.
package struct NodeReference: Hashable, Sendable {
    /// What it is.
    package enum Kind: Sendable {
        case secret, configMap, claim, serviceAccount, resourceClaim
    }

    package var kind: Kind
    package var namespace: String
    package var name: String

    package init(_ kind: Kind, namespace: String, name: String) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }
}

/// What a pod refers to.
///
/// Source: Kubernetes API reference, Pod and Volume; "Using Node Authorization".
package struct PodReferences: Hashable, Sendable {
    package private(set) var all: Set<NodeReference> = []
    /// Whether its status may name further objects later.
    package let isOpen: Bool
    private let namespace: String

    package init(_ pod: KubeObject) {
        namespace = pod.namespace
        let claims = pod.spec["resourceClaims"].elements
        isOpen = claims.contains { $0["resourceClaimName"].isNull }
        // What a node says of its own pods must give it nothing.
        guard pod.annotations["kubernetes.io/config.mirror"] == nil else { return }
        add(.serviceAccount, pod.spec["serviceAccountName"])
        for secret in pod.spec["imagePullSecrets"].elements { add(.secret, secret["name"]) }
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            for container in pod.spec[list].elements { add(container: container) }
        }
        for volume in pod.spec["volumes"].elements { add(volume: volume, of: pod.name) }
        for claim in claims { add(.resourceClaim, claim["resourceClaimName"]) }
        for claim in pod.status["resourceClaimStatuses"].elements { add(.resourceClaim, claim["resourceClaimName"]) }
    }

    /// Those of some kinds.
    package func contains(_ kind: NodeReference.Kind) -> Bool { all.contains { $0.kind == kind } }

    private mutating func add(_ kind: NodeReference.Kind, _ name: JSONValue) {
        guard let name = name.string, !name.isEmpty else { return }
        all.insert(NodeReference(kind, namespace: namespace, name: name))
    }

    private mutating func add(container: JSONValue) {
        for source in container["envFrom"].elements {
            add(.configMap, source["configMapRef"]["name"])
            add(.secret, source["secretRef"]["name"])
        }
        for variable in container["env"].elements {
            add(.configMap, variable["valueFrom"]["configMapKeyRef"]["name"])
            add(.secret, variable["valueFrom"]["secretKeyRef"]["name"])
        }
    }

    private mutating func add(volume: JSONValue, of pod: String) {
        add(.configMap, volume["configMap"]["name"])
        for source in volume["projected"]["sources"].elements {
            add(.configMap, source["configMap"]["name"])
            add(.secret, source["secret"]["name"])
        }
        add(.claim, volume["persistentVolumeClaim"]["claimName"])
        if !volume["ephemeral"].isNull, let name = volume["name"].string { add(.claim, .string("\(pod)-\(name)")) }
        add(.secret, volume["secret"]["secretName"])
        add(.secret, volume["azureFile"]["secretName"])
        add(.secret, volume["csi"]["nodePublishSecretRef"]["name"])
        for source in ["cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"] {
            add(.secret, volume[source]["secretRef"]["name"])
        }
    }
}

/// What a volume of the cluster leads to.
package struct VolumeReferences: Hashable, Sendable {
    /// The claim that it is bound to; nil when there is none.
    package let claim: NodeReference?
    /// The secrets that agents need to mount it.
    package let secrets: Set<NodeReference>

    package init(_ volume: KubeObject) {
        let spec = volume.spec
        let bound = spec["claimRef"]
        let namespace = bound["namespace"].string ?? ""
        guard let name = bound["name"].string, !name.isEmpty else {
            claim = nil
            secrets = []
            return
        }
        claim = NodeReference(.claim, namespace: namespace, name: name)
        var found: Set<NodeReference> = []
        func add(_ reference: JSONValue, in home: JSONValue) {
            guard let name = reference.string, !name.isEmpty else { return }
            let home = home.string ?? ""
            found.insert(NodeReference(.secret, namespace: home.isEmpty ? namespace : home, name: name))
        }
        add(spec["azureFile"]["secretName"], in: spec["azureFile"]["secretNamespace"])
        for source in ["cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"] {
            let reference = spec[source]["secretRef"]
            add(reference["name"], in: reference["namespace"])
        }
        for step in ["nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef"] {
            let reference = spec["csi"][step]
            add(reference["name"], in: reference["namespace"])
        }
        secrets = found
    }
}
