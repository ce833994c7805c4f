// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ContainerRuntimes
import ControllerRuntime
import KubeAPI
import KubeClient
import Logging
import Synchronization

/// Carries out what the ``PodMachine`` of one pod asks for; the only place that knows the pod's runs.
final class PodWorker: Sendable {
    /// What reaches a worker, beside the inputs of the machine.
    private enum Message: Sendable {
        case input(PodInput)
        /// The status was written; nil: it was not, and is to be tried again.
        case published(KubeObject?)
        /// Something that volumes are made of changed, or grew old.
        case sourcesChanged
        /// The volumes were written again.
        case refreshed
    }

    /// What other tasks read of the machine's state.
    struct Snapshot: Sendable {
        var pod: KubeObject
        var plan: PodPlan
        var address: String
        var records: [ContainerLife]
        var activeProbes: Set<ProbeKey> = []
        var isStopping = false
    }

    let uid: String
    let node: NodeServices
    let directory: PodDirectory
    let volumes: PodVolumes
    private let runs: [PodMachine.KnownRun]
    private let mailbox = Mailbox<Message>()
    private let state: Mutex<Snapshot>
    /// Events that are written once per pod.
    private let told = Mutex<Set<String>>([])

    init(_ pod: KubeObject, runs: [PodMachine.KnownRun], node: NodeServices) {
        uid = pod.uid
        self.runs = runs
        self.node = node
        directory = PodDirectory(root: node.configuration.rootDirectory, key: pod.key, uid: pod.uid)
        volumes = PodVolumes(client: node.client, directory: directory)
        let machine = PodMachine(pod, timing: node.configuration.timing, runs: runs, now: .now())
        state = Mutex(Snapshot(pod: pod, plan: machine.plan, address: machine.address, records: machine.records))
    }

    var snapshot: Snapshot { state.withLock { $0 } }

    func send(_ input: PodInput) { mailbox.send(.input(input)) }

    /// Asks for the volumes to be written again.
    func refresh() { mailbox.send(.sourcesChanged) }

    /// Works until the pod is gone from the API server and from the node, or the task is cancelled.
    func run() async {
        let timing = node.configuration.timing
        var machine = PodMachine(snapshot.pod, timing: timing, runs: runs, now: .now())
        var loop = Loop()
        await withDiscardingTaskGroup { group in
            mailbox.send(.input(.tick))
            // What ended since the runs were looked up, before anybody listened for this pod.
            group.addTask {
                for run in self.runs {
                    guard let state = await self.node.runtime.state(of: self.id(run.container, run.attempt)) else {
                        continue
                    }
                    await self.report(run.container, run.attempt, state)
                }
            }
            for await _ in mailbox.rings {
                var actions: [PodAction] = []
                for message in mailbox.take() {
                    switch message {
                    case .input(.pod(let pod)) where !Self.isNews(pod, machine.pod): break
                    case .input(let input):
                        if case .tick = input { loop.alarm = nil }
                        let labels = (machine.pod.labels, machine.pod.annotations)
                        actions += machine.handle(input, now: .now())
                        if labels != (machine.pod.labels, machine.pod.annotations) { loop.mustRefresh = true }
                    case .published(let pod):
                        loop.isPublishing = false
                        if let pod, Self.isNews(pod, machine.pod) {
                            actions += machine.handle(.pod(pod), now: .now())
                        }
                        if pod == nil {
                            loop.lastChange = nil
                            loop.failures += 1
                            loop.retryPublishing = .now() + .seconds(1)
                        }
                    case .sourcesChanged:
                        loop.mustRefresh = true
                        actions += machine.handle(.retry, now: .now())
                    case .refreshed:
                        loop.isRefreshing = false
                    }
                }
                share(machine)
                for action in actions where !perform(action, machine, &loop, &group) {
                    group.cancelAll()
                    return
                }
                follow(machine, &loop, &group)
            }
        }
    }

    /// What the loop remembers between rounds.
    private struct Loop {
        var isPublishing = false
        var retryPublishing: Timestamp?
        var lastChange: JSONValue?
        /// How often the status could not be written.
        var failures = 0
        var mustDelete = false
        /// The earliest timer that is set.
        var alarm: Timestamp?
        var probes: Set<ProbeKey> = []
        var isWatchingSources = false
        var mustRefresh = false
        var isRefreshing = false
    }

    /// Whether `pod` is a later version of the same object.
    private static func isNews(_ pod: KubeObject, _ known: KubeObject) -> Bool {
        guard pod.uid == known.uid else { return false }
        guard let new = UInt64(pod.resourceVersion), let old = UInt64(known.resourceVersion) else { return true }
        return new > old
    }

    private func share(_ machine: PodMachine) {
        state.withLock { state in
            state.pod = machine.pod
            state.address = machine.address
            state.records = machine.records
            state.activeProbes = machine.activeProbes
            state.isStopping = machine.isStopping
        }
    }

