// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import Testing

/// Policies in the store that change objects.
@Suite struct MutatingPolicyTests {
    private static let policies = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies"
    private static let bindings = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings"
    private static let deployments = "/apis/apps/v1/namespaces/default/deployments"

    private static let deployment: JSONValue = [
        "metadata": ["name": "d", "labels": ["a": "1"]],
        "spec": [
            "replicas": 2, "selector": ["matchLabels": ["app": "d"]],
            "template": [
                "metadata": ["labels": ["app": "d"]],
                "spec": ["containers": [["name": "c", "image": "i"], ["name": "e", "image": "j"]]],
            ],
        ],
    ]

    private func add(_ name: String, _ mutations: [JSONValue], _ more: JSONValue = .object([:]), to cluster: TestServer)
        async throws
    {
        var spec: JSONValue = [
            "reinvocationPolicy": "Never", "mutations": .array(mutations),
            "matchConstraints": [
                "resourceRules": [
                    [
                        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                        "resources": ["deployments"],
                    ]
                ]
            ],
        ]
        for (key, value) in more.members { spec[key] = value }
        let made = try await cluster.call("POST", Self.policies, ["metadata": ["name": .string(name)], "spec": spec])
        #expect(made.status == 201, "\(made.message)")
        let bound = try await cluster.call(
            "POST", Self.bindings, ["metadata": ["name": .string(name)], "spec": ["policyName": .string(name)]])
        #expect(bound.status == 201, "\(bound.message)")
    }

    private static func configuration(_ expression: String) -> JSONValue {
        ["patchType": "ApplyConfiguration", "applyConfiguration": ["expression": .string(expression)]]
    }

    private static func patch(_ expression: String) -> JSONValue {
        ["patchType": "JSONPatch", "jsonPatch": ["expression": .string(expression)]]
    }

    @Test func configurationsAreMerged() async throws {
        let cluster = try await TestServer()
        try await add(
            "p",
            [
                Self.configuration(
                    "Object{metadata: Object.metadata{annotations: {'from': 'policy'}}, spec: Object.spec{"
                        + "replicas: object.spec.replicas + 1, template: Object.spec.template{"
                        + "spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{"
                        + "name: 'e', image: 'k'}]}}}}")
            ], to: cluster)
        let made = try await cluster.call("POST", Self.deployments, Self.deployment)
        #expect(made.status == 201, "\(made.message)")
        #expect(made.json["metadata"]["annotations"]["from"] == "policy")
        #expect(made.json["metadata"]["labels"]["a"] == "1")
        #expect(made.json["spec"]["replicas"] == 3)
        let containers = made.json["spec"]["template"]["spec"]["containers"]
        #expect(containers.elements.map { $0["image"] } == ["i", "k"])
    }

    @Test func patchesAreApplied() async throws {
        let cluster = try await TestServer()
        try await add(
            "p",
            [
                Self.patch(
                    "[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('x.io/b'), value: 'c'}, "
                        + "JSONPatch{op: 'replace', path: '/spec/replicas', value: 5}]"),
                Self.patch(
                    "has(object.metadata.annotations) ? [] : [JSONPatch{op: 'add', path: '/metadata/annotations', "
                        + "value: {'replicas': string(object.spec.replicas)}}]"),
            ], to: cluster)
        let made = try await cluster.call("POST", Self.deployments, Self.deployment)
        #expect(made.json["metadata"]["labels"] == ["a": "1", "x.io/b": "c"], "\(made.message)")
        #expect(made.json["spec"]["replicas"] == 5)
        #expect(made.json["metadata"]["annotations"]["replicas"] == "5")
    }

