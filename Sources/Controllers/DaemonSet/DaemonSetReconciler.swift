// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Synchronization

/// Keeps a pod on each node that a DaemonSet selects.
struct DaemonSetReconciler: Reconciler {
    let client: KubeClient
    let sets: Informer
    let setIndex: ObjectIndex
    let nodes: Informer
    let pods: ObjectIndex
    let revisions: RevisionControl
    let control: PodControl
    let burst: Int
    private let written = WrittenObjects()
    private let failures = DaemonFailures()

    init(_ context: ControllerContext, revisions index: ObjectIndex) {
        let name = "daemonset-controller"
        client = context.client(name)
        sets = context.informers.informer(.daemonSets)
        setIndex = .byOwner(sets)
        nodes = context.informers.informer(.nodes)
        pods = context.podIndex
        revisions = RevisionControl(
            client: client, revisions: index, kind: .daemonSets, hashLabel: DaemonPod.hashLabel)
        let expectations = Expectations(timeout: context.configuration.expectationTimeout)
        expectations.observe(context.informers.informer(.pods), ownerKind: "DaemonSet")
        control = PodControl(client: client, events: context.events(name), expectations: expectations)
        burst = context.configuration.burst
    }

    func sources(_ informers: InformerFactory) -> [Controller.Source] {
        [
            .objects(of: sets),
            .owners(of: informers.informer(.pods), kind: "DaemonSet"),
            Controller.Source(informers.informer(.pods)) { [setIndex] event in
                let pod = event.object
                guard pod.controllerOwner == nil, !pod.isBeingDeleted else { return [] }
                return setIndex.all(in: pod.namespace).filter { set in
                    (try? LabelSelector(json: set.spec["selector"]))?.matches(pod.labels) == true
                }.map(\.key)
            },
            Controller.Source(nodes) { [sets] event in
                if case .updated(let old, let new) = event, old.labels == new.labels,
                    old.spec["taints"] == new.spec["taints"],
                    old.spec["unschedulable"] == new.spec["unschedulable"]
                {
                    return []
                }
                return sets.list().map(\.key)
            },
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let cached = sets.get(key) else {
            control.expectations.forget(key)
            written.forget(key)
            failures.forget(key)
            return .done
        }
        let set = written.newest(cached)
        let selector = try LabelSelector(json: set.spec["selector"])
        guard !selector.requirements.isEmpty else {
            control.events.warning(
                set, reason: "SelectingAll",
                "This daemon set is selecting all pods. A non-empty selector is required.")
            return .done
        }
        let ownership = Ownership(
            owner: set, selector: selector, owned: pods.owned(by: set.uid), orphans: pods.orphans(in: key.namespace))
        let owned = try await ownership.apply(.pods, owner: set, as: .daemonSets, client: client)
        let history: RevisionHistory
        do {
            history = try await revisions.history(set, selector: selector)
        } catch is RevisionControl.Collision {
            var collided = set.status
            collided["collisionCount"] = JSONValue((set.status["collisionCount"].int ?? 0) + 1)
            try await write(collided, to: set)
            return .after(.milliseconds(10))
        }
        let hash = history.update.labels[DaemonPod.hashLabel] ?? ""
        let plan = DaemonSetPlan(
            set, nodes: nodes.list(), pods: owned, hash: hash, waits: failures.waits(key, owned), now: .now())
        let wait = control.expectations.remaining(key)
        var failure: (any Error)?
        if wait == nil, !set.isBeingDeleted { failure = await carryOut(plan, set, hash: hash) }
        try await write(plan.status, to: set)
        if let failure, (failure as? StatusError)?.isNamespaceTerminating != true { throw failure }
        let inUse = Set(owned.compactMap { $0.labels[DaemonPod.hashLabel] }.map { "\(set.name)-\($0)" })
        try await revisions.trim(history, of: set, inUse: inUse)
        return .after([wait, plan.after].compactMap { $0 }.min())
    }

    private func carryOut(_ plan: DaemonSetPlan, _ set: KubeObject, hash: String) async -> (any Error)? {
        for pod in plan.finished {
            let node = DaemonPod.node(of: pod)
            if pod.phase == "Failed" {
                failures.note(set.key, node: node)
                control.events.warning(
                    set, reason: "FailedDaemonPod",
                    "Found failed daemon pod \(pod.key) on node \(node), will try to kill it")
            } else {
                control.events.normal(
                    set, reason: "SucceededDaemonPod",
                    "Found succeeded daemon pod \(pod.key) on node \(node), will try to delete it")
            }
        }
        var failure: (any Error)?
        if !plan.creations.isEmpty {
            let pods = plan.creations.prefix(burst).map { DaemonPod.make(set, node: $0, hash: hash) }
            failure = await control.create(pods, owner: set)
        }
        guard !plan.deletions.isEmpty else { return failure }
        return await control.delete(Array(plan.deletions.prefix(burst)), owner: set) ?? failure
    }

    private func write(_ status: JSONValue, to set: KubeObject) async throws {
        guard status != set.status else { return }
        var new = set
        new.status = status
        do {
            written.note(try await client.updateStatus(.daemonSets, new))
        } catch let error as StatusError where error.isNotFound {
            return
        }
    }
}

/// How long failed pods of a node are kept: from a second, doubling with each, up to 15 minutes.
final class DaemonFailures: Sendable {
    private struct Entry {
        var count = 0
        var until: ContinuousClock.Instant = .now
    }

    private static let longest: Duration = .seconds(900)
    private let entries = Mutex<[ObjectKey: [String: Entry]]>([:])

    /// A failed pod of a node is replaced now; the next one waits.
    func note(_ key: ObjectKey, node: String) {
        entries.withLock { entries in
            var entry = entries[key]?[node] ?? Entry()
            // Long without a failure: it begins anew.
            if ContinuousClock.now - entry.until > Self.longest { entry.count = 0 }
            entry.count += 1
            entry.until = .now + min(.seconds(1) * (1 << min(entry.count - 1, 12)), Self.longest)
            entries[key, default: [:]][node] = entry
        }
    }

    /// By node, how long its failed pods are still kept.
    func waits(_ key: ObjectKey, _ pods: [KubeObject]) -> [String: Duration] {
        entries.withLock { entries in
            var waits: [String: Duration] = [:]
            for pod in pods where pod.phase == "Failed" {
                let node = DaemonPod.node(of: pod)
                if let entry = entries[key]?[node] { waits[node] = max(.zero, entry.until - .now) }
            }
            return waits
        }
    }

    func forget(_ key: ObjectKey) { entries.withLock { _ = $0.removeValue(forKey: key) } }
}
