// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Marks each PersistentVolumeClaim `Bound`: the node agent provides its directory by the claim's uid.
struct ClaimBinder: Reconciler {
    let client: KubeClient
    let claims: Informer

    init(_ context: ControllerContext) {
        client = context.client("persistentvolume-binder")
        claims = context.informers.informer(.persistentVolumeClaims)
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard var claim = claims.get(key), !claim.isBeingDeleted else { return .done }
        do {
            if claim.spec["volumeName"].string?.isEmpty ?? true {
                let change: JSONValue = [
                    "metadata": [
                        "resourceVersion": .string(claim.resourceVersion),
                        "annotations": [
                            "pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes",
                        ],
                    ],
                    "spec": ["volumeName": .string("pvc-\(claim.uid)")],
                ]
                claim = try await client.patch(.persistentVolumeClaims, key, .merge, change)
            }
            guard claim.spec["volumeName"].string == "pvc-\(claim.uid)" else { return .done }
            let status = Self.status(claim)
            guard status != claim.status else { return .done }
            claim.status = status
            _ = try await client.updateStatus(.persistentVolumeClaims, claim)
        } catch let error as StatusError where error.isNotFound {
            return .done
        }
        return .done
    }

    /// The status of a bound claim.
    static func status(_ claim: KubeObject) -> JSONValue {
        var status = claim.status
        status["phase"] = "Bound"
        status["accessModes"] = claim.spec["accessModes"]
        status["capacity"] = ["storage": claim.spec["resources"]["requests"]["storage"]]
        return status
    }
}
