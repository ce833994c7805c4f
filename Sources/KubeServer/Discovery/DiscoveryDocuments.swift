// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What tells clients which kinds there are. Pure.
///
/// Source: Kubernetes "The Kubernetes API", "Discovery API" (aggregated and unaggregated).
struct DiscoveryDocuments {
    private static let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    private static let statusVerbs = ["get", "patch", "update"]

    let registry: ResourceRegistry

    // MARK: Unaggregated

    /// `/api`.
    var coreVersions: JSONValue {
        [
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [["clientCIDR": "0.0.0.0/0", "serverAddress": ""]],
        ]
    }

    /// `/apis`.
    var groupList: JSONValue {
        .object([
            "kind": "APIGroupList", "apiVersion": "v1", "groups": .array(groups.filter { !$0.isEmpty }.map(group)),
        ])
    }

    /// `/apis/GROUP`; nil when there is no such group.
    func groupDocument(_ name: String) -> JSONValue? {
        guard groups.contains(name) else { return nil }
        var document = group(name)
        document["kind"] = "APIGroup"
        document["apiVersion"] = "v1"
        return document
    }

    private func group(_ name: String) -> JSONValue {
        let versions = registry.groupVersions.filter { $0.group == name }.map { version -> JSONValue in
            ["groupVersion": .string("\(name)/\(version.version)"), "version": .string(version.version)]
        }
        return ["name": .string(name), "versions": .array(versions), "preferredVersion": versions.first ?? nil]
    }

    /// Names of the groups, the core group first.
    private var groups: [String] {
        var names: [String] = []
        for version in registry.groupVersions where !names.contains(version.group) { names.append(version.group) }
        return names
    }

    /// `/api/v1` and `/apis/GROUP/VERSION`; nil when there is no such version.
    func resourceList(group: String, version: String) -> JSONValue? {
        let declarations = registry.declarations.filter { $0.resource.group == group && $0.resource.version == version }
        let reviews = registry.reviews.filter { $0.resource.group == group && $0.resource.version == version }
        guard !declarations.isEmpty || !reviews.isEmpty else { return nil }
        var resources: [JSONValue] = []
        for declaration in declarations {
            let resource = declaration.resource
            resources.append([
                "name": .string(resource.plural), "singularName": .string(declaration.singular),
                "namespaced": .bool(resource.isNamespaced), "kind": .string(resource.kind),
                "verbs": JSONValue(verbs(declaration)),
                "shortNames": declaration.shortNames.isEmpty ? nil : JSONValue(declaration.shortNames),
                "categories": declaration.categories.isEmpty ? nil : JSONValue(declaration.categories),
                "storageVersionHash": .string(Base64.encode(resource.qualifiedName.utf8.prefix(6))),
            ])
            for subresource in subresources(declaration) {
                resources.append([
                    "name": .string("\(resource.plural)/\(subresource.name)"), "singularName": "",
                    "namespaced": .bool(resource.isNamespaced), "kind": .string(subresource.kind),
                    "verbs": JSONValue(subresource.verbs),
                    "group": subresource.group.isEmpty ? nil : .string(subresource.group),
                    "version": subresource.version.isEmpty ? nil : .string(subresource.version),
                ])
            }
        }
        for review in reviews {
            resources.append([
                "name": .string(review.resource.plural), "singularName": .string(review.singular),
                "namespaced": .bool(review.resource.isNamespaced), "kind": .string(review.resource.kind),
                "verbs": ["create"],
            ])
        }
        return .object([
            "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": .string(group.isEmpty ? version : "\(group)/\(version)"), "resources": .array(resources),
        ])
    }

    private func verbs(_ declaration: ResourceDeclaration) -> [String] {
        if declaration.provider != nil { return ["get", "list"] }
        return declaration.resource == .namespaces ? Self.verbs.filter { $0 != "deletecollection" } : Self.verbs
    }

    private func subresources(_ declaration: ResourceDeclaration) -> [Subresource] {
        var all = declaration.subresources
        if declaration.scale != nil {
            all.append(
                Subresource("scale", kind: "Scale", group: "autoscaling", version: "v1", verbs: Self.statusVerbs))
        }
        if declaration.hasStatus {
            all.append(Subresource("status", kind: declaration.resource.kind, verbs: Self.statusVerbs))
        }
        return all
    }

    // MARK: Aggregated

    /// `/api` (core) and `/apis` (the others) with everything in one document.
    func aggregated(isCore: Bool, version: String) -> JSONValue {
        let items = groups.filter { $0.isEmpty == isCore }.map { group -> JSONValue in
            let versions = registry.groupVersions.filter { $0.group == group }.map { version -> JSONValue in
                .object([
                    "version": .string(version.version), "freshness": "Current",
                    "resources": .array(aggregatedResources(group: group, version: version.version)),
                ])
            }
            return .object([
                "metadata": ["name": group.isEmpty ? nil : .string(group), "creationTimestamp": nil],
                "versions": .array(versions),
            ])
        }
        return .object([
            "kind": "APIGroupDiscoveryList", "apiVersion": .string("apidiscovery.k8s.io/\(version)"),
            "metadata": .object([:]), "items": .array(items),
        ])
    }

    private func aggregatedResources(group: String, version: String) -> [JSONValue] {
        func kind(_ kind: String, group: String, version: String) -> JSONValue {
            .object(["group": .string(group), "version": .string(version), "kind": .string(kind)])
        }
        var result: [JSONValue] = []
        for declaration in registry.declarations
        where declaration.resource.group == group && declaration.resource.version == version {
            let resource = declaration.resource
            let parts = subresources(declaration).map { part -> JSONValue in
                let isOwn = part.version.isEmpty
                return [
                    "subresource": .string(part.name), "verbs": JSONValue(part.verbs),
                    "responseKind": kind(
                        part.kind, group: isOwn ? group : part.group, version: isOwn ? version : part.version),
                ]
            }
            result.append([
                "resource": .string(resource.plural),
                "responseKind": kind(resource.kind, group: group, version: version),
                "scope": resource.isNamespaced ? "Namespaced" : "Cluster",
                "singularResource": .string(declaration.singular), "verbs": JSONValue(verbs(declaration)),
                "shortNames": declaration.shortNames.isEmpty ? nil : JSONValue(declaration.shortNames),
                "categories": declaration.categories.isEmpty ? nil : JSONValue(declaration.categories),
                "subresources": parts.isEmpty ? nil : .array(parts),
            ])
        }
        for review in registry.reviews where review.resource.group == group && review.resource.version == version {
            result.append([
                "resource": .string(review.resource.plural),
                "responseKind": kind(review.resource.kind, group: group, version: version), "scope": "Cluster",
                "singularResource": .string(review.singular), "verbs": ["create"],
            ])
        }
        return result
    }
}
