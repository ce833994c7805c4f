// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeServer
import KubeStore
import Logging
import Testing

/// Definitions and the objects of their kinds.
@Suite struct CustomResourceTests {
    static let crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    static let objects = "/apis/stable.example.com/v1/namespaces/default/crontabs"

    static func definition(
        plural: String = "crontabs", kind: String = "CronTab", shortNames: [String] = ["ct"],
        versions: [JSONValue]? = nil
    ) -> JSONValue {
        [
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": ["name": .string("\(plural).stable.example.com")],
            "spec": [
                "group": "stable.example.com", "scope": "Namespaced",
                "names": [
                    "plural": .string(plural), "kind": .string(kind),
                    "shortNames": shortNames.isEmpty ? nil : JSONValue(shortNames),
                ],
                "versions": .array(versions ?? [version("v1", isStorage: true)]),
            ],
        ]
    }

    static func version(_ name: String, isStorage: Bool, isServed: Bool = true) -> JSONValue {
        .object([
            "name": .string(name), "served": .bool(isServed), "storage": .bool(isStorage),
            "schema": [
                "openAPIV3Schema": [
                    "type": "object",
                    "properties": [
                        "spec": [
                            "type": "object", "required": ["cronSpec"],
                            "properties": [
                                "cronSpec": ["type": "string", "pattern": "^\\S+( \\S+){4}$"],
                                "image": ["type": "string"],
                                "replicas": ["type": "integer", "minimum": 1, "maximum": 10, "default": 1],
                            ],
                        ],
                        "status": [
                            "type": "object",
                            "properties": ["replicas": ["type": "integer"], "selector": ["type": "string"]],
                        ],
                    ],
                ]
            ],
            "subresources": [
                "status": .object([:]),
                "scale": [
                    "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                    "labelSelectorPath": ".status.selector",
                ],
            ],
            "selectableFields": [["jsonPath": ".spec.image"]],
            "additionalPrinterColumns": [
                ["name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"],
                ["name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1],
                ["name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"],
            ],
        ])
    }

    static func object(_ name: String, version: String = "v1", spec: JSONValue) -> JSONValue {
        [
            "apiVersion": .string("stable.example.com/\(version)"), "kind": "CronTab",
            "metadata": ["name": .string(name)], "spec": spec,
        ]
    }

    private func cluster() async throws -> TestServer {
        let cluster = try await TestServer()
        let created = try await cluster.call("POST", Self.crds, Self.definition())
        #expect(created.status == 201, "\(created.message)")
        return cluster
    }

    @Test func aKindIsServedOnceItsDefinitionIsAnswered() async throws {
        let cluster = try await cluster()
        let definition = try await cluster.call("GET", "\(Self.crds)/crontabs.stable.example.com")
        #expect(Conditions.isTrue("NamesAccepted", in: definition.object.status))
        #expect(Conditions.isTrue("Established", in: definition.object.status))
        #expect(definition.json["status"]["acceptedNames"]["singular"] == "crontab")
        #expect(definition.json["status"]["storedVersions"] == ["v1"])
        let list = try await cluster.call("GET", "/apis/stable.example.com/v1")
        let names = list.json["resources"].elements.compactMap { $0["name"].string }
        #expect(names == ["crontabs", "crontabs/scale", "crontabs/status"])
        let made = try await cluster.call(
            "POST", Self.objects, Self.object("a", spec: ["cronSpec": "* * * * *", "unknown": 1]))
        #expect(made.status == 201, "\(made.message)")
        #expect(made.json["spec"] == ["cronSpec": "* * * * *", "replicas": 1])
        #expect(made.json["metadata"]["generation"] == 1)
        #expect(made.headers.contains { $0.value.contains("unknown field") })
        let table = try await cluster.call(
            "GET", Self.objects, accept: "application/json;as=Table;g=meta.k8s.io;v=v1")
        #expect(table.json["columnDefinitions"].elements.map { $0["name"] } == ["Name", "Spec", "Replicas", "Age"])
        #expect(table.json["rows"][0]["cells"][1] == "* * * * *")
    }

    @Test func valuesAreRefusedInUpstreamsWords() async throws {
        let cluster = try await cluster()
        let answer = try await cluster.call(
            "POST", Self.objects, Self.object("a", spec: ["cronSpec": "x", "replicas": "many"]))
        #expect(answer.status == 422)
        #expect(
            answer.message == """
                CronTab.stable.example.com "a" is invalid: [spec.cronSpec: Invalid value: "x": spec.cronSpec in body \
                should match '^\\S+( \\S+){4}$', spec.replicas: Invalid value: "string": spec.replicas in body must be \
                of type integer: "string", .spec.replicas: Invalid value: 0: .spec.replicas accessor error: many is of \
                the type string, expected int64]
                """)
        let missing = try await cluster.call("POST", Self.objects, Self.object("a", spec: .object([:])))
        #expect(missing.message.hasSuffix("is invalid: spec.cronSpec: Required value"), "\(missing.message)")
        let strict = try await cluster.call(
            "POST", Self.objects + "?fieldValidation=Strict",
            Self.object("a", spec: ["cronSpec": "* * * * *", "foo": 1]))
        #expect(strict.status == 400)
        #expect(strict.message.hasSuffix("strict decoding error: unknown field \"spec.foo\""), "\(strict.message)")
    }

