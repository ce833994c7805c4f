// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import ScriptedHTTP
import Synchronization
import Testing

@testable import TrackingClient

/// A client and the server that it talks to.
enum Scripted {
    static func with(
        prefix: String = "", credentials: TrackingClientConfiguration.Credentials? = nil,
        script: @escaping ScriptedServer.Script, _ body: (TrackingClient, ScriptedServer) async throws -> Void
    ) async throws {
        let server = try await ScriptedServer.start(script)
        var configuration = TrackingClientConfiguration(
            address: server.endpoint + prefix, credentials: credentials)
        configuration.retries.base = .milliseconds(1)
        configuration.retries.maximum = .milliseconds(4)
        configuration.connectTimeout = .seconds(60)
        let client = try TrackingClient(configuration)
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(client, server))
        } catch {
            result = .failure(error)
        }
        await client.shutdown()
        try await server.stop()
        try result.get()
    }

    static func json(_ value: JSONValue) -> ScriptedServer.Reply { .answer(200, [], value.encoded) }

    static func error(_ status: Int, _ code: String) -> ScriptedServer.Reply {
        .answer(status, [], JSONValue(dictionaryLiteral: ("error_code", .string(code)), ("message", "no")).encoded)
    }

    static func code(_ body: () async throws -> Void) async -> TrackingClientError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? TrackingClientError)?.code
        }
    }
}

@Suite("Requests of the tracking client")
struct TransportTests {
    private static let run: JSONValue = ["run": ["info": ["run_id": "r"]]]

    @Test("A call that may be repeated is, until it goes through")
    func repeats() async throws {
        try await Scripted.with { _, number in
            switch number {
            case 1: .close
            case 2: .answer(503, [("retry-after", "0")])
            case 3: Scripted.error(500, "INTERNAL_ERROR")
            case 4: .answer(429)
            default: Scripted.json(Self.run)
            }
        } _: { client, server in
            let run = try await client.run("r")
            #expect(run.id == "r")
            #expect(server.requests.count == 5)
            #expect(Set(server.requests.map(\.target)) == ["/api/2.0/mlflow/runs/get?run_id=r"])
        }
    }

    @Test("A call that would be done twice is sent again only where nothing was done")
    func doubles() async throws {
        for (first, count) in [
            (ScriptedServer.Reply.close, 1), (.answer(500), 1), (.answer(503), 2), (.answer(429), 2),
        ] {
            try await Scripted.with { _, number in
                number == 1 ? first : Scripted.json(Self.run)
            } _: { client, server in
                let code = await Scripted.code { _ = try await client.createRun(experiment: "0", start: 1) }
                #expect((code == nil) == (count == 2))
                #expect(server.requests.count == count)
            }
        }
    }

    @Test("What is wrong is told at once, in MLflow's words")
    func refusals() async throws {
        try await Scripted.with { _, _ in
            Scripted.error(404, "RESOURCE_DOES_NOT_EXIST")
        } _: { client, server in
            #expect(await Scripted.code { _ = try await client.run("r") } == .notFound)
            let (experiment, model) = (try await client.experiment(named: "x"), try await client.registeredModel("x"))
            #expect(experiment == nil && model == nil)
            #expect(server.requests.count == 3)
        }
        try await Scripted.with { _, _ in
            .answer(200, [], Array("<html>".utf8))
        } _: { client, _ in
            #expect(await Scripted.code { _ = try await client.run("r") } == .badAnswer)
        }
    }

    @Test("An experiment that another client makes at the same time is the one")
    func races() async throws {
        try await Scripted.with { request, number in
            if request.method == "POST" { return Scripted.error(400, "RESOURCE_ALREADY_EXISTS") }
            return number == 1
                ? Scripted.error(404, "RESOURCE_DOES_NOT_EXIST")
                : Scripted.json(["experiment": ["experiment_id": "7", "name": "x"]])
        } _: { client, _ in
            let experiment = try await client.ensureExperiment("x")
            #expect(experiment.id == "7")
        }
    }

