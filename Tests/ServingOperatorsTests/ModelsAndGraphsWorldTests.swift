// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient
import ServingObjects
import Testing

@testable import ServingOperators

@Suite struct ModelsAndGraphsWorldTests {
    private static func model(_ name: String, memory: String = "64Mi", service: String = "many") -> String {
        """
        apiVersion: serving.kserve.io/v1alpha1
        kind: TrainedModel
        metadata: {name: \(name), namespace: default}
        spec:
          inferenceService: \(service)
          model: {storageUri: 's3://models/\(name)', framework: onnx, memory: \(memory)}
        """
    }

    @Test func trainedModelsAreWrittenForTheServer() async throws {
        try await World.run { world in
            try await world.apply(
                """
                apiVersion: serving.kserve.io/v1beta1
                kind: InferenceService
                metadata: {name: many, namespace: default}
                spec:
                  predictor:
                    model:
                      modelFormat: {name: onnx}
                      protocolVersion: v2
                      resources: {limits: {memory: 128Mi}}
                """)
            let deployment = try await world.wait(.deployments, "many-predictor-00001") { _ in true }
            let pod = deployment.spec["template"]["spec"]
            #expect(pod["volumes"][0]["configMap"]["name"].string == "modelconfig-many-0")
            #expect(pod["containers"][0]["volumeMounts"][0]["mountPath"].string == "/mnt/configs")
            #expect(pod["containers"][0]["args"][0].string == "--models-file=/mnt/configs/models.json")
            try await world.ready("many-predictor-00001")
            try await world.accept("many")
            _ = try await world.service("many") { $0.isReady }
            try await world.apply(Self.model("a"))
            let ready = try await world.wait(ServingStores.trainedModels, "a") {
                Conditions.isTrue("Ready", in: $0.status)
            }
            #expect(ready.status["url"].string == "http://many-default.localhost/v2/models/a/infer")
            try await world.apply(Self.model("b"))
            try await world.apply(Self.model("c"))
            let map = try await world.wait(.configMaps, "modelconfig-many-0") {
                $0["data"]["models.json"].string?.contains("\"b\"") == true
            }
            let entries = try JSONParser.parse(map["data"]["models.json"].string ?? "").elements
            #expect(entries.compactMap { $0["modelName"].string }.contains("a"))
            #expect(entries[0]["modelSpec"]["storageUri"].string == "s3://models/a")
            // Two of the three have room.
            let full = try await world.wait(ServingStores.trainedModels, "c") { !$0.status["conditions"].isEmpty }
            #expect(
                Conditions.find("MemoryResourceAvailable", in: full.status)["reason"].string
                    == "MemoryResourceNotAvailable")
            try await world.client.delete(ServingStores.trainedModels, world.key("a"))
            try await world.wait(ServingStores.trainedModels, "c") { Conditions.isTrue("Ready", in: $0.status) }
            // One for a service with a model of its own.
            try await world.apply(ServiceWorldTests.iris())
            try await world.apply(Self.model("d", service: "iris"))
            let wrong = try await world.wait(ServingStores.trainedModels, "d") {
                Conditions.find("IsMMSPredictor", in: $0.status)["status"].string == "False"
            }
            #expect(!Conditions.isTrue("Ready", in: wrong.status))
        }
    }

    @Test func aGraphIsARouterThatKnowsItsServicesByAddress() async throws {
        try await World.run { world in
            try await world.apply(
                """
                apiVersion: serving.kserve.io/v1alpha1
                kind: InferenceGraph
                metadata: {name: chain, namespace: default}
                spec:
                  nodes:
                    root:
                      routerType: Sequence
                      steps:
                      - {serviceName: iris, name: first, dependency: Hard}
                      - {serviceUrl: 'http://elsewhere.example/x', data: $response}
                  timeout: 20
                """)
            let waits = try await world.wait(ServingStores.graphs, "chain") { !$0.status["conditions"].isEmpty }
            #expect(Conditions.find("Ready", in: waits.status)["reason"].string == "InferenceServiceNotFound")
            try await world.apply(ServiceWorldTests.iris())
            let entry = try await world.wait(.services, "iris-predictor") { _ in true }
            let deployment = try await world.wait(.deployments, "chain") { _ in true }
            let arguments = deployment.spec["template"]["spec"]["containers"][0]["args"].elements.compactMap(\.string)
            let index = try #require(arguments.firstIndex(of: "--graph-json"))
            let spec = try JSONParser.parse(arguments[index + 1])
            let steps = spec["nodes"]["root"]["steps"].elements
            #expect(
                steps[0]["serviceUrl"].string
                    == "http://\(entry.spec["clusterIP"].string ?? "")/v1/models/iris:predict")
            #expect(steps[1]["serviceUrl"].string == "http://elsewhere.example/x")
            let read = try InferenceGraphSpec(spec, name: "chain", namespace: "default")
            #expect(read.nodes["root"]?.steps.count == 2 && read.timeout == .seconds(20))
            try await world.ready("chain")
            try await world.accept("chain")
            let ready = try await world.wait(ServingStores.graphs, "chain") {
                Conditions.isTrue("Ready", in: $0.status)
            }
            #expect(ready.status["url"].string == "http://chain-default.localhost")
        }
    }

    @Test func aGraphThatCannotBeRunSaysWhy() async throws {
        try await World.run { world in
            try await world.apply(
                """
                apiVersion: serving.kserve.io/v1alpha1
                kind: InferenceGraph
                metadata: {name: round, namespace: default}
                spec: {nodes: {root: {routerType: Sequence, steps: [{nodeName: root}]}}}
                """)
            let refused = try await world.wait(ServingStores.graphs, "round") { !$0.status["conditions"].isEmpty }
            let ready = Conditions.find("Ready", in: refused.status)
            #expect(ready["reason"].string == "InvalidSpec")
            #expect(ready["message"].string?.contains("round in a circle") == true)
        }
    }
}
