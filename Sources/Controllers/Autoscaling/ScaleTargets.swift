// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import KubeAPI
import KubeClient
import Synchronization

/// Finds the resource of a kind, and reads and writes the scale of its objects: of any kind that has one.
struct ScaleTargets: Sendable {
    private final class Cache: Sendable {
        let resources = Mutex<[String: KubeResource]>([:])
    }

    let client: KubeClient
    private let cache = Cache()

    init(client: KubeClient) { self.client = client }

    /// The resource of a kind in an API version.
    /// - Throws: ``MetricFailure`` when the server has none.
    func resource(apiVersion: String, kind: String) async throws(MetricFailure) -> KubeResource {
        let id = "\(apiVersion) \(kind)"
        if let known = cache.resources.withLock({ $0[id] }) { return known }
        let parts = apiVersion.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), !parts.contains("") else {
            throw MetricFailure("unexpected GroupVersion string: \(apiVersion)")
        }
        let (group, version) = parts.count == 2 ? (parts[0], parts[1]) : ("", parts[0])
        let path = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
        let list: JSONValue
        do {
            list = try await client.call("GET", path)
        } catch let error as StatusError where error.isNotFound {
            list = .null
        } catch {
            throw MetricFailure(ScalingMetricsReader.text(error))
        }
        let found = list["resources"].elements.first {
            $0["kind"].string == kind && $0["name"].string?.contains("/") == false
        }
        guard let found, let plural = found["name"].string else {
            let place = group.isEmpty ? "version \"\(version)\"" : "group \"\(group)\""
            throw MetricFailure("no matches for kind \"\(kind)\" in \(place)")
        }
        let resource = KubeResource(
            group: group, version: version, plural: plural, kind: kind,
            isNamespaced: found["namespaced"].bool ?? true)
        cache.resources.withLock { resources in
            if resources.count > 1024 { resources.removeAll() }
            resources[id] = resource
        }
        return resource
    }

    /// The scale of an object. Forgets the kind when it is gone, as a custom one may be.
    func scale(_ resource: KubeResource, _ key: ObjectKey) async throws -> KubeObject {
        do {
            return try await client.get(resource, key, subresource: "scale")
        } catch {
            cache.resources.withLock { $0["\(resource.apiVersion) \(resource.kind)"] = nil }
            throw error
        }
    }

    /// Writes a scale that was read, with another number of replicas.
    func write(_ scale: KubeObject, replicas: Int, _ resource: KubeResource) async throws {
        var scale = scale
        scale.spec["replicas"] = JSONValue(replicas)
        _ = try await client.update(resource, scale, subresource: "scale")
    }
}
