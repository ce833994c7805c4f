// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ContainerRuntimes
import ControllerRuntime
import Controllers
import Foundation
import KubeAPI
import KubeClient
import KubeServer
import KubeStore
import Kubelet
import Logging
import Scheduler
import ServiceProxy
import UnixSignals

/// Everything that `apus up` runs: API server, controllers, scheduler, node agent and service proxy in one process.
///
/// Every part but the API server is given a client and nothing else. SIGTERM and SIGINT stop the pods and end it;
/// after SIGKILL the pods go on and the next start adopts them.
package struct Platform: Sendable {
    /// Name of this machine's node.
    static let nodeName = "apus"

    private let configuration: PlatformConfiguration
    private var logger: Logger { configuration.logger }

    package init(_ configuration: PlatformConfiguration) { self.configuration = configuration }

    static func runtimeDir(dataDir: String) -> String { "\(dataDir)/node/runtime" }

    static func unwritable(_ dataDir: String) -> String {
        "the data folder \(dataDir) cannot be created or written: choose another with --data-dir"
    }

    /// What to do once the platform is ready; returning true ends it.
    package typealias Work = @Sendable (PlatformSummary) async throws -> Bool

    /// Runs until a signal comes or `work` says to end; `work` is called once, when the API server answers and the
    /// node is ready.
    /// - Throws: an error whose description is one sentence, when a part cannot start or go on, or what `work` throws.
    package func run(_ work: @escaping Work) async throws {
        let nodes = LocalNodes()
        let control = try await ControlPlane(configuration, nodes: nodes)
        let agent = nodeAgent(
            control.client(as: "node:\(Self.nodeName)"), storage: control.client(as: "local-path-provisioner"))
        nodes.add(agent, named: Self.nodeName)
        let result: Result<Void, any Error>
        do {
            result = .success(try await run(control, agent, work))
        } catch {
            result = .failure(error)
        }
        await agent.stopAll(grace: .seconds(10))
        await control.close()
        RunState.remove(from: configuration.dataDir)
        try result.get()
    }

    private func run(_ control: ControlPlane, _ agent: NodeAgent, _ work: @escaping Work) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        var settings = ControllerConfiguration()
        settings.rootCertificate = control.authority
        settings.autoscalerSyncPeriod = configuration.autoscalerSyncPeriod
        let controllers = ControllerManager(
            client: { control.client(as: $0) }, logger: logger, configuration: settings)
        control.furtherMetrics.set { ControllerMetrics.text(controllers.queues) }
        let scheduler = SchedulerLoop(client: control.client(as: "kube-scheduler"), logger: logger)
        let proxy = ServiceProxy(client: control.client(as: "kube-proxy"), logger: logger)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            // True ends the platform, false only the task.
            group.addTask {
                for await _ in signals { return true }
                return false
            }
            let serving = try await control.serve(in: &group)
            try await DefaultStorage.ensure(control.client(as: "apus"))
            group.addTask {
                await controllers.run()
                return false
            }
            group.addTask {
                await scheduler.run()
                return false
            }
            group.addTask {
                try await proxy.run()
                return false
            }
            group.addTask {
                try await agent.run()
                return false
            }
            group.addTask {
                await agent.waitUntilTakenUp()
                try await waitForNode(control.client(as: "apus"))
                let state = RunState(server: serving.url, kubeconfig: configuration.kubeconfig)
                try state.write(to: configuration.dataDir)
                return try await work(
                    PlatformSummary(
                        state, dataDir: configuration.dataDir,
                        extra: [
                            ("node", "\(Self.nodeName), pods as host processes in 127.\(configuration.network).0.0/16")
                        ]))
            }
            let end: Result<Void, any Error>
            do {
                while let isEnd = try await group.next(), !isEnd {}
                end = .success(())
            } catch {
                end = .failure(error)
            }
            await serving.stop(in: &group)
            group.cancelAll()
            try end.get()
        }
    }

    /// The agent of this machine, with pods as host processes.
    func nodeAgent(_ client: KubeClient, storage: KubeClient?) -> NodeAgent {
        let runtime = ProcessRuntime(
            root: Self.runtimeDir(dataDir: configuration.dataDir), shimCommand: [configuration.executable, "shim"],
            cgroupParent: nil, logger: logger)
        var settings = NodeAgentConfiguration(
            rootDirectory: configuration.nodeDir, apusPath: configuration.executable)
        settings.podAddressPrefix = configuration.podPrefix
        settings.version = APIServer.Configuration().gitVersion
        settings.usageInterval = configuration.metricResolution
        return NodeAgent(
            client: client, nodeName: Self.nodeName, configuration: settings, runtime: runtime,
            storageClient: storage, logger: logger)
    }

    /// Returns once the node says that it is ready.
    private func waitForNode(_ client: KubeClient) async throws {
        let selection = KubeClient.Selection(fields: "metadata.name=\(Self.nodeName)")
        let list = try await client.list(.nodes, selection: selection)
        if list.items.contains(where: { Conditions.isTrue("Ready", in: $0.status) }) { return }
        for try await event in try await client.watch(
            .nodes, selection: selection, resourceVersion: list.resourceVersion)
        {
            switch event {
            case .added(let node), .modified(let node):
                if Conditions.isTrue("Ready", in: node.status) { return }
            case .deleted, .bookmark: continue
            }
        }
    }
}
