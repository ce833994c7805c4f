// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import Testing

/// Creating, changing and deleting objects.
@Suite struct WriteTests {
    private let maps = "/api/v1/namespaces/default/configmaps"

    private func deployment(_ name: String = "web", image: String = "nginx:1") -> JSONValue {
        [
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": .string(name)],
            "spec": [
                "selector": ["matchLabels": ["app": "web"]],
                "template": [
                    "metadata": ["labels": ["app": "web"]],
                    "spec": ["containers": [["name": "c", "image": .string(image)]]],
                ],
            ],
        ]
    }

    @Test func createSetsMetadata() async throws {
        let cluster = try await TestServer()
        let object = try await cluster.configMap("a", data: ["k": "v"])
        #expect(object.uid.utf8.count == 36)
        #expect(object.creationTimestamp != nil)
        #expect(Int(object.resourceVersion) ?? 0 > 1)
        #expect(object.namespace == "default")
        let again = try await cluster.call("GET", maps + "/a")
        #expect(again.object == object)
        let second = try await cluster.call("POST", maps, ["metadata": ["name": "a"]])
        #expect(second.status == 409)
        #expect(second.message == "configmaps \"a\" already exists")
    }

    @Test func generateNameAppendsFiveCharacters() async throws {
        let cluster = try await TestServer()
        let made = try await cluster.call("POST", maps, ["metadata": ["generateName": "job-"]])
        #expect(made.status == 201)
        #expect(made.object.name.hasPrefix("job-"))
        #expect(made.object.name.utf8.count == 9)
    }

    @Test func generationMovesOnlyWithSpec() async throws {
        let cluster = try await TestServer()
        let path = "/apis/apps/v1/namespaces/default/deployments"
        let made = try await cluster.call("POST", path, deployment())
        #expect(made.object.generation == 1)
        #expect(made.object.spec["replicas"] == 1)
        let merge = "application/merge-patch+json"
        let labelled = try await cluster.call(
            "PATCH", path + "/web", ["metadata": ["labels": ["a": "b"]]], contentType: merge)
        #expect(labelled.object.generation == 1)
        let scaled = try await cluster.call("PATCH", path + "/web", ["spec": ["replicas": 3]], contentType: merge)
        #expect(scaled.object.generation == 2)
        let status = try await cluster.call(
            "PATCH", path + "/web/status", ["spec": ["replicas": 9], "status": ["replicas": 2]], contentType: merge)
        #expect(status.object.spec["replicas"] == 3)
        #expect(status.object.status["replicas"] == 2)
        #expect(status.object.generation == 2)
        let ignored = try await cluster.call("PATCH", path + "/web", ["status": ["replicas": 7]], contentType: merge)
        #expect(ignored.object.status["replicas"] == 2)
        #expect(ignored.object.resourceVersion == status.object.resourceVersion, "no change is not written")
    }

    @Test func updateChecksResourceVersionAndIdentity() async throws {
        let cluster = try await TestServer()
        var object = try await cluster.configMap("a", data: ["k": "1"])
        object["data"]["k"] = "2"
        let first = try await cluster.call("PUT", maps + "/a", object.json)
        #expect(first.status == 200)
        object["data"]["k"] = "3"
        let stale = try await cluster.call("PUT", maps + "/a", object.json)
        #expect(stale.status == 409)
        #expect(stale.message.hasSuffix("please apply your changes to the latest version and try again"))
        var unpinned = object
        unpinned.resourceVersion = ""
        #expect(try await cluster.call("PUT", maps + "/a", unpinned.json).status == 200)
        var renamed = unpinned
        renamed.name = "b"
        #expect(try await cluster.call("PUT", maps + "/a", renamed.json).status == 400)
        var other = unpinned
        other.metadata["uid"] = "00000000-0000-4000-8000-000000000000"
        #expect(try await cluster.call("PUT", maps + "/a", other.json).status == 409)
        #expect(try await cluster.call("PUT", maps + "/missing", ["metadata": ["name": "missing"]]).status == 404)
    }

