// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import InferenceEngine
package import InferenceProtocol
import NIOCore

/// What the methods of `inference.GRPCInferenceService` do, whatever carries their messages.
package struct GRPCCalls: Sendable {
    package var catalog: any ModelCatalog
    package var reports: any ModelReports
    /// Nil: models come and go only as the server was told at its start.
    package var control: (any RepositoryControl)?
    package var settings: ServerSettings
    package var sink: (any PayloadSink)?
    package var limits: RequestLimits
    /// `name`, `version` and `extensions`, as `GET /v2` answers.
    package var description: JSONValue

    package init(
        catalog: any ModelCatalog, reports: any ModelReports, control: (any RepositoryControl)? = nil,
        settings: ServerSettings = ServerSettings(), sink: (any PayloadSink)? = nil,
        limits: RequestLimits = RequestLimits(), description: JSONValue
    ) {
        self.catalog = catalog
        self.reports = reports
        self.control = control
        self.settings = settings
        self.sink = sink
        self.limits = limits
        self.description = description
    }

    /// What a call brought besides its message.
    struct Context: Sendable {
        var deadline: ContinuousClock.Instant?
        /// For payload events.
        var eventID: String?
        /// Whether the answer is one of `ModelStreamInfer`.
        var isStream = false
    }

    typealias Done = @Sendable (Result<ByteBuffer, GRPCStatus>) -> Void

    /// Answers a `ModelInferRequest`.
    /// - Parameters:
    ///   - message: its bytes.
    ///   - context: of the call.
    ///   - done: is called exactly once, perhaps before this returns. For a stream, what is wrong is an answer, too.
    /// - Returns: what ends the wait, unless there is an answer already.
    func infer(_ message: ByteBuffer, _ context: Context, _ done: @escaping Done) -> Ticket? {
        let limits = limits
        let request: InferenceRequest
        let parsed = message.withUnsafeReadableBytes { bytes in
            Result { () throws(InferenceFault) in try InferMessages.modelInferRequest(bytes, limits: limits) }
        }
        switch parsed {
        case .success(let value): request = value
        case .failure(let fault):
            finish(.failure(fault), id: "", raw: false, context, done)
            return nil
        }
        let isRaw: Bool
        if case .rawMessages = request.form { isRaw = true } else { isRaw = false }
        let event = sink.map { _ in PayloadTrail(context.eventID, request) }
        if let event { sink?.offer(event.event(message, isRequest: true)) }
        let (id, sink) = (request.id, sink)
        let model: any AnsweringModel
        do {
            model = try catalog.find(request.model, request.version)
        } catch {
            finish(.failure(error), id: id, raw: isRaw, context, done)
            return nil
        }
        return model.submit(request, deadline: Self.earlier(context.deadline, request.timeout)) { result in
            finish(result, id: id, raw: isRaw, context) { answer in
                if let event, let sink, case .success(let bytes) = answer {
                    sink.offer(event.event(bytes, isRequest: false))
                }
                done(answer)
            }
        }
    }

    private static func earlier(
        _ deadline: ContinuousClock.Instant?, _ timeout: Duration?
    ) -> ContinuousClock.Instant? {
        guard let timeout else { return deadline }
        let own = ContinuousClock.now + timeout
        return deadline.map { min($0, own) } ?? own
    }

    private func finish(
        _ result: Result<InferenceResponse, InferenceFault>, id: String, raw: Bool, _ context: Context,
        _ done: Done
    ) {
        var buffer = ByteBuffer()
        if context.isStream {
            // Models here give one answer a request, which is the last.
            let marked = result.map { response in
                var response = response
                response.parameters["triton_final_response"] = .bool(true)
                return response
            }
            InferMessages.writeStream(marked, id: id, raw: raw, into: &buffer)
            return done(.success(buffer))
        }
        switch result {
        case .success(let response):
            InferMessages.write(response, raw: raw, into: &buffer)
            done(.success(buffer))
        case .failure(let fault): done(.failure(GRPCStatus(fault)))
        }
    }
}

/// What the events of a request and its answer have in common.
private struct PayloadTrail: Sendable {
    let id: String
    let model: String

    init(_ eventID: String?, _ request: InferenceRequest) {
        id = eventID ?? (request.id.isEmpty ? RandomID.uuid() : request.id)
        model = request.model
    }

    func event(_ bytes: ByteBuffer, isRequest: Bool) -> PayloadEvent {
        PayloadEvent(
            id: id, isRequest: isRequest, contentType: "application/protobuf", body: bytes, model: model, time: .now())
    }
}
