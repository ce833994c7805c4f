// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import KubeClient
import ServingObjects
import Testing

@testable import ServingOperators

/// States of the world, reached by the operator on a real API server.
@Suite struct ServiceWorldTests {
    static func iris(_ uri: String = "s3://models/iris", _ more: String = "", notes: String = "") -> String {
        """
        apiVersion: serving.kserve.io/v1beta1
        kind: InferenceService
        metadata:
          name: iris
          namespace: default
          annotations: {\(notes)}
        spec:
          predictor:
            model:
              modelFormat: {name: onnx}
              storageUri: \(uri)
            \(more)
        """
    }

    private static let first = "iris-predictor-00001"
    private static let second = "iris-predictor-00002"
    private static let third = "iris-predictor-00003"

    private func up(_ world: World, _ more: String = "", notes: String = "") async throws {
        try await world.apply(Self.iris("s3://models/iris", more, notes: notes))
        try await world.ready(Self.first)
        try await world.accept("iris")
        _ = try await world.service("iris") { $0.isReady }
    }

    @Test func aServiceIsADeploymentAServiceAndARoute() async throws {
        try await World.run { world in
            try await world.apply(Self.iris())
            let deployment = try await world.wait(.deployments, Self.first) { _ in true }
            let pod = deployment.spec["template"]["spec"]
            let container = pod["containers"][0]
            #expect(container["name"].string == "kserve-container" && container["image"].string == "apus:latest")
            #expect(container["args"][0].string == "--model-name=iris")
            let variables = container["env"].elements
            #expect(
                variables.contains { $0["name"].string == "STORAGE_URI" && $0["value"].string == "s3://models/iris" })
            #expect(deployment.spec["replicas"].int == 1)
            let made = try await world.service("iris") { !$0.status["conditions"].isEmpty }
            #expect(Conditions.find("Ready", in: made.status)["status"].string == "Unknown")
            #expect(made.status["modelStatus"]["transitionStatus"].string == "InProgress")
            try await world.ready(Self.first)
            try await world.accept("iris")
            let ready = try await world.service("iris") { $0.isReady }
            #expect(ready.status["url"].string == "http://iris-default.localhost")
            #expect(
                ready.status["address"]["url"].string == "http://iris-predictor.default.svc.cluster.local")
            #expect(ready.traffic(Self.first) == 100)
            #expect(ready.status["clusterServingRuntimeName"].string == "apus-inference")
            #expect(ready.status["modelStatus"]["states"]["activeModelState"].string == "Loaded")
            let route = try await world.client.get(ServingManifests.httpRoutes, world.key("iris"))
            #expect(route.spec["hostnames"][0].string == "iris-default.localhost")
            #expect(World.weights(route) == [Self.first: 100])
            for name in ["iris-predictor", Self.first] {
                let service = try await world.client.get(.services, world.key(name))
                #expect(service.spec["selector"][ServingNames.revision].string == Self.first)
                #expect(service.ownerReferences.first?.kind == "InferenceService")
            }
        }
    }

    @Test func aCanaryGetsItsShareAndIsPromoted() async throws {
        try await World.run { world in
            try await up(world)
            try await world.apply(Self.iris("s3://models/iris2", "canaryTrafficPercent: 10"))
            try await world.wait(.deployments, Self.second) { _ in true }
            var route = try await world.client.get(ServingManifests.httpRoutes, world.key("iris"))
            #expect(World.weights(route)[Self.first] == 100, "the new one is not ready")
            try await world.ready(Self.second)
            route = try await world.wait(ServingManifests.httpRoutes, "iris") { World.weights($0)[Self.second] == 10 }
            #expect(World.weights(route) == [Self.first: 90, Self.second: 10])
            let split = try await world.service("iris") { $0.isReady && $0.traffic(Self.second) == 10 }
            #expect(split.traffic(Self.first) == 90)
            let component = split.status["components"]["predictor"]
            #expect(component["latestRolledoutRevision"].string == Self.first)
            #expect(component["latestReadyRevision"].string == Self.second)
            #expect(component["traffic"].elements.allSatisfy { !$0["latestRevision"].isNull })
            // Half.
            try await world.apply(Self.iris("s3://models/iris2", "canaryTrafficPercent: 50"))
            try await world.wait(ServingManifests.httpRoutes, "iris") { World.weights($0)[Self.second] == 50 }
            // All: the old one stays for a moment and is then removed.
            try await world.apply(Self.iris("s3://models/iris2"))
            let promoted = try await world.service("iris") { $0.traffic(Self.second) == 100 }
            #expect(promoted.status["components"]["predictor"]["previousRolledoutRevision"].string == Self.first)
            try await world.waitGone(.deployments, Self.first)
            try await world.waitGone(.services, Self.first)
            let entry = try await world.wait(.services, "iris-predictor") { _ in true }
            #expect(entry.spec["selector"][ServingNames.revision].string == Self.second)
            #expect(try await world.reasons("iris").contains("RolloutPromoted"))
        }
    }

    @Test func takingTheDeclarationBackTakesTheTrafficBack() async throws {
        try await World.run(grace: .seconds(30)) { world in
            try await up(world)
            try await world.apply(Self.iris("s3://models/iris2"))
            try await world.ready(Self.second)
            _ = try await world.service("iris") { $0.traffic(Self.second) == 100 }
            try await world.wait(.deployments, Self.first) { $0.annotations[ServingNames.retired] != nil }
            // The first is still there: nothing new is made.
            try await world.apply(Self.iris())
            _ = try await world.service("iris") { $0.traffic(Self.first) == 100 && $0.isReady }
            try await world.wait(.deployments, Self.first) { $0.annotations[ServingNames.retired] == nil }
            let all = try await world.client.list(.deployments, namespace: "default").items
            #expect(Set(all.map(\.name)) == [Self.first, Self.second])
        }
    }

    @Test func aRevisionThatNeverComesUpGetsNothing() async throws {
        try await World.run { world in
            try await up(world)
            try await world.apply(Self.iris("s3://models/broken"))
            try await world.report(Self.second) { object in
                Conditions.set(
                    "Progressing", "False", reason: "ProgressDeadlineExceeded", message: "no progress", now: .now(),
                    in: &object.status)
            }
            let failed = try await world.service("iris") {
                Conditions.find("PredictorReady", in: $0.status)["status"].string == "False"
            }
            #expect(failed.traffic(Self.first) == 100 && failed.traffic(Self.second) == 0)
            #expect(failed.status["modelStatus"]["transitionStatus"].string == "BlockedByFailedLoad")
            #expect(failed.status["modelStatus"]["lastFailureInfo"]["message"].string == "no progress")
            // Another try.
            try await world.apply(Self.iris("s3://models/good"))
            try await world.ready(Self.third)
            _ = try await world.service("iris") { $0.traffic(Self.third) == 100 && $0.isReady }
            try await world.waitGone(.deployments, Self.second)
        }
    }

    @Test func stepsGoOnWhileTheNewRevisionHolds() async throws {
        try await World.run { world in
            let notes =
                "\(ServingNames.rolloutSteps): '20,60', \(ServingNames.rolloutInterval): 1s, "
                + "\(ServingNames.rolloutMinimumRequests): '10'"
            try await up(world, notes: notes)
            try await world.apply(Self.iris("s3://models/iris2", notes: notes))
            try await world.ready(Self.second)
            let first = try await world.wait(ServingManifests.httpRoutes, "iris") {
                World.weights($0)[Self.second] == 20
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while true {
                        world.tell(Self.first, requests: 40)
                        world.tell(Self.second, requests: 10)
                        try await Task.sleep(for: .milliseconds(50))
                    }
                }
                // The next step may have come already when this is asked.
                let then = try await world.next(ServingManifests.httpRoutes, after: first.resourceVersion) {
                    World.weights($0)[Self.second] == 60
                }
                #expect(then != nil)
                _ = try await world.service("iris") { $0.traffic(Self.second) == 100 }
                group.cancelAll()
            }
            let reasons = try await world.reasons("iris")
            #expect(reasons.filter { $0 == "RolloutStep" }.count == 2 && reasons.contains("RolloutPromoted"))
        }
    }

    @Test(arguments: [true, false])
    func aCanaryThatFailsOrIsSlowGoesBack(_ isSlow: Bool) async throws {
        try await World.run { world in
            try await up(world)
            try await world.apply(Self.iris("s3://models/bad", "canaryTrafficPercent: 20"))
            try await world.ready(Self.second)
            try await world.wait(.deployments, Self.second) { $0.annotations[ServingNames.rolloutSince] != nil }
            world.tell(Self.first, requests: 100)
            world.tell(Self.second, requests: 60, failures: isSlow ? 0 : 60, slow: isSlow)
            try await world.wait(ServingManifests.httpRoutes, "iris") { World.weights($0)[Self.second] == 0 }
            let back = try await world.service("iris") {
                $0.traffic(Self.first) == 100 && $0.isReady
                    && Conditions.find("LatestDeploymentReady", in: $0.status)["reason"].string == "RolledBack"
            }
            let latest = Conditions.find("LatestDeploymentReady", in: back.status)
            #expect(latest["message"].string?.contains(isSlow ? "95 percent" : "in a row") == true)
            #expect(try await world.reasons("iris").contains("RolloutRolledBack"))
            // Its pods go, its mark stays, the running one is not touched.
            try await world.wait(.deployments, Self.second) { $0.spec["replicas"].int == 0 }
            try await world.wait(.deployments, Self.first) { $0.annotations[ServingNames.retired] == nil }
            // The next one is another.
            try await world.apply(Self.iris("s3://models/better"))
            try await world.ready(Self.third)
            _ = try await world.service("iris") { $0.traffic(Self.third) == 100 }
        }
    }

    @Test func whatCannotBeUsedIsSaidAndTheRestGoesOn() async throws {
        try await World.run { world in
            try await up(world)
            let change: JSONValue = ["spec": ["predictor": ["model": ["modelFormat": ["name": "pmml"]]]]]
            _ = try await world.client.patch(ServiceReconciler.resource, world.key("iris"), .merge, change)
            let refused = try await world.service("iris") {
                Conditions.find("PredictorReady", in: $0.status)["reason"].string == "NoSupportingRuntime"
            }
            #expect(refused.status["modelStatus"]["transitionStatus"].string == "InvalidSpec")
            #expect(refused.status["modelStatus"]["lastFailureInfo"]["reason"].string == "NoSupportingRuntime")
            let route = try await world.client.get(ServingManifests.httpRoutes, world.key("iris"))
            #expect(World.weights(route) == [Self.first: 100])
            // A runtime that comes later is taken.
            try await world.apply(
                """
                apiVersion: serving.kserve.io/v1alpha1
                kind: ServingRuntime
                metadata: {name: pmml, namespace: default}
                spec:
                  supportedModelFormats: [{name: pmml, autoSelect: true}]
                  containers: [{name: kserve-container, image: pmml, args: ['{{.Name}}.{{.Namespace}}']}]
                """)
            let deployment = try await world.wait(.deployments, Self.second) { _ in true }
            #expect(deployment.spec["template"]["spec"]["containers"][0]["args"][0].string == "iris.default")
        }
    }

    @Test func scalingIsDeclaredAndLeftToTheAutoscaler() async throws {
        try await World.run { world in
            try await up(world, "minReplicas: 0\n    maxReplicas: 5\n    scaleTarget: 3\n    containerConcurrency: 4")
            let deployment = try await world.wait(.deployments, Self.first) { _ in true }
            #expect(deployment.annotations[ServingNames.scalingClass] == ServingNames.knativeScaling)
            #expect(deployment.annotations[ServingNames.minimumScale] == "0")
            #expect(deployment.annotations[ServingNames.maximumScale] == "5")
            #expect(deployment.annotations[ServingNames.scalingTarget] == "3")
            #expect(deployment.annotations[ServingNames.concurrency] == "4")
            let service = try await world.wait(.services, Self.first) { _ in true }
            #expect(service.annotations[ServingNames.fromZero] == "true")
            // Somebody scales; the operator does not take it back.
            let none: JSONValue = ["spec": ["replicas": 0]]
            _ = try await world.client.patch(.deployments, world.key(Self.first), .merge, none)
            try await world.report(Self.first) { object in
                object.status["availableReplicas"] = .null
            }
            let asleep = try await world.service("iris") { $0.isReady }
            #expect(asleep.traffic(Self.first) == 100)
            // Another maximum is no new revision.
            let more: JSONValue = ["spec": ["predictor": ["maxReplicas": 7]]]
            _ = try await world.client.patch(ServiceReconciler.resource, world.key("iris"), .merge, more)
            let changed = try await world.wait(.deployments, Self.first) {
                $0.annotations[ServingNames.maximumScale] == "7"
            }
            #expect(changed.spec["replicas"].int == 0)
            // By CPU: an autoscaler of Kubernetes' own.
            let cpu: JSONValue = ["spec": ["predictor": ["scaleMetric": "cpu", "minReplicas": 1, "scaleTarget": 60]]]
            _ = try await world.client.patch(ServiceReconciler.resource, world.key("iris"), .merge, cpu)
            let autoscaler = try await world.wait(ServingManifests.horizontalPodAutoscalers, Self.first) { _ in true }
            #expect(autoscaler.spec["maxReplicas"].int == 7)
            #expect(autoscaler.spec["metrics"][0]["resource"]["target"]["averageUtilization"].int == 60)
        }
    }

    @Test func aTransformerStandsBeforeThePredictor() async throws {
        try await World.run { world in
            try await world.apply(
                """
                apiVersion: serving.kserve.io/v1beta1
                kind: InferenceService
                metadata: {name: iris, namespace: default}
                spec:
                  predictor: {sklearn: {storageUri: 's3://models/iris', protocolVersion: v2}}
                  transformer: {containers: [{name: kserve-container, image: t, command: [t]}]}
                  explainer: {containers: [{name: kserve-container, image: e, command: [e]}]}
                """)
            try await world.ready(Self.first)
            for name in ["iris-transformer", "iris-explainer"] { try await world.ready(name) }
            try await world.accept("iris")
            let ready = try await world.service("iris") { $0.isReady }
            #expect(Conditions.isTrue("TransformerReady", in: ready.status))
            #expect(Conditions.isTrue("ExplainerReady", in: ready.status))
            let entry = try await world.wait(.services, "iris-predictor") { _ in true }
            let transformer = try await world.wait(.deployments, "iris-transformer") { _ in true }
            let arguments = transformer.spec["template"]["spec"]["containers"][0]["args"].elements.compactMap(\.string)
            #expect(
                arguments == [
                    "--model_name", "iris", "--predictor_host", "\(entry.spec["clusterIP"].string ?? ""):80",
                    "--predictor_protocol", "v2",
                ])
            let route = try await world.client.get(ServingManifests.httpRoutes, world.key("iris"))
            #expect(World.weights(route) == ["iris-transformer": 1])
            #expect(route.spec["rules"][0]["backendRefs"][0]["name"].string == "iris-explainer")
            #expect(
                route.spec["rules"][0]["matches"][0]["path"]["value"].string == "^/v1/models/[^/]+:explain$")
        }
    }

    @Test func whatIsNoLongerDeclaredGoes() async throws {
        @Sendable func manifest(_ limits: String) -> String {
            """
            apiVersion: serving.kserve.io/v1beta1
            kind: InferenceService
            metadata: {name: iris, namespace: default}
            spec:
              predictor: {sklearn: {storageUri: 's3://models/iris', protocolVersion: v2}}
              transformer:
                minReplicas: 2
                maxReplicas: 5
                containers: [{name: kserve-container, image: t, command: [t]\(limits)}]
            """
        }
        try await World.run { world in
            try await world.apply(manifest(", resources: {limits: {cpu: 100m}}"))
            let deployment = try await world.wait(.deployments, "iris-transformer") { $0.spec["replicas"].int == 2 }
            let limits = deployment.spec["template"]["spec"]["containers"][0]["resources"]["limits"]
            #expect(limits["cpu"].string == "100m")
            // As an autoscaler does.
            _ = try await world.client.patch(
                .deployments, world.key("iris-transformer"), .merge, ["spec": ["replicas": 4]])
            try await world.apply(manifest(""))
            let changed = try await world.wait(.deployments, "iris-transformer") {
                $0.spec["template"]["spec"]["containers"][0]["resources"]["limits"].isEmpty
            }
            #expect(changed.spec["replicas"].int == 4)
        }
    }

    @Test func aStoppedServiceHasNothing() async throws {
        try await World.run { world in
            try await up(world)
            let stop: JSONValue = ["metadata": ["annotations": [ServingNames.stop: "true"]]]
            _ = try await world.client.patch(ServiceReconciler.resource, world.key("iris"), .merge, stop)
            let stopped = try await world.service("iris") { Conditions.isTrue("Stopped", in: $0.status) }
            #expect(!Conditions.isTrue("Ready", in: stopped.status))
            try await world.waitGone(.deployments, Self.first)
            try await world.waitGone(ServingManifests.httpRoutes, "iris")
            let go: JSONValue = ["metadata": ["annotations": [ServingNames.stop: "false"]]]
            _ = try await world.client.patch(ServiceReconciler.resource, world.key("iris"), .merge, go)
            // Which number it has depends on whether the operator has seen the end of the first.
            let again = try await world.find(.deployments) { $0.name.hasPrefix("iris-predictor-") }
            try await world.ready(again.name)
            try await world.accept("iris")
            _ = try await world.service("iris") { $0.isReady }
        }
    }

    @Test func standardCanariesShareTheRoute() async throws {
        try await World.run { world in
            try await up(world)
            let canary: JSONValue = [
                "spec": [
                    "canary": [
                        [
                            "trafficPercent": 25,
                            "predictor": ["name": "next", "model": ["storageUri": "s3://models/next"]],
                        ]
                    ]
                ]
            ]
            _ = try await world.client.patch(ServiceReconciler.resource, world.key("iris"), .merge, canary)
            let made = try await world.wait(.deployments, "iris-next-predictor") { _ in true }
            let variables = made.spec["template"]["spec"]["containers"][0]["env"].elements
            #expect(variables.contains { $0["value"].string == "s3://models/next" })
            try await world.ready("iris-next-predictor")
            try await world.wait(ServingManifests.httpRoutes, "iris") {
                World.weights($0) == [Self.first: 75, "iris-next-predictor": 25]
            }
            let none = JSONValue.object(["spec": .object(["canary": .null])])
            _ = try await world.client.patch(ServiceReconciler.resource, world.key("iris"), .merge, none)
            try await world.waitGone(.deployments, "iris-next-predictor")
            try await world.wait(ServingManifests.httpRoutes, "iris") { World.weights($0) == [Self.first: 100] }
        }
    }
}