    @Test func concurrentPatchesAllApply() async throws {
        let cluster = try await TestServer()
        try await cluster.configMap("a")
        try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<5 {
                group.addTask {
                    try await cluster.call(
                        "PATCH", maps + "/a", ["data": ["k\(index)": "v"]], contentType: "application/merge-patch+json"
                    ).status
                }
            }
            for try await status in group { #expect(status == 200) }
        }
        let object = try await cluster.call("GET", maps + "/a").object
        #expect(object["data"].members.count == 5)
    }

    @Test func patchTypes() async throws {
        let cluster = try await TestServer()
        let path = "/apis/apps/v1/namespaces/default/deployments"
        try await cluster.call("POST", path, deployment())
        let strategic = try await cluster.call(
            "PATCH", path + "/web",
            ["spec": ["template": ["spec": ["containers": [["name": "c", "image": "nginx:2"]]]]]],
            contentType: "application/strategic-merge-patch+json")
        let container = strategic.object.spec["template"]["spec"]["containers"][0]
        #expect(container["image"] == "nginx:2")
        #expect(container["name"] == "c")
        let json = try await cluster.call(
            "PATCH", path + "/web", [["op": "replace", "path": "/spec/replicas", "value": 4]],
            contentType: "application/json-patch+json")
        #expect(json.object.spec["replicas"] == 4)
        let failed = try await cluster.call(
            "PATCH", path + "/web", [["op": "remove", "path": "/spec/nothing"]],
            contentType: "application/json-patch+json")
        #expect(failed.status == 422)
        let unknown = try await cluster.call("PATCH", path + "/web", [:], contentType: "application/apply-patch+cbor")
        #expect(unknown.status == 415)
    }

    @Test func deletePreconditionsAndFinalizers() async throws {
        let cluster = try await TestServer()
        let object = try await cluster.configMap("a")
        let wrong = try await cluster.call("DELETE", maps + "/a", ["preconditions": ["uid": "x"]])
        #expect(wrong.status == 409)
        let merge = "application/merge-patch+json"
        try await cluster.call(
            "PATCH", maps + "/a", ["metadata": ["finalizers": ["example.com/hold"]]], contentType: merge)
        let marked = try await cluster.call("DELETE", maps + "/a")
        #expect(marked.status == 200)
        #expect(marked.object.isBeingDeleted)
        let added = try await cluster.call(
            "PATCH", maps + "/a", ["metadata": ["finalizers": ["example.com/hold", "example.com/more"]]],
            contentType: merge)
        #expect(added.status == 422)
        try await cluster.call("PATCH", maps + "/a", ["metadata": ["finalizers": nil]], contentType: merge)
        try await cluster.call(
            "PATCH", maps + "/a", [["op": "remove", "path": "/metadata/finalizers"]],
            contentType: "application/json-patch+json")
        #expect(try await cluster.call("GET", maps + "/a").status == 404)
        let gone = try await cluster.call("DELETE", maps + "/a")
        #expect(gone.status == 404)
        #expect(gone.json["details"]["kind"] == "configmaps")
        #expect(object.uid != (try await cluster.configMap("a")).uid)
    }

