// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Synchronization

/// One ScaledObject at a time: reads its triggers, decides between none and some by KEDA's rules and above by the
/// formula of the HorizontalPodAutoscaler, scales, writes the status.
///
/// KEDA makes a HorizontalPodAutoscaler, which reads the metrics by API aggregation. Here its formula is asked directly;
/// the condition says so.
struct ScaledObjectReconciler: Reconciler {
    /// As the HorizontalPodAutoscaler's, where there are pods.
    private static let formulaInterval: Duration = .seconds(15)

    let client: KubeClient
    let objects: Informer
    let reader: TriggerReader
    let targets: ScaleTarget
    let events: EventRecorder
    private let histories = Histories()

    /// What the formula remembers; lost at a restart, as of the HorizontalPodAutoscaler.
    private final class Histories: Sendable {
        let all = Mutex<[ObjectKey: ScalingHistory]>([:])
    }

    init(client: KubeClient, objects: Informer, reader: TriggerReader) {
        self.client = client
        self.objects = objects
        self.reader = reader
        targets = ScaleTarget(client: client)
        events = EventRecorder(client: client, component: "keda-operator")
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let object = objects.get(key), !object.isBeingDeleted else {
            histories.all.withLock { $0[key] = nil }
            return .done
        }
        var status = ScaledObjectStatus(object, now: .now())
        let spec: ScaledObjectSpec
        do throws(ScalingFault) {
            spec = try ScaledObjectSpec(object)
        } catch {
            status.refuse("ScaledObjectCheckFailed", error.description)
            try await write(object, status)
            return .done
        }
        let wait: Duration
        do {
            let scale = try await targets.read(spec, namespace: key.namespace)
            wait = try await look(object, spec, scale, &status)
        } catch let error as StatusError where error.isNotFound {
            status.refuse(
                "ScaledObjectCheckFailed", "the target \(spec.kind) \(spec.name) has no scale: \(error.message)")
            wait = spec.pollingInterval
        }
        try await write(object, status)
        return .after(wait)
    }

    private func look(
        _ object: KubeObject, _ spec: ScaledObjectSpec, _ scale: ScaleTarget.Scale, _ status: inout ScaledObjectStatus
    ) async throws -> Duration {
        let now = status.now
        var readings: [String: Result<TriggerReading, ScalingFault>] = [:]
        for trigger in spec.triggers where !trigger.isResource {
            readings[trigger.metric] = await reader.read(trigger, of: object.key, now: now)
        }
        let step = ActivationDecider.decide(
            spec, readings, replicas: scale.replicas, created: object.creationTimestamp ?? now,
            memory: &status.memory, now: now)
        status.take(spec, scale, step, readings)
        for case .failure(let fault) in readings.values {
            await events.warning(object, reason: "KEDAScalerFailed", fault.description)
        }
        let name = "\(spec.kind) \(object.namespace)/\(spec.name)"
        if let replicas = step.replicas, replicas != scale.replicas {
            try await targets.write(scale, replicas: replicas)
            await events.normal(object, reason: step.reason, "Scaled \(name) \(step.message)")
            return min(spec.pollingInterval, .seconds(1))
        }
        guard !step.isPaused, scale.replicas > 0,
            spec.idle.map({ scale.replicas > $0 || step.activity == .active }) ?? true
        else { return spec.pollingInterval }
        try await formula(object, spec, scale, step)
        return min(spec.pollingInterval, Self.formulaInterval)
    }

    /// Between the minimum and the maximum, by the HorizontalPodAutoscaler's formula.
    private func formula(
        _ object: KubeObject, _ spec: ScaledObjectSpec, _ scale: ScaleTarget.Scale, _ step: ScaledObjectStep
    ) async throws {
        let now = Timestamp.now()
        let behavior = ScalingBehavior([
            "minReplicas": JSONValue(max(1, spec.minimum)), "maxReplicas": JSONValue(spec.maximum),
            "behavior": spec.behavior,
        ])
        let pods = try await targets.pods(scale)
        let calculator = ReplicaCalculator(tolerance: behavior.tolerance, now: now)
        var best: (replicas: Int, metric: String)?
        var failures: [MetricFailure] = []
        for trigger in spec.triggers {
            do throws(MetricFailure) {
                guard let wish = try await wish(trigger, scale, step, calculator, pods) else { continue }
                if best.map({ wish > $0.replicas }) ?? true { best = (wish, trigger.metric) }
            } catch {
                failures.append(error)
            }
        }
        // Of what cannot be read nothing is given up.
        guard let best,
            failures.isEmpty && step.values.count == spec.triggers.count(where: { !$0.isResource })
                || best.replicas >= scale.replicas
        else { return }
        let outcome = histories.all.withLock { all in
            all[object.key, default: ScalingHistory()].begin(scale.replicas, now: now)
            return behavior.normalize(
                current: scale.replicas, desired: best.replicas, history: &all[object.key, default: ScalingHistory()],
                now: now)
        }
        guard outcome.replicas != scale.replicas else { return }
        try await targets.write(scale, replicas: outcome.replicas)
        if let up = behavior.up, let down = behavior.down {
            histories.all.withLock {
                $0[object.key]?.scaled(from: scale.replicas, to: outcome.replicas, up: up, down: down, now: now)
            }
        }
        let value = step.values[best.metric].map { ", \(best.metric) is \($0)" } ?? ", by \(best.metric)"
        await events.normal(
            object, reason: "SuccessfulRescale",
            "\(spec.kind) \(object.namespace)/\(spec.name) from \(scale.replicas) to \(outcome.replicas)\(value)")
    }

    private func wish(
        _ trigger: ScaleTrigger, _ scale: ScaleTarget.Scale, _ step: ScaledObjectStep, _ calculator: ReplicaCalculator,
        _ pods: [KubeObject]
    ) async throws(MetricFailure) -> Int? {
        func thousandths(_ value: Double) -> Int64 { Int64(max(-9e15, min(9e15, value * 1000))) }
        switch (trigger.source, trigger.target) {
        case (.resource(let name, let container), let target):
            let samples = try await targets.usage(scale, name, container: container)
            switch target {
            case .utilization(let percent):
                return try calculator.utilization(
                    current: scale.replicas, target: percent, resource: name, container: container, samples: samples,
                    pods: pods
                ).replicas
            case .average(let amount), .total(let amount):
                return try calculator.average(
                    current: scale.replicas, target: thousandths(amount), resource: name, samples: samples, pods: pods
                ).replicas
            }
        case (_, .average(let amount)):
            guard let value = step.values[trigger.metric] else { return nil }
            return calculator.share(
                present: scale.present, value: thousandths(value), target: thousandths(amount)
            ).replicas
        case (_, .total(let amount)):
            guard let value = step.values[trigger.metric] else { return nil }
            return try calculator.total(
                current: scale.replicas, value: thousandths(value), target: thousandths(amount), pods: pods
            ).replicas
        case (_, .utilization): return nil
        }
    }

    private func write(_ object: KubeObject, _ status: ScaledObjectStatus) async throws {
        guard status.json != object.status else { return }
        var changed = object
        changed.status = status.json
        _ = try await client.updateStatus(ScaledObjects.resource, changed)
    }
}
