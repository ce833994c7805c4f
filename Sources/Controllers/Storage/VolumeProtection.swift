// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Keeps claims that pods use and volumes that are bound from being removed: holds their finalizer until then.
///
/// Source: Kubernetes "Storage Object in Use Protection".
struct VolumeProtection: Reconciler {
    private let client: KubeClient
    private let resource: KubeResource
    private let objects: Informer
    private let finalizer: String
    private let isInUse: @Sendable (KubeObject) async throws -> Bool

    /// Protects claims. A pod counts as soon as it has a node and for as long as it exists.
    static func claims(_ context: ControllerContext, _ index: VolumeIndexes) -> VolumeProtection {
        let client = context.client("pvc-protection-controller")
        return VolumeProtection(
            client: client, resource: .persistentVolumeClaims,
            objects: context.informers.informer(.persistentVolumeClaims), finalizer: VolumeAnnotations.claimProtection
        ) { claim in
            if index.pods(using: claim.key).contains(where: { !$0.nodeName.isEmpty }) { return true }
            // The copy may be behind: a pod that the server knows counts.
            let pods = try await client.list(.pods, namespace: claim.namespace)
            return pods.items.contains { !$0.nodeName.isEmpty && VolumeIndexes.claims(of: $0).contains(claim.key) }
        }
    }

    /// Protects volumes.
    static func volumes(_ context: ControllerContext) -> VolumeProtection {
        VolumeProtection(
            client: context.client("pv-protection-controller"), resource: .persistentVolumes,
            objects: context.informers.informer(.persistentVolumes), finalizer: VolumeAnnotations.volumeProtection
        ) { $0.status["phase"].string == "Bound" }
    }

    /// For claims: also the pods that use them.
    func sources(pods: Informer? = nil) -> [Controller.Source] {
        guard let pods else { return [.objects(of: objects)] }
        return [
            .objects(of: objects),
            Controller.Source(pods) { [objects] event in
                VolumeIndexes.claims(of: event.object).filter { objects.get($0)?.isBeingDeleted == true }
            },
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard var object = objects.get(key) else { return .done }
        let isHeld = object.finalizers.contains(finalizer)
        if object.isBeingDeleted {
            guard isHeld, try await !isInUse(object) else { return .done }
            object.finalizers.removeAll { $0 == finalizer }
        } else {
            guard !isHeld else { return .done }
            object.finalizers.append(finalizer)
        }
        do {
            _ = try await client.update(resource, object)
        } catch let error as StatusError where error.isNotFound {
            return .done
        }
        return .done
    }
}
