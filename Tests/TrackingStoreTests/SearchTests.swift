// SPDX-License-Identifier: Apache-2.0
import DatabaseFixtures
import SQLDatabases
import Testing
import TrackingModel

@testable import TrackingStore

@Suite(.serialized)
struct SearchTests {
    /// Runs r0, r1, …, of which each logged less than the one before.
    private func fill(_ store: TrackingStore, count: Int, experiment: Int64 = 0) async throws {
        for index in 0..<count {
            let run = try await store.createRun(
                experiment: "\(experiment)", userID: "ada", startTime: Int64(index / 3), tags: [], name: "r\(index)")
            let values: [Double?] = [0.5, .nan, nil, -.infinity, 0.5, .infinity, 0]
            var metrics: [Metric] = []
            if let value = values[index % values.count] { metrics = [Metric(key: "m", value: value, timestamp: 1)] }
            try await store.logBatch(
                run.info.id, metrics: metrics, params: index % 2 == 0 ? [Param("p", "\(index % 5)")] : [],
                tags: index % 4 == 0 ? [Tag("t", "é\(index % 3)")] : [])
            if index % 3 == 0 {
                _ = try await store.updateRun(run.info.id, status: .finished, endTime: Int64(index % 5), name: nil)
            }
        }
    }

    private func names(_ store: TrackingStore, _ filter: String, _ order: [String] = ["run_name"]) async throws
        -> [String]
    {
        try await store.searchRuns(RunQuery(experiments: ["0"], filter: filter, order: order)).found.map(\.info.name)
    }

