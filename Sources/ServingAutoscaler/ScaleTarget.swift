// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import KubeAPI
import KubeClient
import Synchronization

/// Reads and writes the scale of any kind that has one, its pods, and what they use.
final class ScaleTarget: Sendable {
    struct Scale: Sendable {
        var object: KubeObject
        var resource: KubeResource
        /// Declared, and there.
        var replicas: Int
        var present: Int

        var reference: JSONValue {
            [
                "group": .string(resource.group), "version": .string(resource.version),
                "kind": .string(resource.kind), "resource": .string(resource.plural),
            ]
        }
    }

    private static let podMetrics = KubeResource(
        group: "metrics.k8s.io", version: "v1beta1", plural: "pods", kind: "PodMetrics")

    private let client: KubeClient
    private let resources = Mutex<[String: KubeResource]>([:])

    init(client: KubeClient) { self.client = client }

    func read(_ spec: ScaledObjectSpec, namespace: String) async throws -> Scale {
        let resource = try await resource(apiVersion: spec.apiVersion, kind: spec.kind)
        let key = ObjectKey(namespace: namespace, name: spec.name)
        let scale = try await client.get(resource, key, subresource: "scale")
        return Scale(
            object: scale, resource: resource, replicas: scale.spec["replicas"].int ?? 0,
            present: scale.status["replicas"].int ?? 0)
    }

    func write(_ scale: Scale, replicas: Int) async throws {
        var object = scale.object
        object.spec["replicas"] = JSONValue(replicas)
        _ = try await client.update(scale.resource, object, subresource: "scale")
    }

    func pods(_ scale: Scale) async throws -> [KubeObject] {
        guard let selector = scale.object.status["selector"].string, !selector.isEmpty else { return [] }
        return try await client.list(.pods, namespace: scale.object.namespace, selection: .init(labels: selector)).items
    }

    /// What pods use of a resource, by pod.
    func usage(
        _ scale: Scale, _ name: String, container: String?
    ) async throws(MetricFailure) -> [String: PodSample] {
        let items: [KubeObject]
        do {
            items = try await client.list(
                Self.podMetrics, namespace: scale.object.namespace,
                selection: .init(labels: scale.object.status["selector"].string)
            ).items
        } catch {
            throw MetricFailure("metrics.k8s.io cannot be read: \(error)")
        }
        var samples: [String: PodSample] = [:]
        for item in items {
            let amounts = item["containers"].elements
                .filter { container == nil || $0["name"].string == container }
                .map { $0["usage"][name].string.flatMap(Quantity.init) }
            guard !amounts.isEmpty, !amounts.contains(nil) else { continue }
            samples[item.name] = PodSample(
                value: amounts.compactMap { $0?.millis }.reduce(0, &+),
                timestamp: item["timestamp"].string.flatMap(Timestamp.init(rfc3339:)) ?? .now(),
                window: item["window"].string.flatMap(GoDuration.parse) ?? .seconds(60))
        }
        return samples
    }

    private func resource(apiVersion: String, kind: String) async throws -> KubeResource {
        let id = "\(apiVersion) \(kind)"
        if let known = resources.withLock({ $0[id] }) { return known }
        let parts = apiVersion.split(separator: "/").map(String.init)
        let (group, version) = parts.count == 2 ? (parts[0], parts[1]) : ("", parts.first ?? "v1")
        let list = try await client.call("GET", group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)")
        let found = list["resources"].elements.first {
            $0["kind"].string == kind && $0["name"].string?.contains("/") == false
        }
        guard let plural = found?["name"].string else {
            throw StatusError(code: 404, reason: "NotFound", message: "there is no kind \(kind) in \(apiVersion)")
        }
        let resource = KubeResource(group: group, version: version, plural: plural, kind: kind)
        resources.withLock { $0[id] = resource }
        return resource
    }
}
