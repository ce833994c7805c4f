// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient

/// One step of a Deployment's rollout: decides by the pure parts, writes through the client.
struct Rollout {
    var deployment: KubeObject
    var history: DeploymentHistory
    var status: DeploymentStatus
    let client: KubeClient
    let events: EventSink

    private var wanted: Int { deployment.spec["replicas"].int ?? 1 }
    private var arithmetic: RollingUpdate { RollingUpdate(spec: deployment.spec) }
    private var isRecreate: Bool { deployment.spec["strategy"]["type"].string == "Recreate" }

    /// Takes the next step and reports the status.
    mutating func advance(pods: (KubeObject) -> [KubeObject]) async throws {
        if deployment.isBeingDeleted {
            status.count(new: history.new, all: history.all)
            return try await writeStatus()
        }
        status.notePause()
        let isPaused = deployment.spec["paused"].bool ?? false
        if isPaused || isScaled {
            if history.new != nil { try await syncNew(creates: false) }
            try await scale()
            if isPaused { try await cleanUp() }
            status.count(new: history.new, all: history.all)
            return try await writeStatus()
        }
        let hasMoved = isRecreate ? try await recreate(pods: pods) : try await roll()
        status.count(new: history.new, all: history.all)
        status.judgeProgress(new: history.new, all: history.all)
        if !hasMoved, status.isComplete { try await cleanUp() }
        try await writeStatus()
    }

    /// Whether the Deployment's own size has changed since its ReplicaSets were sized.
    private var isScaled: Bool {
        history.all.contains { set in
            guard set.wantedReplicas > 0,
                let desired = set.annotations[DeploymentHistory.desiredReplicas].flatMap({ Int($0) })
            else { return false }
            return desired != wanted
        }
    }

    private mutating func roll() async throws -> Bool {
        try await syncNew(creates: true)
        guard let new = history.new else { return false }
        let size = arithmetic.newSize(current: new.wantedReplicas, total: history.total)
        if try await resize(new, to: size) { return true }
        let sizes = arithmetic.oldSizes(new: new.size, old: history.old.map(\.size))
        return try await resizeOld(sizes)
    }

    private mutating func recreate(pods: (KubeObject) -> [KubeObject]) async throws -> Bool {
        if history.new != nil { try await syncNew(creates: false) }
        if try await resizeOld(history.old.map { _ in 0 }) { return true }
        guard !history.old.flatMap(pods).contains(where: { !$0.isFinishedPod }) else { return true }
        try await syncNew(creates: true)
        guard let new = history.new else { return false }
        return try await resize(new, to: wanted)
    }

    /// Sizes after scaling, also while paused.
    private mutating func scale() async throws {
        if let only = history.activeOrLatest {
            _ = try await resize(only, to: wanted)
            return
        }
        if let new = history.new, new.wantedReplicas == wanted, new.size.available == wanted {
            _ = try await resizeOld(history.old.map { _ in 0 })
            return
        }
        guard !isRecreate else { return }
        let active = history.all.filter { $0.wantedReplicas > 0 }.reversed()
        let sizes = arithmetic.proportionalSizes(active.map(\.size))
        for (set, size) in zip(active, sizes) { _ = try await resize(set, to: size) }
    }

    private mutating func resizeOld(_ sizes: [Int]) async throws -> Bool {
        var hasMoved = false
        for (set, size) in zip(history.old, sizes) where set.wantedReplicas != size {
            if try await resize(set, to: size) { hasMoved = true }
        }
        return hasMoved
    }

    /// Writes a ReplicaSet's size; returns whether it changed.
    private mutating func resize(_ set: KubeObject, to size: Int) async throws -> Bool {
        var new = set
        new.spec["replicas"] = JSONValue(size)
        new.annotations = sized(new.annotations)
        guard new != set else { return false }
        replace(try await client.update(.replicaSets, new))
        let old = set.wantedReplicas
        guard old != size else { return false }
        tellScaling(set.name, from: old, to: size)
        return true
    }

