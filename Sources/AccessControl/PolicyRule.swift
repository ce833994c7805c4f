// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// One rule of a role (rbac.authorization.k8s.io/v1 PolicyRule): what may be done to what.
///
/// Source: Kubernetes "Using RBAC Authorization", "Referring to resources".
package struct PolicyRule: Hashable, Sendable {
    package var verbs: [String]
    package var groups: [String]
    /// Plurals; `pods/log` is a subresource, `*/scale` a subresource of everything, `*` everything.
    package var resources: [String]
    /// Empty for every name.
    package var names: [String]
    /// Paths that are no resources; a `*` at the end stands for anything.
    package var paths: [String]

    package init(
        verbs: [String], groups: [String] = [], resources: [String] = [], names: [String] = [], paths: [String] = []
    ) {
        self.verbs = verbs
        self.groups = groups
        self.resources = resources
        self.names = names
        self.paths = paths
    }

    /// Reads a rule as roles have it; what is missing is empty.
    package init(json: JSONValue) {
        func texts(_ member: String) -> [String] { json[member].elements.compactMap(\.string) }
        self.init(
            verbs: texts("verbs"), groups: texts("apiGroups"), resources: texts("resources"),
            names: texts("resourceNames"), paths: texts("nonResourceURLs"))
    }

    package var json: JSONValue {
        func list(_ texts: [String]) -> JSONValue { texts.isEmpty ? .null : JSONValue(texts) }
        return [
            "verbs": JSONValue(verbs), "apiGroups": list(groups), "resources": list(resources),
            "resourceNames": list(names), "nonResourceURLs": list(paths),
        ]
    }

    /// Whether the rule lets somebody do this.
    package func allows(_ query: AccessQuery) -> Bool {
        guard Self.contains(verbs, query.verb) else { return false }
        guard query.isResource else { return paths.contains { Self.covers(path: $0, query.path) } }
        return Self.contains(groups, query.group) && allowsResource(query)
            && (names.isEmpty || names.contains(query.name))
    }

    private func allowsResource(_ query: AccessQuery) -> Bool {
        let wanted = query.fullResource
        for resource in resources {
            if resource == "*" || resource == wanted { return true }
            if !query.subresource.isEmpty, resource.hasPrefix("*/"), resource.dropFirst(2) == query.subresource {
                return true
            }
        }
        return false
    }

    private static func contains(_ values: [String], _ wanted: String) -> Bool {
        values.contains { $0 == "*" || $0 == wanted }
    }

    /// Whether the path of a rule stands for another path, which may end in `*` itself.
    static func covers(path rule: String, _ wanted: String) -> Bool {
        if rule == "*" || rule == wanted { return true }
        guard rule.hasSuffix("*") else { return false }
        var prefix = Substring(rule)
        while prefix.last == "*" { prefix.removeLast() }
        return wanted.hasPrefix(prefix)
    }
}

/// What somebody wants to do, without who it is.
package struct AccessQuery: Hashable, Sendable {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection` and others; lower case.
    package var verb: String
    package var group: String
    /// Plural; empty for a path that is no resource.
    package var resource: String
    package var subresource: String
    /// Empty for what is in no namespace, and for all of them.
    package var namespace: String
    package var name: String
    /// The values that fields must have by the request's field selector.
    package var fields: [String: String] = [:]
    /// The path of a request that is not for a resource.
    package var path: String
    /// Whether ``path`` is not what is asked for.
    package var isResource: Bool

    /// A question about a resource.
    package init(
        verb: String, group: String = "", resource: String, subresource: String = "", namespace: String = "",
        name: String = ""
    ) {
        self.verb = verb
        self.group = group
        self.resource = resource
        self.subresource = subresource
        self.namespace = namespace
        self.name = name
        path = ""
        isResource = true
    }

    /// A question about a path that is no resource.
    package init(verb: String, path: String) {
        self.init(verb: verb, resource: "")
        self.path = path
        isResource = false
    }

    /// `pods`, or `pods/log`.
    package var fullResource: String { subresource.isEmpty ? resource : "\(resource)/\(subresource)" }
}
