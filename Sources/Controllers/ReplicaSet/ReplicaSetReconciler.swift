// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Keeps as many pods of a template as a ReplicaSet or a ReplicationController says.
struct ReplicaSetReconciler: Reconciler {
    /// Which of the two kinds is looked after; they differ in the form of their selector.
    struct Flavor: Sendable {
        var resource: KubeResource
        /// The controller's name.
        var name: String
        var selector: @Sendable (KubeObject) throws(StatusError) -> LabelSelector

        static let replicaSet = Flavor(resource: .replicaSets, name: "replicaset-controller") {
            set throws(StatusError) in try LabelSelector(json: set.spec["selector"])
        }
        static let replicationController = Flavor(
            resource: .replicationControllers, name: "replication-controller"
        ) { controller throws(StatusError) in
            LabelSelector(matchLabels: controller.spec["selector"].stringMembers)
        }
    }

    let flavor: Flavor
    let client: KubeClient
    let replicaSets: Informer
    let replicaSetIndex: ObjectIndex
    let pods: ObjectIndex
    let control: PodControl
    let burst: Int

    init(_ context: ControllerContext, flavor: Flavor = .replicaSet) {
        self.flavor = flavor
        client = context.client(flavor.name)
        replicaSets = context.informers.informer(flavor.resource)
        replicaSetIndex = flavor.resource == .replicaSets ? context.replicaSetIndex : .byOwner(replicaSets)
        pods = context.podIndex
        let expectations = Expectations(timeout: context.configuration.expectationTimeout)
        expectations.observe(context.informers.informer(.pods), ownerKind: flavor.resource.kind)
        control = PodControl(client: client, events: context.events(flavor.name), expectations: expectations)
        burst = context.configuration.burst
    }

    func sources(_ informers: InformerFactory) -> [Controller.Source] {
        [
            .objects(of: replicaSets),
            .owners(of: informers.informer(.pods), kind: flavor.resource.kind),
            Controller.Source(informers.informer(.pods)) { [replicaSetIndex, flavor] event in
                let pod = event.object
                guard pod.controllerOwner == nil, !pod.isBeingDeleted else { return [] }
                if case .deleted = event { return [] }
                return replicaSetIndex.all(in: pod.namespace).filter { set in
                    guard let selector = try? flavor.selector(set), !selector.requirements.isEmpty else { return false }
                    return selector.matches(pod.labels)
                }.map(\.key)
            },
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let replicaSet = replicaSets.get(key) else {
            control.expectations.forget(key)
            return .done
        }
        let wait = control.expectations.remaining(key)
        let selector = try flavor.selector(replicaSet)
        guard !selector.requirements.isEmpty else { return .done }
        let ownership = Ownership(
            owner: replicaSet, selector: selector, owned: pods.owned(by: replicaSet.uid),
            orphans: pods.orphans(in: key.namespace).filter(\.isActivePod))
        let owned = try await ownership.apply(.pods, owner: replicaSet, as: flavor.resource, client: client)
        let plan = ReplicaSetPlan(replicaSet, pods: owned)
        var failure: (any Error)?
        if wait == nil, !replicaSet.isBeingDeleted { failure = await carryOut(plan, for: replicaSet) }
        if (failure as? StatusError)?.isNamespaceTerminating == true { failure = nil }

        let now = Timestamp.now()
        let status = ReplicaSetPlan.status(
            of: replicaSet, active: plan.active, missing: plan.missing, failure: failure.map(PodControl.message(of:)),
            now: now)
        if status != replicaSet.status {
            var new = replicaSet
            new.status = status
            do {
                _ = try await client.updateStatus(flavor.resource, new)
            } catch let error as StatusError where error.isNotFound {
                return .done
            }
        }
        if let failure { throw failure }
        let next = ReplicaSetPlan.nextAvailability(of: replicaSet, active: plan.active, now: now)
        return .after([wait, next].compactMap { $0 }.min())
    }

    private func carryOut(_ plan: ReplicaSetPlan, for replicaSet: KubeObject) async -> (any Error)? {
        if plan.missing > 0 {
            let pod = PodTemplate.pod(
                replicaSet.spec["template"], owner: replicaSet, namePrefix: "\(replicaSet.name)-")
            return await control.create(
                Array(repeating: pod, count: min(plan.missing, burst)), owner: replicaSet)
        }
        if plan.missing < 0 {
            let order = PodRanking.deletionOrder(plan.active, related: related(to: replicaSet), now: .now())
            return await control.delete(Array(order.prefix(min(-plan.missing, burst))), owner: replicaSet)
        }
        return nil
    }

    /// The pods of all ReplicaSets with the same controller.
    private func related(to replicaSet: KubeObject) -> [KubeObject] {
        guard let owner = replicaSet.controllerOwner else { return pods.owned(by: replicaSet.uid) }
        return replicaSetIndex.owned(by: owner.uid).flatMap { pods.owned(by: $0.uid) }
    }
}
