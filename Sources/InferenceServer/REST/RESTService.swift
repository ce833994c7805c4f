// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceEngine
import InferenceProtocol
import Logging
import NIOCore
import NIOHTTP1
import ServiceHTTP
import Synchronization

/// What all connections of REST share: the models, the limits, the counts.
final class RESTService: Sendable {
    /// The configuration's patience, in NIO's amounts.
    struct Patience {
        let idle: TimeAmount
        let head: TimeAmount
        let body: TimeAmount
        let answer: TimeAmount
        /// How often connections look at their deadlines.
        let interval: TimeAmount

        init(_ configuration: InferenceServerConfiguration) {
            idle = TimeAmount(configuration.idlePatience)
            head = TimeAmount(configuration.headPatience)
            body = TimeAmount(configuration.bodyPatience)
            answer = TimeAmount(configuration.answerPatience)
            interval = max(.milliseconds(20), .nanoseconds(min(idle, head, body, answer).nanoseconds / 4))
        }
    }

    let catalog: any ModelCatalog
    let control: (any RepositoryControl)?
    let sink: (any PayloadSink)?
    let tokens: AccessTokens?
    let configuration: InferenceServerConfiguration
    let patience: Patience
    let metrics: RESTMetrics
    let metricsText: @Sendable () async -> String
    let settings: ServerSettings
    let logger: Logger

    init(
        _ parts: InferenceServer.Parts, configuration: InferenceServerConfiguration, logger: Logger
    ) {
        catalog = parts.catalog
        control = parts.control
        sink = parts.sink
        tokens = parts.tokens
        settings = parts.settings
        self.configuration = configuration
        patience = Patience(configuration)
        metrics = parts.metrics
        metricsText = parts.metricsText
        self.logger = logger
    }

    // MARK: Bodies

    /// Looks at a head before its body is read.
    func admit(_ call: RESTCall) throws(RESTRefusal) {
        switch RESTRoute.parse(call.head.method, call.head.uri) {
        case .none: throw RESTRefusal(404, "there is nothing at \(call.head.uri.prefix(200)): see /openapi.json")
        case .otherMethod(let allowed):
            throw RESTRefusal(
                405, "the method \(call.head.method.rawValue.prefix(32)) is not for this path: use \(allowed)")
        case .route(let route): call.route = route
        }
        if let tokens, !tokens.isOpen, !call.isOpen {
            let words = (call.header("authorization") ?? "").split(separator: " ", maxSplits: 1)
            guard words.count == 2, words[0].lowercased() == "bearer", tokens.holder(of: words[1]) != nil else {
                throw RESTRefusal(401, "a token is needed: send it as Authorization: Bearer TOKEN")
            }
        }
        if let coding = call.header("content-encoding") { call.contentCoding = try BodyCoding.of(coding) }
    }

    /// Takes a part of a body.
    /// - Throws: `413` for more than one body may have, `503` for more than all may have.
    func take(_ bytes: ByteBuffer, _ call: RESTCall) throws(RESTRefusal) {
        let count = bytes.readableBytes
        let limit = configuration.limits.bodyBytes
        guard (call.body?.readableBytes ?? 0) + count <= limit else {
            throw RESTRefusal(413, "the body has more than the \(limit) bytes that are taken")
        }
        let all = metrics.bodyBytes.add(count, ordering: .relaxed).newValue
        call.counted += count
        guard all <= configuration.memoryBytes else {
            throw RESTRefusal(503, "the bodies of other requests fill the server's memory: try again")
        }
        guard call.body != nil else {
            call.body = bytes
            return
        }
        // What was declared is not yet there: its memory comes with it.
        if let length = call.length, let held = call.body?.readableBytes, held + count <= length {
            call.body?.reserveCapacity(minimumWritableBytes: min(length - held, max(count, min(held * 4, 8 << 20))))
        }
        var bytes = bytes
        call.body?.writeBuffer(&bytes)
    }

    /// The call's body is not in memory any more.
    func release(_ call: RESTCall) {
        guard call.counted > 0 else { return }
        metrics.bodyBytes.subtract(call.counted, ordering: .relaxed)
        call.counted = 0
        call.body = nil
    }

