// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The columns of `kubectl get pods`.
enum PodColumns {
    static let all: [TableColumn] = [
        .name,
        .text("Ready", description: "The aggregate readiness state of this pod for accepting traffic.") { pod in
            let state = summary(pod)
            return "\(state.ready)/\(state.total)"
        },
        .text("Status", description: "The aggregate status of the containers in this pod.") { summary($0).reason },
        TableColumn(
            "Restarts", description: "The number of times the containers in this pod have been restarted."
        ) { pod, now in
            let state = summary(pod)
            guard state.restarts > 0, let last = state.lastRestart else { return .string(String(state.restarts)) }
            return .string("\(state.restarts) (\(TableText.age(last, now: now)) ago)")
        },
        .age,
        .text("IP", description: "IP address allocated to the pod.", wide: true) { pod in
            pod.status["podIPs"].elements.first?["ip"].string ?? pod.status["podIP"].string ?? TableText.none
        },
        .text("Node", description: "The node that the pod runs on.", wide: true) { pod in
            pod.spec["nodeName"].string.flatMap { $0.isEmpty ? nil : $0 } ?? TableText.none
        },
        .text("Nominated Node", description: "The node that preemption made room on.", wide: true) { pod in
            pod.status["nominatedNodeName"].string.flatMap { $0.isEmpty ? nil : $0 } ?? TableText.none
        },
        .text("Readiness Gates", description: "How many readiness gates have passed.", wide: true) { pod in
            let gates = pod.spec["readinessGates"].elements.compactMap { $0["conditionType"].string }
            if gates.isEmpty { return TableText.none }
            return "\(gates.count { Conditions.isTrue($0, in: pod.status) })/\(gates.count)"
        },
    ]

    struct Summary {
        var reason = ""
        var ready = 0
        var total = 0
        var restarts = 0
        var lastRestart: Timestamp?
    }

    /// What upstream's printer makes of a pod's status.
    static func summary(_ pod: KubeObject) -> Summary {
        let status = pod.status
        let phase = status["phase"].string ?? ""
        var result = Summary(reason: status["reason"].string ?? phase, total: pod.spec["containers"].elements.count)
        if Conditions.find("PodScheduled", in: status)["reason"].string == "SchedulingGated" {
            result.reason = "SchedulingGated"
        }
        let inits = pod.spec["initContainers"].elements
        let sidecars = Set(inits.filter { $0["restartPolicy"].string == "Always" }.compactMap { $0["name"].string })
        result.total += sidecars.count
        var isInitializing = false
        for (index, container) in status["initContainerStatuses"].elements.enumerated() {
            count(container, into: &result)
            let isSidecar = sidecars.contains(container["name"].string ?? "")
            if isSidecar, container["started"].bool == true {
                if container["ready"].bool == true { result.ready += 1 }
                continue
            }
            let terminated = container["state"]["terminated"]
            let waiting = container["state"]["waiting"]["reason"].string ?? ""
            if !terminated.isNull {
                if terminated["exitCode"].int == 0 { continue }
                result.reason = "Init:" + reason(ofTerminated: terminated)
            } else if !waiting.isEmpty, waiting != "PodInitializing" {
                result.reason = "Init:" + waiting
            } else {
                result.reason = "Init:\(index)/\(inits.count)"
            }
            isInitializing = true
            break
        }
        if !isInitializing || Conditions.isTrue("Initialized", in: status) { containers(pod, &result) }
        if pod.isBeingDeleted {
            if status["reason"].string == "NodeLost" {
                result.reason = "Unknown"
            } else if phase != "Succeeded", phase != "Failed" {
                result.reason = "Terminating"
            }
        }
        return result
    }

    private static func containers(_ pod: KubeObject, _ result: inout Summary) {
        var hasRunning = false
        for container in pod.status["containerStatuses"].elements.reversed() {
            count(container, into: &result)
            let state = container["state"]
            let waiting = state["waiting"]["reason"].string ?? ""
            if !waiting.isEmpty {
                result.reason = waiting
            } else if !state["terminated"].isNull {
                result.reason = reason(ofTerminated: state["terminated"])
            } else if container["ready"].bool == true, !state["running"].isNull {
                hasRunning = true
                result.ready += 1
            }
        }
        if result.reason == "Completed", hasRunning {
            result.reason = Conditions.isTrue("Ready", in: pod.status) ? "Running" : "NotReady"
        }
    }

    private static func count(_ container: JSONValue, into result: inout Summary) {
        result.restarts += container["restartCount"].int ?? 0
        let finished = container["lastState"]["terminated"]["finishedAt"].string.flatMap(Timestamp.init(rfc3339:))
        if let finished { result.lastRestart = max(result.lastRestart ?? finished, finished) }
    }

    private static func reason(ofTerminated state: JSONValue) -> String {
        if let reason = state["reason"].string, !reason.isEmpty { return reason }
        if let signal = state["signal"].int, signal != 0 { return "Signal:\(signal)" }
        return "ExitCode:\(state["exitCode"].int ?? 0)"
    }
}
