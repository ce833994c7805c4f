// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import InferenceEngine
import InferenceProtocol
import ModelRuntimes
import Testing

@Suite(.timeLimit(.minutes(2))) struct ModelRepositoryTests {
    private static func code(_ body: () async throws -> Void) async -> InferenceFault.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? InferenceFault)?.code
        }
    }

    @Test func unknownModels() async throws {
        let engine = Engine()
        #expect(await Self.code { _ = try engine.model("none") } == .notFound)
        try await engine.load()
        #expect(await Self.code { _ = try engine.model("m", "2") } == .notFound)
        #expect(try engine.model("m", "1").version == "1")
        #expect(try engine.model("m", "").version == "1")
    }

    @Test func versionsByPolicy() async throws {
        let folders = ["3", "10", "9"].map { ModelFolder(name: "m", version: $0, path: "/nowhere") }
        let expected: [(String, [String])] = [
            ("{}", ["10"]), (#"{"version_policy": {"all": {}}}"#, ["3", "9", "10"]),
            (#"{"version_policy": {"latest": {"num_versions": 2}}}"#, ["9", "10"]),
            (#"{"version_policy": {"specific": {"versions": [3, 9]}}}"#, ["3", "9"]),
        ]
        for (config, versions) in expected {
            let engine = Engine()
            try await engine.repository.load(
                ModelPackage(name: "m", versions: folders, config: try JSONParser.parse(config)))
            #expect(engine.repository.versions("m") == versions)
            #expect(try engine.model().version == versions.last)
        }
    }

    @Test func aLoadThatFailsChangesNothing() async throws {
        let engine = Engine()
        try await engine.load()
        await #expect(throws: InferenceFault.self) { try await engine.load(version: "2", path: "/broken") }
        #expect(try await engine.model().infer(.of([1])).rows == [2])
        let index = engine.repository.index(readyOnly: false)
        #expect(index.map(\.version) == ["1", "2"])
        #expect(index.map(\.state) == [.ready, .unavailable])
        #expect(index[1].reason.contains("broken"))
        // What is known to be there, and broken, is not unknown.
        #expect(await Self.code { _ = try engine.model("m", "2") } == .notReady)
    }

    @Test func unloading() async throws {
        let engine = Engine()
        try await engine.load()
        try await engine.repository.unload("m", dependents: false)
        await until { engine.behaviour.loaded.load(ordering: .relaxed) == 0 }
        #expect(await Self.code { _ = try engine.model() } == .notFound)
        #expect(
            engine.repository.index(readyOnly: false) == [
                IndexEntry(name: "m", version: "1", state: .unavailable, reason: "unloaded")
            ])
        #expect(engine.repository.index(readyOnly: true).isEmpty)
        // Again, and of a model that never was: nothing to do.
        try await engine.repository.unload("m", dependents: false)
        try await engine.repository.unload("none", dependents: true)
        try await engine.load()
        #expect(try await engine.model().infer(.of([1])).rows == [2])
    }

    @Test func whatIsUnloadedFinishesFirst() async throws {
        let engine = Engine { $0.inlineLimit = .zero }
        try await engine.load()
        let gate = engine.behaviour.close()
        async let answer = engine.model().infer(.of([1]))
        await until { engine.behaviour.running.load(ordering: .relaxed) == 1 }
        try await engine.repository.unload("m", dependents: false)
        #expect(engine.repository.index(readyOnly: false).first?.state == .unloading)
        #expect(await Self.code { _ = try engine.model() } == .notFound)
        engine.behaviour.open(gate)
        #expect(try await answer.rows == [2])
        await until { engine.repository.index(readyOnly: false).first?.state == .unavailable }
        await until { engine.behaviour.loaded.load(ordering: .relaxed) == 0 }
    }

    @Test(arguments: [true, false]) func swapsUnderLoad(isInline: Bool) async throws {
        let engine = Engine { if !isInline { $0.inlineLimit = .zero } }
        for version in 1...9 { engine.behaviour.factors.withLock { $0["\(version)"] = Float(version) } }
        try await engine.load(version: "1")
        let stop = Flag()
        let begun = (0..<4).map { _ in Flag() }
        try await withThrowingTaskGroup(of: Int.self) { group in
            for client in 0..<4 {
                group.addTask {
                    var count = 0
                    while !stop.isSet {
                        let number = Float(client * 1000 + count % 1000 + 1)
                        let answer = try await engine.model().infer(.of([number]))
                        // Answered by one version, and that is the one that it says.
                        #expect(answer.rows == [number * (Float(answer.version) ?? 0)])
                        count += 1
                        begun[client].set()
                        await Task.yield()
                    }
                    return count
                }
            }
            // A swap is nothing to a client whose task has not yet begun.
            await until { begun.allSatisfy(\.isSet) }
            for version in 2...9 { try await engine.load(version: "\(version)") }
            try await engine.load(version: "1")
            stop.set()
            for try await count in group { #expect(count > 0) }
        }
        // All but the last were given back.
        await until { engine.behaviour.loaded.load(ordering: .relaxed) == 1 }
        #expect(engine.repository.memory.used == 1000)
    }

    @Test func loadsOfOneModelAreOneAfterTheOther() async throws {
        let engine = Engine()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for version in 1...8 { group.addTask { try await engine.load(version: "\(version)") } }
            try await group.waitForAll()
        }
        #expect(engine.repository.versions("m").count == 1)
        await until { engine.behaviour.loaded.load(ordering: .relaxed) == 1 }
    }

    @Test func readiness() async throws {
        let engine = Engine()
        #expect(!engine.repository.isReady)
        engine.repository.require("m")
        engine.repository.prepared()
        #expect(!engine.repository.isReady)
        try await engine.load()
        #expect(engine.repository.isReady)
        engine.repository.drain()
        #expect(!engine.repository.isReady)
        // What is asked of it still is answered.
        #expect(try await engine.model().infer(.of([1])).rows == [2])
    }

    // MARK: Memory

    @Test func memoryIsLimited() async throws {
        let engine = Engine { $0.memoryLimit = 2500 }
        try await engine.load("a")
        try await engine.load("b")
        #expect(await Self.code { try await engine.load("c") } == .tooLarge)
        #expect(engine.repository.memory.used == 2000)
        await until { engine.behaviour.loaded.load(ordering: .relaxed) == 2 }
        try await engine.repository.unload("a", dependents: false)
        await until { engine.repository.memory.used == 1000 }
        try await engine.load("c")
        #expect(try await engine.model("c").infer(.of([1])).rows == [2])
    }

    @Test func othersGoForWhatIsLoaded() async throws {
        let engine = Engine {
            $0.memoryLimit = 2500
            $0.evicts = true
        }
        try await engine.repository.load(
            ModelPackage(
                name: "pinned", versions: [ModelFolder(name: "pinned", version: "1", path: "/nowhere")], isPinned: true)
        )
        try await engine.load("a")
        // What it takes is known only when it is there.
        try await engine.load("b")
        #expect(engine.repository.index(readyOnly: true).map(\.name) == ["b", "pinned"])
        let gone = try #require(engine.repository.index(readyOnly: false).first { $0.name == "a" })
        #expect(gone.state == .unavailable)
        #expect(gone.reason.contains("memory"))
        #expect(await Self.code { _ = try engine.model("a") } == .notReady)
        await until { engine.behaviour.loaded.load(ordering: .relaxed) == 2 }
        engine.behaviour.memory.store(1600, ordering: .relaxed)
        #expect(await Self.code { try await engine.load("c") } == .tooLarge)
        #expect(engine.repository.index(readyOnly: true).map(\.name) == ["b", "pinned"])
        #expect(engine.repository.memory.used == 2000)
    }

    // MARK: Control

    @Test func configurationsOfALoad() async throws {
        let folder = NSTemporaryDirectory() + "apus-repository-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder + "/m/1", withIntermediateDirectories: true)
        let engine = Engine(providers: [RepositoryFolder(folder)])
        try await engine.repository.load("m", parameters: [:])
        #expect(try engine.model().config.maximumBatch == 64)
        try await engine.repository.load("m", parameters: ["config": .string(#"{"max_batch_size": 3}"#)])
        #expect(try engine.model().signature.maximumBatch == 3)
        let wrong: [[String: ParameterValue]] = [
            ["config": .string("{")], ["config": .int(3)], ["config": .string("[]")], ["other": .string("")],
            ["file:1/model.onnx": .string("AAAA")],
            ["config": .string("{}"), "file:1/model.onnx": .string("no base64")],
            ["config": .string("{}"), "file:../x/y": .string("AAAA")],
            ["config": .string("{}"), "file:1/../y": .string("AAAA")],
            ["config": .string("{}"), "file:1/..": .string("AAAA")],
            ["config": .string("{}"), "file:/etc/passwd": .string("AAAA")],
            ["config": .string(#"{"max_batch_size": -1}"#)], ["config": .string(#"{"name": "other"}"#)],
        ]
        for parameters in wrong {
            let code = await Self.code { try await engine.repository.load("m", parameters: parameters) }
            #expect(code == .invalid, "\(parameters)")
        }
        #expect(try engine.model().signature.maximumBatch == 3)
        #expect(await Self.code { try await engine.repository.load("none", parameters: [:]) } == .notFound)
        #expect(await Self.code { try await engine.repository.load("../m", parameters: [:]) } == .notFound)
    }

    @Test func filesOfALoad() async throws {
        let engine = Engine()
        try await engine.repository.load(
            "new", parameters: ["config": .string("{}"), "file:3/model.onnx": .string("AAAA")])
        #expect(try engine.model("new").version == "3")
        #expect(try await engine.model("new").infer(.of([1])).rows == [2])
        try await engine.repository.unload("new", dependents: false)
    }

    @Test func changesInTheFolderAreFollowed() async throws {
        let folder = NSTemporaryDirectory() + "apus-repository-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var writes = 0.0
        func write(_ path: String, _ text: String) throws {
            let file = URL(fileURLWithPath: "\(folder)/\(path)")
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
            // Of its own: the system's moves by milliseconds, and two writes of as many bytes may lie closer.
            writes += 1
            let time = Date(timeIntervalSince1970: 1_700_000_000 + writes)
            try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: file.path)
        }
        let provider = RepositoryFolder(folder)
        let other = RepositoryFolder(folder + "/other")
        let engine = Engine(providers: [provider, other])
        try write("a/1/model", "one")
        await engine.repository.poll([provider])
        #expect(engine.repository.versions("a") == ["1"])
        try write("a/2/model", "two")
        try write("b/1/model", "one")
        await engine.repository.poll([provider])
        #expect(engine.repository.versions("a") == ["2"])
        #expect(engine.repository.versions("b") == ["1"])
        try write("b/config.pbtxt", "max_batch_size: 5")
        await engine.repository.poll([provider])
        #expect(try engine.model("b").signature.maximumBatch == 5)
        // What a request unloaded stays so.
        try await engine.repository.unload("b", dependents: false)
        await engine.repository.poll([provider])
        #expect(engine.repository.versions("b").isEmpty)
        try write("b/config.pbtxt", "max_batch_size: 6")
        await engine.repository.poll([provider])
        #expect(try engine.model("b").signature.maximumBatch == 6)
        // Of two folders, one does not know the other's models.
        try write("other/c/1/model", "one")
        await engine.repository.poll([provider, other])
        await engine.repository.poll([other, provider])
        #expect(engine.repository.index(readyOnly: true).map(\.name) == ["a", "b", "c", "other"])
        try FileManager.default.removeItem(atPath: folder + "/other")
        await engine.repository.poll([provider])
        #expect(engine.repository.index(readyOnly: true).map(\.name) == ["a", "b"])
        try FileManager.default.removeItem(atPath: folder + "/a")
        await engine.repository.poll([provider])
        #expect(engine.repository.index(readyOnly: false).map(\.name) == ["b"])
    }

    // MARK: Ensembles

    private static let ensemble = #"""
        {"platform": "ensemble", "max_batch_size": 8,
         "input": [{"name": "I", "data_type": "TYPE_FP32", "dims": [4]}],
         "output": [{"name": "O", "data_type": "TYPE_FP32", "dims": [4]}],
         "ensemble_scheduling": {"step": [
            {"model_name": "b", "input_map": {"X": "middle"}, "output_map": {"Y": "O"}},
            {"model_name": "a", "input_map": {"X": "I"}, "output_map": {"Y": "middle"}}]}}
        """#

    private static func asked(_ number: Float) -> InferenceRequest {
        InferenceRequest(model: "e", version: nil, inputs: [Tensor.of("I", [number, 0, 0, 0], [1, 4])])
    }

    @Test(arguments: [true, false]) func ensembles(isInline: Bool) async throws {
        let engine = Engine { if !isInline { $0.inlineLimit = .zero } }
        await #expect(throws: InferenceFault.self) { try await engine.load("e", config: Self.ensemble) }
        try await engine.load("a")
        try await engine.load("b")
        try await engine.load("e", config: Self.ensemble)
        let answer = try await engine.model("e").infer(Self.asked(3))
        #expect(answer.model == "e")
        #expect(answer.outputs.map(\.name) == ["O"])
        #expect(answer.rows == [12])
        #expect(try engine.model("a").statistics.success.count == 1)
        #expect(try engine.model("e").statistics.success.count == 1)
        // A member that is swapped is asked in its new version.
        engine.behaviour.factors.withLock { $0["2"] = 10 }
        try await engine.load("a", version: "2")
        #expect(try await engine.model("e").infer(Self.asked(3)).rows == [60])
        try await engine.repository.unload("a", dependents: false)
        #expect(await Self.code { _ = try await engine.model("e").infer(Self.asked(3)) } == .notReady)
        try await engine.repository.unload("e", dependents: true)
        #expect(engine.repository.index(readyOnly: true).isEmpty)
    }
}
