// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Makes the claims of pods' generic ephemeral volumes, which live and die with the pod.
///
/// Source: Kubernetes "Ephemeral Volumes", "Generic ephemeral volumes".
struct EphemeralClaims: Reconciler {
    private let client: KubeClient
    private let pods: Informer
    private let claims: Informer
    private let events: EventSink

    init(_ context: ControllerContext) {
        client = context.client("ephemeral-volume-controller")
        pods = context.informers.informer(.pods)
        claims = context.informers.informer(.persistentVolumeClaims)
        events = context.events("ephemeral_volume", account: "ephemeral-volume-controller")
    }

    var sources: [Controller.Source] {
        [
            Controller.Source(pods) { event in
                let hasAny = event.object.spec["volumes"].elements.contains { !$0["ephemeral"].isNull }
                return hasAny ? [event.object.key] : []
            },
            Controller.Source(claims) { event in
                guard case .deleted(let claim) = event, let owner = claim.controllerOwner, owner.kind == "Pod" else {
                    return []
                }
                return [ObjectKey(namespace: claim.namespace, name: owner.name)]
            },
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let pod = pods.get(key), !pod.isBeingDeleted else { return .done }
        for volume in pod.spec["volumes"].elements where !volume["ephemeral"].isNull {
            guard let claim = Self.claim(of: volume, pod) else { continue }
            if let present = claims.get(claim.key) {
                guard present.controllerOwner?.uid != pod.uid else { continue }
                let message = "PVC \(claim.key) was not created for pod \(pod.key) (pod is not owner)"
                events.warning(pod, reason: "EphemeralVolume", message)
                continue
            }
            do {
                _ = try await client.create(.persistentVolumeClaims, claim)
            } catch let error as StatusError where error.isAlreadyExists || error.isNamespaceTerminating {
                continue
            }
        }
        return .done
    }

    /// The claim of one volume of a pod.
    static func claim(of volume: JSONValue, _ pod: KubeObject) -> KubeObject? {
        guard let name = VolumeAnnotations.claimName(of: volume, pod: pod.name) else { return nil }
        let template = volume["ephemeral"]["volumeClaimTemplate"]
        var claim = KubeObject(.persistentVolumeClaims, namespace: pod.namespace, name: name)
        claim.labels = template["metadata"]["labels"].stringMembers
        claim.annotations = template["metadata"]["annotations"].stringMembers
        claim.ownerReferences = [pod.controllerReference]
        claim.spec = template["spec"]
        return claim
    }
}
