// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
package import KafkaClient
import KubeAPI
package import KubeClient
package import Logging

/// Keeps a Kafka cluster, the embedded broker or any other, as custom resources of the group kafka.strimzi.io declare.
///
/// Where several clusters are kept, each has an operator of its own, and objects say by the label `strimzi.io/cluster`
/// whose they are.
package struct EventOperator: Sendable {
    /// Objects say by this label of which cluster they are.
    package static let clusterLabel = "strimzi.io/cluster"

    /// Of its kinds.
    static let group = "kafka.strimzi.io"

    private let client: KubeClient
    private let admin: KafkaAdmin
    private let direct: DirectAdmin
    private let cluster: String?
    private let namespace: String
    private let logger: Logger

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
        direct = try DirectAdmin(kafka, timeout: .seconds(10))
        admin = try KafkaAdmin(kafka, timeout: .seconds(10))
        self.client = client
        self.cluster = cluster
        self.namespace = namespace
        self.logger = logger
    }

    /// Works until cancelled.
    package func run() async {
        if let version = await servedVersion() {
            await withDiscardingTaskGroup { group in
                keepTopics(version, in: &group)
                keepUsers(version, in: &group)
            }
        }
        admin.close()
    }

    private func keepTopics(_ version: String, in group: inout DiscardingTaskGroup) {
        let resource = KafkaTopicReconciler.resource(version: version)
        let topics = informer(of: resource, cluster.map { "\(Self.clusterLabel)=\($0)" })
        let controller = Controller(
            name: "kafkatopic", sources: [.objects(of: topics)],
            reconciler: KafkaTopicReconciler(
                resource: resource, client: client, topics: topics, admin: admin, direct: direct, logger: logger),
            workers: 2, logger: logger)
        run(topics, in: &group)
        group.addTask { await controller.run() }
    }

    private func keepUsers(_ version: String, in group: inout DiscardingTaskGroup) {
        let resource = KafkaUserReconciler.resource(version: version)
        let users = informer(of: resource, cluster.map { "\(Self.clusterLabel)=\($0)" })
        // Only those that it made itself are held in memory.
        let secrets = informer(of: .secrets, "\(UserSecret.kindLabel)=\(resource.kind)")
        let objects = Controller.Source(users) { event in
            guard case .deleted(let gone) = event else { return [event.object.key] }
            // Another that declares the same user may have it now.
            return [gone.key] + users.list().filter { $0.name == gone.name }.map(\.key)
        }
        let controller = Controller(
            name: "kafkauser", sources: [objects, .owners(of: secrets, kind: resource.kind)],
            reconciler: KafkaUserReconciler(
                resource: resource, client: client, users: users, admin: direct, logger: logger),
            workers: 2, logger: logger)
        run(users, in: &group)
        run(secrets, in: &group)
        group.addTask { await controller.run() }
    }

    /// Keeps a copy of a collection, and says so when that cannot be: nothing is done for its kind until then.
    private func run(_ informer: Informer, in group: inout DiscardingTaskGroup) {
        group.addTask { await informer.run() }
        group.addTask { [logger] in
            guard (try? await Task.sleep(for: .seconds(20))) != nil, !informer.isSynced else { return }
            let advice = "apply deploy/events/crds.yaml and the rights of deploy/events/operator.yaml"
            logger.warning("\(informer.resource.qualifiedName) cannot be listed yet: \(advice)")
        }
    }

    private func informer(of resource: KubeResource, _ labels: String?) -> Informer {
        Informer(
            resource, client: client, namespace: namespace, selection: .init(labels: labels), logger: logger)
    }

    /// The version of the kinds to speak: v1 where it is served, else v1beta2; waits until the kinds are there. Nil when
    /// cancelled.
    private func servedVersion() async -> String? {
        var backoff = Backoff()
        var hasSaid = false
        while !Task.isCancelled {
            do {
                let served = try await client.call("GET", "/apis/\(Self.group)")["versions"].elements
                let versions = served.compactMap { $0["version"].string }
                if let version = ["v1", "v1beta2"].first(where: versions.contains) { return version }
            } catch {
                logger.debug("the kinds of \(Self.group) cannot be read: \(error)")
            }
            if !hasSaid {
                logger.warning("no kinds of \(Self.group) yet: kubectl apply -f deploy/events/crds.yaml")
                hasSaid = true
            }
            try? await Task.sleep(for: backoff.next())
        }
        return nil
    }
}
