// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ArgumentParser
import Foundation
import TrackingClient

/// `apus runs`.
struct RunsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "runs",
        abstract: "Look at training runs: list, compare, find the best.",
        discussion: "Asks 'apus serve tracking', or MLflow's own server.",
        subcommands: [RunsListCommand.self, RunsCompareCommand.self, RunsBestCommand.self])
}

/// Which runs are searched.
struct RunSearchOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "Name or id of an experiment; may be given several times. (default: all)")
    var experiment: [String] = []

    @Option(help: "In MLflow's grammar: \"metrics.rmse < 0.9 and params.factors = '50'\".")
    var filter = ""

    func search(_ client: TrackingClient) async throws(TrackingClientError) -> RunSearch {
        var search = RunSearch(experiments: try await experiments(client))
        search.filter = filter
        return search
    }

    private func experiments(_ client: TrackingClient) async throws(TrackingClientError) -> [String] {
        if experiment.isEmpty {
            return try await client.collect(limit: 100_000) { maximum, token throws(TrackingClientError) in
                try await client.searchExperiments(maximum: maximum, token: token)
            }.map(\.id)
        }
        var ids: [String] = []
        for name in experiment {
            if let found = try await client.experiment(named: name) {
                ids.append(found.id)
            } else if !name.isEmpty, name.allSatisfy({ $0.isASCII && $0.isNumber }) {
                ids.append(try await client.experiment(id: name).id)
            } else {
                throw TrackingClientError(.notFound, "there is no experiment '\(name)' at \(client.base)")
            }
        }
        return ids
    }
}

/// `apus runs ls`.
struct RunsListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ls", abstract: "List runs, the latest first.")

    @OptionGroup var options: TrackingOptions
    @OptionGroup var which: RunSearchOptions
    @Option(help: "Order, such as \"metrics.rmse ASC\"; may be given several times. (default: the latest first)")
    var order: [String] = []
    @Option(help: "A metric with a column of its own; may be given several times. (default: one for all)")
    var metric: [String] = []
    @Option(help: "A param with a column of its own; may be given several times.") var param: [String] = []
    @Option(name: [.customShort("n"), .long], help: "How many at most.") var limit = 50

    func validate() throws {
        guard (1...1_000_000).contains(limit) else {
            throw ValidationError("--limit must be 1 to 1000000, not \(limit)")
        }
    }

    func run() async throws {
        try await options.withClient { client in
            var search = try await which.search(client)
            search.order = order
            // Without an experiment there is no run.
            let runs = search.experiments.isEmpty ? [] : try await Self.runs(client, search, limit: limit)
            RunTable(params: param, metrics: metric).show(runs, options)
        }
    }

    static func runs(
        _ client: TrackingClient, _ search: RunSearch, limit: Int
    ) async throws(TrackingClientError) -> [RunRecord] {
        try await client.collect(limit: limit) { maximum, token throws(TrackingClientError) in
            var page = search
            page.maximum = maximum
            return try await client.searchRuns(page, token: token)
        }
    }
}

/// Runs as rows.
struct RunTable {
    let params: [String]
    let metrics: [String]

    func show(_ runs: [RunRecord], _ options: TrackingOptions) {
        let head = ["RUN", "NAME", "STATUS", "STARTED", "TOOK"] + params + (metrics.isEmpty ? ["METRICS"] : metrics)
        options.show(runs, none: "No runs found.", head: head) { run in
            let values = run.metrics
            let facts = [
                run.id, TrackingText.line(run.name), run.json["info"]["status"].string ?? "-",
                TrackingText.time(run.start), TrackingText.duration(run.start, run.end),
            ]
            return facts + params.map { TrackingText.line(run.params[$0] ?? "-") }
                + (metrics.isEmpty
                    ? [TrackingText.metrics(values)] : metrics.map { TrackingText.number(values[$0]) })
        }
    }
}

