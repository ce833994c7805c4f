// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import SchedulerCore

/// What the binder does for a claim. Pure.
///
/// Source: Kubernetes "Persistent Volumes", "Storage Classes", "Volume Binding Mode".
enum ClaimDecision: Equatable {
    /// Something that is told about a claim.
    struct Note: Equatable {
        var reason: String
        var message: String
        var isWarning = false
    }

    /// It stays Pending.
    case pend(Note?)
    /// Volume and claim are to name each other.
    case bind(String)
    /// Its volume is gone.
    case lose(Note)
    /// Somebody else is to make a volume for it.
    case provision(by: String, Note)
    /// It gets the default class.
    case setClass(String)

    /// What a claim is decided on.
    struct Surroundings {
        /// Volumes meant for the claim, and free ones of its class.
        var candidates: [KubeObject] = []
        /// The volume that it names.
        var named: KubeObject?
        var classes: [KubeObject] = []
        /// A pod that uses it and has no node yet.
        var waitingPod: String?
    }

    /// Decides for a claim that is not being deleted.
    static func decide(_ claim: KubeObject, _ around: Surroundings) -> ClaimDecision {
        let info = ClaimInfo(claim)
        return claim.annotations[VolumeAnnotations.bindCompleted] == nil
            ? unbound(claim, info, around) : bound(claim, info, around)
    }

    // MARK: Not bound yet

    private static func unbound(_ claim: KubeObject, _ info: ClaimInfo, _ around: Surroundings) -> ClaimDecision {
        guard info.volumeName.isEmpty else { return named(info, around.named) }
        let storageClass = around.classes.first { $0.name == info.storageClass }
        let waits = storageClass.map { StorageClassInfo($0).waitsForConsumer } ?? false
        let isDelayed = waits && info.selectedNode.isEmpty
        if let volume = VolumeMatching.best(info, of: around.candidates.map(VolumeInfo.init), onlyOwn: isDelayed) {
            return .bind(volume.name)
        }
        guard let name = info.storageClass else {
            if let fallback = VolumeAnnotations.defaultClass(of: around.classes) { return .setClass(fallback.name) }
            return .pend(Self.nothingAvailable)
        }
        if isDelayed {
            if let pod = around.waitingPod {
                return .pend(Note(reason: "WaitForPodScheduled", message: "waiting for pod \(pod) to be scheduled"))
            }
            return .pend(
                Note(
                    reason: "WaitForFirstConsumer",
                    message: "waiting for first consumer to be created before binding"))
        }
        guard !name.isEmpty else { return .pend(Self.nothingAvailable) }
        guard let storageClass else {
            return .pend(
                Note(
                    reason: "ProvisioningFailed", message: "storageclass.storage.k8s.io \"\(name)\" not found",
                    isWarning: true))
        }
        let provisioner = storageClass["provisioner"].string ?? ""
        guard provisioner != VolumeAnnotations.noProvisioner else {
            return .pend(
                Note(
                    reason: "ProvisioningFailed", message: "no volume plugin matched name: \(provisioner)",
                    isWarning: true))
        }
        return .provision(
            by: provisioner,
            Note(
                reason: "ExternalProvisioning",
                message: "Waiting for a volume to be created either by the external provisioner '\(provisioner)' or "
                    + "manually by the system administrator. If volume creation is delayed, please verify that the "
                    + "provisioner is running and correctly registered."))
    }

    private static let nothingAvailable = Note(
        reason: "FailedBinding",
        message: "no persistent volumes available for this claim and no storage class is set")

    /// The claim asks for one volume.
    private static func named(_ info: ClaimInfo, _ volume: KubeObject?) -> ClaimDecision {
        guard let volume else { return .pend(nil) }
        let wanted = VolumeInfo(volume)
        if wanted.claim == nil {
            if let mismatch = VolumeMatching.mismatch(info, wanted) {
                return .pend(
                    Note(
                        reason: "VolumeMismatch",
                        message: "Cannot bind to requested volume \"\(wanted.name)\": \(mismatch)", isWarning: true))
            }
            return .bind(wanted.name)
        }
        if wanted.isFor(info) { return .bind(wanted.name) }
        return .pend(
            Note(
                reason: "FailedBinding", message: "volume \"\(wanted.name)\" already bound to a different claim.",
                isWarning: true))
    }

    // MARK: Bound

    private static func bound(_ claim: KubeObject, _ info: ClaimInfo, _ around: Surroundings) -> ClaimDecision {
        guard !info.volumeName.isEmpty else {
            return .lose(
                Note(
                    reason: "ClaimLost",
                    message: "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!",
                    isWarning: true))
        }
        guard let volume = around.named else {
            // The node agent makes a volume of what an earlier version bound without one.
            if isLegacy(claim) { return .pend(nil) }
            return .lose(
                Note(
                    reason: "ClaimLost",
                    message: "Bound claim has lost its PersistentVolume. Data on the volume is lost!", isWarning: true))
        }
        let held = VolumeInfo(volume)
        if held.claim == nil || held.isFor(info) { return .bind(held.name) }
        return .lose(
            Note(
                reason: "ClaimMisbound",
                message: "Two claims are bound to the same volume, this one is bound incorrectly", isWarning: true))
    }

    /// Whether a claim was bound by a version that made folders and no PersistentVolumes.
    static func isLegacy(_ claim: KubeObject) -> Bool {
        !claim.uid.isEmpty && claim.spec["volumeName"].string == "pvc-\(claim.uid)"
            && claim.annotations[VolumeAnnotations.provisioner] == nil
    }
}