    /// Every order, page by page, is the order as a whole; ties included.
    @Test(arguments: Backend.allCases) func pagesAreTheWhole(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            try await fill(store, count: 21)
            let orders: [[String]] = [
                [], ["metrics.m"], ["metrics.m DESC"], ["params.p DESC"], ["tags.t"], ["end_time"], ["end_time DESC"],
                ["start_time"], ["status", "metrics.m"], ["metrics.none"],
                ["metrics.m", "params.p DESC", "tags.t DESC"],
                ["run_id DESC"], ["artifact_uri"], ["user_id"],
            ]
            for order in orders {
                let whole = try await store.searchRuns(RunQuery(experiments: ["0"], order: order)).found.map(\.info.id)
                #expect(Set(whole).count == 21)
                for limit: Int64 in [1, 4, 20, 21] {
                    var query = RunQuery(experiments: ["0"], limit: limit, order: order)
                    var found: [String] = []
                    repeat {
                        let page = try await store.searchRuns(query)
                        #expect(page.found.count <= Int(limit) && !page.found.isEmpty)
                        found += page.found.map(\.info.id)
                        query.pageToken = page.nextPageToken
                    } while !query.pageToken.isEmpty && found.count <= 21
                    #expect(found == whole, "\(order) by \(limit)")
                }
            }
        }
    }

    @Test(arguments: Backend.allCases) func conditions(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            try await fill(store, count: 7)
            #expect(try await names(store, "metrics.m = 0.5") == ["r0", "r4"])
            #expect(try await names(store, "metrics.m != 0.5") == ["r1", "r3", "r5", "r6"])
            #expect(try await names(store, "metrics.m <= 0") == ["r3", "r6"])
            #expect(try await names(store, "metrics.none != 1").isEmpty)
            #expect(try await names(store, "params.p = '2' AND tags.t IS NULL") == ["r2"])
            #expect(try await names(store, "tags.t LIKE 'é_'") == ["r0", "r4"])
            #expect(try await names(store, "run_name LIKE 'R%'").isEmpty)
            #expect(try await names(store, "run_name ILIKE 'R%'").count == 7)
            #expect(try await names(store, "end_time >= 0 AND status = 'FINISHED'") == ["r0", "r3", "r6"])
            #expect(try await names(store, "start_time > 0.5") == ["r3", "r4", "r5", "r6"])
            #expect(
                try await names(store, "", ["metrics.m", "run_name"]) == ["r3", "r6", "r0", "r4", "r5", "r1", "r2"])
            #expect(
                try await names(store, "", ["metrics.m DESC", "run_name"]) == [
                    "r5", "r0", "r4", "r6", "r3", "r1", "r2",
                ])
            // What is written in a filter is a value, never SQL.
            #expect(try await names(store, "params.p = '''; DROP TABLE runs; --'").isEmpty)
            #expect(try await names(store, "tags.`'; DROP TABLE runs; --` = 'x'").isEmpty)
            #expect(try await names(store, "").count == 7)
        }
    }

    @Test func theShortWayIsTaken() async throws {
        try await withStore(.sqlite) { store, _ in
            try await fill(store, count: 10)
            func plan(_ filter: String, _ order: [String], _ token: PageToken? = nil) async throws -> String {
                try await store.database.read { session in
                    var search = RunSearch(session)
                    try search.require(try SearchFilter.parse(filter, .runs))
                    try search.order(by: try SearchOrder.parse(order, .runs))
                    if let token { search.require(behind: token) }
                    search.require(experiments: [0], .activeOnly)
                    let statement = search.statement(limit: 11)
                    return try session.rows("EXPLAIN QUERY PLAN " + statement.sql, statement.values)
                        .map { $0.text(3) }.joined(separator: "; ")
                }
            }
            // By start time: the index gives the order, and reading ends with the page.
            let first = try await plan("metrics.m != 7 AND tags.t IS NULL", [])
            #expect(first.contains("runs_by_start") && !first.contains("TEMP B-TREE"), "\(first)")
            let byStart = try await plan("", [])
            #expect(byStart.contains("runs_by_start") && !byStart.contains("TEMP B-TREE"), "\(byStart)")
            let later = try await plan("", [], PageToken([.integer(2), .text("x")]))
            #expect(later.contains("started<?") && !later.contains("TEMP B-TREE"), "\(later)")
            // What few runs have is found by its own index, and the runs by their numbers.
            for filter in ["params.p = '2'", "tags.t = 'é1'", "metrics.m > 0"] {
                let few = try await plan(filter, ["run_name"])
                #expect(few.contains("SEARCH runs USING INTEGER PRIMARY KEY"), "\(few)")
                // Both the key and the value are looked up.
                #expect(few.contains(#/_by_value \(key=\? AND (<expr>=|value>)\?/#), "\(few)")
            }
            for filter in ["tags.t LIKE 'é%'", "datasets.name = 'x'", "params.p IS NOT NULL"] {
                let each = try await plan(filter, ["metrics.m DESC"])
                #expect(each.contains("runs_by_start") && !each.contains("SCAN runs"), "\(each)")
            }
        }
    }

    @Test(arguments: Backend.allCases) func experiments(backend: Backend) async throws {
        try await withStore(backend) { store, clock in
            for index in 0..<7 {
                if index % 2 == 0 { clock.pass(10) }
                _ = try await store.createExperiment(
                    name: "e\(index)", artifactLocation: "", tags: index % 3 == 0 ? [Tag("k", "v\(index)")] : [])
            }
            try await store.deleteExperiment("2")
            func search(_ filter: String, _ order: [String] = [], _ view: ViewType = .activeOnly) async throws
                -> [String]
            {
                var (found, token): ([String], String) = ([], "")
                repeat {
                    let page = try await store.searchExperiments(
                        filter: filter, view: view, limit: 2, order: order, pageToken: token)
                    found += page.found.map(\.name)
                    token = page.nextPageToken
                } while !token.isEmpty && found.count < 20
                return found
            }
            #expect(try await search("") == ["e6", "e4", "e5", "e2", "e3", "e0", "Default"])
            #expect(try await search("tags.k IS NOT NULL", ["name DESC"]) == ["e6", "e3", "e0"])
            #expect(try await search("tags.k LIKE 'v%' AND experiment_id NOT IN ('1')", ["name"]) == ["e3", "e6"])
            #expect(try await search("", [], .deletedOnly) == ["e1"])
            #expect(try await search("name ILIKE 'E%'", ["experiment_id"], .all).count == 7)
            #expect(try await search("creation_time > 1010", ["last_update_time DESC"]).count == 5)
        }
    }

    /// SQLite has no expressions of its own; those of RE2 are given to it.
    @Test func sqliteKnowsExpressions() async throws {
        try await withStore(.sqlite) { store, _ in
            let cases: [(SQLValue, SQLValue, SQLValue)] = [
                ("abc", "^a.c$", 1), ("xabcx", "abc", 1), ("abc", "^b", 0), ("é", "^.$", 1), ("", "^$", 1),
                ("a", "(", .null),
                (.null, "a", .null), ("a", .null, .null), (5, "5", 1),
            ]
            for (text, pattern, expected) in cases {
                let found = try await store.database.read { session in
                    try session.rows("SELECT ? REGEXP ?", [text, pattern]).map { $0[0] }
                }
                #expect(found == [expected], "\(text) \(pattern)")
            }
            // One expression for all rows of a statement.
            let count = try await store.database.read { session in
                try session.row(
                    """
                    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000)
                    SELECT count(*) FROM n WHERE 'a' || x REGEXP ?
                    """, ["^a[0-9]{2}$"])?.integer(0)
            }
            #expect(count == 90)
        }
    }

    @Test(arguments: Backend.allCases) func refusals(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            func search(_ query: RunQuery) async -> String? { await refusal { _ = try await store.searchRuns(query) } }
            #expect(
                await search(RunQuery(experiments: ["x"]))
                    == "INVALID_PARAMETER_VALUE Invalid experiment ID 'x'. Experiment ID must be a valid integer.")
            #expect(
                await search(RunQuery(experiments: ["0"], limit: 0))
                    == """
                    INVALID_PARAMETER_VALUE Invalid value 0 for parameter 'max_results' supplied. It must be a positive \
                    integer
                    """)
            let long = String(repeating: "%", count: SearchSQL.maximumPattern + 1)
            #expect(
                await search(RunQuery(experiments: ["0"], filter: "tags.x LIKE '\(long)'"))
                    == "INVALID_PARAMETER_VALUE A pattern of the filter is longer than 20000 bytes.")
            #expect(
                await search(RunQuery(experiments: ["0"], pageToken: "x"))?.hasPrefix("INVALID_PARAMETER_VALUE") == true
            )
            for experiments in [[], ["987654321"]] {
                let page = try await store.searchRuns(RunQuery(experiments: experiments))
                #expect(page.found.isEmpty && page.nextPageToken.isEmpty)
            }
            let datasets = try await store.searchDatasets(experiments: ["0"])
            #expect(datasets.isEmpty)
        }
    }
}
