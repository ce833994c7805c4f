// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing
import YAMLFormat

@testable import ServingObjects

@Suite struct ServingSpecTests {
    static func object(_ yaml: String, name: String = "iris") throws -> KubeObject {
        let spec = try YAMLDocuments.parse(yaml)[0]
        return KubeObject([
            "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": ["name": .string(name), "namespace": "default", "generation": 4, "uid": "u"], "spec": spec,
        ])
    }

    @Test func bothFormsOfAModelAreTheSame() throws {
        let old = try ServingSpec(
            Self.object("predictor: {sklearn: {storageUri: 's3://m/iris', resources: {limits: {cpu: 1}}}}"))
        let new = try ServingSpec(
            Self.object(
                """
                predictor:
                  model: {modelFormat: {name: sklearn}, storageUri: 's3://m/iris', resources: {limits: {cpu: 1}}}
                """))
        #expect(old == new)
        #expect(old.predictor.model?.protocolVersion == "v1" && old.predictor.minimum == 1 && old.generation == 4)
        let onnx = try ServingSpec(Self.object("predictor: {onnx: {storageUri: '/models/iris.onnx'}}"))
        #expect(onnx.predictor.model?.protocolVersion == "v2")
    }

    @Test func readsAllOfAComponent() throws {
        let spec = try ServingSpec(
            Self.object(
                """
                predictor:
                  minReplicas: 2
                  maxReplicas: 9
                  scaleTarget: 7
                  scaleMetric: rps
                  containerConcurrency: 3
                  timeout: 5
                  canaryTrafficPercent: 10
                  batcher: {maxBatchSize: 16, maxLatency: 20, timeout: 3}
                  logger: {url: 'kafka://events:9092/payloads', mode: request, metadataHeaders: [x-user]}
                  labels: {team: a}
                  annotations: {note: b}
                  nodeSelector: {disk: ssd}
                  serviceAccountName: reader
                  model:
                    modelFormat: {name: onnx, version: '1'}
                    runtime: mine
                    runtimeVersion: v9
                    storage: {path: iris, parameters: {type: s3, bucket: models}}
                    args: [--threads=2]
                """))
        let part = spec.predictor
        #expect((part.minimum, part.maximum, part.scaleTarget, part.scaleMetric) == (2, 9, 7, .rps))
        #expect(part.concurrency == 3 && part.timeout == .seconds(5) && part.canaryPercent == 10)
        #expect(part.batching == .init(maximum: 16, latency: .milliseconds(20), timeout: .seconds(3)))
        #expect(part.logging?.url == "kafka://events:9092/payloads" && part.logging?.mode == .request)
        #expect(part.labels == ["team": "a"] && part.annotations == ["note": "b"])
        #expect(part.podSpec["nodeSelector"]["disk"].string == "ssd" && part.podSpec["logger"].isNull)
        #expect(part.model?.uri == "s3://models/iris" && part.model?.runtime == "mine")
        #expect(part.model?.runtimeVersion == "v9" && part.model?.container == ["args": ["--threads=2"]])
    }

    @Test(
        arguments: [
            ("{}", "spec.predictor is missing"), ("predictor: {}", "needs a model"),
            ("predictor: {minReplicas: -1, onnx: {}}", "minReplicas must be"),
            ("predictor: {minReplicas: 3, maxReplicas: 2, onnx: {}}", "more than maxReplicas"),
            ("predictor: {containerConcurrency: -1, onnx: {}}", "containerConcurrency"),
            ("predictor: {canaryTrafficPercent: 101, onnx: {}}", "canaryTrafficPercent"),
            ("predictor: {scaleMetric: disk, onnx: {}}", "scaleMetric must be"),
            ("predictor: {onnx: {}, sklearn: {}}", "more than one model"),
            ("predictor: {model: {storageUri: 's3://x'}}", "modelFormat.name"),
            ("predictor: {onnx: {storageUri: 'ftp://x'}}", "no place that is known"),
            ("predictor: {onnx: {protocolVersion: v3}}", "protocolVersion"),
            ("predictor: {onnx: {}, logger: {url: 'x'}}", "logger.url"),
            ("predictor: {onnx: {}, logger: {url: 'http://x', mode: some}}", "logger.mode"),
            ("predictor: {onnx: {}, workerSpec: {}}", "workerSpec"),
            ("predictor: {containers: [{name: a}, {name: b}]}", "kserve-container"),
            ("predictor: {onnx: {}}\ntransformer: {}", "spec.transformer needs"),
            ("predictor: {onnx: {}}\ncanary: [{trafficPercent: 5, predictor: {}}]", "must be a name"),
            (
                "predictor: {onnx: {}}\ncanary: [{trafficPercent: 60, predictor: {name: a}}, {trafficPercent: 60, predictor: {name: b}}]",
                "120 percent"
            ),
            ("predictor: {onnx: {}}\ncanary: [{predictor: {name: a, maxReplicas: 3}}]", "fixed number"),
        ])
    func saysWhatIsWrong(_ yaml: String, _ part: String) throws {
        let object = try Self.object(yaml)
        let fault = #expect(throws: SpecFault.self) { try ServingSpec(object) }
        #expect(fault?.description.contains(part) == true, "\(fault?.description ?? "")")
    }

