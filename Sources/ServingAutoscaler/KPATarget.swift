// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import GatewayRules
import KubeAPI

/// How objects say what is scaled.
package enum ScalingAnnotations {
    /// Of a Deployment: the Service whose requests count; the Deployment's own name where it is not there.
    package static let service = "serving.apus.dev/service"
    /// Of a Deployment: requests at a time for a pod, 0: any number.
    package static let concurrency = "serving.apus.dev/container-concurrency"
}

/// One Deployment that asks for Knative's autoscaler, and what is known of it. Pure; times are seconds since 1970, taken
/// from a clock that does not jump.
struct KPATarget: Sendable {
    /// A look and what it leads to; all numbers are in the trace.
    struct Look: Sendable {
        var decision: KPADecision
        var step: ZeroMachine.Step
        var current: Int
        /// What is remembered after it.
        var panicSince: Double?
        var panicPods: Int
    }

    private(set) var spec: KPASpec
    private(set) var service: ObjectKey
    private(set) var current: Int
    private(set) var ready: Int
    var book: LoadBook
    private var state: KPAState
    private var zero: ZeroMachine

    init(_ deployment: KubeObject, config: [String: String], now: Double) throws(ScalingFault) {
        spec = try Self.spec(deployment, config)
        service = Self.service(deployment)
        current = deployment.spec["replicas"].int ?? 1
        ready = deployment.status["readyReplicas"].int ?? 0
        book = LoadBook(spec)
        // Those that are wanted count as well: until they are ready, and a window is told of, nothing speaks against them.
        state = KPAState(ready: max(ready, current), now: now)
        zero = ZeroMachine(ready: ready, wanted: current, now: now)
    }

    private static func spec(_ deployment: KubeObject, _ config: [String: String]) throws(ScalingFault) -> KPASpec {
        let concurrency = deployment.annotations[ScalingAnnotations.concurrency].flatMap { Int($0) } ?? 0
        return try KPASpec(
            annotations: deployment.annotations, config: config, containerConcurrency: max(0, concurrency))
    }

    static func service(_ deployment: KubeObject) -> ObjectKey {
        ObjectKey(
            namespace: deployment.namespace,
            name: deployment.annotations[ScalingAnnotations.service] ?? deployment.name)
    }

    /// The Deployment has changed.
    mutating func take(_ deployment: KubeObject, config: [String: String]) throws(ScalingFault) {
        current = deployment.spec["replicas"].int ?? 1
        ready = deployment.status["readyReplicas"].int ?? 0
        service = Self.service(deployment)
        let new = try Self.spec(deployment, config)
        guard new != spec else { return }
        spec = new
        book.resize(new)
    }

    /// Decides; every interval, where some gateway tells of its requests.
    mutating func look(now: Double) -> Look {
        let decision = KPADecider.decide(spec, &state, book.look(spec, ready: ready, now: now), now: now)
        // What is held wants pods, also where it came too late for the averages.
        var want = decision.want
        if ready == 0, book.heldRequests > 0 { want = max(want, wakeUp) }
        let step = zero.step(
            want: want, excessBurst: decision.excessBurst, ready: ready, holds: true, spec, now: now)
        return Look(
            decision: decision, step: step, current: current, panicSince: state.panicSince,
            panicPods: state.maximumPanicPods)
    }

    /// How many to begin with for what is held; nil: there are pods already.
    mutating func wake(now: Double) -> Int? {
        guard current == 0, book.heldRequests > 0 else { return nil }
        let want = wakeUp
        _ = zero.step(want: want, excessBurst: -1, ready: ready, holds: true, spec, now: now)
        return want
    }

    private var wakeUp: Int {
        let held = Int(min(1_000_000, (Double(book.heldRequests) / spec.target).rounded(.up)))
        let want = max(1, spec.activation, spec.minimum, held)
        return spec.maximum > 0 ? min(spec.maximum, want) : want
    }

    /// It was scaled.
    mutating func scaled(to replicas: Int) { current = replicas }

    var phase: ZeroMachine.Phase { zero.phase }
}

extension KPATarget.Look {
    /// As the trace has it: one line of JSON.
    func trace(_ key: ObjectKey, _ spec: KPASpec, now: Double) -> JSONValue {
        [
            "now": JSONValue(now), "namespace": .string(key.namespace), "name": .string(key.name),
            "ready": JSONValue(decision.seen.ready), "stable": JSONValue(decision.seen.stable),
            "panic": JSONValue(decision.seen.panic), "target": JSONValue(decision.target),
            "total": JSONValue(spec.total), "window": JSONValue(spec.stableWindow / .seconds(1)),
            "minimum": JSONValue(spec.minimum), "maximum": JSONValue(spec.maximum),
            "stableWant": JSONValue(decision.stableWant), "panicWant": JSONValue(decision.panicWant),
            "isPanicking": .bool(decision.isPanicking), "want": JSONValue(decision.want),
            "excessBurst": JSONValue(decision.excessBurst), "current": JSONValue(current),
            "replicas": step.replicas.map { JSONValue($0) } ?? .null, "activator": .bool(step.activator),
            "panicSince": panicSince.map { JSONValue($0) } ?? .null, "panicPods": JSONValue(panicPods),
        ]
    }

    /// For an event: what it came from.
    func reason(_ spec: KPASpec) -> String {
        func text(_ value: Double) -> String { String((value * 100).rounded() / 100) }
        let unit = spec.metric == .concurrency ? "requests at a time" : "requests a second"
        let windows =
            "\(text(decision.seen.stable)) \(unit) in \(Int(spec.stableWindow / .seconds(1))) s, "
            + "\(text(decision.seen.panic)) in \(Int(spec.panicWindow / .seconds(1))) s"
        return "\(windows); target \(text(decision.target)) a pod, \(decision.seen.ready) ready"
            + (decision.isPanicking ? ", in panic" : "")
    }
}
