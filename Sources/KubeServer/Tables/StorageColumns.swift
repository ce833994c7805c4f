// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The columns of `kubectl get` for volumes, claims and what makes them.
enum StorageColumns {
    private static let shortModes = [
        "ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP",
    ]

    /// In upstream's order, whatever order they are stored in.
    private static func modes(_ json: JSONValue) -> String {
        let all = json.elements.compactMap(\.string)
        return ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"].filter(all.contains)
            .compactMap { shortModes[$0] }.joined(separator: ",")
    }

    private static let unset = "<unset>"

    private static let attributesClass = TableColumn.text(
        "VolumeAttributesClass", description: "Volume attributes class that it has."
    ) { $0.spec["volumeAttributesClassName"].string ?? unset }

    private static let volumeMode = TableColumn.text("VolumeMode", description: "Mode of the volume.", wide: true) {
        $0.spec["volumeMode"].string ?? unset
    }

    private static func flag(
        _ name: String, description: String, _ value: @escaping @Sendable (KubeObject) -> Bool
    ) -> TableColumn {
        TableColumn(name, type: "boolean", description: description) { object, _ in .bool(value(object)) }
    }

    static let persistentVolumeClaim: [TableColumn] = [
        .name,
        .text("Status", description: "Phase of the claim.") {
            $0.isBeingDeleted ? "Terminating" : $0.status["phase"].string ?? ""
        },
        .text("Volume", description: "Volume that backs the claim.") { $0.spec["volumeName"].string ?? "" },
        .text("Capacity", description: "Actual resources of the volume.") { claim in
            claim.spec["volumeName"].string ?? "" == "" ? "" : claim.status["capacity"]["storage"].string ?? ""
        },
        .text("Access Modes", description: "Actual access modes of the volume.") { claim in
            claim.spec["volumeName"].string ?? "" == "" ? "" : modes(claim.status["accessModes"])
        },
        .text("StorageClass", description: "Storage class of the claim.") {
            VolumeAnnotations.storageClass(of: $0) ?? ""
        },
        attributesClass, .age, volumeMode,
    ]

    static let persistentVolume: [TableColumn] = [
        .name,
        .text("Capacity", description: "Resources of the volume.") { $0.spec["capacity"]["storage"].string ?? "" },
        .text("Access Modes", description: "All ways in which the volume can be mounted.") {
            modes($0.spec["accessModes"])
        },
        .text("Reclaim Policy", description: "What happens to the volume when its claim is gone.") {
            $0.spec["persistentVolumeReclaimPolicy"].string ?? ""
        },
        .text("Status", description: "Phase of the volume.") {
            $0.isBeingDeleted ? "Terminating" : $0.status["phase"].string ?? ""
        },
        .text("Claim", description: "Claim that the volume is bound to.") { volume in
            let claim = volume.spec["claimRef"]
            return claim.isNull ? "" : "\(claim["namespace"].string ?? "")/\(claim["name"].string ?? "")"
        },
        .text("StorageClass", description: "Storage class of the volume.") {
            VolumeAnnotations.storageClass(of: $0) ?? ""
        },
        attributesClass,
        .text("Reason", description: "Why the volume is in its phase.") { $0.status["reason"].string ?? "" },
        .age, volumeMode,
    ]

    static let storageClass: [TableColumn] = [
        TableColumn("Name", format: "name", description: "Name of the class.") { storageClass, _ in
            .string(storageClass.name + (VolumeAnnotations.isDefault(storageClass) ? " (default)" : ""))
        },
        .text("Provisioner", description: "Who makes volumes of the class.") { $0["provisioner"].string ?? "" },
        .text("ReclaimPolicy", description: "Reclaim policy of its volumes.") {
            $0["reclaimPolicy"].string ?? "Delete"
        },
        .text("VolumeBindingMode", description: "When volumes are bound.") {
            $0["volumeBindingMode"].string ?? "Immediate"
        },
        flag("AllowVolumeExpansion", description: "Whether volumes can grow.") {
            $0["allowVolumeExpansion"].bool ?? false
        },
        .age,
    ]

    static let volumeAttributesClass: [TableColumn] = [
        .name,
        .text("DriverName", description: "The driver that the class is for.") { $0["driverName"].string ?? "" },
        .age,
    ]

    static let csiDriver: [TableColumn] = [
        .name,
        flag("AttachRequired", description: "Whether volumes are attached before they are mounted.") {
            $0.spec["attachRequired"].bool ?? true
        },
        flag("PodInfoOnMount", description: "Whether the driver is told of the pod.") {
            $0.spec["podInfoOnMount"].bool ?? false
        },
        flag("StorageCapacity", description: "Whether capacity is looked at when pods are scheduled.") {
            $0.spec["storageCapacity"].bool ?? false
        },
        .text("TokenRequests", description: "Audiences of the tokens that the driver gets.") { driver in
            let audiences = driver.spec["tokenRequests"].elements.map { $0["audience"].string ?? "" }
            return audiences.isEmpty ? unset : audiences.joined(separator: ",")
        },
        flag("RequiresRepublish", description: "Whether volumes are published again and again.") {
            $0.spec["requiresRepublish"].bool ?? false
        },
        .text("Modes", description: "Lifecycles that the driver's volumes can have.") {
            TableText.joined($0.spec["volumeLifecycleModes"].elements.compactMap(\.string))
        },
        .age,
    ]

    static let csiNode: [TableColumn] = [
        .name,
        .number("Drivers", description: "Number of drivers on the node.") { $0.spec["drivers"].elements.count },
        .age,
    ]

    static let csiStorageCapacity: [TableColumn] = [
        .name,
        .text("StorageClassName", description: "Class whose capacity this is.") {
            $0["storageClassName"].string ?? ""
        },
        .text("Capacity", description: "How much there is.") { $0["capacity"].string ?? unset },
    ]

    static let volumeAttachment: [TableColumn] = [
        .name,
        .text("Attacher", description: "The driver that attaches.") { $0.spec["attacher"].string ?? "" },
        .text("PV", description: "The volume.") { $0.spec["source"]["persistentVolumeName"].string ?? "" },
        .text("Node", description: "The node.") { $0.spec["nodeName"].string ?? "" },
        flag("Attached", description: "Whether it is attached.") { $0.status["attached"].bool ?? false },
        .age,
    ]
}