    @Test func statusAndScaleAreSubresources() async throws {
        let cluster = try await cluster()
        var made = try await cluster.call(
            "POST", Self.objects, Self.object("a", spec: ["cronSpec": "* * * * *"])
        ).object
        made.status = ["replicas": 3, "selector": "app=a"]
        made.labels = ["not": "changed"]
        let status = try await cluster.call("PUT", "\(Self.objects)/a/status", made.json)
        #expect(status.json["status"]["replicas"] == 3, "\(status.message)")
        #expect(status.object.labels.isEmpty)
        #expect(status.json["metadata"]["generation"] == 1)
        let scale = try await cluster.call("GET", "\(Self.objects)/a/scale")
        #expect(scale.json["spec"]["replicas"] == 1)
        #expect(scale.json["status"] == ["replicas": 3, "selector": "app=a"])
        let scaled = try await cluster.call(
            "PATCH", "\(Self.objects)/a/scale", ["spec": ["replicas": 5]],
            contentType: "application/merge-patch+json")
        #expect(scaled.json["spec"]["replicas"] == 5, "\(scaled.message)")
        let object = try await cluster.call("GET", "\(Self.objects)/a")
        #expect(object.json["spec"]["replicas"] == 5)
        #expect(object.json["metadata"]["generation"] == 2)
        let tooMany = try await cluster.call(
            "PATCH", "\(Self.objects)/a/scale", ["spec": ["replicas": 50]],
            contentType: "application/merge-patch+json")
        #expect(tooMany.status == 422)
        let strategic = try await cluster.call(
            "PATCH", "\(Self.objects)/a", ["spec": ["replicas": 5]],
            contentType: "application/strategic-merge-patch+json")
        #expect(strategic.status == 415)
    }

    @Test func severalVersionsAreServedOverOne() async throws {
        let cluster = try await TestServer()
        try await cluster.call(
            "POST", Self.crds,
            Self.definition(versions: [
                Self.version("v1beta1", isStorage: true), Self.version("v1", isStorage: false),
            ]))
        let group = try await cluster.call("GET", "/apis/stable.example.com")
        #expect(group.json["preferredVersion"]["version"] == "v1")
        try await cluster.call("POST", Self.objects, Self.object("a", spec: ["cronSpec": "* * * * *", "image": "x"]))
        let old = try await cluster.call(
            "GET", "/apis/stable.example.com/v1beta1/namespaces/default/crontabs/a")
        #expect(old.json["apiVersion"] == "stable.example.com/v1beta1")
        let new = try await cluster.call("GET", "\(Self.objects)?fieldSelector=spec.image=x")
        #expect(new.json["items"][0]["apiVersion"] == "stable.example.com/v1")
        let none = try await cluster.call("GET", "\(Self.objects)?fieldSelector=spec.image=y")
        #expect(none.json["items"] == [])
    }

