// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Glibc
import InferenceProtocol
import Logging
import ModelRuntimes
import ScriptedHTTP
import Synchronization
import Testing

@testable import ModelSources

@Suite("Fetching models")
struct FetchingTests {
    /// Runs with a server that answers as `script` says, and a cache of its own.
    static func with(
        _ script: @escaping ScriptedServer.Script,
        _ body: (ModelSources, ScriptedServer, String) async throws -> Void
    ) async throws {
        let server = try await ScriptedServer.start(script)
        try await withFolder { folder in
            var configuration = ModelSourcesConfiguration(
                cache: folder + "/cache",
                environment: ["AWS_ENDPOINT_URL": server.endpoint, "MLFLOW_TRACKING_URI": server.endpoint])
            configuration.modelLimit = 1000
            configuration.s3.retries.attempts = 1
            configuration.s3.connectTimeout = .seconds(60)
            configuration.tracking.retries.attempts = 1
            configuration.tracking.connectTimeout = .seconds(60)
            let sources = ModelSources(configuration, logger: Logger(label: "test"))
            do {
                try await body(sources, server, folder)
            } catch {
                await sources.shutdown()
                throw error
            }
            await sources.shutdown()
        }
        try await server.stop()
    }

    static func content(_ model: ModelFolder, _ name: String) throws -> [UInt8]? {
        try Folder.read(model.path + "/" + name)
    }