    /// Counts an answer.
    func count(_ call: RESTCall, _ status: Int) {
        guard let asked = call.asked, let answered = call.answered else { return metrics.answered(status) }
        let total = UInt64(max(0, (NIODeadline.now() - call.begun).nanoseconds))
        let model = UInt64(max(0, (answered - asked).nanoseconds))
        metrics.inferred(status, RESTMetrics.Times(total: total, own: total - min(total, model)))
    }

    // MARK: Answers

    /// Answers a request, now or later, by the connection's `send`.
    func answer(_ call: RESTCall, _ connection: RESTConnection, _ context: ChannelHandlerContext) {
        guard let route = call.route else { return connection.send(RESTRefusal(404, "no route").answer, for: call) }
        if let form = InferenceForm(route, call, catalog) { return infer(form, call, connection, context) }
        switch route {
        case .load(let name):
            control(call, connection, context) { body throws(InferenceFault) in try await self.load(name, body) }
        case .unload(let name):
            control(call, connection, context) { body throws(InferenceFault) in try await self.unload(name, body) }
        case .metrics:
            later(call, connection, context) {
                let text = await self.metricsText()
                return RESTAnswer(contentType: "text/plain; version=0.0.4; charset=utf-8", text: text)
            }
        default:
            let body: ByteBuffer
            do throws(InferenceFault) {
                body = try plainBody(call)
            } catch {
                return connection.send(RESTAnswer(error), for: call)
            }
            connection.send(encoded(answer(route, body), call), for: call)
        }
    }

    /// The body without its compression.
    func plainBody(_ call: RESTCall) throws(InferenceFault) -> ByteBuffer {
        guard let body = call.body else { return ByteBuffer() }
        guard let coding = call.contentCoding else { return body }
        return try coding.inflate(body, limit: configuration.limits.decompressedBytes)
    }

    /// The answer, compressed where it is long and the client takes that.
    func encoded(_ answer: RESTAnswer, _ call: RESTCall) -> RESTAnswer {
        guard answer.body.readableBytes >= configuration.compressionThreshold,
            let header = call.header("accept-encoding"), let coding = BodyCoding.accepted(header)
        else { return answer }
        return answer.compressed(coding)
    }

    private func control(
        _ call: RESTCall, _ connection: RESTConnection, _ context: ChannelHandlerContext,
        _ work: @escaping @Sendable (JSONValue) async throws(InferenceFault) -> RESTAnswer
    ) {
        let body: JSONValue
        do throws(InferenceFault) {
            let bytes = try plainBody(call)
            body = bytes.readableBytes == 0 ? .object([:]) : try Self.json(bytes)
        } catch {
            return connection.send(RESTAnswer(error), for: call)
        }
        later(call, connection, context) {
            do throws(InferenceFault) { return try await work(body) } catch { return RESTAnswer(error) }
        }
    }

    /// Answers a request by work that waits.
    private func later(
        _ call: RESTCall, _ connection: RESTConnection, _ context: ChannelHandlerContext,
        _ work: @escaping @Sendable () async -> RESTAnswer
    ) {
        let bound = NIOLoopBound((connection: connection, call: call), eventLoop: context.eventLoop)
        context.eventLoop.makeFutureWithTask { await work() }.whenSuccess { answer in
            let (connection, call) = bound.value
            connection.send(self.encoded(answer, call), for: call)
        }
    }

    static func json(_ bytes: ByteBuffer) throws(InferenceFault) -> JSONValue {
        do throws(JSONError) {
            return try JSONParser.parse(bytes.readableBytesView, maxDepth: 64)
        } catch {
            throw InferenceFault(.invalid, "the body is not JSON: \(error)")
        }
    }
}

extension RESTAnswer {
    func compressed(_ coding: BodyCoding) -> RESTAnswer {
        guard let body = coding.deflate(body) else { return self }
        var answer = self
        answer.body = body
        answer.encoding = coding
        return answer
    }
}

extension RESTCall {
    /// Whether everybody may ask: probes have no token.
    var isOpen: Bool {
        switch route {
        case .live, .ready, .modelReady, .ping, .root: true
        default: false
        }
    }
}
