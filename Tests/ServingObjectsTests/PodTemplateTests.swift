// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing
import YAMLFormat

@testable import ServingObjects

@Suite struct PodTemplateTests {
    private func runtime() throws -> ServingRuntimeSpec {
        try ServingRuntimeSpec(
            KubeObject([
                "apiVersion": "serving.kserve.io/v1alpha1", "kind": "ClusterServingRuntime", "metadata": ["name": "r"],
                "spec": try YAMLDocuments.parse(
                    """
                    supportedModelFormats: [{name: onnx, autoSelect: true}]
                    labels: {from: runtime}
                    nodeSelector: {disk: any}
                    containers:
                    - name: kserve-container
                      image: registry:5000/server:1
                      command: [serve]
                      args: ['--name={{ .Name }}', '--space={{.Namespace}}', '--team={{.Labels.team}}', '{{.Other}}']
                      env: [{name: A, value: one}, {name: B, value: two}]
                      resources: {limits: {cpu: 1, memory: 1Gi}}
                    - {name: helper, image: h}
                    """)[0],
            ]))
    }

    private func make(_ predictor: String) throws -> PodTemplate {
        var object = try ServingSpecTests.object(predictor)
        object.labels = ["team": "blue"]
        let spec = try ServingSpec(object)
        return try PodTemplate.make(spec.predictor, .predictor, runtime: try runtime(), of: spec, .init())
    }

    private func variables(_ template: PodTemplate) -> [String: String] {
        let all = template.spec["containers"].elements.first { $0["name"].string == "kserve-container" }
        return Dictionary(
            all?["env"].elements.map { ($0["name"].string ?? "", $0["value"].string ?? "") } ?? [],
            uniquingKeysWith: { first, _ in first })
    }

    @Test func theClaimOfAModelIsMounted() throws {
        let template = try make("predictor: {model: {modelFormat: {name: onnx}, storageUri: 'pvc://models/iris/1'}}")
        let main = try #require(template.spec["containers"].elements.first { $0["name"] == "kserve-container" })
        #expect(
            template.spec["volumes"].elements == [
                ["name": "kserve-pvc-source", "persistentVolumeClaim": ["claimName": "models", "readOnly": true]]
            ])
        #expect(
            main["volumeMounts"].elements == [
                ["name": "kserve-pvc-source", "mountPath": "/mnt/pvc", "readOnly": true]
            ])
        // One that is declared is taken as it is.
        let own = try make(
            """
            predictor:
              volumes: [{name: mine, persistentVolumeClaim: {claimName: models}}]
              model:
                modelFormat: {name: onnx}
                storageUri: pvc://models
                volumeMounts: [{name: mine, mountPath: /data}]
            """)
        #expect(own.spec["volumes"].elements.compactMap { $0["name"].string } == ["mine"])
        let container = try #require(own.spec["containers"].elements.first { $0["name"] == "kserve-container" })
        #expect(container["volumeMounts"].elements.compactMap { $0["mountPath"].string } == ["/data"])
        #expect(throws: SpecFault.self) {
            try make("predictor: {model: {modelFormat: {name: onnx}, storageUri: 'pvc:///x'}}")
        }
    }

    @Test func theServicesFieldsGoOverTheRuntimes() throws {
        let template = try make(
            """
            predictor:
              nodeSelector: {disk: ssd}
              labels: {mine: x}
              model:
                modelFormat: {name: onnx}
                storageUri: s3://m/a
                runtimeVersion: "2"
                args: [--extra]
                env: [{name: B, value: changed}, {name: C, value: three}]
                resources: {limits: {memory: 2Gi}}
            """)
        let containers = template.spec["containers"].elements
        let main = try #require(containers.first { $0["name"].string == "kserve-container" })
        #expect(containers.count == 2 && main["image"].string == "registry:5000/server:2")
        #expect(
            main["args"].elements.compactMap(\.string) == [
                "--name=iris", "--space=default", "--team=blue", "{{.Other}}", "--extra",
            ])
        let names = variables(template)
        #expect(
            names["A"] == "one" && names["B"] == "changed" && names["C"] == "three"
                && names["STORAGE_URI"] == "s3://m/a")
        #expect(main["resources"]["limits"] == ["cpu": 1, "memory": "2Gi"])
        #expect(template.spec["nodeSelector"]["disk"].string == "ssd")
        #expect(template.labels == ["from": "runtime", "mine": "x"])
        #expect(template.restPort == 8080 && template.grpcPort == 8081 && template.readyPath == "/v2/health/ready")
    }

    @Test func batcherAndLoggerAreOptionsOfTheServer() throws {
        let template = try make(
            """
            predictor:
              batcher: {maxBatchSize: 8, maxLatency: 15, timeout: 2}
              logger: {url: 'kafka://b:9092/t', mode: response}
              model: {modelFormat: {name: onnx}}
            """)
        let names = variables(template)
        #expect(names["APUS_BATCH_SIZE"] == "8" && names["APUS_BATCH_DELAY"] == "15")
        #expect(names["APUS_QUEUE_TIMEOUT"] == "2000")
        #expect(names["APUS_PAYLOAD_LOG_URL"] == "kafka://b:9092/t" && names["APUS_PAYLOAD_LOG_MODE"] == "response")
        #expect(names["STORAGE_URI"] == nil)
        let plain = variables(try make("predictor: {batcher: {}, model: {modelFormat: {name: onnx}}}"))
        #expect(plain["APUS_BATCH_SIZE"] == "32" && plain["APUS_BATCH_DELAY"] == "5000")
    }

    @Test func onlyWhatRunsMakesAnotherRevision() throws {
        let first = try make("predictor: {model: {modelFormat: {name: onnx}, storageUri: /a}}")
        for same in ["minReplicas: 3", "maxReplicas: 9", "canaryTrafficPercent: 5", "scaleTarget: 4", "timeout: 3"] {
            let other = try make("predictor: {\(same), model: {modelFormat: {name: onnx}, storageUri: /a}}")
            #expect(other.digest == first.digest, "\(same)")
        }
        for change in ["storageUri: /b", "storageUri: /a, env: [{name: X, value: y}]"] {
            let other = try make("predictor: {model: {modelFormat: {name: onnx}, \(change)}}")
            #expect(other.digest != first.digest, "\(change)")
        }
        #expect(try make("predictor: {onnx: {storageUri: /a}}").digest == first.digest)
    }

    @Test func containersOfOnesOwnKeepTheirPortAndProbe() throws {
        let spec = try ServingSpec(
            ServingSpecTests.object(
                """
                predictor:
                  containers:
                  - {name: own, image: x, ports: [{containerPort: 7003, name: http}], readinessProbe: {httpGet: {path: /r, port: http}}}
                """))
        let template = try PodTemplate.make(spec.predictor, .predictor, runtime: nil, of: spec, .init())
        #expect(template.restPort == 7003 && template.grpcPort == nil && template.readyPath == "/r")
        let bare = try ServingSpec(ServingSpecTests.object("predictor: {containers: [{name: own, image: x}]}"))
        let probed = try PodTemplate.make(bare.predictor, .predictor, runtime: nil, of: bare, .init())
        #expect(probed.spec["containers"][0]["readinessProbe"]["tcpSocket"]["port"].int == 8080)
    }
}