/// `apus runs compare`.
struct RunsCompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Show the params and metrics in which runs differ.")

    @OptionGroup var options: TrackingOptions
    @Argument(help: "Ids, or names that one run has.") var runs: [String]
    @Flag(help: "Also what is the same, and the metrics of the system.") var all = false

    func validate() throws {
        guard (2...20).contains(runs.count) else { throw ValidationError("give 2 to 20 runs, not \(runs.count)") }
    }

    func run() async throws {
        try await options.withClient { client in
            var records: [RunRecord] = []
            for run in runs { records.append(try await find(run, client)) }
            let rows = RunComparison(records, all: all).rows
            switch options.format {
            case .json: print(RunComparison.json(records, rows).text)
            case .table:
                let head = ["", ""] + records.map { TrackingText.line($0.name, 40) }
                let ids = ["run", "id"] + records.map(\.id)
                let body = rows.map { row in
                    [row.kind, row.key] + row.values.map { $0.map { TrackingText.line($0, 40) } ?? "-" }
                }
                print(TextTable.render([head, ids] + body))
                if rows.isEmpty { print("They do not differ.") }
            }
        }
    }

    /// A run by its id, or by a name that no other run has.
    private func find(_ text: String, _ client: TrackingClient) async throws -> RunRecord {
        do throws(TrackingClientError) {
            return try await client.run(text)
        } catch {
            guard error.code == .notFound || error.code == .invalid else { throw error }
        }
        guard !text.contains("'") else { throw fail("there is no run '\(text)'") }
        var which = RunSearchOptions()
        which.experiment = []
        which.filter = "attributes.run_name = '\(text)'"
        var search = try await which.search(client)
        search.maximum = 2
        let found = try await client.searchRuns(search).records
        guard let first = found.first else { throw fail("there is no run '\(text)' at \(client.base)") }
        guard found.count == 1 else {
            throw fail("several runs are named '\(text)': give an id, such as \(first.id)")
        }
        return first
    }
}

/// What runs differ in.
struct RunComparison {
    struct Row {
        let kind: String
        let key: String
        /// One for each run; nil where it has none.
        let values: [String?]
    }

    let rows: [Row]

    init(_ runs: [RunRecord], all: Bool) {
        func rows(_ kind: String, _ tables: [[String: String]]) -> [Row] {
            Set(tables.flatMap(\.keys)).sorted().compactMap { key in
                let values = tables.map { $0[key] }
                guard all || Set(values).count > 1 && !key.hasPrefix("system/") else { return nil }
                return Row(kind: kind, key: key, values: values)
            }
        }
        self.rows =
            rows("param", runs.map(\.params))
            + rows("metric", runs.map { run in run.metrics.mapValues { TrackingText.number($0) } })
    }

    static func json(_ runs: [RunRecord], _ rows: [Row]) -> JSONValue {
        func table(_ kind: String) -> JSONValue {
            let pairs = rows.filter { $0.kind == kind }.map { row in
                (
                    row.key,
                    JSONValue.array(
                        runs.map { run in
                            if kind == "param" { return JSONValue(run.params[row.key]) }
                            return run.metrics[row.key].map(MetricNumber.json) ?? .null
                        })
                )
            }
            return .object(Dictionary(pairs) { $1 })
        }
        return [
            "runs": .array(runs.map { ["id": .string($0.id), "name": .string($0.name)] }), "params": table("param"),
            "metrics": table("metric"),
        ]
    }
}

/// `apus runs best`.
struct RunsBestCommand: AsyncParsableCommand {
    enum Direction: String, EnumerableFlag { case min, max }

    static let configuration = CommandConfiguration(
        commandName: "best", abstract: "Show the runs with the lowest or highest value of a metric, the best first.")

    @OptionGroup var options: TrackingOptions
    @OptionGroup var which: RunSearchOptions
    @Option(help: "The metric.") var metric: String
    @Flag(help: "Whether the lowest value is the best, or the highest.") var direction: Direction
    @Option(help: "A param to show; may be given several times.") var param: [String] = []
    @Option(name: [.customShort("n"), .long], help: "How many.") var limit = 1

    func validate() throws {
        guard (1...1000).contains(limit) else { throw ValidationError("--limit must be 1 to 1000, not \(limit)") }
        guard !metric.contains("`"), !metric.isEmpty else { throw ValidationError("--metric must be a metric's name") }
    }

    func run() async throws {
        try await options.withClient { client in
            var search = try await which.search(client)
            search.order = ["metrics.`\(metric)` \(direction == .min ? "ASC" : "DESC")"]
            search.maximum = limit
            // NaN comes after all numbers, and what has none of it last.
            let found = search.experiments.isEmpty ? [] : try await client.searchRuns(search).records
            let runs = found.filter { $0.metrics[metric].map { !$0.isNaN } ?? false }
            guard !runs.isEmpty else { throw fail("no run has the metric '\(metric)'") }
            RunTable(params: param, metrics: [metric]).show(runs, options)
        }
    }
}
