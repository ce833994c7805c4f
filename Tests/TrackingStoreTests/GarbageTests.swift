// SPDX-License-Identifier: Apache-2.0
import DatabaseFixtures
import SQLDatabases
import Testing
import TrackingModel

@testable import TrackingStore

@Suite(.serialized)
struct GarbageTests {
    /// Rows of all tables that runs and experiments have, without the default experiment.
    private func rows(_ store: TrackingStore) async throws -> [String: Int64] {
        let tables = [
            "metrics", "latest_metrics", "params", "tags", "run_datasets", "run_dataset_tags", "run_models",
            "model_metrics", "runs", "discarded", "datasets", "experiment_tags", "logged_models", "logged_model_tags",
        ]
        return try await store.database.read { session in
            try tables.reduce(into: [:]) { counts, table in
                counts[table] = try session.row("SELECT count(*) FROM \(table)")?.integer(0)
            }
        }
    }

    private func fill(_ store: TrackingStore, _ id: String) async throws {
        let metric = Metric(key: "m", value: 1, timestamp: 1, step: 1)
        try await store.logBatch(id, metrics: [metric], params: [Param("p", "1")], tags: [Tag("t", "1")])
        try await store.logInputs(
            id, datasets: [.init(Dataset(name: "d", digest: "1", sourceType: "", source: ""), tags: [Tag("a", "b")])],
            models: ["m-1"])
    }

    private func eraseAll(_ store: TrackingStore) async throws -> [Discarded] {
        var erased: [Discarded] = []
        while let next = try await store.discarded(after: erased.last, limit: 1).first {
            try await store.erase(next)
            erased.append(next)
        }
        return erased
    }

    @Test(arguments: Backend.allCases) func whatWasDeletedLongAgoGoes(backend: Backend) async throws {
        try await withStore(backend) { store, clock in
            let kept = try await store.newRun()
            try await fill(store, kept)
            let before = try await rows(store)
            let (old, young, active) = (
                try await store.newRun(), try await store.newRun(), try await store.newRun()
            )
            for id in [old, young] { try await fill(store, id) }
            try await store.deleteRun(old)
            clock.pass(1000)
            try await store.deleteRun(young)
            try await store.discard(olderThan: 500, runs: nil, experiments: nil)
            #expect(await refusal { try await store.restoreRun(old) }?.contains("not found") == true)
            let erased = try await eraseAll(store)
            #expect(erased.map(\.name) == [old])
            #expect(erased[0].location == "mlflow-artifacts:/0/\(old)/artifacts")
            try await store.restoreRun(young)
            try await store.deleteRun(young)
            try await store.discard(olderThan: 0, runs: nil, experiments: nil)
            #expect(try await eraseAll(store).map(\.name) == [young])
            try await store.deleteRun(active)
            try await store.discard(olderThan: 0, runs: [active], experiments: nil)
            #expect(try await eraseAll(store).count == 1)
            #expect(try await rows(store) == before)
            #expect(try await store.run(kept).metrics.count == 1)
        }
    }

