// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// What binding has to know of a PersistentVolume.
package struct VolumeInfo: Sendable {
    package let name: String
    /// `spec.capacity.storage`.
    package let capacity: Quantity
    package let accessModes: Set<String>
    /// Empty when it has none.
    package let storageClass: String
    package let attributesClass: String
    package let volumeMode: String
    package let labels: [String: String]
    /// The claim that it is for, with the claim's UID where the binder has set it.
    package let claim: ObjectKey?
    package let claimUID: String
    /// One of them must hold for a node that uses it; nil when any node can.
    package let nodeTerms: [NodeSelectorTerm]?
    package let isAvailable: Bool
    package let isBeingDeleted: Bool

    package init(_ volume: KubeObject) {
        let spec = volume.spec
        name = volume.name
        capacity = ResourceAmounts.quantity(spec["capacity"]["storage"]) ?? .zero
        accessModes = Set(spec["accessModes"].elements.compactMap(\.string))
        storageClass = VolumeAnnotations.storageClass(of: volume) ?? ""
        attributesClass = spec["volumeAttributesClassName"].string ?? ""
        volumeMode = spec["volumeMode"].string ?? "Filesystem"
        labels = volume.labels
        let reference = spec["claimRef"]
        claim =
            reference.isNull
            ? nil
            : ObjectKey(namespace: reference["namespace"].string ?? "", name: reference["name"].string ?? "")
        claimUID = reference["uid"].string ?? ""
        let required = spec["nodeAffinity"]["required"]
        nodeTerms = required.isNull ? nil : required["nodeSelectorTerms"].elements.map(NodeSelectorTerm.init(json:))
        isAvailable = volume.status["phase"].string == "Available"
        isBeingDeleted = volume.isBeingDeleted
    }

    /// Whether a node can use it.
    package func accepts(_ node: NodeSpec) -> Bool { nodeTerms?.contains { $0.matches(node) } ?? true }

    /// Whether it is meant for the claim, by the user or by the binder.
    package func isFor(_ claim: ClaimInfo) -> Bool {
        self.claim == claim.key && (claimUID.isEmpty || claimUID == claim.uid)
    }
}

/// What binding has to know of a PersistentVolumeClaim.
package struct ClaimInfo: Sendable {
    package let key: ObjectKey
    package let uid: String
    /// `metadata.resourceVersion`.
    package let version: Int64
    /// `spec.resources.requests.storage`.
    package let request: Quantity
    package let accessModes: Set<String>
    /// Nil when it names none, empty when it wants none.
    package let storageClass: String?
    package let attributesClass: String
    package let volumeMode: String
    /// Nil selects all volumes.
    package let selector: LabelSelector?
    package let volumeName: String
    /// Whether binding has ended.
    package let isBound: Bool
    /// The node chosen for its first pod; empty when there is none yet.
    package let selectedNode: String
    package let isBeingDeleted: Bool
    /// Whether its volume is lost.
    package let isLost: Bool

    package init(_ claim: KubeObject) {
        let spec = claim.spec
        let annotations = claim.annotations
        key = claim.key
        uid = claim.uid
        version = Int64(claim.resourceVersion) ?? 0
        request = ResourceAmounts.quantity(spec["resources"]["requests"]["storage"]) ?? .zero
        accessModes = Set(spec["accessModes"].elements.compactMap(\.string))
        storageClass = VolumeAnnotations.storageClass(of: claim)
        attributesClass = spec["volumeAttributesClassName"].string ?? ""
        volumeMode = spec["volumeMode"].string ?? "Filesystem"
        // A selector that cannot be understood selects nothing.
        selector =
            spec["selector"].isNull
            ? nil
            : (try? LabelSelector(json: spec["selector"]))
                ?? LabelSelector(requirements: [.in("", [])])
        volumeName = spec["volumeName"].string ?? ""
        isBound = !volumeName.isEmpty && annotations[VolumeAnnotations.bindCompleted] != nil
        selectedNode = annotations[VolumeAnnotations.selectedNode] ?? ""
        isBeingDeleted = claim.isBeingDeleted
        isLost = claim.status["phase"].string == "Lost"
    }
}

/// What binding has to know of a StorageClass.
package struct StorageClassInfo: Sendable {
    package let name: String
    package let provisioner: String
    /// Whether claims wait for the node of their first pod.
    package let waitsForConsumer: Bool
    /// Requirements on the labels of nodes, of which one must hold; empty allows all nodes.
    private let topologies: [[(key: String, values: Set<String>)]]

    package init(_ storageClass: KubeObject) {
        name = storageClass.name
        provisioner = storageClass["provisioner"].string ?? ""
        waitsForConsumer = storageClass["volumeBindingMode"].string == "WaitForFirstConsumer"
        topologies = storageClass["allowedTopologies"].elements.map { term in
            term["matchLabelExpressions"].elements.map {
                ($0["key"].string ?? "", Set($0["values"].elements.compactMap(\.string)))
            }
        }
    }

    /// Whether volumes are made on demand.
    package var provisions: Bool { !provisioner.isEmpty && provisioner != VolumeAnnotations.noProvisioner }

    /// Whether a volume may be made for a node with those labels.
    package func allows(_ labels: [String: String]) -> Bool {
        topologies.isEmpty
            || topologies.contains { term in
                term.allSatisfy { requirement in labels[requirement.key].map(requirement.values.contains) ?? false }
            }
    }
}
