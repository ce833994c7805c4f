// SPDX-License-Identifier: Apache-2.0
import ApusCore
import DatabaseFixtures
import Testing
import TrackingModel

@testable import TrackingStore

private func info(_ id: String, time: Int64 = 1000, _ change: (inout TraceInfo) -> Void = { _ in }) -> TraceInfo {
    var info = TraceInfo()
    info.id = id
    info.experiment = "0"
    info.time = time
    info.duration = 5
    info.state = "OK"
    change(&info)
    return info
}

private func span(
    _ trace: UInt8, _ id: UInt8, parent: UInt8? = nil, name: String = "s", start: UInt64 = 1_000_000_000,
    end: UInt64 = 1_500_000_000, _ attributes: [Attribute] = [], resource: [Attribute] = []
) throws -> SpanIntake {
    var span = OTLPSpan()
    span.traceID = [UInt8](repeating: 0, count: 15) + [trace]
    span.spanID = [UInt8](repeating: 0, count: 7) + [id]
    span.parentID = parent.map { [UInt8](repeating: 0, count: 7) + [$0] } ?? []
    span.name = name
    span.start = start
    span.end = end
    span.attributes = attributes
    return try SpanIntake(span, resource: resource)
}

private func traceID(_ number: UInt8) -> String {
    "tr-" + String(repeating: "0", count: 30) + (number < 16 ? "0" : "") + String(number, radix: 16)
}

extension TrackingStore {
    fileprivate func found(_ filter: String, order: [String] = []) async throws -> [String] {
        try await searchTraces(
            TraceSearch(experiments: ["0"], filter: filter, order: order, most: 100, token: "")
        ).traces.map(\.id)
    }
}

