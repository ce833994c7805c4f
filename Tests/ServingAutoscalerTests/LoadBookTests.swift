// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import GatewayRules
import KubeAPI
import Testing

@testable import ServingAutoscaler

/// From what gateways tell to decisions.
@Suite struct LoadBookTests {
    private static func activity(
        _ end: Double, span: Double = 1, concurrency: Double, requests: Int = 0, held: Int = 0
    ) -> UpstreamActivity {
        UpstreamActivity(
            upstream: UpstreamID(namespace: "n", service: "web", port: 80), revision: "", time: Int64(end * 1000),
            span: .seconds(span), concurrency: concurrency, requests: requests, held: held, failures: 0, latencies: [])
    }

    private static let spec: KPASpec = {
        var spec = KPASpec()
        spec.stableWindow = .seconds(6)
        return spec
    }()

    @Test func whenGatewaysTellDoesNotMatter() {
        var book = LoadBook(Self.spec)
        // One tells at .3, the other at .9 of each second.
        for second in 100..<110 {
            book.add(Self.activity(Double(second) + 0.3, concurrency: 4), from: "a", .concurrency)
            book.add(Self.activity(Double(second) + 0.9, concurrency: 6), from: "b", .concurrency)
        }
        let seen = book.look(Self.spec, ready: 2, now: 109.95)
        #expect(seen == KPAObservation(ready: 2, stable: 10, panic: 10))
    }

    @Test func requestsASecond() {
        var book = LoadBook(Self.spec)
        for second in 100..<110 {
            book.add(Self.activity(Double(second), span: 0.5, concurrency: 9, requests: 20), from: "a", .rps)
            book.add(Self.activity(Double(second) + 0.5, span: 0.5, concurrency: 9, requests: 10), from: "a", .rps)
        }
        #expect(book.look(Self.spec, ready: 1, now: 109).stable == 30)
    }

    @Test func silenceIsNoLoad() {
        var book = LoadBook(Self.spec)
        for second in 100..<106 { book.add(Self.activity(Double(second), concurrency: 3), from: "a", .concurrency) }
        #expect(book.look(Self.spec, ready: 1, now: 106).stable == 3)
        #expect(book.look(Self.spec, ready: 1, now: 110).stable < 3)
        #expect(book.look(Self.spec, ready: 1, now: 120).stable == 0)
    }

    @Test func wrongNumbersDoNoHarm() {
        var book = LoadBook(Self.spec)
        for value in [Double.nan, .infinity, -5] {
            book.add(Self.activity(100, concurrency: value), from: "a", .concurrency)
        }
        book.add(Self.activity(100, span: -1, concurrency: 5), from: "a", .concurrency)
        book.add(Self.activity(100, span: 0, concurrency: 5), from: "a", .concurrency)
        #expect(book.look(Self.spec, ready: 1, now: 101).stable == 0)
    }

    // MARK: Targets

    private static func deployment(_ annotations: [String: String], replicas: Int, ready: Int) -> KubeObject {
        var object = KubeObject(.deployments, namespace: "n", name: "web-1")
        object.annotations = annotations.merging(["serving.apus.dev/service": "web"]) { $1 }
        object.spec["replicas"] = JSONValue(replicas)
        object.status["readyReplicas"] = JSONValue(ready)
        return object
    }

    @Test func whatIsHeldWakesIt() throws {
        var target = try KPATarget(
            Self.deployment(["autoscaling.knative.dev/target": "1"], replicas: 0, ready: 0), config: [:], now: 100)
        #expect(target.service == ObjectKey(namespace: "n", name: "web"))
        #expect(target.wake(now: 100) == nil)
        target.book.add(Self.activity(100, span: 0.001, concurrency: 1, held: 3), from: "a", .concurrency)
        #expect(target.wake(now: 100) == 5, "3 held, 0.7 a pod")
        target.scaled(to: 5)
        #expect(target.wake(now: 100.5) == nil, "once")
        #expect(target.look(now: 102).step.replicas == 5, "held requests keep it")
    }

    @Test func limitsHoldFromZeroToo() throws {
        var target = try KPATarget(
            Self.deployment(
                ["autoscaling.knative.dev/target": "1", "autoscaling.knative.dev/max-scale": "2"], replicas: 0, ready: 0
            ),
            config: [:], now: 100)
        target.book.add(Self.activity(100, concurrency: 50, held: 50), from: "a", .concurrency)
        #expect(target.wake(now: 100) == 2)
    }

    @Test func toZeroAfterTheWindowAndTheGrace() throws {
        var target = try KPATarget(
            Self.deployment(["autoscaling.knative.dev/window": "6s"], replicas: 1, ready: 1),
            config: ["scale-to-zero-grace-period": "4s"], now: 100)
        var moments: [Double] = []
        for now in stride(from: 102.0, through: 116, by: 2) {
            let look = target.look(now: now)
            if look.step.replicas == 0 { moments.append(now) }
        }
        #expect(moments.first == 110)
    }

    @Test func aRestartTakesNoneAway() throws {
        var target = try KPATarget(
            Self.deployment(["autoscaling.knative.dev/window": "6s"], replicas: 9, ready: 9), config: [:], now: 100)
        #expect(target.look(now: 102).step.replicas == 9)
        #expect(target.look(now: 106).step.replicas == 9)
        #expect((target.look(now: 108).step.replicas ?? 9) < 9)
    }

    @Test func theTraceHasAllNumbers() throws {
        var target = try KPATarget(
            Self.deployment(["autoscaling.knative.dev/target": "2"], replicas: 1, ready: 1), config: [:], now: 100)
        for second in 101..<108 {
            target.book.add(Self.activity(Double(second), concurrency: 7), from: "a", .concurrency)
        }
        let look = target.look(now: 108)
        let trace = look.trace(ObjectKey(namespace: "n", name: "web-1"), target.spec, now: 108)
        #expect(trace["stable"].double == 7 && trace["target"].double == 1.4 && trace["want"].int == 5)
        #expect(
            look.reason(target.spec)
                == "7.0 requests at a time in 60 s, 7.0 in 6 s; target 1.4 a pod, 1 ready, in panic")
    }
}
