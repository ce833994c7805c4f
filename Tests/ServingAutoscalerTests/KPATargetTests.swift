// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import GatewayRules
import KubeAPI
import Testing

@testable import ServingAutoscaler

@Suite struct KPATargetTests {
    private static func deployment(replicas: Int, ready: Int) -> KubeObject {
        var object = KubeObject(.deployments, namespace: "n", name: "web")
        object.annotations = [
            KPASpec.prefix + "class": KPASpec.className, KPASpec.prefix + "target": "1",
            KPASpec.prefix + "window": "6s",
        ]
        object.spec = ["replicas": JSONValue(replicas)]
        object.status = ["readyReplicas": JSONValue(ready)]
        return object
    }

    /// Its pods get ready one by one, and gateways have told of a part of a second at most.
    @Test func oneThatBeginsWithSeveralPodsKeepsThemForAWindow() throws {
        var target = try KPATarget(Self.deployment(replicas: 4, ready: 0), config: [:], now: 1000)
        for (now, ready) in [(1002.0, 0), (1004, 2), (1006, 4)] {
            try target.take(Self.deployment(replicas: 4, ready: ready), config: [:])
            #expect(target.look(now: now).step.replicas == 4, "at \(now) s")
        }
        // Then what is told decides: nothing, so half of them go at a time.
        #expect(target.look(now: 1008).step.replicas == 2)
    }

    @Test func oneThatBeginsWithOneOrNoneDoesAsKnatives() throws {
        var one = try KPATarget(Self.deployment(replicas: 1, ready: 1), config: [:], now: 1000)
        #expect(!one.look(now: 1002).decision.isPanicking)
        var none = try KPATarget(Self.deployment(replicas: 0, ready: 0), config: [:], now: 1000)
        let look = none.look(now: 1002)
        #expect(!look.decision.isPanicking && look.decision.want == 0)
    }
}
