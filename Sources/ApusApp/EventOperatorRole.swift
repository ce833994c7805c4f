// SPDX-License-Identifier: Apache-2.0
import EventOperators
package import KafkaClient
package import KubeClient
package import Logging
import UnixSignals

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
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let transport = try HTTPTransport(kubeconfig)
        let result: Result<Void, any Error>
        do {
            let client = KubeClient(transport: transport, userAgent: "apus-event-operator")
            _ = try await client.raw("/version")
            let worker = try EventOperator(
                client: client, kafka: kafka, cluster: cluster, namespace: namespace, logger: logger)
            result = .success(
                await withTaskGroup(of: Void.self) { group in
                    group.addTask { for await _ in signals { return } }
                    group.addTask { await worker.run() }
                    await onReady(kubeconfig.server)
                    await group.next()
                    group.cancelAll()
                })
        } catch {
            result = .failure(error)
        }
        try await transport.shutdown()
        try result.get()
    }
}
