// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

/// What is said about wrong objects of networking.k8s.io/v1 and resource.k8s.io/v1: `FIELD: MESSAGE`.
@Suite struct NetworkingValidationTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let kind: String
        /// Spec, or the whole object when it has metadata.
        let json: String
        let old: String?
        let expected: [String]
        var testDescription: String { "\(kind) \(json.prefix(100))" }

        init(_ kind: String, _ json: String, old: String? = nil, _ expected: String...) {
            self.kind = kind
            self.json = json
            self.old = old
            self.expected = expected
        }
    }

    private static let devices: Set = ["DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice"]

    private func object(_ text: String, _ kind: GroupVersionKind) throws -> JSONValue {
        var json = try JSONParser.parse(text)
        if json["metadata"].isNull {
            json = ["metadata": ["name": kind.kind == "IPAddress" ? "10.0.0.1" : "x"], "spec": json]
        }
        let type = try #require(Schema.builtIn.type(kind))
        let report = ObjectValidation.check(json, type: type)
        #expect(report.typeErrors == [] && report.unknownFields == [])
        var object = report.object
        Defaults.apply(&object, kind)
        return object
    }

    private func check(_ example: Case) throws {
        let group = Self.devices.contains(example.kind) ? "resource.k8s.io" : "networking.k8s.io"
        let kind = GroupVersionKind(group: group, version: "v1", kind: example.kind)
        let causes = ObjectValidation.semantic(
            try object(example.json, kind), kind, old: try example.old.map { try object($0, kind) })
        #expect(causes.map { "\($0.field): \($0.message)" } == example.expected)
    }

    private static let wildcard =
        #"a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#

    private static func path(_ text: String, type: String = "\"Prefix\"", backend: String? = nil) -> String {
        #"{"rules":[{"http":{"paths":[{"path":"\#(text)","pathType":\#(type),"backend":\#(backend ?? #"{"service":{"name":"s","port":{"number":80}}}"#)}]}}]}"#
    }

    @Test(arguments: [
        Case("Ingress", #"{"defaultBackend":{"service":{"name":"s","port":{"name":"http"}}}}"#),
        Case(
            "Ingress", "{}", "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"),
        Case(
            "Ingress",
            #"{"rules":[{"host":"1.2.3.4"},{"host":"*.ok.example"},{"host":"a.*.b"},{"http":{"paths":[]}}]}"#,
            "spec.rules[0].host: Invalid value: \"1.2.3.4\": must be a DNS name, not an IP address",
            "spec.rules[2].host: Invalid value: \"a.*.b\": \(wildcard)",
            "spec.rules[3].http.paths: Required value"),
        Case("Ingress", path("/a")),
        Case(
            "Ingress", path("a"),
            "spec.rules[0].http.paths[0].path: Invalid value: \"a\": must be an absolute path"),
        Case(
            "Ingress", path("/a//b/.."),
            "spec.rules[0].http.paths[0].path: Invalid value: \"/a//b/..\": must not contain '//'",
            "spec.rules[0].http.paths[0].path: Invalid value: \"/a//b/..\": cannot end with '/..'"),
        Case(
            "Ingress", path("/a", type: "null"),
            "spec.rules[0].http.paths[0].pathType: Required value: pathType must be specified"),
        Case(
            "Ingress", path("/a", type: "\"Regex\""),
            "spec.rules[0].http.paths[0].pathType: Unsupported value: \"Regex\": supported values: \"Exact\", \"ImplementationSpecific\", \"Prefix\""
        ),
        Case(
            "Ingress", path("/a", backend: "{}"),
            "spec.rules[0].http.paths[0].backend: Invalid value: \"\": resource or service backend is required"),
        Case(
            "Ingress",
            #"{"defaultBackend":{"service":{"name":"","port":{"number":70000}},"resource":{"kind":"K","name":"n"}}}"#,
            "spec.defaultBackend: Invalid value: \"\": cannot set both resource and service backends"),
        Case(
            "Ingress", #"{"defaultBackend":{"service":{"name":"","port":{"number":70000}}}}"#,
            "spec.defaultBackend.service.name: Required value",
            "spec.defaultBackend.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive"),
        Case(
            "Ingress", #"{"defaultBackend":{"service":{"name":"s","port":{"number":1,"name":"a"}}}}"#,
            "spec.defaultBackend: Invalid value: \"\": cannot set both port name & port number"),
        Case(
            "Ingress", #"{"defaultBackend":{"service":{"name":"s"}}}"#,
            "spec.defaultBackend: Required value: port name or number is required"),
        Case(
            "Ingress", #"{"defaultBackend":{"resource":{"kind":"","name":""}}}"#,
            "spec.defaultBackend.resource.kind: Required value: kind is required",
            "spec.defaultBackend.resource.name: Required value: name is required"),
        Case(
            "IngressClass", #"{"controller":""}"#, "spec.controller: Required value"),
        Case(
            "IngressClass", #"{"controller":"plain"}"#,
            "spec.controller: Invalid value: \"plain\": must be a domain-prefixed path (such as \"acme.io/foo\")"),
        Case(
            "IngressClass", #"{"controller":"a.io/c","parameters":{"kind":"K","name":"n","namespace":"x"}}"#,
            "spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"),
        Case(
            "IngressClass", #"{"controller":"a.io/c","parameters":{"kind":"","name":"n","scope":"Namespace"}}"#,
            "spec.parameters.kind: Required value: kind is required",
            "spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"),
        Case(
            "IngressClass", #"{"controller":"a.io/c"}"#, old: #"{"controller":"a.io/b"}"#,
            "spec.controller: Invalid value: \"a.io/c\": field is immutable"),
    ])
    func ingress(example: Case) throws { try check(example) }

    @Test(arguments: [
        Case("NetworkPolicy", #"{"podSelector":{},"ingress":[{"from":[{"podSelector":{}}]}]}"#),
        Case(
            "NetworkPolicy",
            #"{"podSelector":{},"ingress":[{"from":[{},{"podSelector":{},"ipBlock":{"cidr":"10.0.0.0/8"}}]}]}"#,
            "spec.ingress[0].from[0]: Required value: must specify a peer",
            "spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer"),
        Case(
            "NetworkPolicy",
            #"{"podSelector":{},"egress":[{"to":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16","11.0.0.0/8","10.0.0.0/8","x"]}},{"ipBlock":{"cidr":"1.2.3.4"}},{"ipBlock":{"cidr":""}}]}]}"#,
            "spec.egress[0].to[0].ipBlock.except[1]: Invalid value: \"11.0.0.0/8\": must be a strict subset of `cidr`",
            "spec.egress[0].to[0].ipBlock.except[2]: Invalid value: \"10.0.0.0/8\": must be a strict subset of `cidr`",
            "spec.egress[0].to[0].ipBlock.except[3]: Invalid value: \"x\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
            "spec.egress[0].to[1].ipBlock.cidr: Invalid value: \"1.2.3.4\": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
            "spec.egress[0].to[2].ipBlock.cidr: Required value"),
        Case(
            "NetworkPolicy",
            #"{"podSelector":{},"ingress":[{"ports":[{"protocol":"ICMP"},{"port":0},{"port":"http","endPort":9},{"endPort":9},{"port":80,"endPort":79}]}]}"#,
            "spec.ingress[0].ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"TCP\", \"UDP\", \"SCTP\"",
            "spec.ingress[0].ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive",
            "spec.ingress[0].ports[2].endPort: Invalid value: 9: may not be specified when `port` is non-numeric",
            "spec.ingress[0].ports[3].endPort: Invalid value: 9: may not be specified when `port` is not specified",
            "spec.ingress[0].ports[4].endPort: Invalid value: 79: must be greater than or equal to `port`"),
        Case(
            "NetworkPolicy", #"{"podSelector":{},"policyTypes":["Ingress","Both"]}"#,
            "spec.policyTypes[1]: Unsupported value: \"Both\": supported values: \"Egress\", \"Ingress\""),
        Case("IPAddress", #"{"parentRef":{"resource":"services","name":"s","namespace":"n"}}"#),
        Case("IPAddress", "{}", "spec.parentRef: Required value"),
        Case(
            "IPAddress", #"{"parentRef":{"group":"x"}}"#, "spec.parentRef.resource: Required value",
            "spec.parentRef.name: Required value"),
        Case(
            "IPAddress", #"{"metadata":{"name":"2001:DB8::1"},"spec":{"parentRef":{"resource":"s","name":"n"}}}"#,
            "metadata.name: Invalid value: \"2001:DB8::1\": must be in canonical form (\"2001:db8::1\")"),
        Case(
            "IPAddress", #"{"parentRef":{"resource":"services","name":"s"}}"#,
            old: #"{"parentRef":{"resource":"services","name":"t"}}"#,
            "spec.parentRef: Invalid value: {\"name\":\"s\",\"resource\":\"services\"}: field is immutable"),
        Case("ServiceCIDR", #"{"cidrs":["10.0.0.0/8","2001:db8::/64"]}"#),
        Case("ServiceCIDR", "{}", "spec.cidrs: Required value: at least one CIDR required"),
        Case(
            "ServiceCIDR", #"{"cidrs":["10.0.0.1/8","10.1.0.0/16"]}"#,
            "spec.cidrs: Invalid value: [\"10.0.0.1/8\",\"10.1.0.0/16\"]: may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/96",
            "spec.cidrs[0]: Invalid value: \"10.0.0.1/8\": must be in canonical form (\"10.0.0.0/8\")"),
        Case(
            "ServiceCIDR", #"{"cidrs":["10.0.0.0/8"]}"#, old: #"{"cidrs":["11.0.0.0/8"]}"#,
            "spec.cidrs: Invalid value: [\"10.0.0.0/8\"]: field is immutable"),
    ])
    func policiesAndAddresses(example: Case) throws { try check(example) }

    private static func claim(_ request: String, _ more: String = "") -> String {
        #"{"devices":{"requests":[\#(request)]\#(more)}}"#
    }

    @Test(arguments: [
        Case("DeviceClass", "{}"),
        Case(
            "DeviceClass", #"{"selectors":[{},{"cel":{"expression":""}}],"config":[{},{"opaque":{"driver":"D"}}]}"#,
            "spec.selectors[0].cel: Required value", "spec.selectors[1].cel.expression: Required value",
            "spec.config[0]: Required value: exactly one of the following fields is required: `opaque`",
            "spec.config[1].opaque.driver: Invalid value: \"D\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
            "spec.config[1].opaque.parameters: Required value"),
        Case("ResourceClaim", claim(#"{"name":"r","exactly":{"deviceClassName":"c"}}"#)),
        Case(
            "ResourceClaim", claim(#"{"name":"r"}"#),
            "spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required"),
        Case(
            "ResourceClaim", claim(#"{"name":"","exactly":{"deviceClassName":"","allocationMode":"All","count":2}}"#),
            "spec.devices.requests[0].name: Required value",
            "spec.devices.requests[0].exactly.deviceClassName: Required value",
            "spec.devices.requests[0].exactly.count: Invalid value: 2: must not be specified when allocationMode is 'All'"
        ),
        Case(
            "ResourceClaim",
            claim(#"{"name":"r","exactly":{"deviceClassName":"c","allocationMode":"Some"},"firstAvailable":[]}"#),
            "spec.devices.requests[0].exactly.allocationMode: Unsupported value: \"Some\": supported values: \"All\", \"ExactCount\""
        ),
        Case(
            "ResourceClaim",
            claim(
                #"{"name":"r","firstAvailable":[{"name":"a","deviceClassName":"c","count":-1}]},{"name":"r","exactly":{"deviceClassName":"c"}}"#,
                #","constraints":[{"requests":["r/a","x"],"matchAttribute":"plain"}]"#),
            "spec.devices.requests[0].firstAvailable[0].count: Invalid value: -1: must be greater than zero",
            "spec.devices.requests[1]: Duplicate value: \"r\"",
            "spec.devices.constraints[0].requests[1]: Invalid value: \"x\": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
            "spec.devices.constraints[0].matchAttribute: Invalid value: \"plain\": must include a domain"),
        Case(
            "ResourceClaimTemplate", #"{"spec":{"devices":{"requests":[{"name":"r"}]}}}"#,
            "spec.spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required"),
        Case(
            "ResourceSlice",
            #"{"driver":"d.example","pool":{"name":"p","generation":1,"resourceSliceCount":1},"nodeName":"n","devices":[{"name":"a","attributes":{"x":{"int":1}}}]}"#
        ),
        Case(
            "ResourceSlice", #"{"driver":"","pool":{"name":"","generation":-1,"resourceSliceCount":0}}"#,
            "spec.driver: Required value", "spec.pool.name: Required value",
            "spec.pool.resourceSliceCount: Invalid value: 0: must be greater than zero",
            "spec.pool.generation: Invalid value: -1: must be greater than or equal to zero",
            "spec: Required value: exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
        ),
        Case(
            "ResourceSlice",
            #"{"driver":"d","pool":{"name":"p","generation":1,"resourceSliceCount":1},"nodeName":"n","allNodes":true,"devices":[{"name":"a"},{"name":"a","attributes":{"x":{},"y":{"int":1,"bool":true}}}]}"#,
            "spec: Invalid value: \"{`nodeName`, `allNodes`}\": exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required, but multiple fields are set",
            "spec.devices[1]: Duplicate value: \"a\"",
            "spec.devices[1].attributes[x]: Required value: exactly one value must be specified",
            "spec.devices[1].attributes[y]: Invalid value: {\"bool\":true,\"int\":1}: exactly one value must be specified"
        ),
        Case(
            "ResourceSlice",
            #"{"driver":"d","pool":{"name":"p","generation":2,"resourceSliceCount":1},"nodeName":"m"}"#,
            old: #"{"driver":"e","pool":{"name":"p","generation":1,"resourceSliceCount":1},"nodeName":"n"}"#,
            "spec.driver: Invalid value: \"d\": field is immutable",
            "spec.nodeName: Invalid value: \"m\": field is immutable"),
    ])
    func devices(example: Case) throws { try check(example) }

    @Test func defaults() throws {
        let claim = GroupVersionKind(group: "resource.k8s.io", version: "v1", kind: "ResourceClaim")
        let request = try object(Self.claim(#"{"name":"r","exactly":{"deviceClassName":"c"}}"#), claim)
        let exactly = request["spec"]["devices"]["requests"].elements.first?["exactly"] ?? .null
        #expect(exactly["allocationMode"] == "ExactCount" && exactly["count"] == 1)
        let ingressClass = GroupVersionKind(group: "networking.k8s.io", version: "v1", kind: "IngressClass")
        let scoped = try object(#"{"controller":"a.io/c","parameters":{"kind":"K","name":"n"}}"#, ingressClass)
        #expect(scoped["spec"]["parameters"]["scope"] == "Cluster")
    }
}
