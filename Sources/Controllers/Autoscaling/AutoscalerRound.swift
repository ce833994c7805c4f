// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import KubeAPI

/// One look at one autoscaler: reads the scale and the metrics, scales, and makes the status.
///
/// Source: Kubernetes API reference, HorizontalPodAutoscaler autoscaling/v2; reasons and messages as upstream's.
struct AutoscalerRound {
    private let controller: AutoscalerReconciler
    let autoscaler: KubeObject
    private(set) var status: JSONValue
    private let now: Timestamp

    init(_ controller: AutoscalerReconciler, _ autoscaler: KubeObject) {
        self.controller = controller
        self.autoscaler = autoscaler
        status = autoscaler.status
        now = controller.now()
    }

    private var spec: JSONValue { autoscaler.spec }
    private var reference: String {
        let target = spec["scaleTargetRef"]
        return "\(target["kind"].string ?? "")/\(autoscaler.namespace)/\(target["name"].string ?? "")"
    }

    private mutating func set(_ type: String, _ isTrue: Bool, _ reason: String, _ message: String) {
        Conditions.set(type, isTrue ? "True" : "False", reason: reason, message: message, now: now, in: &status)
    }

    private func warn(_ reason: String, _ message: String) {
        controller.events.warning(autoscaler, reason: reason, message)
    }

    mutating func run() async {
        let target = spec["scaleTargetRef"]
        let resource: KubeResource
        let scale: KubeObject
        do {
            resource = try await controller.targets.resource(
                apiVersion: target["apiVersion"].string ?? "", kind: target["kind"].string ?? "")
            let key = ObjectKey(namespace: autoscaler.namespace, name: target["name"].string ?? "")
            scale = try await controller.targets.scale(resource, key)
        } catch {
            let why = ScalingMetricsReader.text(error)
            warn("FailedGetScale", why)
            set(
                "AbleToScale", false, "FailedGetScale",
                "the HPA controller was unable to get the target's current scale: \(why)")
            return
        }
        set(
            "AbleToScale", true, "SucceededGetScale",
            "the HPA controller was able to get the target's current scale")
        await decide(scale, resource)
    }

    private mutating func decide(_ scale: KubeObject, _ resource: KubeResource) async {
        let current = scale.spec["replicas"].int ?? 0
        let behavior = ScalingBehavior(
            spec, downscaleStabilization: controller.configuration.autoscalerDownscaleStabilization)
        controller.histories.change(autoscaler.key) { $0.begin(current, now: now) }
        var desired = current
        var reason = ""
        var measured: [JSONValue] = []
        if current == 0, behavior.least != 0 {
            set(
                "ScalingActive", false, "ScalingDisabled",
                "scaling is disabled since the replica count of the target is zero")
        } else if current > behavior.most {
            (desired, reason) = (behavior.most, "Current number of replicas above Spec.MaxReplicas")
        } else if current < behavior.least {
            (desired, reason) = (behavior.least, "Current number of replicas below Spec.MinReplicas")
        } else {
            let wish: MetricWish
            do {
                wish = try await wishes(scale, behavior)
            } catch {
                warn("FailedComputeMetricsReplicas", error.description)
                finish(current: current, desired: status["desiredReplicas"].int ?? 0, error.measured)
                return
            }
            measured = wish.measured
            if wish.replicas > current { reason = "\(wish.metric) above target" }
            if wish.replicas < current { reason = "All metrics below target" }
            let now = now
            let outcome = controller.histories.change(autoscaler.key) {
                behavior.normalize(current: current, desired: wish.replicas, history: &$0, now: now)
            }
            let able = outcome.ableToScale
            let limited = outcome.scalingLimited
            set("AbleToScale", able.isTrue, able.reason, able.message)
            set("ScalingLimited", limited.isTrue, limited.reason, limited.message)
            desired = outcome.replicas
        }
        if desired != current {
            guard await rescale(scale, resource, current: current, desired: desired, reason, behavior) else {
                finish(current: current, desired: status["desiredReplicas"].int ?? 0, measured)
                return
            }
            status["lastScaleTime"] = .string(now.rfc3339)
        }
        finish(current: current, desired: desired, measured)
    }

