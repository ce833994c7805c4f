// SPDX-License-Identifier: Apache-2.0
import Foundation
package import KubeClient
import Listening
package import Logging
package import ObjectServer
import ObjectStore
import ServiceHTTP
import UnixSignals

/// The server of objects, alone in the foreground.
package struct ObjectsRole: Sendable {
    /// Who may do everything.
    package struct Root: Sendable {
        /// The access key.
        package var accessKey: String
        /// Its secret.
        package var secretKey: String

        package init(accessKey: String, secretKey: String) {
            self.accessKey = accessKey
            self.secretKey = secretKey
        }
    }

    /// Where Secrets are that are access keys.
    package struct KeySecrets: Sendable {
        /// The API server.
        package var kubeconfig: Kubeconfig
        /// Their namespace; empty for all.
        package var namespace: String

        package init(kubeconfig: Kubeconfig, namespace: String) {
            self.kubeconfig = kubeconfig
            self.namespace = namespace
        }
    }

    /// What is beside the server itself.
    package struct Options: Sendable {
        /// More access keys, in JSON; nil for none.
        package var keysFile: String?
        /// Secrets that are access keys; nil for none.
        package var keySecrets: KeySecrets?
        /// Files of TLS; nil for connections without it.
        package var certificate: ServerCertificate?
        /// Where to show metrics over HTTP; nil for nowhere.
        package var metrics: (host: String, port: Int)?
        /// How often expired objects and abandoned uploads are looked for.
        package var maintenanceInterval: Duration = .seconds(60)

        package init() {}
    }

    private let folder: String
    private let root: Root?
    private let configuration: ObjectServerConfiguration
    private let host: String
    private let port: Int
    private let options: Options
    private let logger: Logger

    /// - Parameters:
    ///   - folder: where the objects are kept.
    ///   - root: who may do everything; nil for a key that is made at the first start and kept in the folder.
    ///   - configuration: limits of the server.
    ///   - host: where to listen.
    ///   - port: where to listen.
    ///   - options: what is beside the server.
    ///   - logger: for what happens.
    package init(
        folder: String, root: Root?, configuration: ObjectServerConfiguration, host: String, port: Int,
        options: Options = Options(), logger: Logger
    ) {
        self.folder = folder
        self.root = root
        self.configuration = configuration
        self.host = host
        self.port = port
        self.options = options
        self.logger = logger
    }

    /// Serves until SIGTERM or SIGINT, and then ends what was begun; `onReady` is called once with the address.
    /// - Throws: when the folder, the keys, the certificate or the address cannot be used; the description says what
    ///   to do.
    package func run(onReady: @escaping @Sendable (String) async -> Void) async throws {
        ProgramMemory.prepareForBuffers()
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw PlatformError("the folder \(folder) cannot be made: \(error); choose another --data-dir")
        }
        let keys = try AccessKeys(root: try rootKey(), file: options.keysFile)
        let tls = try options.certificate.map { try $0.context() }
        let clock: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970 * 1000) }
        let store = try await ObjectStore.open(folder: folder, logger: logger, clock: clock)
        let server = ObjectServer(
            store: store, keys: keys, configuration: configuration, host: host, port: port, tls: tls, clock: clock,
            logger: logger)
        let follower = options.keySecrets.map {
            KeySecretsFollower(
                kubeconfig: $0.kubeconfig, namespace: $0.namespace, keys: keys, folder: folder, logger: logger)
        }
        follower?.restore()
        let stop = AsyncStream.makeStream(of: Void.self)
        let result: Result<Void, any Error>
        do {
            result = .success(
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for await _ in signals { break }
                        stop.continuation.finish()
                    }
                    group.addTask {
                        while !Task.isCancelled {
                            try? await Task.sleep(for: options.maintenanceInterval)
                            guard !Task.isCancelled else { return }
                            await ObjectMaintenance.run(store, now: clock(), logger: logger)
                            // After a load, too, an idle server is a small one.
                            ProgramMemory.giveBackFree()
                            ProgramMemory.giveBackCode()
                        }
                    }
                    if let follower { group.addTask { await follower.run() } }
                    if let metrics = options.metrics {
                        try await show(metrics, in: &group) { await server.metricsText() }
                    }
                    try await server.run(until: stop.stream) { [host] port in
                        ProgramMemory.giveBackCode()
                        await onReady(ListenAddress.text(host: host, port: port))
                    }
                    group.cancelAll()
                })
        } catch {
            result = .failure(error)
        }
        await store.close()
        try result.get()
    }

    /// Returns once metrics are shown.
    private func show(
        _ metrics: (host: String, port: Int), in group: inout ThrowingTaskGroup<Void, any Error>,
        _ text: @escaping @Sendable () async -> String
    ) async throws {
        let shown = MetricsEndpoint(host: metrics.host, port: metrics.port, logger: logger, text: text)
        let bound = AsyncStream.makeStream(of: Int.self)
        group.addTask {
            defer { bound.continuation.finish() }
            try await shown.run { bound.continuation.yield($0) }
        }
        for await port in bound.stream {
            logger.notice("metrics", metadata: ["at": "http://\(metrics.host):\(port)/metrics"])
            return
        }
        // It ended before it listened, and says why.
        try await group.next()
    }

    private func rootKey() throws -> AccessKey {
        if let root {
            return try AccessKey(id: root.accessKey, secret: root.secretKey, name: "root", policies: nil)
        }
        let kept = try RootCredentials.keep(in: folder)
        logger.notice(
            kept.isNew ? "an access key was made" : "the access key is the one of the first start",
            metadata: ["accessKey": "\(kept.accessKey)", "secretKey": "in \(kept.path)"])
        return try AccessKey(id: kept.accessKey, secret: kept.secretKey, name: "root", policies: nil)
    }
}
