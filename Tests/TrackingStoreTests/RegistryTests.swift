// SPDX-License-Identifier: Apache-2.0
import DatabaseFixtures
import Testing
import TrackingModel

@testable import TrackingStore

@Suite struct RegistryTests {
    private func newVersion(
        _ store: TrackingStore, _ name: String, source: String = "s3://bucket/x", run: String? = nil, tags: [Tag] = []
    ) async throws -> ModelVersion {
        try await store.createModelVersion(NewModelVersion(name: name, source: source, runID: run, tags: tags))
    }

    @Test(arguments: Backend.allCases) func modelsAreMadeChangedRenamedAndDeleted(_ backend: Backend) async throws {
        try await withStore(backend) { store, clock in
            let made = try await store.createRegisteredModel(
                name: "movies", tags: [Tag("a", "1")], description: "first")
            #expect(
                made
                    == RegisteredModel(
                        name: "movies", created: clock.now, updated: clock.now, description: "first",
                        tags: [Tag("a", "1")]))
            clock.pass(5)
            _ = try await newVersion(store, "movies")
            try await store.setAlias("champion", of: "movies", version: "1")
            let changed = try await store.updateRegisteredModel("movies", description: "second")
            #expect(changed.description == "second" && changed.updated == made.updated + 5)
            let renamed = try await store.renameRegisteredModel("movies", to: "films")
            #expect(renamed.aliases == [.init("champion", 1)])
            #expect(renamed.latestVersions.map(\.name) == ["films"])
            #expect(
                await refusal { _ = try await store.registeredModel("movies") }
                    == "RESOURCE_DOES_NOT_EXIST Registered Model with name=movies not found")
            _ = try await store.createRegisteredModel(name: "movies", tags: [], description: nil)
            #expect(
                await refusal { _ = try await store.renameRegisteredModel("films", to: "movies") }
                    == "RESOURCE_ALREADY_EXISTS Registered Model (name=movies) already exists.")
            try await store.deleteRegisteredModel("films")
            #expect(
                await refusal { _ = try await store.modelVersion("films", version: "1") }
                    == "RESOURCE_DOES_NOT_EXIST Model Version (name=films, version=1) not found")
        }
    }

    @Test(arguments: Backend.allCases) func numbersOfVersionsAreGivenOnce(_ backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            _ = try await store.createRegisteredModel(name: "m", tags: [], description: nil)
            for number in 1...3 { #expect(try await newVersion(store, "m").version == Int64(number)) }
            try await store.setAlias("best", of: "m", version: "3")
            try await store.setModelVersionTag("m", version: "3", key: "k", value: "v")
            try await store.deleteModelVersion("m", version: "3")
            #expect(
                await refusal { _ = try await store.modelVersion("m", version: "3") }
                    == "RESOURCE_DOES_NOT_EXIST Model Version (name=m, version=3) not found")
            #expect(
                await refusal { _ = try await store.modelVersion("m", alias: "best") }
                    == "INVALID_PARAMETER_VALUE Registered model alias best not found.")
            #expect(try await newVersion(store, "m").version == 4)
            #expect(try await store.modelVersion("m", alias: "latest").version == 4)
        }
    }

    @Test(arguments: Backend.allCases) func aConcurrentWriterGetsItsOwnNumber(_ backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            _ = try await store.createRegisteredModel(name: "m", tags: [], description: nil)
            let numbers = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<20 { group.addTask { try await newVersion(store, "m").version } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(numbers.sorted() == Array(1...20))
        }
    }

    @Test(arguments: Backend.allCases) func stagesMove(_ backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            _ = try await store.createRegisteredModel(name: "m", tags: [], description: nil)
            for _ in 1...3 { _ = try await newVersion(store, "m") }
            _ = try await store.transition("m", version: "1", to: "production", archiving: false)
            let moved = try await store.transition("m", version: "2", to: "Production", archiving: true)
            #expect(moved.stage == "Production")
            #expect(try await store.modelVersion("m", version: "1").stage == "Archived")
            let latest = try await store.latestVersions("m", stages: [])
            #expect(latest.map(\.stage) == ["Archived", "Production", "None"])
            #expect(try await store.latestVersions("m", stages: ["production"]).map(\.version) == [2])
            #expect(
                await refusal { _ = try await store.transition("m", version: "1", to: "None", archiving: true) }
                    == "INTERNAL_ERROR Model version transition cannot archive existing model versions because 'None' is not "
                    + "an Active stage. Valid stages are ['Staging', 'Production']")
        }
    }

    @Test(arguments: Backend.allCases) func aSourceHasToBelongToItsRun(_ backend: Backend) async throws {
        try await withStore(backend) { store, _ in
            _ = try await store.createRegisteredModel(name: "m", tags: [], description: nil)
            let run = try await store.newRun()
            let other = try await store.newRun()
            let place = try await store.run(run).info.artifactURI
            #expect(try await newVersion(store, "m", source: place + "/model", run: run).runID == run)
            #expect(
                await refusal { _ = try await newVersion(store, "m", source: place + "/model", run: other) }?
                    .hasPrefix("INVALID_PARAMETER_VALUE Invalid model version source") == true)
            #expect(
                await refusal { _ = try await newVersion(store, "m", source: "/etc/passwd", run: run) }?
                    .hasPrefix("INVALID_PARAMETER_VALUE Invalid model version source") == true)
            let copy = try await newVersion(store, "m", source: "models:/m/1")
            #expect(copy.runID == run)
            #expect(try await store.downloadURI("m", version: "\(copy.version)") == place + "/model")
            let logged = try await store.createLoggedModel(
                experimentID: "0", name: "", modelType: "", sourceRunID: run, tags: [], params: [])
            let version = try await store.createModelVersion(
                NewModelVersion(name: "m", source: "models:/\(logged.id)", modelID: logged.id))
            #expect(version.runID == run)
            #expect(try await store.downloadURI("m", version: "\(version.version)") == logged.artifactLocation)
            #expect(
                try await store.loggedModel(logged.id).tags
                    == [Tag("mlflow.modelVersions", #"[{"name": "m", "version": 3}]"#)])
        }
    }

    @Test(arguments: Backend.allCases) func searchesSeeModelsOrPrompts(_ backend: Backend) async throws {
        try await withStore(backend) { store, clock in
            let prompt = [Tag("mlflow.prompt.is_prompt", "true"), Tag("mlflow.prompt.text", "hi")]
            for (name, tags) in [("b", [Tag("k", "1")]), ("a", [Tag("k", "2")]), ("p", prompt)] {
                clock.pass(1)
                _ = try await store.createRegisteredModel(name: name, tags: tags, description: nil)
                let source = name == "p" ? "dummy-source" : "s3://bucket/\(name)"
                for _ in 1...2 { _ = try await newVersion(store, name, source: source, tags: tags) }
            }
            func models(_ filter: String, _ order: [String] = []) async throws -> [String] {
                try await store.searchRegisteredModels(filter: filter, limit: 100, order: order, pageToken: "")
                    .found.map(\.name)
            }
            func versions(_ filter: String, _ order: [String] = []) async throws -> [String] {
                try await store.searchModelVersions(filter: filter, limit: 100, order: order, pageToken: "")
                    .found.map { "\($0.name)\($0.version)" }
            }
            #expect(try await models("") == ["a", "b"])
            #expect(try await models("", ["timestamp DESC"]) == ["a", "b"])
            #expect(try await models("", ["name DESC"]) == ["b", "a"])
            #expect(try await models("tags.k = '1'") == ["b"])
            #expect(try await models("tags.k != '1'") == ["a"])
            #expect(try await models("name IN ('b', 'p')") == ["b"])
            #expect(try await models("name LIKE '%B%'") == [])
            #expect(try await models("name ILIKE '%B%'") == ["b"])
            #expect(try await models("tags.`mlflow.prompt.is_prompt` = 'true'") == ["p"])
            #expect(try await models("tags.`mlflow.prompt.is_prompt` != 'true'") == ["a", "b"])
            #expect(try await versions("") == ["a2", "a1", "b2", "b1"])
            #expect(try await versions("", ["name ASC", "version_number ASC"]) == ["a1", "a2", "b1", "b2"])
            #expect(try await versions("version_number > 1") == ["a2", "b2"])
            #expect(try await versions("source_path = 's3://bucket/a' AND version_number = 1") == ["a1"])
            #expect(try await versions("tags.`mlflow.prompt.is_prompt` = 'true'") == ["p2", "p1"])
            #expect(try await versions("name = 'p'") == [])
            #expect(try await versions("tags.k = '2'") == ["a2", "a1"])
        }
    }

    @Test(arguments: Backend.allCases) func pagesHaveEverythingOnce(_ backend: Backend) async throws {
        try await withStore(backend) { store, clock in
            for number in 0..<7 {
                clock.pass(number % 2 == 0 ? 1 : 0)
                _ = try await store.createRegisteredModel(name: "m\(number)", tags: [], description: nil)
                _ = try await newVersion(store, "m\(number)")
                _ = try await newVersion(store, "m\(number)")
            }
            var (names, token) = ([String](), "")
            repeat {
                let page = try await store.searchRegisteredModels(
                    filter: "", limit: 3, order: ["last_updated_timestamp DESC"], pageToken: token)
                names += page.found.map(\.name)
                token = page.nextPageToken
            } while !token.isEmpty
            #expect(names.sorted() == (0..<7).map { "m\($0)" })
            var versions: [String] = []
            repeat {
                let page = try await store.searchModelVersions(filter: "", limit: 4, order: [], pageToken: token)
                versions += page.found.map { "\($0.name)/\($0.version)" }
                token = page.nextPageToken
            } while !token.isEmpty
            #expect(versions.count == 14 && Set(versions).count == 14)
            let all = try await store.searchModelVersions(filter: "", limit: 100, order: [], pageToken: "")
            #expect(all.found.map { "\($0.name)/\($0.version)" } == versions)
            #expect(
                await refusal {
                    _ = try await store.searchModelVersions(filter: "", limit: 4, order: [], pageToken: "nonsense")
                }?.hasPrefix("INVALID_PARAMETER_VALUE") == true)
        }
    }
}
