// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Annotations and finalizers by which the parts that bind volumes to claims talk to each other.
///
/// Source: Kubernetes "Well-Known Labels, Annotations and Taints", "Persistent Volumes".
package enum VolumeAnnotations {
    /// On a claim: binding has ended, what it names is its volume.
    package static let bindCompleted = "pv.kubernetes.io/bind-completed"
    /// On a claim or volume: the binder, not the user, chose the other side.
    package static let boundByController = "pv.kubernetes.io/bound-by-controller"
    /// On a volume: who made it, and has to remove it.
    package static let provisionedBy = "pv.kubernetes.io/provisioned-by"
    /// On a claim: who is to make its volume.
    package static let provisioner = "volume.kubernetes.io/storage-provisioner"
    package static let betaProvisioner = "volume.beta.kubernetes.io/storage-provisioner"
    /// On a claim: the node that the scheduler chose for its first pod.
    package static let selectedNode = "volume.kubernetes.io/selected-node"
    package static let betaStorageClass = "volume.beta.kubernetes.io/storage-class"
    /// On a storage class: claims that name none get this one.
    package static let isDefaultClass = "storageclass.kubernetes.io/is-default-class"
    package static let betaIsDefaultClass = "storageclass.beta.kubernetes.io/is-default-class"

    /// Keeps a claim that a pod uses.
    package static let claimProtection = "kubernetes.io/pvc-protection"
    /// Keeps a volume that a claim is bound to.
    package static let volumeProtection = "kubernetes.io/pv-protection"

    /// The provisioner of the class `local-path`: a folder in the node's data folder.
    package static let localPath = "apus.dev/local-path"
    /// Provisioner of classes whose volumes people make.
    package static let noProvisioner = "kubernetes.io/no-provisioner"

    /// The class that a claim or volume names; nil when it names none, empty when it wants none.
    package static func storageClass(of object: KubeObject) -> String? {
        object.annotations[betaStorageClass] ?? object.spec["storageClassName"].string
    }

    /// Whether claims that name no class get this one.
    package static func isDefault(_ storageClass: KubeObject) -> Bool {
        let annotations = storageClass.annotations
        return annotations[isDefaultClass] == "true" || annotations[betaIsDefaultClass] == "true"
    }

    /// The default class: of several the youngest, then the first by name.
    package static func defaultClass(of classes: [KubeObject]) -> KubeObject? {
        classes.filter(isDefault).min { left, right in
            let (leftTime, rightTime) = (left.creationTimestamp, right.creationTimestamp)
            if let leftTime, let rightTime, leftTime != rightTime { return leftTime > rightTime }
            return left.name < right.name
        }
    }

    /// The name of the claim of a pod's volume; nil when the volume is not one of a claim.
    package static func claimName(of volume: JSONValue, pod: String) -> String? {
        if let name = volume["persistentVolumeClaim"]["claimName"].string { return name }
        guard !volume["ephemeral"].isNull, let name = volume["name"].string else { return nil }
        return "\(pod)-\(name)"
    }
}