@Suite struct ScalingTests {
    @Test(
        arguments: [
            ("onnx: {}", [:], "fixed"), ("minReplicas: 2, onnx: {}", [:], "fixed"),
            ("minReplicas: 2, maxReplicas: 2, onnx: {}", [:], "fixed"), ("minReplicas: 0, onnx: {}", [:], "requests"),
            ("maxReplicas: 3, onnx: {}", [:], "requests"), ("scaleTarget: 3, onnx: {}", [:], "requests"),
            ("scaleMetric: rps, onnx: {}", [:], "requests"), ("scaleMetric: cpu, onnx: {}", [:], "resource"),
            ("scaleMetric: memory, onnx: {}", [:], "resource"),
            ("maxReplicas: 3, onnx: {}", ["serving.kserve.io/autoscalerClass": "hpa"], "resource"),
            ("maxReplicas: 3, onnx: {}", ["serving.kserve.io/autoscalerClass": "external"], "external"),
            ("maxReplicas: 3, onnx: {}", ["serving.kserve.io/autoscalerClass": "none"], "fixed"),
            ("onnx: {}", ["autoscaling.knative.dev/max-scale": "4"], "requests"),
        ] as [(String, [String: String], String)])
    func whoSaysHowManyPods(_ predictor: String, _ annotations: [String: String], _ expected: String) throws {
        let spec = try ServingSpec(ServingSpecTests.object("predictor: {\(predictor)}"))
        let scaling = ServingManifests.Scaling(spec.predictor, annotations: annotations)
        let found =
            switch scaling.by {
            case .fixed: "fixed"
            case .requests: "requests"
            case .resource: "resource"
            case .external: "external"
            }
        #expect(found == expected)
        #expect((scaling.fixed != nil) == (expected == "fixed"))
        #expect(scaling.annotations.isEmpty == (expected != "requests"))
    }
}
