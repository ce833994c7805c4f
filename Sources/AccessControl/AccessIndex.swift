// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// All roles and bindings, found by whom they are about.
///
/// Source: Kubernetes "Using RBAC Authorization".
package struct AccessIndex: Sendable {
    /// Whom a binding names.
    package enum Subject: Hashable, Sendable {
        case user(String)
        case group(String)
    }

    /// A binding of one subject.
    private struct Grant: Sendable {
        var role: RoleReference
        /// Why somebody is allowed what the role allows.
        var reason: String
    }

    /// The role of a binding: of its own namespace, or of the cluster.
    package struct RoleReference: Hashable, Sendable {
        package var isClusterRole: Bool
        /// Empty for a role of the cluster.
        package var namespace: String
        package var name: String

        package init(isClusterRole: Bool, namespace: String, name: String) {
            self.isClusterRole = isClusterRole
            self.namespace = isClusterRole ? "" : namespace
            self.name = name
        }

        /// What a role that is not there is called in a reason.
        var missing: String {
            "\(isClusterRole ? "clusterrole" : "role").rbac.authorization.k8s.io \"\(name)\" not found"
        }
    }

    private var rules: [RoleReference: [PolicyRule]] = [:]
    /// By namespace; the empty one is the cluster.
    private var grants: [String: [Subject: [Grant]]] = [:]

    package init() {}

    /// Adds a Role or, with an empty namespace, a ClusterRole.
    package mutating func addRole(namespace: String, name: String, _ rules: [PolicyRule]) {
        self.rules[RoleReference(isClusterRole: namespace.isEmpty, namespace: namespace, name: name)] = rules
    }

    /// Adds a RoleBinding or, with an empty namespace, a ClusterRoleBinding.
    package mutating func addBinding(_ binding: AccessBinding) {
        for (index, subject) in binding.subjects.enumerated() {
            guard let key = subject.key else { continue }
            let grant = Grant(
                role: binding.role, reason: "RBAC: allowed by \(binding.description(of: index))")
            grants[binding.namespace, default: [:]][key, default: []].append(grant)
        }
    }

    /// The rules of a role; nil when there is none.
    package func rules(of role: RoleReference) -> [PolicyRule]? { rules[role] }

    /// What an index answers.
    package struct Answer: Equatable, Sendable {
        package var isAllowed: Bool
        /// Which binding allows it, or which roles are missing; may be empty.
        package var reason: String
    }

    /// Whether a user may do something.
    package func answer(user: String, groups: [String], _ query: AccessQuery) -> Answer {
        var missing: [String] = []
        var allowing: Grant?
        visit(user: user, groups: groups, namespace: query.isResource ? query.namespace : "") { grant in
            guard let rules = rules[grant.role] else {
                missing.append(grant.role.missing)
                return true
            }
            guard rules.contains(where: { $0.allows(query) }) else { return true }
            allowing = grant
            return false
        }
        if let allowing { return Answer(isAllowed: true, reason: allowing.reason) }
        return Answer(isAllowed: false, reason: missing.isEmpty ? "" : "RBAC: \(Self.list(missing))")
    }

    /// Every rule that a user has in a namespace (empty: in the cluster), and what kept others from being found.
    package func rules(user: String, groups: [String], namespace: String) -> (rules: [PolicyRule], missing: [String]) {
        var found: [PolicyRule] = []
        var missing: [String] = []
        visit(user: user, groups: groups, namespace: namespace) { grant in
            if let rules = rules[grant.role] { found += rules } else { missing.append(grant.role.missing) }
            return true
        }
        return (found, missing)
    }

    /// Calls `body` with what is granted in the cluster, then in the namespace, until it returns false.
    private func visit(user: String, groups: [String], namespace: String, _ body: (Grant) -> Bool) {
        for place in namespace.isEmpty ? [""] : ["", namespace] {
            guard let here = grants[place] else { continue }
            for grant in here[.user(user)] ?? [] where !body(grant) { return }
            for group in groups {
                for grant in here[.group(group)] ?? [] where !body(grant) { return }
            }
        }
    }

    /// Errors as upstream joins them: one as it is, several in brackets, each once.
    private static func list(_ errors: [String]) -> String {
        var seen: Set<String> = []
        let unique = errors.filter { seen.insert($0).inserted }
        return unique.count == 1 ? unique[0] : "[\(unique.joined(separator: ", "))]"
    }
}

/// A RoleBinding or ClusterRoleBinding.
package struct AccessBinding: Sendable {
    /// An entry of `subjects`.
    struct Subject: Sendable {
        var kind: String
        var namespace: String
        var name: String

        /// Whom it stands for; nil for a kind that is not known.
        var key: AccessIndex.Subject? {
            switch kind {
            case "User": .user(name)
            case "Group": .group(name)
            case "ServiceAccount": .user("system:serviceaccount:\(namespace):\(name)")
            default: nil
            }
        }
    }

    let namespace: String
    let name: String
    package let role: AccessIndex.RoleReference
    let subjects: [Subject]

    /// Reads a binding.
    package init(_ object: KubeObject) {
        namespace = object.namespace
        name = object.name
        role = Self.role(object)
        subjects = object["subjects"].elements.map {
            let kind = $0["kind"].string ?? ""
            // An account without a namespace is one of the binding's own.
            let given = $0["namespace"].string ?? ""
            return Subject(
                kind: kind, namespace: given.isEmpty ? object.namespace : given, name: $0["name"].string ?? "")
        }
    }

    /// The role that a binding names.
    package static func role(_ object: KubeObject) -> AccessIndex.RoleReference {
        let reference = object["roleRef"]
        return AccessIndex.RoleReference(
            isClusterRole: reference["kind"] == "ClusterRole", namespace: object.namespace,
            name: reference["name"].string ?? "")
    }

    func description(of index: Int) -> String {
        let subject = subjects[index]
        let kind = role.isClusterRole ? "ClusterRole" : "Role"
        let who = subject.kind == "ServiceAccount" ? "\(subject.name)/\(subject.namespace)" : subject.name
        let what = namespace.isEmpty ? "ClusterRoleBinding \"\(name)\"" : "RoleBinding \"\(name)/\(namespace)\""
        return "\(what) of \(kind) \"\(role.name)\" to \(subject.kind) \"\(who)\""
    }
}
