// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient
import KubeServer
import KubeStore
import Logging
import Scheduler

/// A real API server in this process, and schedulers on it.
struct SchedulerCluster: Sendable {
    private let server: APIServer
    let client: KubeClient

    /// Runs a test on a cluster of its own; no scheduler runs yet.
    static func run(_ test: @escaping @Sendable (SchedulerCluster) async throws -> Void) async throws {
        let store = try KubeStore(inMemory: StoreConfiguration(), logger: quiet)
        let server = APIServer(store: store, logger: quiet)
        try await server.bootstrap(host: "127.0.0.1", port: 6443)
        let cluster = SchedulerCluster(server: server)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await test(cluster) }
            group.addTask {
                // Bounds a test that would wait for ever; a test that passes never gets here.
                try await Task.sleep(for: .seconds(180))
                throw SchedulerTestTimeout()
            }
            defer { group.cancelAll() }
            _ = try await group.next()
        }
    }

    private static var quiet: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }

    private init(server: APIServer) {
        self.server = server
        client = KubeClient(transport: InProcessTransport(server: server), userAgent: "test")
    }

    /// Does something while a scheduler of its own, which knows nothing yet, is at work.
    func scheduling(as name: String = "default-scheduler", _ body: @escaping @Sendable () async throws -> Void)
        async throws
    {
        let loop = SchedulerLoop(
            client: KubeClient(transport: InProcessTransport(server: server), userAgent: name), logger: Self.quiet,
            schedulerName: name)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await loop.run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    /// Follows a collection until it is as described, and returns it.
    @discardableResult
    func wait(
        _ resource: KubeResource, namespace: String = "default", until isDone: ([KubeObject]) -> Bool
    ) async throws -> [KubeObject] {
        while true {
            let list = try await client.list(resource, namespace: namespace)
            var objects: [ObjectKey: KubeObject] = [:]
            for object in list.items { objects[object.key] = object }
            if isDone(Array(objects.values)) { return Array(objects.values) }
            let events = try await client.watch(resource, namespace: namespace, resourceVersion: list.resourceVersion)
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

    /// Follows a pod until it is as described, and returns it.
    @discardableResult
    func pod(_ name: String, until isDone: (KubeObject) -> Bool) async throws -> KubeObject {
        var found: KubeObject?
        try await wait(.pods) { pods in
            found = pods.first { $0.name == name && isDone($0) }
            return found != nil
        }
        guard let found else { throw SchedulerTestTimeout() }
        return found
    }

    /// The node that the pod is bound to, once it is.
    func node(of pod: String) async throws -> String { try await self.pod(pod) { $0.nodeName != nil }.nodeName ?? "" }

    /// The pod's event with that reason, once there is one.
    func event(_ reason: String, about pod: String) async throws -> KubeObject {
        func isIt(_ event: KubeObject) -> Bool {
            event["reason"].string == reason && event["involvedObject"]["name"].string == pod
        }
        let events = try await wait(.events) { $0.contains(where: isIt) }
        guard let event = events.first(where: isIt) else { throw SchedulerTestTimeout() }
        return event
    }

    /// Waits until the scheduler has said that the pod does not fit, and returns the condition.
    @discardableResult
    func refusal(of pod: String, reason: String = "Unschedulable") async throws -> JSONValue {
        func condition(_ pod: KubeObject) -> JSONValue { Conditions.find("PodScheduled", in: pod.status) }
        return condition(try await self.pod(pod) { condition($0)["reason"].string == reason })
    }
}

struct SchedulerTestTimeout: Error {}

extension KubeObject {
    var nodeName: String? { spec["nodeName"].string }
}
