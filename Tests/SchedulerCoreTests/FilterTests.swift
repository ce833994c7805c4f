// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import SchedulerCore
import Testing

@Suite struct FilterTests {
    /// One pod spec, one node spec and what the pod is told; nil when it fits.
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var pod = "{}"
        var node = "{}"
        var labels: [String: String] = [:]
        var expected: String?

        var testDescription: String { name }
    }

    @Test(arguments: [
        Case(name: "empty"),
        Case(name: "cordoned", node: #"{"unschedulable":true}"#, expected: "node(s) were unschedulable"),
        Case(
            name: "cordoned and tolerated",
            pod: #"{"tolerations":[{"key":"node.kubernetes.io/unschedulable","operator":"Exists"}]}"#,
            node: #"{"unschedulable":true}"#),
        Case(
            name: "taint", node: #"{"taints":[{"key":"a","value":"b","effect":"NoSchedule"}]}"#,
            expected: "node(s) had untolerated taint {a: b}"),
        Case(
            name: "taint without value", node: #"{"taints":[{"key":"a","effect":"NoExecute"}]}"#,
            expected: "node(s) had untolerated taint {a: }"),
        Case(
            name: "taint that only discourages", node: #"{"taints":[{"key":"a","effect":"PreferNoSchedule"}]}"#),
        Case(
            name: "taint tolerated by value",
            pod: #"{"tolerations":[{"key":"a","operator":"Equal","value":"b","effect":"NoSchedule"}]}"#,
            node: #"{"taints":[{"key":"a","value":"b","effect":"NoSchedule"}]}"#),
        Case(
            name: "toleration of another value", pod: #"{"tolerations":[{"key":"a","value":"c"}]}"#,
            node: #"{"taints":[{"key":"a","value":"b","effect":"NoSchedule"}]}"#,
            expected: "node(s) had untolerated taint {a: b}"),
        Case(
            name: "toleration of another effect",
            pod: #"{"tolerations":[{"key":"a","operator":"Exists","effect":"NoExecute"}]}"#,
            node: #"{"taints":[{"key":"a","value":"b","effect":"NoSchedule"}]}"#,
            expected: "node(s) had untolerated taint {a: b}"),
        Case(
            name: "toleration of everything", pod: #"{"tolerations":[{"operator":"Exists"}]}"#,
            node: #"{"taints":[{"key":"a","value":"b","effect":"NoSchedule"}]}"#),
        Case(name: "named node", pod: #"{"nodeName":"n"}"#),
        Case(
            name: "another named node", pod: #"{"nodeName":"m"}"#,
            expected: "node(s) didn't match the requested node name"),
        Case(name: "selector", pod: #"{"nodeSelector":{"disk":"ssd"}}"#, labels: ["disk": "ssd"]),
        Case(
            name: "selector that does not match", pod: #"{"nodeSelector":{"disk":"ssd"}}"#, labels: ["disk": "hdd"],
            expected: "node(s) didn't match Pod's node affinity/selector"),
        Case(name: "affinity In", pod: affinity(#""operator":"In","values":["a","b"]"#), labels: ["zone": "b"]),
        Case(
            name: "affinity NotIn", pod: affinity(#""operator":"NotIn","values":["a","b"]"#), labels: ["zone": "b"],
            expected: "node(s) didn't match Pod's node affinity/selector"),
        Case(name: "affinity Gt", pod: affinity(#""operator":"Gt","values":["3"]"#), labels: ["zone": "4"]),
        Case(
            name: "affinity Exists", pod: affinity(#""operator":"Exists""#),
            expected: "node(s) didn't match Pod's node affinity/selector"),
        Case(
            name: "affinity with an unknown operator", pod: affinity(#""operator":"Like""#), labels: ["zone": "a"],
            expected: "node(s) didn't match Pod's node affinity/selector"),
        Case(
            name: "affinity by name",
            pod: required(#"{"matchFields":[{"key":"metadata.name","operator":"In","values":["n"]}]}"#)),
        Case(
            name: "one of two terms suffices",
            pod: required(
                #"{"matchExpressions":[{"key":"x","operator":"Exists"}]},"#
                    + #"{"matchExpressions":[{"key":"zone","operator":"Exists"}]}"#),
            labels: ["zone": "a"]),
        Case(
            name: "an empty term matches nothing", pod: required("{}"),
            expected: "node(s) didn't match Pod's node affinity/selector"),
        Case(name: "cpu", pod: requests(#""cpu":"5""#), expected: "Insufficient cpu"),
        Case(name: "cpu to the last thousandth", pod: requests(#""cpu":"4""#)),
        Case(name: "memory", pod: requests(#""memory":"9Gi""#), expected: "Insufficient memory"),
        Case(
            name: "both", pod: requests(#""cpu":"5","memory":"9Gi""#),
            expected: "Insufficient cpu, 1 Insufficient memory"),
        Case(
            name: "an unknown resource", pod: requests(#""nvidia.com/gpu":"1""#),
            expected: "Insufficient nvidia.com/gpu"),
    ])
    func nodeFilters(_ test: Case) throws {
        let pod = try Fixture.pod("p", test.pod)
        let cluster = Fixture.cluster([try Fixture.node("n", test.node, labels: test.labels)])
        #expect(
            Fixture.error(pod, cluster)?.description
                == test.expected.map { "0/1 nodes are available: 1 \($0)." })
    }

    private static func required(_ terms: String) -> String {
        #"{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":["#
            + terms + "]}}}}"
    }

    private static func affinity(_ expression: String) -> String {
        required(#"{"matchExpressions":[{"key":"zone","# + expression + "}]}")
    }

    private static func requests(_ amounts: String) -> String {
        #"{"containers":[{"name":"c","resources":{"requests":{"# + amounts + "}}}]}"
    }

    @Test func countsWhatPodsTake() throws {
        let nodes = [try Fixture.node("n", cpu: "1", pods: "3", extra: ["nvidia.com/gpu": "1"])]
        let gpu = #"{"containers":[{"name":"c","resources":{"requests":{"nvidia.com/gpu":"1"}}}]}"#
        var cluster = Fixture.cluster(
            nodes, pods: [try Fixture.pod("a", cpu: "800m", node: "n"), try Fixture.pod("g", gpu, node: "n")])
        let pod = try Fixture.pod("p", cpu: "300m")
        let error = try #require(Fixture.error(pod, cluster))
        #expect(error.perNodeDescription().hasSuffix("n: Insufficient cpu (requested 300m, free 200m)."))
        #expect(error.plugins == .nodeResourcesFit)
        let gpuError = try #require(Fixture.error(try Fixture.pod("h", gpu), cluster))
        #expect(gpuError.description == "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")
        cluster.removePod(ObjectKey(namespace: "default", name: "a"))
        #expect(Fixture.choice(pod, cluster) == "n")
        for name in ["b", "c"] { cluster.setPod(try Fixture.pod(name, cpu: "1m", node: "n")) }
        #expect(Fixture.error(pod, cluster)?.description == "0/1 nodes are available: 1 Too many pods.")
    }

    @Test(arguments: [
        (#"{"hostPort":80}"#, #"{"hostPort":80}"#, false),
        (#"{"hostPort":80}"#, #"{"hostPort":81}"#, true),
        (#"{"hostPort":80}"#, #"{"hostPort":80,"protocol":"UDP"}"#, true),
        (#"{"hostPort":80,"hostIP":"127.0.0.1"}"#, #"{"hostPort":80,"hostIP":"127.0.0.2"}"#, true),
        (#"{"hostPort":80,"hostIP":"127.0.0.1"}"#, #"{"hostPort":80}"#, false),
        (#"{"containerPort":80}"#, #"{"containerPort":80}"#, true),
    ])
    func hostPorts(taken: String, wanted: String, fits: Bool) throws {
        func spec(_ port: String) -> String { #"{"containers":[{"name":"c","ports":["# + port + "]}]}" }
        let cluster = Fixture.cluster(
            [try Fixture.node("n")], pods: [try Fixture.pod("a", spec(taken), node: "n")])
        let message = Fixture.error(try Fixture.pod("p", spec(wanted)), cluster)?.description
        #expect(
            message
                == (fits
                    ? nil
                    : "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."))
    }

    @Test(arguments: [
        ("containers add up", #"{"containers":[{"c":"1"},{"c":"2"}]}"#, 3000),
        ("the largest init container", #"{"containers":[{"c":"1"}],"initContainers":[{"c":"2"},{"c":"3"}]}"#, 3000),
        (
            "a sidecar runs beside",
            #"{"containers":[{"c":"1"}],"initContainers":[{"c":"2","restartPolicy":"Always"}]}"#, 3000
        ),
        (
            "an init container after a sidecar",
            #"{"containers":[{"c":"1"}],"initContainers":[{"c":"2","restartPolicy":"Always"},{"c":"4"}]}"#, 6000
        ),
        (
            "an init container before a sidecar",
            #"{"containers":[{"c":"1"}],"initContainers":[{"c":"4"},{"c":"2","restartPolicy":"Always"}]}"#, 4000
        ),
        ("overhead", #"{"containers":[{"c":"1"}],"overhead":{"cpu":"250m"}}"#, 1250),
        ("of the whole pod", #"{"containers":[{"c":"1"}],"resources":{"requests":{"cpu":"5"}}}"#, 5000),
    ])
    func requestsOfAPod(name: String, spec: String, expected: Int64) throws {
        let text = spec.replacing(#""c":"#, with: #""cpu":"#)
        var json = try Fixture.json(text)
        for list in ["containers", "initContainers"] where !json[list].isNull {
            json[list] = .array(
                json[list].elements.map { container in
                    var container = container
                    container["resources"] = ["requests": ["cpu": container["cpu"]]]
                    return container
                })
        }
        var object = KubeObject(.pods, namespace: "default", name: "p")
        object.spec = json
        #expect(PodInfo(object).requests.cpu == expected)
    }
}
