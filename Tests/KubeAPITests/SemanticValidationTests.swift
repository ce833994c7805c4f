// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

/// Objects that are wrong, and what is said about them: `FIELD: MESSAGE`.
@Suite struct SemanticValidationTests {
    typealias Case = ObjectValidationTests.Case

    private func completed(_ json: JSONValue, _ kind: GroupVersionKind) throws -> JSONValue {
        let type = try #require(Schema.builtIn.type(kind))
        var object = ObjectValidation.check(json, type: type).object
        Defaults.apply(&object, kind)
        return object
    }

    private func check(_ example: Case) throws {
        var json = try JSONParser.parse(example.json)
        if json["metadata"].isNull { json["metadata"] = ["name": "x"] }
        let causes = ObjectValidation.semantic(try completed(json, example.kind), example.kind)
        #expect(causes.map { "\($0.field): \($0.message)" } == example.expected)
    }

    @Test(arguments: [
        Case("ConfigMap", #"{"metadata":{}}"#, ["metadata.name: Required value: name or generateName is required"]),
        Case("ConfigMap", #"{"metadata":{"generateName":"x-"}}"#, []),
        Case(
            "ConfigMap", #"{"metadata":{"name":"Big_Name"}}"#,
            [
                #"metadata.name: Invalid value: "Big_Name": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#
            ]),
        Case(
            "Namespace", #"{"metadata":{"name":"a.b"}}"#,
            [
                "metadata.name: Invalid value: \"a.b\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            ]),
        Case(
            "ConfigMap", #"{"metadata":{"name":"x","labels":{"a b":"c","k":"v v"}}}"#,
            [
                "metadata.labels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
                "metadata.labels: Invalid value: \"v v\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
            ]),
        Case(
            "ConfigMap", #"{"data":{"bad key":"x"}}"#,
            [
                "data[bad key]: Invalid value: \"bad key\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
            ]),
        Case("Secret", #"{"type":"kubernetes.io/tls","data":{"tls.crt":"eA=="}}"#, ["data[tls.key]: Required value"]),
    ])
    func metadataAndData(example: Case) throws { try check(example) }

    @Test func largeObjects() throws {
        let big = JSONValue.string(String(repeating: "x", count: 1_048_577))
        let map: JSONValue = ["metadata": ["name": "x"], "data": ["k": big]]
        let causes = ObjectValidation.semantic(map, Case("ConfigMap", "", []).kind)
        #expect(causes.map(\.message) == ["Too long: may not be more than 1048576 bytes"])
        let noted: JSONValue = ["metadata": ["name": "x", "annotations": ["k": big]]]
        let noteCauses = ObjectValidation.semantic(noted, Case("ConfigMap", "", []).kind)
        #expect(noteCauses.map(\.field) == ["metadata.annotations"])
        #expect(noteCauses.map(\.reason) == ["FieldValueTooLong"])
    }

    @Test(arguments: [
        Case("Pod", #"{"spec":{"containers":[{"name":"c","image":"i"}]}}"#, []),
        Case("Pod", #"{"spec":{"containers":[]}}"#, ["spec.containers: Required value"]),
        Case(
            "Pod", #"{"spec":{"containers":[{"image":""}]}}"#,
            [
                "spec.containers[0].name: Required value", "spec.containers[0].image: Required value",
            ]),
        Case(
            "Pod", #"{"spec":{"containers":[{"name":"c","image":"i"},{"name":"c","image":"i"}]}}"#,
            [
                "spec.containers[1].name: Duplicate value: \"c\""
            ]),
        Case(
            "Pod", #"{"spec":{"restartPolicy":"Sometimes","containers":[{"name":"c","image":"i"}]}}"#,
            [
                #"spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never""#
            ]),
        Case(
            "Pod",
            #"{"spec":{"containers":[{"name":"c","image":"i","ports":[{"containerPort":70000},{"name":"WEB","containerPort":0}]}]}}"#,
            [
                "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
                "spec.containers[0].ports[1].name: Invalid value: \"WEB\": must contain only alphanumeric characters (a-z, 0-9), and hyphens (-)",
                "spec.containers[0].ports[1].name: Invalid value: \"WEB\": must contain at least one letter (a-z)",
                "spec.containers[0].ports[1].containerPort: Required value",
            ]),
        Case(
            "Pod", #"{"spec":{"containers":[{"name":"c","image":"i","env":[{"name":"A=B"},{"name":""}]}]}}"#,
            [
                "spec.containers[0].env[0].name: Invalid value: \"A=B\": a valid environment variable name must consist only of printable ASCII characters other than '='",
                "spec.containers[0].env[1].name: Required value",
            ]),
        Case(
            "Pod",
            #"{"spec":{"containers":[{"name":"c","image":"i","resources":{"limits":{"cpu":"1"},"requests":{"cpu":"2"}}}]}}"#,
            [
                "spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"
            ]),
        Case(
            "Pod",
            #"{"spec":{"containers":[{"name":"c","image":"i","livenessProbe":{}},{"name":"d","image":"i","readinessProbe":{"exec":{"command":["x"]},"tcpSocket":{"port":80}}}]}}"#,
            [
                "spec.containers[0].livenessProbe: Required value: must specify a handler type",
                "spec.containers[1].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
            ]),
        Case(
            "Pod",
            #"{"spec":{"containers":[{"name":"c","image":"i","volumeMounts":[{"name":"v","mountPath":"/x"},{"name":"w","mountPath":"/x"}]}],"volumes":[{"name":"w","emptyDir":{},"hostPath":{"path":"/"}}]}}"#,
            [
                "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
                "spec.containers[0].volumeMounts[0].name: Not found: \"v\"",
                "spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/x\": must be unique",
            ]),
        Case(
            "Pod",
            #"{"spec":{"initContainers":[{"name":"a","image":"i","readinessProbe":{"tcpSocket":{"port":1}}}],"containers":[{"name":"c","image":"i"}]}}"#,
            [
                "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always"
            ]),
    ])
    func pods(example: Case) throws { try check(example) }

    @Test(arguments: [
        Case(
            "Deployment",
            #"{"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#,
            []),
        Case(
            "Deployment", #"{"spec":{"replicas":-1,"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#,
            [
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0", "spec.selector: Required value",
            ]),
        Case(
            "Deployment",
            #"{"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"c"}},"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}}"#,
            [
                "spec.template.metadata.labels: Invalid value: {\"a\":\"c\"}: `selector` does not match template `labels`",
                "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"",
            ]),
        Case(
            "Deployment",
            #"{"spec":{"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":"0%"}},"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#,
            [
                "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"0%\": may not be 0 when `maxSurge` is 0"
            ]),
        Case(
            "Job", #"{"spec":{"backoffLimit":-1,"template":{"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#,
            [
                "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0",
                "spec.template.spec.restartPolicy: Unsupported value: \"Always\": supported values: \"OnFailure\", \"Never\"",
            ]),
        Case(
            "CronJob",
            #"{"spec":{"schedule":"* *","jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}}}}"#,
            [
                "spec.schedule: Invalid value: \"* *\": expected exactly 5 fields, found 2: [* *]"
            ]),
        Case("Service", #"{"spec":{}}"#, ["spec.ports: Required value"]),
        Case(
            "Service",
            #"{"spec":{"ports":[{"port":80},{"port":0,"name":"a"},{"port":80,"name":"a","nodePort":30000}]}}"#,
            [
                "spec.ports[0].name: Required value",
                "spec.ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[1].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive",
                "spec.ports[2].name: Duplicate value: \"a\"",
                "spec.ports[2]: Duplicate value: {\"port\":80,\"protocol\":\"TCP\"}",
                "spec.ports[2].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
            ]),
        Case(
            "PersistentVolumeClaim", #"{"spec":{}}"#,
            [
                "spec.accessModes: Required value: at least 1 access mode is required",
                "spec.resources[storage]: Required value",
            ]),
        Case(
            "PersistentVolume", #"{"spec":{}}"#,
            [
                "spec.accessModes: Required value", "spec.capacity: Required value",
                "spec: Required value: must specify a volume type",
            ]),
        Case(
            "EndpointSlice", #"{"endpoints":[{}]}"#,
            [
                "addressType: Required value",
                "endpoints[0].addresses: Required value: must contain at least 1 address",
            ]),
        Case(
            "Lease", #"{"spec":{"leaseDurationSeconds":0}}"#,
            [
                "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"
            ]),
        Case(
            "Role", #"{"rules":[{"apiGroups":[""],"resources":["pods"]}]}"#,
            [
                "rules[0].verbs: Required value: verbs must contain at least one value"
            ]),
        Case(
            "PodDisruptionBudget", #"{"spec":{"minAvailable":1,"maxUnavailable":"x"}}"#,
            [
                "spec.maxUnavailable: Invalid value: \"x\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
                "spec: Invalid value: {\"maxUnavailable\":\"x\",\"minAvailable\":1}: minAvailable and maxUnavailable cannot be both set",
            ]),
    ])
    func otherKinds(example: Case) throws { try check(example) }

    @Test func reviewsNeedNoName() {
        let kind = GroupVersionKind(apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview")
        #expect(ObjectValidation.semantic(["metadata": [:], "spec": [:]], kind).isEmpty)
    }

    struct Update: Sendable, CustomTestStringConvertible {
        let kind: GroupVersionKind
        let old: String
        let patch: String
        let fields: [String]
        var testDescription: String { "\(kind.kind) \(patch)" }

        init(_ kind: String, _ old: String, _ patch: String, _ fields: [String]) {
            self.kind = Case(kind, "", []).kind
            self.old = old
            self.patch = patch
            self.fields = fields
        }
    }

    private static let podText = #"{"spec":{"containers":[{"name":"c","image":"i"}]}}"#
    private static let deploymentText = """
        {"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b","c":"d"}},
        "spec":{"restartPolicy":"Always","containers":[{"name":"c","image":"i"}]}}}}
        """
    private static let jobText =
        #"{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}}"#

    @Test(arguments: [
        Update("Pod", podText, #"{"spec":{"containers":[{"name":"c","image":"j"}]}}"#, []),
        Update("Pod", podText, #"{"spec":{"tolerations":[{"operator":"Exists"}],"activeDeadlineSeconds":5}}"#, []),
        Update("Pod", podText, #"{"spec":{"containers":[{"name":"c","image":"j","command":["x"]}]}}"#, ["spec"]),
        Update("Pod", podText, #"{"spec":{"hostNetwork":true}}"#, ["spec"]),
        Update("Pod", podText, #"{"metadata":{"name":"y"}}"#, ["metadata.name"]),
        Update("Deployment", deploymentText, #"{"spec":{"replicas":5}}"#, []),
        Update("Deployment", deploymentText, #"{"spec":{"selector":{"matchLabels":{"c":"d"}}}}"#, ["spec.selector"]),
        Update("StatefulSet", deploymentText, #"{"spec":{"serviceName":"x"}}"#, ["spec"]),
        Update("StatefulSet", deploymentText, #"{"spec":{"replicas":2}}"#, []),
        Update("Job", jobText, #"{"spec":{"parallelism":3}}"#, []),
        Update("Job", jobText, #"{"spec":{"completions":3}}"#, ["spec.completions"]),
        Update("Job", jobText, #"{"spec":{"template":{"spec":{"hostname":"x"}}}}"#, ["spec.template"]),
        Update(
            "Service", #"{"spec":{"clusterIP":"10.0.0.1","ports":[{"port":1}]}}"#,
            #"{"spec":{"clusterIP":"10.0.0.2"}}"#, ["spec.clusterIPs[0]"]),
        Update("Secret", #"{"type":"a"}"#, #"{"type":"b"}"#, ["type"]),
        Update("ConfigMap", #"{"immutable":true,"data":{"a":"b"}}"#, #"{"data":{"a":"c"}}"#, ["data"]),
        Update("RoleBinding", #"{"roleRef":{"kind":"Role","name":"a"}}"#, #"{"roleRef":{"name":"b"}}"#, ["roleRef"]),
    ])
    func updates(example: Update) throws {
        var json = try JSONParser.parse(example.old)
        json["metadata"] = ["name": "x"]
        let old = try completed(json, example.kind)
        let new = MergePatch.apply(try JSONParser.parse(example.patch), to: old)
        let causes = ObjectValidation.semantic(try completed(new, example.kind), example.kind, old: old)
        #expect(causes.map(\.field) == example.fields, "\(causes.map(\.message))")
    }
}