    @Test(arguments: Backend.allCases) func experimentsGoWithTheirRuns(backend: Backend) async throws {
        try await withStore(backend) { store, clock in
            let before = try await rows(store)
            let id = try await store.createExperiment(name: "e", artifactLocation: "", tags: [Tag("a", "b")])
            let runs = [try await store.newRun(id), try await store.newRun(id)]
            for run in runs { try await fill(store, run) }
            let other = try await store.newRun()
            try await store.deleteRun(other)
            try await store.deleteExperiment("\(id)")
            clock.pass(10)
            #expect(
                await refusal { try await store.discard(olderThan: 11, runs: nil, experiments: ["\(id)"]) }
                    == "INVALID_PARAMETER_VALUE Experiments ['\(id)'] are not older than the required age.")
            try await store.discard(olderThan: 10, runs: nil, experiments: ["\(id)"])
            let erased = try await eraseAll(store)
            #expect(Set(erased.map(\.name)) == Set(runs + ["\(id)"]) && erased.last?.kind == .experiment)
            #expect(await refusal { _ = try await store.experiment("\(id)") }?.contains("No Experiment") == true)
            try await store.discard(olderThan: 0, runs: [other], experiments: nil)
            _ = try await eraseAll(store)
            #expect(try await rows(store) == before)
            // The name is free again, the number is not.
            #expect(try await store.createExperiment(name: "e", artifactLocation: "", tags: []) == id + 1)
        }
    }

    @Test(arguments: Backend.allCases) func modelsGoToo(backend: Backend) async throws {
        try await withStore(backend) { store, clock in
            let before = try await rows(store)
            let run = try await store.newRun()
            let model = try await store.createLoggedModel(
                experimentID: "0", name: "m", modelType: "", sourceRunID: run, tags: [Tag("c", "d")],
                params: [Param("a", "b")])
            try await store.logMetric(run, Metric(key: "k", value: 1, timestamp: 1, modelID: model.id))
            try await store.deleteLoggedModel(model.id)
            clock.pass(10)
            try await store.discard(olderThan: 11, runs: nil, experiments: nil)
            #expect(try await eraseAll(store).isEmpty)
            try await store.discard(olderThan: 10, runs: nil, experiments: nil)
            let erased = try await eraseAll(store)
            #expect(erased.map(\.name) == [model.id] && erased[0].kind == .model)
            try await store.deleteRun(run)
            try await store.discard(olderThan: 0, runs: nil, experiments: nil)
            _ = try await eraseAll(store)
            #expect(try await rows(store) == before)
        }
    }

    @Test(arguments: Backend.allCases) func whatIsActiveStays(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let id = try await store.newRun()
            #expect(
                await refusal { try await store.discard(olderThan: 0, runs: [id], experiments: nil) }
                    == """
                    INVALID_PARAMETER_VALUE Run \(id) is not in `deleted` lifecycle stage. Only runs in `deleted` \
                    lifecycle stage can be deleted.
                    """)
            try await store.deleteRun(id)
            #expect(
                await refusal { try await store.discard(olderThan: 1, runs: [id], experiments: nil) }
                    == "INVALID_PARAMETER_VALUE Run \(id) is not older than the required age.")
            #expect(
                await refusal { try await store.discard(olderThan: 0, runs: nil, experiments: ["0"]) }?
                    .contains("are not in the deleted lifecycle stage") == true)
            #expect(
                await refusal { try await store.discard(olderThan: 0, runs: ["no"], experiments: nil) }
                    == "RESOURCE_DOES_NOT_EXIST Run with id=no not found")
        }
    }

    @Test(arguments: Backend.allCases) func longHistoriesGoInPortions(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let id = try await store.newRun()
            try await store.logBatch(
                id, metrics: [Metric(key: "m", value: .nan, timestamp: 1), Metric(key: "n", value: 1, timestamp: 1)],
                params: [], tags: [])
            let pages = try await store.database.write { session -> Int64 in
                try session.run(
                    """
                    INSERT INTO metrics (run, key, step, time, value)
                    WITH RECURSIVE steps (step) AS (SELECT 1 UNION ALL SELECT step + 1 FROM steps WHERE step < 45000)
                    SELECT runs.id, metric_keys.id, step, 0, 0 FROM steps, runs, metric_keys
                    """)
                return session.dialect == .sqlite ? try session.row("PRAGMA page_count")?.integer(0) ?? 0 : 0
            }
            try await store.deleteRun(id)
            try await store.discard(olderThan: 0, runs: nil, experiments: nil)
            _ = try await eraseAll(store)
            #expect(try await rows(store)["metrics"] == 0)
            guard backend == .sqlite else { return }
            let left = try await store.database.read { try $0.row("PRAGMA page_count")?.integer(0) ?? 0 }
            #expect(left < pages / 2, "the file keeps \(left) of \(pages) pages")
        }
    }
}
