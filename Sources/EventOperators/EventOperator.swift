// SPDX-License-Identifier: Apache-2.0
import ControllerRuntime
package import KafkaClient
package import KubeClient
package import Logging

/// Keeps a Kafka cluster, the embedded broker or any other, as custom resources of the group kafka.strimzi.io declare.
///
/// Where several clusters are kept, each has an operator of its own, and objects say by the label `strimzi.io/cluster`
/// whose they are.
package struct EventOperator: Sendable {
    /// Objects say by this label of which cluster they are.
    package static let clusterLabel = "strimzi.io/cluster"

    private let informer: Informer
    private let controller: Controller
    private let admin: KafkaAdmin

    /// - Parameters:
    ///   - client: of the Kubernetes API server.
    ///   - kafka: how the brokers are reached.
    ///   - cluster: the value of the label of the objects to see to; nil for all objects.
    ///   - namespace: only objects of this one; empty for all.
    ///   - logger: told of what is done and what fails.
    /// - Throws: `KafkaError` for a configuration that cannot be used.
    package init(
        client: KubeClient, kafka: KafkaConfiguration, cluster: String?, namespace: String, logger: Logger
    ) throws {
        admin = try KafkaAdmin(kafka, timeout: .seconds(10))
        informer = Informer(
            KafkaTopicReconciler.resource, client: client, namespace: namespace,
            selection: .init(labels: cluster.map { "\(Self.clusterLabel)=\($0)" }), logger: logger)
        let reconciler = KafkaTopicReconciler(client: client, topics: informer, admin: admin, logger: logger)
        controller = Controller(
            name: "kafkatopic", sources: [.objects(of: informer)], reconciler: reconciler, workers: 2, logger: logger)
    }

    /// Works until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await informer.run() }
            group.addTask { await controller.run() }
        }
        admin.close()
    }
}
