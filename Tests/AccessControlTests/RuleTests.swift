// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
import KubeAPI
import Testing

/// Rules as upstream's documentation "Using RBAC Authorization" describes them.
@Suite struct RuleTests {
    private struct Row {
        var rule: PolicyRule
        var query: AccessQuery
        var isAllowed: Bool
    }

    private static func rule(
        _ verbs: String, _ groups: String = "", _ resources: String = "", names: [String] = []
    ) -> PolicyRule {
        func list(_ text: String) -> [String] {
            text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        return PolicyRule(verbs: list(verbs), groups: list(groups), resources: list(resources), names: names)
    }

    @Test func matches() {
        let rows = [
            Row(rule: Self.rule("get", "", "pods"), query: .init(verb: "get", resource: "pods"), isAllowed: true),
            Row(rule: Self.rule("get", "", "pods"), query: .init(verb: "list", resource: "pods"), isAllowed: false),
            Row(rule: Self.rule("*", "", "pods"), query: .init(verb: "frob", resource: "pods"), isAllowed: true),
            Row(
                rule: Self.rule("get", "", "pods"), query: .init(verb: "get", group: "apps", resource: "pods"),
                isAllowed: false),
            Row(
                rule: Self.rule("get", "*", "pods"), query: .init(verb: "get", group: "apps", resource: "pods"),
                isAllowed: true),
            Row(
                rule: Self.rule("get", "", "pods"),
                query: .init(verb: "get", resource: "pods", subresource: "log"), isAllowed: false),
            Row(
                rule: Self.rule("get", "", "pods/log"),
                query: .init(verb: "get", resource: "pods", subresource: "log"), isAllowed: true),
            Row(
                rule: Self.rule("get", "", "pods/log"), query: .init(verb: "get", resource: "pods"), isAllowed: false),
            Row(
                rule: Self.rule("get", "*", "*/scale"),
                query: .init(verb: "get", group: "apps", resource: "deployments", subresource: "scale"),
                isAllowed: true),
            Row(
                rule: Self.rule("get", "*", "*/scale"),
                query: .init(verb: "get", group: "apps", resource: "deployments", subresource: "status"),
                isAllowed: false),
            Row(
                rule: Self.rule("get", "*", "*/scale"),
                query: .init(verb: "get", group: "apps", resource: "deployments"), isAllowed: false),
            Row(
                rule: Self.rule("get", "", "*"),
                query: .init(verb: "get", resource: "pods", subresource: "log"), isAllowed: true),
            Row(
                rule: Self.rule("get", "", "secrets", names: ["a"]),
                query: .init(verb: "get", resource: "secrets", name: "a"), isAllowed: true),
            Row(
                rule: Self.rule("get", "", "secrets", names: ["a"]),
                query: .init(verb: "get", resource: "secrets", name: "b"), isAllowed: false),
            Row(
                rule: Self.rule("create", "", "secrets", names: ["a"]),
                query: .init(verb: "create", resource: "secrets"), isAllowed: false),
            Row(rule: Self.rule("get", "", "*"), query: .init(verb: "get", path: "/metrics"), isAllowed: false),
        ]
        for (index, row) in rows.enumerated() {
            #expect(row.rule.allows(row.query) == row.isAllowed, "row \(index)")
        }
    }

    @Test(arguments: [
        ("/healthz", "/healthz", true), ("/healthz", "/healthz/ping", false), ("/healthz/*", "/healthz/ping", true),
        ("/healthz/*", "/healthz", false), ("*", "/anything", true), ("/a*", "/abc/d", true), ("/a*b", "/a*b", true),
        ("/a*b", "/axb", false),
    ]) func paths(_ rule: String, _ path: String, _ isAllowed: Bool) {
        let rule = PolicyRule(verbs: ["get"], paths: [rule])
        #expect(rule.allows(.init(verb: "get", path: path)) == isAllowed)
        #expect(!rule.allows(.init(verb: "put", path: path)))
        #expect(!rule.allows(.init(verb: "get", resource: path)))
    }

    // MARK: Escalation

    @Test func aRuleIsCoveredByPartsOfOthers() {
        let held = [Self.rule("get,list", "", "pods"), Self.rule("get,list", "", "services")]
        #expect(RuleCover.compare(held: held, wanted: [Self.rule("get,list", "", "pods,services")]) == .covered)
        #expect(RuleCover.compare(held: held, wanted: []) == .covered)
        #expect(RuleCover.compare(held: [Self.rule("*", "*", "*")], wanted: held) == .covered)
        #expect(
            RuleCover.compare(
                held: [Self.rule("get", "*", "*/scale")],
                wanted: [
                    Self.rule("get", "apps", "deployments/scale")
                ]) == .covered)
    }

