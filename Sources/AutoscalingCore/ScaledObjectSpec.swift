// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// What a KEDA ScaledObject (keda.sh/v1alpha1) declares.
package struct ScaledObjectSpec: Sendable, Hashable {
    package struct Fallback: Sendable, Hashable {
        package enum Behavior: String, Sendable {
            case fixed = "static"
            case current = "currentReplicas"
            case currentIfHigher = "currentReplicasIfHigher"
            case currentIfLower = "currentReplicasIfLower"
        }
        package var failureThreshold: Int
        package var replicas: Int
        package var behavior: Behavior
    }

    package var apiVersion = "apps/v1"
    package var kind = "Deployment"
    package var name = ""
    package var pollingInterval: Duration = .seconds(30)
    package var cooldown: Duration = .seconds(300)
    package var initialCooldown: Duration = .zero
    /// What is left without activity, less than the minimum; nil: 0.
    package var idle: Int?
    package var minimum = 0
    package var maximum = 100
    package var fallback: Fallback?
    /// As of a HorizontalPodAutoscaler's `spec.behavior`.
    package var behavior: JSONValue = .null
    package var triggers: [ScaleTrigger] = []
    package var isPaused = false
    package var pausedReplicas: Int?
    package var pausesIn = false
    package var pausesOut = false
    package var isForced = false

    /// - Throws: ``ScalingFault`` for what is not valid or not supported.
    package init(_ object: KubeObject) throws(ScalingFault) {
        let spec = object.spec
        let target = spec["scaleTargetRef"]
        apiVersion = target["apiVersion"].string ?? apiVersion
        kind = target["kind"].string ?? kind
        name = target["name"].string ?? ""
        guard !name.isEmpty else { throw ScalingFault("spec.scaleTargetRef.name is missing") }
        func seconds(_ field: String, _ usual: Duration, _ least: Int) throws(ScalingFault) -> Duration {
            guard !spec[field].isNull else { return usual }
            guard let value = spec[field].int, (least...1_000_000).contains(value) else {
                throw ScalingFault("spec.\(field) must be a number of seconds, \(least) at least")
            }
            return .seconds(value)
        }
        func count(_ field: String) throws(ScalingFault) -> Int? {
            guard !spec[field].isNull else { return nil }
            guard let value = spec[field].int, (0...Int(Int32.max)).contains(value) else {
                throw ScalingFault("spec.\(field) must be a whole number from 0")
            }
            return value
        }
        pollingInterval = try seconds("pollingInterval", pollingInterval, 1)
        cooldown = try seconds("cooldownPeriod", cooldown, 0)
        initialCooldown = try seconds("initialCooldownPeriod", initialCooldown, 0)
        idle = try count("idleReplicaCount")
        minimum = try count("minReplicaCount") ?? minimum
        maximum = try count("maxReplicaCount") ?? maximum
        guard maximum >= max(1, minimum) else {
            throw ScalingFault("spec.maxReplicaCount \(maximum) is less than the minimum \(max(1, minimum))")
        }
        if let idle, idle >= minimum {
            throw ScalingFault("spec.idleReplicaCount \(idle) must be less than minReplicaCount \(minimum)")
        }
        try readAdvanced(spec["advanced"])
        try readFallback(spec["fallback"])
        try readTriggers(spec["triggers"])
        readAnnotations(object.annotations)
    }

    private mutating func readAdvanced(_ advanced: JSONValue) throws(ScalingFault) {
        guard advanced["scalingModifiers"].isEmpty else {
            throw ScalingFault("spec.advanced.scalingModifiers is not supported: write one trigger for each metric")
        }
        guard advanced["restoreToOriginalReplicaCount"].bool != true else {
            throw ScalingFault("spec.advanced.restoreToOriginalReplicaCount is not supported")
        }
        behavior = advanced["horizontalPodAutoscalerConfig"]["behavior"]
    }

    private mutating func readFallback(_ json: JSONValue) throws(ScalingFault) {
        guard !json.isNull else { return }
        let name = json["behavior"].string ?? Fallback.Behavior.fixed.rawValue
        guard let threshold = json["failureThreshold"].int, let replicas = json["replicas"].int, threshold >= 0,
            replicas >= 0, let behavior = Fallback.Behavior(rawValue: name)
        else { throw ScalingFault("spec.fallback needs failureThreshold and replicas, and a behavior that is known") }
        fallback = Fallback(failureThreshold: threshold, replicas: replicas, behavior: behavior)
    }

    private mutating func readTriggers(_ json: JSONValue) throws(ScalingFault) {
        guard (1...100).contains(json.elements.count) else {
            throw ScalingFault("spec.triggers must have 1 to 100 triggers")
        }
        for (index, trigger) in json.elements.enumerated() {
            do throws(ScalingFault) {
                triggers.append(try ScaleTrigger(trigger, index: index))
            } catch {
                throw ScalingFault("spec.triggers[\(index)]: \(error)")
            }
        }
        if minimum == 0, triggers.allSatisfy(\.isResource) {
            throw ScalingFault("with cpu and memory triggers alone minReplicaCount must be 1 at least")
        }
    }

    private mutating func readAnnotations(_ annotations: [String: String]) {
        let prefix = "autoscaling.keda.sh/"
        func isSet(_ name: String) -> Bool {
            annotations[prefix + name].map { $0.lowercased() != "false" } ?? false
        }
        pausedReplicas = annotations[prefix + "paused-replicas"].flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
        isPaused = isSet("paused")
        pausesIn = isSet("paused-scale-in")
        pausesOut = isSet("paused-scale-out")
        isForced = isSet("force-activation")
    }
}
