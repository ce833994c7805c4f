// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import Testing

/// Policies in the store decide about writes and change objects.
@Suite struct PolicyTests {
    private static let policies = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    private static let bindings = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
    private static let maps = "/api/v1/namespaces/default/configmaps"

    /// Rules for config maps.
    private static let constraints: JSONValue = [
        "resourceRules": [
            [
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE", "DELETE"],
                "resources": ["configmaps"],
            ]
        ]
    ]

    /// A cluster with one policy and one binding of it, both named `p`.
    private func cluster(
        _ spec: JSONValue, binding: JSONValue = ["validationActions": ["Deny"]]
    ) async throws -> TestServer {
        let cluster = try await TestServer()
        var policy = spec
        if policy["matchConstraints"].isNull { policy["matchConstraints"] = Self.constraints }
        let created = try await cluster.call("POST", Self.policies, ["metadata": ["name": "p"], "spec": policy])
        #expect(created.status == 201, "\(created.message)")
        var spec = binding
        spec["policyName"] = "p"
        let bound = try await cluster.call("POST", Self.bindings, ["metadata": ["name": "p"], "spec": spec])
        #expect(bound.status == 201, "\(bound.message)")
        return cluster
    }

    private func map(_ name: String, _ data: [String: String] = [:], labels: [String: String] = [:]) -> JSONValue {
        ["metadata": ["name": .string(name), "labels": JSONValue(labels)], "data": JSONValue(data)]
    }

    private func warnings(_ answer: TestServer.Answer) -> [String] {
        answer.headers.filter { $0.name == "Warning" }.map(\.value)
    }

    private static let prefix =
        "is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: "

    @Test func aRefusalSaysWhy() async throws {
        let cluster = try await cluster([
            "validations": [["expression": "object.data.size() < 2"]]
        ])
        #expect(try await cluster.call("POST", Self.maps, map("a", ["k": "v"])).status == 201)
        let refused = try await cluster.call("POST", Self.maps, map("b", ["k": "v", "l": "w"]))
        #expect(refused.status == 422)
        #expect(refused.json["reason"] == "Invalid")
        #expect(refused.message == "configmaps \"b\" \(Self.prefix)failed expression: object.data.size() < 2")
        #expect(refused.json["details"]["causes"][0]["message"].string?.hasPrefix("ValidatingAdmissionPolicy") == true)
        let changed = try await cluster.call("PUT", Self.maps + "/a", map("a", ["k": "v", "l": "w"]))
        #expect(changed.status == 422)
        #expect(try await cluster.call("GET", Self.maps + "/b").status == 404)
    }

    @Test func messagesAndReasons() async throws {
        let cluster = try await cluster([
            "variables": [
                ["name": "keys", "expression": "object.data.map(k, k)"],
                ["name": "count", "expression": "variables.keys.size()"],
            ],
            "validations": [
                [
                    "expression": "variables.count < 2", "message": "too many", "reason": "Forbidden",
                    "messageExpression": "'has ' + string(variables.count) + ' keys: ' + variables.keys.join(',')",
                ],
                ["expression": "!('bad' in object.data)", "message": " bad key "],
            ],
        ])
        let many = try await cluster.call("POST", Self.maps, map("a", ["k": "v", "l": "w"]))
        #expect(many.status == 403)
        #expect(many.json["reason"] == "Forbidden")
        #expect(many.message.hasSuffix(Self.prefix + "has 2 keys: k,l"))
        let bad = try await cluster.call("POST", Self.maps, map("a", ["bad": "v"]))
        #expect(bad.message.hasSuffix(Self.prefix + "bad key"))
    }

