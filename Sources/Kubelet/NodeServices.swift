// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ContainerRuntimes
import ControllerRuntime
import KubeAPI
import KubeClient
import Logging

/// An event to be written about a pod.
struct PodEvent: Sendable {
    var pod: KubeObject
    var isWarning: Bool
    var reason: String
    var message: String
    /// Such as `spec.containers{web}`; empty for the pod as a whole.
    var fieldPath: String
}

/// What the workers of all pods of a node share.
struct NodeServices: Sendable {
    let client: KubeClient
    let nodeName: String
    let configuration: NodeAgentConfiguration
    let runtime: any ContainerRuntime
    let prober: Prober
    let services: Informer
    let watcher: ObjectWatcher
    let addresses: PodAddresses
    let capacity: [String: Quantity]
    /// Tokens that bound how many pods are prepared or containers started at a time.
    let permits: WorkQueue<Int>
    let events: Mailbox<PodEvent>
    let logger: Logger

    /// Runs `body` when a permit is free; not at all when the task is cancelled before.
    func withPermit(_ body: () async -> Void) async {
        guard let permit = await permits.next() else { return }
        await body()
        permits.add(permit)
        permits.done(permit)
    }

    /// Reads the ConfigMaps and Secrets of these names; those that do not exist are left out.
    func fetch(
        configMaps: Set<String>, secrets: Set<String>, namespace: String
    ) async throws -> ReferencedObjects {
        var objects = ReferencedObjects()
        for name in configMaps {
            objects.configMaps[name] = try await find(.configMaps, ObjectKey(namespace: namespace, name: name))
        }
        for name in secrets {
            objects.secrets[name] = try await find(.secrets, ObjectKey(namespace: namespace, name: name))
        }
        return objects
    }

    private func find(_ resource: KubeResource, _ key: ObjectKey) async throws -> KubeObject? {
        do {
            return try await client.get(resource, key)
        } catch let error as StatusError where error.isNotFound {
            return nil
        }
    }

    /// The environment of a pod's containers and downward API volumes, with all objects that the pod refers to.
    func environment(for pod: KubeObject, address: String) async throws -> ContainerEnvironment {
        let names = ReferencedObjects.names(in: pod)
        let objects = try await fetch(
            configMaps: names.configMaps, secrets: names.secrets, namespace: pod.namespace)
        var visible: [KubeObject] = []
        if pod.spec["enableServiceLinks"].bool ?? true { visible = services.list(namespace: pod.namespace) }
        let master = ObjectKey(namespace: "default", name: "kubernetes")
        if pod.namespace != master.namespace || visible.isEmpty, let service = services.get(master) {
            visible.append(service)
        }
        return ContainerEnvironment(
            pod: pod, podAddress: address, hostAddress: configuration.hostAddress, nodeName: nodeName,
            nodeCapacity: capacity, objects: objects, services: visible)
    }
}
