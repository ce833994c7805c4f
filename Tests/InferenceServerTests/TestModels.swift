// SPDX-License-Identifier: Apache-2.0
import InferenceEngine
import InferenceProtocol
import Logging
import NIOCore
import NIOEmbedded
import Synchronization

@testable import InferenceServer

/// A model that is a function, run where it is asked.
final class FunctionModel: AnsweringModel {
    let name: String
    let version = "1"
    let signature: ModelSignature
    let config = ModelConfig()
    let statistics = ModelStatistics()
    private let function: @Sendable (InferenceRequest) throws(InferenceFault) -> [Tensor]

    init(
        _ name: String, _ signature: ModelSignature,
        _ function: @escaping @Sendable (InferenceRequest) throws(InferenceFault) -> [Tensor]
    ) {
        self.name = name
        self.signature = signature
        self.function = function
    }

    func submit(
        _ request: InferenceRequest, deadline: ContinuousClock.Instant?,
        _ done: @escaping @Sendable (Result<InferenceResponse, InferenceFault>) -> Void
    ) -> Ticket {
        do throws(InferenceFault) {
            try signature.check(request)
            let all = try function(request)
            let outputs =
                request.outputs.isEmpty
                ? all : request.outputs.compactMap { wish in all.first { $0.name == wish.name } }
            done(.success(InferenceResponse(model: name, version: version, id: request.id, outputs: outputs)))
        } catch {
            done(.failure(error))
        }
        return Ticket {}
    }
}

/// A model that answers when the test says so.
final class AwaitedModel: AnsweringModel {
    struct State {
        var request: InferenceRequest?
        var done: (@Sendable (Result<InferenceResponse, InferenceFault>) -> Void)?
        var isCancelled = false
    }

    let name = "waiting"
    let version = "1"
    let signature = TestModels.addSignature
    let config = ModelConfig()
    let statistics = ModelStatistics()
    let state = Mutex(State())

    func submit(
        _ request: InferenceRequest, deadline: ContinuousClock.Instant?,
        _ done: @escaping @Sendable (Result<InferenceResponse, InferenceFault>) -> Void
    ) -> Ticket {
        state.withLock { ($0.request, $0.done) = (request, done) }
        return Ticket { self.state.withLock { $0.isCancelled = true } }
    }

    func answer(_ fault: InferenceFault? = nil) {
        let done = state.withLock { $0.done }
        done?(fault.map { .failure($0) } ?? .success(InferenceResponse(model: name, version: "1", id: "", outputs: [])))
    }
}

/// The models of the captures of a real Triton: `add` (X FP32 [-1,4], at most 8 rows, to Y = X + 1 and S, the rows'
/// sums) and `text` (I BYTES [-1] to O, the same).
struct TestModels: ModelCatalog, RepositoryControl {
    static let addSignature = ModelSignature(
        platform: "test", inputs: [TensorSpec(name: "X", type: .fp32, shape: [-1, 4])],
        outputs: [
            TensorSpec(name: "Y", type: .fp32, shape: [-1, 4]), TensorSpec(name: "S", type: .fp32, shape: [-1, 1]),
        ],
        maximumBatch: 8)

    static let add = FunctionModel("add", addSignature) { request throws(InferenceFault) in
        let input = request.inputs[0]
        let values = input.withBytes { Array($0.bindMemory(to: Float.self)) }
        if values.first == -13 { throw InferenceFault(.runtime, "the model failed") }
        if values.first == -14 { throw InferenceFault(.tooMany, "the queue is full", retryAfter: .milliseconds(1500)) }
        var sums: [Float] = []
        for row in 0..<input.shape[0] { sums.append(values[row * 4..<row * 4 + 4].reduce(0, +)) }
        return [
            tensor("Y", input.shape, values.map { $0 + 1 }), tensor("S", [input.shape[0], 1], sums),
        ]
    }

    static let text = FunctionModel(
        "text",
        ModelSignature(
            platform: "test", inputs: [TensorSpec(name: "I", type: .bytes, shape: [-1])],
            outputs: [TensorSpec(name: "O", type: .bytes, shape: [-1])], maximumBatch: 0)
    ) { request throws(InferenceFault) in
        var output = request.inputs[0]
        output.name = "O"
        return [output]
    }

    static func tensor(_ name: String, _ shape: [Int], _ values: [Float]) -> Tensor {
        Tensor(
            name: name, type: .fp32, shape: shape, storage: values.withUnsafeBytes { TensorStorage(copying: $0) })
    }

    let waiting = AwaitedModel()
    let isReady = true

