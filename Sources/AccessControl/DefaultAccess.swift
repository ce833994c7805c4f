// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// The cluster roles and bindings that every cluster has.
///
/// Source: Kubernetes "Using RBAC Authorization", "Default roles and role bindings".
package enum DefaultAccess {
    /// Says that a role or binding is brought up to date at every start; `false` leaves it alone.
    package static let autoupdate = "rbac.authorization.kubernetes.io/autoupdate"
    private static let labels = ["kubernetes.io/bootstrapping": "rbac-defaults"]

    /// A role in short: each line is `VERBS GROUPS RESOURCES [NAMES]` or `VERBS PATHS`, lists with commas.
    struct Role {
        var name: String
        /// `aggregate-to-…`: the roles that gather this one.
        var gatheredBy: String?
        /// The roles that this one gathers.
        var gathers: String?
        var lines: [String]

        init(_ name: String, gatheredBy: String? = nil, gathers: String? = nil, _ lines: [String] = []) {
            self.name = name
            self.gatheredBy = gatheredBy
            self.gathers = gathers
            self.lines = lines
        }
    }

    private static let verbs: [String: [String]] = [
        "read": ["get", "list", "watch"],
        "write": ["create", "delete", "deletecollection", "patch", "update"],
        "all": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    ]

    /// Reads a line of a ``Role``.
    static func rule(_ line: String) -> PolicyRule {
        let fields = line.split(separator: " ").map { $0.split(separator: ",").map(String.init) }
        let verbs = fields[0].flatMap { Self.verbs[$0] ?? [$0] }
        if fields.count == 2 { return PolicyRule(verbs: verbs, paths: fields[1]) }
        return PolicyRule(
            verbs: verbs, groups: fields[1].map { $0 == "core" ? "" : $0 }, resources: fields[2],
            names: fields.count > 3 ? fields[3] : [])
    }

    /// Every default role, aggregated ones with their rules.
    package static var clusterRoles: [KubeObject] {
        let own = controllers.map { Role("system:controller:\($0.name)", $0.lines + [events]) }
        return Aggregation.resolve((roles + own).map(object))
    }

    private static func object(_ role: Role) -> KubeObject {
        var object = KubeObject(.clusterRoles, name: role.name)
        object.annotations = [autoupdate: "true"]
        object.labels = labels
        if let gatherer = role.gatheredBy {
            object.labels["rbac.authorization.k8s.io/aggregate-to-\(gatherer)"] = "true"
        }
        if let gathered = role.gathers {
            object["aggregationRule"] = [
                "clusterRoleSelectors": [
                    ["matchLabels": .object(["rbac.authorization.k8s.io/aggregate-to-\(gathered)": "true"])]
                ]
            ]
        }
        object["rules"] = .array(role.lines.map { rule($0).json })
        return object
    }

    /// Every default binding.
    package static var clusterRoleBindings: [KubeObject] {
        var list = bindings.map { binding($0.role, $0.subjects.map { subject($0.kind, $0.name) }) }
        for controller in controllers {
            let account: JSONValue = [
                "kind": "ServiceAccount", "name": .string(controller.name), "namespace": "kube-system",
            ]
            list.append(binding("system:controller:\(controller.name)", [account]))
        }
        return list
    }

    private static func binding(_ role: String, _ subjects: [JSONValue]) -> KubeObject {
        var object = KubeObject(.clusterRoleBindings, name: role)
        object.annotations = [autoupdate: "true"]
        object.labels = labels
        object["roleRef"] = ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": .string(role)]
        object["subjects"] = subjects.isEmpty ? .null : .array(subjects)
        return object
    }

    private static func subject(_ kind: String, _ name: String) -> JSONValue {
        ["apiGroup": "rbac.authorization.k8s.io", "kind": .string(kind), "name": .string(name)]
    }

    private static let bindings: [(role: String, subjects: [(kind: String, name: String)])] = [
        ("cluster-admin", [("Group", "system:masters")]),
        ("system:monitoring", [("Group", "system:monitoring")]),
        ("system:discovery", [("Group", "system:authenticated")]),
        ("system:basic-user", [("Group", "system:authenticated")]),
        (
            "system:public-info-viewer",
            [("Group", "system:authenticated"), ("Group", "system:unauthenticated")]
        ),
        ("system:node-proxier", [("User", "system:kube-proxy")]),
        ("system:kube-controller-manager", [("User", "system:kube-controller-manager")]),
        ("system:kube-scheduler", [("User", "system:kube-scheduler")]),
        ("system:volume-scheduler", [("User", "system:kube-scheduler")]),
        ("system:service-account-issuer-discovery", [("Group", "system:serviceaccounts")]),
        // The authorizer of nodes holds its rules; the binding names nobody, as upstream.
        ("system:node", []),
    ]

    // MARK: Roles of namespaces that only some see

    /// A role or binding of one namespace.
    package static var namespaced: [KubeObject] {
        var objects: [KubeObject] = []
        func add(_ namespace: String, _ role: Role, _ users: [(kind: String, name: String)]) {
            var object = KubeObject(.roles, namespace: namespace, name: role.name)
            object.annotations = [autoupdate: "true"]
            object.labels = labels
            object["rules"] = .array(role.lines.map { rule($0).json })
            var binding = KubeObject(.roleBindings, namespace: namespace, name: role.name)
            binding.annotations = object.annotations
            binding.labels = labels
            binding["roleRef"] = ["apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": .string(role.name)]
            binding["subjects"] = .array(users.map { subject($0.kind, $0.name) })
            objects += [object, binding]
        }
        add(
            "kube-system",
            Role("system::leader-locking-kube-controller-manager", leaderLines("kube-controller-manager")),
            [("User", "system:kube-controller-manager")])
        add(
            "kube-system", Role("system::leader-locking-kube-scheduler", leaderLines("kube-scheduler")),
            [("User", "system:kube-scheduler")])
        add(
            "kube-system",
            Role(
                "extension-apiserver-authentication-reader",
                ["read core configmaps extension-apiserver-authentication"]), [])
        return objects
    }

    private static func leaderLines(_ name: String) -> [String] {
        ["watch core configmaps", "get,update core configmaps \(name)"]
    }
}
