// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient

/// The resources that a server has, each in its preferred version.
struct APIDiscovery: Sendable {
    /// One resource and what it allows.
    struct Entry: Hashable, Sendable {
        var resource: KubeResource
        var verbs: Set<String>
    }

    private(set) var entries: [Entry] = []
    /// Groups that could not be read, such as those of an aggregated server that is down.
    private(set) var failures: [String] = []

    /// Reads `/api/v1` and the preferred version of each group under `/apis`.
    static func load(_ client: KubeClient) async throws -> APIDiscovery {
        var discovery = APIDiscovery()
        discovery.add(try await client.call("GET", "/api/v1"), group: "", version: "v1")
        let groups = try await client.call("GET", "/apis")
        for group in groups["groups"].elements {
            let preferred = group["preferredVersion"]["version"].string
            let versions = group["versions"].elements.compactMap { $0["version"].string }
            let name = group["name"].string ?? ""
            for version in [preferred].compactMap({ $0 }) + versions.filter({ $0 != preferred }) {
                do {
                    let list = try await client.call("GET", "/apis/\(name)/\(version)")
                    discovery.add(list, group: name, version: version)
                } catch let error as StatusError where !error.isNotFound {
                    discovery.failures.append("\(name)/\(version): \(error.message)")
                }
            }
        }
        return discovery
    }

    /// Adds an APIResourceList; resources that the group has in an earlier version of the list are left out.
    mutating func add(_ list: JSONValue, group: String, version: String) {
        let known = Set(entries.filter { $0.resource.group == group }.map(\.resource.plural))
        for item in list["resources"].elements {
            guard let plural = item["name"].string, !plural.contains("/"), !known.contains(plural),
                let kind = item["kind"].string
            else { continue }
            let resource = KubeResource(
                group: group, version: version, plural: plural, kind: kind,
                isNamespaced: item["namespaced"].bool ?? false)
            entries.append(
                Entry(resource: resource, verbs: Set(item["verbs"].elements.compactMap(\.string))))
        }
    }

    /// The resource of an owner reference; versions of a group are equivalent.
    func resource(apiVersion: String, kind: String) -> KubeResource? {
        let parts = apiVersion.split(separator: "/")
        let group = parts.count == 2 ? String(parts[0]) : ""
        return entries.first { $0.resource.group == group && $0.resource.kind == kind }?.resource
    }
}
