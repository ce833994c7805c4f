// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What a DaemonSet needs now: nodes that get a pod, pods that go, and the status to report.
///
/// Source: Kubernetes "DaemonSet" and "Perform a Rolling Update on a DaemonSet".
struct DaemonSetPlan: Sendable {
    /// Names of the nodes that get a pod.
    private(set) var creations: [String] = []
    private(set) var deletions: [KubeObject] = []
    /// Finished pods among ``deletions``.
    private(set) var finished: [KubeObject] = []
    private(set) var status: JSONValue
    /// When to look again by time alone.
    private(set) var after: Duration?

    /// A node that matters to the set.
    private struct Place {
        var name: String
        var fit: DaemonPod.Fit
        /// Oldest first; finished ones that are being deleted are left out.
        var pods: [KubeObject]
    }

    private let daemonSet: KubeObject
    private let hash: String
    private let now: Timestamp
    private let places: [Place]

    /// - Parameters:
    ///   - daemonSet: the set.
    ///   - nodes: all nodes.
    ///   - pods: the set's pods.
    ///   - hash: of the revision that is wanted.
    ///   - waits: how long failed pods of a node are kept before they are replaced.
    ///   - now: the present.
    init(
        _ daemonSet: KubeObject, nodes: [KubeObject], pods: [KubeObject], hash: String,
        waits: [String: Duration] = [:], now: Timestamp
    ) {
        self.daemonSet = daemonSet
        self.hash = hash
        self.now = now
        let present = pods.filter { !($0.isBeingDeleted && $0.isFinishedPod) }.sorted {
            ($0.metadata["creationTimestamp"].string ?? "", $0.name)
                < ($1.metadata["creationTimestamp"].string ?? "", $1.name)
        }
        let byNode = Dictionary(grouping: present, by: DaemonPod.node(of:))
        places = nodes.sorted { $0.name < $1.name }.map { node in
            Place(name: node.name, fit: DaemonPod.fit(daemonSet, on: node), pods: byNode[node.name] ?? [])
        }
        status = daemonSet.status
        report()
        guard !daemonSet.isBeingDeleted else { return }
        for place in places { manage(place, wait: waits[place.name] ?? .zero) }
        let known = Set(places.map(\.name))
        // Pods for nodes that are gone before the pods came to them.
        deletions += present.filter {
            $0.nodeName.isEmpty && !$0.isBeingDeleted && !known.contains(DaemonPod.node(of: $0))
        }
        guard creations.isEmpty, deletions.isEmpty, update["type"].string != "OnDelete" else { return }
        if maxSurge > 0 { surge() } else { roll() }
    }

    private var update: JSONValue { daemonSet.spec["updateStrategy"] }
    private var minReadySeconds: Int { daemonSet.spec["minReadySeconds"].int ?? 0 }
    private var desired: Int { places.count { $0.fit.runs } }

    private var maxSurge: Int {
        let value = update["rollingUpdate"]["maxSurge"]
        guard update["type"].string != "OnDelete", !value.isNull else { return 0 }
        return RollingUpdate.count(value, of: desired, roundsUp: true)
    }

    private var maxUnavailable: Int {
        let value = update["rollingUpdate"]["maxUnavailable"]
        let count = value.isNull ? 1 : RollingUpdate.count(value, of: desired, roundsUp: true)
        return maxSurge == 0 ? max(1, count) : count
    }

    private func isNew(_ pod: KubeObject) -> Bool { pod.labels[DaemonPod.hashLabel] == hash }
    private func isAvailable(_ pod: KubeObject) -> Bool {
        pod.isAvailablePod(minReadySeconds: minReadySeconds, now: now)
    }

    private mutating func report() {
        let running = places.filter { $0.fit.runs && !$0.pods.isEmpty }
        let oldest = running.compactMap(\.pods.first)
        let available = oldest.count(where: isAvailable)
        func set(_ field: String, _ count: Int, keepsZero: Bool = false) {
            status[field] = count == 0 && !keepsZero ? .null : JSONValue(count)
        }
        set("desiredNumberScheduled", desired, keepsZero: true)
        set("currentNumberScheduled", running.count, keepsZero: true)
        set("numberMisscheduled", places.count { !$0.fit.runs && !$0.pods.isEmpty }, keepsZero: true)
        set("numberReady", oldest.count(where: \.isReadyPod), keepsZero: true)
        set("updatedNumberScheduled", oldest.count(where: isNew))
        set("numberAvailable", available)
        set("numberUnavailable", desired - available)
        status["observedGeneration"] = JSONValue(daemonSet.generation)
        guard minReadySeconds > 0 else { return }
        let times = places.flatMap(\.pods).compactMap(\.readySince).map { $0 + .seconds(minReadySeconds) - now }
        after = times.filter { $0 > .zero }.min()
    }

    // MARK: One pod a node

    private mutating func manage(_ place: Place, wait: Duration) {
        guard place.fit.stays else {
            deletions += place.pods.filter { !$0.isBeingDeleted }
            return
        }
        if place.pods.isEmpty {
            if place.fit.runs { creations.append(place.name) }
            return
        }
        var running: [KubeObject] = []
        for pod in place.pods where !pod.isBeingDeleted {
            if !pod.isFinishedPod {
                running.append(pod)
            } else if pod.phase == "Failed", wait > .zero {
                after = min(after ?? wait, wait)
            } else {
                finished.append(pod)
                deletions.append(pod)
            }
        }
        guard running.count > 1 else { return }
        guard maxSurge > 0 else {
            deletions += running.dropFirst()
            return
        }
        // An old pod stays beside the new one until that is available, as long as it is any better.
        let new = running.first(where: isNew)
        let old = running.first { !isNew($0) }
        deletions += running.filter { $0.uid != new?.uid && $0.uid != old?.uid }
        if let new, let old, !old.isReadyPod || isAvailable(new) { deletions.append(old) }
    }

    // MARK: Updates

    /// Deletes old pods; the new ones come as the old ones have gone.
    private mutating func roll() {
        var unavailable = 0
        var candidates: [KubeObject] = []
        for place in places where place.fit.runs {
            let pods = place.pods.filter { !$0.isBeingDeleted && !$0.isFinishedPod }
            guard pods.count == 1, let pod = pods.first else {
                unavailable += 1
                continue
            }
            if isNew(pod) {
                if !isAvailable(pod) { unavailable += 1 }
            } else if isAvailable(pod) {
                candidates.append(pod)
            } else {
                // It serves nobody: it can go whatever else is unavailable.
                unavailable += 1
                deletions.append(pod)
            }
        }
        deletions += candidates.prefix(max(0, maxUnavailable - unavailable))
    }

    /// Creates new pods beside the old ones, which go when the new ones are available.
    private mutating func surge() {
        var surging = 0
        var candidates: [String] = []
        for place in places where place.fit.runs {
            let pods = place.pods.filter { !$0.isFinishedPod }
            let new = pods.first(where: isNew)
            guard let old = pods.first(where: { !isNew($0) }) else { continue }
            if let new {
                if isAvailable(new) {
                    if !old.isBeingDeleted { deletions.append(old) }
                } else {
                    surging += 1
                }
            } else if old.isBeingDeleted || !isAvailable(old) {
                creations.append(place.name)
            } else {
                candidates.append(place.name)
            }
        }
        creations += candidates.prefix(max(0, maxSurge - surging))
    }
}