    private mutating func rescale(
        _ scale: KubeObject, _ resource: KubeResource, current: Int, desired: Int, _ reason: String,
        _ behavior: ScalingBehavior
    ) async -> Bool {
        do {
            try await controller.targets.write(scale, replicas: desired, resource)
        } catch {
            let why = ScalingMetricsReader.text(error)
            warn("FailedRescale", "New size: \(desired); reason: \(reason); error: \(why)")
            set(
                "AbleToScale", false, "FailedUpdateScale",
                "the HPA controller was unable to update the target scale: \(why)")
            return false
        }
        set(
            "AbleToScale", true, "SucceededRescale",
            "the HPA controller was able to update the target scale to \(desired)")
        controller.events.normal(
            autoscaler, reason: "SuccessfulRescale", "New size: \(desired); reason: \(reason)")
        if let up = behavior.up, let down = behavior.down {
            let now = now
            controller.histories.change(autoscaler.key) {
                $0.scaled(from: current, to: desired, up: up, down: down, now: now)
            }
        }
        return true
    }

    private mutating func finish(current: Int, desired: Int, _ measured: [JSONValue]) {
        status["currentReplicas"] = JSONValue(current)
        status["desiredReplicas"] = JSONValue(desired)
        status["currentMetrics"] = measured.isEmpty ? .null : .array(measured)
    }

    // MARK: Metrics

    private struct MetricWish {
        var replicas: Int
        var metric: String
        var measured: [JSONValue]
    }

    private struct WishFailure: Error {
        var description: String
        var measured: [JSONValue] = []
    }

    /// What the metrics ask for: the most that any of them does.
    private mutating func wishes(
        _ scale: KubeObject, _ behavior: ScalingBehavior
    ) async throws(WishFailure) -> MetricWish {
        let (text, selected) = try select(scale)
        let current = scale.spec["replicas"].int ?? 0
        let present = scale.status["replicas"].int ?? 0
        var calculator = ReplicaCalculator(now: now)
        calculator.tolerance = behavior.tolerance
        calculator.cpuInitialization = controller.configuration.autoscalerCPUInitialization
        calculator.initialReadinessDelay = controller.configuration.autoscalerInitialReadinessDelay
        let metrics = spec["metrics"].elements.map(ScalingMetric.init)
        var best: (replicas: Int, metric: String)?
        var failures: [(metric: ScalingMetric, why: String)] = []
        var measured: [JSONValue] = []
        for metric in metrics {
            do {
                let proposal = try await propose(
                    metric, calculator, current: current, present: present, selector: text, pods: selected)
                measured.append(metric.status(proposal))
                if best.map({ $0.replicas == 0 || proposal.replicas > $0.replicas }) ?? true {
                    best = (proposal.replicas, metric.description)
                }
            } catch {
                warn(metric.failureReason, error.description)
                failures.append((metric, error.description))
                // Places are kept, so that what is measured stands where the metric does.
                measured.append(["type": ""])
            }
        }
        if let first = failures.first, best.map({ $0.replicas < current }) ?? true {
            set(
                "ScalingActive", false, first.metric.failureReason,
                "the HPA was unable to compute the replica count: \(first.why)")
            throw WishFailure(
                description: "invalid metrics (\(failures.count) invalid out of \(metrics.count)), first error is: "
                    + "\(first.metric.failurePrefix): \(first.why)", measured: measured)
        }
        guard let best else { throw WishFailure(description: "there is no metric") }
        set(
            "ScalingActive", true, "ValidMetricFound",
            "the HPA was able to successfully calculate a replica count from \(best.metric)")
        return MetricWish(replicas: best.replicas, metric: best.metric, measured: measured)
    }