    @Test func namesAreThoseOfHosts() throws {
        for name in ["Iris", "1iris", "iris-", "a.b", String(repeating: "a", count: 41)] {
            let object = try Self.object("predictor: {onnx: {}}", name: name)
            #expect(throws: SpecFault.self) { try ServingSpec(object) }
        }
    }

    @Test func standardCanariesTakeWhatTheyDoNotSay() throws {
        let spec = try ServingSpec(
            Self.object(
                """
                predictor: {maxReplicas: 4, model: {modelFormat: {name: onnx}, storageUri: /a, protocolVersion: v2}}
                canary: [{trafficPercent: 20, predictor: {name: next, model: {storageUri: /b}}}]
                """))
        #expect(spec.canaries.count == 1 && spec.canaries[0].percent == 20 && spec.canaries[0].name == "next")
        let model = try #require(spec.canaries[0].component.model)
        #expect(model.uri == "/b" && model.format == "onnx" && model.protocolVersion == "v2")
    }
}

@Suite struct RuntimeChoiceTests {
    private func runtime(
        _ name: String, _ formats: [ServingRuntimeSpec.Format], protocols: [String] = ["v1", "v2"], created: Int64 = 0,
        change: (inout ServingRuntimeSpec) -> Void = { _ in }
    ) -> ServingRuntimeSpec {
        var runtime = ServingRuntimeSpec(name: name, isClusterWide: true)
        runtime.formats = formats
        runtime.protocols = protocols
        runtime.created = created
        change(&runtime)
        return runtime
    }

    private func model(
        _ format: String = "onnx", version: String? = nil, runtime: String? = nil, speaks: String = "v2"
    ) -> ComponentSpec.Model {
        .init(
            format: format, formatVersion: version, runtime: runtime, uri: "/m", protocolVersion: speaks, container: [:]
        )
    }

    private let plain = ServingRuntimeSpec.Format(name: "onnx", version: "1", isAutomatic: true)

    @Test func priorityThenProtocolThenAgeThenName() throws {
        func chosen(_ runtimes: [ServingRuntimeSpec], _ model: ComponentSpec.Model) throws -> String {
            try RuntimeChoice.choose(model, namespaced: [], cluster: runtimes, isMultiModel: false).name
        }
        let high = ServingRuntimeSpec.Format(name: "onnx", isAutomatic: true, priority: 3)
        let low = ServingRuntimeSpec.Format(name: "onnx", isAutomatic: true, priority: 1)
        #expect(try chosen([runtime("a", [plain]), runtime("b", [low]), runtime("c", [high])], model()) == "c")
        #expect(try chosen([runtime("a", [plain], protocols: ["v2"]), runtime("b", [plain])], model()) == "b")
        #expect(try chosen([runtime("a", [plain], created: 1), runtime("b", [plain], created: 2)], model()) == "b")
        #expect(try chosen([runtime("b", [plain]), runtime("a", [plain])], model()) == "a")
        #expect(
            try chosen([runtime("a", [plain]), runtime("b", [plain], protocols: [])], model(speaks: "grpc-v2")) == "b")
        #expect(try chosen([runtime("a", [plain])], model(version: "1")) == "a")
    }

    @Test func thoseOfTheNamespaceGoFirst() throws {
        let found = try RuntimeChoice.choose(
            model(), namespaced: [runtime("near", [plain])],
            cluster: [runtime("far", [.init(name: "onnx", isAutomatic: true, priority: 9)])], isMultiModel: false)
        #expect(found.name == "near")
    }

    @Test func reasonsAreKServes() {
        let manual = ServingRuntimeSpec.Format(name: "onnx", isAutomatic: false)
        let off = runtime("off", [plain]) { $0.isDisabled = true }
        let multi = runtime("multi", [plain]) { $0.isMultiModel = true }
        for (model, runtimes, reason) in [
            (model("pmml"), [runtime("a", [plain])], "NoSupportingRuntime"),
            (model(), [runtime("a", [manual])], "NoSupportingRuntime"),
            (model(), [off], "NoSupportingRuntime"), (model(), [multi], "NoSupportingRuntime"),
            (model(version: "2"), [runtime("a", [plain])], "NoSupportingRuntime"),
            (model(speaks: "grpc-v1"), [runtime("a", [plain])], "NoSupportingRuntime"),
            (model(runtime: "b"), [runtime("a", [plain])], "RuntimeNotRecognized"),
            (model(runtime: "off"), [off], "RuntimeDisabled"),
            (model("pmml", runtime: "a"), [runtime("a", [plain])], "NoSupportingRuntime"),
        ] {
            let fault = #expect(throws: SpecFault.self) {
                try RuntimeChoice.choose(model, namespaced: [], cluster: runtimes, isMultiModel: false)
            }
            #expect(fault?.reason == reason)
        }
        let named = try? RuntimeChoice.choose(
            model(runtime: "a"), namespaced: [], cluster: [runtime("a", [manual])], isMultiModel: false)
        #expect(named?.name == "a", "what is named needs no autoSelect")
    }
}
