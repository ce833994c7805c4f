// SPDX-License-Identifier: Apache-2.0
import DatabaseFixtures
import SQLDatabases
import Testing
import TrackingModel

@testable import TrackingStore

@Suite(.serialized)
struct LoggingTests {
    @Test(arguments: Backend.allCases) func pointsAreKeptOnce(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let id = try await store.newRun()
            let points = [
                Metric(key: "m", value: 1.5, timestamp: 1, step: 2),
                Metric(key: "m", value: .nan, timestamp: 1, step: 2),
                Metric(key: "m", value: .infinity, timestamp: 1, step: 1),
                Metric(key: "m", value: -.infinity, timestamp: 1, step: 1),
                Metric(key: "m", value: 0, timestamp: 3, step: -4),
                Metric(key: "m", value: -0.0, timestamp: 3, step: -4),
            ]
            try await store.logBatch(id, metrics: points + points, params: [], tags: [])
            for point in points { try await store.logMetric(id, point) }
            let kept = try await store.metricHistory(id, "m")
            #expect(kept.count == 5)
            let order = kept.map { $0.value.isNaN ? "nan" : "\($0.value)" }
            let most = "\(Double.greatestFiniteMagnitude)"
            #expect(order == ["-\(most)", most, "nan", "1.5", "0.0"])
            #expect(kept.map(\.timestamp) == [1, 1, 1, 1, 3] && kept.map(\.step) == [1, 1, 2, 2, -4])
            #expect(try await store.run(id).metrics == [points[0]])
            #expect(try await store.metricHistory(id, "none").isEmpty)
            #expect(try await store.metricHistory("none", "m").isEmpty)
            let fourth = HistoryToken(last: nil, offset: 3)
            #expect(try await store.metricHistory(id, "m", limit: 2, from: fourth).map(\.value) == [1.5, 0])
            for (index, last) in kept.enumerated() {
                let next = try await store.metricHistory(id, "m", from: HistoryToken(last: last, offset: index + 1))
                #expect(next.map { "\($0)" } == kept.dropFirst(index + 1).map { "\($0)" })
            }
        }
    }

    @Test(arguments: Backend.allCases) func theLatestPoint(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let id = try await store.newRun()
            // By step, then time, then value, where what is no number counts as 0.
            for (value, time, step, isLatest) in [
                (1.0, 5, 1, true), (0.5, 9, 0, false), (2, 4, 1, false), (3, 5, 1, true), (.nan, 5, 1, false),
                (.nan, 6, 1, true), (-1, 6, 1, false), (0, 6, 1, false), (0.1, 6, 1, true), (7, 0, 2, true),
            ] as [(Double, Int64, Int64, Bool)] {
                let point = Metric(key: "m", value: value, timestamp: time, step: step)
                try await store.logMetric(id, point)
                let latest = try await store.run(id).metrics[0]
                let isSame =
                    latest.timestamp == time && latest.step == step
                    && (latest.value == value || (latest.value.isNaN && value.isNaN))
                #expect(isSame == isLatest, "\(point)")
            }
            #expect(try await store.metricHistory(id, "m").count == 10)
        }
    }

    @Test(arguments: Backend.allCases) func batches(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let id = try await store.newRun()
            let metrics = (0..<777).map {
                Metric(key: "m\($0 % 50)", value: Double($0), timestamp: Int64($0), step: Int64($0 / 50))
            }
            let params = (0..<100).map { Param("p\($0)", "\($0)") }
            let tags = (0..<100).map { Tag("t\($0 % 99)", "\($0)") }
            try await store.logBatch(id, metrics: metrics, params: params, tags: tags)
            try await store.logBatch(id, metrics: metrics, params: params, tags: tags)
            let run = try await store.run(id)
            #expect(Set(run.params) == Set(params) && run.tags.count == 100 && run.tags.contains(Tag("t0", "99")))
            #expect(run.metrics.count == 50)
            for metric in run.metrics {
                let last = metrics.last { $0.key == metric.key }
                #expect(metric == last)
                let history = try await store.metricHistory(id, metric.key)
                #expect(history == metrics.filter { $0.key == metric.key })
            }
        }
    }

    @Test(arguments: Backend.allCases) func paramsKeepTheirValue(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let id = try await store.newRun()
            try await store.logParam(id, Param("a", "1"))
            try await store.logParam(id, Param("a", "1"))
            #expect(
                await refusal { try await store.logParam(id, Param("a", "2")) }
                    == """
                    INVALID_PARAMETER_VALUE Changing param values is not allowed. Param with key='a' was already logged \
                    with value='1' for run ID='\(id)'. Attempted logging new value '2'.
                    """)
            let text = await refusal {
                try await store.logBatch(
                    id, metrics: [Metric(key: "m", value: 1, timestamp: 1)],
                    params: [Param("b", "new"), Param("a", "it's")], tags: [Tag("t", "1")])
            }
            #expect(
                text == """
                    INVALID_PARAMETER_VALUE Changing param values is not allowed. Params were already logged='[{'key': \
                    'a', 'old_value': '1', 'new_value': "it's"}]' for run ID='\(id)'.
                    """)
            // All of a batch, or nothing.
            let run = try await store.run(id)
            #expect(run.params == [Param("a", "1")] && run.metrics.isEmpty && run.tags.count == 1)
            // And the keys of a batch that failed are not taken for known.
            try await store.logMetric(id, Metric(key: "m", value: 1, timestamp: 1))
            #expect(try await store.run(id).metrics.map(\.key) == ["m"])
        }
    }

    @Test(arguments: Backend.allCases) func manyWritersAtOnce(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let id = try await store.newRun()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<16 {
                    group.addTask {
                        for step in 0..<20 {
                            let metrics = (0..<5).map {
                                Metric(
                                    key: "k\((writer + $0) % 20)", value: Double(writer), timestamp: Int64(writer),
                                    step: Int64(step))
                            }
                            try await store.logBatch(id, metrics: metrics, params: [], tags: [])
                        }
                    }
                }
                try await group.waitForAll()
            }
            let counts = try await store.database.read { session in
                try session.row("SELECT (SELECT count(*) FROM metrics), (SELECT count(*) FROM metric_keys)")?.values
            }
            #expect(counts == [1600, 20])
            for metric in try await store.run(id).metrics { #expect(metric.step == 19) }
        }
    }

    @Test(arguments: Backend.allCases) func samples(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let id = try await store.newRun()
            for start in stride(from: 0, to: 1003, by: 500) {
                let metrics = (start..<min(start + 500, 1003)).map {
                    Metric(key: "m", value: Double($0), timestamp: 1, step: Int64($0))
                }
                try await store.logBatch(id, metrics: metrics, params: [], tags: [])
            }
            for limit in [1, 2, 3, 7, 100, 320, 1002, 1003, 2500] {
                let found = try await store.sampledHistory(ofRuns: [id], "m", steps: nil, limit: limit)
                #expect(found.map { Int($0.step) } == Self.ntile(Array(0..<1003), limit), "\(limit)")
            }
            let part = try await store.sampledHistory(ofRuns: [id, "none", id], "m", steps: 100...130, limit: 10)
            #expect(part.map { Int($0.step) } == Self.ntile(Array(100...130), 10) + Self.ntile(Array(100...130), 10))
            #expect(part.allSatisfy { $0.runID == id })
            let more = try await store.sampledHistory(ofRuns: [id], "m", steps: 100...900, limit: 10)
            #expect(more.map { Int($0.step) } == Self.ntile(Array(100...900), 10))
            // Many points of one step, with and without what is no number.
            for (key, nan) in [("same", 0.25), ("nan", Double.nan)] {
                let points = (0..<900).map { (number: Int) -> Metric in
                    let value = number % 50 == 3 ? nan : Double(number * 7 % 997 - 400)
                    return Metric(key: key, value: value, timestamp: Int64(number % 5))
                }
                try await store.logBatch(id, metrics: points, params: [], tags: [])
                let sorted = points.sorted { ($0.timestamp, $0.comparedValue) < ($1.timestamp, $1.comparedValue) }
                var kept: [Metric] = []
                for point in sorted where kept.last.map({ "\($0)" }) != "\(point)" { kept.append(point) }
                let found = try await store.sampledHistory(ofRuns: [id], key, steps: 0...0, limit: 9)
                let expected = Self.ntile(Array(kept.indices), 9).map { kept[$0] }
                #expect(found.map(\.timestamp) == expected.map(\.timestamp))
                #expect(found.map(\.comparedValue) == expected.map(\.comparedValue))
            }
            let bulk = try await store.metricHistory(ofRuns: [id, "none", id], "m", limit: 5)
            #expect(bulk.map(\.step) == [0, 1, 2, 3, 4])
        }
    }

    /// The first of each of SQL's NTILE(limit) portions; the last one of all at the end.
    private static func ntile(_ steps: [Int], _ limit: Int) -> [Int] {
        let (size, more) = (steps.count / limit, steps.count % limit)
        var result: [Int] = []
        var start = 0
        for portion in 0..<limit where start < steps.count {
            result.append(steps[start])
            start += size + (portion < more ? 1 : 0)
        }
        guard result.last != steps.last else { return result }
        if result.count >= limit { result.removeLast() }
        return result + steps.suffix(1)
    }
}