    @Test("A proxy's path and the credentials are in each request")
    func prefix() async throws {
        try await Scripted.with(prefix: "/ml/", credentials: .token("abc")) { _, _ in
            Scripted.json(Self.run)
        } _: {
            client, server in
            _ = try await client.run("a b")
            #expect(server.requests.first?.target == "/ml/api/2.0/mlflow/runs/get?run_id=a%20b")
            #expect(server.requests.first?.header("authorization") == "Bearer abc")
        }
    }

    // MARK: Files

    private static func folder() throws -> String {
        let folder = NSTemporaryDirectory() + "apus-tracking-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return folder
    }

    @Test("A file is sent as it is read, and again from its beginning", arguments: [0, 1, (3 << 20) + 5])
    func uploads(size: Int) async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try Data(bytes).write(to: URL(fileURLWithPath: folder + "/a"))
        try await Scripted.with { _, number in
            number == 1 ? .close : Scripted.json([:])
        } _: { client, server in
            try await client.upload(file: folder + "/a", to: try ArtifactPlace(uri: "mlflow-artifacts:/1/x/ä"))
            let last = try #require(server.requests.last)
            #expect(last.method == "PUT" && last.target == "/api/2.0/mlflow-artifacts/artifacts/1/x/%C3%A4")
            #expect(last.body == bytes && last.header("content-length") == "\(size)")
            #expect(server.requests.count == 2)
            let code = await Scripted.code {
                try await client.upload(file: folder + "/none", to: try ArtifactPlace(uri: "mlflow-artifacts:/1/x"))
            }
            #expect(code == .file && server.requests.count == 2)
        }
    }

    @Test("A file that comes is there whole or not at all")
    func downloads() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let place = try ArtifactPlace(uri: "mlflow-artifacts:/1/x")
        try await Scripted.with { _, number in
            number == 1 ? .cut(200, [], bytes, after: 300_000) : .answer(200, [], bytes)
        } _: { client, server in
            try await client.download(place, to: folder + "/a")
            #expect(FileManager.default.contents(atPath: folder + "/a").map(Array.init) == bytes)
            #expect(server.requests.count == 2)
            let found = try await client.download(place, limit: bytes.count)
            #expect(found == bytes)
            #expect(await Scripted.code { _ = try await client.download(place, limit: 10) } == .badAnswer)
        }
        try await Scripted.with { _, _ in
            .answer(404)
        } _: { client, _ in
            #expect(await Scripted.code { try await client.download(place, to: folder + "/b") } == .noSuchEndpoint)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a"])
    }
}

@Suite("Logging to a run")
struct RunLoggerTests {
    /// What a server has taken.
    private final class Taken: Sendable {
        let points = Mutex<[String]>([])
        let ends = Mutex<[String]>([])

        /// Takes a request, but for batches with a metric of the name `bad`.
        func reply(_ request: ScriptedServer.Request) -> ScriptedServer.Reply {
            let body = (try? JSONParser.parse(request.body)) ?? .null
            if request.path.hasSuffix("/runs/update") {
                ends.withLock { $0.append(body["status"].string ?? "") }
                return Scripted.json([:])
            }
            let names = body["metrics"].elements.map { "\($0["key"].string ?? "")\($0["step"].int ?? -1)" }
            if names.contains("bad0") { return Scripted.error(400, "INVALID_PARAMETER_VALUE") }
            points.withLock { $0 += names }
            return Scripted.json([:])
        }
    }

    private struct Fault: Error {}

    private static func settings(_ change: (inout RunLogger.Configuration) -> Void = { _ in })
        -> RunLogger.Configuration
    {
        var configuration = RunLogger.Configuration()
        configuration.interval = .milliseconds(2)
        configuration.systemInterval = nil
        change(&configuration)
        return configuration
    }

