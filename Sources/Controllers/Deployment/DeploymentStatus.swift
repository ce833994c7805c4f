// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The status of a Deployment, computed from its ReplicaSets.
struct DeploymentStatus: Sendable {
    let deployment: KubeObject
    let now: Timestamp
    /// The status so far.
    var status: JSONValue

    init(_ deployment: KubeObject, now: Timestamp) {
        self.deployment = deployment
        self.now = now
        status = deployment.status
    }

    private var deadline: Int? {
        let seconds = deployment.spec["progressDeadlineSeconds"].int ?? 600
        return seconds >= Int(Int32.max) ? nil : seconds
    }

    private var progressing: JSONValue { Conditions.find("Progressing", in: status) }

    /// Sets a condition; nothing changes when it has that status and reason already.
    mutating func set(_ type: String, _ value: String, reason: String, message: String) {
        let old = Conditions.find(type, in: status)
        guard old["status"].string != value || old["reason"].string != reason else { return }
        let extra: [String: JSONValue] = ["lastUpdateTime": .string(now.rfc3339)]
        Conditions.set(type, value, reason: reason, message: message, extra: extra, now: now, in: &status)
    }

    /// Tells that the deployment has begun or found a version.
    mutating func noteVersion(_ name: String, isNew: Bool) {
        guard deadline != nil else { return }
        if isNew {
            set(
                "Progressing", "True", reason: "NewReplicaSetCreated",
                message: "Created new replica set \"\(name)\"")
        } else if progressing.isNull {
            set("Progressing", "True", reason: "FoundNewReplicaSet", message: "Found new replica set \"\(name)\"")
        }
    }

    /// Tells that the deployment was paused or resumed.
    mutating func notePause() {
        guard deadline != nil else { return }
        let reason = progressing["reason"].string
        if reason == "ProgressDeadlineExceeded" { return }
        let isPaused = deployment.spec["paused"].bool ?? false
        if isPaused, reason != "DeploymentPaused" {
            set("Progressing", "Unknown", reason: "DeploymentPaused", message: "Deployment is paused")
        } else if !isPaused, reason == "DeploymentPaused" {
            set("Progressing", "Unknown", reason: "DeploymentResumed", message: "Deployment is resumed")
        }
    }

    /// Counts pods and decides availability.
    mutating func count(new: KubeObject?, all: [KubeObject]) {
        func sum(_ field: String, _ sets: [KubeObject]) -> Int { sets.reduce(0) { $0 + ($1.status[field].int ?? 0) } }
        func number(_ count: Int) -> JSONValue { count == 0 ? .null : JSONValue(count) }
        let available = sum("availableReplicas", all)
        let wanted = all.reduce(0) { $0 + ($1.spec["replicas"].int ?? 0) }
        status["observedGeneration"] = JSONValue(deployment.generation)
        status["replicas"] = number(sum("replicas", all))
        status["updatedReplicas"] = number(new.map { sum("replicas", [$0]) } ?? 0)
        status["readyReplicas"] = number(sum("readyReplicas", all))
        status["availableReplicas"] = number(available)
        status["unavailableReplicas"] = number(max(0, wanted - available))
        if available >= RollingUpdate(spec: deployment.spec).minAvailable {
            set(
                "Available", "True", reason: "MinimumReplicasAvailable",
                message: "Deployment has minimum availability.")
        } else {
            set(
                "Available", "False", reason: "MinimumReplicasUnavailable",
                message: "Deployment does not have minimum availability.")
        }
    }

    /// Whether every pod is of the new version and available.
    var isComplete: Bool {
        let wanted = deployment.spec["replicas"].int ?? 1
        func field(_ name: String) -> Int { status[name].int ?? 0 }
        return field("updatedReplicas") == wanted && field("replicas") == wanted
            && field("availableReplicas") == wanted && field("observedGeneration") >= deployment.generation
    }

    private var hasProgressed: Bool {
        func change(_ name: String) -> Int { (status[name].int ?? 0) - (deployment.status[name].int ?? 0) }
        let updated = change("updatedReplicas")
        return updated > 0 || change("replicas") - updated < 0 || change("readyReplicas") > 0
            || change("availableReplicas") > 0
    }

    private var hasTimedOut: Bool {
        guard let deadline, progressing["reason"].string != "NewReplicaSetAvailable" else { return false }
        if progressing["reason"].string == "ProgressDeadlineExceeded" { return true }
        guard let since = progressing["lastUpdateTime"].string.flatMap(Timestamp.init(rfc3339:)) else { return false }
        // Times in conditions are cut to whole seconds.
        return since + .seconds(deadline + 1) <= now
    }

    /// Decides the conditions Progressing and ReplicaFailure; call it after ``count(new:all:)``.
    mutating func judgeProgress(new: KubeObject?, all: [KubeObject]) {
        if deadline == nil { Conditions.remove("Progressing", in: &status) }
        let isDone =
            status["replicas"] == status["updatedReplicas"]
            && progressing["reason"].string == "NewReplicaSetAvailable"
        if deadline != nil, !isDone {
            let subject =
                new.map { "ReplicaSet \"\($0.name)\"" } ?? "Deployment \"\(deployment.name)\""
            if isComplete {
                set(
                    "Progressing", "True", reason: "NewReplicaSetAvailable",
                    message: "\(subject) has successfully progressed.")
            } else if hasProgressed {
                let extra: [String: JSONValue] = ["lastUpdateTime": .string(now.rfc3339)]
                Conditions.set(
                    "Progressing", "True", reason: "ReplicaSetUpdated", message: "\(subject) is progressing.",
                    extra: extra, now: now, in: &status)
            } else if hasTimedOut {
                set(
                    "Progressing", "False", reason: "ProgressDeadlineExceeded",
                    message: "\(subject) has timed out progressing.")
            }
        }
        let failures = ([new].compactMap { $0 } + all).map { Conditions.find("ReplicaFailure", in: $0.status) }
        if let failure = failures.first(where: { !$0.isNull }) {
            set(
                "ReplicaFailure", failure["status"].string ?? "True", reason: failure["reason"].string ?? "",
                message: failure["message"].string ?? "")
        } else {
            Conditions.remove("ReplicaFailure", in: &status)
        }
    }

    /// When to look whether the deadline has passed; nil when nothing is in progress.
    var untilDeadline: Duration? {
        guard let deadline, !isComplete else { return nil }
        guard !["ProgressDeadlineExceeded", "NewReplicaSetAvailable"].contains(progressing["reason"].string),
            let since = progressing["lastUpdateTime"].string.flatMap(Timestamp.init(rfc3339:))
        else { return nil }
        return max(since + .seconds(deadline + 1) - now, .seconds(1))
    }
}
