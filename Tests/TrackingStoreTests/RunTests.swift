// SPDX-License-Identifier: Apache-2.0
import DatabaseFixtures
import SQLDatabases
import Testing
import TrackingModel

@testable import TrackingStore

@Suite(.serialized)
struct RunTests {
    @Test(arguments: Backend.allCases) func namesAndTags(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let run = try await store.createRun(
                experiment: "", userID: "ada", startTime: 7, tags: [Tag("x", "1"), Tag("mlflow.user", "ada")], name: "")
            #expect(run.info.id.count == 32 && run.info.status == .running && run.info.userID == "ada")
            #expect(run.info.artifactURI == "mlflow-artifacts:/0/\(run.info.id)/artifacts")
            #expect(run.info.name.split(separator: "-").count == 3)
            let found = try await store.run(run.info.id)
            #expect(found.info == run.info)
            #expect(Set(found.tags) == Set(run.tags) && run.tags.contains(Tag("mlflow.runName", run.info.name)))
            #expect(run.tags.contains(Tag("mlflow.user", "ada")))
            try await store.setTag(run.info.id, Tag("mlflow.runName", "better"))
            #expect(try await store.run(run.info.id).info.name == "better")
            try await store.setTag(run.info.id, Tag("mlflow.runName", ""))
            let info = try await store.updateRun(run.info.id, status: .finished, endTime: 9, name: "best")
            #expect(info.name == "best" && info.status == .finished && info.endTime == 9)
            let again = try await store.updateRun(run.info.id, status: nil, endTime: nil, name: "")
            #expect(again == info)
            #expect(try await store.run(run.info.id).tags.contains(Tag("mlflow.runName", "best")))
            try await store.deleteTag(run.info.id, "x")
            #expect(
                await refusal { try await store.deleteTag(run.info.id, "x") }
                    == "RESOURCE_DOES_NOT_EXIST No tag with name: x in run with id \(run.info.id)")
        }
    }

    @Test(arguments: Backend.allCases) func wrongRuns(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            func create(_ experiment: String, _ tags: [Tag] = [], _ name: String = "") async -> String? {
                await refusal {
                    _ = try await store.createRun(
                        experiment: experiment, userID: "", startTime: 0, tags: tags, name: name)
                }
            }
            #expect(await create("77") == "RESOURCE_DOES_NOT_EXIST No Experiment with id=77 exists")
            #expect(
                await create("99999999999999999999")
                    == "RESOURCE_DOES_NOT_EXIST No Experiment with id=99999999999999999999 exists")
            #expect(
                await create("0", [Tag("mlflow.runName", "b")], "a")
                    == """
                    INVALID_PARAMETER_VALUE Both 'run_name' argument and 'mlflow.runName' tag are specified, but with \
                    different values (run_name='a', mlflow.runName='b').
                    """)
            #expect(await create("0", [Tag("a", "1"), Tag("a", "2")])?.hasPrefix("BAD_REQUEST") == true)
            try await store.deleteExperiment("0")
            #expect(
                await create("0")
                    == "INVALID_PARAMETER_VALUE The experiment 0 must be in the 'active' state. Current state is deleted."
            )
            #expect(
                await refusal { _ = try await store.run("no") } == "RESOURCE_DOES_NOT_EXIST Run with id=no not found")
        }
    }

    @Test(arguments: Backend.allCases) func deletedRunsRefuseChanges(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let id = try await store.newRun()
            try await store.deleteRun(id)
            try await store.deleteRun(id)
            #expect(try await store.run(id).info.stage == .deleted)
            let text = "INVALID_PARAMETER_VALUE The run \(id) must be in the 'active' state. Current state is deleted."
            let point = Metric(key: "m", value: 1, timestamp: 1)
            #expect(await refusal { try await store.logMetric(id, point) } == text)
            #expect(await refusal { try await store.logParam(id, Param("a", "b")) } == text)
            #expect(await refusal { try await store.setTag(id, Tag("a", "b")) } == text)
            #expect(await refusal { try await store.deleteTag(id, "a") } == text)
            #expect(await refusal { try await store.logBatch(id, metrics: [], params: [], tags: []) } == text)
            #expect(await refusal { try await store.logInputs(id, datasets: [], models: ["m"]) } == text)
            #expect(await refusal { try await store.logOutputs(id, models: []) } == text)
            #expect(
                await refusal { _ = try await store.updateRun(id, status: .failed, endTime: nil, name: nil) } == text)
            try await store.restoreRun(id)
            try await store.restoreRun(id)
            try await store.logMetric(id, point)
            #expect(try await store.run(id).metrics == [point])
        }
    }

    @Test(arguments: Backend.allCases) func runsFollowTheirExperiment(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let experiment = try await store.createExperiment(name: "e", artifactLocation: "", tags: [])
            let id = try await store.newRun(experiment)
            let other = try await store.newRun()
            try await store.deleteExperiment("\(experiment)")
            #expect(try await store.run(id).info.stage == .deleted)
            #expect(try await store.run(other).info.stage == .active)
            try await store.restoreExperiment("\(experiment)")
            #expect(try await store.run(id).info.stage == .active)
        }
    }

    @Test(arguments: Backend.allCases) func inputsAndOutputs(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let (id, other) = (try await store.newRun(), try await store.newRun())
            let dataset = Dataset(name: "d", digest: "1", sourceType: "local", source: "s", schema: "{}", profile: "p")
            let input = DatasetInput(dataset, tags: [Tag("mlflow.data.context", "train")])
            let second = DatasetInput(Dataset(name: "d", digest: "2", sourceType: "local", source: "s"))
            try await store.logInputs(id, datasets: [input, second, input], models: ["m-1", "m-1"])
            // What is known stays as it is.
            var changed = input
            changed.tags = [Tag("mlflow.data.context", "test")]
            changed.dataset.source = "other"
            try await store.logInputs(id, datasets: [changed], models: [])
            try await store.logInputs(other, datasets: [changed], models: [])
            try await store.logOutputs(id, models: [ModelOutput(modelID: "m-2", step: 3)])
            let run = try await store.run(id)
            #expect(run.datasets == [input, second] && run.modelInputs == ["m-1"])
            #expect(run.modelOutputs == [ModelOutput(modelID: "m-2", step: 3)])
            #expect(try await store.run(other).datasets == [DatasetInput(dataset, tags: changed.tags)])
            let twice = await refusal { try await store.logOutputs(id, models: [ModelOutput(modelID: "m-2", step: 4)]) }
            #expect(twice?.hasPrefix("BAD_REQUEST") == true)
            var long = input
            long.dataset.digest = String(repeating: "d", count: 37)
            #expect(
                await refusal { try await store.logInputs(id, datasets: [long], models: []) }
                    == "INVALID_PARAMETER_VALUE 'digest' exceeds the maximum length of 36 characters")
        }
    }

    @Test(arguments: Backend.allCases) func modelsOfOldClients(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let id = try await store.newRun()
            #expect(
                await refusal { try await store.logModel(id, modelJSON: "{") }
                    == "INVALID_PARAMETER_VALUE Malformed model info. \n { \n is not a valid JSON.")
            #expect(
                await refusal { try await store.logModel(id, modelJSON: #"{"flavors": {}}"#) }?
                    .contains("missing mandatory fields") == true)
            let model = #"{"artifact_path":"m","flavors":{"a":{"b":1,"config":2}},"run_id":"r","utc_time_created":"t"}"#
            try await store.logModel(id, modelJSON: model)
            try await store.logModel(id, modelJSON: model)
            let one = model.replacing(",\"config\":2", with: "")
            let tags = try await store.run(id).tags
            #expect(tags.contains(Tag("mlflow.log-model.history", "[\(one),\(one)]")))
        }
    }
}
