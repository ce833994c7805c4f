// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@Suite struct ObjectValidationTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let kind: GroupVersionKind
        let json: String
        let expected: [String]
        var testDescription: String { "\(kind.kind) \(json.prefix(120))" }

        init(_ kind: String, _ json: String, _ expected: [String]) {
            let apiVersions = [
                "Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "ReplicaSet": "apps/v1",
                "Job": "batch/v1", "CronJob": "batch/v1", "EndpointSlice": "discovery.k8s.io/v1",
                "Lease": "coordination.k8s.io/v1", "Role": "rbac.authorization.k8s.io/v1",
                "RoleBinding": "rbac.authorization.k8s.io/v1", "PodDisruptionBudget": "policy/v1",
            ]
            self.kind = GroupVersionKind(apiVersion: apiVersions[kind] ?? "v1", kind: kind)
            self.json = json
            self.expected = expected
        }
    }

    @Test(arguments: [
        Case(
            "Pod", #"{"spec":{"containers":[{"nmae":"x"}],"foo":1},"bar":{}}"#,
            [#"unknown field "bar""#, #"unknown field "spec.containers[0].nmae""#, #"unknown field "spec.foo""#]),
        Case("Deployment", #"{"spec":{"template":{"foo":null}}}"#, [#"unknown field "spec.template.foo""#]),
        Case("ConfigMap", #"{"data":{"any.key":"x"},"metadata":{"labels":{"any":"y"}}}"#, []),
        Case(
            "Pod", #"{"spec":{"volumes":[{"name":"v","emptyDir":{"medium":"Memory","x":1}}]}}"#,
            [#"unknown field "spec.volumes[0].emptyDir.x""#]),
    ])
    func unknownFields(example: Case) throws {
        let type = try #require(Schema.builtIn.type(example.kind))
        let report = ObjectValidation.check(try JSONParser.parse(example.json), type: type)
        #expect(report.unknownFields.sorted() == example.expected)
        #expect(report.typeErrors.isEmpty)
        // What is pruned is known, and pruning again changes nothing.
        let again = ObjectValidation.check(report.object, type: type)
        #expect(again.unknownFields.isEmpty)
        #expect(again.object == report.object)
    }

    @Test(arguments: [
        Case(
            "Deployment", #"{"spec":{"replicas":"three"}}"#,
            ["json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"]),
        Case(
            "Deployment", #"{"spec":{"replicas":3.5}}"#,
            ["json: cannot unmarshal number 3.5 into Go struct field DeploymentSpec.spec.replicas of type int32"]),
        Case(
            "Deployment", #"{"spec":{"replicas":4294967296}}"#,
            ["json: cannot unmarshal number 4294967296 into Go struct field DeploymentSpec.spec.replicas of type int32"]
        ),
        Case(
            "Pod", #"{"spec":{"containers":{"name":"x"}}}"#,
            ["json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container"]),
        Case(
            "Pod", #"{"spec":{"containers":[{"name":7}]}}"#,
            ["json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string"]),
        Case(
            "Pod", #"{"spec":"x"}"#, ["json: cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec"]),
        Case(
            "Pod", #"{"spec":{"hostNetwork":"yes"}}"#,
            ["json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool"]),
        Case("Pod", "[]", ["json: cannot unmarshal array into Go value of type v1.Pod"]),
        Case(
            "ConfigMap", #"{"data":{"k":1}}"#,
            ["json: cannot unmarshal number into Go struct field ConfigMap.data of type string"]),
        Case("Secret", #"{"data":{"k":"@@"}}"#, ["illegal base64 data at input byte 0"]),
        Case("Secret", #"{"data":{"k":"YWJj"}}"#, []),
        Case("Secret", #"{"data":{"k":"YWJjZ"}}"#, ["illegal base64 data at input byte 5"]),
        Case(
            "Pod", #"{"spec":{"containers":[{"name":"x","resources":{"limits":{"cpu":"lots"}}}]}}"#,
            ["quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"]),
        Case(
            "Service", #"{"spec":{"ports":[{"port":80,"targetPort":true}]}}"#,
            ["json: cannot unmarshal bool into Go value of type int32"]),
        Case(
            "Lease", #"{"spec":{"renewTime":"soon"}}"#,
            [#"parsing time "soon" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "soon" as "2006""#]),
    ])
    func typeErrors(example: Case) throws {
        let type = try #require(Schema.builtIn.type(example.kind))
        let report = ObjectValidation.check(try JSONParser.parse(example.json), type: type)
        #expect(report.typeErrors == example.expected)
    }

    @Test func prunesAsUpstreamWritesObjectsAgain() throws {
        let type = try #require(Schema.builtIn.type(group: "apps", version: "v1", kind: "Deployment"))
        let object = try JSONParser.parse(
            """
            {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web","creationTimestamp":null,"labels":{}},
             "spec":{"replicas":0,"paused":false,"junk":1,"template":{"spec":{"containers":[{"image":"i","stdin":false,
             "env":[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"cpu"}}}],"securityContext":{},
             "resources":{"limits":{"cpu":0.5,"memory":"1024Mi"}}}],"nodeName":"","hostname":null}}}}
            """)
        let expected = try JSONParser.parse(
            """
            {"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"status":{},
             "spec":{"replicas":0,"strategy":{},"template":{"metadata":{},"spec":{"containers":[{"name":"","image":"i",
             "env":[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"cpu","divisor":"0"}}}],
             "securityContext":{},"resources":{"limits":{"cpu":"500m","memory":"1Gi"}}}]}}}}
            """)
        #expect(ObjectValidation.check(object, type: type).object == expected)
    }

    @Test(arguments: [
        ("0.5", "500m"), ("1000m", "1"), ("1024Mi", "1Gi"), ("1500", "1500"), ("1000", "1k"), ("1e3", "1e3"),
        ("1.5Gi", "1536Mi"), ("0", "0"), ("0.1Gi", "107374182400m"), ("-1", "-1"), ("100000Ki", "100000Ki"),
        ("512", "512"), ("1Ki", "1Ki"), ("0.5Ki", "512"), ("12E", "9223372036854775807"), ("1n", "1n"),
        ("0.0000000001", "1n"), ("+5", "5"), ("2E2", "200"), ("1.", "1"), (".5", "500m"),
    ])
    func quantitiesAreCanonical(text: String, canonical: String) throws {
        let type = try #require(Schema.builtIn.type(group: "", version: "v1", kind: "ResourceQuota"))
        let report = ObjectValidation.check(["spec": ["hard": ["pods": .string(text)]]], type: type)
        #expect(report.typeErrors.isEmpty)
        #expect(report.object["spec"]["hard"]["pods"].string == canonical)
    }

    @Test(arguments: ["", ".", "1.2.3", "1 Gi", "1gi", "abc", "1e", "--1", "1e1.5", "Mi"])
    func otherTextsAreNoQuantities(text: String) throws {
        let type = try #require(Schema.builtIn.type(group: "", version: "v1", kind: "ResourceQuota"))
        let report = ObjectValidation.check(["spec": ["hard": ["pods": .string(text)]]], type: type)
        #expect(report.typeErrors.count == 1)
    }

    @Test(arguments: [[], [0], [0, 1], [255, 254, 253], [1, 2, 3, 4], Array(0...255)] as [[UInt8]])
    func base64RoundTrips(bytes: [UInt8]) throws {
        #expect(try Base64.decode(Base64.encode(bytes)).get() == bytes)
    }

    @Test func everyKindAcceptsItsOwnFullObject() throws {
        for (kind, _) in Schema.builtIn.kinds where !kind.kind.hasSuffix("List") {
            let object = try #require(FullObject.make(kind))
            let type = try #require(Schema.builtIn.type(kind))
            let report = ObjectValidation.check(object, type: type)
            #expect(report.unknownFields.isEmpty && report.typeErrors.isEmpty, "\(kind.kind)")
        }
    }
}
