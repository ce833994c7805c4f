// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

extension PodMachine {
    /// The pod's status as it should be at the API server (core/v1 PodStatus), made from the one there.
    ///
    /// Conditions that others own are kept.
    package func status(hostAddress: String, now: Timestamp) -> JSONValue {
        if let frozenStatus { return frozenStatus }
        var status = pod.status
        let phase = phase
        status["phase"] = .string(phase)
        if let failure {
            status["reason"] = .string(failure.reason)
            status["message"] = .string(failure.message)
        }
        status["startTime"] = .string(startTime.rfc3339)
        status["hostIP"] = .string(hostAddress)
        status["hostIPs"] = [["ip": .string(hostAddress)]]
        if !address.isEmpty {
            status["podIP"] = .string(address)
            status["podIPs"] = [["ip": .string(address)]]
        }
        if status["qosClass"].isNull { status["qosClass"] = .string(QualityOfService.of(pod)) }
        let initializers = records.filter { $0.plan.role != .main }
        if !initializers.isEmpty { status["initContainerStatuses"] = .array(initializers.map(containerStatus)) }
        status["containerStatuses"] = .array(records.filter { $0.plan.role == .main }.map(containerStatus))
        setConditions(phase, now, in: &status)
        return status
    }

    /// `status.phase`.
    package var phase: String {
        if let frozenStatus { return frozenStatus["phase"].string ?? "Failed" }
        let mains = records.filter { $0.plan.role == .main }
        if isConcluded {
            let isGood = failure == nil && mains.allSatisfy { $0.termination?.exitCode == 0 }
            return isGood ? "Succeeded" : "Failed"
        }
        return mains.contains { $0.hasEverStarted && $0.phase != .starting || $0.attempt > 0 } ? "Running" : "Pending"
    }

    private func containerStatus(_ record: ContainerLife) -> JSONValue {
        let id = ContainerIdentity(pod: plan.uid, container: record.plan.name, attempt: record.attempt).url
        var state: JSONValue
        var last = record.lastTermination
        switch record.phase {
        case .running(let startedAt):
            state = ["running": ["startedAt": .string(startedAt.rfc3339)]]
        case .exited(let termination):
            if let waiting = record.waiting, !isConcluded {
                state = waitingState(waiting.reason, waiting.message)
                last = termination
            } else {
                state = ["terminated": termination.json]
            }
        case .idle, .starting:
            let isBehindOthers = record.phase == .idle && record.plan.role == .main && !isInitialized
            let reason = isBehindOthers || record.plan.role != .main ? "PodInitializing" : "ContainerCreating"
            state = waitingState(record.waiting?.reason ?? reason, record.waiting?.message ?? "")
        }
        let hasRun = record.isRunning || record.termination != nil
        return [
            "name": .string(record.plan.name), "image": .string(record.plan.image),
            "imageID": .string(hasRun ? record.plan.image : ""), "state": state,
            "lastState": last.map { ["terminated": $0.json] } ?? .object([:]),
            "ready": .bool(record.isReady), "started": .bool(record.isStarted),
            "restartCount": JSONValue(record.attempt), "containerID": hasRun ? .string(id) : nil,
        ]
    }

    private func waitingState(_ reason: String, _ message: String) -> JSONValue {
        ["waiting": ["reason": .string(reason), "message": message.isEmpty ? nil : .string(message)]]
    }

    /// Whether all init containers are done, or, for sidecars, up.
    private var isInitialized: Bool { uninitialized.isEmpty }

    private var uninitialized: [String] {
        if records.contains(where: { $0.plan.role == .main && $0.hasEverStarted }) { return [] }
        return records.filter { record in
            switch record.plan.role {
            case .main: false
            case .initializer: record.termination?.exitCode != 0
            case .sidecar: !record.isStarted
            }
        }.map(\.plan.name)
    }

