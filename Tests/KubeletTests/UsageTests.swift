// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ContainerRuntimes
import KubeAPI
import KubeClient
import Testing

@testable import Kubelet

@Suite(.serialized) struct UsageTests {
    private static let start = Timestamp(seconds: 1_750_000_000)

    private func usage(_ seconds: Double, memory: UInt64 = 10, run: UInt64 = 1) -> ContainerUsage {
        ContainerUsage(cpuNanoseconds: UInt64(seconds * 1e9), memoryBytes: memory, run: run)
    }

    @Test func `rates are between two readings of the same run`() {
        var meter = UsageMeter()
        meter.read(["a": usage(10), "b": usage(1)], at: Self.start)
        #expect(meter.rates.isEmpty)
        meter.read(["a": usage(12.5, memory: 20), "c": usage(3)], at: Self.start + .seconds(10))
        #expect(
            meter.rates == [
                "a": ResourceUsage(
                    cpuNanoCores: 250_000_000, memoryBytes: 20, timestamp: Self.start + .seconds(10),
                    window: .seconds(10))
            ])
        // A process that ended took its time with it; another run begins anew; what is gone is forgotten.
        meter.read(["a": usage(11), "c": usage(4, run: 2)], at: Self.start + .seconds(20))
        #expect(meter.rates.keys.sorted() == ["a"])
        #expect(meter.rates["a"]?.cpuNanoCores == 0)
        meter.read(["c": usage(5, run: 2)], at: Self.start + .seconds(30))
        #expect(meter.rates["c"]?.cpuNanoCores == 100_000_000)
        // A clock that stands still or goes back gives no rate.
        meter.read(["c": usage(6, run: 2)], at: Self.start + .seconds(30))
        #expect(meter.rates.isEmpty)
    }

    @Test func `the machine: what is neither idle nor waiting, and memory that is not available`() {
        let usage = UsageSampler.machine([100, 20, 30, 1000, 50, 1, 2, 7, 0, 0], total: 1000, available: 400)
        #expect(usage == ContainerUsage(cpuNanoseconds: 153 * 10_000_000, memoryBytes: 600, run: 0))
        #expect(UsageSampler.machine([], total: 0, available: 5).memoryBytes == 0)
    }

    @Test func `a container that works is seen to`() async throws {
        try await TestNode.run(usageInterval: .milliseconds(300)) { node in
            var pod = KubeObject(.pods, namespace: "default", name: "busy")
            let children = "sh -c 'while :; do :; done' & while :; do :; done"
            pod.spec = [
                "nodeName": "node",
                "containers": [["name": "c", "image": "x", "command": ["sh", "-c", .string(children)]]],
                "terminationGracePeriodSeconds": 0,
            ]
            _ = try await node.client.create(.pods, pod)
            try await node.whileAgentRuns {
                try await node.wait(.pods, "busy") { $0.status["phase"] == "Running" }
                // Each reading makes new rates, so what is looked at twice may be of different ones.
                while true {
                    let pod = node.agent.podUsage.first
                    let rate = pod?.containers.first?.usage
                    if rate?.cpuNanoCores ?? 0 >= 50_000_000, node.agent.machineUsage?.cpuNanoCores ?? 0 > 0 {
                        #expect(pod?.pod.name == "busy")
                        #expect(rate?.memoryBytes ?? 0 > 1000)
                        break
                    }
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
        }
    }
}
