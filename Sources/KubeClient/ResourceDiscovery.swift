// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// The resources that a server has, each in its preferred version.
///
/// Source: Kubernetes "API discovery" (`/api/v1`, `/apis`, `/apis/GROUP/VERSION`).
package struct ResourceDiscovery: Sendable {
    /// One resource and what it allows.
    package struct Entry: Hashable, Sendable {
        package var resource: KubeResource
        package var verbs: Set<String>
        /// What people may call it: plural, kind, `plural.group`, singular and short names, in lower case.
        fileprivate var names: [String]
    }

    /// In the server's order. What a group has in its preferred version is left out of its other versions.
    package private(set) var entries: [Entry] = []
    /// Groups that could not be read, such as those of an aggregated server that is down.
    package private(set) var failures: [String] = []

    /// Nothing yet.
    package init() {}

    /// Asks the server. A group that cannot be read is noted in ``failures``.
    package init(client: KubeClient) async throws {
        add(try await client.call("GET", "/api/v1"), group: "", version: "v1")
        let groups = try await client.call("GET", "/apis")
        for group in groups["groups"].elements {
            let preferred = group["preferredVersion"]["version"].string
            let versions = group["versions"].elements.compactMap { $0["version"].string }
            let name = group["name"].string ?? ""
            for version in [preferred].compactMap({ $0 }) + versions.filter({ $0 != preferred }) {
                do {
                    add(try await client.call("GET", "/apis/\(name)/\(version)"), group: name, version: version)
                } catch let error as StatusError where !error.isNotFound {
                    failures.append("\(name)/\(version): \(error.message)")
                }
            }
        }
    }

    /// Adds an APIResourceList; resources that the group has in an earlier version of the list are left out.
    private mutating func add(_ list: JSONValue, group: String, version: String) {
        let known = Set(entries.filter { $0.resource.group == group }.map(\.resource.plural))
        for item in list["resources"].elements {
            guard let plural = item["name"].string, !plural.contains("/"), !known.contains(plural),
                let kind = item["kind"].string
            else { continue }
            let resource = KubeResource(
                group: group, version: version, plural: plural, kind: kind,
                isNamespaced: item["namespaced"].bool ?? false)
            let given =
                [item["singularName"].string].compactMap { $0 } + item["shortNames"].elements.compactMap(\.string)
            entries.append(
                Entry(
                    resource: resource, verbs: Set(item["verbs"].elements.compactMap(\.string)),
                    names: [plural, kind.lowercased(), resource.qualifiedName] + given))
        }
    }

    /// The resource called so: plural, singular, short name, kind, or `plural.group`.
    /// - Throws: ``StatusError`` (404) as kubectl words it.
    package func resource(named name: String) throws(StatusError) -> KubeResource {
        let name = name.lowercased()
        if let entry = entries.first(where: { $0.names.contains(name) }) { return entry.resource }
        throw StatusError(
            code: 404, reason: "NotFound", message: "the server doesn't have a resource type \"\(name)\"")
    }

    /// The resource whose objects have that type.
    /// - Throws: ``StatusError`` (404).
    package func resource(apiVersion: String, kind: String) throws(StatusError) -> KubeResource {
        let found = entries.first { $0.resource.apiVersion == apiVersion && $0.resource.kind == kind }
        if let found { return found.resource }
        throw StatusError(
            code: 404, reason: "NotFound", message: "no matches for kind \"\(kind)\" in version \"\(apiVersion)\"")
    }

    /// The resource of an owner reference, for which a group's versions are equivalent; nil when there is none.
    package func resource(ownerVersion apiVersion: String, kind: String) -> KubeResource? {
        let parts = apiVersion.split(separator: "/")
        let group = parts.count == 2 ? String(parts[0]) : ""
        return entries.first { $0.resource.group == group && $0.resource.kind == kind }?.resource
    }
}
