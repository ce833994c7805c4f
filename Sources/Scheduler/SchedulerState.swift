// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import SchedulerCore

/// How far binding the volumes of a pod is.
enum VolumeProgress: Equatable {
    case waiting
    case bound
    /// The node is not the one that a claim's volume is to be made for, as the claim's version says.
    case unchosen(ObjectKey, version: Int64)
    /// It will not come to an end on that node.
    case failed(String)
}

/// What the scheduler knows: the cluster, the pods that wait, and the decisions that are not confirmed yet.
struct SchedulerState: Sendable {
    /// A pod and what was decided for it.
    struct Attempt: Sendable {
        var pod: PodInfo
        var decision: SchedulingDecision
        /// What is to be done for its claims before it is bound.
        var volumes = VolumePlan()
        /// What becomes of `status.nominatedNodeName`.
        var nomination = Nomination.stands
        /// Pods to be deleted to make room for this one.
        var preemption: PreemptionPlan?
    }

    /// What becomes of the node that is named for a pod that fits nowhere.
    enum Nomination: Equatable, Sendable {
        case stands
        case node(String)
        /// `wasNamed`: there is one to be taken back; else there may be one that is not known here any more.
        case none(wasNamed: Bool)
    }

    /// How long a bound pod is counted before the API server has shown it bound.
    private static let assumptionLifetime: Duration = .seconds(30)

    private(set) var cluster = ClusterState()
    private var queue = SchedulingQueue()
    private var algorithm = SchedulingAlgorithm()
    private var preemptor = Preemptor()
    private let schedulerName: String
    /// Ends of the assumptions, in order.
    private var assumptions: [(end: Duration, key: ObjectKey, uid: String)] = []

    init(schedulerName: String) { self.schedulerName = schedulerName }

    /// Takes in a change of a node.
    mutating func apply(node event: InformerEvent, now: Duration) {
        switch event {
        case .added(let node):
            cluster.setNode(NodeSpec(node))
            queue.changed(.nodeAdded, now: now)
        case .updated(let old, let new):
            // Heartbeats change conditions only.
            guard
                old.spec != new.spec || old.labels != new.labels
                    || old.status["allocatable"] != new.status["allocatable"]
                    || old.status["capacity"] != new.status["capacity"]
            else { return }
            cluster.setNode(NodeSpec(new))
            queue.changed(.nodeChanged, now: now)
        case .deleted(let node):
            cluster.removeNode(node.name)
            queue.changed(.nodeRemoved, now: now)
        }
    }

    /// Takes in a change of a namespace.
    mutating func apply(namespace event: InformerEvent) {
        switch event {
        case .added(let namespace), .updated(_, let namespace):
            cluster.namespaceLabels[namespace.name] = namespace.labels
        case .deleted(let namespace): cluster.namespaceLabels[namespace.name] = nil
        }
    }

    /// Takes in a change of a pod; returns the pod when it has just been found to be held back by gates.
    mutating func apply(pod event: InformerEvent, now: Duration) -> PodInfo? {
        switch event {
        case .deleted(let pod):
            release(pod.key, now: now)
        case .added(let pod):
            let gated = put(pod, now: now)
            note(pod, before: nil)
            return gated
        case .updated(let old, let new):
            if old.uid != new.uid { release(old.key, now: now) }
            defer { note(new, before: old.uid == new.uid ? old : nil) }
            let hasEnded = Self.isEnded(new) != Self.isEnded(old)
            guard
                old.uid != new.uid || hasEnded || old.isBeingDeleted != new.isBeingDeleted || old.spec != new.spec
                    || old.labels != new.labels
            else { return nil }
            return put(new, now: now)
        }
        return nil
    }

    private mutating func put(_ pod: KubeObject, now: Duration) -> PodInfo? {
        guard !Self.isEnded(pod) else {
            release(pod.key, now: now)
            return nil
        }
        let info = PodInfo(pod)
        if !info.nodeName.isEmpty {
            queue.remove(info.key)
            cluster.nominations.remove(info.key)
            cluster.setPod(info)
            queue.changed(.podAssigned, now: now)
            return nil
        }
        guard info.schedulerName == schedulerName else { return nil }
        let isBound = cluster.contains(info.key, uid: info.uid) && queue.place(of: info.key) != .inFlight
        guard !isBound else { return nil }
        guard !info.isBeingDeleted else {
            queue.remove(info.key)
            cluster.nominations.remove(info.key)
            return nil
        }
        queue.add(info, now: now)
        if let node = cluster.nominations.node(of: info.key) { cluster.nominations.set(info, on: node) }
        return info.schedulingGates.isEmpty ? nil : info
    }