    private func setConditions(_ phase: String, _ now: Timestamp, in status: inout JSONValue) {
        func set(_ type: String, _ isTrue: Bool, _ reason: String = "", _ message: String = "") {
            Conditions.set(type, isTrue ? "True" : "False", reason: reason, message: message, now: now, in: &status)
        }
        if Conditions.find("PodScheduled", in: status).isNull { set("PodScheduled", true) }
        set("PodReadyToStartContainers", preparation == .done && !isConcluded)
        let uninitialized = uninitialized
        if phase == "Succeeded" {
            set("Initialized", true, "PodCompleted")
            set("ContainersReady", false, "PodCompleted")
            set("Ready", false, "PodCompleted")
            return
        }
        if uninitialized.isEmpty {
            set("Initialized", true)
        } else {
            let names = uninitialized.joined(separator: " ")
            set("Initialized", false, "ContainersNotInitialized", "containers with incomplete status: [\(names)]")
        }
        if phase == "Failed" {
            set("ContainersReady", false, "PodFailed")
            set("Ready", false, "PodFailed")
            return
        }
        let unready = records.filter { $0.plan.role != .initializer && !$0.isReady }.map(\.plan.name)
        guard unready.isEmpty else {
            let message = "containers with unready status: [\(unready.joined(separator: " "))]"
            set("ContainersReady", false, "ContainersNotReady", message)
            set("Ready", false, "ContainersNotReady", message)
            return
        }
        set("ContainersReady", true)
        let gates = plan.readinessGates.compactMap { type in
            let condition = Conditions.find(type, in: status)
            if condition.isNull { return "corresponding condition of pod readiness gate \"\(type)\" does not exist." }
            let value = condition["status"].string ?? ""
            return value == "True"
                ? nil : "the status of pod readiness gate \"\(type)\" is not \"True\", but \(value)"
        }
        set("Ready", gates.isEmpty, gates.isEmpty ? "" : "ReadinessGatesNotReady", gates.joined(separator: ", "))
    }

    /// The change that turns `old` into `new` as a strategic merge patch of the status; nil when there is none.
    ///
    /// Only conditions that differ are named, so that conditions that others write at the same time are kept.
    package static func statusPatch(from old: JSONValue, to new: JSONValue, uid: String) -> JSONValue? {
        var change: [String: JSONValue] = [:]
        for (key, value) in new.members where key != "conditions" && old[key] != value { change[key] = value }
        let conditions = new["conditions"].elements.filter { condition in
            Conditions.find(condition["type"].string ?? "", in: old) != condition
        }
        if !conditions.isEmpty { change["conditions"] = .array(conditions.map(explicit)) }
        guard !change.isEmpty else { return nil }
        return .object(["metadata": ["uid": .string(uid)], "status": .object(change)])
    }

    /// A condition whose missing reason and message overwrite those of the condition that it replaces.
    private static func explicit(_ condition: JSONValue) -> JSONValue {
        var members = condition.members
        for key in ["reason", "message"] where members[key] == nil { members[key] = .null }
        return .object(members)
    }
}

/// `status.qosClass` (Kubernetes "Pod Quality of Service Classes").
package enum QualityOfService {
    /// `Guaranteed`, `Burstable` or `BestEffort`.
    package static func of(_ pod: KubeObject) -> String {
        let containers = pod.spec["initContainers"].elements + pod.spec["containers"].elements
        var isGuaranteed = true
        var hasAny = false
        for container in containers {
            let resources = container["resources"]
            for name in ["cpu", "memory"] {
                let limit = amount(resources["limits"][name])
                let request = amount(resources["requests"][name])
                if limit != nil || request != nil { hasAny = true }
                if limit == nil || request ?? limit != limit { isGuaranteed = false }
            }
        }
        return !hasAny ? "BestEffort" : isGuaranteed ? "Guaranteed" : "Burstable"
    }

    private static func amount(_ value: JSONValue) -> Quantity? {
        guard let amount = Quantity(value.string ?? value.int.map(String.init) ?? ""), amount > .zero else {
            return nil
        }
        return amount
    }
}