    @Test("All arrives though the server fails at first, and the run is finished after that")
    func arrives() async throws {
        let taken = Taken()
        try await Scripted.with { request, number in
            switch number {
            case 1: .close
            case 2: .answer(503)
            case 3: .answer(500)
            default: taken.reply(request)
            }
        } _: { client, server in
            let (value, report) = try await RunLogger.log(to: "r", of: client, configuration: Self.settings()) { log in
                log.param("p", "v")
                for step in 0..<2500 { log.metric("m", 1, step: Int64(step)) }
                _ = await log.flush()
                log.metric("last", 1)
                return 7
            }
            #expect(value == 7 && report.isWhole && report.counts.sent == 2502 && report.counts.merged == 0)
            #expect(taken.points.withLock { $0 } == (0..<2500).map { "m\($0)" } + ["last0"])
            #expect(taken.ends.withLock { $0 } == ["FINISHED"])
            #expect(server.requests.last?.path.hasSuffix("/runs/update") == true)
        }
    }

    @Test("What is refused is lost alone, counted and told")
    func refuses() async throws {
        let taken = Taken()
        try await Scripted.with { request, _ in
            taken.reply(request)
        } _: { client, _ in
            let (_, report) = try await RunLogger.log(to: "r", of: client, configuration: Self.settings()) { log in
                for step in 0..<10 { log.metric(step == 4 ? "bad" : "m", 1, step: step == 4 ? 0 : Int64(step)) }
                #expect(await log.flush())
            }
            #expect(!report.isWhole && report.counts == LogBuffer.Counts(sent: 9, merged: 0, dropped: 1))
            #expect(report.fault?.code == .invalid && report.description.contains("1 lost"))
        }
    }

    @Test("A run that fails or is cancelled ends as such, and what was said is there")
    func ends() async throws {
        let taken = Taken()
        try await Scripted.with { request, _ in
            taken.reply(request)
        } _: { client, _ in
            await #expect(throws: Fault.self) {
                _ = try await RunLogger.log(to: "r", of: client, configuration: Self.settings()) { log in
                    log.metric("m", 1, step: 1)
                    throw Fault()
                }
            }
            let task = Task {
                _ = try await RunLogger.log(to: "r", of: client, configuration: Self.settings()) { log in
                    log.metric("m", 1, step: 2)
                    try await Task.sleep(for: .seconds(3600))
                }
            }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            #expect(taken.ends.withLock { $0 } == ["FAILED", "KILLED"])
            #expect(taken.points.withLock { $0 } == ["m1", "m2"])
        }
    }

    @Test("A server that never comes costs no more than the patience, and what is lost is counted")
    func givesUp() async throws {
        let report = Mutex<RunLogger.Report?>(nil)
        try await Scripted.with { request, _ in
            request.path.hasSuffix("/runs/update") ? Scripted.json([:]) : .close
        } _: { client, _ in
            let settings = Self.settings { $0.patience = .milliseconds(20) }
            let (_, last) = try await RunLogger.log(to: "r", of: client, configuration: settings) { log in
                for step in 0..<50 { log.metric("m", 1, step: Int64(step)) }
            }
            report.withLock { $0 = last }
        }
        #expect(report.withLock { $0?.counts } == LogBuffer.Counts(sent: 0, merged: 0, dropped: 50))
    }

    @Test("The machine and the process are measured, also in a short run")
    func system() async throws {
        let taken = Taken()
        try await Scripted.with { request, _ in
            taken.reply(request)
        } _: { client, _ in
            let settings = Self.settings { $0.systemInterval = .milliseconds(20) }
            _ = try await RunLogger.log(to: "r", of: client, configuration: settings) { log in
                while !taken.points.withLock({ $0.contains("system/cpu_utilization_percentage1") }) {
                    await log.flush()
                    await Task.yield()
                }
            }
            let names = taken.points.withLock { Set($0) }
            #expect(
                names.isSuperset(of: [
                    "system/system_memory_usage_megabytes0", "system/process_memory_usage_megabytes1",
                ]))
        }
    }
}
