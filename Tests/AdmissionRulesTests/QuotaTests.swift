// SPDX-License-Identifier: Apache-2.0
import AdmissionRules
import ApusCore
import KubeAPI
import Testing

@Suite struct QuotaTests {
    private func rule(_ hard: JSONValue, _ more: JSONValue = [:], name: String = "q") -> QuotaRule {
        var quota = KubeObject(.resourceQuotas, namespace: "n", name: name)
        quota.spec = more
        quota.spec["hard"] = hard
        return QuotaRule(quota)
    }

    private func pod(_ spec: JSONValue, status: JSONValue = [:], metadata: JSONValue = [:]) -> KubeObject {
        var pod = KubeObject(.pods, namespace: "n", name: "p")
        pod.spec = spec
        pod.status = status
        for (key, value) in metadata.members { pod.metadata[key] = value }
        return pod
    }

    private let one: JSONValue = ["containers": [["name": "c"]]]

    // MARK: What objects count for

    @Test func aPodCountsWhatItAsksFor() {
        let usage = QuotaKind.pods.measure(
            pod([
                "containers": [
                    [
                        "name": "a",
                        "resources": [
                            "requests": ["cpu": "100m", "memory": "1Gi", "a.b/gpu": "2"], "limits": ["cpu": "1"],
                        ],
                    ], ["name": "b", "resources": ["requests": ["cpu": "200m"]]],
                ],
                "initContainers": [["name": "i", "resources": ["requests": ["memory": "2Gi"]]]],
                "overhead": ["cpu": "50m"],
            ])
        ).usage
        #expect(
            usage.mapValues(\.description) == [
                "count/pods": "1", "pods": "1", "cpu": "350m", "requests.cpu": "350m", "limits.cpu": "1050m",
                "memory": "2Gi", "requests.memory": "2Gi", "requests.a.b/gpu": "2",
            ])
    }

    @Test(arguments: ["Succeeded", "Failed"])
    func whatHasEndedOnlyTakesItsPlace(phase: String) {
        let measure = QuotaKind.pods.measure(pod(one, status: ["phase": .string(phase)]))
        #expect(measure.usage == ["count/pods": ResourceAmount(1)])
    }

    @Test(
        arguments: [
            (["type": "ClusterIP", "ports": [["port": 1]]], ["count/services": 1, "services": 1]),
            (
                ["type": "NodePort", "ports": [["port": 1], ["port": 2]]],
                ["count/services": 1, "services": 1, "services.nodeports": 2]
            ),
            (
                ["type": "LoadBalancer", "ports": [["port": 1]]],
                ["count/services": 1, "services": 1, "services.nodeports": 1, "services.loadbalancers": 1]
            ),
            (
                ["type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "ports": [["port": 1]]],
                ["count/services": 1, "services": 1, "services.nodeports": 0, "services.loadbalancers": 1]
            ),
        ] as [(JSONValue, [String: Int])])
    func services(spec: JSONValue, usage: [String: Int]) {
        var service = KubeObject(.services, namespace: "n", name: "s")
        service.spec = spec
        #expect(QuotaKind.services.measure(service).usage == usage.mapValues { ResourceAmount($0) })
    }

    @Test func claimsCountForTheirClassToo() {
        var claim = KubeObject(.persistentVolumeClaims, namespace: "n", name: "c")
        claim.spec = ["storageClassName": "fast", "resources": ["requests": ["storage": "5Gi"]]]
        #expect(
            QuotaKind.claims.measure(claim).usage.mapValues(\.description) == [
                "count/persistentvolumeclaims": "1", "persistentvolumeclaims": "1", "requests.storage": "5Gi",
                "fast.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
                "fast.storageclass.storage.k8s.io/requests.storage": "5Gi",
            ])
    }

    @Test(arguments: [
        ("pods", "pods"), ("requests.cpu", "pods"), ("requests.nvidia.com/gpu", "pods"), ("hugepages-2Mi", "pods"),
        ("count/pods", "pods"), ("configmaps", "configmaps"), ("count/deployments.apps", "deployments.apps"),
        ("services.nodeports", "services"), ("requests.storage", "persistentvolumeclaims"),
        ("a.storageclass.storage.k8s.io/requests.storage", "persistentvolumeclaims"),
        ("count/widgets.example.com", "widgets.example.com"),
    ])
    func namesBelongToKinds(name: String, resource: String) {
        #expect(QuotaKind(limiting: name)?.resource == resource)
    }

    // MARK: Scopes

    @Test(
        arguments: [
            (["scopes": ["Terminating"]], ["activeDeadlineSeconds": 5], true),
            (["scopes": ["Terminating"]], [:], false), (["scopes": ["NotTerminating"]], [:], true),
            (["scopes": ["BestEffort"]], ["containers": [["name": "c"]]], true),
            (["scopes": ["BestEffort"]], ["containers": [["resources": ["limits": ["cpu": "1"]]]]], false),
            (["scopes": ["NotBestEffort"]], ["containers": [["resources": ["requests": ["cpu": "1"]]]]], true),
            (["scopes": ["BestEffort", "Terminating"]], ["containers": [["name": "c"]]], false),
            (
                [
                    "scopeSelector": [
                        "matchExpressions": [["scopeName": "PriorityClass", "operator": "In", "values": ["a"]]]
                    ]
                ],
                ["priorityClassName": "a"], true
            ),
            (
                [
                    "scopeSelector": [
                        "matchExpressions": [["scopeName": "PriorityClass", "operator": "In", "values": ["a"]]]
                    ]
                ],
                ["priorityClassName": "b"], false
            ),
            (
                [
                    "scopeSelector": [
                        "matchExpressions": [["scopeName": "PriorityClass", "operator": "NotIn", "values": ["a"]]]
                    ]
                ], ["priorityClassName": "b"], true
            ),
            (
                ["scopeSelector": ["matchExpressions": [["scopeName": "PriorityClass", "operator": "Exists"]]]],
                ["priorityClassName": "b"], true
            ),
            (
                ["scopeSelector": ["matchExpressions": [["scopeName": "PriorityClass", "operator": "DoesNotExist"]]]],
                ["priorityClassName": "b"], false
            ),
            (["scopes": ["CrossNamespacePodAffinity"]], [:], false),
            (
                ["scopes": ["CrossNamespacePodAffinity"]],
                [
                    "affinity": [
                        "podAffinity": [
                            "requiredDuringSchedulingIgnoredDuringExecution": [
                                ["namespaces": ["x"], "topologyKey": "k"]
                            ]
                        ]
                    ]
                ], true
            ),
        ] as [(JSONValue, JSONValue, Bool)])
    func scopes(scopes: JSONValue, spec: JSONValue, isCovered: Bool) {
        #expect(rule(["pods": "1"], scopes).covers(QuotaKind.pods.measure(pod(spec))) == isCovered)
    }

    @Test func scopesAskOnlyAboutPods() {
        let rule = rule(["count/configmaps": "1"], ["scopes": ["BestEffort"]])
        #expect(!rule.covers(QuotaKind.counted("configmaps").counted))
    }

    // MARK: Decisions

    @Test func upstreamsWords() {
        let rule = rule(["pods": "2", "requests.memory": "1Gi"])
        #expect(
            rule.refusal(of: ["pods": ResourceAmount(1)], used: ["pods": ResourceAmount(2)])
                == "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2")
        #expect(rule.refusal(of: ["pods": ResourceAmount(1)], used: ["pods": ResourceAmount(1)]) == nil)
        #expect(
            rule.missing(in: pod(["containers": [["name": "b"], ["name": "a"]]]))
                == "failed quota: q: must specify requests.memory for: a,b")
        let limits = self.rule(["limits.cpu": "1", "limits.memory": "1"])
        #expect(
            limits.missing(in: pod(["containers": [["name": "c", "resources": ["limits": ["cpu": "1"]]]]]))
                == "failed quota: q: must specify limits.memory for: c")
    }

    private func decide(
        _ tally: inout QuotaTally, _ name: String, revision: Int64 = 1, isDryRun: Bool = false
    ) -> QuotaTally.Decision {
        tally.decide(
            name, new: QuotaKind.pods.measure(pod(one)), old: nil, revision: revision, isDryRun: isDryRun)
    }

    @Test func writesUnderWayCount() {
        var tally = QuotaTally(kind: .pods, rules: [rule(["pods": "2"])])
        #expect(decide(&tally, "a") == .allowed(reservation: 1))
        #expect(decide(&tally, "b") == .allowed(reservation: 2))
        let refused = QuotaTally.Decision.refused(
            "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2")
        #expect(decide(&tally, "c") == refused)
        // The first is stored and seen, then its reservation ends: it counts once all the time.
        tally.set("a", QuotaKind.pods.measure(pod(one)), revision: 2)
        #expect(decide(&tally, "c") == refused)
        tally.release(1)
        #expect(decide(&tally, "c") == refused)
        // The second fails.
        tally.release(2)
        #expect(decide(&tally, "c", isDryRun: true) == .allowed(reservation: nil))
        #expect(decide(&tally, "c") == .allowed(reservation: 3))
        tally.remove("a", revision: 3)
        #expect(decide(&tally, "d") == .allowed(reservation: 4))
    }

    @Test func anOldChangeSettlesNothing() {
        var tally = QuotaTally(kind: .pods, rules: [rule(["pods": "1"])])
        #expect(decide(&tally, "a", revision: 10) == .allowed(reservation: 1))
        // Told late: the deletion of an earlier pod of the name.
        tally.remove("a", revision: 9)
        guard case .refused = decide(&tally, "b") else {
            Issue.record("the reservation was lost")
            return
        }
    }

    @Test func quotasMayChange() {
        var tally = QuotaTally(kind: .pods, rules: [rule(["pods": "5"])])
        for name in ["a", "b"] { tally.set(name, QuotaKind.pods.measure(pod(one)), revision: 1) }
        let smaller = rule(["pods": "1"])
        let other = rule(["count/pods": "9"], name: "r")
        tally.use([other, smaller])
        #expect(tally.used(smaller) == ["pods": ResourceAmount(2)])
        #expect(tally.used(other) == ["count/pods": ResourceAmount(2)])
        #expect(tally.rules.map(\.name) == ["q", "r"])
    }

    @Test func whatIsOverdueToGoIsLetGo() throws {
        var tally = QuotaTally(kind: .pods, rules: [rule(["pods": "1", "count/pods": "9"])])
        let dying = pod(
            one, metadata: ["deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30])
        tally.set("a", QuotaKind.pods.measure(dying), revision: 1)
        let end = try #require(Timestamp(rfc3339: "2026-01-01T00:00:30Z"))
        #expect(tally.nextExpiry == end)
        tally.expire(now: end)
        guard case .refused = decide(&tally, "b") else {
            Issue.record("let go too early")
            return
        }
        tally.expire(now: end + .seconds(1))
        #expect(decide(&tally, "b") == .allowed(reservation: 1))
        #expect(tally.used(tally.rules[0])["count/pods"] == ResourceAmount(2))
    }

    @Test func onlyMoreIsAskedFor() {
        var tally = QuotaTally(kind: .services, rules: [rule(["services.nodeports": "2", "services": "9"])])
        func measure(_ ports: Int) -> QuotaMeasure {
            var service = KubeObject(.services, namespace: "n", name: "s")
            service.spec = [
                "type": ports == 0 ? "ClusterIP" : "NodePort",
                "ports": .array((0..<max(1, ports)).map { ["port": JSONValue($0 + 1)] }),
            ]
            return QuotaKind.services.measure(service)
        }
        tally.set("s", measure(0), revision: 1)
        #expect(
            tally.decide("s", new: measure(2), old: measure(0), revision: 1, isDryRun: false)
                == .allowed(reservation: 1))
        tally.set("s", measure(2), revision: 2)
        tally.release(1)
        #expect(
            tally.decide("s", new: measure(0), old: measure(2), revision: 2, isDryRun: false)
                == .allowed(reservation: nil))
        #expect(
            tally.decide("s", new: measure(3), old: measure(2), revision: 2, isDryRun: false)
                == .refused(
                    "exceeded quota: q, requested: services.nodeports=1, used: services.nodeports=2, limited: "
                        + "services.nodeports=2"))
    }
}