    @Test(arguments: [
        ("Object{metadata: Object.spec{}}", "unexpected type name \"Object.spec\", expected \"Object.metadata\""),
        ("Object{spec: Object.spec{replicas: 'many'}}", "cannot unmarshal string into Go struct field"),
        ("Object{spec: Object.spec{nothing: 1}}", "unknown field \"spec.nothing\""),
        ("Object{metadata: Object.metadata{name: 'other'}}", "must not change metadata.name"),
        ("object.spec.missing", "no such key: missing"),
    ])
    func failuresRefuse(expression: String, message: String) async throws {
        let cluster = try await TestServer()
        try await add("p", [Self.configuration(expression)], to: cluster)
        let refused = try await cluster.call("POST", Self.deployments, Self.deployment)
        #expect(refused.status == 422)
        #expect(refused.message.contains("policy 'p' with binding 'p' denied request: "), "\(refused.message)")
        #expect(refused.message.contains(message), "\(refused.message)")
    }

    @Test func failuresCanBeIgnored() async throws {
        let cluster = try await TestServer()
        try await add("p", [Self.configuration("object.spec.missing")], ["failurePolicy": "Ignore"], to: cluster)
        let made = try await cluster.call("POST", Self.deployments, Self.deployment)
        #expect(made.status == 201)
    }

    @Test func reinvokedPoliciesSeeLaterChanges() async throws {
        let cluster = try await TestServer()
        let copy =
            "Object{metadata: Object.metadata{annotations: {'replicas': string(object.spec.replicas)}}}"
        try await add("a", [Self.configuration(copy)], ["reinvocationPolicy": "IfNeeded"], to: cluster)
        try await add("b", [Self.configuration("Object{spec: Object.spec{replicas: 7}}")], to: cluster)
        let made = try await cluster.call("POST", Self.deployments, Self.deployment)
        #expect(made.json["metadata"]["annotations"]["replicas"] == "7", "\(made.message)")
    }

    @Test func conditionsAndVariables() async throws {
        let cluster = try await TestServer()
        try await add(
            "p", [Self.configuration("Object{spec: Object.spec{replicas: variables.wanted}}")],
            [
                "variables": [["name": "wanted", "expression": "4"]],
                "matchConditions": [["name": "few", "expression": "object.spec.replicas < 2"]],
            ], to: cluster)
        var few = Self.deployment
        few["spec"]["replicas"] = 1
        #expect(try await cluster.call("POST", Self.deployments, few).json["spec"]["replicas"] == 4)
        var many = Self.deployment
        many["metadata"]["name"] = "e"
        #expect(try await cluster.call("POST", Self.deployments, many).json["spec"]["replicas"] == 2)
    }

    @Test(arguments: [
        (#"{"mutations": []}"#, "spec.mutations: Required value"),
        (
            #"{"mutations": [{"patchType": "Merge"}]}"#,
            #"spec.mutations[0].patchType: Unsupported value: "Merge": supported values: "ApplyConfiguration", "JSONPatch""#
        ),
        (#"{"mutations": [{"patchType": "JSONPatch"}]}"#, "spec.mutations[0].jsonPatch: Required value"),
        (
            #"{"mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": "Object{}"}}]}"#,
            "must evaluate to list(JSONPatch)"
        ),
        (
            #"{"mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": "[JSONPatch{}]"}}]}"#,
            "must evaluate to Object"
        ),
        (
            #"{"reinvocationPolicy": "Always"}"#,
            #"spec.reinvocationPolicy: Unsupported value: "Always": supported values: "IfNeeded", "Never""#
        ),
    ])
    func badPolicies(spec: String, message: String) async throws {
        let cluster = try await TestServer()
        var json = try JSONParser.parse(Array(spec.utf8))
        if json["reinvocationPolicy"].isNull { json["reinvocationPolicy"] = "Never" }
        if json["mutations"].isNull { json["mutations"] = [Self.configuration("Object{}")] }
        let answer = try await cluster.call("POST", Self.policies, ["metadata": ["name": "p"], "spec": json])
        #expect(answer.status == 422)
        #expect(answer.message.contains(message), "\(answer.message)")
    }
}
