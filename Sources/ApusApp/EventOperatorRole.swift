// SPDX-License-Identifier: Apache-2.0
import EventOperators
package import KafkaClient
package import KubeClient
package import Logging

/// The operator of topics and users, alone in the foreground.
package struct EventOperatorRole: Sendable {
    private let kubeconfig: Kubeconfig
    private let kafka: KafkaConfiguration
    private let cluster: String?
    private let namespace: String
    private let logger: Logger

    /// - Parameters:
    ///   - kubeconfig: where the objects are.
    ///   - kafka: where topics and users are.
    ///   - cluster: the value of the label `strimzi.io/cluster` of its objects; nil for all.
    ///   - namespace: of its objects; empty for all.
    ///   - logger: for what happens.
    package init(
        kubeconfig: Kubeconfig, kafka: KafkaConfiguration, cluster: String?, namespace: String, logger: Logger
    ) {
        self.kubeconfig = kubeconfig
        self.kafka = kafka
        self.cluster = cluster
        self.namespace = namespace
        self.logger = logger
    }

    /// Works until SIGTERM or SIGINT; `onReady` is called once with the API server's address.
    package func run(onReady: @escaping @Sendable (String) async -> Void) async throws {
        try await ForegroundOperator.run(kubeconfig, userAgent: "apus-event-operator") { client in
            let worker = try EventOperator(
                client: client, kafka: kafka, cluster: cluster, namespace: namespace, logger: logger)
            await onReady(kubeconfig.server)
            await worker.run()
        }
    }
}
