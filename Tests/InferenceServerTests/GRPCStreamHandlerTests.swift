// SPDX-License-Identifier: Apache-2.0
import ApusCore
import HTTP2Streams
import InferenceEngine
import InferenceProtocol
import Logging
import NIOCore
import NIOEmbedded
import NIOHPACK
import NIOHTTP2
import Synchronization
import Testing

@testable import InferenceServer

/// A model whose answers come when the test says.
private final class HeldModel: AnsweringModel, ModelCatalog, ModelReports {
    typealias Done = @Sendable (Result<InferenceResponse, InferenceFault>) -> Void

    let name = "m"
    let version = "1"
    let signature = ModelSignature(platform: "test", inputs: [], outputs: [], maximumBatch: 0)
    let config = ModelConfig()
    let statistics = ModelStatistics()
    let isReady = true
    let isQuick: Bool
    let waiting = Mutex<[(InferenceRequest, Done)]>([])
    let cancelled = Atomic(0)

    init(isQuick: Bool) { self.isQuick = isQuick }

    func submit(_ request: InferenceRequest, deadline: ContinuousClock.Instant?, _ done: @escaping Done) -> Ticket {
        if isQuick {
            done(.success(Self.answer(request)))
        } else {
            waiting.withLock { $0.append((request, done)) }
        }
        return Ticket { _ = self.cancelled.add(1, ordering: .relaxed) }
    }

    static func answer(_ request: InferenceRequest) -> InferenceResponse {
        InferenceResponse(model: "m", version: "1", id: request.id, outputs: request.inputs)
    }

    func find(_ name: some StringProtocol, _ version: String?) throws(InferenceFault) -> any AnsweringModel {
        guard name == "m" else { throw InferenceFault(.notFound, "no model \(name)") }
        return self
    }

    func index(readyOnly: Bool) -> [IndexEntry] { [] }
    func versions(_ name: String) -> [String] { ["1"] }
    func config(_ name: String, _ version: String?) throws(InferenceFault) -> JSONValue { ["name": .string(name)] }
    func statistics(_ name: String?, _ version: String?) throws(InferenceFault) -> [JSONValue] { [] }
}

/// What a call sends.
private final class RecordedStream: GRPCStream {
    var isWritable = true
    var sent: [(headers: HPACKHeaders?, body: ByteBuffer?, isLast: Bool)] = []
    var isReading = true
    var reset: HTTP2ErrorCode?

    func send(_ headers: HPACKHeaders, isLast: Bool) { sent.append((headers, nil, isLast)) }
    func send(_ body: ByteBuffer, isLast: Bool) { sent.append((nil, body, isLast)) }
    func flush() {}
    func setReading(_ isReading: Bool) { self.isReading = isReading }
    func reset(_ code: HTTP2ErrorCode) { reset = code }
}

@Suite struct GRPCStreamHandlerTests {
    /// A call on a stream of its own.
    private struct Call {
        let stream = RecordedStream()
        let handler: GRPCStreamHandler
        let loop = EmbeddedEventLoop()
        let server: GRPCServerContext

        init(_ model: HeldModel, configure: (inout GRPCConfiguration, inout RequestLimits) -> Void = { _, _ in })
            throws
        {
            var configuration = GRPCConfiguration(host: "", port: 0)
            var limits = RequestLimits()
            configure(&configuration, &limits)
            let calls = GRPCCalls(catalog: model, reports: model, limits: limits, description: ["name": "apus"])
            server = GRPCServerContext(calls, configuration, Logger(label: "test"))
            handler = GRPCStreamHandler(server, stream, on: loop)
        }

        func begin(_ method: String, _ more: [(String, String)] = []) {
            var headers: HPACKHeaders = [
                ":method": "POST", ":path": "/inference.GRPCInferenceService/\(method)",
                "content-type": "application/grpc",
            ]
            for (name, value) in more { headers.add(name: name, value: value) }
            handler.received(headers, isLast: false)
            handler.receivedAll()
        }

        func send(_ bytes: [UInt8], isEnd: Bool) {
            handler.received(ByteBuffer(bytes: bytes), isLast: isEnd)
            handler.receivedAll()
        }

        func setWritable(_ isWritable: Bool) {
            stream.isWritable = isWritable
            handler.writabilityChanged(isWritable)
        }

        /// What was sent: the messages, and the last headers with the status.
        func answers() throws -> (messages: [[UInt8]], status: String?, text: String?) {
            var framing = GRPCFraming(limit: 1 << 20)
            var messages: [[UInt8]] = []
            var last: HPACKHeaders?
            for (headers, body, isLast) in stream.sent {
                if isLast { last = headers }
                if var body { framing.add(&body) }
                while let message = try framing.next() { messages.append(Array(message.bytes.readableBytesView)) }
            }
            stream.sent = []
            return (messages, last?.first(name: "grpc-status"), last?.first(name: "grpc-message"))
        }
    }

    private func framed(_ message: [UInt8]) -> [UInt8] {
        var bytes = ByteBuffer(bytes: message)
        return Array(GRPCFraming.frame(&bytes).readableBytesView)
    }

    /// To the model `m`, with this id.
    private func request(_ id: String, model: String = "m") -> [UInt8] {
        let texts = [(1, model), (3, id)]
        return framed(texts.flatMap { [UInt8($0.0 << 3 | 2), UInt8($0.1.utf8.count)] + Array($0.1.utf8) })
    }

