// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// What a pod used, in thousandths of the metric's unit.
package struct PodSample: Equatable, Sendable {
    package var value: Int64
    /// The end of the time over which it was measured.
    package var timestamp: Timestamp
    package var window: Duration = .seconds(60)

    package init(value: Int64, timestamp: Timestamp, window: Duration = .seconds(60)) {
        self.value = value
        self.timestamp = timestamp
        self.window = window
    }
}

/// How many replicas one metric asks for, and what was found.
package struct ReplicaProposal: Equatable, Sendable {
    package var replicas: Int
    /// What is reported: an average for each pod or a total, in thousandths.
    package var amount: Int64
    /// Percent of what the pods request.
    package var utilization: Int?

    package init(replicas: Int, amount: Int64, utilization: Int? = nil) {
        self.replicas = replicas
        self.amount = amount
        self.utilization = utilization
    }
}

/// Why a metric says nothing.
package struct MetricFailure: Error, Equatable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}

/// How far a ratio may be from 1 before anything changes.
package struct ScalingTolerance: Equatable, Sendable {
    package static let standard = 0.1

    package var down = standard
    package var up = standard

    package init(down: Double = standard, up: Double = standard) {
        self.down = down
        self.up = up
    }

    package func contains(_ ratio: Double) -> Bool { 1 - down <= ratio && ratio <= 1 + up }
}