    @Test(arguments: [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
    func propagationSetsFinalizer(policy: String, finalizer: String) async throws {
        let cluster = try await TestServer()
        try await cluster.configMap("a")
        let marked = try await cluster.call("DELETE", maps + "/a?propagationPolicy=\(policy)")
        #expect(marked.object.finalizers == [finalizer])
        #expect(marked.object.isBeingDeleted)
    }

    @Test func dryRunWritesNothing() async throws {
        let cluster = try await TestServer()
        let made = try await cluster.call("POST", maps + "?dryRun=All", ["metadata": ["name": "a"]])
        #expect(made.status == 201)
        #expect(try await cluster.call("GET", maps + "/a").status == 404)
        try await cluster.configMap("b", data: ["k": "1"])
        let merge = "application/merge-patch+json"
        let patched = try await cluster.call(
            "PATCH", maps + "/b?dryRun=All", ["data": ["k": "2"]], contentType: merge)
        #expect(patched.json["data"]["k"] == "2")
        #expect(try await cluster.call("GET", maps + "/b").json["data"]["k"] == "1")
        #expect(try await cluster.call("DELETE", maps + "/b?dryRun=All").status == 200)
        #expect(try await cluster.call("GET", maps + "/b").status == 200)
    }

    @Test func podsAreDeletedGracefully() async throws {
        let cluster = try await TestServer()
        let path = "/api/v1/namespaces/default/pods"
        let pod: JSONValue = ["metadata": ["name": "p"], "spec": ["containers": [["name": "c", "image": "i"]]]]
        try await cluster.call("POST", path, pod)
        #expect(try await cluster.call("DELETE", path + "/p").status == 200)
        #expect(try await cluster.call("GET", path + "/p").status == 404, "without a node it goes at once")
        let made = try await cluster.call("POST", path, pod)
        #expect(made.object.spec["serviceAccountName"] == "default")
        #expect(made.object.status["phase"] == "Pending")
        let binding: JSONValue = ["metadata": ["name": "p"], "target": ["kind": "Node", "name": "n1"]]
        #expect(try await cluster.call("POST", path + "/p/binding", binding).status == 201)
        #expect(try await cluster.call("POST", path + "/p/binding", binding).status == 409)
        let bound = try await cluster.call("GET", path + "/p").object
        #expect(bound.spec["nodeName"] == "n1")
        #expect(Conditions.isTrue("PodScheduled", in: bound.status))
        let marked = try await cluster.call("DELETE", path + "/p").object
        #expect(marked.metadata["deletionGracePeriodSeconds"] == 30)
        let shorter = try await cluster.call("DELETE", path + "/p?gracePeriodSeconds=5").object
        #expect(shorter.metadata["deletionGracePeriodSeconds"] == 5)
        let longer = try await cluster.call("DELETE", path + "/p?gracePeriodSeconds=60").object
        #expect(longer.metadata["deletionGracePeriodSeconds"] == 5)
        #expect(try await cluster.call("DELETE", path + "/p?gracePeriodSeconds=0").status == 200)
        #expect(try await cluster.call("GET", path + "/p").status == 404)
    }

    @Test func namespacesGoAfterTheirFinalizer() async throws {
        let cluster = try await TestServer()
        let made = try await cluster.call("POST", "/api/v1/namespaces", ["metadata": ["name": "n"]])
        #expect(made.object.status["phase"] == "Active")
        #expect(made.object.spec["finalizers"] == ["kubernetes"])
        var deleted = try await cluster.call("DELETE", "/api/v1/namespaces/n").object
        #expect(deleted.status["phase"] == "Terminating")
        let refused = try await cluster.call("POST", "/api/v1/namespaces/n/configmaps", ["metadata": ["name": "a"]])
        #expect(refused.status == 403)
        #expect(
            refused.message == "configmaps \"a\" is forbidden: unable to create new content in namespace n because it "
                + "is being terminated")
        deleted.spec["finalizers"] = .null
        #expect(try await cluster.call("PUT", "/api/v1/namespaces/n/finalize", deleted.json).status == 200)
        #expect(try await cluster.call("GET", "/api/v1/namespaces/n").status == 404)
        let missing = try await cluster.call("POST", "/api/v1/namespaces/n/configmaps", ["metadata": ["name": "a"]])
        #expect(missing.status == 404)
        #expect(missing.message == "namespaces \"n\" not found")
        #expect(try await cluster.call("DELETE", "/api/v1/namespaces/default").status == 403)
    }

    @Test func scaleSubresource() async throws {
        let cluster = try await TestServer()
        let path = "/apis/apps/v1/namespaces/default/deployments"
        try await cluster.call("POST", path, deployment())
        var scale = try await cluster.call("GET", path + "/web/scale").object
        #expect(scale.kind == "Scale")
        #expect(scale.status["selector"] == "app=web")
        scale.spec["replicas"] = 5
        let changed = try await cluster.call("PUT", path + "/web/scale", scale.json)
        #expect(changed.object.spec["replicas"] == 5)
        #expect(try await cluster.call("PUT", path + "/web/scale", scale.json).status == 409, "stale version")
        #expect(try await cluster.call("GET", path + "/web").object.spec["replicas"] == 5)
    }

    @Test func jobsAndSecretsAreCompleted() async throws {
        let cluster = try await TestServer()
        let job = try await cluster.call(
            "POST", "/apis/batch/v1/namespaces/default/jobs",
            [
                "metadata": ["generateName": "j-"],
                "spec": [
                    "template": [
                        "spec": ["restartPolicy": "Never", "containers": [["name": "c", "image": "i"]]]
                    ]
                ],
            ]
        ).object
        #expect(job.spec["selector"]["matchLabels"]["batch.kubernetes.io/controller-uid"] == .string(job.uid))
        let labels = job.spec["template"]["metadata"]["labels"]
        #expect(labels["batch.kubernetes.io/job-name"] == .string(job.name))
        let secret = try await cluster.call(
            "POST", "/api/v1/namespaces/default/secrets",
            ["metadata": ["name": "s"], "stringData": ["password": "open sesame"]])
        #expect(secret.json["data"]["password"] == "b3BlbiBzZXNhbWU=")
        #expect(secret.json["stringData"].isNull)
        #expect(secret.json["type"] == "Opaque")
    }

    @Test func eventsAreOneObjectInTwoGroups() async throws {
        let cluster = try await TestServer()
        try await cluster.call(
            "POST", "/apis/events.k8s.io/v1/namespaces/default/events",
            [
                "metadata": ["name": "e"], "eventTime": "2026-01-01T00:00:00.000000Z", "note": "hello",
                "reportingController": "a.io/b", "reportingInstance": "i", "action": "A", "reason": "R",
                "type": "Normal", "regarding": ["kind": "Pod", "name": "p", "namespace": "default"],
            ])
        let core = try await cluster.call(
            "GET", "/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=p,reason=R")
        #expect(core.json["items"][0]["message"] == "hello")
        let group = try await cluster.call("GET", "/apis/events.k8s.io/v1/namespaces/default/events")
        #expect(group.json["items"][0]["note"] == "hello")
        #expect(group.json["items"][0]["apiVersion"] == "events.k8s.io/v1")
    }

    @Test func nodesRegisterWithTheirStatus() async throws {
        let cluster = try await TestServer()
        let node = try await cluster.call(
            "POST", "/api/v1/nodes",
            ["metadata": ["name": "n1"], "status": ["capacity": ["cpu": "2", "memory": "1Gi", "pods": "10"]]])
        #expect(node.status == 201)
        #expect(node.object.status["allocatable"]["cpu"] == "2")
    }

    @Test func podsTolerateNodeFailuresForAWhile() async throws {
        let cluster = try await TestServer()
        let pod = try await cluster.call(
            "POST", "/api/v1/namespaces/default/pods",
            [
                "metadata": ["name": "p"],
                "spec": [
                    "containers": [["name": "c", "image": "i"]],
                    "tolerations": [["key": "node.kubernetes.io/not-ready", "operator": "Exists"]],
                ],
            ])
        let tolerations = pod.object.spec["tolerations"].elements
        #expect(tolerations.count == 2)
        #expect(tolerations.last?["key"] == "node.kubernetes.io/unreachable")
        #expect(tolerations.last?["tolerationSeconds"] == 300)
    }

    @Test func deleteCollectionTakesSelectors() async throws {
        let cluster = try await TestServer()
        try await cluster.configMap("a", labels: ["x": "1"])
        try await cluster.configMap("b", labels: ["x": "2"])
        #expect(try await cluster.call("DELETE", maps + "?labelSelector=x=1").status == 200)
        let rest = try await cluster.call("GET", maps)
        #expect(rest.json["items"].elements.map { KubeObject($0).name } == ["b"])
    }

    @Test func admissionChangesAndRefuses() async throws {
        let plugin = AdmissionPlugin(name: "test") { object, attributes throws(StatusError) in
            if attributes.operation == .create { object.labels["admitted"] = "true" }
            if object.name == "bad" { throw .forbidden(attributes.resource, object.name, "not wanted") }
        }
        let cluster = try await TestServer(admission: [plugin])
        #expect(try await cluster.configMap("a").labels == ["admitted": "true"])
        #expect(try await cluster.call("POST", maps, ["metadata": ["name": "bad"]]).status == 403)
    }
}