    @Test func aQuickModelAnswersAtOnce() throws {
        let call = try Call(HeldModel(isQuick: true))
        call.begin("ModelInfer")
        let bytes = request("7")
        call.send(Array(bytes.prefix(3)), isEnd: false)
        #expect(try call.answers().status == nil)
        call.send(Array(bytes.dropFirst(3)), isEnd: true)
        let answer = try call.answers()
        #expect(answer.status == "0" && answer.messages == [[10, 1, 109, 18, 1, 49, 26, 1, 55]])
    }

    @Test func aDeadlineEndsTheCallAndTheWait() throws {
        let model = HeldModel(isQuick: false)
        let call = try Call(model)
        call.begin("ModelInfer", [("grpc-timeout", "100m")])
        call.send(request("7"), isEnd: true)
        call.loop.advanceTime(by: .milliseconds(99))
        #expect(try call.answers().status == nil)
        call.loop.advanceTime(by: .milliseconds(1))
        #expect(try call.answers().status == "4")
        #expect(model.cancelled.load(ordering: .relaxed) == 1)
        // The answer that comes all the same is not sent.
        let (request, done) = try #require(model.waiting.withLock { $0.first })
        done(.success(HeldModel.answer(request)))
        call.loop.run()
        #expect(try call.answers().messages.isEmpty)
    }

    @Test func aClientThatGoesEndsTheWait() throws {
        let model = HeldModel(isQuick: false)
        let call = try Call(model)
        call.begin("ModelInfer")
        call.send(request("7"), isEnd: true)
        call.handler.closed(.reset(.cancel))
        #expect(model.cancelled.load(ordering: .relaxed) == 1)
    }

    @Test func aMessageThatDoesNotComeIsNotWaitedForForEver() throws {
        let call = try Call(HeldModel(isQuick: true))
        call.begin("ModelInfer")
        call.send([0, 0, 0], isEnd: false)
        call.loop.advanceTime(by: GRPCLimits.upload)
        #expect(try call.answers().status == "4")
    }

    @Test func aClientThatDoesNotReadIsGivenUp() throws {
        let model = HeldModel(isQuick: false)
        let call = try Call(model)
        call.begin("ModelStreamInfer")
        call.send(request("7"), isEnd: false)
        #expect(call.stream.isReading)
        call.setWritable(false)
        #expect(!call.stream.isReading)
        call.loop.advanceTime(by: GRPCLimits.stall - .seconds(1))
        call.setWritable(true)
        #expect(call.stream.isReading)
        call.loop.advanceTime(by: GRPCLimits.stall)
        #expect(call.stream.reset == nil)
        call.setWritable(false)
        // Of a call that is ended it is not said that there is room again.
        call.stream.isWritable = true
        call.loop.advanceTime(by: GRPCLimits.stall)
        #expect(call.stream.reset == nil)
        call.setWritable(false)
        call.loop.advanceTime(by: GRPCLimits.stall)
        #expect(call.stream.reset == .cancel)
        #expect(model.cancelled.load(ordering: .relaxed) == 1)
    }

    @Test func streamsAnswerInTheOrderOfTheirAnswers() throws {
        let model = HeldModel(isQuick: false)
        let call = try Call(model)
        call.begin("ModelStreamInfer")
        call.send(request("a") + request("b") + request("c", model: "none"), isEnd: true)
        let waiting = model.waiting.withLock { $0 }
        #expect(waiting.count == 2)
        for (request, done) in waiting.reversed() { done(.success(HeldModel.answer(request))) }
        call.loop.run()
        let answer = try call.answers()
        #expect(answer.status == "0" && answer.messages.count == 3)
        let texts = answer.messages.map { String(decoding: $0, as: UTF8.self) }
        #expect(texts[0].contains("no model none") && texts[1].contains("b") && texts[2].contains("a"))
        #expect(texts[1].contains("triton_final_response"))
    }

    static let wrong: [(String, [UInt8], String)] = [
        ("ModelInfer", [], "13"), ("ModelInfer", [0, 0, 0, 0, 9, 1], "13"), ("ModelInfer", [1, 0, 0, 0, 0], "13"),
        ("ModelInfer", [2, 0, 0, 0, 0], "13"), ("ModelInfer", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "12"),
        ("ModelInfer", [0, 0xFF, 0xFF, 0xFF, 0xFF], "8"), ("ModelInfer", [0, 0, 0, 0, 1, 0xFF], "3"),
        ("ModelInfer", [0, 0, 0, 0, 0], "5"), ("Nothing", [0, 0, 0, 0, 0], "12"),
        ("SystemSharedMemoryRegister", [0, 0, 0, 0, 0], "12"),
    ]

    @Test(arguments: wrong) func wrongCallsHaveAStatus(_ method: String, _ bytes: [UInt8], _ status: String) throws {
        let call = try Call(HeldModel(isQuick: true))
        call.begin(method)
        call.send(bytes, isEnd: true)
        #expect(try call.answers().status == status)
    }

    @Test func uploadsOfAllCallsAreBounded() throws {
        let call = try Call(HeldModel(isQuick: true)) { configuration, _ in configuration.uploadBytes = 100 }
        call.begin("ModelInfer")
        call.send([0, 0, 0, 1, 0] + .init(repeating: 0, count: 95), isEnd: false)
        #expect(try call.answers().status == nil)
        call.send(.init(repeating: 0, count: 10), isEnd: false)
        #expect(try call.answers().status == "8")
        #expect(call.server.budget.take(100))
    }
}
