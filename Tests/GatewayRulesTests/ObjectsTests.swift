// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@testable import GatewayRules

/// Gateway API objects to a snapshot and to statuses.
@Suite struct ObjectsTests {
    // MARK: Objects

    static func gateway(
        _ listeners: [JSONValue] = [["name": "http", "port": 80, "protocol": "HTTP"]], name: String = "gw",
        created: String = "2026-01-01T00:00:00Z", _ spec: JSONValue = [:]
    ) -> KubeObject {
        var object = KubeObject([
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": [
                "name": .string(name), "namespace": "infra", "generation": 3, "creationTimestamp": .string(created),
            ],
        ])
        object.spec = spec
        object.spec["gatewayClassName"] = "apus"
        object.spec["listeners"] = .array(listeners)
        return object
    }

    static func route(
        _ spec: JSONValue, kind: String = "HTTPRoute", name: String = "web", namespace: String = "infra",
        parent: JSONValue = ["name": "gw"], created: String = "2026-01-02T00:00:00Z"
    ) -> KubeObject {
        var object = KubeObject([
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": .string(kind),
            "metadata": [
                "name": .string(name), "namespace": .string(namespace), "generation": 5,
                "creationTimestamp": .string(created),
            ],
        ])
        object.spec = spec
        object.spec["parentRefs"] = [parent]
        return object
    }

    static func service(
        _ name: String = "web", namespace: String = "infra", ports: [JSONValue] = [["port": 80, "name": "http"]],
        annotations: [String: String] = [:]
    ) -> KubeObject {
        var object = KubeObject(.services, namespace: namespace, name: name)
        object.spec["ports"] = .array(ports)
        object.annotations = annotations
        return object
    }

    static func slice(_ service: String = "web", _ endpoints: [JSONValue], port: String = "http") -> KubeObject {
        var object = KubeObject(.endpointSlices, namespace: "infra", name: "\(service)-\(endpoints.count)")
        object.labels = ["kubernetes.io/service-name": service]
        object["ports"] = [["name": .string(port), "port": 8080]]
        object["endpoints"] = .array(endpoints)
        return object
    }

    static let rule: JSONValue = ["backendRefs": [["name": "web", "port": 80]]]

    static func translate(_ objects: [KubeObject], faults: [Int: PortFault] = [:]) -> GatewayTranslation {
        var translator = GatewayTranslator(now: Timestamp(seconds: 1_800_000_000)) { Array($0.reversed()) }
        translator.address = "127.0.0.1"
        return translator.translate(GatewayObjects(objects), faults: faults)
    }

    static func condition(_ list: JSONValue, _ type: String) -> String {
        let found = list["conditions"].elements.first { $0["type"].string == type } ?? .null
        return "\(found["status"].string ?? "-") \(found["reason"].string ?? "-")"
    }

    static func status(_ translation: GatewayTranslation, _ kind: String) -> JSONValue {
        translation.statuses.first { $0.kind == kind }?.status ?? .null
    }

    // MARK: Tests

    @Test func aRouteReachesItsPods() throws {
        let made = Self.translate([
            Self.gateway(),
            Self.route([
                "hostnames": ["Web.Example.com"],
                "rules": [
                    [
                        "matches": [
                            [
                                "path": ["type": "Exact", "value": "/a"], "method": "GET",
                                "headers": [["name": "X-Kind", "value": "b"]],
                                "queryParams": [["type": "RegularExpression", "name": "q", "value": "[0-9]+"]],
                            ]
                        ],
                        "filters": [
                            [
                                "type": "RequestHeaderModifier",
                                "requestHeaderModifier": ["set": [["name": "A", "value": "1"]], "remove": ["B"]],
                            ],
                            [
                                "type": "RequestMirror",
                                "requestMirror": ["backendRef": ["name": "web", "port": 80], "percent": 5],
                            ],
                        ],
                        "timeouts": ["request": "1m30s", "backendRequest": "0s"],
                        "retry": ["codes": [503], "attempts": 2, "backoff": "10ms"],
                        "sessionPersistence": ["sessionName": "s"],
                        "backendRefs": [["name": "web", "port": 80, "weight": 9]],
                    ]
                ],
            ]), Self.service(),
            Self.slice(
                "web",
                [
                    ["addresses": ["10.0.0.2"], "conditions": ["ready": false]],
                    ["addresses": ["10.0.0.1"]],
                    ["addresses": ["10.0.0.3"], "conditions": ["ready": false, "terminating": true]],
                ]),
        ])
        let listener = try #require(made.snapshot.listeners.first)
        #expect(listener.port == 80 && listener.address == "127.0.0.1" && listener.certificates.isEmpty)
        let rule = try #require(listener.rules.first)
        var match = RequestMatch()
        match.path = .exact("/a")
        match.method = "GET"
        match.headers = ["x-kind": .exact("b")]
        match.query = ["q": .expression("[0-9]+")]
        let upstream = UpstreamID(namespace: "infra", service: "web", port: 80)
        #expect(rule.id == "infra/web/0" && rule.hosts == ["web.example.com"] && rule.matches == [match])
        #expect(
            rule.filters == [
                .requestHeaders(set: ["a": "1"], add: [:], remove: ["b"]), .mirror(upstream, share: 50),
            ])
        #expect(rule.timeout == .seconds(90) && rule.backendTimeout == nil)
        #expect(rule.retry?.codes == [503] && rule.retry?.attempts == 2 && rule.retry?.backoff == .milliseconds(10))
        #expect(rule.sticky == .cookie(name: "s", lifetime: nil))
        #expect(rule.backends == [WeightedBackend(upstream, weight: 9)])
        #expect(
            made.snapshot.upstreams[upstream]?.endpoints == [
                UpstreamEndpoint(address: "10.0.0.1", port: 8080, isReady: true),
                UpstreamEndpoint(address: "10.0.0.2", port: 8080, isReady: false),
            ])
        let gateway = Self.status(made, "Gateway")
        #expect(Self.condition(gateway, "Accepted") == "True Accepted")
        #expect(Self.condition(gateway, "Programmed") == "True Programmed")
        #expect(gateway["addresses"] == [["type": "IPAddress", "value": "127.0.0.1"]])
        #expect(gateway["listeners"][0]["attachedRoutes"].int == 1)
        #expect(gateway["listeners"][0]["supportedKinds"].elements.count == 2)
        let parent = Self.status(made, "HTTPRoute")["parents"][0]
        #expect(Self.condition(parent, "Accepted") == "True Accepted")
        #expect(Self.condition(parent, "ResolvedRefs") == "True ResolvedRefs")
        #expect(parent["conditions"][0]["observedGeneration"].int == 5)
    }

    struct Refused: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var parent: JSONValue = ["name": "gw"]
        var spec: JSONValue
        var namespace = "infra"
        var accepted = "True Accepted"
        var resolved = "True ResolvedRefs"
        /// What the rules' backends are: the number of those that are valid, `-` without a rule.
        var valid = "0"
    }

    static let refused = [
        Refused(
            testDescription: "no such listener", parent: ["name": "gw", "sectionName": "other"],
            spec: ["rules": [rule]], accepted: "False NoMatchingParent", valid: "-"),
        Refused(
            testDescription: "another port", parent: ["name": "gw", "port": 81], spec: ["rules": [rule]],
            accepted: "False NoMatchingParent", valid: "-"),
        Refused(
            testDescription: "a namespace that is not allowed", parent: ["name": "gw", "namespace": "infra"],
            spec: ["rules": [["backendRefs": [["name": "web", "namespace": "infra", "port": 80]]]]], namespace: "other",
            accepted: "False NotAllowedByListeners", resolved: "False RefNotPermitted", valid: "-"),
        Refused(
            testDescription: "another host", parent: ["name": "gw", "sectionName": "hosted"],
            spec: ["hostnames": ["b.org"], "rules": [rule]], accepted: "False NoMatchingListenerHostname", valid: "-"),
        Refused(
            testDescription: "a Service that is not there",
            spec: ["rules": [["backendRefs": [["name": "x", "port": 80]]]]],
            resolved: "False BackendNotFound"),
        Refused(
            testDescription: "a port that is not there",
            spec: ["rules": [["backendRefs": [["name": "web", "port": 1]]]]],
            resolved: "False BackendNotFound"),
        Refused(
            testDescription: "another kind",
            spec: ["rules": [["backendRefs": [["kind": "Bucket", "group": "x.io", "name": "web", "port": 80]]]]],
            resolved: "False InvalidKind"),
        Refused(
            testDescription: "another namespace without a grant",
            spec: ["rules": [["backendRefs": [["name": "web", "namespace": "other", "port": 80]]]]],
            resolved: "False RefNotPermitted"),
        Refused(
            testDescription: "a filter that is not known",
            spec: ["rules": [["filters": [["type": "ExternalAuth"]], "backendRefs": [["name": "web", "port": 80]]]]],
            accepted: "False UnsupportedValue", valid: "-"),
        Refused(
            testDescription: "an expression that is none",
            spec: ["rules": [["matches": [["path": ["type": "RegularExpression", "value": "("]]]]]],
            accepted: "False UnsupportedValue", valid: "-"),
        Refused(
            testDescription: "a time that is none", spec: ["rules": [["timeouts": ["request": "soon"]]]],
            accepted: "False UnsupportedValue", valid: "-"),
    ]

    @Test(arguments: refused) func whatCannotBeUsedIsSaid(_ row: Refused) throws {
        let made = Self.translate([
            Self.gateway([
                ["name": "http", "port": 80, "protocol": "HTTP"],
                ["name": "hosted", "port": 80, "protocol": "HTTP", "hostname": "*.a.org"],
            ]), Self.service(), Self.service("web", namespace: "other"),
            Self.route(row.spec, namespace: row.namespace, parent: row.parent),
        ])
        let parent = Self.status(made, "HTTPRoute")["parents"][0]
        #expect(Self.condition(parent, "Accepted") == row.accepted)
        #expect(Self.condition(parent, "ResolvedRefs") == row.resolved)
        let rules = made.snapshot.listeners.flatMap(\.rules)
        #expect((rules.first.map { "\($0.backends.compactMap(\.upstream).count)" } ?? "-") == row.valid)
    }

    @Test func aGrantOpensAnotherNamespace() {
        var grant = KubeObject([
            "apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
            "metadata": ["name": "g", "namespace": "other"],
        ])
        grant.spec = [
            "from": [["group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "infra"]],
            "to": [["group": "", "kind": "Service", "name": "web"]],
        ]
        let route = Self.route(["rules": [["backendRefs": [["name": "web", "namespace": "other", "port": 80]]]]])
        let made = Self.translate([Self.gateway(), Self.service("web", namespace: "other"), grant, route])
        #expect(Self.condition(Self.status(made, "HTTPRoute")["parents"][0], "ResolvedRefs") == "True ResolvedRefs")
        grant.spec["to"] = [["group": "", "kind": "Service", "name": "db"]]
        let refused = Self.translate([Self.gateway(), Self.service("web", namespace: "other"), grant, route])
        #expect(
            Self.condition(Self.status(refused, "HTTPRoute")["parents"][0], "ResolvedRefs") == "False RefNotPermitted")
    }

    @Test func someRulesLeftAreServed() {
        let made = Self.translate([
            Self.gateway(), Self.service(),
            Self.route(["rules": [["filters": [["type": "ExtensionRef", "extensionRef": ["kind": "X"]]]], Self.rule]]),
        ])
        let parent = Self.status(made, "HTTPRoute")["parents"][0]
        #expect(Self.condition(parent, "Accepted") == "True Accepted")
        #expect(Self.condition(parent, "PartiallyInvalid") == "True UnsupportedValue")
        #expect(made.snapshot.listeners.first?.rules.map(\.id) == ["infra/web/1"])
    }

    @Test func hostsAreThoseOfBoth() {
        let rows: [(String, String, String?)] = [
            ("", "", ""), ("", "a.org", "a.org"), ("*.a.org", "b.a.org", "b.a.org"), ("*.a.org", "a.org", nil),
            ("*.a.org", "*.b.a.org", "*.b.a.org"), ("*.b.a.org", "*.a.org", "*.b.a.org"), ("a.org", "*.org", "a.org"),
            ("a.org", "b.org", nil), ("*.a.org", "*.b.org", nil), ("*.a.org", "ba.org", nil),
        ]
        for (left, right, both) in rows { #expect(HostName.intersection(left, right) == both, "\(left) \(right)") }
    }

    @Test func listenersInConflictAreNotServed() {
        let made = Self.translate([
            Self.gateway([
                ["name": "a", "port": 80, "protocol": "HTTP", "hostname": "a.org"],
                ["name": "b", "port": 80, "protocol": "HTTP", "hostname": "a.org"],
                ["name": "c", "port": 81, "protocol": "HTTP"],
                ["name": "d", "port": 82, "protocol": "TCP"],
            ]),
            Self.gateway(
                [["name": "late", "port": 81, "protocol": "HTTP"]], name: "younger", created: "2026-02-01T00:00:00Z"),
        ])
        let listeners = Self.status(made, "Gateway")["listeners"]
        #expect(Self.condition(listeners[0], "Conflicted") == "True HostnameConflict")
        #expect(Self.condition(listeners[1], "Conflicted") == "True HostnameConflict")
        #expect(Self.condition(listeners[2], "Conflicted") == "False NoConflicts")
        #expect(Self.condition(listeners[3], "Accepted") == "False UnsupportedProtocol")
        #expect(Self.condition(Self.status(made, "Gateway"), "Accepted") == "True ListenersNotValid")
        #expect(made.snapshot.listeners.map(\.port) == [81])
        let younger = made.statuses.last { $0.key.name == "younger" }?.status ?? .null
        #expect(Self.condition(younger["listeners"][0], "Conflicted") == "True HostnameConflict")
        #expect(Self.condition(younger, "Accepted") == "False ListenersNotValid")
    }

    @Test func certificatesComeFromSecrets() {
        let listener: JSONValue = [
            "name": "https", "port": 443, "protocol": "HTTPS", "hostname": "a.org",
            "tls": ["certificateRefs": [["name": "cert"]]],
        ]
        var secret = KubeObject(.secrets, namespace: "infra", name: "cert")
        let without = Self.translate([Self.gateway([listener])])
        #expect(
            Self.condition(Self.status(without, "Gateway")["listeners"][0], "ResolvedRefs")
                == "False InvalidCertificateRef")
        #expect(without.snapshot.listeners.isEmpty, "never without TLS")
        secret["data"] = [
            "tls.crt": .string(Base64.encode(Array("-----BEGIN CERTIFICATE-----\nx".utf8))),
            "tls.key": .string(Base64.encode(Array("-----BEGIN PRIVATE KEY-----\ny".utf8))),
        ]
        let with = Self.translate([Self.gateway([listener]), secret])
        #expect(with.snapshot.listeners.first?.certificates["a.org"]?.key == "-----BEGIN PRIVATE KEY-----\ny")
        #expect(Self.condition(Self.status(with, "Gateway"), "Programmed") == "True Programmed")
        let failed = Self.translate([Self.gateway([listener]), secret], faults: [443: "taken"])
        #expect(
            Self.condition(Self.status(failed, "Gateway")["listeners"][0], "Accepted") == "False PortUnavailable")
        #expect(Self.condition(Self.status(failed, "Gateway"), "Programmed") == "False Invalid")
        let useless = Self.translate(
            [Self.gateway([listener]), secret], faults: [443: PortFault("x", isCertificate: true)])
        #expect(
            Self.condition(Self.status(useless, "Gateway")["listeners"][0], "ResolvedRefs")
                == "False InvalidCertificateRef")
    }

    @Test func clientsCertificatesThatAreNotUnderstoodCloseTheGateway() {
        for frontend: JSONValue in [
            ["perPort": [["port": 443]]], ["default": ["validation": ["mode": "AllowInsecureFallback"]]],
            ["default": ["validation": ["caCertificateRefs": [["kind": "ConfigMap", "name": "none"]]]]],
        ] {
            let made = Self.translate([
                Self.gateway([["name": "http", "port": 80, "protocol": "HTTP"]], ["tls": ["frontend": frontend]])
            ])
            #expect(Self.condition(Self.status(made, "Gateway"), "Accepted") == "False Invalid")
            #expect(made.snapshot.listeners.isEmpty)
        }
    }

    @Test func othersGatewaysAndTheirWordsAreLeftAlone() {
        let mine = KubeObject([
            "kind": "GatewayClass", "metadata": ["name": "apus"],
            "spec": ["controllerName": "serving.apus.dev/gateway"],
        ])
        let theirs = KubeObject([
            "kind": "GatewayClass", "metadata": ["name": "other"], "spec": ["controllerName": "example.com/x"],
        ])
        var gateway = Self.gateway(name: "foreign")
        gateway.spec["gatewayClassName"] = "other"
        var route = Self.route(["rules": [Self.rule]])
        let entry: JSONValue = ["parentRef": ["name": "foreign"], "controllerName": "example.com/x", "conditions": []]
        route.status = ["parents": [entry]]
        let made = Self.translate([mine, theirs, gateway, Self.gateway(), route, Self.service()])
        #expect(made.statuses.filter { $0.kind == "Gateway" }.map(\.key.name) == ["gw"])
        #expect(made.statuses.filter { $0.kind == "GatewayClass" }.map(\.key.name) == ["apus"])
        let parents = Self.status(made, "HTTPRoute")["parents"]
        #expect(parents[0] == entry && parents.elements.count == 2)
    }

    @Test func aStatusThatIsRightIsNotWrittenAgain() {
        var gateway = Self.gateway()
        var route = Self.route(["rules": [Self.rule]])
        let first = Self.translate([gateway, route, Self.service()])
        #expect(first.statuses.allSatisfy { $0.isChanged })
        gateway.status = Self.status(first, "Gateway")
        route.status = Self.status(first, "HTTPRoute")
        var later = GatewayTranslator(now: Timestamp(seconds: 1_900_000_000)) { $0 }
        later.address = "127.0.0.1"
        let second = later.translate(GatewayObjects([gateway, route, Self.service()]))
        #expect(second.statuses.allSatisfy { !$0.isChanged }, "times stay, too")
        let third = later.translate(GatewayObjects([gateway, route]))
        let parent = Self.status(third, "HTTPRoute")["parents"][0]
        #expect(parent["conditions"][1]["lastTransitionTime"].string == "2030-03-17T17:46:40Z", "what changed")
        #expect(parent["conditions"][0]["lastTransitionTime"].string == "2027-01-15T08:00:00Z")
    }

    @Test func servicesSayHowTheyAreWoken() throws {
        let made = Self.translate([
            Self.gateway(),
            Self.route(["rules": [["backendRefs": [["name": "web", "port": 80]]]]], kind: "GRPCRoute"),
            Self.service(annotations: [
                "serving.apus.dev/scale-from-zero": "true", "serving.apus.dev/hold-timeout": "5s",
                "serving.apus.dev/hold-requests": "7", "serving.apus.dev/ready-path": "/ok",
                "serving.apus.dev/container-concurrency": "2", "serving.apus.dev/revision": "r-1",
            ]),
        ])
        let upstream = try #require(made.snapshot.upstreams.values.first)
        #expect(upstream.isHTTP2 && upstream.concurrency == 2 && upstream.revision == "r-1")
        #expect(upstream.activation?.patience == .seconds(5) && upstream.activation?.maximumHeld == 7)
        #expect(upstream.activation?.readyPath == "/ok")
        #expect(made.snapshot.listeners.first?.rules.first?.isGRPC == true)
    }

    private static func policy(_ spec: JSONValue, name: String, created: String = "2026-01-01T00:00:00Z") -> KubeObject
    {
        var object = KubeObject([
            "apiVersion": "serving.apus.dev/v1alpha1", "kind": "TrafficPolicy",
            "metadata": ["name": .string(name), "namespace": "infra", "creationTimestamp": .string(created)],
        ])
        object.spec = spec
        return object
    }

    @Test func policiesOfRoutesGoBeforeThoseOfGateways() throws {
        var keys = KubeObject(.secrets, namespace: "infra", name: "keys")
        keys["data"] = ["ann": .string(Base64.encode(Array("abc".utf8)))]
        let onGateway: JSONValue = [["kind": "Gateway", "name": "gw"]]
        let onRoute: JSONValue = [["kind": "HTTPRoute", "name": "web"]]
        let made = Self.translate([
            Self.gateway(), Self.service(), Self.route(["rules": [Self.rule]]), keys,
            Self.policy(
                ["targetRefs": onGateway, "rateLimit": ["requests": 1], "circuitBreaker": ["maxPending": 4]], name: "a"),
            Self.policy(
                [
                    "targetRefs": onRoute,
                    "rateLimit": ["requests": 9, "period": "1m", "by": "header", "header": "X-Id"],
                    "apiKeys": ["secretRefs": [["name": "keys"]]], "sticky": ["cookie": "c", "ttl": "1h"],
                ], name: "b"),
            Self.policy(["targetRefs": onRoute], name: "late", created: "2026-03-01T00:00:00Z"),
            Self.policy(["targetRefs": [["kind": "HTTPRoute", "name": "none"]]], name: "lost"),
            Self.policy(["targetRefs": onGateway, "rateLimit": ["requests": -1]], name: "wrong"),
        ])
        let rule = try #require(made.snapshot.listeners.first?.rules.first)
        #expect(rule.policy.rate == TrafficPolicy.Rate(requests: 9, period: .seconds(60), header: "x-id"))
        #expect(rule.policy.breaker?.pending == 4)
        #expect(rule.policy.keys == TrafficPolicy.Keys(header: "x-api-key", hashes: ["ann": Array("cba".utf8)]))
        #expect(rule.sticky == .cookie(name: "c", lifetime: .seconds(3600)))
        func accepted(_ name: String) -> String {
            Self.condition(
                made.statuses.first { $0.key.name == name }?.status["ancestors"][0] ?? .null, "Accepted")
        }
        #expect(accepted("a") == "True Accepted" && accepted("b") == "True Accepted")
        #expect(accepted("late") == "False Conflicted" && accepted("lost") == "False TargetNotFound")
        #expect(accepted("wrong") == "False Invalid")
    }

    @Test func backendPoliciesGiveTLS() throws {
        var policy = KubeObject([
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy",
            "metadata": ["name": "t", "namespace": "infra"],
        ])
        policy.spec = [
            "targetRefs": [["group": "", "kind": "Service", "name": "web"]],
            "validation": ["hostname": "web.infra", "caCertificateRefs": [["kind": "ConfigMap", "name": "ca"]]],
        ]
        var authority = KubeObject(.configMaps, namespace: "infra", name: "ca")
        authority["data"] = ["ca.crt": "-----BEGIN CERTIFICATE-----\nz"]
        let objects = [Self.gateway(), Self.service(), Self.route(["rules": [Self.rule]]), policy]
        let made = Self.translate(objects + [authority])
        let tls = try #require(made.snapshot.upstreams.values.first?.tls)
        #expect(tls.hostname == "web.infra" && tls.authority?.contains("z") == true)
        let lost = Self.translate(objects)
        #expect(lost.snapshot.upstreams.values.first?.tls?.authority == "", "nothing is trusted")
        #expect(
            Self.condition(Self.status(lost, "BackendTLSPolicy")["ancestors"][0], "Accepted")
                == "False NoValidCACertificate")
        policy.spec["validation"] = ["hostname": "web.infra", "wellKnownCACertificates": "System"]
        let system = Self.translate([Self.gateway(), Self.service(), Self.route(["rules": [Self.rule]]), policy])
        #expect(system.snapshot.upstreams.values.first?.tls?.authority == nil)
    }

    @Test func anythingCanBeTranslated() {
        // Every field replaced by something else, one at a time: no crash, and the rest is served.
        let whole = Self.route(["hostnames": ["a.org"], "rules": [Self.rule]])
        let junk: [JSONValue] = [nil, true, -1, 1e300, "", "\u{0}*.", [], [nil, [], "x"], [:], ["name": ["name": []]]]
        for value in junk {
            for field in ["parentRefs", "hostnames", "rules"] {
                var route = whole
                route.spec[field] = value
                _ = Self.translate([Self.gateway(), route, Self.service()])
            }
            for field in ["matches", "filters", "backendRefs", "timeouts", "retry", "sessionPersistence"] {
                var rule = Self.rule
                rule[field] = value
                var inner = Self.rule
                inner[field] = [value]
                _ = Self.translate([Self.gateway(), Self.route(["rules": [rule, inner]]), Self.service()])
            }
            _ = Self.translate([Self.gateway([value]), whole, KubeObject(value)])
        }
    }
}
