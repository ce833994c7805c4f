// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import Testing

/// Server-side apply through the API: managers of every write, conflicts, removal, subresources.
@Suite struct ServerSideApplyTests {
    static let deployments = "/apis/apps/v1/namespaces/default/deployments"
    static let applyType = "application/apply-patch+yaml"
    static let merge = "application/merge-patch+json"

    static func deployment(_ spec: JSONValue = [:]) -> JSONValue {
        var spec = spec
        if spec["selector"].isNull { spec["selector"] = ["matchLabels": ["app": "web"]] }
        if spec["template"].isNull {
            spec["template"] = [
                "metadata": ["labels": ["app": "web"]],
                "spec": ["containers": [["name": "web", "image": "nginx:1"]]],
            ]
        }
        return ["apiVersion": "apps/v1", "kind": "Deployment", "metadata": ["name": "web"], "spec": spec]
    }

    static func apply(
        _ cluster: TestServer, _ body: JSONValue, manager: String = "one", more: String = "",
        path: String = deployments + "/web"
    ) async throws -> TestServer.Answer {
        try await cluster.call("PATCH", path + "?fieldManager=\(manager)\(more)", body, contentType: applyType)
    }

    static func entry(_ answer: TestServer.Answer, _ manager: String, subresource: String? = nil) -> JSONValue {
        answer.json["metadata"]["managedFields"].elements.first {
            $0["manager"].string == manager && $0["subresource"].string == subresource
        } ?? .null
    }

