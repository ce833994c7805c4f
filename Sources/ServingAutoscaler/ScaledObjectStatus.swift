// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import KubeAPI

/// The status of a ScaledObject, read and made.
struct ScaledObjectStatus {
    private(set) var json: JSONValue
    let now: Timestamp
    var memory: ScaledObjectMemory

    private static let formula =
        "replicas above 0 are decided by the formula of HorizontalPodAutoscaler autoscaling/v2 in this autoscaler, "
        + "without a HorizontalPodAutoscaler object"

    init(_ object: KubeObject, now: Timestamp) {
        json = object.status
        self.now = now
        memory = ScaledObjectMemory()
        memory.lastActive = json["lastActiveTime"].string.flatMap(Timestamp.init(rfc3339:))
        for (name, health) in json["health"].members { memory.failures[name] = health["numberOfFailures"].int ?? 0 }
    }

    private mutating func set(_ type: String, _ value: Bool, _ reason: String, _ message: String) {
        Conditions.set(type, value ? "True" : "False", reason: reason, message: message, now: now, in: &json)
    }

    mutating func refuse(_ reason: String, _ message: String) {
        set("Ready", false, reason, message)
        set("Active", false, "ScalerNotActive", "not looked at")
    }

    mutating func take(
        _ spec: ScaledObjectSpec, _ scale: ScaleTarget.Scale, _ step: ScaledObjectStep,
        _ readings: [String: Result<TriggerReading, ScalingFault>]
    ) {
        let faults = readings.values.compactMap { if case .failure(let fault) = $0 { fault.description } else { nil } }
        if faults.isEmpty {
            set(
                "Ready", true, "ScaledObjectReady",
                "ScaledObject is defined correctly and is ready for scaling; \(Self.formula)")
        } else {
            set("Ready", false, "TriggerError", "triggers cannot be read: \(faults.sorted().joined(separator: "; "))")
        }
        let isActive = step.activity == .active
        set(
            "Active", isActive, step.activity.rawValue,
            isActive ? "Scaling is performed because triggers are active" : "no trigger is active")
        set(
            "Fallback", step.isFallback, step.isFallback ? "FallbackExists" : "NoFallbackFound",
            step.isFallback ? "at least one trigger is falling back" : "no fallback is active")
        set(
            "Paused", step.isPaused, step.isPaused ? "ScaledObjectPaused" : "ScaledObjectUnpaused",
            step.isPaused ? "paused by an annotation" : "not paused")
        json["lastActiveTime"] = memory.lastActive.map { .string($0.rfc3339) } ?? .null
        json["scaleTargetKind"] = .string("\(spec.apiVersion).\(spec.kind)")
        json["scaleTargetGVKR"] = scale.reference
        if json["originalReplicaCount"].isNull { json["originalReplicaCount"] = JSONValue(scale.replicas) }
        json["pausedReplicaCount"] = spec.pausedReplicas.map { JSONValue($0) } ?? .null
        json["externalMetricNames"] = JSONValue(spec.triggers.filter { !$0.isResource }.map(\.metric))
        json["resourceMetricNames"] = JSONValue(spec.triggers.filter(\.isResource).map(\.metric))
        json["triggersTypes"] = .string(spec.triggers.map(\.type).joined(separator: ","))
        var health: JSONValue = [:]
        for (name, reading) in readings {
            let failures = memory.failures[name] ?? 0
            if case .failure = reading {
                health[name] = ["numberOfFailures": JSONValue(failures), "status": "Failing"]
            } else {
                health[name] = ["numberOfFailures": 0, "status": "Happy"]
            }
        }
        json["health"] = health.isEmpty ? .null : health
        var activity: JSONValue = [:]
        for case (let name, .success(let reading)) in readings {
            activity[name] = ["isActive": .bool(reading.isActive)]
        }
        json["triggersActivity"] = activity.isEmpty ? .null : activity
    }
}
