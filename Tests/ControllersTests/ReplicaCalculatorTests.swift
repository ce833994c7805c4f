// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AutoscalingCore
import KubeAPI
import Testing

@testable import Controllers

/// The formula against rows that were worked out by hand from upstream's documentation of it.
@Suite struct ReplicaCalculatorTests {
    /// A pod that runs and is ready since long, unless it says otherwise.
    struct Pod: Sendable {
        /// Thousandths; nil: there is no sample.
        var used: Int64?
        var request: String? = "1"
        var ready = true
        var phase = "Running"
        /// Seconds since its start, and since it became ready or unready.
        var age = 3600
        var readyFor = 3000
        var deleting = false
    }

    struct Row: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var current: Int
        var target: Int64
        var pods: [Pod]
        var expected: String
        var resource = "cpu"

        init(
            _ name: String, _ current: Int, target: Int64, _ pods: [Pod], _ expected: String, resource: String = "cpu"
        ) {
            testDescription = name
            self.current = current
            self.target = target
            self.pods = pods
            self.expected = expected
            self.resource = resource
        }
    }

    private static let now = TestObjects.start

    private static func used(_ amounts: Int64?...) -> [Pod] { amounts.map { Pod(used: $0) } }

    private func world(_ row: Row) -> (pods: [KubeObject], samples: [String: PodSample]) {
        var pods: [KubeObject] = []
        var samples: [String: PodSample] = [:]
        for (index, pod) in row.pods.enumerated() {
            var object = KubeObject(.pods, namespace: "default", name: "p\(index)")
            if pod.deleting { object.metadata["deletionTimestamp"] = .string(Self.now.rfc3339) }
            object.spec["containers"] = [
                ["name": "c", "resources": ["requests": [row.resource: JSONValue(pod.request)]]]
            ]
            object.status = [
                "phase": .string(pod.phase), "startTime": .string((Self.now + .seconds(-pod.age)).rfc3339),
                "conditions": [
                    [
                        "type": "Ready", "status": pod.ready ? "True" : "False",
                        "lastTransitionTime": .string((Self.now + .seconds(-pod.readyFor)).rfc3339),
                    ]
                ],
            ]
            pods.append(object)
            if let used = pod.used { samples[object.name] = PodSample(value: used, timestamp: Self.now) }
        }
        return (pods, samples)
    }

    private func text(_ body: () throws(MetricFailure) -> ReplicaProposal) -> String {
        do {
            let proposal = try body()
            return proposal.utilization.map { "\(proposal.replicas) \($0)%" }
                ?? "\(proposal.replicas) \(proposal.amount)"
        } catch {
            return error.description
        }
    }

    @Test(arguments: [
        Row("at the target", 3, target: 50, used(500, 500, 500), "3 50%"),
        Row("up", 3, target: 30, used(300, 500, 700), "5 50%"),
        Row("down", 5, target: 50, used(100, 300, 500, 250, 250), "3 28%"),
        Row("down to one", 4, target: 80, used(10, 10, 10, 10), "1 1%"),
        Row("nothing used", 4, target: 80, used(0, 0, 0, 0), "0 0%"),
        Row("within the tolerance, above", 3, target: 100, used(1100, 1100, 1100), "3 110%"),
        Row("above the tolerance", 3, target: 100, used(1110, 1110, 1110), "4 111%"),
        Row("within the tolerance, below", 10, target: 100, Array(repeating: Pod(used: 900), count: 10), "10 90%"),
        Row("below the tolerance", 10, target: 100, Array(repeating: Pod(used: 890), count: 10), "9 89%"),
        Row(
            "requests that differ", 3, target: 100,
            [Pod(used: 900, request: "900m"), Pod(used: 1000), Pod(used: 1100, request: "1100m")], "3 100%"),
        Row(
            "the sum counts, not the mean of the shares", 2, target: 50,
            [Pod(used: 100, request: "100m"), Pod(used: 400, request: "1900m")], "1 25%"
        ),
        Row(
            "unready pods count as nothing on the way up", 3, target: 30,
            [Pod(used: 300, ready: false, age: 60), Pod(used: 500), Pod(used: 700)], "4 60%"),
        Row(
            "unready pods that would turn it round", 3, target: 30,
            [Pod(used: 400), Pod(used: 500, ready: false, age: 60), Pod(used: 700, ready: false, age: 60)], "3 40%"),
        Row(
            "a pod that is ready for less than a window", 3, target: 30,
            [Pod(used: 300, age: 60, readyFor: 10), Pod(used: 500), Pod(used: 700)], "4 60%"),
        Row(
            "a young pod that is ready for long enough", 3, target: 30,
            [Pod(used: 300, age: 90, readyFor: 70), Pod(used: 500), Pod(used: 700)], "5 50%"),
        Row(
            "an old pod that became unready later counts", 3, target: 30,
            [Pod(used: 300, ready: false, age: 3600, readyFor: 10), Pod(used: 500), Pod(used: 700)], "5 50%"),
        Row(
            "an old pod that never was ready does not", 3, target: 30,
            [Pod(used: 300, ready: false, age: 3600, readyFor: 3590), Pod(used: 500), Pod(used: 700)], "4 60%"),
        Row(
            "pending pods are unready", 3, target: 30,
            [Pod(used: nil, phase: "Pending"), Pod(used: 500), Pod(used: 700)], "4 60%"),
        Row(
            "unready pods do not hold up the way down", 5, target: 50,
            [Pod(used: 100, ready: false, age: 60), Pod(used: 300), Pod(used: 500), Pod(used: 250), Pod(used: 250)],
            "3 32%"),
        Row(
            "failed pods are not there", 2, target: 30,
            used(500, 700) + [Pod(used: nil, phase: "Failed"), Pod(used: 900, phase: "Failed")], "4 60%"),
        Row(
            "pods that go are not there", 2, target: 30,
            used(500, 700) + [Pod(used: nil, deleting: true), Pod(used: 900, deleting: true)], "4 60%"),
        Row("missing, at the target", 2, target: 100, used(1000, nil), "2 100%"),
        Row("missing counts as nothing on the way up", 2, target: 100, used(1900, nil), "2 190%"),
        Row("missing, far up", 2, target: 100, used(5000, nil), "5 500%"),
        Row("missing uses all on the way down", 2, target: 100, used(600, nil), "2 60%"),
        Row("missing, far down", 4, target: 100, used(100, 100, 100, nil), "2 10%"),
        Row("missing uses the target where that is more", 2, target: 200, used(1000, nil), "2 100%"),
        Row(
            "missing and unready, turned round", 3, target: 50,
            [Pod(used: 100, ready: false, age: 60), Pod(used: 450), Pod(used: nil)], "3 45%"),
        Row(
            "missing and unready, up", 3, target: 50,
            [Pod(used: 100, ready: false, age: 60), Pod(used: 2000), Pod(used: nil)], "4 200%"),
        Row(
            "missing and unready, down", 4, target: 50,
            [Pod(used: 100, ready: false, age: 60), Pod(used: 100), Pod(used: 100), Pod(used: nil)], "3 10%"),
        Row(
            "readiness is for CPU only", 3, target: 30,
            [Pod(used: 300, ready: false, age: 60), Pod(used: 500), Pod(used: 700)], "5 50%", resource: "memory"),
        Row("no pods", 3, target: 30, [], "no pods returned by selector while calculating replica count"),
        Row(
            "no samples", 2, target: 30, used(nil, nil),
            "did not receive metrics for targeted pods (pods might be unready)"),
        Row(
            "only unready pods", 1, target: 30, [Pod(used: 900, ready: false, age: 60)],
            "did not receive metrics for targeted pods (pods might be unready)"),
        Row(
            "no request", 2, target: 30, [Pod(used: 100), Pod(used: 100, request: nil)],
            "missing request for cpu in container c of Pod p1"),
        Row(
            "a request of nothing", 1, target: 30, [Pod(used: 100, request: "0")],
            "no metrics returned matched known pods"),
    ])
    func utilization(row: Row) {
        let (pods, samples) = world(row)
        let calculator = ReplicaCalculator(now: Self.now)
        let found = text { () throws(MetricFailure) in
            try calculator.utilization(
                current: row.current, target: Int(row.target), resource: row.resource, container: nil,
                samples: samples, pods: pods)
        }
        #expect(found == row.expected)
    }

    @Test(arguments: [
        Row("up", 3, target: 15_000, used(20_000, 10_000, 30_000), "4 20000", resource: ""),
        Row("down", 5, target: 20_000, used(12_000, 12_000, 12_000, 12_000, 12_000), "3 12000", resource: ""),
        Row("tolerance", 3, target: 20_000, used(20_000, 20_600, 21_000), "3 20533", resource: ""),
        Row(
            "unready pods count", 3, target: 15_000,
            [Pod(used: 50_000), Pod(used: 10_000), Pod(used: 30_000, ready: false, age: 10)], "6 30000", resource: ""),
        Row(
            "pending pods count as nothing on the way up", 3, target: 15_000,
            [Pod(used: 50_000), Pod(used: 10_000), Pod(used: nil, phase: "Pending")], "4 30000", resource: ""),
        Row("missing counts as nothing at the target", 2, target: 1000, used(1000, nil), "1 1000", resource: ""),
        Row("missing, up", 2, target: 1000, used(5000, nil), "5 5000", resource: ""),
        Row("missing, turned round", 2, target: 1000, used(1900, nil), "2 1900", resource: ""),
        Row("missing, down", 4, target: 1000, used(100, 100, 100, nil), "2 100", resource: ""),
        Row(
            "CPU of starting pods", 2, target: 500, [Pod(used: 900, ready: false, age: 5), Pod(used: 2000)],
            "4 2000"),
        Row("no pods", 2, target: 1, [], "no pods returned by selector while calculating replica count", resource: ""),
    ])
    func average(row: Row) {
        let (pods, samples) = world(row)
        let calculator = ReplicaCalculator(now: Self.now)
        let found = text { () throws(MetricFailure) in
            try calculator.average(
                current: row.current, target: row.target, resource: row.resource, samples: samples, pods: pods)
        }
        #expect(found == row.expected)
    }

    @Test(
        arguments: [
            (3, 20_000, 15_000, 3, "4 20000"), (3, 15_000, 15_000, 3, "3 15000"), (3, 16_000, 15_000, 3, "3 16000"),
            (5, 9000, 20_000, 5, "3 9000"), (3, 40_000, 20_000, 1, "2 40000"), (0, 10_000, 3000, 0, "4 10000"),
            (0, 0, 3000, 0, "0 0"), (2, 0, 3000, 2, "0 0"),
            (
                2, 9000, 3000, -1,
                "unable to calculate ready pods: no pods returned by selector while calculating replica count"
            ),
        ] as [(Int, Int64, Int64, Int, String)])
    func total(current: Int, value: Int64, target: Int64, ready: Int, expected: String) {
        let pods = ready < 0 ? [] : (0..<max(ready, current)).map { TestObjects.pod("p\($0)", ready: $0 < ready) }
        let calculator = ReplicaCalculator(now: Self.now)
        let found = text { () throws(MetricFailure) in
            try calculator.total(current: current, value: value, target: target, pods: pods)
        }
        #expect(found == expected)
    }

    @Test(
        arguments: [
            (3, 8600, 2150, "4 2867"), (4, 8600, 2150, "4 2150"), (5, 8600, 2150, "4 1720"), (0, 8600, 2150, "4 8600"),
            (0, 0, 2150, "0 0"), (10, 100, 2150, "1 10"),
        ] as [(Int, Int64, Int64, String)])
    func share(present: Int, value: Int64, target: Int64, expected: String) {
        let calculator = ReplicaCalculator(now: Self.now)
        #expect(
            text { () throws(MetricFailure) in calculator.share(present: present, value: value, target: target) }
                == expected)
    }

    @Test func `a tolerance of its own for each direction`() throws {
        var calculator = ReplicaCalculator(now: Self.now)
        calculator.tolerance = ScalingTolerance(down: 0.5, up: 0)
        let pods = [TestObjects.pod("p0"), TestObjects.pod("p1")]
        #expect(try calculator.total(current: 2, value: 1010, target: 1000, pods: pods).replicas == 3)
        #expect(try calculator.total(current: 2, value: 510, target: 1000, pods: pods).replicas == 2)
        #expect(try calculator.total(current: 2, value: 490, target: 1000, pods: pods).replicas == 1)
    }

    @Test func `extreme amounts stay numbers`() throws {
        let calculator = ReplicaCalculator(now: Self.now)
        #expect(calculator.share(present: 1, value: .max, target: 1).replicas == Int(Int32.max))
        let pods = [TestObjects.pod("p0")]
        #expect(try calculator.total(current: 1, value: .max, target: 1, pods: pods).replicas == Int(Int32.max))
    }

    @Test func `requests of one container, of sidecars, of the whole pod`() throws {
        var pod = TestObjects.pod("p")
        pod.spec = [
            "containers": [
                ["name": "a", "resources": ["requests": ["cpu": "1"]]],
                ["name": "b", "resources": ["requests": ["cpu": "500m"]]],
            ],
            "initContainers": [
                ["name": "i", "resources": ["requests": ["cpu": "9"]]],
                ["name": "s", "restartPolicy": "Always", "resources": ["requests": ["cpu": "250m"]]],
            ],
        ]
        #expect(try ReplicaCalculator.requests(of: [pod], "cpu", nil) == ["p": 1750])
        #expect(try ReplicaCalculator.requests(of: [pod], "cpu", "b") == ["p": 500])
        pod.spec["resources"] = ["requests": ["cpu": "4"]]
        #expect(try ReplicaCalculator.requests(of: [pod], "cpu", nil) == ["p": 4000])
    }

    @Test func `samples of the metrics API`() throws {
        func item(_ name: String, _ containers: JSONValue) -> KubeObject {
            var item = KubeObject(.pods, namespace: "default", name: name)
            item["containers"] = containers
            item["timestamp"] = .string(Self.now.rfc3339)
            item["window"] = "14.5s"
            return item
        }
        let items = [
            item("a", [["name": "x", "usage": ["cpu": "250000000n"]], ["name": "y", "usage": ["cpu": "1"]]]),
            item("b", [["name": "x", "usage": ["cpu": "1u"]], ["name": "y", "usage": ["memory": "1Ki"]]]),
        ]
        let all = try ScalingMetricsReader.samples(items, "cpu", container: nil)
        #expect(all == ["a": PodSample(value: 1250, timestamp: Self.now, window: .milliseconds(14_500))])
        let one = try ScalingMetricsReader.samples(items, "cpu", container: "x")
        #expect(one.mapValues(\.value) == ["a": 250, "b": 1])
        #expect(throws: MetricFailure("container z not present in metrics for pod default/a")) {
            try ScalingMetricsReader.samples(items, "cpu", container: "z")
        }
        let windows = ["15s", "1m0s", "1h2m3.5s", "100ms", "", "x", "5"].map(ScalingMetricsReader.window)
        #expect(
            windows == [
                .seconds(15), .seconds(60), .milliseconds(3_723_500), .milliseconds(100), .seconds(60), .seconds(60),
                .seconds(60),
            ])
    }
}
