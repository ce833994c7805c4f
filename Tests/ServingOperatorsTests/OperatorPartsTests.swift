// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import KubeAPI
import ServingObjects
import Testing

@testable import ServingOperators

@Suite struct OperatorPartsTests {
    @Test func annotationsOfARollout() throws {
        #expect(try RolloutSettings([:]) == RolloutSettings(["other": "x"]))
        let plain = try RolloutSettings([:])
        #expect(!plain.isProgressive && plain.rollsBack && plain.rules == RolloutRules())
        let all = try RolloutSettings([
            ServingNames.rolloutSteps: "5%, 50,100", ServingNames.rolloutInterval: "2m",
            ServingNames.rolloutMinimumRequests: "7", ServingNames.rolloutFailureMargin: "0.05",
            ServingNames.rolloutLatencyRatio: "3", ServingNames.autoRollback: "false",
            ServingNames.rolloutPatience: "1h", ServingNames.rolloutWhenIdle: "rollback",
        ])
        #expect(all.rules.patience == .seconds(3600) && all.rules.whenIdle == .rollBack)
        #expect(all.isProgressive && !all.rollsBack && all.rules.steps == [5, 50, 100])
        #expect(all.rules.interval == .seconds(120) && all.rules.minimumRequests == 7)
        #expect(all.rules.failureMargin == 0.05 && all.rules.latencyRatio == 3)
        #expect(
            try !RolloutSettings([ServingNames.rolloutSteps: "5", ServingNames.rollout: "immediate"]).isProgressive)
    }

    @Test(
        arguments: [
            (ServingNames.rolloutSteps, "50,5"), (ServingNames.rolloutSteps, "0"), (ServingNames.rolloutSteps, ""),
            (ServingNames.rolloutSteps, "101"), (ServingNames.rollout, "slow"), (ServingNames.rolloutInterval, "0s"),
            (ServingNames.rolloutInterval, "9999999999999999999h"), (ServingNames.rolloutMinimumRequests, "0"),
            (ServingNames.rolloutFailureMargin, "2"), (ServingNames.rolloutLatencyRatio, "0.5"),
            (ServingNames.autoRollback, "yes"), (ServingNames.rolloutPatience, "0s"),
            (ServingNames.rolloutWhenIdle, "no"),
        ])
    func annotationsThatCannotBeUsed(_ name: String, _ value: String) {
        let fault = #expect(throws: SpecFault.self) { try RolloutSettings([name: value]) }
        #expect(fault?.description.contains(name) == true)
    }

    @Test func trafficIsSummedSinceAMoment() {
        let log = TrafficLog(bounds: [0.01, 0.1])
        let key = ObjectKey(namespace: "n", name: "r")
        let start = Timestamp(seconds: 1000)
        for (second, requests, failures) in [(0, 10, 0), (1, 10, 1), (3, 2, 2), (2, 3, 3)] {
            log.record(
                key,
                .init(
                    time: start + .seconds(second), requests: requests, failures: failures,
                    latencies: [UInt64(requests), 0, 0]))
        }
        let all = log.sample(key, since: start)
        #expect(all.requests == 25 && all.failures == 6 && all.failuresInARow == 5)
        let late = log.sample(key, since: start + .seconds(2))
        #expect(late.requests == 5 && late.failuresInARow == 5)
        #expect(log.sample(key, since: start + .seconds(9)).requests == 0)
        #expect(log.sample(ObjectKey(namespace: "n", name: "s"), since: start).requests == 0)
        // What is long ago is forgotten.
        log.record(key, .init(time: start + .seconds(2000), requests: 1, failures: 0, latencies: []))
        #expect(log.sample(key, since: start).requests == 1)
    }

    @Test func scalingTakesNoPodsThatAnswer() throws {
        var deployment = KubeObject(.deployments, namespace: "n", name: "m-predictor-00001")
        deployment.annotations = [ServingNames.digest: "d"]
        deployment["metadata"]["generation"] = 1
        deployment.spec = ["replicas": 2]
        let made = try #require(RevisionState(deployment, component: "m-predictor"))
        #expect(!made.isAvailable && ServingStatus.Observation.of(deployment).ready == "Unknown")
        deployment.status = ["observedGeneration": 1, "availableReplicas": 2]
        Conditions.set("Available", "True", now: .now(), in: &deployment.status)
        // Not observed yet.
        deployment["metadata"]["generation"] = 2
        for (replicas, isComplete) in [(3, false), (1, true)] {
            deployment.spec["replicas"] = JSONValue(replicas)
            let scaled = try #require(RevisionState(deployment, component: "m-predictor"))
            #expect(scaled.available == 2 && scaled.isAvailable && scaled.isComplete == isComplete)
            #expect(ServingStatus.Observation.of(deployment).ready == "True")
        }
    }

    @Test func credentialsAreKServes() {
        var secret = KubeObject(.secrets, namespace: "n", name: "s3")
        secret["data"] = ["AWS_ACCESS_KEY_ID": "YQ==", "AWS_SECRET_ACCESS_KEY": "Yg=="]
        secret.annotations = [
            "serving.kserve.io/s3-endpoint": "minio:9000", "serving.kserve.io/s3-usehttps": "0",
            "serving.kserve.io/s3-region": "eu",
        ]
        let environment = S3Credentials.environment(secret)
        #expect(environment.count == 4)
        #expect(environment[0]["valueFrom"]["secretKeyRef"]["key"].string == "AWS_ACCESS_KEY_ID")
        #expect(environment.contains { $0["value"].string == "http://minio:9000" })
        #expect(environment.contains { $0["name"].string == "AWS_REGION" && $0["value"].string == "eu" })
    }

    @Test func whatIsDeclaredIsCovered() {
        let present: JSONValue = ["a": ["b": 1, "c": "x"], "list": [["n": 1, "more": true], 2], "other": true]
        #expect(Children.covers(present, ["a": ["b": 1], "list": [["n": 1], 2], "none": [:]]))
        #expect(!Children.covers(present, ["a": ["b": 2]]))
        #expect(!Children.covers(present, ["list": [["n": 1]]]))
        #expect(!Children.covers(present, ["new": 1]))
    }
}
