// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// The resources that a server has, by the names that people type.
///
/// Source: Kubernetes "API discovery" (`/api/v1`, `/apis`, `/apis/GROUP/VERSION`).
package struct ResourceDiscovery: Sendable {
    private var byName: [String: KubeResource] = [:]
    private var byKind: [String: KubeResource] = [:]

    /// All resources that can be listed, in the server's order.
    package private(set) var listable: [KubeResource] = []

    /// Asks the server.
    package init(client: KubeClient) async throws {
        var paths = ["/api/v1"]
        let groups = try JSONParser.parse(try await client.raw("/apis"))
        for group in groups["groups"].elements {
            if let version = group["preferredVersion"]["groupVersion"].string { paths.append("/apis/\(version)") }
        }
        for path in paths {
            add(try JSONParser.parse(try await client.raw(path)))
        }
    }

    private mutating func add(_ list: JSONValue) {
        let parts = (list["groupVersion"].string ?? "").split(separator: "/").map(String.init)
        guard let version = parts.last else { return }
        let group = parts.count == 2 ? parts[0] : ""
        for entry in list["resources"].elements {
            guard let plural = entry["name"].string, !plural.contains("/"), let kind = entry["kind"].string else {
                continue
            }
            let resource = KubeResource(
                group: group, version: version, plural: plural, kind: kind,
                isNamespaced: entry["namespaced"].bool ?? false)
            let names =
                [plural, kind.lowercased(), resource.qualifiedName] + [entry["singularName"].string].compactMap { $0 }
                + entry["shortNames"].elements.compactMap(\.string)
            for name in names where byName[name] == nil { byName[name] = resource }
            byKind["\(resource.apiVersion) \(kind)"] = resource
            if entry["verbs"].elements.contains("list") { listable.append(resource) }
        }
    }

    /// The resource called so: plural, singular, short name, kind, or `plural.group`.
    /// - Throws: ``StatusError`` (404) as kubectl words it.
    package func resource(named name: String) throws(StatusError) -> KubeResource {
        if let resource = byName[name.lowercased()] { return resource }
        throw StatusError(
            code: 404, reason: "NotFound", message: "the server doesn't have a resource type \"\(name)\"")
    }

    /// The resource whose objects have that type.
    /// - Throws: ``StatusError`` (404).
    package func resource(apiVersion: String, kind: String) throws(StatusError) -> KubeResource {
        if let resource = byKind["\(apiVersion) \(kind)"] { return resource }
        throw StatusError(
            code: 404, reason: "NotFound", message: "no matches for kind \"\(kind)\" in version \"\(apiVersion)\"")
    }
}
