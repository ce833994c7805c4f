// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AsyncHTTPClient
package import ContainerRuntimes
import ControllerRuntime
import FoundationEssentials
package import KubeAPI
package import KubeClient
package import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The node agent: registers the node, runs the pods that are bound to it, and reports what becomes of them.
///
/// Containers outlive it. Started again, it adopts the running containers of pods that still exist and stops those
/// whose pods are gone.
package final class NodeAgent: Sendable {
    private let client: KubeClient
    private let nodeName: String
    private let configuration: NodeAgentConfiguration
    private let runtime: any ContainerRuntime
    private let storage: LocalPathVolumes?
    let sampler: UsageSampler
    private let logger: Logger
    private let changes = Mailbox<InformerEvent>()
    private let events = Mailbox<PodEvent>()
    /// The workers of the pods on the node, by UID.
    private let workers = Mutex<[String: PodWorker]>([:])
    /// Ends when the pods that were there at the start are known.
    private let (taken, takenUp) = AsyncStream.makeStream(of: Void.self)

    /// - Parameters:
    ///   - client: of the API server whose pods are run.
    ///   - nodeName: name of the Node object.
    ///   - configuration: directories, addresses, intervals.
    ///   - runtime: runs the containers.
    ///   - storageClient: makes and removes the local-path volumes of the node; nil: nobody does.
    ///   - logger: told of the agent's own life; pods are reported through events.
    package init(
        client: KubeClient, nodeName: String, configuration: NodeAgentConfiguration, runtime: any ContainerRuntime,
        storageClient: KubeClient? = nil, logger: Logger
    ) {
        self.client = client
        self.nodeName = nodeName
        self.configuration = configuration
        self.runtime = runtime
        sampler = UsageSampler(runtime: runtime, interval: configuration.usageInterval)
        storage = storageClient.map {
            LocalPathVolumes(client: $0, nodeName: nodeName, root: configuration.rootDirectory, logger: logger)
        }
        self.logger = logger
    }

    /// Works until cancelled; containers go on running afterwards.
    package func run() async throws {
        let root = configuration.rootDirectory
        try await NIOThreadPool.singleton.runIfActive {
            for directory in ["pods", "volumes"] {
                try FileManager.default.createDirectory(
                    atPath: "\(root)/\(directory)", withIntermediateDirectories: true)
            }
        }
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .none
        var settings = HTTPClient.Configuration(tlsConfiguration: tls)
        settings.redirectConfiguration = .follow(max: 10, allowCycles: false)
        settings.httpVersion = .http1Only
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
        let result: Result<Void, any Error>
        do {
            result = .success(try await run(http))
        } catch {
            result = .failure(error)
        }
        try? await http.shutdown()
        try result.get()
    }

    /// Returns once the pods that were bound to the node when it started, with the containers that run, are known to
    /// ``worker(of:)``, or at the end of the task. To be called once.
    package func waitUntilTakenUp() async {
        for await _ in taken {}
    }

    private func run(_ http: HTTPClient) async throws {
        let heartbeat = NodeHeartbeat(
            client: client, nodeName: nodeName, configuration: configuration, logger: logger)
        let addresses = try PodAddresses(prefix: configuration.podAddressPrefix)
        let registered = try await heartbeat.register()
        logger.info("node \(nodeName) is registered")
        let permits = WorkQueue<Int>()
        for permit in 0..<max(1, configuration.parallelStarts) { permits.add(permit) }
        let pods = Informer(
            .pods, client: client, selection: .init(fields: "spec.nodeName=\(nodeName)"), logger: logger)
        let services = Informer(.services, client: client, logger: logger)
        let watcher = ObjectWatcher(client: client, logger: logger)
        let node = NodeServices(
            client: client, nodeName: nodeName, configuration: configuration, runtime: runtime,
            prober: Prober(client: http), services: services, watcher: watcher, addresses: addresses,
            capacity: await heartbeat.readFacts().capacity(maxPods: configuration.maxPods), permits: permits,
            events: events, logger: logger)
        let endings = runtime.events()
        await withDiscardingTaskGroup { group in
            for informer in [pods, services] { group.addTask { await informer.run() } }
            if let storage { group.addTask { await storage.run() } }
            group.addTask { await self.sampler.run() }
            group.addTask { await watcher.run() }
            group.addTask { await heartbeat.run(registered) }
            group.addTask { await self.writeEvents() }
            await pods.waitUntilSynced()
            await services.waitUntilSynced()
            guard !Task.isCancelled else { return }
            let runs = await adopt(pods.list(), addresses, &group)
            pods.onChange { self.changes.send($0) }
            group.addTask {
                for await id in endings { await self.forward(id) }
            }
            for change in changes.take() { take(change, runs, node, &group) }
            takenUp.finish()
            for await _ in changes.rings {
                for change in changes.take() { take(change, runs, node, &group) }
            }
            group.cancelAll()
        }
    }

    // MARK: - Pods

    /// Finds what runs already: returns the runs of pods that exist, and stops those of pods that do not.
    private func adopt(
        _ pods: [KubeObject], _ addresses: PodAddresses, _ group: inout DiscardingTaskGroup
    ) async -> [String: [PodMachine.KnownRun]] {
        let known = Set(pods.map(\.uid))
        for pod in pods {
            guard let address = pod.status["podIP"].string, pod.spec["hostNetwork"].bool != true,
                !["Succeeded", "Failed"].contains(pod.status["phase"].string ?? "")
            else { continue }
            addresses.adopt(pod.uid, address)
        }
        var runs: [String: [PodMachine.KnownRun]] = [:]
        var adopted = 0
        for record in await runtime.containers() {
            guard let identity = ContainerIdentity(record.spec.id) else { continue }
            guard known.contains(identity.pod) else {
                group.addTask { await self.stopOrphan(record.spec.id) }
                continue
            }
            guard let state = ContainerObservation(record.state) else { continue }
            if case .running = state { adopted += 1 }
            runs[identity.pod, default: []].append(
                .init(container: identity.container, attempt: identity.attempt, state: state))
        }
        if adopted > 0 { logger.info("adopted \(adopted) running containers") }
        let root = configuration.rootDirectory
        group.addTask {
            _ = try? await NIOThreadPool.singleton.runIfActive {
                let manager = FileManager.default
                for name in (try? manager.contentsOfDirectory(atPath: root + "/pods")) ?? [] {
                    let uid = name.split(separator: "_").last.map(String.init) ?? ""
                    if !known.contains(uid) { try? manager.removeItem(atPath: "\(root)/pods/\(name)") }
                }
            }
        }
        return runs
    }

    private func stopOrphan(_ id: String) async {
        logger.info("stopping container \(id): its pod is gone")
        await stop([id], grace: .seconds(2))
        try? await runtime.remove(id)
    }

    private func take(
        _ change: InformerEvent, _ runs: [String: [PodMachine.KnownRun]], _ node: NodeServices,
        _ group: inout DiscardingTaskGroup
    ) {
        switch change {
        case .added(let pod):
            begin(pod, runs[pod.uid] ?? [], node, &group)
        case .updated(let old, let pod):
            if old.uid != pod.uid { workers.withLock { $0[old.uid] }?.send(.vanished) }
            if let worker = workers.withLock({ $0[pod.uid] }) {
                worker.send(.pod(pod))
            } else {
                begin(pod, [], node, &group)
            }
        case .deleted(let pod):
            let worker = workers.withLock { $0[pod.uid] }
            worker?.send(.pod(pod))
            worker?.send(.vanished)
        }
    }

    private func begin(
        _ pod: KubeObject, _ runs: [PodMachine.KnownRun], _ node: NodeServices, _ group: inout DiscardingTaskGroup
    ) {
        let fresh = workers.withLock { workers -> PodWorker? in
            guard workers[pod.uid] == nil else { return nil }
            let worker = PodWorker(pod, runs: runs, node: node)
            workers[pod.uid] = worker
            return worker
        }
        guard let fresh else { return }
        group.addTask {
            await fresh.run()
            if !Task.isCancelled { await fresh.discard() }
            self.workers.withLock { $0[pod.uid] = nil }
        }
    }

    /// Tells the worker of a container what the runtime knows of it now.
    private func forward(_ id: String) async {
        guard let identity = ContainerIdentity(id), let state = await runtime.state(of: id) else { return }
        let worker = workers.withLock { $0[identity.pod] }
        await worker?.report(identity.container, identity.attempt, state)
    }

    private func writeEvents() async {
        let recorder = EventRecorder(client: client, component: "kubelet", host: nodeName)
        for await _ in events.rings {
            for event in events.take() {
                if event.isWarning {
                    await recorder.warning(
                        event.pod, reason: event.reason, event.message, fieldPath: event.fieldPath)
                } else {
                    await recorder.normal(
                        event.pod, reason: event.reason, event.message, fieldPath: event.fieldPath)
                }
            }
        }
    }

    // MARK: - Stopping all

    /// Stops all containers of all pods: SIGTERM, then SIGKILL after `grace`. To be called after ``run()`` has ended;
    /// the pods stay at the API server and are run again by the next agent.
    package func stopAll(grace: Duration) async {
        let ids = await runtime.containers().filter { !$0.state.isFinal }.map(\.spec.id)
        await stop(ids, grace: grace)
    }

    private func stop(_ ids: [String], grace: Duration) async {
        let events = runtime.events()
        for id in ids { try? await runtime.signal(id, SIGTERM) }
        await waitForEnd(of: ids, events, atMost: grace)
        for id in ids where await runtime.state(of: id)?.isFinal == false { await runtime.kill(id) }
        await waitForEnd(of: ids, runtime.events(), atMost: .seconds(5))
    }

    private func waitForEnd(of ids: [String], _ events: AsyncStream<String>, atMost limit: Duration) async {
        @Sendable func haveEnded() async -> Bool {
            for id in ids where await runtime.state(of: id)?.isFinal == false { return false }
            return true
        }
        if await haveEnded() { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for await _ in events where await haveEnded() { return }
            }
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
    }

    // MARK: - For other parts of the agent

    /// The running containers of each pod that has any: their names and the runtime's ids.
    var runningContainers: [(pod: ObjectKey, containers: [(name: String, id: String)])] {
        var result: [(pod: ObjectKey, containers: [(name: String, id: String)])] = []
        for worker in workers.withLock({ Array($0.values) }) {
            let snapshot = worker.snapshot
            var running: [(name: String, id: String)] = []
            for record in snapshot.records where record.isRunning {
                running.append((record.plan.name, worker.id(record.plan.name, record.attempt)))
            }
            if !running.isEmpty { result.append((snapshot.pod.key, running)) }
        }
        return result
    }

    /// The worker of a pod; the newest one where several pods of that name exist.
    /// The pods of this node as the agent knows them.
    package var pods: [KubeObject] { workers.withLock { $0.values.map(\.snapshot.pod) } }

    func worker(of key: ObjectKey) -> PodWorker? {
        let all = workers.withLock { $0.values.filter { $0.snapshot.pod.key == key } }
        return all.max { ($0.snapshot.pod.creationTimestamp ?? .now()) < ($1.snapshot.pod.creationTimestamp ?? .now()) }
    }
}
