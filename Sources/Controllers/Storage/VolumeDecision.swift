// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What the binder does for a volume. Pure.
///
/// Source: Kubernetes "Persistent Volumes", "Lifecycle of a volume and claim", "Reclaiming".
enum VolumeDecision: Equatable {
    /// It is in this phase; the note is told when the phase is new.
    case phase(String, message: String = "", note: ClaimDecision.Note? = nil)
    /// The binder had meant it for a claim that has another volume: it is free again.
    case unbind
    /// Its claim's turn comes first.
    case wait

    /// Decides for a volume.
    /// - Parameters:
    ///   - volume: the volume.
    ///   - claim: the claim that its `claimRef` names, if there is one.
    /// - Returns: what to do.
    static func decide(_ volume: KubeObject, claim: KubeObject?) -> VolumeDecision {
        let reference = volume.spec["claimRef"]
        let uid = reference["uid"].string ?? ""
        guard !reference.isNull, !uid.isEmpty else { return .phase("Available") }
        guard let claim, claim.uid == uid else { return released(volume) }
        let name = claim.spec["volumeName"].string ?? ""
        if name.isEmpty { return .wait }
        if name == volume.name { return .phase("Bound") }
        let isDynamic = volume.annotations[VolumeAnnotations.provisionedBy] != nil
        if isDynamic, volume.spec["persistentVolumeReclaimPolicy"].string == "Delete" { return released(volume) }
        return .unbind
    }

    /// Its claim is gone.
    private static func released(_ volume: KubeObject) -> VolumeDecision {
        switch volume.spec["persistentVolumeReclaimPolicy"].string ?? "Retain" {
        case "Delete" where volume.annotations[VolumeAnnotations.provisionedBy] == nil:
            let message =
                "error getting deleter volume plugin for volume \"\(volume.name)\": no deletable volume plugin matched"
            return .phase(
                "Failed", message: message,
                note: .init(reason: "VolumeFailedDelete", message: message, isWarning: true))
        case "Recycle":
            let message = "No recycler plugin found for the volume!"
            return .phase(
                "Failed", message: message,
                note: .init(reason: "VolumeFailedRecycle", message: message, isWarning: true))
        // What made the volume removes it once it is Released.
        default: return .phase("Released")
        }
    }

    /// The volume after it has been freed.
    static func unbound(_ volume: KubeObject) -> KubeObject {
        var volume = volume
        if volume.annotations[VolumeAnnotations.boundByController] != nil {
            volume.annotations[VolumeAnnotations.boundByController] = nil
            volume.spec["claimRef"] = .null
        } else {
            // Whom the user meant it for stays.
            volume.spec["claimRef"]["uid"] = .null
            volume.spec["claimRef"]["resourceVersion"] = .null
        }
        return volume
    }
}
