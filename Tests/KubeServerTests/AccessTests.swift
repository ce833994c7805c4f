// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import Testing

/// Roles and bindings as the server enforces them.
@Suite struct AccessTests {
    private static let group = "/apis/rbac.authorization.k8s.io/v1"
    private static let ann = UserInfo(name: "ann", groups: ["system:authenticated"])

    private let world: TestServer

    init() async throws {
        world = try await TestServer()
        try await world.server.reconcileAccess()
    }

    private func role(_ name: String, _ rules: JSONValue) -> JSONValue {
        ["metadata": ["name": .string(name)], "rules": rules]
    }

    private func bind(
        _ name: String, _ role: String, user: String, namespace: String? = nil, as who: UserInfo = .admin,
        kind: String = "ClusterRole"
    ) async throws -> TestServer.Answer {
        let path = namespace.map { "namespaces/\($0)/rolebindings" } ?? "clusterrolebindings"
        return try await world.call(
            "POST", "\(Self.group)/\(path)",
            [
                "metadata": ["name": .string(name)],
                "roleRef": [
                    "apiGroup": "rbac.authorization.k8s.io", "kind": .string(kind), "name": .string(role),
                ],
                "subjects": [["apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": .string(user)]],
            ], user: who)
    }

    @Test func nobodyMayDoAnythingWithoutABinding() async throws {
        let list = try await world.call("GET", "/api/v1/namespaces/default/pods", user: Self.ann)
        #expect(list.status == 403)
        #expect(
            list.message == #"pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the "#
                + #"namespace "default""#)
        #expect(list.json["details"] == ["kind": "pods"])
        let log = try await world.call("GET", "/api/v1/namespaces/default/pods/a/log", user: Self.ann)
        #expect(
            log.message == #"pods "a" is forbidden: User "ann" cannot get resource "pods/log" in API group "" in "#
                + #"the namespace "default""#)
        let nodes = try await world.call("GET", "/apis/apps/v1/deployments", user: Self.ann)
        #expect(
            nodes.message == #"deployments.apps is forbidden: User "ann" cannot list resource "deployments" in API "#
                + #"group "apps" at the cluster scope"#)
        let metrics = try await world.call("GET", "/metrics", user: Self.ann)
        #expect(metrics.message == #"forbidden: User "ann" cannot get path "/metrics""#)
        #expect(try await world.call("GET", "/apis", user: Self.ann).status == 200)
        #expect(try await world.call("GET", "/api/v1/pods", user: .anonymous).status == 401)
        #expect(try await world.call("GET", "/apis", user: .anonymous).status == 401)
        #expect(try await world.call("GET", "/healthz/ping", user: .anonymous).status == 200)
    }

    @Test func aBindingIsInForceAtOnceAndUntilItIsDeleted() async throws {
        #expect(try await bind("read", "view", user: "ann", namespace: "default").status == 201)
        #expect(try await world.call("GET", "/api/v1/namespaces/default/pods", user: Self.ann).status == 200)
        #expect(try await world.call("GET", "/api/v1/namespaces/kube-system/pods", user: Self.ann).status == 403)
        #expect(try await world.call("GET", "/api/v1/namespaces/default/secrets", user: Self.ann).status == 403)
        let path = "\(Self.group)/namespaces/default/rolebindings/read"
        #expect(try await world.call("DELETE", path).status == 200)
        #expect(try await world.call("GET", "/api/v1/namespaces/default/pods", user: Self.ann).status == 403)
    }