    func find(_ name: some StringProtocol, _ version: String?) throws(InferenceFault) -> any AnsweringModel {
        guard version == nil || version == "1" else {
            throw InferenceFault(
                .notFound, "Request for unknown model: '\(name)' version \(version ?? "") is not found")
        }
        switch name {
        case "add": return Self.add
        case "text": return Self.text
        case "waiting": return waiting
        case "loading": throw InferenceFault(.notReady, "model 'loading' is loading")
        default: throw InferenceFault(.notFound, "Request for unknown model: '\(name)' is not found")
        }
    }

    func index(readyOnly: Bool) -> [IndexEntry] {
        let ready = [
            IndexEntry(name: "add", version: "1", state: .ready), IndexEntry(name: "text", version: "1", state: .ready),
        ]
        return readyOnly ? ready : ready + [IndexEntry(name: "loading", version: "1", state: .loading, reason: "soon")]
    }

    func versions(_ name: String) -> [String] { ["add", "text"].contains(name) ? ["1"] : [] }

    func load(_ name: String, parameters: [String: ParameterValue]) async throws(InferenceFault) {
        guard name == "add" else { throw InferenceFault(.notFound, "failed to load '\(name)'") }
    }

    func unload(_ name: String, dependents: Bool) async throws(InferenceFault) {}
}

/// A connection to the REST server without a socket.
struct TestConnection {
    let models = TestModels()
    let channel = EmbeddedChannel()
    let service: RESTService

    init(_ change: (inout InferenceServerConfiguration) -> Void = { _ in }) throws {
        var configuration = InferenceServerConfiguration()
        change(&configuration)
        service = Self.service(models, configuration)
        try service.setUp(channel)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    private static func service(_ models: TestModels, _ configuration: InferenceServerConfiguration) -> RESTService {
        var parts = InferenceServer.Parts(catalog: models)
        parts.control = models
        return RESTService(parts, configuration: configuration, logger: Logger(label: "test"))
    }

    /// Sends bytes as they are; errors of the parser are answered, not thrown.
    func send(_ bytes: some Sequence<UInt8>) {
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
        channel.embeddedEventLoop.run()
    }

    func send(_ text: String) { send(text.utf8) }

    func received() -> String { String(decoding: receivedBytes(), as: UTF8.self) }

    func receivedBytes() -> [UInt8] {
        var all: [UInt8] = []
        while let bytes = try? channel.readOutbound(as: ByteBuffer.self) { all += Array(buffer: bytes) }
        return all
    }

    /// One request and its answer.
    func ask(
        _ method: String, _ path: String, _ headers: [(String, String)] = [], _ body: [UInt8] = []
    ) -> (status: Int, headers: [String: String], body: [UInt8]) {
        send(Self.request(method, path, headers, body))
        return Self.parse(receivedBytes())
    }

    private static func request(
        _ method: String, _ path: String, _ headers: [(String, String)], _ body: [UInt8]
    ) -> [UInt8] {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: test\r\nContent-Length: \(body.count)\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        return Array((head + "\r\n").utf8) + body
    }

    /// The same on a loop with a thread of its own: an embedded one breaks when other threads end what it began.
    static func askThreaded(
        _ method: String, _ path: String, _ body: [UInt8] = []
    ) async throws -> (status: Int, headers: [String: String], body: [UInt8]) {
        let service = service(TestModels(), InferenceServerConfiguration())
        let channel = NIOAsyncTestingChannel()
        try await channel.testingEventLoop.executeInContext { try service.setUp(channel) }
        try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).get()
        try await channel.writeInbound(ByteBuffer(bytes: request(method, path, [], body)))
        var bytes: [UInt8] = []
        var answer = parse(bytes)
        while answer.status == 0 || answer.headers["content-length"] != "\(answer.body.count)" {
            if let part = try await channel.readOutbound(as: ByteBuffer.self) {
                bytes += Array(buffer: part)
                answer = parse(bytes)
            } else {
                try await Task.sleep(for: .milliseconds(1))
            }
        }
        _ = try? await channel.finish(acceptAlreadyClosed: true)
        return answer
    }

    static func parse(_ bytes: [UInt8]) -> (status: Int, headers: [String: String], body: [UInt8]) {
        guard let end = (0..<max(0, bytes.count - 3)).first(where: { Array(bytes[$0..<$0 + 4]) == [13, 10, 13, 10] })
        else {
            return (0, [:], [])
        }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts[1].drop { $0 == " " }.description
        }
        return (Int(lines[0].split(separator: " ")[1]) ?? 0, headers, Array(bytes[(end + 4)...]))
    }
}
