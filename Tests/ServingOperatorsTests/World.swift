// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import KubeAPI
import KubeClient
import KubeServer
import KubeStore
import Logging
import ServingObjects
import YAMLFormat

@testable import ServingOperators

/// A real API server in this process with the kinds of deploy/serving and the operator on it. Controllers and gateways are
/// not there: tests say what they would report.
struct World: Sendable {
    let client: KubeClient
    let traffic: TrafficLog

    /// Runs a test on a world of its own.
    static func run(
        grace: Duration = .milliseconds(200), _ test: @escaping @Sendable (World) async throws -> Void
    ) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let quiet = logger
        let server = APIServer(
            store: try KubeStore(inMemory: StoreConfiguration(), logger: quiet), nodes: nil, logger: quiet)
        try await server.bootstrap(host: "127.0.0.1", port: 6443)
        let client = KubeClient(transport: InProcessTransport(server: server), userAgent: "test")
        let world = World(client: client, traffic: TrafficLog(bounds: [0.001, 0.01, 0.1, 1]))
        try await world.install()
        var settings = ServingOperator.Settings()
        settings.grace = grace
        settings.interval = .milliseconds(50)
        let worker = ServingOperator(
            client: KubeClient(transport: InProcessTransport(server: server), userAgent: "operator"),
            traffic: world.traffic, settings: settings, logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await worker.run() }
            group.addTask {
                // Bounds a test that would wait for ever; a test that passes never gets here.
                try await Task.sleep(for: .seconds(180))
                throw WorldTimeout()
            }
            group.addTask {
                try await test(world)
                throw CancellationError()
            }
            do {
                while try await group.next() != nil {}
            } catch is CancellationError {
                group.cancelAll()
            }
        }
    }

    private static var folder: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path + "/deploy/serving"
    }

    /// What `kubectl apply -k deploy/serving` makes, without what runs as pods.
    private func install() async throws {
        for file in ["crds.yaml", "gateway-api.yaml"] {
            try await apply(try ManifestLoader.objects(at: "\(Self.folder)/\(file)"))
        }
        while true {
            let kinds = try? await client.call("GET", "/apis/serving.kserve.io/v1alpha1")
            let routes = try? await client.call("GET", "/apis/gateway.networking.k8s.io/v1")
            let grants = routes?["resources"].elements.contains { $0["name"].string == "httproutes" } ?? false
            if kinds?["resources"].elements.contains(where: { $0["name"].string == "inferencegraphs" }) == true, grants
            {
                break
            }
            try await Task.sleep(for: .milliseconds(1))
        }
        for file in ["namespace.yaml", "runtimes.yaml"] {
            try await apply(try ManifestLoader.objects(at: "\(Self.folder)/\(file)"))
        }
    }

    func apply(_ objects: [KubeObject]) async throws {
        let discovery = try await ResourceDiscovery(client: client)
        for object in objects {
            _ = try await client.apply(object, discovery: discovery, defaultNamespace: "default")
        }
    }

    func apply(_ yaml: String) async throws {
        try await apply(try ManifestLoader.objects(in: yaml, source: "test"))
    }

    func key(_ name: String) -> ObjectKey { ObjectKey(namespace: "default", name: name) }

    /// Follows one object until it is as described, and returns it.
    @discardableResult
    func wait(
        _ resource: KubeResource, _ name: String, until isDone: @escaping @Sendable (KubeObject) -> Bool
    ) async throws -> KubeObject {
        try await find(resource) { $0.name == name && isDone($0) }
    }

    /// Follows a collection until one of its objects is as described, and returns it.
    func find(_ resource: KubeResource, until isDone: (KubeObject) -> Bool) async throws -> KubeObject {
        while true {
            let list = try await client.list(resource, namespace: "default")
            if let object = list.items.first(where: isDone) { return object }
            if let object = try await next(resource, after: list.resourceVersion, until: isDone) { return object }
        }
    }

    /// The first state of an object after a version that is as described, though others may have followed it; nil when the
    /// watch ends before.
    func next(
        _ resource: KubeResource, after version: String, until isDone: (KubeObject) -> Bool
    ) async throws -> KubeObject? {
        for try await event in try await client.watch(resource, namespace: "default", resourceVersion: version) {
            switch event {
            case .added(let object), .modified(let object): if isDone(object) { return object }
            case .deleted, .bookmark: continue
            }
        }
        return nil
    }

    /// Waits until there is no such object.
    func waitGone(_ resource: KubeResource, _ name: String) async throws {
        while true {
            let list = try await client.list(resource, namespace: "default")
            guard list.items.contains(where: { $0.name == name }) else { return }
            for try await event in try await client.watch(
                resource, namespace: "default", resourceVersion: list.resourceVersion)
            {
                if case .deleted(let object) = event, object.name == name { return }
            }
        }
    }

    /// Says what the Deployment's controller would: its pods are there and answer.
    func ready(_ deployment: String) async throws {
        try await report(deployment) { object in
            let wanted = object.spec["replicas"].int ?? 1
            object.status["availableReplicas"] = JSONValue(wanted)
            object.status["replicas"] = JSONValue(wanted)
            Conditions.set("Available", "True", now: .now(), in: &object.status)
        }
    }

    func report(_ deployment: String, _ change: @Sendable (inout KubeObject) -> Void) async throws {
        while true {
            var object = try await wait(.deployments, deployment) { _ in true }
            object.status = object.status.isNull ? [:] : object.status
            object.status["observedGeneration"] = JSONValue(object.generation)
            change(&object)
            do {
                _ = try await client.updateStatus(.deployments, object)
                return
            } catch let error as StatusError where error.code == 409 {}
        }
    }

    /// Says what a gateway would: the route is taken.
    func accept(_ route: String) async throws {
        try await wait(ServingManifests.httpRoutes, route) { _ in true }
        let status: JSONValue = [
            "parents": [
                [
                    "parentRef": ["name": "kserve-ingress-gateway"], "controllerName": "serving.apus.dev/gateway",
                    "conditions": [
                        ["type": "Accepted", "status": "True", "reason": "Accepted"],
                        ["type": "ResolvedRefs", "status": "True", "reason": "ResolvedRefs"],
                    ],
                ]
            ]
        ]
        _ = try await client.patch(
            ServingManifests.httpRoutes, key(route), .merge, ["status": status], subresource: "status")
    }

    func service(_ name: String, until isDone: @escaping @Sendable (KubeObject) -> Bool) async throws -> KubeObject {
        try await wait(ServiceReconciler.resource, name, until: isDone)
    }

    /// Shares of the revisions, as the route has them.
    static func weights(_ route: KubeObject) -> [String: Int] {
        let rules = route.spec["rules"].elements
        let backends = rules.last?["backendRefs"].elements ?? []
        return Dictionary(
            backends.map { ($0["name"].string ?? "", $0["weight"].int ?? 1) }, uniquingKeysWith: { first, _ in first })
    }

    /// Reasons of the events about an object.
    func reasons(_ name: String) async throws -> [String] {
        let events = try await client.list(.events, namespace: "default").items
        return events.filter { $0["involvedObject"]["name"].string == name }.compactMap { $0["reason"].string }
    }

    /// A gateway's report of a second.
    func tell(_ revision: String, requests: Int, failures: Int = 0, slow: Bool = false) {
        let count = UInt64(requests)
        traffic.record(
            key(revision),
            .init(
                time: .now(), requests: requests, failures: failures,
                latencies: slow ? [0, 0, 0, count, 0] : [count, 0, 0, 0, 0]))
    }
}

struct WorldTimeout: Error {}

extension KubeObject {
    var isReady: Bool {
        Conditions.isTrue("Ready", in: status) && status["observedGeneration"].int == generation
    }

    func traffic(_ revision: String) -> Int? {
        status["components"]["predictor"]["traffic"].elements.first { $0["revisionName"].string == revision }?[
            "percent"
        ].int
    }
}
