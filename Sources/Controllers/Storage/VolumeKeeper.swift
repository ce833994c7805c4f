// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Keeps the phase of each PersistentVolume, and frees those whose claim went elsewhere.
///
/// What is decided is in ``VolumeDecision``; released volumes are removed by what made them.
struct VolumeKeeper: Reconciler {
    private let client: KubeClient
    private let claims: Informer
    private let volumes: Informer
    private let events: EventSink

    init(_ context: ControllerContext) {
        client = context.client("persistentvolume-binder")
        claims = context.informers.informer(.persistentVolumeClaims)
        volumes = context.informers.informer(.persistentVolumes)
        events = context.events("persistentvolume-controller", account: "persistentvolume-binder")
    }

    func sources(_ index: VolumeIndexes) -> [Controller.Source] {
        [
            .objects(of: volumes),
            Controller.Source(claims) { [volumes] event in
                var keys: [ObjectKey] = []
                if let name = event.object.spec["volumeName"].string, !name.isEmpty {
                    keys.append(ObjectKey(namespace: "", name: name))
                }
                // The informer's own copy is at hand only by key: volumes meant for the claim follow from the index.
                keys += index.candidates(for: event.object).filter { !$0.spec["claimRef"].isNull }.map(\.key)
                return keys.filter { volumes.get($0) != nil }
            },
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let volume = volumes.get(key) else { return .done }
        let claim = try await claim(of: volume)
        do {
            switch VolumeDecision.decide(volume, claim: claim) {
            case .wait: break
            case .unbind: _ = try await client.update(.persistentVolumes, VolumeDecision.unbound(volume))
            case .phase(let phase, let message, let note):
                var new = volume
                new.status["phase"] = .string(phase)
                new.status["message"] = message.isEmpty ? .null : .string(message)
                guard new.status != volume.status else { break }
                _ = try await client.updateStatus(.persistentVolumes, new)
                if let note { events.warning(volume, reason: note.reason, note.message) }
            }
        } catch let error as StatusError where error.isNotFound {
            return .done
        }
        return .done
    }

    /// The claim that a volume is for; asked from the server before its data are given up.
    private func claim(of volume: KubeObject) async throws -> KubeObject? {
        let reference = volume.spec["claimRef"]
        guard let uid = reference["uid"].string, !uid.isEmpty else { return nil }
        let key = ObjectKey(namespace: reference["namespace"].string ?? "", name: reference["name"].string ?? "")
        if let claim = claims.get(key), claim.uid == uid { return claim }
        do {
            return try await client.get(.persistentVolumeClaims, key)
        } catch let error as StatusError where error.isNotFound {
            return nil
        }
    }
}
