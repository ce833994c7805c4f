// SPDX-License-Identifier: Apache-2.0

/// A resource that a client can address: where its objects live and what they are called.
package struct KubeResource: Hashable, Sendable {
    /// API group; empty for the core group.
    package let group: String
    /// Version in the group, such as `v1`.
    package let version: String
    /// Plural name in paths, such as `pods`.
    package let plural: String
    /// Kind of its objects, such as `Pod`.
    package let kind: String
    /// Whether its objects live in a namespace.
    package let isNamespaced: Bool

    package init(group: String, version: String, plural: String, kind: String, isNamespaced: Bool = true) {
        self.group = group
        self.version = version
        self.plural = plural
        self.kind = kind
        self.isNamespaced = isNamespaced
    }

    /// `v1` or `apps/v1`.
    package var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

    /// `pods` or `deployments.apps`.
    package var qualifiedName: String { group.isEmpty ? plural : "\(plural).\(group)" }

    /// `/api/v1` or `/apis/apps/v1`.
    package var apiPath: String { group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)" }

    /// The path of the collection, or of one object in it.
    package func path(namespace: String = "", name: String? = nil, subresource: String? = nil) -> String {
        var path = apiPath
        if isNamespaced, !namespace.isEmpty { path += "/namespaces/\(namespace)" }
        path += "/\(plural)"
        if let name { path += "/\(name)" }
        if let subresource { path += "/\(subresource)" }
        return path
    }
}

extension KubeResource {
    package static let namespaces = core("namespaces", "Namespace", isNamespaced: false)
    package static let nodes = core("nodes", "Node", isNamespaced: false)
    package static let pods = core("pods", "Pod")
    package static let services = core("services", "Service")
    package static let endpoints = core("endpoints", "Endpoints")
    package static let configMaps = core("configmaps", "ConfigMap")
    package static let secrets = core("secrets", "Secret")
    package static let serviceAccounts = core("serviceaccounts", "ServiceAccount")
    package static let events = core("events", "Event")
    package static let persistentVolumeClaims = core("persistentvolumeclaims", "PersistentVolumeClaim")
    package static let deployments = apps("deployments", "Deployment")
    package static let replicaSets = apps("replicasets", "ReplicaSet")
    package static let jobs = KubeResource(group: "batch", version: "v1", plural: "jobs", kind: "Job")
    package static let endpointSlices = KubeResource(
        group: "discovery.k8s.io", version: "v1", plural: "endpointslices", kind: "EndpointSlice")
    package static let leases = KubeResource(
        group: "coordination.k8s.io", version: "v1", plural: "leases", kind: "Lease")

    private static func core(_ plural: String, _ kind: String, isNamespaced: Bool = true) -> KubeResource {
        KubeResource(group: "", version: "v1", plural: plural, kind: kind, isNamespaced: isNamespaced)
    }

    private static func apps(_ plural: String, _ kind: String) -> KubeResource {
        KubeResource(group: "apps", version: "v1", plural: plural, kind: kind)
    }
}
