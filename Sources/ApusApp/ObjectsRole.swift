// SPDX-License-Identifier: Apache-2.0
import Foundation
import Listening
package import Logging
package import ObjectServer
import ObjectStore
import UnixSignals

/// The server of objects, alone in the foreground.
package struct ObjectsRole: Sendable {
    /// How often expired objects and abandoned uploads are looked for.
    private static let maintenance: Duration = .seconds(60)

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

    private let folder: String
    private let root: Root?
    private let keysFile: String?
    private let configuration: ObjectServerConfiguration
    private let host: String
    private let port: Int
    private let certificate: ServerCertificate?
    private let logger: Logger

    /// - Parameters:
    ///   - folder: where the objects are kept.
    ///   - root: who may do everything; nil for a key that is made at the first start and kept in the folder.
    ///   - keysFile: more access keys, in JSON.
    ///   - configuration: limits of the server.
    ///   - host: where to listen.
    ///   - port: where to listen.
    ///   - certificate: files of TLS; nil for connections without it.
    ///   - logger: for what happens.
    package init(
        folder: String, root: Root?, keysFile: String?, configuration: ObjectServerConfiguration, host: String,
        port: Int, certificate: ServerCertificate?, logger: Logger
    ) {
        self.folder = folder
        self.root = root
        self.keysFile = keysFile
        self.configuration = configuration
        self.host = host
        self.port = port
        self.certificate = certificate
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
        let keys = try AccessKeys(root: try rootKey(), file: keysFile)
        let tls = try certificate.map { try $0.context() }
        let clock: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970 * 1000) }
        let store = try await ObjectStore.open(folder: folder, logger: logger, clock: clock)
        let server = ObjectServer(
            store: store, keys: keys, configuration: configuration, host: host, port: port, tls: tls, clock: clock,
            logger: logger)
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
                            try? await Task.sleep(for: Self.maintenance)
                            guard !Task.isCancelled else { return }
                            await ObjectMaintenance.run(store, now: clock(), logger: logger)
                            ProgramMemory.giveBackFree()
                        }
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
