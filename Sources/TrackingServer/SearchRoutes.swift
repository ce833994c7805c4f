// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Hummingbird
import ServiceHTTP
import TrackingModel
import TrackingStore

extension TrackingServer {
    /// Experiments of one request for datasets at most (MLflow, `search_datasets_impl`).
    private static let maximumDatasetExperiments = 20

    /// Searches of experiments, runs and datasets.
    var searchRoutes: [Route] {
        [
            Route(streaming: "searchRuns") { call in
                let fields = try await call.fields(
                    FieldRule("experiment_ids", .array), FieldRule("filter", .string),
                    FieldRule("max_results", .integer, .custom(Self.tooMany)),
                    FieldRule("order_by", .array, .strings))
                let page = try await store.searchRuns(
                    RunQuery(
                        experiments: fields.strings("experiment_ids"), filter: fields.string("filter"),
                        view: fields.stringIfAny("run_view_type").flatMap { ViewType(rawValue: $0) } ?? .activeOnly,
                        limit: fields.integerIfAny("max_results") ?? 1000, order: fields.strings("order_by"),
                        pageToken: fields.string("page_token")))
                return Self.answer(page)
            },
            Route("searchExperiments") { call in
                let fields = try await call.fields(
                    FieldRule("view_type", .integer), FieldRule("max_results", .integer), FieldRule("order_by", .array),
                    FieldRule("filter", .string), FieldRule("page_token", .string))
                let page = try await store.searchExperiments(
                    filter: fields.string("filter"),
                    view: fields.stringIfAny("view_type").flatMap { ViewType(rawValue: $0) } ?? .activeOnly,
                    limit: fields.integer("max_results"), order: fields.strings("order_by"),
                    pageToken: fields.string("page_token"))
                return Self.page("experiments", page.found.map(\.json), page.nextPageToken)
            },
            Route("searchDatasets") { call in
                let fields = try await call.fields()
                let experiments = fields.strings("experiment_ids")
                guard !experiments.isEmpty else {
                    throw TrackingError.invalid("SearchDatasets request must specify at least one experiment_id.")
                }
                guard experiments.count <= Self.maximumDatasetExperiments else {
                    throw TrackingError.invalid(
                        "SearchDatasets request cannot specify more than \(Self.maximumDatasetExperiments) "
                            + "experiment_ids. Received \(experiments.count) experiment_ids.")
                }
                let found = try await store.searchDatasets(experiments: experiments)
                return found.isEmpty ? [:] : ["dataset_summaries": .array(found.map(\.json))]
            },
        ]
    }

    /// A page of runs, which are many: written without a value for each member.
    private static func answer(_ page: SearchPage<Run>) -> Response {
        var writer = JSONWriter(capacity: 64 + page.found.count * 2048)
        writer.append(raw: "{")
        if !page.nextPageToken.isEmpty {
            writer.append(raw: "\"next_page_token\":")
            writer.append(string: page.nextPageToken)
            if !page.found.isEmpty { writer.append(raw: ",") }
        }
        if !page.found.isEmpty {
            writer.append(raw: "\"runs\":")
            writer.array(page.found) { $0.write(to: &$1) }
        }
        writer.append(raw: "}")
        return .bytes(writer.bytes, type: "application/json")
    }

    /// A page as protobuf's JSON has it: what is empty is left out.
    static func page(_ name: String, _ found: [JSONValue], _ token: String) -> JSONValue {
        var members: [String: JSONValue] = [:]
        if !found.isEmpty { members[name] = .array(found) }
        if !token.isEmpty { members["next_page_token"] = .string(token) }
        return .object(members)
    }

    private static let tooMany: @Sendable (JSONValue) -> String? = { value in
        let number = value.int ?? value.string.flatMap { Int($0) } ?? 0
        let hint = " Hint: Value was of type '\(value.string == nil ? "int" : "str")'."
        return number > TrackingStore.maximumResults ? RequestFields.invalidValue(value, "max_results", hint) : nil
    }
}
