// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The next step of a StatefulSet: pods to create and delete, and the status to report.
///
/// Source: Kubernetes "StatefulSets", "Deployment and Scaling Guarantees" and "Update strategies".
struct StatefulSetPlan: Sendable {
    /// What the set is brought to.
    struct Revisions: Sendable {
        /// Names of the revision that is being left and of the one that is wanted; equal when all is done.
        var current: String
        var update: String
    }

    /// Why a pod is deleted.
    enum Reason: Equatable, Sendable {
        case scaledDown
        case updated
        case failed
        case succeeded
    }

    /// Ordinals of the pods to create, with the names of their revisions.
    private(set) var creations: [(ordinal: Int, revision: String)] = []
    private(set) var deletions: [(pod: KubeObject, reason: Reason)] = []
    /// Pods past the set's end.
    private(set) var condemned: [KubeObject] = []
    private(set) var status: JSONValue
    /// When a pod becomes available by time alone.
    private(set) var after: Duration?

    private let owner: KubeObject
    private let revisions: Revisions
    private let now: Timestamp
    /// By ordinal; nil where there is none.
    private var replicas: [KubeObject?]
    private var firstUnhealthy: KubeObject?

    init(_ set: KubeObject, pods: [KubeObject], revisions: Revisions, now: Timestamp) {
        owner = set
        self.revisions = revisions
        self.now = now
        status = set.status
        let first = set.spec["ordinals"]["start"].int ?? 0
        let count = set.spec["replicas"].int ?? 1
        replicas = Array(repeating: nil, count: max(0, count))
        var past: [(Int, KubeObject)] = []
        for pod in pods {
            guard let ordinal = StatefulPod.ordinal(of: pod, set: set) else { continue }
            if replicas.indices.contains(ordinal - first) {
                replicas[ordinal - first] = pod
            } else {
                past.append((ordinal, pod))
            }
        }
        // The highest goes first.
        condemned = past.sorted { $0.0 > $1.0 }.map(\.1)
        let inOrder = replicas.compactMap { $0 } + condemned.reversed()
        firstUnhealthy = inOrder.first { !isHealthy($0) }
        report(pods)
        guard !set.isBeingDeleted else { return }
        if !fill(from: first) { scaleDown() }
    }

    // MARK: The spec

    private var isOrdered: Bool { owner.spec["podManagementPolicy"].string != "Parallel" }
    private var minReadySeconds: Int { owner.spec["minReadySeconds"].int ?? 0 }
    private var isRolling: Bool { (owner.spec["updateStrategy"]["type"].string ?? "RollingUpdate") == "RollingUpdate" }
    private var partition: Int { owner.spec["updateStrategy"]["rollingUpdate"]["partition"].int ?? 0 }
    private var start: Int { owner.spec["ordinals"]["start"].int ?? 0 }

    private var maxUnavailable: Int {
        let value = owner.spec["updateStrategy"]["rollingUpdate"]["maxUnavailable"]
        guard !value.isNull else { return 1 }
        return max(1, RollingUpdate.count(value, of: replicas.count, roundsUp: true))
    }

    private func isRunning(_ pod: KubeObject) -> Bool { pod.phase == "Running" && pod.isReadyPod }
    private func isAvailable(_ pod: KubeObject) -> Bool {
        pod.isAvailablePod(minReadySeconds: minReadySeconds, now: now) && pod.phase == "Running"
    }
    private func isHealthy(_ pod: KubeObject) -> Bool { isAvailable(pod) && !pod.isBeingDeleted }

    /// The revision of a new pod: below the partition, or while it is not known how far the update is, the old one.
    private func revision(forOrdinal ordinal: Int) -> String {
        guard isRolling, revisions.current != revisions.update else { return revisions.update }
        if owner.spec["updateStrategy"]["rollingUpdate"].isNull {
            return ordinal < start + (owner.status["currentReplicas"].int ?? 0) ? revisions.current : revisions.update
        }
        return ordinal < start + partition ? revisions.current : revisions.update
    }

    // MARK: Status

    private mutating func report(_ pods: [KubeObject]) {
        func count(_ field: String, keepsZero: Bool = false, _ isCounted: (KubeObject) -> Bool) {
            let number = pods.count(where: isCounted)
            status[field] = number == 0 && !keepsZero ? .null : JSONValue(number)
        }
        count("replicas", keepsZero: true) { _ in true }
        count("readyReplicas", isRunning)
        count("availableReplicas", keepsZero: true, isAvailable)
        count("currentReplicas") { !$0.isBeingDeleted && StatefulPod.revision(of: $0) == revisions.current }
        count("updatedReplicas") { !$0.isBeingDeleted && StatefulPod.revision(of: $0) == revisions.update }
        status["observedGeneration"] = JSONValue(owner.generation)
        status["currentRevision"] = .string(revisions.current)
        status["updateRevision"] = .string(revisions.update)
        if status["collisionCount"].isNull { status["collisionCount"] = 0 }
        let updated = status["updatedReplicas"].int ?? 0
        if isRolling, updated == status["replicas"].int ?? 0, updated == status["readyReplicas"].int ?? 0,
            updated == replicas.count
        {
            status["currentReplicas"] = status["updatedReplicas"]
            status["currentRevision"] = .string(revisions.update)
        }
        guard minReadySeconds > 0 else { return }
        after = pods.compactMap(\.readySince).map { $0 + .seconds(minReadySeconds) - now }.filter { $0 > .zero }.min()
    }

    // MARK: Steps

    /// Creates missing pods and replaces finished ones; true when, in order, the rest has to wait.
    private mutating func fill(from first: Int) -> Bool {
        for index in replicas.indices {
            guard let pod = replicas[index] else {
                creations.append((first + index, revision(forOrdinal: first + index)))
                if isOrdered { return true }
                continue
            }
            if pod.isFinishedPod {
                if !pod.isBeingDeleted { deletions.append((pod, pod.phase == "Failed" ? .failed : .succeeded)) }
                if isOrdered { return true }
                continue
            }
            if isOrdered, !isHealthy(pod) { return true }
        }
        return false
    }

    private mutating func scaleDown() {
        for pod in condemned {
            if pod.isBeingDeleted {
                if isOrdered { return }
                continue
            }
            if isOrdered, !isHealthy(pod), pod.uid != firstUnhealthy?.uid { return }
            deletions.append((pod, .scaledDown))
            if isOrdered { return }
        }
        guard isRolling, creations.isEmpty else { return }
        update()
    }

    /// Deletes the pods of older revisions, the highest ordinals first, as many as may be unavailable.
    private mutating func update() {
        let most = maxUnavailable
        var spare = most - replicas.count { $0.map { !isHealthy($0) } ?? true }
        for index in replicas.indices.reversed() where index >= partition {
            guard let pod = replicas[index] else { continue }
            let isOld = StatefulPod.revision(of: pod) != revisions.update && !pod.isBeingDeleted
            if most == 1 {
                if isOld { deletions.append((pod, .updated)) }
                // What has been replaced has to come up before the next one goes.
                if isOld || !isHealthy(pod) { return }
            } else if isOld {
                if isHealthy(pod) {
                    guard spare > 0 else { continue }
                    spare -= 1
                }
                deletions.append((pod, .updated))
            }
        }
    }
}
