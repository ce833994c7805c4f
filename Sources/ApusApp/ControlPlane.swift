// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ControllerRuntime
import Controllers
import Foundation
import KubeAPI
import KubeClient
import KubeServer
import KubeStore
import Logging
import ServiceLifecycle
import YAMLFormat

/// The HTTPS side of a control plane that serves.
struct Serving: Sendable {
    /// Where.
    let url: String
    fileprivate let services: ServiceGroup

    /// Stops to accept, says good-bye to watchers, lets requests in flight end, and returns when that task of `group`
    /// has ended.
    func stop(in group: inout ThrowingTaskGroup<Bool, any Error>) async {
        await services.triggerGracefulShutdown()
        while let isEnd = try? await group.next(), !isEnd {}
    }
}

/// The API server on its store, reachable over HTTPS and, for parts in this process, by a call.
struct ControlPlane: Sendable {
    private let configuration: PlatformConfiguration
    private let store: KubeStore
    private let pki: ClusterPKI
    private let server: APIServer
    private let backends = HTTPBackends()
    private let audit: AuditLog?
    /// Metrics of the controllers beside it.
    let furtherMetrics = LaterMetrics()

    /// Opens the data folder.
    /// - Throws: an error whose description is one sentence.
    init(_ configuration: PlatformConfiguration, nodes: (any NodeConnector)?) async throws {
        self.configuration = configuration
        do {
            try FileManager.default.createDirectory(
                atPath: configuration.dataDir, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw PlatformError(Platform.unwritable(configuration.dataDir))
        }
        var storage = StoreConfiguration()
        storage.encryption = StoreEncryption(keyFile: configuration.encryptionKeys)
        storage.encryption?.rotates = configuration.protection.rotatesEncryptionKey
        let auditor = try Self.auditor(configuration)
        audit = auditor?.log
        store = try KubeStore(
            directory: configuration.storeDir, configuration: storage, logger: configuration.logger)
        try configuration.rememberNetwork()
        guard let network = ServiceNetwork("\(configuration.servicePrefix).0.0/16") else {
            throw PlatformError("\(configuration.servicePrefix).0.0/16 is not a network of services")
        }
        var settings = APIServer.Configuration()
        settings.serviceNetwork = network
        settings.readSeats = configuration.readSeats
        settings.writeSeats = configuration.writeSeats
        settings.requiresServiceAccounts = true
        settings.furtherMetrics = { [furtherMetrics] in furtherMetrics.text }
        pki = try ClusterPKI(
            directory: configuration.pkiDir, names: [configuration.host, "\(configuration.servicePrefix).0.1"])
        server = APIServer(
            store: store, configuration: settings,
            tokens: try await TokenIssuer(
                privateKeyPEM: pki.tokenKeyPEM, verifyingPEMs: pki.oldTokenKeyPEMs, issuer: settings.issuer),
            auditor: auditor, nodes: nodes, backends: backends, logger: configuration.logger)
    }

    /// Certificate of the authority that signs the server's, PEM.
    var authority: String { pki.authorityPEM }

    /// A client inside this process, known to the server as `system:NAME`.
    func client(as name: String) -> KubeClient {
        KubeClient(
            transport: InProcessTransport(server: server, user: .component(name)), userAgent: Self.program(name))
    }

    /// The program that a component is part of upstream: the manager of the fields that it writes.
    private static func program(_ name: String) -> String {
        switch name {
        case _ where name.hasPrefix("node:"): "kubelet"
        case "kube-scheduler", "kube-proxy", "apus": name
        case "apiserver": "kube-apiserver"
        default: ControllerManager.program
        }
    }

    /// Starts to serve as a task of `group`, and returns once it accepts connections, its own objects are there and
    /// the kubeconfig is written.
    func serve(in group: inout ThrowingTaskGroup<Bool, any Error>) async throws -> Serving {
        let (ports, bound) = AsyncStream.makeStream(of: Int.self)
        let http = HTTPAPIServer(
            server: server,
            configuration: .init(host: configuration.host, port: configuration.port, pki: pki),
            logger: configuration.logger
        ) { bound.yield($0) }
        var settings = ServiceGroupConfiguration(services: [http], logger: configuration.logger)
        settings.maximumGracefulShutdownDuration = .seconds(5)
        let services = ServiceGroup(configuration: settings)
        group.addTask {
            defer { bound.finish() }
            try await services.run()
            return true
        }
        guard let port = await ports.first(where: { _ in true }) else {
            // The server has ended: what went wrong comes out of its task.
            while let isEnd = try await group.next(), !isEnd {}
            throw CancellationError()
        }
        let serving = Serving(url: "https://\(configuration.host):\(port)", services: services)
        do {
            try await server.reconcileAccess()
            try await server.bootstrap(host: configuration.host, port: port)
            try writeKubeconfig(pki.kubeconfig(server: serving.url))
        } catch {
            await serving.stop(in: &group)
            throw error
        }
        group.addTask {
            await keepService(port: port)
            return false
        }
        group.addTask { [server] in
            while (try? await Task.sleep(for: .seconds(60))) != nil { await server.removeOldEvents() }
            return false
        }
        return serving
    }

    /// Makes the service `kubernetes` again when somebody deletes it.
    private func keepService(port: Int) async {
        let service = Informer(
            .services, client: client(as: "apiserver"), selection: .init(fields: "metadata.name=kubernetes"),
            logger: configuration.logger)
        let (deletions, deleted) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        service.onChange { event in
            if case .deleted = event { deleted.yield() }
        }
        await withDiscardingTaskGroup { group in
            group.addTask { await service.run() }
            for await _ in deletions {
                do {
                    try await server.bootstrap(host: configuration.host, port: port)
                } catch {
                    configuration.logger.warning(
                        "the service kubernetes was deleted and cannot be made again: \(error)")
                }
            }
        }
    }

    private func writeKubeconfig(_ text: String) throws {
        let path = configuration.kubeconfig
        let folder = (path as NSString).deletingLastPathComponent
        let fresh = "\(path).\(getpid())"
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let isWritten = FileManager.default.createFile(
            atPath: fresh, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        guard isWritten, rename(fresh, path) == 0 else {
            throw PlatformError("the kubeconfig \(path) cannot be written: choose another with --kubeconfig")
        }
    }

    /// Closes the store after what was accepted is written.
    func close() async {
        await store.close()
        do {
            try await backends.shutdown()
        } catch {
            configuration.logger.warning("the connections to pods were not closed cleanly: \(error)")
        }
        await audit?.flush()
    }

    /// Who tells of requests, when there is a policy.
    private static func auditor(_ configuration: PlatformConfiguration) throws -> Auditor? {
        let wanted = configuration.protection
        guard let path = wanted.auditPolicy else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw PlatformError("the audit policy \(path) cannot be read: check --audit-policy")
        }
        let policy: AuditPolicy
        do {
            let documents = try YAMLDocuments.parse(String(decoding: data, as: UTF8.self))
            guard documents.count == 1 else { throw AuditPolicy.Problem("it is not one YAML document") }
            policy = try AuditPolicy(json: documents[0])
        } catch {
            throw PlatformError("the audit policy \(path) cannot be used: \(error)")
        }
        var settings = AuditLog.Configuration(path: wanted.auditLog ?? "\(configuration.dataDir)/audit.log")
        settings.maximumBytes = wanted.auditLogMiB << 20
        settings.backups = wanted.auditLogBackups
        return Auditor(policy: policy, log: try AuditLog(settings, logger: configuration.logger))
    }
}