    @Test func aListOfOneNameIsAQuestionAboutThatName() async throws {
        _ = try await world.call(
            "POST", "\(Self.group)/clusterroles",
            role("one", [["verbs": ["list"], "apiGroups": [""], "resources": ["nodes"], "resourceNames": ["a"]]]))
        _ = try await bind("one", "one", user: "ann")
        #expect(
            try await world.call("GET", "/api/v1/nodes?fieldSelector=metadata.name%3Da", user: Self.ann).status == 403)
        #expect(
            try await world.call("GET", "/api/v1/nodes?fieldSelector=metadata.name=a", user: Self.ann).status == 200)
        #expect(try await world.call("GET", "/api/v1/nodes", user: Self.ann).status == 403)
    }

    // MARK: Escalation

    @Test func whoMayPatchOrUpdateMayNotCreateThatWay() async throws {
        let rules: JSONValue = [
            [
                "apiGroups": ["", "coordination.k8s.io"], "resources": ["configmaps", "leases"],
                "verbs": ["get", "patch", "update"],
            ]
        ]
        _ = try await world.call(
            "POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", role("change", rules))
        _ = try await bind("change", "change", user: "ann", namespace: "default")
        let apply = { (user: UserInfo) in
            try await world.call(
                "PATCH", "/api/v1/namespaces/default/configmaps/m?fieldManager=m",
                ["apiVersion": "v1", "kind": "ConfigMap", "data": ["a": "b"]],
                contentType: "application/apply-patch+yaml", user: user)
        }
        let refused = try await apply(Self.ann)
        #expect(refused.status == 403)
        #expect(
            refused.message.hasPrefix(#"configmaps "m" is forbidden: User "ann" cannot create resource "configmaps""#))
        let lease = try await world.call(
            "PUT", "/apis/coordination.k8s.io/v1/namespaces/default/leases/l", ["metadata": ["name": "l"]],
            user: Self.ann)
        #expect(lease.status == 403)
        #expect(try await apply(.admin).status == 201)
        #expect(try await apply(Self.ann).status == 200)
    }

    @Test func nobodyGrantsWhatTheyDoNotHave() async throws {
        _ = try await bind("admin", "admin", user: "ann", namespace: "default")
        let pods: JSONValue = [["verbs": ["get"], "apiGroups": [""], "resources": ["pods"]]]
        let roles = "\(Self.group)/namespaces/default/roles"
        #expect(try await world.call("POST", roles, role("held", pods), user: Self.ann).status == 201)
        let more: JSONValue = [["verbs": ["get", "list"], "apiGroups": [""], "resources": ["nodes"]]]
        let refused = try await world.call("POST", roles, role("more", more), user: Self.ann)
        #expect(refused.status == 403)
        #expect(
            refused.message == """
                roles.rbac.authorization.k8s.io "more" is forbidden: user "ann" (groups=["system:authenticated"]) is \
                attempting to grant RBAC permissions not currently held:
                {APIGroups:[""], Resources:["nodes"], Verbs:["get" "list"]}
                """)
        let patched = try await world.call(
            "PATCH", "\(roles)/held", ["rules": more], contentType: "application/merge-patch+json", user: Self.ann)
        #expect(patched.status == 403)
        // What is not about the rules may be changed by whoever may change the role.
        _ = try await world.call("PATCH", "\(roles)/held", ["rules": more], contentType: "application/merge-patch+json")
        let labelled = try await world.call(
            "PATCH", "\(roles)/held", ["metadata": ["labels": ["a": "b"]]],
            contentType: "application/merge-patch+json", user: Self.ann)
        #expect(labelled.status == 200)
    }

    @Test func bindingNeedsTheRulesOrBind() async throws {
        _ = try await bind("admin", "admin", user: "ann", namespace: "default")
        #expect(try await bind("ok", "edit", user: "bob", namespace: "default", as: Self.ann).status == 201)
        let refused = try await bind("no", "cluster-admin", user: "bob", namespace: "default", as: Self.ann)
        #expect(refused.status == 403)
        #expect(
            refused.message.hasPrefix(
                #"rolebindings.rbac.authorization.k8s.io "no" is forbidden: user "ann" (groups=["system:authenticated"]) "#
                    + "is attempting to grant RBAC permissions not currently held:\n"))
        #expect(refused.message.contains(#"{APIGroups:["*"], Resources:["*"], Verbs:["*"]}"#))
        let missing = try await bind("gone", "gone", user: "bob", namespace: "default", as: Self.ann)
        #expect(missing.message == #"clusterroles.rbac.authorization.k8s.io "gone" not found"#)
        _ = try await world.call(
            "POST", "\(Self.group)/clusterroles",
            role(
                "binder",
                [
                    [
                        "verbs": ["bind"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"],
                        "resourceNames": ["cluster-admin"],
                    ]
                ]))
        _ = try await bind("binder", "binder", user: "ann")
        #expect(try await bind("yes", "cluster-admin", user: "bob", namespace: "default", as: Self.ann).status == 201)
    }

    @Test func escalateLetsOneGrantEverything() async throws {
        let all: JSONValue = [["verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]]]
        let verbs: JSONValue = ["create", "update", "escalate"]
        _ = try await world.call(
            "POST", "\(Self.group)/clusterroles",
            role(
                "maker",
                [["verbs": verbs, "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"]]]))
        _ = try await bind("maker", "maker", user: "ann")
        #expect(
            try await world.call("POST", "\(Self.group)/clusterroles", role("all", all), user: Self.ann).status == 201)
    }

    @Test func onlyWhoMayDoEverythingGathersRoles() async throws {
        let rules: JSONValue = [
            ["verbs": ["create"], "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"]]
        ]
        _ = try await world.call("POST", "\(Self.group)/clusterroles", role("maker", rules))
        _ = try await bind("maker", "maker", user: "ann")
        var gatherer = role("gatherer", [])
        gatherer["aggregationRule"] = ["clusterRoleSelectors": [["matchLabels": ["a": "b"]]]]
        let refused = try await world.call("POST", "\(Self.group)/clusterroles", gatherer, user: Self.ann)
        #expect(
            refused.message == #"clusterroles.rbac.authorization.k8s.io "gatherer" is forbidden: must have "#
                + "cluster-admin privileges to use the aggregationRule")
    }

    @Test func theRoleOfABindingCannotChange() async throws {
        _ = try await bind("read", "view", user: "ann", namespace: "default")
        let answer = try await world.call(
            "PATCH", "\(Self.group)/namespaces/default/rolebindings/read", ["roleRef": ["name": "edit"]],
            contentType: "application/merge-patch+json")
        #expect(answer.status == 422)
        #expect(answer.message.hasSuffix("cannot change roleRef"))
    }

    // MARK: Reviews

    private func review(_ kind: String, _ spec: JSONValue, namespace: String? = nil, as user: UserInfo = .admin)
        async throws
        -> TestServer.Answer
    {
        let place = namespace.map { "namespaces/\($0)/" } ?? ""
        return try await world.call(
            "POST", "/apis/authorization.k8s.io/v1/\(place)\(kind.lowercased())s",
            ["kind": .string(kind), "apiVersion": "authorization.k8s.io/v1", "spec": spec], user: user)
    }

    @Test func reviewsAnswerForOthers() async throws {
        _ = try await bind("read", "view", user: "ann", namespace: "default")
        let pods: JSONValue = ["namespace": "default", "verb": "list", "resource": "pods"]
        let own = try await review("SelfSubjectAccessReview", ["resourceAttributes": pods], as: Self.ann)
        #expect(own.status == 201)
        #expect(own.json["status"]["allowed"] == true)
        #expect(
            own.json["status"]["reason"]
                == #"RBAC: allowed by RoleBinding "read/default" of ClusterRole "view" to User "ann""#)
        let other = try await review("SubjectAccessReview", ["resourceAttributes": pods, "user": "bob"])
        #expect(other.json["status"] == ["allowed": false])
        let local = try await review(
            "LocalSubjectAccessReview", ["resourceAttributes": pods, "user": "ann"], namespace: "default")
        #expect(local.json["status"]["allowed"] == true)
        let elsewhere = try await review(
            "LocalSubjectAccessReview", ["resourceAttributes": pods, "user": "ann"], namespace: "kube-system")
        #expect(elsewhere.status == 422)
        #expect(
            elsewhere.message.hasSuffix(
                #"spec.resourceAttributes.namespace: Invalid value: "default": must match metadata.namespace"#))
        #expect(
            try await review("SubjectAccessReview", ["resourceAttributes": pods, "user": "bob"], as: Self.ann).status
                == 403)
    }

    @Test func aReviewAsksOneThing() async throws {
        let rows: [(spec: JSONValue, message: String)] = [
            (
                .object([:]),
                "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or "
                    + "resourceAttributes must be specified"
            ),
            (
                ["resourceAttributes": ["verb": "get"], "nonResourceAttributes": ["verb": "get"]],
                "cannot be specified in combination with resourceAttributes"
            ),
            (
                ["resourceAttributes": ["verb": "get"]],
                "spec.user: Invalid value: \"\": at least one of user or group must be specified"
            ),
        ]
        for row in rows {
            let answer = try await review("SubjectAccessReview", row.spec)
            #expect(answer.status == 422)
            #expect(answer.message.contains(row.message), "\(answer.message)")
        }
    }

    @Test func rulesOfOneself() async throws {
        _ = try await bind("read", "view", user: "ann", namespace: "default")
        let answer = try await review("SelfSubjectRulesReview", ["namespace": "default"], as: Self.ann)
        let rules = answer.json["status"]["resourceRules"].elements
        #expect(
            rules.contains { $0["resources"].elements.contains("pods") && $0["verbs"] == ["get", "list", "watch"] })
        #expect(!answer.json["status"]["nonResourceRules"].isEmpty)
        #expect(answer.json["status"]["incomplete"] == false)
    }

    // MARK: Defaults

    @Test func defaultsComeBackAndAdditionsStay() async throws {
        let path = "\(Self.group)/clusterroles/system:basic-user"
        let extra: JSONValue = ["verbs": ["get"], "apiGroups": [""], "resources": ["nodes"]]
        _ = try await world.call(
            "PATCH", path, ["rules": [extra], "metadata": ["labels": ["kubernetes.io/bootstrapping": nil]]],
            contentType: "application/merge-patch+json")
        _ = try await world.call("DELETE", "\(Self.group)/clusterroles/view")
        let frozen = "\(Self.group)/clusterroles/system:discovery"
        _ = try await world.call(
            "PATCH", frozen,
            [
                "rules": [],
                "metadata": ["annotations": .object(["rbac.authorization.kubernetes.io/autoupdate": "false"])],
            ], contentType: "application/merge-patch+json")
        try await world.server.reconcileAccess()
        let role = try await world.call("GET", path)
        #expect(role.json["rules"].elements.contains(extra))
        #expect(role.json["rules"].elements.count > 1)
        #expect(role.object.labels["kubernetes.io/bootstrapping"] == "rbac-defaults")
        #expect(try await !world.call("GET", "\(Self.group)/clusterroles/view").json["rules"].isEmpty)
        #expect(try await world.call("GET", frozen).json["rules"].isEmpty)
        let before = try await world.call("GET", path).object.resourceVersion
        try await world.server.reconcileAccess()
        #expect(try await world.call("GET", path).object.resourceVersion == before)
    }

    @Test func componentsHaveTheirUpstreamNamesAndNoMore() async throws {
        let scheduler = UserInfo.component("kube-scheduler")
        #expect(scheduler.name == "system:kube-scheduler" && !scheduler.isPrivileged)
        #expect(try await world.call("GET", "/api/v1/pods", user: scheduler).status == 200)
        #expect(try await world.call("GET", "/api/v1/secrets", user: scheduler).status == 403)
        let deployments = UserInfo.component("deployment-controller")
        #expect(deployments.name == "system:serviceaccount:kube-system:deployment-controller")
        #expect(try await world.call("GET", "/apis/apps/v1/deployments", user: deployments).status == 200)
        #expect(try await world.call("GET", "/api/v1/secrets", user: deployments).status == 403)
        let node = UserInfo.component("node:a")
        #expect(try await world.call("GET", "/api/v1/nodes/a", user: node).status == 404)
        #expect(try await world.call("GET", "/api/v1/nodes", user: node).status == 403)
        #expect(try await world.call("DELETE", "/api/v1/nodes/a", user: node).status == 403)
        #expect(try await world.call("GET", "/apis/apps/v1/deployments", user: node).status == 403)
    }
}
