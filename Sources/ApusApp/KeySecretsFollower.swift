// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import DataFolders
import Foundation
import KubeAPI
import KubeClient
import Logging
import ObjectOperators
import ObjectServer

/// Keeps the access keys of an object server as Secrets have them.
///
/// The last that were seen are kept in a file, so that a server that starts while the API server is away knows them.
struct KeySecretsFollower: Sendable {
    private let kubeconfig: Kubeconfig
    private let namespace: String
    private let keys: AccessKeys
    private let file: String
    private let logger: Logger
    /// One write after the other, none on the threads of tasks.
    private let disk = DispatchQueue(label: "apus.objects.secret-keys")

    /// - Parameters:
    ///   - kubeconfig: where the Secrets are.
    ///   - namespace: of the Secrets; empty for all.
    ///   - keys: those of the server.
    ///   - folder: of the server's data.
    ///   - logger: told of what is taken and what is wrong.
    init(kubeconfig: Kubeconfig, namespace: String, keys: AccessKeys, folder: String, logger: Logger) {
        self.kubeconfig = kubeconfig
        self.namespace = namespace
        self.keys = keys
        file = folder + "/secret-keys.json"
        self.logger = logger
    }

    /// Takes the keys that were kept.
    func restore() {
        guard let data = FileManager.default.contents(atPath: file) else { return }
        do {
            keys.replaceFollowed(Array(try AccessKeys.parse([UInt8](data), file).values))
        } catch {
            logger.error("the keys that were kept cannot be used", metadata: ["why": "\(error)"])
        }
    }

    /// Follows the Secrets until cancelled.
    func run() async {
        let transport: HTTPTransport
        do {
            transport = try HTTPTransport(kubeconfig)
        } catch {
            logger.error("Secrets of access keys cannot be followed", metadata: ["why": "\(error)"])
            return
        }
        let client = KubeClient(transport: transport, userAgent: "apus-objects")
        let secrets = Informer(
            .secrets, client: client, namespace: namespace, selection: .init(labels: KeySecret.selector),
            logger: logger)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await secrets.run() }
            group.addTask { await follow(secrets) }
            group.addTask {
                guard (try? await Task.sleep(for: .seconds(10))) != nil, !secrets.isSynced else { return }
                let advice = "is the API server there, and may this service account list and watch Secrets?"
                logger.warning("Secrets of access keys cannot be listed yet: \(advice)")
            }
        }
        try? await transport.shutdown()
    }

    private func follow(_ secrets: Informer) async {
        await secrets.waitUntilSynced()
        guard !Task.isCancelled else { return }
        // One signal is enough for all changes that came together.
        let (changes, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        secrets.onChange { _ in signal.yield() }
        signal.yield()
        var last: [KeySecret]?
        for await _ in changes {
            let found = KeySecret.all(of: secrets.list()) { secret, why in
                logger.warning("a Secret is no access key", metadata: ["secret": "\(secret.key)", "why": "\(why)"])
            }
            guard found != last else { continue }
            last = found
            take(found)
        }
    }

    private func take(_ found: [KeySecret]) {
        var usable: [AccessKey] = []
        var entries: [JSONValue] = []
        for key in found {
            do {
                let policies = key.policy.map { [Array($0.text.utf8)] } ?? []
                usable.append(
                    try AccessKey(id: key.accessKey, secret: key.secretKey, name: key.owner, policies: policies))
                var entry: JSONValue = [
                    "accessKey": .string(key.accessKey), "secretKey": .string(key.secretKey),
                    "name": .string(key.owner),
                ]
                if let policy = key.policy { entry["policy"] = policy }
                entries.append(entry)
            } catch {
                logger.warning("a Secret is no access key", metadata: ["owner": "\(key.owner)", "why": "\(error)"])
            }
        }
        keys.replaceFollowed(usable)
        logger.notice("access keys are those of the Secrets", metadata: ["keys": "\(usable.count)"])
        let document: JSONValue = ["keys": .array(entries)]
        let bytes = document.encoded
        disk.async { [file, logger] in
            do {
                try Folder.replace(file, with: bytes)
            } catch {
                logger.error("access keys cannot be kept", metadata: ["why": "\(error)"])
            }
        }
    }
}
