// SPDX-License-Identifier: Apache-2.0
import KubeAPI

/// Which existing volume suits a claim.
///
/// Source: Kubernetes "Persistent Volumes", sections "Binding", "Class", "Selector", "Volume Mode".
package enum VolumeMatching {
    /// Why a volume that a claim asks for by name cannot be its volume, in upstream's words; nil when it can.
    package static func mismatch(_ claim: ClaimInfo, _ volume: VolumeInfo) -> String? {
        if volume.capacity < claim.request { return "requested PV is too small" }
        if volume.storageClass != (claim.storageClass ?? "") { return "storageClassName does not match" }
        if volume.volumeMode != claim.volumeMode { return "incompatible volumeMode" }
        if volume.attributesClass != claim.attributesClass { return "volumeAttributesClassName does not match" }
        if !claim.accessModes.isSubset(of: volume.accessModes) { return "incompatible accessMode" }
        return nil
    }

    /// The volume that suits best: one meant for the claim, else the one with the fewest access modes, then the
    /// smallest, then the first by name.
    ///
    /// - Parameters:
    ///   - claim: what is wanted.
    ///   - volumes: all that may be taken.
    ///   - node: that has to be able to use it; nil when any may.
    ///   - onlyOwn: whether only volumes meant for the claim count, because a node has to be chosen first.
    /// - Returns: the volume, nil when none suits.
    package static func best(
        _ claim: ClaimInfo, of volumes: [VolumeInfo], node: NodeSpec? = nil, onlyOwn: Bool = false
    ) -> VolumeInfo? {
        func fits(_ volume: VolumeInfo) -> Bool {
            !volume.isBeingDeleted && volume.capacity >= claim.request && volume.volumeMode == claim.volumeMode
                && volume.attributesClass == claim.attributesClass
                && claim.accessModes.isSubset(of: volume.accessModes)
        }
        if let own = volumes.first(where: { $0.isFor(claim) && fits($0) }) {
            return node.map(own.accepts) ?? true ? own : nil
        }
        guard !onlyOwn else { return nil }
        let free = volumes.filter { volume in
            volume.claim == nil && volume.isAvailable && fits(volume)
                && volume.storageClass == (claim.storageClass ?? "")
                && claim.selector?.matches(volume.labels) ?? true && node.map(volume.accepts) ?? true
        }
        return free.min { left, right in
            (left.accessModes.count, left.capacity, left.name) < (right.accessModes.count, right.capacity, right.name)
        }
    }
}