    @Test func aDefinitionTakesItsObjectsAlong() async throws {
        let cluster = try await cluster()
        for name in ["a", "b"] {
            try await cluster.call("POST", Self.objects, Self.object(name, spec: ["cronSpec": "* * * * *"]))
        }
        try await cluster.call(
            "PATCH", "\(Self.objects)/b", ["metadata": ["finalizers": ["example.com/hold"]]],
            contentType: "application/merge-patch+json")
        let path = "\(Self.crds)/crontabs.stable.example.com"
        let deleted = try await cluster.call("DELETE", path)
        #expect(deleted.status == 200)
        let waiting = try await cluster.call("GET", path)
        #expect(Conditions.isTrue("Terminating", in: waiting.object.status))
        #expect(waiting.object.finalizers == ["customresourcecleanup.apiextensions.k8s.io"])
        #expect(try await cluster.call("GET", "\(Self.objects)/a").status == 404)
        let refused = try await cluster.call("POST", Self.objects, Self.object("c", spec: ["cronSpec": "* * * * *"]))
        #expect(refused.status == 403)
        try await cluster.call(
            "PATCH", "\(Self.objects)/b", [["op": "remove", "path": "/metadata/finalizers"]],
            contentType: "application/json-patch+json")
        #expect(try await cluster.call("GET", path).status == 404)
        #expect(try await cluster.call("GET", Self.objects).status == 404)
        #expect(try await cluster.call("GET", "/apis/stable.example.com").status == 404)
    }

    @Test func namesGoToTheFirst() async throws {
        let cluster = try await cluster()
        try await cluster.call(
            "POST", Self.crds, Self.definition(plural: "others", kind: "Other", shortNames: ["ct"]))
        let path = "\(Self.crds)/others.stable.example.com"
        var other = try await cluster.call("GET", path)
        let condition = Conditions.find("NamesAccepted", in: other.object.status)
        #expect(condition["status"] == "False")
        #expect(condition["reason"] == "ShortNamesConflict")
        #expect(condition["message"] == "\"ct\" is already in use")
        try await cluster.call("DELETE", "\(Self.crds)/crontabs.stable.example.com")
        other = try await cluster.call("GET", path)
        #expect(Conditions.isTrue("Established", in: other.object.status))
    }

    @Test func defaultsReachWhatWasStoredBefore() async throws {
        let cluster = try await cluster()
        try await cluster.call("POST", Self.objects, Self.object("a", spec: ["cronSpec": "* * * * *"]))
        let schema = "/spec/versions/0/schema/openAPIV3Schema"
        let patched = try await cluster.call(
            "PATCH", "\(Self.crds)/crontabs.stable.example.com",
            [
                [
                    "op": "add", "path": .string("\(schema)/properties/spec/properties/image/default"),
                    "value": "busybox",
                ]
            ],
            contentType: "application/json-patch+json")
        #expect(patched.status == 200, "\(patched.message)")
        #expect(try await cluster.call("GET", "\(Self.objects)/a").json["spec"]["image"] == "busybox")
        #expect(try await cluster.call("GET", Self.objects).json["items"][0]["spec"]["image"] == "busybox")
    }

