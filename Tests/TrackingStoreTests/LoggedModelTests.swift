// SPDX-License-Identifier: Apache-2.0
import DatabaseFixtures
import Testing
import TrackingModel

@testable import TrackingStore

@Suite struct LoggedModelTests {
    @Test(arguments: Backend.allCases) func aModelIsMadeFinishedTaggedAndDeleted(_ backend: Backend) async throws {
        try await withStore(backend) { store, clock in
            let made = try await store.createLoggedModel(
                experimentID: "0", name: "forest", modelType: "sklearn", sourceRunID: "", tags: [Tag("t", "1")],
                params: [Param("depth", "3")])
            #expect(made.artifactLocation == "mlflow-artifacts:/0/models/\(made.id)/artifacts")
            #expect(made.status == .pending)
            clock.pass(7)
            let ready = try await store.finalizeLoggedModel(made.id, .ready)
            #expect(ready.status == .ready && ready.updated == made.updated + 7)
            try await store.setTags(ofModel: made.id, [Tag("t", "2"), Tag("u", "3")])
            try await store.deleteTag(ofModel: made.id, key: "u")
            #expect(
                await refusal { try await store.deleteTag(ofModel: made.id, key: "u") }
                    == "RESOURCE_DOES_NOT_EXIST No tag with key 'u' found for model with ID '\(made.id)'.")
            try await store.logParams(ofModel: made.id, [Param("p", "q")])
            #expect(
                await refusal { try await store.logParams(ofModel: made.id, [Param("n", "1"), Param("p", "q")]) }?
                    .hasPrefix("BAD_REQUEST") == true)
            let found = try await store.loggedModel(made.id)
            #expect(found.tags == [Tag("t", "2")])
            #expect(found.params == [Param("depth", "3"), Param("p", "q")])
            try await store.deleteLoggedModel(made.id)
            #expect(
                await refusal { _ = try await store.loggedModel(made.id) }
                    == "RESOURCE_DOES_NOT_EXIST Logged model with ID '\(made.id)' not found.")
            #expect(try await store.loggedModel(made.id, deleted: true).isDeleted)
        }
    }

    @Test(arguments: Backend.allCases) func aMetricNamesAModelThatIsThere(_ backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let run = try await store.newRun()
            let model = try await store.createLoggedModel(
                experimentID: "0", name: "m", modelType: "", sourceRunID: run, tags: [], params: [])
            let point = Metric(
                key: "loss", value: .nan, timestamp: 3, step: 2, modelID: model.id, datasetName: "train",
                datasetDigest: "d")
            try await store.logMetric(run, point)
            try await store.logMetric(run, point)
            var expected = point
            expected.value = 0
            expected.runID = run
            #expect(try await store.loggedModel(model.id).metrics == [expected])
            let wrong = Metric(key: "loss", value: 1, timestamp: 3, modelID: "m-nobody")
            #expect(
                await refusal { try await store.logBatch(run, metrics: [wrong], params: [], tags: []) }?
                    .hasPrefix("BAD_REQUEST") == true)
            #expect(try await store.run(run).metrics.count == 1)
        }
    }

    @Test(arguments: Backend.allCases) func searchesFilterAndOrder(_ backend: Backend) async throws {
        try await withStore(backend) { store, clock in
            let run = try await store.newRun()
            var ids: [String: String] = [:]
            for (name, loss) in [("a", 3.0), ("b", 1.0), ("c", 2.0), ("d", nil)] as [(String, Double?)] {
                clock.pass(1)
                let model = try await store.createLoggedModel(
                    experimentID: "0", name: name, modelType: "t", sourceRunID: run, tags: [Tag("n", name)],
                    params: [Param("p", name == "a" ? "1" : "2")])
                ids[name] = model.id
                guard let loss else { continue }
                for (step, value) in [(0, 9.0), (1, loss)] {
                    try await store.logMetric(
                        run,
                        Metric(
                            key: "loss", value: value, timestamp: Int64(step), step: Int64(step), modelID: model.id,
                            datasetName: name == "c" ? "test" : "train", datasetDigest: "d"))
                }
            }
            func search(
                _ filter: String = "", _ order: [LoggedModelQuery.Order] = [],
                _ datasets: [LoggedModelQuery.Dataset] = []
            ) async throws -> String {
                try await store.searchLoggedModels(
                    LoggedModelQuery(experiments: ["0"], filter: filter, datasets: datasets, order: order)
                ).found.map(\.name).joined()
            }
            func by(_ field: String, _ isAscending: Bool = true, _ dataset: String = "") -> LoggedModelQuery.Order {
                LoggedModelQuery.Order(
                    field: field, isAscending: isAscending, dataset: .init(name: dataset, digest: ""))
            }
            #expect(try await search() == "dcba")
            #expect(try await search("", [by("name")]) == "abcd")
            #expect(try await search("", [by("creation_timestamp")]) == "abcd")
            #expect(try await search("", [by("metrics.loss")]) == "bcad")
            #expect(try await search("", [by("metrics.loss", false)]) == "acbd")
            #expect(try await search("", [by("metrics.loss", true, "train")]) == "badc")
            #expect(try await search("", [by("metrics.nothing"), by("name", false)]) == "dcba")
            #expect(try await search("metrics.loss < 2.5") == "cb")
            #expect(try await search("metrics.loss > 8") == "cba")
            #expect(try await search("params.p = '1'") == "a")
            #expect(try await search("tags.n != 'a' AND name LIKE '%'") == "dcb")
            #expect(try await search("name IN ('a', 'c')") == "ca")
            #expect(try await search("model_id = '\(ids["b"] ?? "")'") == "b")
            #expect(try await search("source_run_id = '\(run)' AND creation_timestamp >= 1003") == "dc")
            #expect(try await search("", [], [.init(name: "train", digest: "")]) == "ba")
            #expect(try await search("", [], [.init(name: "train", digest: "other")]) == "")
            #expect(try await search("metrics.loss < 5", [], [.init(name: "test", digest: "d")]) == "c")
            try await store.deleteLoggedModel(ids["c"] ?? "")
            #expect(try await search() == "dba")
            #expect(
                await refusal { _ = try await search("", [by("params.x")]) }
                    == "INVALID_PARAMETER_VALUE Invalid order by field name: params.x. Only metrics are supported.")
            #expect(
                await refusal { _ = try await search("", [by("nothing")]) }
                    == "INVALID_PARAMETER_VALUE Invalid order by field name: nothing")
        }
    }

    @Test(arguments: Backend.allCases) func pagesHaveEveryModelOnce(_ backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let run = try await store.newRun()
            for number in 0..<9 {
                let model = try await store.createLoggedModel(
                    experimentID: "0", name: "m\(number)", modelType: "", sourceRunID: run, tags: [], params: [])
                guard number % 3 != 0 else { continue }
                try await store.logMetric(
                    run, Metric(key: "x", value: Double(number % 2), timestamp: Int64(number), modelID: model.id))
            }
            var query = LoggedModelQuery(
                experiments: ["0"], limit: 2,
                order: [.init(field: "metrics.x", isAscending: false, dataset: .init(name: "", digest: ""))])
            var names: [String] = []
            repeat {
                let page = try await store.searchLoggedModels(query)
                #expect(page.found.count <= 2)
                names += page.found.map(\.name)
                query.pageToken = page.nextPageToken
            } while !query.pageToken.isEmpty
            #expect(names.count == 9 && Set(names).count == 9)
            #expect(Set(names.suffix(3)) == ["m0", "m3", "m6"])
        }
    }
}
