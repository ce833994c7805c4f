// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import KubeServer
import KubeStore
import Logging
import Synchronization

@testable import Controllers

/// A real API server in this process with the controllers on it, and a stand-in for the node agent.
struct TestCluster: Sendable {
    let client: KubeClient

    /// Runs a test on a cluster of its own.
    static func run(
        _ configuration: ControllerConfiguration = ControllerConfiguration(), nodes: (any NodeConnector)? = nil,
        _ test: @escaping @Sendable (TestCluster) async throws -> Void
    ) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let quiet = logger
        let server = APIServer(
            store: try KubeStore(inMemory: StoreConfiguration(), logger: quiet), nodes: nodes, logger: quiet)
        let client = { @Sendable (name: String) in
            KubeClient(transport: InProcessTransport(server: server), userAgent: name)
        }
        try await server.bootstrap(host: "127.0.0.1", port: 6443)
        let cluster = TestCluster(client: client("test"))
        let manager = ControllerManager(client: client, logger: quiet, configuration: configuration)
        let pods = Informer(.pods, client: client("kubelet"), logger: quiet)
        let agent = Controller(
            name: "agent", sources: [.objects(of: pods)], reconciler: FakeAgent(client: client("kubelet"), pods: pods),
            workers: 8, logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await manager.run() }
            group.addTask { await pods.run() }
            group.addTask { await agent.run() }
            group.addTask {
                // Bounds a test that would wait for ever; a test that passes never gets here.
                try await Task.sleep(for: .seconds(180))
                throw TestTimeout()
            }
            group.addTask {
                try await test(cluster)
                throw CancellationError()
            }
            do {
                while try await group.next() != nil {}
            } catch is CancellationError {
                group.cancelAll()
            }
        }
    }

    /// Follows a collection until it is as described, and returns it.
    @discardableResult
    func wait(
        _ resource: KubeResource, namespace: String = "default",
        until isDone: @Sendable ([KubeObject]) -> Bool
    ) async throws -> [KubeObject] {
        while true {
            let list = try await client.list(resource, namespace: namespace)
            var objects: [ObjectKey: KubeObject] = [:]
            for object in list.items { objects[object.key] = object }
            if isDone(Array(objects.values)) { return Array(objects.values) }
            let events = try await client.watch(
                resource, namespace: namespace, resourceVersion: list.resourceVersion)
            for try await event in events {
                switch event {
                case .added(let object), .modified(let object): objects[object.key] = object
                case .deleted(let object): objects[object.key] = nil
                case .bookmark: continue
                }
                if isDone(Array(objects.values)) { return Array(objects.values) }
            }
        }
    }

    /// Follows one object until it is as described, and returns it.
    @discardableResult
    func wait(
        _ resource: KubeResource, _ name: String, namespace: String = "default",
        until isDone: @escaping @Sendable (KubeObject) -> Bool
    ) async throws -> KubeObject {
        let objects = try await wait(resource, namespace: resource.isNamespaced ? namespace : "") { objects in
            objects.first { $0.name == name }.map(isDone) ?? false
        }
        guard let object = objects.first(where: { $0.name == name }) else { throw TestTimeout() }
        return object
    }

    func change(_ resource: KubeResource, _ name: String, _ patch: JSONValue) async throws {
        _ = try await client.patch(resource, key(name), .merge, patch)
    }

    func key(_ name: String) -> ObjectKey { ObjectKey(namespace: "default", name: name) }
}

struct TestTimeout: Error {}

/// Reports each pod as its image says: `fail`, `succeed`, `unready`, anything else runs and is ready.
struct FakeAgent: Reconciler {
    private static let address = Atomic<Int>(1)

    let client: KubeClient
    let pods: Informer

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard var pod = pods.get(key), !pod.isBeingDeleted, pod.status["podIP"].isNull else { return .done }
        let image = pod.spec["containers"][0]["image"].string ?? ""
        let number = Self.address.wrappingAdd(1, ordering: .relaxed).newValue
        pod.status["podIP"] = .string("10.\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)")
        let now = Timestamp.now()
        switch image {
        case "fail": pod.status["phase"] = "Failed"
        case "succeed": pod.status["phase"] = "Succeeded"
        default:
            pod.status["phase"] = "Running"
            Conditions.set("Ready", image == "unready" ? "False" : "True", now: now, in: &pod.status)
        }
        do {
            _ = try await client.updateStatus(.pods, pod)
        } catch let error as StatusError where error.isNotFound {
            return .done
        }
        return .done
    }
}