    @Test func whatIsMissingIsSaidByResource() {
        let result = RuleCover.compare(
            held: [Self.rule("get", "", "pods")], wanted: [Self.rule("get,list,watch", "", "pods,secrets")])
        guard case .missing(let rules) = result else {
            Issue.record("nothing is missing")
            return
        }
        #expect(
            RuleCover.describe(rules) == """
                {APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}
                {APIGroups:[""], Resources:["secrets"], Verbs:["get" "list" "watch"]}
                """)
    }

    @Test(arguments: [
        (PolicyRule(verbs: ["get"], groups: [""], resources: ["pods"], names: ["a"]), false),
        (PolicyRule(verbs: ["*"], groups: [""], resources: ["pods"]), false),
        (PolicyRule(verbs: ["get"], groups: ["*"], resources: ["pods"]), false),
        (PolicyRule(verbs: ["get"], groups: [""], resources: ["*"]), false),
        (PolicyRule(verbs: ["get"], groups: [""], resources: ["pods"]), true),
    ]) func namesAndStarsAreMoreThanOne(_ held: PolicyRule, _ isCovered: Bool) {
        let wanted = PolicyRule(verbs: ["get"], groups: [""], resources: ["pods"])
        #expect((RuleCover.compare(held: [wanted], wanted: [held]) == .covered) == (held.names == ["a"] || isCovered))
        #expect((RuleCover.compare(held: [held], wanted: [wanted]) == .covered) == (held.names.isEmpty))
    }

    @Test func pathsAreCoveredByPrefix() {
        let held = PolicyRule(verbs: ["get"], paths: ["/apis/*"])
        let inside = PolicyRule(verbs: ["get"], paths: ["/apis/a", "/apis/b/*"])
        let outside = PolicyRule(verbs: ["get"], paths: ["/apis/a", "/metrics"])
        #expect(RuleCover.compare(held: [held], wanted: [inside]) == .covered)
        #expect(
            RuleCover.compare(held: [held], wanted: [outside]) == .missing([.init(verbs: ["get"], paths: ["/metrics"])])
        )
    }

    /// A thousand of each would be a billion permissions.
    @Test func aRuleThatMultipliesIsNotSplit() {
        let many = (0..<1000).map { "x\($0)" }
        let bomb = PolicyRule(verbs: many, groups: many, resources: many, names: many)
        #expect(RuleCover.compare(held: [Self.rule("get", "", "pods")], wanted: [bomb]) == .tooMany(20_000))
        #expect(RuleCover.compare(held: [Self.rule("*", "*", "*")], wanted: [bomb]) == .covered)
    }

    // MARK: The index

    private static func binding(_ namespace: String, _ role: String, _ subjects: JSONValue) -> AccessBinding {
        var object = KubeObject(
            namespace.isEmpty ? .clusterRoleBindings : .roleBindings, namespace: namespace, name: "b")
        object["roleRef"] = ["kind": "ClusterRole", "name": .string(role)]
        object["subjects"] = subjects
        return AccessBinding(object)
    }

    @Test func bindingsOfANamespaceGrantThereOnly() {
        var index = AccessIndex()
        index.addRole(namespace: "", name: "reader", [Self.rule("get", "", "pods")])
        index.addBinding(Self.binding("a", "reader", [["kind": "User", "name": "ann"]]))
        index.addBinding(Self.binding("", "reader", [["kind": "Group", "name": "ops"]]))
        index.addBinding(Self.binding("a", "reader", [["kind": "ServiceAccount", "name": "bot"]]))
        func reason(_ user: String, _ groups: [String], _ namespace: String) -> String? {
            let answer = index.answer(
                user: user, groups: groups, .init(verb: "get", resource: "pods", namespace: namespace))
            return answer.isAllowed ? answer.reason : nil
        }
        #expect(
            reason("ann", [], "a") == #"RBAC: allowed by RoleBinding "b/a" of ClusterRole "reader" to User "ann""#)
        #expect(reason("ann", [], "b") == nil)
        #expect(reason("ann", [], "") == nil)
        #expect(
            reason("bob", ["ops"], "")
                == #"RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to Group "ops""#)
        #expect(
            reason("system:serviceaccount:a:bot", [], "a")
                == #"RBAC: allowed by RoleBinding "b/a" of ClusterRole "reader" to ServiceAccount "bot/a""#)
        #expect(reason("system:serviceaccount:b:bot", [], "a") == nil)
    }

    @Test func aMissingRoleIsAReason() {
        var index = AccessIndex()
        index.addBinding(Self.binding("", "gone", [["kind": "User", "name": "ann"]]))
        let answer = index.answer(user: "ann", groups: [], .init(verb: "get", resource: "pods"))
        #expect(!answer.isAllowed)
        #expect(answer.reason == #"RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found"#)
    }

    // MARK: Aggregation

    @Test func rolesAreGatheredThroughOthers() {
        func role(_ name: String, label: String?, gathers: String?, _ resource: String? = nil) -> KubeObject {
            var role = KubeObject(.clusterRoles, name: name)
            if let label { role.labels = [label: "true"] }
            if let gathers {
                role["aggregationRule"] = [
                    "clusterRoleSelectors": [["matchLabels": .object([gathers: "true"])]]
                ]
            }
            if let resource { role["rules"] = [Self.rule("get", "", resource).json] }
            return role
        }
        let roles = Aggregation.resolve([
            role("top", label: nil, gathers: "to-top"), role("middle", label: "to-top", gathers: "to-middle"),
            role("a", label: "to-middle", gathers: nil, "pods"), role("b", label: "to-top", gathers: nil, "secrets"),
            role("loop", label: "to-loop", gathers: "to-loop"),
        ])
        func resources(_ name: String) -> [String] {
            roles.first { $0.name == name }?["rules"].elements.compactMap { $0["resources"][0].string } ?? []
        }
        #expect(resources("middle") == ["pods"])
        #expect(Set(resources("top")) == ["pods", "secrets"])
        #expect(resources("loop").isEmpty)
    }

    // MARK: Defaults

    @Test func defaultRolesGatherEachOther() {
        let roles = DefaultAccess.clusterRoles
        func allows(_ name: String, _ query: AccessQuery) -> Bool {
            roles.first { $0.name == name }?["rules"].elements.contains { PolicyRule(json: $0).allows(query) } ?? false
        }
        #expect(Set(roles.map(\.name)).count == roles.count)
        let write = AccessQuery(verb: "create", group: "apps", resource: "deployments", namespace: "a")
        #expect(allows("cluster-admin", write) && allows("admin", write) && allows("edit", write))
        #expect(!allows("view", write))
        let read = AccessQuery(verb: "list", resource: "pods", namespace: "a")
        #expect(allows("view", read) && allows("edit", read) && allows("admin", read))
        let secrets = AccessQuery(verb: "get", resource: "secrets", namespace: "a")
        #expect(allows("edit", secrets) && !allows("view", secrets))
        let roleBindings = AccessQuery(verb: "create", group: "rbac.authorization.k8s.io", resource: "rolebindings")
        #expect(allows("admin", roleBindings) && !allows("edit", roleBindings))
        for binding in DefaultAccess.clusterRoleBindings {
            #expect(roles.contains { $0.name == AccessBinding.role(binding).name }, "\(binding.name)")
        }
    }
}
