// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTPTypes
import Hummingbird
import ServiceHTTP
import TrackingModel
import TrackingStore

extension TrackingServer {
    /// All points of metrics.
    var historyRoutes: [Route] {
        [
            Route(streaming: "getMetricHistory") { call in
                let fields = try await call.fields(
                    FieldRule("run_id", .string, .required), FieldRule("metric_key", .string, .required),
                    FieldRule("page_token", .string))
                let limit = fields.integerIfAny("max_results").map { Int($0) }
                if let limit, limit <= 0 {
                    throw TrackingError.invalid(
                        "Invalid value \(limit) for parameter 'max_results' supplied. It must be a positive integer.")
                }
                let start = try HistoryToken(fields.string("page_token"))
                var points = try await store.metricHistory(
                    fields.runID, fields.string("metric_key"), limit: limit.map { $0 + 1 }, from: start)
                guard let limit, points.count > limit else { return Self.answer(points, always: false) }
                points.removeLast()
                let next = HistoryToken(last: points.last, offset: start.offset + limit)
                return Self.answer(points, always: false, next: next.text)
            },
            Route("getMetricHistoryBulk", .get, ["/ajax-api/2.0/mlflow/metrics/get-history-bulk"]) { call in
                Self.answer(try await metricHistoryBulk(call), always: true)
            },
            Route("getMetricHistoryBulkInterval") { call in
                let fields = try await call.fields(
                    FieldRule("run_ids", .required, .array, .strings, .custom(Self.tooManyRuns)),
                    FieldRule("metric_key", .required, .string), FieldRule("start_step", .integer),
                    FieldRule("end_step", .integer), FieldRule("max_results", .integer, .custom(Self.wrongLimit)))
                let points = try await store.sampledHistory(
                    ofRuns: fields.strings("run_ids"), fields.string("metric_key"),
                    steps: try Self.steps(fields.integerIfAny("start_step"), fields.integerIfAny("end_step")),
                    limit: Int(fields.integerIfAny("max_results") ?? Int64(Limits.sampledHistory)))
                return points.isEmpty ? [:] : ["metrics": .array(points.map(\.json))]
            },
        ]
    }

    /// MLflow's route of its UI: no message, the query as it is.
    private func metricHistoryBulk(_ call: Call) async throws -> [Metric] {
        let query = call.query
        let runs = query.filter { $0.name == "run_id" }.map(\.value)
        guard !runs.isEmpty else {
            throw TrackingError.invalid("GetMetricHistoryBulk request must specify at least one run_id.")
        }
        guard runs.count <= Limits.bulkRuns else {
            throw TrackingError.invalid(
                "GetMetricHistoryBulk request cannot specify more than \(Limits.bulkRuns) run_ids. Received"
                    + " \(runs.count) run_ids.")
        }
        guard let key = query.first(where: { $0.name == "metric_key" })?.value else {
            throw TrackingError.invalid("GetMetricHistoryBulk request must specify a metric_key.")
        }
        var limit = Limits.bulkHistory
        if let text = query.first(where: { $0.name == "max_results" })?.value {
            guard let number = PythonText.integer(text) else {
                throw TrackingError(
                    .internalError, "invalid literal for int() with base 10: \(PythonText.repr(text))")
            }
            limit = min(limit, Int(max(0, number)))
        }
        return try await store.metricHistory(ofRuns: runs, key, limit: limit)
    }

    /// The answer with points, which may be many.
    /// - Parameters:
    ///   - points: in their order.
    ///   - always: whether it has the member where there are none, too.
    ///   - next: the token of the next page.
    /// - Returns: JSON.
    private static func answer(_ points: [Metric], always: Bool, next: String? = nil) -> Response {
        var writer = JSONWriter(capacity: 64 + points.count * 128)
        writer.append(raw: "{")
        if always || !points.isEmpty {
            writer.append(raw: "\"metrics\":")
            writer.array(points) { $0.write(to: &$1) }
        }
        if let next {
            writer.append(raw: points.isEmpty && !always ? "" : ",")
            writer.append(raw: "\"next_page_token\":")
            writer.append(string: next)
        }
        writer.append(raw: "}")
        return .bytes(writer.bytes, type: "application/json")
    }

    /// The steps that are asked for: both ends, or neither.
    static func steps(_ start: Int64?, _ end: Int64?) throws(TrackingError) -> ClosedRange<Int64>? {
        switch (start, end) {
        case (nil, nil): return nil
        case (let start?, let end?):
            guard start <= end else {
                throw .invalid(
                    "end_step must be greater than start_step. Found start_step=\(start) and end_step=\(end).")
            }
            return start...end
        default:
            throw .invalid("If either start step or end step are specified, both must be specified.")
        }
    }

    private static let tooManyRuns: @Sendable (JSONValue) -> String? = { value in
        let count = value.elements.count
        guard count > Limits.bulkRuns else { return nil }
        return "GetMetricHistoryBulkInterval request must specify at most \(Limits.bulkRuns) run_ids. Received \(count)"
            + " run_ids."
    }

    private static let wrongLimit: @Sendable (JSONValue) -> String? = { value in
        let number = value.int ?? value.string.flatMap { Int($0) } ?? 0
        return (1...Limits.sampledHistory).contains(number)
            ? nil : "max_results must be between 1 and \(Limits.sampledHistory)."
    }
}
