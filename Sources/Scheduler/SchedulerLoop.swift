// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
package import KubeClient
package import Logging
import SchedulerCore
import Synchronization

/// Binds pods to nodes: follows nodes and pods, decides one pod at a time, binds several at a time.
///
/// Pods of other schedulers are left alone. For a pod that fits nowhere, pods of lower priority may be deleted.
package final class SchedulerLoop: Sendable {
    let client: KubeClient
    let logger: Logger
    let recorder: EventRecorder
    private let maxRequestsInFlight: Int
    private let nodes: Informer
    let pods: Informer
    private let namespaces: Informer
    private let storageClasses: Informer
    private let budgets: Informer
    private let volumeBinder: VolumeBinder
    let state: Mutex<SchedulerState>
    private let wakes: AsyncStream<Void>
    let wake: AsyncStream<Void>.Continuation
    private let start = ContinuousClock.now

    /// - Parameters:
    ///   - client: of the API server.
    ///   - logger: for failures and decisions.
    ///   - schedulerName: pods with this `spec.schedulerName` are scheduled.
    ///   - maxRequestsInFlight: how many bindings and reports are sent at a time.
    package init(
        client: KubeClient, logger: Logger, schedulerName: String = "default-scheduler", maxRequestsInFlight: Int = 32
    ) {
        self.client = client
        self.logger = logger
        self.maxRequestsInFlight = max(1, maxRequestsInFlight)
        recorder = EventRecorder(client: client, component: schedulerName)
        nodes = Informer(.nodes, client: client, logger: logger)
        pods = Informer(.pods, client: client, logger: logger)
        namespaces = Informer(.namespaces, client: client, logger: logger)
        storageClasses = Informer(.storageClasses, client: client, logger: logger)
        budgets = Informer(.podDisruptionBudgets, client: client, logger: logger)
        volumeBinder = VolumeBinder(
            client: client, claims: Informer(.persistentVolumeClaims, client: client, logger: logger),
            volumes: Informer(.persistentVolumes, client: client, logger: logger), bell: Bell())
        state = Mutex(SchedulerState(schedulerName: schedulerName))
        (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Works until cancelled. Call it once.
    package func run() async {
        let (gated, gatedContinuation) = AsyncStream.makeStream(of: PodInfo.self)
        nodes.onChange { [weak self] event in
            guard let self else { return }
            state.withLock { $0.apply(node: event, now: self.now) }
            wake.yield()
        }
        namespaces.onChange { [weak self] event in
            self?.state.withLock { $0.apply(namespace: event) }
        }
        pods.onChange { [weak self] event in
            guard let self else { return }
            if let pod = state.withLock({ $0.apply(pod: event, now: self.now) }) { gatedContinuation.yield(pod) }
            wake.yield()
            if case .deleted = event { volumeBinder.bell.ring() }
        }
        volumeBinder.claims.onChange { [weak self] event in self?.volumesChanged { $0.apply(claim: event, now: $1) } }
        volumeBinder.volumes.onChange { [weak self] event in self?.volumesChanged { $0.apply(volume: event, now: $1) } }
        storageClasses.onChange { [weak self] event in
            self?.volumesChanged { $0.apply(storageClass: event, now: $1) }
        }
        budgets.onChange { [weak self] event in self?.state.withLock { $0.apply(budget: event) } }
        let informers = [nodes, pods, namespaces, storageClasses, budgets, volumeBinder.claims, volumeBinder.volumes]
        await withDiscardingTaskGroup { group in
            for informer in informers { group.addTask { await informer.run() } }
            group.addTask { [self] in
                for await pod in gated { await reportGated(pod) }
            }
            group.addTask { [self] in
                for informer in informers { await informer.waitUntilSynced() }
                await withDiscardingTaskGroup { timers in
                    await schedule(timers: &timers)
                    timers.cancelAll()
                }
            }
        }
    }

    var now: Duration { ContinuousClock.now - start }

    private func volumesChanged(_ apply: (inout SchedulerState, Duration) -> Void) {
        state.withLock { apply(&$0, now) }
        wake.yield()
        volumeBinder.bell.ring()
    }

    private func schedule(timers: inout DiscardingTaskGroup) async {
        var alarm: Duration?
        await withTaskGroup(of: Void.self) { requests in
            var inFlight = 0
            for await _ in wakes {
                while !Task.isCancelled, let attempt = state.withLock({ $0.next(now: now) }) {
                    if !attempt.volumes.isEmpty {
                        // Volumes may take long to be made: they do not hold up other pods.
                        timers.addTask { [self] in await act(on: attempt) }
                        continue
                    }
                    if inFlight >= maxRequestsInFlight {
                        await requests.next()
                        inFlight -= 1
                    }
                    inFlight += 1
                    requests.addTask { [self] in await act(on: attempt) }
                }
                guard let deadline = state.withLock({ $0.nextDeadline() }) else { continue }
                if let alarm, alarm > now, alarm <= deadline { continue }
                alarm = deadline
                let time = start + deadline
                timers.addTask { [wake] in
                    try? await Task.sleep(until: time)
                    wake.yield()
                }
            }
        }
    }

    private func act(on attempt: SchedulerState.Attempt) async {
        switch attempt.decision {
        case .node(let node, let scores):
            logger.trace("\(attempt.pod.key) goes to \(node), best of \(scores.count)")
            if !attempt.volumes.isEmpty {
                guard await bindVolumes(for: attempt, on: node) else { return }
            }
            await bind(attempt.pod, to: node)
        case .unschedulable(let error):
            await report(error, about: attempt)
        }
    }

    /// Returns whether the pod can be bound now.
    private func bindVolumes(for attempt: SchedulerState.Attempt, on node: String) async -> Bool {
        let (pod, plan) = (attempt.pod, attempt.volumes)
        do {
            try await volumeBinder.bind(plan, to: node) { [self] in
                guard pods.get(pod.key)?.uid == pod.uid else { return nil }
                return state.withLock { $0.progress(of: pod.claims, node: node, provisioned: plan.provisions) }
            }
            return true
        } catch {
            guard !Task.isCancelled else { return false }
            let isGone = error is CancellationError
            state.withLock {
                $0.release(plan)
                $0.bindingFailed(pod, isFinal: isGone, now: now)
            }
            wake.yield()
            if !isGone {
                let why = (error as? StatusError)?.message ?? "\(error)"
                await recorder.warning(
                    reference(pod), reason: "FailedScheduling",
                    "running PreBind plugin \"VolumeBinding\": binding volumes: \(why)")
            }
            return false
        }
    }

    private func bind(_ pod: PodInfo, to node: String) async {
        let binding: JSONValue = [
            "apiVersion": "v1", "kind": "Binding",
            "metadata": [
                "name": .string(pod.key.name), "namespace": .string(pod.key.namespace),
                "uid": pod.uid.isEmpty ? nil : .string(pod.uid),
            ],
            "target": ["apiVersion": "v1", "kind": "Node", "name": .string(node)],
        ]
        do {
            _ = try await client.create(.pods, pod.key, subresource: "binding", body: binding)
            state.withLock { $0.bound(pod, now: now) }
            await recorder.normal(
                reference(pod), reason: "Scheduled", "Successfully assigned \(pod.key) to \(node)")
        } catch {
            guard !Task.isCancelled else { return }
            let status = error as? StatusError
            let isFinal = status?.isNotFound == true || status?.code == 409
            state.withLock { $0.bindingFailed(pod, isFinal: isFinal, now: now) }
            wake.yield()
            if isFinal {
                logger.debug("binding \(pod.key) to \(node) is not needed any more: \(error)")
            } else {
                logger.warning("binding \(pod.key) to \(node) failed, will be tried again: \(error)")
                await recorder.warning(reference(pod), reason: "FailedScheduling", "binding rejected: \(error)")
            }
        }
    }
}
