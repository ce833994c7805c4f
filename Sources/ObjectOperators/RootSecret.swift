// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ByteCodes
package import KubeAPI
package import KubeClient
package import Logging
package import S3Protocol

/// The Secret of the key that may do everything: data `accessKey` and `secretKey`. Server and operator both read it.
package struct RootSecret: Sendable {
    private let client: KubeClient
    private let key: ObjectKey
    private let logger: Logger

    /// - Parameters:
    ///   - client: of the Kubernetes API server.
    ///   - key: of the Secret.
    ///   - logger: told when it is made.
    package init(client: KubeClient, key: ObjectKey, logger: Logger) {
        self.client = client
        self.key = key
        self.logger = logger
    }

    /// The key; made and kept where there is none. Tries again while the API server refuses.
    /// - Throws: `CancellationError`; ``KeySecret/Problem`` where the Secret has something else in it; what keeps the API
    ///   server from being asked.
    package func credentials() async throws -> SigV4.Credentials {
        while true {
            do {
                let parsed = try KeySecret(try await secret())
                return SigV4.Credentials(accessKey: parsed.accessKey, secret: parsed.secretKey)
            } catch let error as StatusError where !error.isConflict && !error.isAlreadyExists {
                logger.warning("the Secret \(key) of the root key cannot be read or made: \(error)")
            } catch is StatusError {
                // Somebody else was faster: theirs is read.
            }
            try await Task.sleep(for: .seconds(2))
        }
    }

    private func secret() async throws -> KubeObject {
        do {
            let found = try await client.get(.secrets, key)
            guard let completed = KeySecret.completed(found) else { return found }
            return try await client.update(.secrets, completed)
        } catch let error as StatusError where error.isNotFound {
            var fresh = KubeObject(.secrets, namespace: key.namespace, name: key.name)
            fresh["type"] = "Opaque"
            guard let completed = KeySecret.completed(fresh) else { return fresh }
            let made = try await client.create(.secrets, completed)
            logger.notice("the root key is made", metadata: ["secret": "\(key)"])
            return made
        }
    }
}
