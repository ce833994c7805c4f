// SPDX-License-Identifier: Apache-2.0
import SQLDatabases
package import TrackingModel

/// A page of a search.
package struct SearchPage<Found: Sendable>: Sendable {
    package let found: [Found]
    /// Where the next page begins; empty for the last one.
    package let nextPageToken: String

    package init(_ found: [Found], nextPageToken: String = "") {
        self.found = found
        self.nextPageToken = nextPageToken
    }
}

/// Searches (MLflow, `SqlAlchemyStore._search_runs`, `_search_experiments`, `_search_datasets`).
extension TrackingStore {
    /// Things of a page at most.
    package static let maximumResults: Int64 = 50_000
    private static let maximumExperiments = 10_000
    private static let maximumSummaries = 1000

    /// Finds runs.
    /// - Throws: INVALID_PARAMETER_VALUE; INTERNAL_ERROR for an order that has something twice.
    package func searchRuns(_ query: RunQuery) async throws -> SearchPage<Run> {
        try Self.checkLimit(query.limit)
        let filter = try SearchFilter.parse(query.filter, .runs)
        let orders = try SearchOrder.parse(query.order, .runs)
        guard query.experiments.count <= Self.maximumExperiments else {
            throw TrackingError.invalid(
                "A search names \(query.experiments.count) experiments, and \(Self.maximumExperiments) are the most.")
        }
        let name = ["runs", query.filter, query.view.rawValue] + query.experiments + [""] + query.order
        return try await database.read { session in
            var search = RunSearch(session)
            try search.require(filter)
            try search.order(by: orders)
            if let token = try PageToken.decode(query.pageToken, for: name, count: search.keys.count) {
                search.require(behind: token)
            }
            let experiments = try query.experiments.map { try Validation.experimentID($0) }
            guard !experiments.isEmpty else { return SearchPage([]) }
            search.require(experiments: experiments, query.view)
            let statement = search.statement(limit: query.limit + 1)
            let rows = try session.rows(statement.sql, statement.values)
            let page = rows.prefix(Int(query.limit))
            let runs = try Self.whole(page.map { RunRow($0) }, session)
            guard rows.count > page.count, let last = page.last else { return SearchPage(runs) }
            let token = SearchKey.token(last, from: RunRow.count, search.keys)
            return SearchPage(runs, nextPageToken: token.encoded(for: name))
        }
    }

    /// Finds experiments; latest first, where no order is given.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package func searchExperiments(
        filter text: String, view: ViewType, limit: Int64, order: [String], pageToken: String
    ) async throws -> SearchPage<Experiment> {
        try Self.checkLimit(limit)
        let filter = try SearchFilter.parse(text, .experiments)
        let orders = try SearchOrder.parse(
            order.isEmpty ? ["creation_time DESC", "experiment_id ASC"] : order, .experiments)
        let name = ["experiments", text, view.rawValue] + order
        return try await database.read { session in
            var search = ExperimentSearch(session.dialect)
            try search.require(filter)
            search.require(view)
            search.order(by: orders)
            if let token = try PageToken.decode(pageToken, for: name, count: search.keys.count) {
                search.require(behind: token)
            }
            let statement = search.statement(limit: limit + 1)
            let rows = try session.rows(statement.sql, statement.values)
            let page = rows.prefix(Int(limit))
            let experiments = try Self.withTags(page.map { Experiment($0) }, session)
            guard rows.count > page.count, let last = page.last else { return SearchPage(experiments) }
            let token = SearchKey.token(last, from: ExperimentSearch.columns, search.keys)
            return SearchPage(experiments, nextPageToken: token.encoded(for: name))
        }
    }

    /// The datasets that runs of some experiments used, each with what it was used for.
    /// - Throws: INVALID_PARAMETER_VALUE.
    package func searchDatasets(experiments: [String]) async throws -> [DatasetSummary] {
        let numbers = try experiments.map { SQLValue.integer(try Validation.experimentID($0)) }
        let places = SearchSQL.list("d.experiment IN", numbers)
        return try await database.read { session in
            let rows = try session.rows(
                """
                SELECT DISTINCT d.experiment, d.name, d.digest, t.value FROM datasets d
                JOIN run_datasets e ON e.dataset = d.id
                LEFT JOIN run_dataset_tags t ON t.run = e.run AND t.dataset = e.dataset AND t.key = ?
                WHERE \(places.sql) LIMIT \(Self.maximumSummaries)
                """, [.text(DatasetInput.contextTag)] + places.values)
            return rows.map {
                DatasetSummary(
                    experimentID: $0.integer(0), name: $0.text(1), digest: $0.text(2), context: $0.textIfAny(3))
            }
        }
    }

    /// - Throws: INVALID_PARAMETER_VALUE in MLflow's words.
    static func checkLimit(_ limit: Int64) throws(TrackingError) {
        guard limit >= 1 else {
            throw .invalid(
                "Invalid value \(limit) for parameter 'max_results' supplied. It must be a positive integer")
        }
        guard limit <= maximumResults else {
            throw .invalid(
                "Invalid value \(limit) for parameter 'max_results' supplied. It must be at most \(maximumResults)")
        }
    }
}
