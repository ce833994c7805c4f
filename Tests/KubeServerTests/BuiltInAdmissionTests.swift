// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import Testing

/// The built-in admission steps over a real store.
@Suite struct BuiltInAdmissionTests {
    private let pods = "/api/v1/namespaces/default/pods"
    private let maps = "/api/v1/namespaces/default/configmaps"
    private let quotas = "/api/v1/namespaces/default/resourcequotas"

    private func pod(_ name: String, _ more: JSONValue = [:], metadata: JSONValue = [:]) -> JSONValue {
        var pod: JSONValue = ["metadata": metadata, "spec": more]
        if pod["metadata"]["generateName"].isNull { pod["metadata"]["name"] = .string(name) }
        if pod["spec"]["containers"].isNull { pod["spec"]["containers"] = [["name": "c", "image": "i"]] }
        return pod
    }

    private func withAccounts() async throws -> TestServer {
        var configuration = APIServer.Configuration()
        configuration.requiresServiceAccounts = true
        return try await TestServer(configuration: configuration)
    }

    // MARK: Service accounts

    @Test func podsNeedTheirAccount() async throws {
        let cluster = try await withAccounts()
        let refused = try await cluster.call("POST", pods, pod("p", ["serviceAccountName": "a"]))
        #expect(refused.status == 403)
        #expect(
            refused.message
                == "pods \"p\" is forbidden: error looking up service account default/a: serviceaccount \"a\" not found"
        )
        try await cluster.call("POST", "/api/v1/namespaces/default/serviceaccounts", ["metadata": ["name": "a"]])
        let made = try await cluster.call("POST", pods, pod("p", ["serviceAccountName": "a"]))
        #expect(made.status == 201)
        #expect(made.object.spec["serviceAccount"] == "a")
        let name = made.object.spec["volumes"][0]["name"].string ?? ""
        #expect(name.hasPrefix("kube-api-access-") && name.utf8.count == "kube-api-access-".utf8.count + 5)
        try await cluster.call(
            "PATCH", "/api/v1/namespaces/default/serviceaccounts/a", ["automountServiceAccountToken": false],
            contentType: MergePatch.mediaType)
        let without = try await cluster.call("POST", pods, pod("q", ["serviceAccountName": "a"]))
        #expect(without.object.spec["volumes"].isNull, "the account's change is seen at once")
    }

    @Test func theDefaultAccountOfANewNamespaceIsWaitedFor() async throws {
        let cluster = try await withAccounts()
        async let made = cluster.call("POST", pods, pod("p"))
        try await cluster.call("POST", "/api/v1/namespaces/default/serviceaccounts", ["metadata": ["name": "default"]])
        #expect(try await made.status == 201)
    }

    // MARK: Quota

    private func quota(_ hard: JSONValue, _ more: JSONValue = [:], name: String = "q") -> JSONValue {
        var spec = more
        spec["hard"] = hard
        return ["metadata": ["name": .string(name)], "spec": spec]
    }

    @Test func concurrentCreatesShareOneQuota() async throws {
        let cluster = try await TestServer()
        try await cluster.call("POST", quotas, quota(["configmaps": "10"]))
        let codes = try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<100 {
                group.addTask {
                    try await cluster.call("POST", maps, ["metadata": ["name": .string("m\(index)")]]).status
                }
            }
            return try await group.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
        }
        #expect(codes == [201: 10, 403: 90])
        #expect(try await cluster.call("GET", maps).json["items"].elements.count == 10)
    }

    @Test func whatIsDeletedMakesRoom() async throws {
        let cluster = try await TestServer()
        try await cluster.configMap("before")
        try await cluster.call("POST", quotas, quota(["configmaps": "2"]))
        #expect(try await cluster.call("POST", maps, ["metadata": ["name": "a"]]).status == 201)
        let refused = try await cluster.call("POST", maps, ["metadata": ["name": "b"]])
        #expect(
            refused.message
                == "configmaps \"b\" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=2, "
                + "limited: configmaps=2")
        #expect(try await cluster.call("POST", maps, ["metadata": ["name": "a"]]).status == 403, "quota first")
        for _ in 0..<3 {
            try await cluster.call("DELETE", maps + "/before")
            #expect(try await cluster.call("POST", maps + "?dryRun=All", ["metadata": ["name": "c"]]).status == 201)
            #expect(try await cluster.call("POST", maps, ["metadata": ["name": "before"]]).status == 201)
            #expect(try await cluster.call("POST", maps, ["metadata": ["name": "c"]]).status == 403)
        }
        // A write that fails after it was admitted gives back what it had.
        try await cluster.call(
            "PATCH", quotas + "/q", ["spec": ["hard": ["configmaps": "3"]]], contentType: MergePatch.mediaType)
        for _ in 0..<5 {
            #expect(try await cluster.call("POST", maps, ["metadata": ["name": "a"]]).status == 409)
        }
        #expect(try await cluster.call("POST", maps, ["metadata": ["name": "d"]]).status == 201)
        try await cluster.call("DELETE", quotas + "/q")
        #expect(try await cluster.call("POST", maps, ["metadata": ["name": "e"]]).status == 201)
    }

    @Test func quotaSeesPodsEnd() async throws {
        let cluster = try await TestServer()
        try await cluster.call("POST", quotas, quota(["pods": "1", "limits.memory": "1Gi"]))
        let limits: JSONValue = [
            "containers": [["name": "c", "image": "i", "resources": ["limits": ["memory": "1Gi"]]]]
        ]
        let silent = try await cluster.call("POST", pods, pod("p"))
        #expect(silent.message == "pods \"p\" is forbidden: failed quota: q: must specify limits.memory for: c")
        #expect(try await cluster.call("POST", pods, pod("p", limits)).status == 201)
        let full = try await cluster.call("POST", pods, pod("", limits, metadata: ["generateName": "g-"]))
        #expect(
            full.message
                == "pods \"g-\" is forbidden: exceeded quota: q, requested: limits.memory=1Gi,pods=1, used: "
                + "limits.memory=1Gi,pods=1, limited: limits.memory=1Gi,pods=1")
        try await cluster.call(
            "PATCH", pods + "/p/status", ["status": ["phase": "Succeeded"]], contentType: MergePatch.mediaType)
        #expect(try await cluster.call("POST", pods, pod("q", limits)).status == 201)
    }

    @Test func otherNamespacesAreNotConcerned() async throws {
        let cluster = try await TestServer()
        try await cluster.call("POST", quotas, quota(["configmaps": "0"]))
        let elsewhere = "/api/v1/namespaces/kube-system/configmaps"
        #expect(try await cluster.call("POST", elsewhere, ["metadata": ["name": "a"]]).status == 201)
        #expect(try await cluster.call("POST", maps, ["metadata": ["name": "a"]]).status == 403)
        #expect(
            try await cluster.call("POST", "/api/v1/namespaces/default/secrets", ["metadata": ["name": "a"]]).status
                == 201)
    }

    /// More changes than a ledger keeps between two questions: it reads again, and forgets no reservation.
    @Test func aLedgerThatFellBehindCatchesUp() async throws {
        let cluster = try await TestServer()
        try await cluster.call("POST", quotas, quota(["configmaps": "3"]))
        #expect(try await cluster.call("POST", maps, ["metadata": ["name": "a"]]).status == 201)
        let text = JSONValue.string(String(repeating: "x", count: 100_000))
        for round in 0..<25 {
            try await cluster.call(
                "PATCH", maps + "/a", ["data": ["k": text, "round": .string("\(round)")]],
                contentType: MergePatch.mediaType)
        }
        #expect(try await cluster.call("POST", maps, ["metadata": ["name": "b"]]).status == 201)
        #expect(try await cluster.call("POST", maps, ["metadata": ["name": "c"]]).status == 201)
        #expect(try await cluster.call("POST", maps, ["metadata": ["name": "d"]]).status == 403)
    }

    // MARK: Limits, priorities, runtimes

    @Test func limitsOfSeveralObjectsAddUp() async throws {
        let cluster = try await TestServer()
        let path = "/api/v1/namespaces/default/limitranges"
        let made = try await cluster.call(
            "POST", path,
            [
                "metadata": ["name": "a"],
                "spec": ["limits": [["type": "Container", "max": ["cpu": "1"], "min": ["cpu": "100m"]]]],
            ])
        #expect(made.object.spec["limits"][0]["default"] == ["cpu": "1"], "the bounds make the defaults")
        #expect(made.object.spec["limits"][0]["defaultRequest"] == ["cpu": "1"])
        try await cluster.call(
            "POST", path,
            ["metadata": ["name": "b"], "spec": ["limits": [["type": "Container", "default": ["memory": "1Gi"]]]]])
        let filled = try await cluster.call("POST", pods, pod("p"))
        #expect(filled.object.spec["containers"][0]["resources"]["limits"] == ["cpu": "1", "memory": "1Gi"])
        #expect(filled.object.status["qosClass"] == "Guaranteed", "as it is after admission")
        let large: JSONValue = ["containers": [["name": "c", "image": "i", "resources": ["limits": ["cpu": "2"]]]]]
        let refused = try await cluster.call("POST", pods, pod("q", large))
        #expect(refused.message == "pods \"q\" is forbidden: maximum cpu usage per Container is 1, but limit is 2")
    }

    @Test func thereIsOneDefaultPriority() async throws {
        let cluster = try await TestServer()
        let path = "/apis/scheduling.k8s.io/v1/priorityclasses"
        #expect(try await cluster.call("GET", path).json["items"].elements.count == 2, "the system's own")
        try await cluster.call("POST", path, ["metadata": ["name": "a"], "value": 5, "globalDefault": true])
        #expect(try await cluster.call("POST", pods, pod("p")).object.spec["priority"] == 5)
        let second = try await cluster.call(
            "POST", path, ["metadata": ["name": "b"], "value": 5, "globalDefault": true])
        #expect(
            second.message
                == "priorityclasses.scheduling.k8s.io \"b\" is forbidden: PriorityClass a is already marked as default. "
                + "Only one default can exist")
        // An update that says nothing of the priority keeps it.
        let changed = try await cluster.call(
            "PATCH", pods + "/p", ["metadata": ["labels": ["a": "b"]]], contentType: MergePatch.mediaType)
        #expect(changed.object.spec["priority"] == 5)
    }

    @Test func unknownRuntimesAreRefused() async throws {
        let cluster = try await TestServer()
        let refused = try await cluster.call("POST", pods, pod("p", ["runtimeClassName": "r"]))
        #expect(refused.message == "pods \"p\" is forbidden: pod rejected: RuntimeClass \"r\" not found")
        let overhead = try await cluster.call("POST", pods, pod("p", ["overhead": ["cpu": "1"]]))
        #expect(
            overhead.message
                == "pods \"p\" is forbidden: pod rejected: Pod Overhead set without corresponding RuntimeClass defined "
                + "Overhead")
    }

    // MARK: Pod Security

    @Test func namespacesAskForAStandard() async throws {
        let cluster = try await TestServer()
        try await cluster.call("POST", pods, pod("there", ["hostPID": true]))
        let labels: JSONValue = ["metadata": ["labels": ["pod-security.kubernetes.io/enforce": "baseline"]]]
        let labelled = try await cluster.call(
            "PATCH", "/api/v1/namespaces/default", labels, contentType: MergePatch.mediaType)
        #expect(
            labelled.headers.map(\.value) == [
                "299 - \"existing pods in namespace \\\"default\\\" violate the new PodSecurity enforce level "
                    + "\\\"baseline:latest\\\"\"",
                "299 - \"there: host namespaces\"",
            ])
        let refused = try await cluster.call("POST", pods, pod("p", ["hostPID": true]))
        #expect(refused.status == 403)
        #expect(
            refused.message
                == "pods \"p\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces (hostPID=true)")
        let workload = try await cluster.call(
            "POST", "/apis/apps/v1/namespaces/default/deployments",
            [
                "metadata": ["name": "d"],
                "spec": [
                    "selector": ["matchLabels": ["a": "b"]],
                    "template": [
                        "metadata": ["labels": ["a": "b"]],
                        "spec": ["hostPID": true, "containers": [["name": "c", "image": "i"]]],
                    ],
                ],
            ])
        #expect(workload.status == 201)
        #expect(
            workload.headers.contains {
                $0.name == "Warning"
                    && $0.value == "299 - \"would violate PodSecurity \\\"baseline:latest\\\": host namespaces "
                        + "(hostPID=true)\""
            })
        let wrong = try await cluster.call(
            "POST", "/api/v1/namespaces",
            ["metadata": ["name": "x", "labels": ["pod-security.kubernetes.io/audit": "some"]]])
        #expect(wrong.status == 422)
        #expect(wrong.json["details"]["causes"][0]["field"] == "metadata.labels[pod-security.kubernetes.io/audit]")
    }

    @Test func statusAndLabelsAreNoSecurityMatter() async throws {
        let cluster = try await TestServer()
        try await cluster.call("POST", pods, pod("p", ["hostPID": true]))
        try await cluster.call(
            "PATCH", "/api/v1/namespaces/default",
            ["metadata": ["labels": ["pod-security.kubernetes.io/enforce": "restricted"]]],
            contentType: MergePatch.mediaType)
        for (target, patch) in [
            (pods + "/p", ["metadata": ["labels": ["a": "b"]]]), (pods + "/p/status", ["status": ["phase": "Running"]]),
        ] as [(String, JSONValue)] {
            #expect(try await cluster.call("PATCH", target, patch, contentType: MergePatch.mediaType).status == 200)
        }
        let image = try await cluster.call(
            "PATCH", pods + "/p", [["op": "replace", "path": "/spec/containers/0/image", "value": "j"]],
            contentType: JSONPatch.mediaType)
        #expect(image.status == 403)
    }
}
