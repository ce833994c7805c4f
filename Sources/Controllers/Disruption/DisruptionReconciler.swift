// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Keeps the status of PodDisruptionBudgets, which evictions are decided by.
struct DisruptionReconciler: Reconciler {
    let client: KubeClient
    let budgets: Informer
    let budgetIndex: ObjectIndex
    let pods: ObjectIndex
    let replicaSets: Informer
    let deployments: Informer
    let events: EventSink
    private let written = WrittenObjects()

    init(_ context: ControllerContext) {
        client = context.client("disruption-controller")
        budgets = context.informers.informer(.podDisruptionBudgets)
        budgetIndex = .byOwner(budgets)
        pods = context.podIndex
        replicaSets = context.informers.informer(.replicaSets)
        deployments = context.informers.informer(.deployments)
        events = context.events("controllermanager")
    }

    func sources(_ informers: InformerFactory) -> [Controller.Source] {
        [
            .objects(of: budgets),
            Controller.Source(informers.informer(.pods)) { [budgetIndex] event in
                var states = [event.object.labels]
                if case .updated(let old, let new) = event {
                    // Only what counts: readiness, deletion, labels.
                    if old.labels == new.labels, old.isReadyPod == new.isReadyPod,
                        old.isBeingDeleted == new.isBeingDeleted, old.controllerOwner == new.controllerOwner
                    {
                        return []
                    }
                    states.append(old.labels)
                }
                return budgetIndex.all(in: event.object.namespace).filter { budget in
                    guard let selector = Self.selector(budget) else { return false }
                    return states.contains(where: selector.matches)
                }.map(\.key)
            },
        ]
    }

    /// Nil when the budget selects nothing.
    static func selector(_ budget: KubeObject) -> LabelSelector? {
        let json = budget.spec["selector"]
        return json.isNull ? nil : try? LabelSelector(json: json)
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let cached = budgets.get(key) else {
            written.forget(key)
            return .done
        }
        let budget = written.newest(cached)
        let selector = Self.selector(budget)
        let selected = pods.all(in: key.namespace).filter { selector?.matches($0.labels) == true }
        if selected.isEmpty { events.normal(budget, reason: "NoPods", "No matching pods found") }
        let result: DisruptionStatus
        do {
            let needsScale = DisruptionStatus.needsScale(budget.spec)
            let scale = needsScale ? try await self.scale(selected) : DisruptionStatus.Scale()
            if !scale.unmanaged.isEmpty {
                events.warning(
                    budget, reason: "UnmanagedPods",
                    "Pods selected by this PodDisruptionBudget (selector: \(selector?.description ?? "")) were found "
                        + "to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which "
                        + "may result in undefined behavior. To account for these pods please set "
                        + "\".spec.minAvailable\" field of the PDB to an integer value.")
            }
            result = DisruptionStatus(budget, pods: selected, scale: scale, now: .now())
        } catch let failure as NoController {
            events.warning(
                budget, reason: "CalculateExpectedPodCountFailed",
                "Failed to calculate the number of expected pods: \(failure.description)")
            result = DisruptionStatus(budget, failure: failure.description, now: .now())
        }
        for name in result.notDeleted {
            events.warning(
                budget, reason: "NotDeleted",
                "Pod was expected by PDB \(key) to be deleted but it wasn't: \(name)")
        }
        if result.status != budget.status {
            var new = budget
            new.status = result.status
            do {
                written.note(try await client.updateStatus(.podDisruptionBudgets, new))
            } catch let error as StatusError where error.isNotFound {
                return .done
            }
        }
        return .after(result.after)
    }

    /// A pod's controller has no size that can be asked for.
    private struct NoController: Error { var description: String }

    private func scale(_ pods: [KubeObject]) async throws -> DisruptionStatus.Scale {
        var scale = DisruptionStatus.Scale()
        var seen: Set<String> = []
        var discovery: ResourceDiscovery?
        for pod in pods {
            guard let owner = pod.controllerOwner else {
                scale.unmanaged.append(pod.name)
                continue
            }
            guard seen.insert(owner.uid).inserted else { continue }
            if owner.kind == "ReplicaSet",
                let set = replicaSets.get(ObjectKey(namespace: pod.namespace, name: owner.name)), set.uid == owner.uid
            {
                guard let parent = set.controllerOwner, parent.kind == "Deployment",
                    let deployment = deployments.get(ObjectKey(namespace: pod.namespace, name: parent.name)),
                    deployment.uid == parent.uid
                else {
                    scale.expected += set.wantedReplicas
                    continue
                }
                if seen.insert(parent.uid).inserted { scale.expected += deployment.wantedReplicas }
                continue
            }
            let known: ResourceDiscovery
            if let discovery {
                known = discovery
            } else {
                known = try await ResourceDiscovery(client: client)
                discovery = known
            }
            scale.expected += try await replicas(of: owner, pod, known)
        }
        return scale
    }

    /// The wanted number of an owner of any kind that has the `scale` subresource.
    private func replicas(
        of owner: OwnerReference, _ pod: KubeObject, _ discovery: ResourceDiscovery
    ) async throws -> Int {
        let failure = NoController(description: "found no controllers for pod \"\(pod.name)\"")
        guard let resource = discovery.resource(ownerVersion: owner.apiVersion, kind: owner.kind) else { throw failure }
        do {
            let key = ObjectKey(namespace: pod.namespace, name: owner.name)
            let scale = try await client.get(resource, key, subresource: "scale")
            guard scale.uid.isEmpty || scale.uid == owner.uid else { throw failure }
            return scale.spec["replicas"].int ?? 0
        } catch let error as StatusError where error.isNotFound {
            throw failure
        }
    }
}
