// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// What a policy or a binding applies to (admissionregistration.k8s.io/v1 MatchResources).
struct PolicyMatch: Sendable {
    /// Operations on resources.
    struct Rule: Sendable {
        /// `pods`, `pods/log`, `*/scale` or `*`.
        struct Pattern: Sendable {
            let plural: String
            /// nil: none.
            let subresource: String?

            init(_ text: String) {
                let parts = text.split(separator: "/", maxSplits: 1)
                plural = parts.first.map(String.init) ?? ""
                subresource = parts.count > 1 ? String(parts[1]) : nil
            }

            func matches(_ plural: String, _ subresource: String) -> Bool {
                guard self.plural == "*" || self.plural == plural else { return false }
                // `*` alone is every resource without its subresources.
                guard let wanted = self.subresource else { return subresource.isEmpty }
                return wanted == "*" || wanted == subresource
            }
        }

        let operations: Set<String>
        let groups: Set<String>
        let versions: Set<String>
        let resources: [Pattern]
        /// `Cluster`, `Namespaced` or `*`.
        let scope: String
        let names: Set<String>

        init(_ json: JSONValue) {
            func texts(_ key: String) -> [String] { json[key].elements.compactMap(\.string) }
            operations = Set(texts("operations"))
            groups = Set(texts("apiGroups"))
            versions = Set(texts("apiVersions"))
            resources = texts("resources").map(Pattern.init)
            scope = json["scope"].string ?? "*"
            names = Set(texts("resourceNames"))
        }

        /// Whether the rule is for a resource in a version; versions are looked at last, for `Equivalent`.
        func matches(_ request: PolicyRequest, version: String?) -> Bool {
            let attributes = request.attributes
            let resource = attributes.resource
            guard operations.contains("*") || operations.contains(attributes.operation.rawValue) else { return false }
            guard groups.contains("*") || groups.contains(resource.group) else { return false }
            guard scope == "*" || (scope == "Namespaced") == resource.isNamespaced else { return false }
            guard names.isEmpty || names.contains(request.name) else { return false }
            guard resources.contains(where: { $0.matches(resource.plural, attributes.subresource) }) else {
                return false
            }
            guard let version else { return true }
            return versions.contains("*") || versions.contains(version)
        }
    }

    let rules: [Rule]
    private let excluded: [Rule]
    private let namespaces: LabelSelector
    private let objects: LabelSelector
    private let isExact: Bool
    /// Whether no rules means every resource, as in a binding.
    private let matchesAnything: Bool

    init(_ json: JSONValue, matchesAnything: Bool) {
        rules = json["resourceRules"].elements.map(Rule.init)
        excluded = json["excludeResourceRules"].elements.map(Rule.init)
        namespaces = (try? LabelSelector(json: json["namespaceSelector"])) ?? .everything
        objects = (try? LabelSelector(json: json["objectSelector"])) ?? .everything
        isExact = json["matchPolicy"].string == "Exact"
        self.matchesAnything = matchesAnything
    }

    /// The version in which a request is matched; nil where it is not.
    func version(of request: PolicyRequest) -> String? {
        guard let version = matchedVersion(request) else { return nil }
        return matchesSelectors(request) ? version : nil
    }

    private func matchedVersion(_ request: PolicyRequest) -> String? {
        let given = request.attributes.resource.version
        if excluded.contains(where: { matches($0, request, given) != nil }) { return nil }
        if rules.isEmpty { return matchesAnything ? given : nil }
        for rule in rules {
            if let version = matches(rule, request, given) { return version }
        }
        return nil
    }

    private func matches(_ rule: Rule, _ request: PolicyRequest, _ given: String) -> String? {
        if rule.matches(request, version: given) { return given }
        guard !isExact, rule.matches(request, version: nil) else { return nil }
        return request.otherVersions.first { rule.versions.contains($0) }
    }

    private func matchesSelectors(_ request: PolicyRequest) -> Bool {
        if !namespaces.requirements.isEmpty, let labels = request.namespaceLabels {
            guard namespaces.matches(labels) else { return false }
        }
        guard !objects.requirements.isEmpty else { return true }
        return [request.object, request.attributes.old].compactMap { $0?.labels }.contains { objects.matches($0) }
    }
}