    @Test func errorsFollowTheFailurePolicy() async throws {
        for (policy, status) in [("Fail", 422), ("Ignore", 201)] {
            let cluster = try await cluster([
                "failurePolicy": .string(policy), "validations": [["expression": "object.missing.field == 'a'"]],
            ])
            let answer = try await cluster.call("POST", Self.maps, map("a"))
            #expect(answer.status == status)
            guard policy == "Fail" else { continue }
            #expect(
                answer.message.hasSuffix(
                    "expression 'object.missing.field == 'a'' resulted in error: no such key: missing"))
        }
    }

    @Test func anExpensivePolicyFails() async throws {
        let cluster = try await cluster([
            "validations": [["expression": "lists.range(100000).all(x, lists.range(100000).all(y, x + y >= 0))"]]
        ])
        let answer = try await cluster.call("POST", Self.maps, map("a"))
        #expect(answer.message.hasSuffix("operation cancelled: actual cost limit exceeded"))
    }

    @Test func conditionsAndExclusions() async throws {
        var constraints = Self.constraints
        constraints["excludeResourceRules"] = [
            [
                "apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["configmaps"],
                "resourceNames": ["excluded"],
            ]
        ]
        constraints["objectSelector"] = ["matchExpressions": [["key": "free", "operator": "DoesNotExist"]]]
        let cluster = try await cluster([
            "matchConstraints": constraints, "validations": [["expression": "false"]],
            "matchConditions": [
                ["name": "not-mine", "expression": "request.userInfo.username != 'me'"],
                ["name": "not-deleted", "expression": "request.operation != 'DELETE'"],
            ],
        ])
        #expect(try await cluster.call("POST", Self.maps, map("a")).status == 422)
        #expect(try await cluster.call("POST", Self.maps, map("excluded")).status == 201)
        #expect(try await cluster.call("POST", Self.maps, map("b", labels: ["free": "yes"])).status == 201)
        let me = UserInfo(name: "me", groups: ["system:masters", "system:authenticated"])
        #expect(try await cluster.call("POST", Self.maps, map("c"), user: me).status == 201)
        #expect(try await cluster.call("DELETE", Self.maps + "/c").status == 200)
        #expect(try await cluster.call("POST", "/api/v1/namespaces/default/secrets", map("a")).status == 201)
    }

    @Test func bindingsSelectNamespaces() async throws {
        let cluster = try await cluster(
            ["validations": [["expression": "false"]]],
            binding: [
                "validationActions": ["Deny"],
                "matchResources": ["namespaceSelector": ["matchLabels": ["env": "prod"]]],
            ])
        _ = try await cluster.call(
            "POST", "/api/v1/namespaces", ["metadata": ["name": "prod", "labels": ["env": "prod"]]])
        #expect(try await cluster.call("POST", Self.maps, map("a")).status == 201)
        #expect(try await cluster.call("POST", "/api/v1/namespaces/prod/configmaps", map("a")).status == 422)
    }

    @Test func warningsAndSeveralActions() async throws {
        let cluster = try await cluster(
            ["validations": [["expression": "false", "message": "careful"]]],
            binding: ["validationActions": ["Warn", "Audit"]])
        let answer = try await cluster.call("POST", Self.maps, map("a"))
        #expect(answer.status == 201)
        #expect(
            warnings(answer) == [
                "299 - \"Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p': careful\""
            ])
    }

    @Test func oldObjectsAndNamespaces() async throws {
        let cluster = try await cluster([
            "validations": [
                ["expression": "oldObject == null || object.data.?k == oldObject.data.?k", "message": "k is fixed"],
                ["expression": "namespaceObject.metadata.name == 'default'"],
                ["expression": "has(request.namespace) && request.namespace == namespaceObject.metadata.name"],
                ["expression": "request.kind.kind == 'ConfigMap' && request.resource.resource == 'configmaps'"],
                ["expression": "authorizer.requestResource.check('delete').allowed()"],
                [
                    "expression":
                        "!authorizer.serviceAccount('default', 'x').group('').resource('pods').check('get').allowed()"
                ],
            ],
            "matchConditions": [["name": "writes", "expression": "request.operation != 'DELETE'"]],
        ])
        let created = try await cluster.call("POST", Self.maps, map("a", ["k": "1"]))
        #expect(created.status == 201, "\(created.message)")
        let changed = try await cluster.call("PUT", Self.maps + "/a", map("a", ["k": "2"]))
        #expect(changed.message.hasSuffix("k is fixed"))
    }

    @Test func parameters() async throws {
        let spec: JSONValue = [
            "paramKind": ["apiVersion": "v1", "kind": "ConfigMap"],
            "validations": [["expression": "object.data.size() <= int(params.data.max)"]],
            "matchConditions": [["name": "objects", "expression": "object.metadata.name != 'limits'"]],
        ]
        let cluster = try await cluster(
            spec,
            binding: [
                "validationActions": ["Deny"],
                "paramRef": ["name": "limits", "namespace": "default", "parameterNotFoundAction": "Deny"],
            ])
        let missing = try await cluster.call("POST", Self.maps, map("a"))
        #expect(missing.message.hasSuffix("no params found for policy binding with `Deny` parameterNotFoundAction"))
        // The parameter itself is written while the policy is not bound.
        let binding = try await cluster.call("GET", Self.bindings + "/p")
        #expect(try await cluster.call("DELETE", Self.bindings + "/p").status == 200)
        #expect(try await cluster.call("POST", Self.maps, map("limits", ["max": "1"])).status == 201)
        var again = binding.json
        again["metadata"] = ["name": "p"]
        #expect(try await cluster.call("POST", Self.bindings, again).status == 201)
        #expect(try await cluster.call("POST", Self.maps, map("a", ["k": "v"])).status == 201)
        #expect(try await cluster.call("POST", Self.maps, map("b", ["k": "v", "l": "w"])).status == 422)
    }

    @Test func parametersBySelector() async throws {
        let cluster = try await cluster(
            [
                "paramKind": ["apiVersion": "v1", "kind": "Secret"],
                "validations": [["expression": "!(params.metadata.name in object.data)"]],
            ],
            binding: [
                "validationActions": ["Deny"],
                "paramRef": [
                    "selector": ["matchLabels": ["forbids": "yes"]], "parameterNotFoundAction": "Allow",
                ],
            ])
        #expect(try await cluster.call("POST", Self.maps, map("a", ["one": "1"])).status == 201)
        for name in ["one", "two"] {
            _ = try await cluster.call(
                "POST", "/api/v1/namespaces/default/secrets",
                ["metadata": ["name": .string(name), "labels": ["forbids": "yes"]]])
        }
        #expect(try await cluster.call("POST", Self.maps, map("b", ["two": "1"])).status == 422)
        #expect(try await cluster.call("POST", Self.maps, map("c", ["three": "1"])).status == 201)
    }

    @Test func policiesDoNotApplyToPolicies() async throws {
        let cluster = try await cluster([
            "matchConstraints": [
                "resourceRules": [
                    ["apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]]
                ]
            ],
            "validations": [["expression": "false"]],
        ])
        #expect(try await cluster.call("POST", Self.maps, map("a")).status == 422)
        #expect(try await cluster.call("DELETE", Self.policies + "/p").status == 200)
        #expect(try await cluster.call("POST", Self.maps, map("a")).status == 201)
    }

    @Test func statusTellsOfTypes() async throws {
        let cluster = try await cluster([
            "matchConstraints": [
                "resourceRules": [
                    [
                        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"],
                        "resources": ["deployments"],
                    ]
                ]
            ],
            "variables": [["name": "spec", "expression": "object.spec"]],
            "validations": [
                ["expression": "object.spec.replicas > '1'"], ["expression": "variables.spec.replicas > 1"],
                ["expression": "has(object.spec.nothing)"],
            ],
        ])
        let status = try await cluster.call("GET", Self.policies + "/p").object.status
        #expect(status["observedGeneration"] == 1)
        let warnings = status["typeChecking"]["expressionWarnings"].elements
        #expect(warnings.map(\.["fieldRef"]) == ["spec.validations[0].expression", "spec.validations[2].expression"])
        let first = warnings.first?["warning"].string ?? ""
        #expect(first.hasPrefix("apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_'"))
        #expect(warnings.last?["warning"].string?.contains("undefined field 'nothing'") == true)
    }

    // MARK: Bad policies

    private func fault(_ path: String, _ spec: JSONValue) async throws -> String {
        let cluster = try await TestServer()
        let answer = try await cluster.call("POST", path, ["metadata": ["name": "p"], "spec": spec])
        #expect(answer.status == 422, "\(answer.json)")
        return answer.message
    }

    @Test(arguments: [
        (#"{}"#, "spec.matchConstraints: Required value"),
        (#"{"matchConstraints": {}}"#, "spec.matchConstraints.resourceRules: Required value"),
        (
            #"{"validations": []}"#,
            "spec.validations: Required value: validations or auditAnnotations must be non-empty"
        ),
        (
            #"{"failurePolicy": "Maybe"}"#,
            #"spec.failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore""#
        ),
        (
            #"{"validations": [{"expression": ""}]}"#,
            "spec.validations[0].expression: Required value: expression is not specified"
        ),
        (
            #"{"validations": [{"expression": "object.x <"}]}"#,
            #"spec.validations[0].expression: Invalid value: "object.x <": compilation failed: ERROR: <input>:1:11: Syntax error"#
        ),
        (
            #"{"validations": [{"expression": "unknown"}]}"#,
            "undeclared reference to 'unknown' (in container '')"
        ),
        (
            #"{"validations": [{"expression": "1"}]}"#,
            #"spec.validations[0].expression: Invalid value: "1": must evaluate to bool"#
        ),
        (#"{"validations": [{"expression": "params.x"}]}"#, "undeclared reference to 'params'"),
        (#"{"validations": [{"expression": "variables.x"}]}"#, "undefined field 'x'"),
        (
            #"{"validations": [{"expression": "true\n&& true"}]}"#,
            "spec.validations[0].message: Required value: message must be specified if expression contains line breaks"
        ),
        (#"{"validations": [{"expression": "true", "message": "a\nb"}]}"#, "message must not contain line breaks"),
        (
            #"{"validations": [{"expression": "true", "messageExpression": "1"}]}"#,
            "spec.validations[0].messageExpression: Invalid value: \"1\": must evaluate to string"
        ),
        (
            #"{"validations": [{"expression": "true", "messageExpression": "string(authorizer.path('/').check('get').allowed())"}]}"#,
            "undeclared reference to 'authorizer'"
        ),
        (
            #"{"validations": [{"expression": "true", "reason": "Because"}]}"#,
            #"spec.validations[0].reason: Unsupported value: "Because": supported values: "Forbidden", "Invalid", "RequestEntityTooLarge", "Unauthorized""#
        ),
        (#"{"matchConditions": [{"name": "", "expression": "true"}]}"#, "spec.matchConditions[0].name: Required value"),
        (
            #"{"matchConditions": [{"name": "a", "expression": "true"}, {"name": "a", "expression": "true"}]}"#,
            #"spec.matchConditions[1].name: Duplicate value: "a""#
        ),
        (
            #"{"variables": [{"name": "1a", "expression": "true"}]}"#,
            "spec.variables[0].name: Invalid value: \"1a\": name is not a valid CEL identifier"
        ),
        (
            #"{"variables": [{"name": "a", "expression": "variables.a"}]}"#,
            "spec.variables[0].expression: Invalid value"
        ),
        (#"{"paramKind": {"apiVersion": "a/b/c", "kind": ""}}"#, "spec.paramKind.kind: Required value"),
        (
            #"{"auditAnnotations": [{"key": "a b", "valueExpression": "'x'"}]}"#,
            "spec.auditAnnotations[0].key: Invalid value"
        ),
        (
            #"{"matchConstraints": {"resourceRules": [{"apiGroups": ["*", "apps"], "apiVersions": ["v1"], "operations": ["READ"], "resources": []}]}}"#,
            "spec.matchConstraints.resourceRules[0].operations[0]: Unsupported value: \"READ\""
        ),
        (
            #"{"matchConstraints": {"resourceRules": [{"apiGroups": ["*", "apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]}}"#,
            "if '*' is present, must not specify other API groups"
        ),
        (
            #"{"matchConstraints": {"matchPolicy": "Some"}}"#,
            #"spec.matchConstraints.matchPolicy: Unsupported value: "Some": supported values: "Equivalent", "Exact""#
        ),
    ])
    func badPolicies(spec: String, message: String) async throws {
        var json = try JSONParser.parse(Array(spec.utf8))
        if spec != "{}" {
            if json["matchConstraints"].isNull { json["matchConstraints"] = Self.constraints }
            if json["validations"].isNull { json["validations"] = [["expression": "true"]] }
        }
        let found = try await fault(Self.policies, json)
        #expect(found.contains(message), "\(found)")
    }

    @Test(arguments: [
        (#"{}"#, "spec.policyName: Required value"),
        (#"{"policyName": "p"}"#, "spec.validationActions: Required value"),
        (#"{"policyName": "p", "validationActions": ["Deny", "Warn"]}"#, "must not contain both Deny and Warn"),
        (
            #"{"policyName": "p", "validationActions": ["Deny", "Deny"]}"#,
            "spec.validationActions[1]: Duplicate value: \"Deny\""
        ),
        (
            #"{"policyName": "p", "validationActions": ["Stop"]}"#,
            #"spec.validationActions[0]: Unsupported value: "Stop": supported values: "Audit", "Deny", "Warn""#
        ),
        (
            #"{"policyName": "p", "validationActions": ["Deny"], "paramRef": {}}"#,
            "spec.paramRef: Required value: one of name or selector must be specified"
        ),
        (
            #"{"policyName": "p", "validationActions": ["Deny"], "paramRef": {"name": "a"}}"#,
            "spec.paramRef.parameterNotFoundAction: Required value"
        ),
        (
            #"{"policyName": "p", "validationActions": ["Deny"], "paramRef": {"name": "a", "selector": {}, "parameterNotFoundAction": "Deny"}}"#,
            "spec.paramRef.name: Forbidden: name and selector are mutually exclusive"
        ),
    ])
    func badBindings(spec: String, message: String) async throws {
        let found = try await fault(Self.bindings, try JSONParser.parse(Array(spec.utf8)))
        #expect(found.contains(message), "\(found)")
    }
}