    @Test("a file of the web comes once as long as its mark is the same, and anew when it changes")
    func web() async throws {
        let tag = Mutex("\"1\"")
        try await Self.with({ request, _ in
            let mark = tag.withLock { $0 }
            return request.path == "/m/model.onnx"
                ? .answer(200, [("etag", mark)], Array("v\(mark)".utf8)) : .answer(404)
        }) { sources, server, _ in
            let uri = try ModelURI(server.endpoint + "/m/model.onnx?token=a")
            let first = try await sources.fetch(uri, name: "m")
            let again = try await sources.fetch(uri, name: "m")
            #expect(first == again && first.version == "1")
            #expect(try Self.content(first, "model.onnx") == Array("v\"1\"".utf8))
            #expect(server.requests.filter { $0.method == "GET" }.count == 1)
            tag.withLock { $0 = "\"2\"" }
            let other = try await sources.fetch(uri, name: "m")
            #expect(other.path != first.path)
            #expect(try Self.content(other, "model.onnx") == Array("v\"2\"".utf8))
            let missing = await #expect(throws: InferenceFault.self) {
                try await sources.fetch(try ModelURI(server.endpoint + "/none"), name: "m")
            }
            #expect(missing?.code == .notFound)
        }
    }

    @Test("what is cut off, too large or has another checksum leaves nothing in the cache")
    func refusals() async throws {
        try await Self.with({ request, _ in
            switch request.path {
            case "/cut": .cut(200, [], [UInt8](repeating: 1, count: 100), after: 10)
            case "/large": .answer(200, [], [UInt8](repeating: 1, count: 1001))
            default: .answer(200, [], [1, 2, 3])
            }
        }) { sources, server, folder in
            let sum = Checksum.hexadecimal(of: "\u{1}\u{2}\u{3}")
            let other = String(sum.reversed())
            for (path, code) in [("/large", .tooLarge), ("/x#sha256=" + other, .invalid), ("/cut", .runtime)]
                as [(String, InferenceFault.Code)]
            {
                let fault = await #expect(throws: InferenceFault.self) {
                    try await sources.fetch(try ModelURI(server.endpoint + path), name: "m")
                }
                #expect(fault?.code == code, "\(path): \(String(describing: fault))")
            }
            #expect(try Folder.names(in: folder + "/cache").isEmpty)
            let good = try await sources.fetch(try ModelURI(server.endpoint + "/x#sha256=" + sum), name: "m")
            #expect(try Self.content(good, "x") == [1, 2, 3])
        }
    }

    @Test("an archive is unpacked, and its one folder is the model")
    func archive() async throws {
        let zip = Archives.zip([("model/model.onnx", [1]), ("model/data/w", [2])])
        try await Self.with({ _, _ in .answer(200, [("etag", "\"e\"")], zip) }) { sources, server, _ in
            let model = try await sources.fetch(try ModelURI(server.endpoint + "/m.zip"), name: "m", format: "onnx")
            #expect(try Folder.names(in: model.path).sorted() == ["data", "model.onnx"])
            #expect(model.format == "onnx")
        }
    }

    @Test("a folder of this machine is used where it lies; one that is missing is told")
    func local() async throws {
        try await Self.with({ _, _ in .answer(500) }) { sources, _, folder in
            try Folder.create(folder + "/mine")
            #expect(
                try await sources.fetch(try ModelURI("file://" + folder + "/mine"), name: "m").path == folder + "/mine")
            let fault = await #expect(throws: InferenceFault.self) {
                try await sources.fetch(try ModelURI(folder + "/other"), name: "m")
            }
            #expect(fault?.code == .notFound)
            var environment = sources.configuration.environment
            environment["APUS_VOLUME_MY_CLAIM"] = folder
            let other = ModelSources(
                ModelSourcesConfiguration(cache: folder + "/c", environment: environment), logger: Logger(label: "test")
            )
            #expect(try await other.fetch(try ModelURI("pvc://my-claim/mine"), name: "m").path == folder + "/mine")
            await #expect(throws: InferenceFault.self) {
                try await other.fetch(try ModelURI("pvc://none/x"), name: "m")
            }
            await other.shutdown()
        }
    }

    @Test("many who ask for one entry wait for one; a failure is everybody's, and the next asks anew")
    func onceOnly() async throws {
        try await withFolder { folder in
            let cache = ModelCache(folder + "/cache", limit: 1 << 20)
            let calls = Mutex(0)
            let fill: @Sendable (String) async throws(InferenceFault) -> Void = { path throws(InferenceFault) in
                let number = calls.withLock { calls in
                    calls += 1
                    return calls
                }
                if number == 1 { throw InferenceFault(.runtime, "first") }
                do throws(FileError) { try NewFile(path + "/f", replaces: false).write([1]) } catch {
                    throw InferenceFault(.runtime, "\(error)")
                }
            }
            await #expect(throws: InferenceFault.self) { try await cache.entry("k", fill: fill) }
            let paths = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<20 { group.addTask { try await cache.entry("k", fill: fill) } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(paths == [folder + "/cache/k"])
            #expect(calls.withLock { $0 } == 2)
            #expect(try Folder.names(in: folder + "/cache") == ["k"])
        }
    }

    @Test("beyond the limit those go that were used longest ago")
    func eviction() async throws {
        try await withFolder { folder in
            let cache = ModelCache(folder, limit: 250)
            for key in ["a", "b", "c", "d"] {
                _ = try await cache.entry(key) { path throws(InferenceFault) in
                    do { try NewFile(path + "/f", replaces: false).write([UInt8](repeating: 1, count: 100)) } catch {
                        throw InferenceFault(.runtime, "\(error)")
                    }
                }
            }
            let left = try Folder.names(in: folder)
            #expect(left.count == 2 && left.contains("d"))
        }
    }

    @Test("what a killed process left half is removed once nothing has come for an hour; what is being fetched stays")
    func halves() async throws {
        try await withFolder { folder in
            for (name, age) in [(".old-1", 3700), (".new-1", 60)] {
                try Folder.create(folder + "/" + name)
                try NewFile(folder + "/" + name + "/f", replaces: false).write([1])
                let then = timespec(tv_sec: time(nil) - age, tv_nsec: 0)
                for path in ["/" + name + "/f", "/" + name] {
                    #expect(utimensat(AT_FDCWD, folder + path, [then, then], 0) == 0)
                }
            }
            _ = try await ModelCache(folder, limit: 1 << 20).entry("k") { _ in }
            #expect(Set(try Folder.names(in: folder)) == [".new-1", "k"])
        }
    }
}