    /// Takes in what of a pod's status has changed and matters for preemption.
    private mutating func note(_ pod: KubeObject, before old: KubeObject?) {
        let start = pod.status["startTime"]
        if let text = start.string, start != old?.status["startTime"], let time = Timestamp(rfc3339: text) {
            cluster.setStartTime(time, of: pod.key, uid: pod.uid)
        }
        let name = pod.status["nominatedNodeName"].string ?? ""
        guard name != old?.status["nominatedNodeName"].string ?? "" else { return }
        if name.isEmpty {
            cluster.nominations.remove(pod.key)
        } else if let waiting = queue.pod(pod.key), waiting.uid == pod.uid,
            !cluster.contains(pod.key, uid: pod.uid)
        {
            cluster.nominations.set(waiting, on: name)
        }
    }

    private mutating func release(_ key: ObjectKey, now: Duration) {
        queue.remove(key)
        cluster.nominations.remove(key)
        guard let pod = cluster.pod(key) else { return }
        let wasPreempted = cluster.isBeingPreempted(pod)
        cluster.removePod(key)
        queue.changed(.podReleased, now: now)
        if wasPreempted { retryNominated(pod, now: now) }
    }

    /// A pod has gone to make room: those that waited for it need not wait for the end of their back-off, once all of
    /// its kind have gone from the node.
    private mutating func retryNominated(_ gone: PodInfo, now: Duration) {
        for waiting in cluster.nominations.pods(on: gone.nodeName) where gone.priority < waiting.priority {
            let isDone =
                cluster.node(gone.nodeName)?.pods.contains {
                    $0.priority < waiting.priority && cluster.isBeingPreempted($0)
                } != true
            if isDone { queue.reconsider(waiting.key, atOnce: true, now: now) }
        }
    }

    private static func isEnded(_ pod: KubeObject) -> Bool {
        let phase = pod.status["phase"].string
        return phase == "Succeeded" || phase == "Failed"
    }

    /// Takes the next pod and decides; a pod that got a node is assumed there.
    mutating func next(now: Duration) -> Attempt? {
        expireAssumptions(now: now)
        guard let pod = queue.pop(now: now) else { return nil }
        let decision = algorithm.schedule(pod, on: cluster)
        var attempt = Attempt(pod: pod, decision: decision)
        switch decision {
        case .node(let name, _):
            if let filter = VolumeFilter(pod, on: cluster), let node = cluster.node(name) {
                attempt.volumes = filter.plan(node.spec) ?? VolumePlan()
                cluster.volumes.take(attempt.volumes)
            }
            cluster.nominations.remove(pod.key)
            cluster.assume(pod, on: name)
        case .unschedulable(let error):
            queue.rejected(pod.key, uid: pod.uid, by: error.plugins, now: now)
            makeRoom(for: &attempt, rejectedBy: error)
        }
        return attempt
    }

    /// Finds pods of lower priority to be removed; counts them as going, and the pod as coming, from now on.
    private mutating func makeRoom(for attempt: inout Attempt, rejectedBy error: FitError) {
        var error = error
        let pod = attempt.pod
        switch preemptor.attempt(for: pod, rejectedBy: error, on: cluster) {
        case .plan(let plan):
            cluster.markVictims(plan.victims)
            for displaced in plan.displaced { cluster.nominations.remove(displaced.key) }
            cluster.nominations.set(pod, on: plan.node)
            attempt.nomination = .node(plan.node)
            attempt.preemption = plan
        case .ineligible(let why):
            error.preemption = why
        case .unhelpful(let why):
            error.preemption = why
            attempt.nomination = .none(wasNamed: cluster.nominations.node(of: pod.key) != nil)
            cluster.nominations.remove(pod.key)
        }
        attempt.decision = .unschedulable(error)
    }