    /// Starts what an action asks for; returns false when the pod is no more.
    private func perform(
        _ action: PodAction, _ machine: PodMachine, _ loop: inout Loop, _ group: inout DiscardingTaskGroup
    ) -> Bool {
        switch action {
        case .prepare:
            group.addTask { await self.prepare() }
        case .start(let name, let attempt):
            group.addTask { await self.start(name, attempt) }
        case .runPostStart(let name, let attempt):
            group.addTask { await self.runHook(name, attempt, .postStart, timeout: .seconds(3600)) }
        case .runPreStop(let name, let attempt):
            let grace = machine.plan.gracePeriod
            group.addTask { await self.runHook(name, attempt, .preStop, timeout: max(grace, .seconds(1))) }
        case .terminate(let name, let attempt):
            group.addTask { await self.terminate(name, attempt) }
        case .kill(let name, let attempt):
            let id = id(name, attempt)
            group.addTask { await self.node.runtime.kill(id) }
        case .remove(let name, let attempt):
            group.addTask { await self.remove(name, attempt) }
        case .event(let isWarning, let reason, let message, let container):
            tell(isWarning: isWarning, reason, message, container: container)
        case .release:
            node.watcher.unsubscribe(uid)
            node.addresses.release(uid)
        case .deleteObject:
            loop.mustDelete = true
        case .discard:
            return false
        }
        return true
    }

    /// Brings timers, probes, volumes and the published status in line with the machine.
    private func follow(_ machine: PodMachine, _ loop: inout Loop, _ group: inout DiscardingTaskGroup) {
        let fresh = machine.activeProbes.subtracting(loop.probes)
        loop.probes = machine.activeProbes
        for key in fresh { group.addTask { await self.runProbe(key) } }

        if let deadline = [machine.nextDeadline, loop.retryPublishing].compactMap({ $0 }).min(),
            deadline < loop.alarm ?? Timestamp(nanoseconds: .max)
        {
            loop.alarm = deadline
            group.addTask {
                guard (try? await Task.sleep(for: max(.zero, deadline - .now()))) != nil else { return }
                self.send(.tick)
            }
        }

        if machine.isPreparedForContainers, !machine.isStopping {
            if !loop.isWatchingSources {
                loop.isWatchingSources = true
                watchSources(machine.pod)
                group.addTask { await self.refreshTokens() }
            }
            if loop.mustRefresh, !loop.isRefreshing {
                loop.mustRefresh = false
                loop.isRefreshing = true
                group.addTask {
                    await self.refreshVolumes()
                    self.mailbox.send(.refreshed)
                }
            }
        }
        publish(machine, &loop, &group)
    }

    private func publish(_ machine: PodMachine, _ loop: inout Loop, _ group: inout DiscardingTaskGroup) {
        if let retry = loop.retryPublishing {
            guard Timestamp.now() >= retry else { return }
            loop.retryPublishing = nil
        }
        guard !loop.isPublishing, !machine.isVanished else { return }
        let pod = machine.pod
        let status = machine.status(hostAddress: node.configuration.hostAddress, now: .now())
        let change = PodMachine.statusPatch(from: pod.status, to: status, uid: uid)
        // What the server does not keep as it was written is not written again and again, and a status that it refuses
        // does not keep the pod from being deleted.
        if let change, change != loop.lastChange, !(loop.mustDelete && loop.failures > 3) {
            loop.lastChange = change
            loop.isPublishing = true
            group.addTask { await self.write(change, pod.key) }
        } else if loop.mustDelete {
            loop.mustDelete = false
            group.addTask { await self.deleteObject(pod.key) }
        }
    }

    private func write(_ change: JSONValue, _ key: ObjectKey) async {
        do {
            let pod = try await node.client.patch(.pods, key, .strategicMerge, change, subresource: "status")
            mailbox.send(.published(pod))
        } catch let error as StatusError where error.isNotFound || error.isConflict {
            // Gone, or another pod of the same name: the informer will tell.
            mailbox.send(.published(nil))
        } catch {
            if !Task.isCancelled { node.logger.warning("status of pod \(key) was not written: \(error)") }
            mailbox.send(.published(nil))
        }
    }

    private func deleteObject(_ key: ObjectKey) async {
        var backoff = Backoff()
        while !Task.isCancelled {
            do {
                return try await node.client.delete(.pods, key, .init(gracePeriodSeconds: 0, uid: uid))
            } catch let error as StatusError where error.isNotFound || error.isConflict {
                return
            } catch {
                if !Task.isCancelled { node.logger.warning("pod \(key) was not deleted: \(error)") }
                try? await Task.sleep(for: backoff.next())
            }
        }
    }

    /// Asks to be told when an object that a volume is made of changes.
    private func watchSources(_ pod: KubeObject) {
        let made = pod.spec["volumes"].elements.filter(VolumeContent.isMade)
        var reduced = pod
        reduced.spec = ["volumes": .array(made)]
        let names = ReferencedObjects.names(in: reduced)
        let targets =
            names.configMaps.map { (KubeResource.configMaps, $0) } + names.secrets.map { (KubeResource.secrets, $0) }
        node.watcher.subscribe(
            uid,
            to: Set(
                targets.map { resource, name in
                    .init(resource: resource, key: ObjectKey(namespace: pod.namespace, name: name))
                })
        ) { [weak self] in
            self?.refresh()
        }
    }

    // MARK: - For the other parts of the worker

    func id(_ container: String, _ attempt: Int) -> String {
        ContainerIdentity(pod: uid, container: container, attempt: attempt).description
    }

    func tell(isWarning: Bool, _ reason: String, _ message: String, container: String? = nil) {
        let snapshot = snapshot
        let plan = container.flatMap { name in snapshot.plan.containers.first { $0.name == name } }
        node.events.send(
            PodEvent(
                pod: snapshot.pod, isWarning: isWarning, reason: reason, message: message,
                fieldPath: plan?.fieldPath ?? ""))
    }

    /// Writes an event unless one with this reason was written for the pod before.
    func tellOnce(isWarning: Bool, _ reason: String, _ message: String) {
        guard told.withLock({ $0.insert(reason).inserted }) else { return }
        tell(isWarning: isWarning, reason, message)
    }
}
