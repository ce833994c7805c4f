// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@Suite struct OpenAPITests {
    private static let apps = [
        OpenAPI.Resource(.deployments, subresources: ["status", "scale"]), OpenAPI.Resource(.replicaSets),
    ]

    private func references(_ value: JSONValue) -> Set<String> {
        switch value {
        case .object(let members):
            members.reduce(into: []) { result, member in
                if member.key == "$ref", let target = member.value.string { result.insert(target) }
                result.formUnion(references(member.value))
            }
        case .array(let elements): elements.reduce(into: []) { $0.formUnion(references($1)) }
        default: []
        }
    }

    @Test func everyReferenceResolves() {
        let v3 = OpenAPI.v3Document(Self.apps + [OpenAPI.Resource(.pods)], serverVersion: "v1.36.0")
        for reference in references(v3) {
            let name = String(reference.dropFirst("#/components/schemas/".count))
            #expect(!v3["components"]["schemas"][name].isNull, "\(reference)")
        }
        let v2 = OpenAPI.v2Document(Self.apps, serverVersion: "v1.36.0")
        for reference in references(v2) {
            #expect(!v2["definitions"][String(reference.dropFirst("#/definitions/".count))].isNull, "\(reference)")
        }
    }

    /// What kubectl looks for before it uses dry runs, field validation and strategic merge patches.
    @Test func patchOperationsSayWhatKubectlLooksFor() {
        let document = OpenAPI.v3Document(Self.apps, serverVersion: "v1.36.0")
        let patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
        #expect(
            patch["x-kubernetes-group-version-kind"] == ["group": "apps", "version": "v1", "kind": "Deployment"])
        let names = patch["parameters"].elements.compactMap(\.["name"].string)
        #expect(names == ["dryRun", "fieldManager", "fieldValidation", "force"])
        #expect(
            patch["requestBody"]["content"].members.keys.sorted() == [
                "application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json",
                "application/strategic-merge-patch+json",
            ])
        #expect(!document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}/scale"].isNull)
    }

    /// kubectl apply sends a strategic merge patch wherever that is published, and custom kinds refuse it.
    @Test func customKindsPublishNoStrategicMerge() {
        let topics = KubeResource(
            group: "kafka.strimzi.io", version: "v1beta2", plural: "kafkatopics", kind: "KafkaTopic")
        let custom = OpenAPI.CustomKind(typeName: "io.strimzi.kafka.v1beta2.KafkaTopic", listKind: "KafkaTopicList") {
            _, _ in ["type": "object"]
        }
        let resource = OpenAPI.Resource(topics, subresources: ["status"], custom: custom)
        let document = OpenAPI.v3Document([resource], serverVersion: "v1.36.0")
        let path = "/apis/kafka.strimzi.io/v1beta2/namespaces/{namespace}/kafkatopics/{name}"
        for path in [path, "\(path)/status"] {
            #expect(
                document["paths"][path]["patch"]["requestBody"]["content"].members.keys.sorted() == [
                    "application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json",
                ])
        }
    }

    @Test func definitionsCarryTheExtensions() {
        let schemas = OpenAPI.v3Document(Self.apps, serverVersion: "v1.36.0")["components"]["schemas"]
        let ports = schemas["io.k8s.api.core.v1.Container"]["properties"]["ports"]
        #expect(
            ports == [
                "type": "array", "x-kubernetes-patch-strategy": "merge",
                "x-kubernetes-patch-merge-key": "containerPort", "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
                "items": [
                    "allOf": [["$ref": "#/components/schemas/io.k8s.api.core.v1.ContainerPort"]], "default": [:],
                ],
            ])
        let deployment = schemas["io.k8s.api.apps.v1.Deployment"]
        #expect(
            deployment["x-kubernetes-group-version-kind"]
                == [["group": "apps", "version": "v1", "kind": "Deployment"]])
        #expect(
            deployment["properties"]["metadata"] == [
                "allOf": [["$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"]],
                "default": [:],
            ])
        let spec = schemas["io.k8s.api.apps.v1.DeploymentSpec"]
        #expect(spec["required"] == ["selector", "template"])
        #expect(spec["properties"]["replicas"] == ["type": "integer", "format": "int32"])
        let strategy = schemas["io.k8s.api.apps.v1.DeploymentStrategy"]["properties"]["type"]
        #expect(strategy == ["type": "string", "enum": ["Recreate", "RollingUpdate"]])
        // Inlined structs have no definition use of their own here: a volume has its sources as members.
        #expect(!schemas["io.k8s.api.core.v1.Volume"]["properties"]["emptyDir"].isNull)
    }

    @Test func indexNamesTheDocuments() {
        #expect(
            OpenAPI.v3Index(["apis/apps/v1": "AB"]) == [
                "paths": ["apis/apps/v1": ["serverRelativeURL": "/openapi/v3/apis/apps/v1?hash=AB"]]
            ])
    }
}