    /// A pod that was to make room could not be deleted: the pod that needs the room looks for it again.
    mutating func preemptionFailed(of victim: PodInfo, for pod: PodInfo, now: Duration) {
        cluster.unmarkVictim(victim)
        queue.reconsider(pod.key, atOnce: false, now: now)
    }

    /// Takes in a change of a disruption budget.
    mutating func apply(budget event: InformerEvent) {
        if case .deleted(let budget) = event {
            cluster.removeBudget(budget.key)
        } else {
            cluster.setBudget(DisruptionBudget(event.object))
        }
    }

    /// Takes in a change of a claim.
    mutating func apply(claim event: InformerEvent, now: Duration) {
        if case .deleted(let claim) = event {
            cluster.volumes.removeClaim(claim.key)
        } else {
            cluster.volumes.set(ClaimInfo(event.object))
            queue.changed(.volumeChanged, now: now)
        }
    }

    /// Takes in a change of a volume.
    mutating func apply(volume event: InformerEvent, now: Duration) {
        if case .deleted(let volume) = event {
            cluster.volumes.removeVolume(volume.name)
        } else {
            cluster.volumes.set(VolumeInfo(event.object))
            queue.changed(.volumeChanged, now: now)
        }
    }

    /// Takes in a change of a storage class.
    mutating func apply(storageClass event: InformerEvent, now: Duration) {
        if case .deleted(let storageClass) = event {
            cluster.volumes.removeClass(storageClass.name)
        } else {
            cluster.volumes.set(StorageClassInfo(event.object))
            queue.changed(.volumeChanged, now: now)
        }
    }

    /// A plan for claims came to nothing.
    mutating func release(_ plan: VolumePlan) { cluster.volumes.release(plan) }

    /// How far the claims of a pod are, which is to go to a node.
    func progress(of claims: [ObjectKey], node name: String, provisioned: [ObjectKey]) -> VolumeProgress {
        guard let node = cluster.node(name) else { return .failed("node \"\(name)\" is gone") }
        for key in claims {
            guard let claim = cluster.volumes.claims[key] else {
                return .failed("persistentvolumeclaim \"\(key.name)\" is gone")
            }
            if claim.isBound, let volume = cluster.volumes.volumes[claim.volumeName] {
                guard volume.accepts(node.spec) else {
                    return .failed("volume \"\(volume.name)\" of claim \"\(key.name)\" cannot be used on \(name)")
                }
                continue
            }
            return provisioned.contains(key) && claim.selectedNode != name
                ? .unchosen(key, version: claim.version) : .waiting
        }
        return .bound
    }

    /// The API server has taken the binding.
    mutating func bound(_ pod: PodInfo, now: Duration) {
        guard cluster.isAssumed(pod.key) else { return }
        queue.remove(pod.key)
        assumptions.append((now + Self.assumptionLifetime, pod.key, pod.uid))
    }

    /// The API server has not taken the binding; `isFinal`: there is nothing to try again, the pod is gone or bound.
    mutating func bindingFailed(_ pod: PodInfo, isFinal: Bool, now: Duration) {
        if isFinal { queue.remove(pod.key) } else { queue.failed(pod.key, uid: pod.uid, now: now) }
        if cluster.forget(pod.key, uid: pod.uid) { queue.changed(.podReleased, now: now) }
    }

    /// Whether this has not been told about the waiting pod before.
    mutating func tell(_ message: String, about pod: PodInfo) -> Bool { queue.tell(message, about: pod.key) }

    /// When something is to be done though nothing changes.
    mutating func nextDeadline() -> Duration? {
        guard let assumption = assumptions.first?.end else { return queue.nextDeadline() }
        return queue.nextDeadline().map { min($0, assumption) } ?? assumption
    }

    private mutating func expireAssumptions(now: Duration) {
        guard let first = assumptions.first, first.end <= now else { return }
        let count = assumptions.firstIndex { $0.end > now } ?? assumptions.count
        for assumption in assumptions.prefix(count) where cluster.forget(assumption.key, uid: assumption.uid) {
            queue.changed(.podReleased, now: now)
        }
        assumptions.removeFirst(count)
    }
}