/// The formula: how many replicas bring a metric to its target. Pure.
///
/// Source: Kubernetes "Horizontal Pod Autoscaling", section "Algorithm details".
package struct ReplicaCalculator: Sendable {
    /// For so long after its start a pod's CPU counts only while it is ready. Default 5 min, as upstream.
    package var cpuInitialization: Duration = .seconds(300)
    /// A pod that is not ready and never was longer than so after its start is still starting. Default 30 s.
    package var initialReadinessDelay: Duration = .seconds(30)
    package var tolerance = ScalingTolerance()
    package var now: Timestamp

    package init(tolerance: ScalingTolerance = ScalingTolerance(), now: Timestamp) {
        self.tolerance = tolerance
        self.now = now
    }

    // MARK: Metrics of pods

    /// From what pods use of a resource, in percent of what they request.
    /// - Parameters:
    ///   - current: replicas wanted now.
    ///   - target: percent.
    ///   - resource: such as `cpu`.
    ///   - container: the one that counts; nil counts all.
    ///   - samples: by pod name.
    ///   - pods: those that the selector matches.
    /// - Returns: the proposal.
    /// - Throws: ``MetricFailure`` when there is nothing to calculate with.
    package func utilization(
        current: Int, target: Int, resource: String, container: String?, samples: [String: PodSample],
        pods: [KubeObject]
    ) throws(MetricFailure) -> ReplicaProposal {
        let groups = try Groups(pods, samples, isCPU: resource == "cpu", self)
        let requests = try Self.requests(of: pods, resource, container)
        var counted = groups.counted.mapValues(\.value)
        let first = try Self.ratio(counted, requests, target: target)
        func proposal(_ replicas: Int) -> ReplicaProposal {
            ReplicaProposal(replicas: replicas, amount: first.average, utilization: first.utilization)
        }
        let growsWithUnready = !groups.unready.isEmpty && first.ratio > 1
        if !growsWithUnready, groups.missing.isEmpty {
            return proposal(
                tolerance.contains(first.ratio) ? current : Self.ceiling(first.ratio * Double(groups.readyCount)))
        }
        if first.ratio < 1 {
            // On the way down missing pods use all that they request, or the target where that is more.
            let fallback = Int64(max(100, target))
            for name in groups.missing { counted[name] = Self.scaled(requests[name] ?? 0, fallback, 100) }
        } else if first.ratio > 1 {
            for name in groups.missing { counted[name] = 0 }
        }
        if growsWithUnready { for name in groups.unready { counted[name] = 0 } }
        let second = try Self.ratio(counted, requests, target: target)
        return proposal(
            settle(current: current, first: first.ratio, second: second.ratio, count: counted.count))
    }

    /// From an amount for each pod.
    /// - Parameters:
    ///   - current: replicas wanted now.
    ///   - target: thousandths for each pod.
    ///   - resource: such as `cpu`; empty for a metric that is no resource.
    ///   - samples: by pod name.
    ///   - pods: those that the selector matches.
    /// - Returns: the proposal.
    /// - Throws: ``MetricFailure`` when there is nothing to calculate with.
    package func average(
        current: Int, target: Int64, resource: String, samples: [String: PodSample], pods: [KubeObject]
    ) throws(MetricFailure) -> ReplicaProposal {
        let groups = try Groups(pods, samples, isCPU: resource == "cpu", self)
        var counted = groups.counted.mapValues(\.value)
        let mean = Self.mean(counted)
        let first = Double(mean) / Double(max(1, target))
        func proposal(_ replicas: Int) -> ReplicaProposal { ReplicaProposal(replicas: replicas, amount: mean) }
        let growsWithUnready = !groups.unready.isEmpty && first > 1
        if !growsWithUnready, groups.missing.isEmpty {
            return proposal(tolerance.contains(first) ? current : Self.ceiling(first * Double(groups.readyCount)))
        }
        for name in groups.missing { counted[name] = first < 1 ? target : 0 }
        if growsWithUnready { for name in groups.unready { counted[name] = 0 } }
        let second = Double(Self.mean(counted)) / Double(max(1, target))
        return proposal(settle(current: current, first: first, second: second, count: counted.count))
    }

    /// With the pods that were guessed at: no change that is small, or against what was measured.
    private func settle(current: Int, first: Double, second: Double, count: Int) -> Int {
        if tolerance.contains(second) || (first < 1 && second > 1) || (first > 1 && second < 1) { return current }
        let replicas = Self.ceiling(second * Double(count))
        if (second < 1 && replicas > current) || (second > 1 && replicas < current) { return current }
        return replicas
    }

    // MARK: Metrics of other things

    /// From a total that the ready pods share.
    package func total(
        current: Int, value: Int64, target: Int64, pods: [KubeObject]
    ) throws(MetricFailure) -> ReplicaProposal {
        let ratio = Double(value) / Double(max(1, target))
        guard current != 0 else { return ReplicaProposal(replicas: Self.ceiling(ratio), amount: value) }
        if tolerance.contains(ratio) { return ReplicaProposal(replicas: current, amount: value) }
        guard !pods.isEmpty else {
            throw MetricFailure(
                "unable to calculate ready pods: no pods returned by selector while calculating replica count")
        }
        let ready = pods.count { $0.phase == "Running" && $0.isReadyPod }
        return ReplicaProposal(replicas: Self.ceiling(ratio * Double(ready)), amount: value)
    }

    /// From a total of which each pod is to have so much.
    package func share(present: Int, value: Int64, target: Int64) -> ReplicaProposal {
        let wanted = Double(max(1, target))
        let ratio = Double(value) / (wanted * Double(present))
        let replicas = tolerance.contains(ratio) ? present : Self.ceiling(Double(value) / wanted)
        let average = present > 0 ? Self.wide((Double(value) / Double(present)).rounded(.up)) : value
        return ReplicaProposal(replicas: replicas, amount: average)
    }

    // MARK: Parts

    /// Pods by how much their samples say.
    private struct Groups {
        var readyCount = 0
        var unready: Set<String> = []
        var missing: Set<String> = []
        /// Samples of ready pods.
        var counted: [String: PodSample]

        init(
            _ pods: [KubeObject], _ samples: [String: PodSample], isCPU: Bool, _ calculator: ReplicaCalculator
        ) throws(MetricFailure) {
            guard !pods.isEmpty else {
                throw MetricFailure("no pods returned by selector while calculating replica count")
            }
            counted = samples
            for pod in pods {
                let name = pod.name
                if pod.isBeingDeleted || pod.phase == "Failed" {
                    counted[name] = nil
                } else if pod.phase == "Pending" {
                    unready.insert(name)
                } else if let sample = samples[name] {
                    if isCPU, calculator.isStarting(pod, sample) {
                        unready.insert(name)
                    } else {
                        readyCount += 1
                    }
                } else {
                    missing.insert(name)
                }
            }
            for name in unready { counted[name] = nil }
            guard !counted.isEmpty else {
                throw MetricFailure("did not receive metrics for targeted pods (pods might be unready)")
            }
        }
    }

    /// Whether what a pod uses of the CPU still comes from its start.
    private func isStarting(_ pod: KubeObject, _ sample: PodSample) -> Bool {
        let condition = Conditions.find("Ready", in: pod.status)
        func time(_ json: JSONValue) -> Timestamp? { json.string.flatMap(Timestamp.init(rfc3339:)) }
        guard !condition.isNull, let start = time(pod.status["startTime"]) else { return true }
        let isUnready = condition["status"].string == "False"
        let changed = time(condition["lastTransitionTime"]) ?? start
        if now < start + cpuInitialization { return isUnready || sample.timestamp < changed + sample.window }
        return isUnready && changed < start + initialReadinessDelay
    }

    /// What each pod requests of a resource, in thousandths.
    package static func requests(
        of pods: [KubeObject], _ resource: String, _ container: String?
    ) throws(MetricFailure) -> [String: Int64] {
        var result: [String: Int64] = [:]
        for pod in pods {
            if container == nil,
                let whole = Quantity(pod.spec["resources"]["requests"][resource].string ?? "")
            {
                result[pod.name] = whole.millis
                continue
            }
            var sum: Int64 = 0
            let sidecars = pod.spec["initContainers"].elements.filter { $0["restartPolicy"].string == "Always" }
            for candidate in pod.spec["containers"].elements + sidecars {
                let name = candidate["name"].string ?? ""
                guard container == nil || container == name else { continue }
                guard let request = Quantity(candidate["resources"]["requests"][resource].string ?? "") else {
                    throw MetricFailure("missing request for \(resource) in container \(name) of Pod \(pod.name)")
                }
                sum = sum.addingReportingOverflow(request.millis).partialValue
            }
            result[pod.name] = sum
        }
        return result
    }

    private static func ratio(
        _ counted: [String: Int64], _ requests: [String: Int64], target: Int
    ) throws(MetricFailure) -> (ratio: Double, utilization: Int, average: Int64) {
        var used = 0.0
        var requested = 0.0
        var count = 0
        for (name, value) in counted {
            guard let request = requests[name] else { continue }
            used += Double(value)
            requested += Double(request)
            count += 1
        }
        guard requested > 0, count > 0 else { throw MetricFailure("no metrics returned matched known pods") }
        let utilization = Int(wide((used * 100 / requested).rounded(.down)))
        return (
            Double(utilization) / Double(max(1, target)), utilization,
            wide((used / Double(count)).rounded(.down))
        )
    }

    private static func mean(_ counted: [String: Int64]) -> Int64 {
        let sum = counted.values.reduce(0.0) { $0 + Double($1) }
        return wide((sum / Double(max(1, counted.count))).rounded(.down))
    }

    private static func scaled(_ value: Int64, _ factor: Int64, _ divisor: Int64) -> Int64 {
        wide((Double(value) * Double(factor) / Double(divisor)).rounded(.down))
    }

    private static func wide(_ value: Double) -> Int64 {
        value >= 9.2e18 ? .max : value <= -9.2e18 ? .min : Int64(value)
    }

    /// Replicas, at most what fits in 32 bits.
    private static func ceiling(_ value: Double) -> Int {
        value.isFinite ? Int(min(Double(Int32.max), max(0, value.rounded(.up)))) : Int(Int32.max)
    }
}

extension KubeObject {
    fileprivate var phase: String { status["phase"].string ?? "Pending" }
    fileprivate var isReadyPod: Bool { Conditions.isTrue("Ready", in: status) }
}
