// SPDX-License-Identifier: Apache-2.0
import ContainerRuntimes
import Controllers
import KubeClient
import Kubelet
import Logging
import Scheduler
import ServiceProxy
import UnixSignals

/// A part of the platform that can run alone.
package enum PlatformRole: String, CaseIterable, Sendable {
    case apiserver
    case controllerManager = "controller-manager"
    case scheduler
    case nodeAgent = "node-agent"
    case serviceProxy = "service-proxy"
}

/// Runs one role in the foreground until SIGTERM or SIGINT.
package struct RoleRunner: Sendable {
    private let role: PlatformRole
    private let configuration: PlatformConfiguration

    package init(role: PlatformRole, configuration: PlatformConfiguration) {
        self.role = role
        self.configuration = configuration
    }

    /// Runs; `onReady` is called once with the address that the role serves or the server that it works for.
    package func run(onReady: @escaping @Sendable (String) async -> Void) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        if role == .apiserver {
            let control = try await ControlPlane(configuration, nodes: nil)
            let result: Result<Void, any Error>
            do {
                result = .success(
                    try await untilSignal(signals) { group in
                        let serving = try await control.serve(in: &group)
                        await onReady(serving.url)
                        return serving
                    })
            } catch {
                result = .failure(error)
            }
            await control.close()
            return try result.get()
        }
        let config = try Kubeconfig.load(path: configuration.kubeconfig)
        let transport = try HTTPTransport(config)
        let result: Result<Void, any Error>
        do {
            _ = try await KubeClient(transport: transport, userAgent: "apus").raw("/version")
            let work = try client(of: transport, authority: config.certificateAuthority)
            result = .success(
                try await untilSignal(signals) { group in
                    group.addTask {
                        try await work()
                        return false
                    }
                    await onReady(config.server)
                    return nil
                })
        } catch {
            result = .failure(error)
        }
        try await transport.shutdown()
        try result.get()
    }

    private func untilSignal(
        _ signals: UnixSignalsSequence,
        start: (inout ThrowingTaskGroup<Bool, any Error>) async throws -> Serving?
    ) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await _ in signals { return true }
                return false
            }
            let serving = try await start(&group)
            while let isEnd = try await group.next(), !isEnd {}
            await serving?.stop(in: &group)
            group.cancelAll()
        }
    }

    private func client(
        of transport: HTTPTransport, authority: [UInt8]?
    ) throws -> @Sendable () async throws -> Void {
        let logger = configuration.logger
        let program =
            switch role {
            case .scheduler: "kube-scheduler"
            case .serviceProxy: "kube-proxy"
            case .nodeAgent: "kubelet"
            case .apiserver, .controllerManager: "apus"
            }
        let client = KubeClient(transport: transport, userAgent: program)
        switch role {
        case .apiserver:
            throw PlatformError("the API server is no client")
        case .controllerManager:
            var settings = ControllerConfiguration()
            settings.rootCertificate = authority.map { String(decoding: $0, as: UTF8.self) }
            let manager = ControllerManager(
                client: { _ in KubeClient(transport: transport, userAgent: ControllerManager.program) }, logger: logger,
                configuration: settings)
            return { await manager.run() }
        case .scheduler:
            let scheduler = SchedulerLoop(client: client, logger: logger)
            return { await scheduler.run() }
        case .serviceProxy:
            let proxy = ServiceProxy(client: client, logger: logger)
            return { try await proxy.run() }
        case .nodeAgent:
            let agent = Platform(configuration).nodeAgent(client, storage: client)
            return { try await agent.run() }
        }
    }
}