@Suite(.serialized)
struct TraceTests {
    @Test(arguments: Backend.allCases) func aTraceIsKept(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let made = try await store.startTrace(
                info("tr-1") { info in
                    info.clientRequestID = "c"
                    info.requestPreview = "q"
                    info.tags = ["a": "b", TraceKey.name: "outer"]
                    info.metadata = [
                        "m": "n", TraceKey.session: "s",
                        TraceKey.tokenUsage: #"{"input_tokens": 1, "total_tokens": 3}"#,
                        TraceKey.cost: #"{"input_cost": 0.5}"#,
                    ]
                })
            #expect(made.tags["mlflow.artifactLocation"] == "mlflow-artifacts:/0/traces/tr-1/artifacts")
            #expect(made.tags[TraceKey.name] == "outer" && made.metadata[TraceKey.session] == "s")
            #expect(made.metadata[TraceKey.tokenUsage] == #"{"input_tokens": 1, "total_tokens": 3}"#)
            #expect(made.metadata[TraceKey.cost] == #"{"input_cost": 0.5}"#)
            #expect(made.metadata[TraceKey.isFinal] == "true")
            #expect(try await store.trace("tr-1") == made)
            try await store.setTraceTag("tr-1", "a", "c")
            try await store.deleteTraceTag("tr-1", TraceKey.name)
            #expect(
                try await store.trace("tr-1").tags == [
                    "a": "c", "mlflow.artifactLocation": made.tags["mlflow.artifactLocation"] ?? "",
                ])
            #expect(try await store.traces(["x", "tr-1", "tr-1"], experiments: nil).map(\.id) == ["tr-1"])
            #expect(try await store.traces(["tr-1"], experiments: ["7"]).isEmpty)
        }
    }

    @Test(arguments: Backend.allCases) func refusalsAreMLflows(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            _ = try await store.startTrace(info("tr-1"))
            func check(_ expected: String, _ body: () async throws -> Void) async {
                #expect(await refusal(body) == expected)
            }
            await check("RESOURCE_DOES_NOT_EXIST Trace with ID 'tr-2' not found.") { _ = try await store.trace("tr-2") }
            await check("RESOURCE_DOES_NOT_EXIST Trace with ID tr-2 is not found.") {
                _ = try await store.traceWithSpans("tr-2", isPartial: true)
            }
            await check("INTERNAL_ERROR Trace data not stored in tracking store") {
                _ = try await store.traceWithSpans("tr-1", isPartial: true)
            }
            await check("RESOURCE_DOES_NOT_EXIST No trace tag with key 'k' for trace with ID 'tr-1'") {
                try await store.deleteTraceTag("tr-1", "k")
            }
            await check("RESOURCE_DOES_NOT_EXIST No Experiment with id=9 exists") {
                _ = try await store.startTrace(info("tr-3") { $0.experiment = "9" })
            }
            await check("INVALID_PARAMETER_VALUE 'Session ID' exceeds the maximum length of 250 characters") {
                _ = try await store.startTrace(
                    info("tr-3") { $0.metadata = [TraceKey.session: String(repeating: "x", count: 251)] })
            }
            await check("INVALID_PARAMETER_VALUE Either `max_timestamp_millis` or `trace_ids` must be specified.") {
                _ = try await store.deleteTraces(experiment: "0", ids: [], time: nil, most: nil)
            }
            await check(
                "INVALID_PARAMETER_VALUE Cannot link more than 100 traces to a run in a single request. Provided 101 traces."
            ) { try await store.linkTraces([String](repeating: "x", count: 101), toRun: "r") }
        }
    }

    @Test(arguments: Backend.allCases) func spansMakeATrace(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let usage = Attribute("mlflow.chat.tokenUsage", .map([Attribute("input_tokens", .int(4))]))
            try await store.logSpans(
                [
                    try span(1, 2, parent: 1, name: "child", start: 2_000_000_000, end: 3_000_000_000, [usage]),
                    try span(2, 1, name: "other"),
                ], experiment: "0")
            #expect(try await store.trace(traceID(1)).state == "IN_PROGRESS")
            try await store.logSpans(
                [
                    try span(
                        1, 1, name: "root", end: 4_000_000_000,
                        [
                            Attribute("mlflow.spanInputs", .string("hello")), Attribute("session.id", .string("s")),
                            Attribute("user.id", .string("u")), Attribute("mlflow.traceTag.k", .string("v")), usage,
                        ], resource: [Attribute("service.name", .string("shop"))])
                ], experiment: "0")
            let trace = try #require(try await store.traceWithSpans(traceID(1), isPartial: false))
            #expect(trace.spans.map(\.name) == ["root", "child"])
            #expect(trace.info.state == "OK" && trace.info.time == 1000 && trace.info.duration == 3000)
            #expect(trace.info.requestPreview == "\"hello\"")
            #expect(trace.info.tags["service.name"] == "shop" && trace.info.tags["k"] == "v")
            #expect(trace.info.metadata[TraceKey.session] == "s" && trace.info.metadata[TraceKey.user] == "u")
            // The root's sum has the child's in it.
            #expect(
                trace.info.metadata[TraceKey.tokenUsage]
                    == #"{"input_tokens": 4, "output_tokens": 0, "total_tokens": 0}"#)
            // The same spans again change nothing.
            try await store.logSpans([try span(2, 1, name: "other"), try span(2, 1, name: "other")], experiment: "0")
            #expect(try await store.tracesWithSpans([traceID(2)], experiments: nil).map(\.spans.count) == [1])
        }
    }

    @Test(arguments: Backend.allCases) func aTraceAndItsSpansComeInAnyOrder(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let whole = info(traceID(1), time: 77) { info in
                info.metadata = [
                    TraceKey.sizeStatistics: #"{"num_spans": 2}"#, TraceKey.tokenUsage: #"{"input_tokens": 9}"#,
                ]
            }
            let usage = Attribute("mlflow.chat.tokenUsage", .map([Attribute("input_tokens", .int(4))]))
            try await store.logSpans([try span(1, 1, [usage])], experiment: "0")
            _ = try await store.startTrace(whole)
            // One span of two is there.
            #expect(try await store.traceWithSpans(traceID(1), isPartial: false) == nil)
            #expect(try await store.traceWithSpans(traceID(1), isPartial: true)?.spans.count == 1)
            try await store.logSpans([try span(1, 2, parent: 1, [usage])], experiment: "0")
            let trace = try #require(try await store.traceWithSpans(traceID(1), isPartial: false))
            // What the client said of the whole counts.
            #expect(trace.info.time == 77 && trace.info.duration == 5)
            #expect(trace.info.metadata[TraceKey.tokenUsage]?.contains("\"input_tokens\": 9") == true)
        }
    }

    @Test(arguments: Backend.allCases) func searchesFind(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            for number in 1...4 {
                _ = try await store.startTrace(
                    info("tr-\(number)", time: Int64(number) * 10) { info in
                        info.tags = ["n": "\(number)", TraceKey.name: number < 3 ? "First" : "second"]
                        info.metadata = number == 1 ? ["m": "x", TraceKey.run: "run1"] : [TraceKey.session: "s"]
                        info.state = number == 4 ? "ERROR" : "OK"
                        info.duration = number == 2 ? nil : Int64(number)
                    })
            }
            try await store.linkTraces(["tr-3"], toRun: "run1")
            try await store.linkPrompts(["p/1"], toTrace: "tr-2")
            #expect(try await store.found("") == ["tr-4", "tr-3", "tr-2", "tr-1"])
            #expect(try await store.found("trace.status = 'ERROR'") == ["tr-4"])
            #expect(try await store.found("trace.timestamp_ms >= 20 AND tags.n != '3'") == ["tr-4", "tr-2"])
            #expect(try await store.found("trace.name LIKE 'first'").isEmpty)
            #expect(try await store.found("trace.name ILIKE 'first'") == ["tr-2", "tr-1"])
            #expect(try await store.found("tags.none IS NULL AND metadata.m IS NOT NULL") == ["tr-1"])
            #expect(try await store.found("trace.run_id = 'run1'") == ["tr-3", "tr-1"])
            #expect(try await store.found("prompt = 'p/1'") == ["tr-2"])
            #expect(try await store.found("request_id IN ('tr-1', 'tr-9')") == ["tr-1"])
            #expect(try await store.found("trace.execution_time > 2") == ["tr-4", "tr-3"])
            #expect(try await store.found("", order: ["execution_time ASC"]) == ["tr-1", "tr-3", "tr-4", "tr-2"])
            #expect(
                try await store.found("", order: ["tags.n DESC", "timestamp"]) == ["tr-4", "tr-3", "tr-2", "tr-1"])
            #expect(try await store.found("", order: ["name ASC"]) == ["tr-2", "tr-1", "tr-4", "tr-3"])
        }
    }

    @Test(arguments: Backend.allCases) func searchesLookIntoSpansAndAssessments(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            for number: UInt8 in 1...3 {
                _ = try await store.startTrace(
                    info(traceID(number), time: Int64(number)) { info in
                        if number < 3 { info.metadata = [TraceKey.session: "s"] }
                    })
                try await store.logSpans(
                    [
                        try span(
                            number, 1, name: "n\(number)",
                            [Attribute("model", .string("gpt-\(number)")), Attribute("k", .int(Int64(number)))])
                    ], experiment: "0")
            }
            let (one, two, three) = (traceID(1), traceID(2), traceID(3))
            #expect(try await store.found("span.name = 'n2'") == [two])
            #expect(try await store.found("span.name = 'n2' AND span.attributes.model LIKE '%gpt-1%'").isEmpty)
            #expect(try await store.found("span.attributes.model = 'gpt-1'") == [one])
            #expect(try await store.found("span.attributes.k != '1'") == [three, two])
            #expect(try await store.found("trace.text ILIKE '%GPT-3%'") == [three])
            var feedback = Assessment()
            feedback.traceID = one
            feedback.name = "good"
            feedback.value = "4.0"
            _ = try await store.createAssessment(feedback)
            #expect(try await store.found("feedback.good > 3") == [one])
            #expect(try await store.found("feedback.good = '4.0'") == [one])
            #expect(try await store.found("feedback.good IS NULL") == [three, two])
            // One that is meant for the session counts for all its traces.
            feedback.metadata = [TraceKey.session: "s"]
            feedback.value = "\"yes\""
            _ = try await store.createAssessment(feedback)
            #expect(try await store.found("feedback.good = 'yes'") == [two, one])
            #expect(try await store.found("feedback.good IS NULL") == [three])
        }
    }

    @Test(arguments: Backend.allCases) func pagesGoOn(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            for number in 0..<23 {
                _ = try await store.startTrace(
                    info("tr-\(number)", time: Int64(number / 3)) { info in
                        if number % 4 > 0 { info.tags = ["k": "\(number % 5)"] }
                    })
            }
            for order in [[], ["tags.k DESC"], ["timestamp ASC"], ["execution_time", "request_id DESC"]] {
                let all = try await store.found("", order: order)
                var search = TraceSearch(experiments: ["0"], filter: "", order: order, most: 5, token: "")
                var found: [String] = []
                repeat {
                    let page = try await store.searchTraces(search)
                    found += page.traces.map(\.id)
                    search.token = page.token ?? ""
                } while !search.token.isEmpty && found.count <= 23
                #expect(all.count == 23 && found == all, "\(order)")
            }
        }
    }

    @Test(arguments: Backend.allCases) func assessmentsChange(backend: Backend) async throws {
        try await withStore(backend) { store, clock in
            _ = try await store.startTrace(info("tr-1"))
            var feedback = Assessment()
            feedback.traceID = "tr-1"
            feedback.name = "good"
            feedback.value = "true"
            let first = try await store.createAssessment(feedback)
            #expect(first.id.hasPrefix("a-") && first.created == 1000)
            feedback.overrides = first.id
            let second = try await store.createAssessment(feedback)
            #expect(try await store.assessment(first.id, ofTrace: "tr-1").isValid == false)
            clock.pass(5)
            var change = AssessmentChange()
            change.feedback = ("false", nil)
            change.metadata = ["a": "b"]
            let changed = try await store.updateAssessment(second.id, ofTrace: "tr-1", change)
            #expect(changed.value == "false" && changed.metadata == ["a": "b"] && changed.updated == 1005)
            #expect(try await store.trace("tr-1").assessments.map(\.id).sorted() == [first.id, second.id].sorted())
            var wrong = AssessmentChange()
            wrong.expectation = "1"
            let refused = wrong
            let fault = await refusal {
                _ = try await store.updateAssessment(second.id, ofTrace: "tr-1", refused)
            }
            #expect(fault == "INVALID_PARAMETER_VALUE Cannot update expectation value on a Feedback assessment.")
            try await store.deleteAssessment(second.id, ofTrace: "tr-1")
            try await store.deleteAssessment(second.id, ofTrace: "tr-1")
            #expect(try await store.assessment(first.id, ofTrace: "tr-1").isValid)
        }
    }

    @Test(arguments: Backend.allCases) func deletionTakesAll(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            for number: UInt8 in 1...5 {
                try await store.logSpans(
                    [try span(number, 1, start: UInt64(number) * 1_000_000_000)], experiment: "0")
            }
            #expect(try await store.deleteTraces(experiment: "0", ids: [traceID(1), "x"], time: nil, most: nil) == 1)
            #expect(try await store.deleteTraces(experiment: "7", ids: [traceID(2)], time: nil, most: nil) == 0)
            #expect(try await store.deleteTraces(experiment: "0", ids: [], time: 9000, most: 2) == 2)
            #expect(try await store.found("") == [traceID(5), traceID(4)])
            #expect(try await store.deleteTraces(experiment: "0", ids: [], time: 4500, most: nil) == 1)
            let left = try await store.database.read { session in
                try ["traces", "spans", "trace_tags"].map { table in
                    try session.row("SELECT count(DISTINCT \(table == "traces" ? "id" : "trace")) FROM \(table)")?
                        .integer(0)
                }
            }
            #expect(left == [1, 1, 1])
        }
    }

    @Test(arguments: Backend.allCases) func sumsAreMade(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            for number in 1...4 {
                _ = try await store.startTrace(
                    info("tr-\(number)", time: Int64(number) * 60_000) { info in
                        info.duration = Int64(number) * 10
                        info.tags = [TraceKey.name: number < 4 ? "a" : "b"]
                    })
            }
            func ask(_ fields: JSONValue) async throws -> [TraceMetricPoint] {
                let request = try RequestFields(fields, as: "QueryTraceMetrics", [])
                return try await store.traceMetrics(try TraceMetricQuery(request), experiments: ["0"])
            }
            let latency = try await ask([
                "view_type": "TRACES", "metric_name": "latency",
                "aggregations": [
                    ["aggregation_type": "AVG"], ["aggregation_type": "PERCENTILE", "percentile_value": 50],
                    ["aggregation_type": "PERCENTILE", "percentile_value": 90], ["aggregation_type": "MAX"],
                ], "dimensions": ["trace_name"],
            ])
            #expect(
                latency == [
                    TraceMetricPoint(
                        dimensions: ["trace_name": "a"], values: ["AVG": 20, "P50.0": 20, "P90.0": 28, "MAX": 30]),
                    TraceMetricPoint(
                        dimensions: ["trace_name": "b"], values: ["AVG": 40, "P50.0": 40, "P90.0": 40, "MAX": 40]),
                ])
            let counts = try await ask([
                "view_type": "TRACES", "metric_name": "trace_count", "aggregations": [["aggregation_type": "COUNT"]],
                "time_interval_seconds": 120, "start_time_ms": 0, "end_time_ms": 1_000_000,
                "filters": ["trace.tag.`mlflow.traceName` = 'a'"],
            ])
            #expect(
                counts == [
                    TraceMetricPoint(dimensions: ["time_bucket": "1970-01-01T00:00:00+00:00"], values: ["COUNT": 1]),
                    TraceMetricPoint(dimensions: ["time_bucket": "1970-01-01T00:02:00+00:00"], values: ["COUNT": 2]),
                ])
            #expect(
                await refusal {
                    _ = try await ask([
                        "view_type": "TRACES", "metric_name": "latency", "aggregations": [["aggregation_type": "SUM"]],
                    ])
                }?.hasPrefix("INVALID_PARAMETER_VALUE Found invalid aggregation_type(s): ['SUM'].") == true)
        }
    }
}
