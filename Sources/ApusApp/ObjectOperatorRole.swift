// SPDX-License-Identifier: Apache-2.0
import KubeAPI
package import KubeClient
package import Logging
import ObjectOperators
package import S3Client

/// The operator of buckets and access keys, alone in the foreground.
package struct ObjectOperatorRole: Sendable {
    private let kubeconfig: Kubeconfig
    private let s3: S3ClientConfiguration
    private let rootSecret: ObjectKey?
    private let settings: ObjectOperator.Settings
    private let logger: Logger

    /// - Parameters:
    ///   - kubeconfig: where the objects are.
    ///   - s3: where the buckets are.
    ///   - rootSecret: Secret of the key for S3, `NAME` or `NAMESPACE/NAME`; nil where `s3` has one.
    ///   - namespace: of the Buckets; empty for all.
    ///   - keyNamespace: of Secrets that are access keys, empty for all; nil for none.
    ///   - interval: how often buckets are looked at.
    ///   - retainsBuckets: whether buckets stay when their objects go and do not say.
    ///   - logger: for what happens.
    package init(
        kubeconfig: Kubeconfig, s3: S3ClientConfiguration, rootSecret: String?, namespace: String,
        keyNamespace: String?, interval: Duration, retainsBuckets: Bool, logger: Logger
    ) {
        self.kubeconfig = kubeconfig
        self.s3 = s3
        self.rootSecret = rootSecret.map { text in
            let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
            return parts.count == 2
                ? ObjectKey(namespace: parts[0], name: parts[1])
                : ObjectKey(namespace: kubeconfig.namespace, name: text)
        }
        var settings = ObjectOperator.Settings()
        settings.namespace = namespace
        settings.keyNamespace = keyNamespace
        settings.buckets.interval = interval
        settings.buckets.retainsBuckets = retainsBuckets
        self.settings = settings
        self.logger = logger
    }

    /// Works until SIGTERM or SIGINT; `onReady` is called once with the API server's address.
    package func run(onReady: @escaping @Sendable (String) async -> Void) async throws {
        try await ForegroundOperator.run(kubeconfig, userAgent: "apus-object-operator") { client in
            let worker = try await worker(client)
            await onReady(kubeconfig.server)
            await worker.run()
        }
    }

    /// The operator, once there is a key for S3.
    private func worker(_ client: KubeClient) async throws -> ObjectOperator {
        var configuration = s3
        if let rootSecret {
            configuration.credentials = try await RootSecret(client: client, key: rootSecret, logger: logger)
                .credentials()
        }
        return ObjectOperator(
            client: client, s3: try S3Client(configuration, logger: logger), settings: settings, logger: logger)
    }
}
