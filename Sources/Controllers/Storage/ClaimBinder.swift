// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Binds each PersistentVolumeClaim to a PersistentVolume, or has one made for it.
///
/// What is decided is in ``ClaimDecision``. All writes carry the version that was read, so that two claims never get
/// one volume.
struct ClaimBinder: Reconciler {
    private let client: KubeClient
    private let claims: Informer
    private let volumes: Informer
    private let classes: Informer
    private let pods: Informer
    private let index: VolumeIndexes
    private let events: EventSink

    init(_ context: ControllerContext, _ index: VolumeIndexes) {
        client = context.client("persistentvolume-binder")
        claims = context.informers.informer(.persistentVolumeClaims)
        volumes = context.informers.informer(.persistentVolumes)
        classes = context.informers.informer(.storageClasses)
        pods = context.informers.informer(.pods)
        self.index = index
        events = context.events("persistentvolume-controller", account: "persistentvolume-binder")
    }

    var sources: [Controller.Source] {
        [
            .objects(of: claims),
            Controller.Source(volumes) { [index] event in
                guard case .updated(let old, let new) = event else {
                    return index.claims(interestedIn: event.object)
                }
                return index.claims(interestedIn: old) + index.claims(interestedIn: new)
            },
            Controller.Source(classes) { [index] in index.claims(seeking: $0.object) },
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let claim = claims.get(key), !claim.isBeingDeleted || !claim.finalizers.isEmpty else { return .done }
        var around = ClaimDecision.Surroundings()
        around.candidates = index.candidates(for: claim)
        around.classes = classes.list()
        if let name = claim.spec["volumeName"].string, !name.isEmpty {
            around.named = volumes.get(ObjectKey(namespace: "", name: name))
            if around.named == nil { around.named = try await live(name) }
        }
        around.waitingPod = index.pods(using: key).filter { $0.nodeName.isEmpty && !$0.isFinishedPod }.map(\.name).min()
        do {
            try await act(ClaimDecision.decide(claim, around), claim, around)
        } catch let error as StatusError where error.isNotFound {
            return .done
        }
        return .done
    }

    /// A volume that the local copy does not have (yet): a claim is not to be lost by a slow watch.
    private func live(_ name: String) async throws -> KubeObject? {
        do {
            return try await client.get(.persistentVolumes, ObjectKey(namespace: "", name: name))
        } catch let error as StatusError where error.isNotFound {
            return nil
        }
    }

    private func act(
        _ decision: ClaimDecision, _ claim: KubeObject, _ around: ClaimDecision.Surroundings
    ) async throws {
        switch decision {
        case .pend(let note):
            guard !claim.isBeingDeleted else { return }
            if ClaimDecision.isLegacy(claim) { return }
            if let note { tell(note, claim) }
            try await setPhase("Pending", claim)
        case .lose(let note):
            if claim.status["phase"].string != "Lost" { tell(note, claim) }
            try await setPhase("Lost", claim)
        case .provision(let provisioner, let note):
            guard !claim.isBeingDeleted else { return }
            var claim = claim
            if claim.annotations[VolumeAnnotations.provisioner] != provisioner {
                claim.annotations[VolumeAnnotations.provisioner] = provisioner
                claim.annotations[VolumeAnnotations.betaProvisioner] = provisioner
                claim = try await client.update(.persistentVolumeClaims, claim)
                tell(note, claim)
            }
            try await setPhase("Pending", claim)
        case .setClass(let name):
            guard !claim.isBeingDeleted else { return }
            var claim = claim
            claim.spec["storageClassName"] = .string(name)
            _ = try await client.update(.persistentVolumeClaims, claim)
        case .bind(let name):
            let known = (around.candidates + [around.named].compactMap { $0 }).first { $0.name == name }
            if let known { try await bind(known, claim) }
        }
    }

    private func setPhase(_ phase: String, _ claim: KubeObject) async throws {
        guard claim.status["phase"].string != phase else { return }
        var claim = claim
        claim.status["phase"] = .string(phase)
        _ = try await client.updateStatus(.persistentVolumeClaims, claim)
    }

    private func tell(_ note: ClaimDecision.Note, _ claim: KubeObject) {
        if note.isWarning {
            events.warning(claim, reason: note.reason, note.message)
        } else {
            events.normal(claim, reason: note.reason, note.message)
        }
    }

    /// Makes volume and claim name each other: first the volume, then the claim, each with its phase. Interrupted at
    /// any point, the next try goes on.
    private func bind(_ volume: KubeObject, _ claim: KubeObject) async throws {
        var volume = volume
        let wanted = Binding.volume(volume, for: claim)
        if wanted != volume { volume = try await client.update(.persistentVolumes, wanted) }
        if volume.status["phase"].string != "Bound" {
            volume.status["phase"] = "Bound"
            volume.status["message"] = .null
            volume.status["reason"] = .null
            volume = try await client.updateStatus(.persistentVolumes, volume)
        }
        var claim = claim
        let named = Binding.claim(claim, to: volume)
        if named != claim { claim = try await client.update(.persistentVolumeClaims, named) }
        let status = Binding.status(claim, of: volume)
        if status != claim.status {
            claim.status = status
            _ = try await client.updateStatus(.persistentVolumeClaims, claim)
        }
    }
}

/// What volume and claim look like when they are bound. Pure.
enum Binding {
    /// The volume, naming the claim.
    static func volume(_ volume: KubeObject, for claim: KubeObject) -> KubeObject {
        var volume = volume
        let reference = volume.spec["claimRef"]
        if reference["uid"].string == claim.uid { return volume }
        if reference.isNull { volume.annotations[VolumeAnnotations.boundByController] = "yes" }
        volume.spec["claimRef"] = claim.objectReference
        return volume
    }

    /// The claim, naming the volume.
    static func claim(_ claim: KubeObject, to volume: KubeObject) -> KubeObject {
        var claim = claim
        if claim.spec["volumeName"].string ?? "" == "" {
            claim.spec["volumeName"] = .string(volume.name)
            claim.annotations[VolumeAnnotations.boundByController] = "yes"
        }
        if claim.annotations[VolumeAnnotations.bindCompleted] == nil {
            claim.annotations[VolumeAnnotations.bindCompleted] = "yes"
        }
        return claim
    }

    /// The status of the claim. Once bound, its capacity is for the resizer to change.
    static func status(_ claim: KubeObject, of volume: KubeObject) -> JSONValue {
        var status = claim.status
        let wasBound = status["phase"].string == "Bound"
        status["phase"] = "Bound"
        status["accessModes"] = volume.spec["accessModes"]
        if !wasBound || status["capacity"].isEmpty {
            status["capacity"] = ["storage": volume.spec["capacity"]["storage"]]
        }
        let name = volume.spec["volumeAttributesClassName"]
        if !name.isNull { status["currentVolumeAttributesClassName"] = name }
        return status
    }
}
