// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import ControllerRuntime
import KafkaClient
package import KubeAPI
import KubeClient
import Logging

/// Makes topics what KafkaTopic objects declare: creates them, adds partitions, changes settings, deletes them.
///
/// Looks again every two minutes (Strimzi's default interval), so that what others changed in Kafka is put right.
package struct KafkaTopicReconciler: Reconciler {
    /// Its kind, in the version that the API server serves.
    static func resource(version: String) -> KubeResource {
        KubeResource(group: EventOperator.group, version: version, plural: "kafkatopics", kind: "KafkaTopic")
    }

    /// Keeps the object until its topic is deleted.
    static let finalizer = "strimzi.io/topic-operator"
    /// `"false"`: the topic is left alone, also when the object is deleted.
    static let managedAnnotation = "strimzi.io/managed"
    private static let interval = Duration.seconds(120)
    private static let retryInterval = Duration.seconds(5)

    let resource: KubeResource
    let client: KubeClient
    let topics: Informer
    let admin: KafkaAdmin
    let direct: DirectAdmin
    let logger: Logger

    package func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let object = topics.get(key) else { return .done }
        if object.isBeingDeleted { return try await finish(object) }
        guard object.annotations[Self.managedAnnotation] != "false" else {
            try await report(object, .unmanaged)
            return .done
        }
        guard object.finalizers.contains(Self.finalizer) else {
            // The change of it brings the object here again.
            var changed = object
            changed.finalizers.append(Self.finalizer)
            _ = try await client.patch(
                resource, key,
                .merge,
                [
                    "metadata": [
                        "finalizers": JSONValue(changed.finalizers),
                        "resourceVersion": .string(object.resourceVersion),
                    ]
                ])
            return .done
        }
        do {
            let declared = try TopicDeclaration(object)
            try checkName(of: declared, object)
            var described = try await describe(declared.name)
            let steps = try TopicStep.plan(declared, present: try await state(of: declared.name, described))
            for step in steps { try await carryOut(step, declared) }
            if !steps.isEmpty { logger.info("topic \(declared.name) is as declared", metadata: ["object": "\(key)"]) }
            if described == nil { described = try await describe(declared.name) }
            try await report(object, .ready(topic: declared.name, id: described?.id))
            // A broker may take a moment to know what the controller made.
            return .after(described == nil ? Self.retryInterval : Self.interval)
        } catch let refusal as Refusal {
            try await report(object, .failed(reason: refusal.reason.rawValue, message: refusal.description))
            return .after(Self.interval)
        } catch let error as KafkaError {
            logger.warning("topic of \(key): \(error)")
            try await report(object, .failed(reason: "KafkaError", message: error.description))
            return .after(error.isRetriable ? Self.retryInterval : Self.interval)
        }
    }

    /// One object a topic, and the same topic as long as the object lives.
    private func checkName(of declared: TopicDeclaration, _ object: KubeObject) throws(Refusal) {
        if let before = object.status["topicName"].string, before != declared.name {
            throw Refusal(
                .notSupported, "a topic cannot be renamed: set spec.topicName to '\(before)', or make a new KafkaTopic")
        }
        let others = topics.list().filter { other in
            other.uid != object.uid && (other.spec["topicName"].string ?? other.name) == declared.name
                && other.annotations[Self.managedAnnotation] != "false"
        }
        // It belongs to the one that had it first, else to the oldest.
        if let owner = others.first(where: { Self.claim($0, on: declared) < Self.claim(object, on: declared) }) {
            throw Refusal(.conflict, "the topic '\(declared.name)' is managed by the KafkaTopic \(owner.key)")
        }
    }

    /// The smaller, the better.
    private static func claim(_ object: KubeObject, on declared: TopicDeclaration) -> (Int, String, String) {
        (
            object.status["topicName"].string == declared.name ? 0 : 1,
            object.metadata["creationTimestamp"].string ?? "", object.uid
        )
    }

    private func describe(_ topic: String) async throws -> TopicDescription? {
        try await direct.session { try await $0.topic(topic) }
    }

    private func state(of topic: String, _ described: TopicDescription?) async throws -> TopicState? {
        guard let described else { return nil }
        var configuration: [String: String] = [:]
        for entry in try await admin.describeConfiguration(.topic(topic)) where entry.source == .topic {
            configuration[entry.name] = entry.value
        }
        return TopicState(
            partitions: described.partitions, replicas: described.replicas, configuration: configuration)
    }

    private func carryOut(_ step: TopicStep, _ declared: TopicDeclaration) async throws {
        switch step {
        case .create:
            let topic = NewTopic(
                declared.name, partitions: declared.partitions ?? -1, replicationFactor: declared.replicas ?? -1,
                configuration: declared.configuration)
            do {
                try await admin.createTopic(topic)
            } catch let error as KafkaError where error.code == .topicAlreadyExists {
                // The broker that was asked for it does not know it yet; it is looked at again soon.
            }
        case .addPartitions(let total): try await admin.createPartitions(topic: declared.name, total: total)
        case .configure(let set, let remove):
            try await admin.alterConfiguration(topic: declared.name, set: set, remove: remove)
        }
    }

    /// Deletes the topic, then lets the object go.
    private func finish(_ object: KubeObject) async throws -> ReconcileResult {
        guard object.finalizers.contains(Self.finalizer) else { return .done }
        // A topic that was never this object's is not deleted with it: `status.topicName` is set when it became so.
        if object.annotations[Self.managedAnnotation] != "false", let topic = object.status["topicName"].string {
            do {
                if let error = try await admin.deleteTopics([topic])[topic] ?? nil { throw error }
                logger.info("topic \(topic) is deleted", metadata: ["object": "\(object.key)"])
            } catch let error as KafkaError where error.code == .unknownTopicOrPartition {
            } catch let error as KafkaError {
                logger.warning("topic \(topic) cannot be deleted: \(error)")
                try await report(object, .failed(reason: "KafkaError", message: error.description))
                return .after(Self.retryInterval)
            }
        }
        _ = try await client.patch(
            resource, object.key, .merge,
            [
                "metadata": [
                    "finalizers": JSONValue(object.finalizers.filter { $0 != Self.finalizer }),
                    "resourceVersion": .string(object.resourceVersion),
                ]
            ])
        return .done
    }

    private enum Report {
        /// The id is nil where the broker has none.
        case ready(topic: String, id: String?)
        case unmanaged
        case failed(reason: String, message: String)
    }

    /// Writes the status where it differs.
    private func report(_ object: KubeObject, _ report: Report) async throws {
        var changed = object
        let now = Timestamp.now()
        switch report {
        case .ready(let topic, let id):
            changed.status["topicName"] = .string(topic)
            changed.status["topicId"] = JSONValue(id)
            Conditions.remove("Unmanaged", in: &changed.status)
            Conditions.set("Ready", "True", now: now, in: &changed.status)
        case .unmanaged:
            Conditions.remove("Ready", in: &changed.status)
            Conditions.set("Unmanaged", "True", now: now, in: &changed.status)
        case .failed(let reason, let message):
            Conditions.remove("Unmanaged", in: &changed.status)
            Conditions.set("Ready", "False", reason: reason, message: message, now: now, in: &changed.status)
        }
        changed.status["observedGeneration"] = JSONValue(object.generation)
        guard changed.status != object.status else { return }
        _ = try await client.updateStatus(resource, changed)
    }
}