    @Test func createsAndChanges() async throws {
        let cluster = try await TestServer()
        let made = try await Self.apply(cluster, Self.deployment(["replicas": 2]))
        #expect(made.status == 201)
        #expect(made.json["spec"]["strategy"]["type"] == "RollingUpdate", "defaults are set")
        let entry = Self.entry(made, "one")
        #expect(entry["operation"] == "Apply")
        #expect(entry["apiVersion"] == "apps/v1")
        #expect(entry["fieldsType"] == "FieldsV1")
        #expect(
            entry["fieldsV1"].text
                == #"{"f:spec":{"f:replicas":{},"f:selector":{},"f:template":{"f:metadata":{"f:labels":{"f:app":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:image":{},"f:name":{}}}}}}}"#
        )
        #expect(made.json["metadata"]["managedFields"].elements.count == 1, "defaults are nobody's")
        // The same again changes nothing.
        let again = try await Self.apply(cluster, Self.deployment(["replicas": 2]))
        #expect(again.status == 200)
        #expect(again.json == made.json)
        let fewer = try await Self.apply(cluster, Self.deployment())
        #expect(fewer.json["spec"]["replicas"] == 1, "removed, then defaulted")
        #expect(fewer.object.generation == 2)
        #expect(fewer.object.resourceVersion != made.object.resourceVersion)
    }

    @Test func conflictsAreToldForcedAndShared() async throws {
        let cluster = try await TestServer()
        _ = try await Self.apply(cluster, Self.deployment(["replicas": 2]))
        let before = try await cluster.call("GET", Self.deployments + "/web")
        let conflict = try await Self.apply(cluster, Self.deployment(["replicas": 3]), manager: "two")
        #expect(conflict.status == 409)
        #expect(conflict.json["reason"] == "Conflict")
        #expect(conflict.message == #"Apply failed with 1 conflict: conflict with "one": .spec.replicas"#)
        #expect(
            conflict.json["details"]["causes"] == [
                ["reason": "FieldManagerConflict", "message": "conflict with \"one\"", "field": ".spec.replicas"]
            ])
        #expect(try await cluster.call("GET", Self.deployments + "/web").json == before.json)
        let forced = try await Self.apply(
            cluster, Self.deployment(["replicas": 3]), manager: "two", more: "&force=true")
        #expect(forced.status == 200)
        #expect(Self.entry(forced, "one")["fieldsV1"]["f:spec"]["f:replicas"].isNull)
        #expect(!Self.entry(forced, "one")["fieldsV1"]["f:spec"]["f:selector"].isNull, "shared")
        #expect(!Self.entry(forced, "two")["fieldsV1"]["f:spec"]["f:replicas"].isNull)
    }

    @Test func everyWriteIsTracked() async throws {
        let cluster = try await TestServer()
        let made = try await cluster.call("POST", Self.deployments + "?fieldManager=maker", Self.deployment())
        let fields = Self.entry(made, "maker")
        #expect(fields["operation"] == "Update")
        #expect(fields["fieldsV1"]["f:spec"]["f:replicas"] == .object([:]))
        #expect(
            fields["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]["k:{\"name\":\"web\"}"]["."]
                == .object([:]))
        #expect(fields["fieldsV1"]["f:spec"]["."].isNull)
        #expect(fields["fieldsV1"]["f:status"].isNull)
        #expect(fields["fieldsV1"]["f:metadata"].isNull, "nothing but what nobody manages")
        let patched = try await cluster.call(
            "PATCH", Self.deployments + "/web?fieldManager=patcher", ["spec": ["replicas": 5]],
            contentType: Self.merge)
        #expect(Self.entry(patched, "patcher")["fieldsV1"].text == #"{"f:spec":{"f:replicas":{}}}"#)
        #expect(Self.entry(patched, "maker")["fieldsV1"]["f:spec"]["f:replicas"].isNull)
        var object = patched.json
        object["metadata"]["labels"] = ["a": "b"]
        let put = try await cluster.call("PUT", Self.deployments + "/web?fieldManager=putter", object)
        #expect(
            Self.entry(put, "putter")["fieldsV1"].text == #"{"f:metadata":{"f:labels":{".":{},"f:a":{}}}}"#)
        object = put.json
        object["status"] = ["replicas": 1, "observedGeneration": 1]
        let status = try await cluster.call("PUT", Self.deployments + "/web/status?fieldManager=putter", object)
        #expect(
            Self.entry(status, "putter", subresource: "status")["fieldsV1"].text
                == #"{"f:status":{"f:observedGeneration":{},"f:replicas":{}}}"#)
        let scaled = try await cluster.call(
            "PATCH", Self.deployments + "/web/scale?fieldManager=scaler", ["spec": ["replicas": 7]],
            contentType: Self.merge)
        #expect(scaled.json["spec"]["replicas"] == 7)
        let final = try await cluster.call("GET", Self.deployments + "/web")
        #expect(
            Self.entry(final, "scaler", subresource: "scale")["fieldsV1"].text == #"{"f:spec":{"f:replicas":{}}}"#)
        #expect(Self.entry(final, "patcher").isNull, "it manages nothing any more")
        // A write that changes nothing changes no managers.
        let same = try await cluster.call("PUT", Self.deployments + "/web?fieldManager=other", final.json)
        #expect(same.json == final.json)
    }

    @Test func theProgramIsTheManager() async throws {
        let cluster = try await TestServer()
        let response = await cluster.server.handle(
            KubeRequest(
                method: "POST", path: "/api/v1/namespaces/default/configmaps", contentType: "application/json",
                userAgent: "kube\u{7}ctl/v1.36 (linux)",
                body: Array(#"{"metadata":{"name":"a"},"data":{"k":"v"}}"#.utf8)),
            user: .admin)
        guard case .bytes(let bytes) = response.body else { return }
        let made = try JSONParser.parse(bytes)
        #expect(made["metadata"]["managedFields"][0]["manager"] == "kubectl")
        #expect(made["metadata"]["managedFields"][0]["fieldsV1"].text == #"{"f:data":{".":{},"f:k":{}}}"#)
        let unknown = try await cluster.configMap("b", data: ["k": "v"])
        #expect(unknown.metadata["managedFields"][0]["manager"] == "unknown")
    }

    @Test func managersCanBeEditedAndForgotten() async throws {
        let cluster = try await TestServer()
        let made = try await Self.apply(cluster, Self.deployment(["replicas": 2]))
        var object = made.json
        var managers = object["metadata"]["managedFields"].elements
        managers[0]["manager"] = "renamed"
        object["metadata"]["managedFields"] = .array(managers)
        let renamed = try await cluster.call("PUT", Self.deployments + "/web", object)
        #expect(Self.entry(renamed, "one").isNull)
        #expect(Self.entry(renamed, "renamed")["fieldsV1"] == managers[0]["fieldsV1"])
        // An empty list is from a client that does not know them; invalid ones are not taken.
        for given: JSONValue in [[], [["manager": "x", "operation": "Never", "apiVersion": "v1"]]] {
            object["metadata"]["managedFields"] = given
            object["metadata"]["resourceVersion"] = nil
            let kept = try await cluster.call("PUT", Self.deployments + "/web", object)
            #expect(kept.json["metadata"]["managedFields"] == renamed.json["metadata"]["managedFields"])
        }
        let replaced = try await cluster.call(
            "PATCH", Self.deployments + "/web",
            [["op": "replace", "path": "/metadata/managedFields/0/manager", "value": "again"]],
            contentType: "application/json-patch+json")
        #expect(!Self.entry(replaced, "again").isNull)
        let reset = try await cluster.call(
            "PATCH", Self.deployments + "/web", ["metadata": ["managedFields": [[:]]]], contentType: Self.merge)
        #expect(reset.json["metadata"]["managedFields"].isNull)
        #expect(reset.json["spec"] == made.json["spec"])
        let untracked = try await cluster.call(
            "PATCH", Self.deployments + "/web", ["spec": ["replicas": 4]], contentType: Self.merge)
        #expect(untracked.json["metadata"]["managedFields"].isNull)
        let applied = try await Self.apply(cluster, Self.deployment(["replicas": 4]))
        #expect(!Self.entry(applied, "before-first-apply").isNull)
        #expect(!Self.entry(applied, "one").isNull)
    }

    @Test func statusAndScaleAreAppliedThroughTheirSubresources() async throws {
        let cluster = try await TestServer()
        var body = Self.deployment(["replicas": 2])
        body["status"] = ["replicas": 9]
        let made = try await Self.apply(cluster, body)
        #expect(made.json["status"]["replicas"].isNull)
        #expect(Self.entry(made, "one")["fieldsV1"]["f:status"].isNull)
        let missing = try await Self.apply(cluster, body, path: Self.deployments + "/none/status")
        #expect(missing.status == 400 || missing.status == 404)
        body["spec"]["replicas"] = 5
        let status = try await Self.apply(cluster, body, path: Self.deployments + "/web/status")
        #expect(status.status == 200)
        #expect(status.json["spec"]["replicas"] == 2)
        #expect(status.json["status"]["replicas"] == 9)
        #expect(
            Self.entry(status, "one", subresource: "status")["fieldsV1"].text == #"{"f:status":{"f:replicas":{}}}"#)
        #expect(status.object.generation == 1)
        let scale: JSONValue = [
            "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": ["name": "web"], "spec": ["replicas": 3],
        ]
        let conflict = try await Self.apply(
            cluster, scale, manager: "hpa", path: Self.deployments + "/web/scale")
        #expect(conflict.message == #"Apply failed with 1 conflict: conflict with "one": .spec.replicas"#)
        let forced = try await Self.apply(
            cluster, scale, manager: "hpa", more: "&force=true", path: Self.deployments + "/web/scale")
        #expect(forced.json["kind"] == "Scale")
        #expect(forced.json["spec"]["replicas"] == 3)
        let final = try await cluster.call("GET", Self.deployments + "/web")
        #expect(!Self.entry(final, "hpa", subresource: "scale").isNull)
    }

    @Test func dryRunsAndOtherKinds() async throws {
        let cluster = try await TestServer()
        let dry = try await Self.apply(cluster, Self.deployment(), more: "&dryRun=All")
        #expect(dry.status == 201)
        #expect(!Self.entry(dry, "one").isNull)
        #expect(try await cluster.call("GET", Self.deployments + "/web").status == 404)
        let service: JSONValue = [
            "apiVersion": "v1", "kind": "Service", "metadata": ["name": "web"],
            "spec": [
                "ports": [["port": 80, "name": "t"], ["port": 80, "protocol": "UDP", "name": "u"]],
                "selector": ["app": "web"],
            ],
        ]
        let path = "/api/v1/namespaces/default/services/web"
        let first = try await Self.apply(cluster, service, path: path)
        #expect(first.status == 201)
        let address = first.json["spec"]["clusterIP"]
        #expect(!address.isNull)
        let again = try await Self.apply(cluster, service, path: path)
        #expect(again.json == first.json)
        var other = service
        other["spec"]["ports"] = [["port": 443]]
        let dryChange = try await Self.apply(cluster, other, manager: "two", more: "&dryRun=All", path: path)
        #expect(dryChange.status == 422, "several ports need names: \(dryChange.message)")
        let named: JSONValue = [
            "apiVersion": "v1", "kind": "Secret", "metadata": ["name": "s"], "stringData": ["a": "b"],
        ]
        let secret = try await Self.apply(cluster, named, path: "/api/v1/namespaces/default/secrets/s")
        #expect(secret.json["data"] == ["a": "Yg=="])
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        var name: String
        var query = "fieldManager=m"
        var type = ServerSideApplyTests.applyType
        var body: String
        var status: Int
        var contains: String
        var testDescription: String { name }
    }

    static let object = #""apiVersion":"v1","kind":"ConfigMap""#
    static let refusals = [
        Refusal(
            name: "no manager", query: "", body: "{\(object)}", status: 422,
            contains:
                #"PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch"#
        ),
        Refusal(
            name: "long manager", query: "fieldManager=\(String(repeating: "x", count: 129))", body: "{\(object)}",
            status: 422, contains: "fieldManager: Too long: may not be more than 128 bytes"),
        Refusal(
            name: "unprintable manager", query: "fieldManager=a\u{1}b", body: "{\(object)}", status: 422,
            contains: "fieldManager: Invalid value: \"a\\u{01}b\": should only contain printable characters"),
        Refusal(
            name: "force of another patch", query: "force=true", type: merge, body: "{}", status: 422,
            contains: "force: Forbidden: may not be specified for non-apply patch"),
        Refusal(
            name: "managers given", body: "{\(object),\"metadata\":{\"managedFields\":[]}}", status: 400,
            contains: "metadata.managedFields must be nil"),
        Refusal(
            name: "unknown field", body: "{\(object),\"foo\":1}", status: 500,
            contains: "failed to create typed patch object (default/a; v1, Kind=ConfigMap): .foo: field not declared"),
        Refusal(
            name: "wrong type", body: "{\(object),\"data\":{\"a\":1}}", status: 500,
            contains: ".data.a: expected string, got &value.valueUnstructured{Value:1}"),
        Refusal(
            name: "wrong version", body: #"{"apiVersion":"v2","kind":"ConfigMap"}"#, status: 400,
            contains: "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1"),
        Refusal(
            name: "wrong kind", body: #"{"apiVersion":"v1","kind":"Secret"}"#, status: 400,
            contains: "invalid object type: v1, Kind=Secret"),
        Refusal(name: "no kind", body: "data: {}", status: 400, contains: "Object 'Kind' is missing"),
        Refusal(
            name: "wrong name", body: "{\(object),\"metadata\":{\"name\":\"b\"}}", status: 400,
            contains: "the name of the object (b) does not match the name on the URL (a)"),
        Refusal(
            name: "wrong namespace", body: "{\(object),\"metadata\":{\"namespace\":\"b\"}}", status: 400,
            contains: "the namespace of the object (b) does not match"),
        Refusal(
            name: "uid of nothing", body: "{\(object),\"metadata\":{\"uid\":\"x\"}}", status: 409,
            contains: "uid mismatch: the provided object specified uid x, and no existing object was found"),
        Refusal(name: "no YAML", body: "{", status: 400, contains: "error decoding YAML"),
        Refusal(name: "a list", body: "- a", status: 400, contains: "cannot unmarshal array"),
        Refusal(
            name: "duplicate keys", query: "fieldManager=m&fieldValidation=Strict",
            body: "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: b\n  a: c\n", status: 400,
            contains: "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 5: "
                + "key \"a\" already set in map"),
        Refusal(
            name: "duplicate keys of JSON", query: "fieldManager=m&fieldValidation=Strict",
            body: "{\(object),\n\"data\":{\"a\":\"b\",\n\"a\":\"c\"}}", status: 400,
            contains: "line 3: key \"a\" already set in map"),
        Refusal(
            name: "deep", body: String(repeating: "[", count: 100_000), status: 400, contains: "error decoding YAML"),
        Refusal(
            name: "aliases",
            body: (0..<9).reduce("a: &a [x,x,x,x,x,x,x,x,x]\n") { text, level in
                let name = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
                return text + "\(name[level + 1]): &\(name[level + 1]) ["
                    + Array(repeating: "*\(name[level])", count: 9).joined(separator: ",") + "]\n"
            }, status: 400, contains: "excessive aliasing"),
    ]

    @Test(arguments: refusals)
    func refuses(_ input: Refusal) async throws {
        let cluster = try await TestServer()
        let response = await cluster.respond(
            "PATCH", "/api/v1/namespaces/default/configmaps/a?\(input.query)", Array(input.body.utf8),
            contentType: input.type)
        guard case .bytes(let bytes) = response.body else { return }
        let status = try JSONParser.parse(bytes)
        #expect(response.status == input.status)
        #expect((status["message"].string ?? "").contains(input.contains), "\(status["message"])")
        #expect(try await cluster.call("GET", "/api/v1/namespaces/default/configmaps/a").status == 404)
    }

    @Test func yamlIsRead() async throws {
        let cluster = try await TestServer()
        let text = """
            apiVersion: v1
            kind: ConfigMap
            metadata: {name: a, labels: &labels {x: "1"}}
            data:
              <<: *labels
              text: |
                two
                lines
              text: last
            """
        let response = await cluster.respond(
            "PATCH", "/api/v1/namespaces/default/configmaps/a?fieldManager=m", Array(text.utf8),
            contentType: Self.applyType)
        #expect(response.status == 201)
        #expect(response.headers.map(\.value).first?.contains("already set in map") == true)
        let made = try await cluster.call("GET", "/api/v1/namespaces/default/configmaps/a")
        #expect(made.json["data"] == ["x": "1", "text": "last"])
    }

    @Test func kubectlsOwnAnnotationMigrates() async throws {
        let cluster = try await TestServer()
        let path = "/api/v1/namespaces/default/configmaps"
        let last = #"{"apiVersion":"v1","data":{"a":"1"},"kind":"ConfigMap","metadata":{"name":"m"}}"#
        let annotation = "kubectl.kubernetes.io/last-applied-configuration"
        try await cluster.call(
            "POST", path + "?fieldManager=kubectl-client-side-apply",
            [
                "apiVersion": "v1", "kind": "ConfigMap", "data": ["a": "1"],
                "metadata": ["name": "m", "annotations": [annotation: .string(last)]],
            ])
        let changed: JSONValue = [
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "m"], "data": ["a": "2"],
        ]
        let other = try await Self.apply(cluster, changed, manager: "other", path: path + "/m")
        #expect(other.status == 409)
        let mine = try await Self.apply(cluster, changed, manager: "kubectl", path: path + "/m")
        #expect(mine.status == 200, "\(mine.message)")
        #expect(mine.json["data"] == ["a": "2"])
        #expect(
            mine.object.annotations[annotation]
                == #"{"apiVersion":"v1","data":{"a":"2"},"kind":"ConfigMap","metadata":{"name":"m","namespace":"default"}}"#
                + "\n")
    }

    @Test func eventsShareManagersBetweenTheirVersions() async throws {
        let cluster = try await TestServer()
        let event: JSONValue = [
            "apiVersion": "v1", "kind": "Event", "metadata": ["name": "e"], "reason": "R", "message": "m",
            "involvedObject": ["kind": "Pod", "name": "p", "namespace": "default"], "type": "Normal",
        ]
        let made = try await Self.apply(cluster, event, path: "/api/v1/namespaces/default/events/e")
        #expect(made.status == 201, "\(made.message)")
        let newer = try await cluster.call("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e")
        #expect(newer.json["note"] == "m")
        #expect(newer.json["metadata"]["managedFields"] == made.json["metadata"]["managedFields"])
        let conflict = try await Self.apply(
            cluster,
            [
                "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": ["name": "e"], "note": "other",
            ], manager: "two", path: "/apis/events.k8s.io/v1/namespaces/default/events/e")
        #expect(conflict.message == #"Apply failed with 1 conflict: conflict with "one": .message"#)
    }
}
