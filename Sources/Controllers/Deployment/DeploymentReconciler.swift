// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Rolls a Deployment's ReplicaSets from the old versions of its template to the present one.
struct DeploymentReconciler: Reconciler {
    let client: KubeClient
    let deployments: Informer
    let deploymentIndex: ObjectIndex
    let replicaSets: ObjectIndex
    let pods: ObjectIndex
    let events: EventSink

    init(_ context: ControllerContext) {
        client = context.client("deployment-controller")
        deployments = context.informers.informer(.deployments)
        deploymentIndex = .byOwner(deployments)
        replicaSets = context.replicaSetIndex
        pods = context.podIndex
        events = context.events("deployment-controller")
    }

    func sources(_ informers: InformerFactory) -> [Controller.Source] {
        let sets = informers.informer(.replicaSets)
        return [
            .objects(of: deployments),
            .owners(of: sets, kind: "Deployment"),
            Controller.Source(sets) { [deploymentIndex] event in
                let set = event.object
                guard set.controllerOwner == nil, !set.isBeingDeleted else { return [] }
                return deploymentIndex.all(in: set.namespace).filter { deployment in
                    (try? LabelSelector(json: deployment.spec["selector"]))?.matches(set.labels) == true
                }.map(\.key)
            },
            // Recreate waits for the old pods to be gone.
            Controller.Source(informers.informer(.pods)) { [deployments] event in
                guard case .deleted(let pod) = event, let owner = pod.controllerOwner, owner.kind == "ReplicaSet",
                    let set = sets.get(ObjectKey(namespace: pod.namespace, name: owner.name)),
                    let deployment = set.controllerOwner, deployment.kind == "Deployment"
                else { return [] }
                let key = ObjectKey(namespace: pod.namespace, name: deployment.name)
                return deployments.get(key)?.spec["strategy"]["type"].string == "Recreate" ? [key] : []
            },
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let deployment = deployments.get(key) else {
            return .done
        }
        let selector = try LabelSelector(json: deployment.spec["selector"])
        guard !selector.requirements.isEmpty else {
            events.warning(
                deployment, reason: "SelectingAll",
                "This deployment is selecting all pods. A non-empty selector is required.")
            return .done
        }
        let ownership = Ownership(
            owner: deployment, selector: selector, owned: replicaSets.owned(by: deployment.uid),
            orphans: replicaSets.orphans(in: key.namespace))
        let owned = try await ownership.apply(.replicaSets, owner: deployment, as: .deployments, client: client)
        var rollout = Rollout(
            deployment: deployment, history: DeploymentHistory(deployment, replicaSets: owned),
            status: DeploymentStatus(deployment, now: .now()), client: client, events: events)
        do {
            try await rollout.advance { set in pods.owned(by: set.uid) }
        } catch let error as StatusError where error.isNamespaceTerminating {
            return .done
        }
        return .after(rollout.status.untilDeadline)
    }
}
