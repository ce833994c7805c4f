// SPDX-License-Identifier: Apache-2.0
import AccessControl
import ApusCore
import Testing

/// Rules of audit policies, as "Auditing" describes them: the first that matches decides.
@Suite struct AuditPolicyTests {
    private func policy(_ rules: JSONValue, _ more: [String: JSONValue] = [:]) throws -> AuditPolicy {
        var json: JSONValue = ["apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": rules]
        for (key, value) in more { json[key] = value }
        return try AuditPolicy(json: json)
    }

    private static let pods = AccessQuery(verb: "get", resource: "pods", namespace: "a", name: "p")
    private static let log = AccessQuery(verb: "get", resource: "pods", subresource: "log", namespace: "a", name: "p")
    private static let scale = AccessQuery(
        verb: "update", group: "apps", resource: "deployments", subresource: "scale", namespace: "b")
    private static let nodes = AccessQuery(verb: "list", resource: "nodes")
    private static let health = AccessQuery(verb: "get", path: "/healthz/ping")

    @Test func matching() throws {
        let rows: [(rule: JSONValue, matching: [AccessQuery])] = [
            ([:], [Self.pods, Self.log, Self.scale, Self.nodes, Self.health]),
            (["users": ["ann"]], [Self.pods, Self.log, Self.scale, Self.nodes, Self.health]),
            (["users": ["bob"]], []),
            (["userGroups": ["dev"]], [Self.pods, Self.log, Self.scale, Self.nodes, Self.health]),
            (["userGroups": ["ops"]], []), (["verbs": ["update", "list"]], [Self.scale, Self.nodes]),
            (["namespaces": ["a"]], [Self.pods, Self.log]), (["namespaces": [""]], [Self.nodes]),
            (["resources": [["group": ""]]], [Self.pods, Self.log, Self.nodes]),
            (["resources": [["group": "", "resources": ["pods"]]]], [Self.pods]),
            (["resources": [["group": "", "resources": ["pods/log"]]]], [Self.log]),
            (["resources": [["group": "", "resources": ["pods/*"]]]], [Self.pods, Self.log]),
            (["resources": [["group": "apps", "resources": ["*/scale"]]]], [Self.scale]),
            (["resources": [["group": "", "resources": ["*"]]]], [Self.pods, Self.log, Self.nodes]),
            (["resources": [["group": "", "resources": ["pods"], "resourceNames": ["q"]]]], []),
            (["resources": [["group": "", "resources": ["pods"], "resourceNames": ["p"]]]], [Self.pods]),
            (["nonResourceURLs": ["/healthz*"]], [Self.health]), (["nonResourceURLs": ["/healthz"]], []),
            (["nonResourceURLs": ["*"]], [Self.health]),
        ]
        for (index, row) in rows.enumerated() {
            var rule = row.rule
            rule["level"] = "Metadata"
            let policy = try policy([rule])
            for query in [Self.pods, Self.log, Self.scale, Self.nodes, Self.health] {
                let decision = policy.decision(user: "ann", groups: ["dev"], query)
                #expect((decision.level == .metadata) == row.matching.contains(query), "row \(index), \(query)")
            }
        }
    }

    @Test func theFirstRuleDecides() throws {
        let policy = try policy(
            [
                ["level": "None", "users": ["quiet"]],
                [
                    "level": "Metadata", "resources": [["group": "", "resources": ["secrets"]]],
                    "omitStages": ["ResponseStarted"],
                ],
                ["level": "RequestResponse", "omitManagedFields": false],
            ], ["omitStages": ["RequestReceived"], "omitManagedFields": true])
        func decision(_ user: String, _ resource: String) -> AuditPolicy.Decision {
            policy.decision(user: user, groups: [], .init(verb: "create", resource: resource))
        }
        #expect(decision("quiet", "secrets").level == .none)
        #expect(decision("ann", "secrets").level == .metadata)
        #expect(decision("ann", "secrets").omittedStages == [.requestReceived, .responseStarted])
        #expect(decision("ann", "secrets").omitsManagedFields)
        #expect(decision("ann", "pods").level == .requestResponse)
        #expect(!decision("ann", "pods").omitsManagedFields)
    }

    @Test func faultsAreNamed() {
        let rows: [(json: JSONValue, message: String)] = [
            ([:], "it is not an object of apiVersion audit.k8s.io/v1 and kind Policy"),
            (["rules": []], "rules: Required value: at least one rule"),
            (["rules": [["level": "All"]]], "rules[0].level: Unsupported value: \"All\": supported values: \"None\", "),
            (["rules": [["level": "None", "stages": ["x"]]]], "unknown field \"rules[0].stages\""),
            (["rules": [["level": "None"]], "omitStages": ["Never"]], "omitStages: Unsupported value: \"Never\""),
            (["rules": [["level": "None", "nonResourceURLs": ["healthz"]]]], "must begin with a '/' character"),
            (["rules": [["level": "None", "nonResourceURLs": ["/a*b"]]]], "must be the final character of the rule"),
            (
                ["rules": [["level": "None", "nonResourceURLs": ["/a"], "namespaces": ["b"]]]],
                "rules cannot apply to both regular resources and non-resource URLs"
            ),
            (
                ["rules": [["level": "None", "resources": [["group": "", "resourceNames": ["a"]]]]]],
                "using resourceNames requires at least one resource"
            ),
            (
                ["rules": .array(Array(repeating: ["level": "None"], count: 1001))],
                "rules: Too many: 1001: must have at most 1000 items"
            ),
        ]
        for (index, row) in rows.enumerated() {
            var json = row.json
            if index > 0 {
                json["apiVersion"] = "audit.k8s.io/v1"
                json["kind"] = "Policy"
            }
            do {
                _ = try AuditPolicy(json: json)
                Issue.record("row \(index) is taken")
            } catch {
                #expect(error.description.contains(row.message), "row \(index): \(error)")
            }
        }
    }
}