    /// The selector of the scale and the pods that it matches.
    private mutating func select(_ scale: KubeObject) throws(WishFailure) -> (String, [KubeObject]) {
        let text = scale.status["selector"].string ?? ""
        guard !text.isEmpty else {
            let message = "the HPA target's scale is missing a selector"
            warn("SelectorRequired", message)
            set("ScalingActive", false, "InvalidSelector", message)
            throw WishFailure(description: "selector is required")
        }
        guard let selector = try? LabelSelector(parsing: text) else {
            let message = "couldn't convert selector into a corresponding internal selector object: \(text)"
            warn("InvalidSelector", message)
            set("ScalingActive", false, "InvalidSelector", message)
            throw WishFailure(description: message)
        }
        let pods = controller.pods.find("in/\(autoscaler.namespace)").filter { selector.matches($0.labels) }
        return (text, pods)
    }

    private func propose(
        _ metric: ScalingMetric, _ calculator: ReplicaCalculator, current: Int, present: Int, selector: String,
        pods: [KubeObject]
    ) async throws(MetricFailure) -> ReplicaProposal {
        let reader = controller.metrics
        let namespace = autoscaler.namespace
        switch (metric.source, metric.target) {
        case (.resource(let name, let container), .utilization(let target)):
            do throws(MetricFailure) {
                let samples = try await samples(name, container, selector)
                return try calculator.utilization(
                    current: current, target: target, resource: name, container: container, samples: samples,
                    pods: pods)
            } catch {
                throw MetricFailure("failed to get \(name) utilization: \(error)")
            }
        case (.resource(let name, let container), .average(let target)):
            do throws(MetricFailure) {
                let samples = try await samples(name, container, selector)
                return try calculator.average(
                    current: current, target: target, resource: name, samples: samples, pods: pods)
            } catch {
                throw MetricFailure("failed to get \(name) usage: \(error)")
            }
        case (.pods, .average(let target)):
            do throws(MetricFailure) {
                let samples = try await reader.pods(
                    metric.name, metricSelector: metric.selector, namespace: namespace, selector: selector)
                return try calculator.average(
                    current: current, target: target, resource: "", samples: samples, pods: pods)
            } catch {
                throw MetricFailure("unable to get metric \(metric.name): \(error)")
            }
        case (.object(let apiVersion, let kind, let name), .total),
            (.object(let apiVersion, let kind, let name), .average):
            do throws(MetricFailure) {
                let resource = try await controller.targets.resource(apiVersion: apiVersion, kind: kind)
                let value = try await reader.object(
                    metric.name, metricSelector: metric.selector, namespace: namespace,
                    resource: resource.qualifiedName, name: name)
                return try share(value, metric, calculator, current: current, present: present, pods: pods)
            } catch {
                throw MetricFailure(
                    "unable to get metric \(metric.name): \(kind) on \(namespace) \(name)/\(error)")
            }
        case (.external, .total), (.external, .average):
            do throws(MetricFailure) {
                let value = try await reader.external(
                    metric.name, metricSelector: metric.selector, namespace: namespace)
                return try share(value, metric, calculator, current: current, present: present, pods: pods)
            } catch {
                let selector = (try? LabelSelector(json: metric.selector))?.description ?? ""
                throw MetricFailure(
                    "unable to get external metric \(namespace)/\(metric.name)/\(selector): \(error)")
            }
        default:
            throw MetricFailure("unknown metric source type or target of metric \"\(metric.description)\"")
        }
    }

    private func samples(
        _ name: String, _ container: String?, _ selector: String
    ) async throws(MetricFailure) -> [String: PodSample] {
        do throws(MetricFailure) {
            return try await controller.metrics.resource(
                name, container: container, namespace: autoscaler.namespace, selector: selector)
        } catch {
            throw MetricFailure("unable to get metrics for resource \(name): \(error)")
        }
    }

    private func share(
        _ value: Int64, _ metric: ScalingMetric, _ calculator: ReplicaCalculator, current: Int, present: Int,
        pods: [KubeObject]
    ) throws(MetricFailure) -> ReplicaProposal {
        if case .average(let target) = metric.target {
            return calculator.share(present: present, value: value, target: target)
        }
        guard case .total(let target) = metric.target else { throw MetricFailure("no target value") }
        return try calculator.total(current: current, value: value, target: target, pods: pods)
    }
}