    private func tellScaling(_ name: String, from old: Int, to size: Int) {
        events.normal(
            deployment, reason: "ScalingReplicaSet",
            "Scaled \(size > old ? "up" : "down") replica set \(name) from \(old) to \(size)")
    }

    private func sized(_ annotations: [String: String]) -> [String: String] {
        var annotations = annotations
        annotations[DeploymentHistory.desiredReplicas] = String(wanted)
        annotations[DeploymentHistory.maxReplicas] = String(arithmetic.maxTotal)
        return annotations
    }

    private mutating func replace(_ set: KubeObject) {
        if history.new?.uid == set.uid { history.new = set }
        if let index = history.old.firstIndex(where: { $0.uid == set.uid }) { history.old[index] = set }
    }

    /// Brings the present version's ReplicaSet and the revision up to date, creating it when it is missing.
    private mutating func syncNew(creates: Bool) async throws {
        if let new = history.new {
            var changed = new
            changed.annotations = history.annotations(deployment, of: new)
            let minReadySeconds = deployment.spec["minReadySeconds"]
            if (new.spec["minReadySeconds"].int ?? 0) != (minReadySeconds.int ?? 0) {
                changed.spec["minReadySeconds"] = minReadySeconds
            }
            if changed != new { history.new = try await client.update(.replicaSets, changed) }
            status.noteVersion(new.name, isNew: false)
        } else if creates {
            try await createNew()
        }
        try await syncRevision()
    }

    private mutating func createNew() async throws {
        var set = history.newReplicaSet(deployment)
        let size = isRecreate ? wanted : arithmetic.newSize(current: 0, total: history.total)
        set.spec["replicas"] = JSONValue(size)
        set.annotations = sized(set.annotations)
        do {
            history.new = try await client.create(.replicaSets, set)
            status.noteVersion(set.name, isNew: true)
            if size > 0 { tellScaling(set.name, from: 0, to: size) }
        } catch let error as StatusError where error.isAlreadyExists {
            let live = try await client.get(.replicaSets, set.key)
            if live.controllerOwner?.uid == deployment.uid,
                TemplateHash.areEqual(live.spec["template"], deployment.spec["template"])
            {
                history.new = live
                status.noteVersion(live.name, isNew: false)
                return
            }
            var collided = deployment
            collided.status["collisionCount"] = JSONValue((deployment.status["collisionCount"].int ?? 0) + 1)
            _ = try await client.updateStatus(.deployments, collided)
            throw error
        } catch let error as StatusError where !error.isNamespaceTerminating {
            let message = "Failed to create new replica set \"\(set.name)\": \(error.message)"
            status.set("Progressing", "False", reason: "ReplicaSetCreateError", message: message)
            events.warning(deployment, reason: "ReplicaSetCreateError", message)
            try await writeStatus()
            throw error
        }
    }

    /// Copies the present version's revision to the Deployment.
    private mutating func syncRevision() async throws {
        guard let revision = history.new?.annotations[DeploymentHistory.revision],
            deployment.annotations[DeploymentHistory.revision] != revision
        else { return }
        let change: JSONValue = [
            "metadata": [
                "annotations": [DeploymentHistory.revision: .string(revision)],
                "resourceVersion": .string(deployment.resourceVersion),
            ]
        ]
        deployment.resourceVersion =
            try await client.patch(.deployments, deployment.key, .merge, change).resourceVersion
        deployment.annotations[DeploymentHistory.revision] = revision
    }

    private func cleanUp() async throws {
        let limit = deployment.spec["revisionHistoryLimit"].int ?? 10
        for set in history.expired(limit: limit) {
            do {
                try await client.delete(.replicaSets, set.key, .init(propagationPolicy: "Background", uid: set.uid))
            } catch let error as StatusError where error.isNotFound {
                continue
            }
        }
    }

    private func writeStatus() async throws {
        guard status.status != deployment.status else { return }
        var new = deployment
        new.status = status.status
        do {
            _ = try await client.updateStatus(.deployments, new)
        } catch let error as StatusError where error.isNotFound {
            return
        }
    }
}
