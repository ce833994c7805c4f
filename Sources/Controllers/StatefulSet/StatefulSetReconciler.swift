// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Keeps pods with names, volumes and an order.
struct StatefulSetReconciler: Reconciler {
    let client: KubeClient
    let sets: Informer
    let setIndex: ObjectIndex
    let pods: ObjectIndex
    let claims: Informer
    let revisions: RevisionControl
    let events: EventSink
    private let written = WrittenObjects()

    init(_ context: ControllerContext, revisions index: ObjectIndex) {
        client = context.client("statefulset-controller")
        sets = context.informers.informer(.statefulSets)
        setIndex = .byOwner(sets)
        pods = context.podIndex
        claims = context.informers.informer(.persistentVolumeClaims)
        revisions = RevisionControl(
            client: client, revisions: index, kind: .statefulSets, hashLabel: "controller.kubernetes.io/hash")
        events = context.events("statefulset-controller")
    }

    func sources(_ informers: InformerFactory) -> [Controller.Source] {
        [
            .objects(of: sets),
            .owners(of: informers.informer(.pods), kind: "StatefulSet"),
            Controller.Source(informers.informer(.pods)) { [setIndex] event in
                let pod = event.object
                guard pod.controllerOwner == nil, !pod.isBeingDeleted else { return [] }
                return setIndex.all(in: pod.namespace).filter { set in
                    StatefulPod.ordinal(of: pod, set: set) != nil
                        && (try? LabelSelector(json: set.spec["selector"]))?.matches(pod.labels) == true
                }.map(\.key)
            },
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let cached = sets.get(key) else {
            written.forget(key)
            return .done
        }
        let set = written.newest(cached)
        let selector = try LabelSelector(json: set.spec["selector"])
        guard !selector.requirements.isEmpty else { return .done }
        let ownership = Ownership(
            owner: set, selector: selector, owned: pods.owned(by: set.uid),
            orphans: pods.orphans(in: key.namespace).filter { StatefulPod.ordinal(of: $0, set: set) != nil })
        let owned = try await ownership.apply(.pods, owner: set, as: .statefulSets, client: client)
        let history: RevisionHistory
        do {
            history = try await revisions.history(set, selector: selector)
        } catch is RevisionControl.Collision {
            var collided = set
            collided.status["collisionCount"] = JSONValue((set.status["collisionCount"].int ?? 0) + 1)
            try await write(collided.status, to: set)
            return .after(.milliseconds(10))
        }
        let known = history.revisions.first { $0.name == set.status["currentRevision"].string }
        let names = StatefulSetPlan.Revisions(
            current: known?.name ?? history.update.name, update: history.update.name)
        let plan = StatefulSetPlan(set, pods: owned, revisions: names, now: .now())
        if !set.isBeingDeleted { try await identify(owned, of: set, condemned: plan.condemned) }
        try await carryOut(plan, set, history: history)
        try await write(plan.status, to: set)
        let inUse = Set(owned.map(StatefulPod.revision(of:)) + [names.current])
        try await revisions.trim(history, of: set, inUse: inUse)
        return .after(plan.after)
    }

    private func carryOut(_ plan: StatefulSetPlan, _ set: KubeObject, history: RevisionHistory) async throws {
        for (pod, reason) in plan.deletions { try await delete(pod, of: set, reason) }
        for (ordinal, name) in plan.creations {
            let revision = history.revisions.first { $0.name == name }
            let template = revision.map(RevisionHistory.template(of:)) ?? set.spec["template"]
            let pod = StatefulPod.make(set, template: template, revision: name, ordinal: ordinal)
            try await createClaims(of: pod, ordinal: ordinal, set)
            try await create(pod, of: set)
        }
    }

    private func write(_ status: JSONValue, to set: KubeObject) async throws {
        guard status != set.status else { return }
        var new = set
        new.status = status
        do {
            written.note(try await client.updateStatus(.statefulSets, new))
        } catch let error as StatusError where error.isNotFound {
            return
        }
    }

    // MARK: Pods

    private func create(_ pod: KubeObject, of set: KubeObject) async throws {
        do {
            _ = try await client.create(.pods, pod)
            events.normal(
                set, reason: "SuccessfulCreate", "create Pod \(pod.name) in StatefulSet \(set.name) successful")
        } catch let error as StatusError where error.isNamespaceTerminating {
            return
        } catch {
            if (error as? StatusError)?.isAlreadyExists == true,
                try await client.get(.pods, pod.key).controllerOwner?.uid == set.uid
            {
                return
            }
            events.warning(
                set, reason: "FailedCreate",
                "create Pod \(pod.name) in StatefulSet \(set.name) failed error: \(PodControl.message(of: error))")
            throw error
        }
    }

    private func delete(_ pod: KubeObject, of set: KubeObject, _ reason: StatefulSetPlan.Reason) async throws {
        switch reason {
        case .failed:
            events.warning(
                set, reason: "RecreatingFailedPod", "StatefulSet \(set.key) is recreating failed Pod \(pod.name)")
        case .succeeded:
            events.normal(
                set, reason: "RecreatingTerminatedPod",
                "StatefulSet \(set.key) is recreating terminated Pod \(pod.name)")
        case .scaledDown, .updated: break
        }
        do {
            try await client.delete(.pods, pod.key, .init(uid: pod.uid))
            events.normal(
                set, reason: "SuccessfulDelete", "delete Pod \(pod.name) in StatefulSet \(set.name) successful")
        } catch let error as StatusError where error.isNotFound || error.isConflict {
            return
        } catch {
            events.warning(
                set, reason: "FailedDelete",
                "delete Pod \(pod.name) in StatefulSet \(set.name) failed error: \(PodControl.message(of: error))")
            throw error
        }
    }

    // MARK: Identity and claims

    /// Gives pods the labels, and claims the owners, that they ought to have.
    private func identify(_ pods: [KubeObject], of set: KubeObject, condemned: [KubeObject]) async throws {
        let past = Set(condemned.map(\.uid))
        for pod in pods {
            guard let ordinal = StatefulPod.ordinal(of: pod, set: set) else { continue }
            let labels = StatefulPod.missingLabels(pod, set)
            if !labels.isEmpty, !pod.isBeingDeleted {
                _ = try await client.patch(
                    .pods, pod.key, .merge, .object(["metadata": ["labels": JSONValue(labels)]]))
            }
            if pod.phase == "Pending", !pod.isBeingDeleted, !past.contains(pod.uid) {
                try await createClaims(of: pod, ordinal: ordinal, set)
            }
            for claim in StatefulPod.claims(set, ordinal: ordinal) {
                guard let present = claims.get(claim.key), !present.isBeingDeleted else { continue }
                let owners = StatefulPod.claimOwners(
                    present.ownerReferences, set, pod: pod, isCondemned: past.contains(pod.uid))
                guard Set(owners) != Set(present.ownerReferences) else { continue }
                _ = try await Ownership.write(owners, to: present, .persistentVolumeClaims, client)
            }
        }
    }

    private func createClaims(of pod: KubeObject, ordinal: Int, _ set: KubeObject) async throws {
        for var claim in StatefulPod.claims(set, ordinal: ordinal) where claims.get(claim.key) == nil {
            claim.ownerReferences = StatefulPod.claimOwners([], set, pod: nil, isCondemned: false)
            do {
                _ = try await client.create(.persistentVolumeClaims, claim)
                events.normal(
                    set, reason: "SuccessfulCreate",
                    "create Claim \(claim.name) Pod \(pod.name) in StatefulSet \(set.name) success")
            } catch let error as StatusError where error.isAlreadyExists || error.isNamespaceTerminating {
                continue
            } catch {
                events.warning(
                    set, reason: "FailedCreate",
                    "create Claim \(claim.name) for Pod \(pod.name) in StatefulSet \(set.name) failed error: "
                        + PodControl.message(of: error))
                throw error
            }
        }
    }
}
