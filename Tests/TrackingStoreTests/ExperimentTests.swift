// SPDX-License-Identifier: Apache-2.0
import DatabaseFixtures
import Foundation
import SQLDatabases
import Testing
import TrackingModel

@testable import TrackingStore

@Suite(.serialized)
struct ExperimentTests {
    @Test(arguments: Backend.allCases) func theDefaultOneIsThere(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let experiment = try await store.experiment("")
            #expect(experiment.name == "Default" && experiment.id == 0)
            #expect(experiment.artifactLocation == "mlflow-artifacts:/0")
            // And once only.
            try await store.prepare()
            #expect(try await store.experiment(named: "Default") == experiment)
            #expect(try await store.createExperiment(name: "first", artifactLocation: "", tags: []) == 1)
        }
    }

    @Test(arguments: Backend.allCases) func namesAreTakenOnce(backend: Backend) async throws {
        try await withStore(backend) { store, clock in
            let id = try await store.createExperiment(
                name: "a", artifactLocation: "", tags: [Tag("k", "v"), Tag("a", "")])
            let made = try await store.experiment("\(id)")
            #expect(made.tags == [Tag("a", ""), Tag("k", "v")])
            #expect(made.artifactLocation == "mlflow-artifacts:/\(id)")
            #expect(made.creationTime == 1000 && made.lastUpdateTime == 1000)
            clock.pass(5)
            try await store.deleteExperiment("\(id)")
            #expect(
                await refusal { _ = try await store.createExperiment(name: "a", artifactLocation: "", tags: []) }?
                    .hasPrefix("RESOURCE_ALREADY_EXISTS Experiment(name=a) already exists.") == true)
            #expect(try await store.experiment(named: "a").stage == .deleted)
            #expect(try await store.experiment(named: "a").lastUpdateTime == 1005)
            #expect(
                await refusal { try await store.renameExperiment("\(id)", to: "b") }
                    == "INVALID_STATE Cannot rename a non-active experiment.")
            #expect(
                await refusal { try await store.setExperimentTag("\(id)", Tag("k", "v")) }
                    == """
                    INVALID_PARAMETER_VALUE The experiment \(id) must be in the 'active' state. Current state is deleted.
                    """)
            #expect(
                await refusal { try await store.deleteExperiment("\(id)") }
                    == "RESOURCE_DOES_NOT_EXIST No Experiment with id=\(id) exists")
            try await store.restoreExperiment("\(id)")
            #expect(
                await refusal { try await store.restoreExperiment("\(id)") }
                    == "RESOURCE_DOES_NOT_EXIST No Experiment with id=\(id) exists")
            try await store.renameExperiment("\(id)", to: "b")
            try await store.renameExperiment("\(id)", to: "b")
            #expect(
                await refusal { try await store.renameExperiment("\(id)", to: "Default") }?.hasPrefix("BAD_") == true)
            #expect(
                await refusal { _ = try await store.experiment(named: "a") }
                    == "RESOURCE_DOES_NOT_EXIST Could not find experiment with name 'a'")
        }
    }

    @Test(arguments: Backend.allCases) func tagsAreSetAndDeleted(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            try await store.setExperimentTag("0", Tag("a", "1"))
            try await store.setExperimentTag("0", Tag("a", "2"))
            #expect(try await store.experiment("0").tags == [Tag("a", "2")])
            try await store.deleteExperimentTag("0", "a")
            #expect(
                await refusal { try await store.deleteExperimentTag("0", "a") }
                    == "RESOURCE_DOES_NOT_EXIST No tag with name: a in experiment with id 0")
            for number in 0..<50 { try await store.setExperimentTag("0", Tag("mlflow.customView.view\(number)", "")) }
            try await store.setExperimentTag("0", Tag("mlflow.customView.view0", "new"))
            #expect(
                await refusal { try await store.setExperimentTag("0", Tag("mlflow.customView.viewx", "")) }?
                    .contains("Unable to create another custom view for experiment 0; the maximum number") == true)
        }
    }

    @Test(arguments: Backend.allCases) func locations(backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            let current = FileManager.default.currentDirectoryPath
            for (given, kept) in [
                ("s3://b/p?x=1", "s3://b/p?x=1"), ("rel/path", current + "/rel/path"), ("/abs", "/abs"),
                ("file:rel", "file://" + current + "/rel"), ("mlflow-artifacts:/x", "mlflow-artifacts:/x"),
            ] {
                let id = try await store.createExperiment(name: given, artifactLocation: given, tags: [])
                #expect(try await store.experiment("\(id)").artifactLocation == kept)
                let run = try await store.run(try await store.newRun(id)).info
                let path = "/\(run.id)/artifacts"
                #expect(run.artifactURI == (given.hasPrefix("s3") ? "s3://b/p\(path)?x=1" : kept + path))
            }
            for given in ["s3://b/p#f", "a;b", "s3://b?x=../y", "http://h/p", "runs:/a", "mlflow-artifacts://h:1/x"] {
                let text = await refusal {
                    _ = try await store.createExperiment(name: given, artifactLocation: given, tags: [])
                }
                #expect(text?.hasPrefix("INVALID_PARAMETER_VALUE") == true, "\(given)")
            }
        }
    }

    @Test(arguments: Backend.allCases) func otherDatabasesAreRefused(backend: Backend) async throws {
        try await withDatabase(backend) { database in
            try await database.write { _ = try $0.run("CREATE TABLE alembic_version (a TEXT)") }
            let error = await #expect(throws: SQLError.self) { try await TrackingStore(database).prepare() }
            #expect(error?.code == .foreign)
        }
        try await withStore(backend) { store, _ in
            try await store.database.write { try $0.run("UPDATE apus_schema SET version = 99 WHERE area = 'runs'") }
            let error = await #expect(throws: SQLError.self) { try await store.prepare() }
            #expect(error?.code == .foreign && error?.description.contains("version 99") == true)
        }
    }
}