    @Test func rulesAreRunAfterTheSchema() async throws {
        let cluster = try await TestServer()
        var version = Self.version("v1", isStorage: true)
        version["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"] = [
            ["rule": "self.replicas <= 5 || self.image == 'big'", "message": "too many replicas"],
            ["rule": "self.cronSpec == oldSelf.cronSpec", "message": "cronSpec is immutable"],
        ]
        let created = try await cluster.call("POST", Self.crds, Self.definition(versions: [version]))
        #expect(created.status == 201, "\(created.message)")
        let many = try await cluster.call(
            "POST", Self.objects, Self.object("a", spec: ["cronSpec": "* * * * *", "replicas": 6, "image": "small"]))
        #expect(
            many.message.hasSuffix(#"is invalid: spec: Invalid value: "object": too many replicas"#), "\(many.message)")
        let wrong = try await cluster.call("POST", Self.objects, Self.object("a", spec: ["replicas": 6]))
        #expect(wrong.message.contains("some validation rules were not checked because the object was invalid"))
        try await cluster.call("POST", Self.objects, Self.object("a", spec: ["cronSpec": "* * * * *"]))
        let changed = try await cluster.call(
            "PATCH", "\(Self.objects)/a", ["spec": ["cronSpec": "1 * * * *"]],
            contentType: "application/merge-patch+json")
        #expect(changed.message.hasSuffix("cronSpec is immutable"), "\(changed.message)")
        version["schema"]["openAPIV3Schema"]["properties"]["spec"]["x-kubernetes-validations"] = [
            ["rule": "self.no == 1"]
        ]
        let refused = try await cluster.call(
            "POST", Self.crds, Self.definition(plural: "others", kind: "Other", shortNames: [], versions: [version]))
        #expect(refused.status == 422)
        #expect(refused.message.contains("undefined field 'no'"), "\(refused.message)")
    }

    @Test func watchesEndWhenTheSchemaChanges() async throws {
        let cluster = try await cluster()
        try await cluster.call(
            "POST", Self.crds, Self.definition(plural: "others", kind: "Other", shortNames: []))
        let path = "\(Self.crds)/crontabs.stable.example.com"
        for change in ["/spec/versions/0/schema/openAPIV3Schema/description", ""] {
            let response = await cluster.respond("GET", "\(Self.objects)?watch=true")
            guard case .stream(let stream) = response.body else {
                Issue.record("a watch is a stream")
                return
            }
            if change.isEmpty {
                try await cluster.call("DELETE", path)
            } else {
                let patched = try await cluster.call(
                    "PATCH", path, [["op": "add", "path": .string(change), "value": "new"]],
                    contentType: "application/json-patch+json")
                #expect(patched.status == 200, "\(patched.message)")
            }
            var chunks = 0
            for try await _ in stream { chunks += 1 }
            #expect(chunks == 0)
        }
    }

    @Test func kindsAreServedAfterARestart() async throws {
        let store = try KubeStore(inMemory: StoreConfiguration(), logger: Logger(label: "test"))
        let definition = Self.definition()
        let object = Self.object("a", spec: ["cronSpec": "* * * * *"])
        for round in 0..<2 {
            let server = APIServer(store: store, logger: Logger(label: "test"))
            if round == 0 {
                try await server.bootstrap(host: "127.0.0.1", port: 6443)
                for (path, body) in [(Self.crds, definition), (Self.objects, object)] {
                    let made = await server.handle(
                        KubeRequest(
                            method: "POST", path: path, contentType: "application/json", body: body.encoded),
                        user: .admin)
                    #expect(made.status == 201)
                }
            }
            let answer = await server.handle(KubeRequest(method: "GET", path: Self.objects + "/a"), user: .admin)
            #expect(answer.status == 200, "round \(round)")
        }
    }

    @Test func manyDefinitionsAreServed() async throws {
        let cluster = try await TestServer()
        for number in 0..<50 {
            let made = try await cluster.call(
                "POST", Self.crds, Self.definition(plural: "kind\(number)s", kind: "Kind\(number)", shortNames: []))
            #expect(made.status == 201, "\(made.message)")
        }
        let list = try await cluster.call("GET", "/apis/stable.example.com/v1")
        #expect(list.json["resources"].elements.count == 150)
        let document = try await cluster.call("GET", "/openapi/v3/apis/stable.example.com/v1")
        #expect(document.json["components"]["schemas"]["com.example.stable.v1.Kind49"] != .null)
        let schemas = try await cluster.call("GET", "/openapi/v2")
        #expect(schemas.json["definitions"]["com.example.stable.v1.Kind0List"] != .null)
    }
}
