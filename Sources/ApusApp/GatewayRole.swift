// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
package import Gateway
package import GatewayController
import GatewayRules
import KubeAPI
package import KubeClient
package import Logging
import UnixSignals

/// A gateway, alone in the foreground: by the objects of a Kubernetes API or of a file.
package struct GatewayRole: Sendable {
    /// Where its objects are.
    package enum Source: Sendable {
        case kubernetes(Kubeconfig)
        /// YAML; read again when it changes.
        case file(String)
    }

    private let source: Source
    private let gateway: GatewayConfiguration
    private let controller: GatewayController.Configuration
    private let logger: Logger

    /// - Parameters:
    ///   - source: where the objects are.
    ///   - gateway: settings of the data plane.
    ///   - controller: of what objects mean; what of the Lease is empty comes from the admin address.
    ///   - logger: for what happens.
    package init(
        source: Source, gateway: GatewayConfiguration, controller: GatewayController.Configuration, logger: Logger
    ) {
        self.source = source
        self.gateway = gateway
        self.controller = controller
        self.logger = logger
    }

    /// Works until SIGTERM or SIGINT; `onReady` is called once with the admin address.
    package func run(onReady: @escaping @Sendable (String) async -> Void) async throws {
        ProgramMemory.prepareForBuffers()
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let server = GatewayServer(gateway, logger: logger)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            let (ports, continuation) = AsyncStream<Int?>.makeStream()
            group.addTask {
                for await _ in signals { break }
                return true
            }
            group.addTask {
                try await server.run { port in
                    continuation.yield(port)
                    continuation.finish()
                }
                return false
            }
            group.addTask {
                var iterator = ports.makeAsyncIterator()
                guard let port = await iterator.next() else { return false }
                let address = port.map { "\(gateway.admin?.host ?? "127.0.0.1"):\($0)" } ?? ""
                try await follow(server, admin: address) {
                    await onReady(address.isEmpty ? "without admin address" : address)
                }
                return false
            }
            group.addTask {
                try await IdleMemory().run()
                return false
            }
            while let isEnd = try await group.next(), !isEnd {}
            group.cancelAll()
            // Requests that were begun are finished.
            while (try? await group.next()) != nil {}
        }
    }

    private func follow(
        _ server: GatewayServer, admin: String, onSynced: @escaping @Sendable () async -> Void
    ) async throws {
        switch source {
        case .kubernetes(let kubeconfig):
            let transport = try HTTPTransport(kubeconfig)
            let client = KubeClient(transport: transport, userAgent: "apus-gateway")
            do {
                _ = try await client.raw("/version")
            } catch {
                try await transport.shutdown()
                throw error
            }
            var settings = controller
            if let lease = settings.lease, lease.address.isEmpty {
                let host = ProcessInfo.processInfo.hostName.lowercased()
                let port = admin.split(separator: ":").last ?? ""
                let name = lease.name.isEmpty ? "apus-gateway-\(host)-\(port)" : lease.name
                settings.lease = admin.isEmpty ? nil : (lease.namespace, name, "http://\(admin)")
            }
            let worker = GatewayController(
                client: client, configuration: settings, apply: { await server.faults(of: $0) },
                logger: logger)
            await worker.run(onSynced: onSynced)
            try await transport.shutdown()
        case .file(let path):
            let file = GatewayFile(
                path: path, configuration: controller, apply: { await server.faults(of: $0) },
                logger: logger)
            try await file.run(onSynced: onSynced)
        }
    }
}

extension GatewayServer {
    /// Applies a snapshot; why listeners do not work, by port.
    fileprivate func faults(of snapshot: GatewaySnapshot) async -> [Int: PortFault] {
        let faults = await apply(snapshot).filter { $0.code != .expression }
        return Dictionary(
            faults.map { ($0.port, PortFault($0.description, isCertificate: $0.code == .certificate)) },
            uniquingKeysWith: { first, _ in first })
    }
}
