// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import ControllerRuntime
import GatewayRules
import KubeAPI
import KubeClient
import Logging

/// Keeps Deployments that ask for Knative's autoscaler at the size that their requests want.
actor KPAKeeper {
    private let client: KubeClient
    private let deployments: Informer
    private let configuration: Informer
    private let events: EventRecorder
    private let interval: Duration
    private let logger: Logger
    private var targets: [ObjectKey: KPATarget] = [:]
    /// Deployments by the Service whose requests count.
    private var services: [ObjectKey: ObjectKey] = [:]
    /// Gateways that tell of their requests now.
    private var gateways: Set<String> = []
    /// Why a Deployment's annotations cannot be used, told once.
    private var faults: [ObjectKey: String] = [:]
    /// Wall clock at the beginning, and the clock that does not jump.
    private let begin = (wall: Timestamp.now(), steady: ContinuousClock.now)

    init(
        client: KubeClient, deployments: Informer, configuration: Informer, interval: Duration, logger: Logger
    ) {
        self.client = client
        self.deployments = deployments
        self.configuration = configuration
        self.interval = interval
        self.logger = logger
        events = EventRecorder(client: client, component: "apus-autoscaler")
    }

    private var now: Double {
        Double(begin.wall.nanoseconds) / 1e9 + (ContinuousClock.now - begin.steady) / .seconds(1)
    }

    private var settings: [String: String] {
        configuration.list().first { $0.name == "config-autoscaler" }?["data"].stringMembers ?? [:]
    }

    /// Decides every interval until cancelled.
    func run() async {
        await deployments.waitUntilSynced()
        await configuration.waitUntilSynced()
        let (changes, continuation) = AsyncStream<ObjectKey>.makeStream()
        deployments.onChange { continuation.yield($0.object.key) }
        // Settings hold for all.
        configuration.onChange { [deployments] _ in for one in deployments.list() { continuation.yield(one.key) } }
        await withDiscardingTaskGroup { group in
            group.addTask { for await key in changes { await self.changed(key) } }
            group.addTask { await self.decide() }
        }
    }

    private func decide() async {
        var next = ContinuousClock.now
        while !Task.isCancelled {
            next = max(next + interval, ContinuousClock.now)
            guard (try? await Task.sleep(until: next, clock: .continuous)) != nil else { return }
            guard !gateways.isEmpty else { continue }
            for key in targets.keys.sorted() { await look(key) }
        }
    }

    private func changed(_ key: ObjectKey) async {
        guard let deployment = deployments.get(key), !deployment.isBeingDeleted,
            KPASpec.isWanted(deployment.annotations)
        else {
            if let target = targets.removeValue(forKey: key) { services[target.service] = nil }
            faults[key] = nil
            return
        }
        do throws(ScalingFault) {
            if targets[key] == nil {
                targets[key] = try KPATarget(deployment, config: settings, now: now)
            } else {
                let before = targets[key]?.service
                try targets[key]?.take(deployment, config: settings)
                if let before, before != targets[key]?.service { services[before] = nil }
            }
            if let service = targets[key]?.service { services[service] = key }
            faults[key] = nil
        } catch {
            guard faults.updateValue(error.description, forKey: key) != error.description else { return }
            logger.warning("\(key): \(error)")
            await events.warning(deployment, reason: "InvalidScaling", error.description)
        }
    }

    /// What a gateway saw; nil: it is lost.
    func take(_ activity: UpstreamActivity?, from gateway: String) async {
        guard let activity else {
            gateways.remove(gateway)
            for key in targets.keys { targets[key]?.book.forget(gateway) }
            return
        }
        gateways.insert(gateway)
        let service = ObjectKey(namespace: activity.upstream.namespace, name: activity.upstream.service)
        guard let key = services[service], let metric = targets[key]?.spec.metric else { return }
        targets[key]?.book.add(activity, from: gateway, metric)
        guard let replicas = targets[key]?.wake(now: now) else { return }
        let held = targets[key]?.book.heldRequests ?? 0
        await scale(key, to: replicas, "\(held) requests are held")
    }

    /// A gateway answers, without requests until now.
    func connected(_ gateway: String) { gateways.insert(gateway) }

    private func look(_ key: ObjectKey) async {
        let now = now
        guard let look = targets[key]?.look(now: now), let spec = targets[key]?.spec else { return }
        logger.debug("decision \(look.trace(key, spec, now: now).text)")
        guard let replicas = look.step.replicas, replicas != look.current else { return }
        await scale(key, to: replicas, look.reason(spec))
    }

    private func scale(_ key: ObjectKey, to replicas: Int, _ reason: String) async {
        guard let before = targets[key]?.current else { return }
        // First, so that what comes meanwhile does not lead to it again.
        targets[key]?.scaled(to: replicas)
        do {
            _ = try await client.patch(
                .deployments, key, .merge, ["spec": ["replicas": JSONValue(replicas)]], subresource: "scale")
            logger.info("\(key) from \(before) to \(replicas) replicas: \(reason)")
            guard let deployment = deployments.get(key) else { return }
            await events.normal(
                deployment, reason: "ScaledByRequests", "from \(before) to \(replicas) replicas: \(reason)")
        } catch {
            targets[key]?.scaled(to: before)
            logger.warning("\(key) cannot be scaled to \(replicas): \(error)")
        }
    }
}
