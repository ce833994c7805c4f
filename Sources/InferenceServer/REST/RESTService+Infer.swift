// SPDX-License-Identifier: Apache-2.0
import ApusCore
import InferenceEngine
import InferenceProtocol
import NIOCore
import NIOPosix

/// Requests that ask a model: read, checked, answered on the connection's thread, but for long bodies and slow models.
extension RESTService {
    func infer(
        _ form: InferenceForm, _ call: RESTCall, _ connection: RESTConnection, _ context: ChannelHandlerContext
    ) {
        let model: any AnsweringModel
        do throws(InferenceFault) {
            if let fault = form.fault { throw fault }
            model = try catalog.find(form.model, form.version)
        } catch {
            return connection.send(form.answer(error), for: call)
        }
        let body = call.body ?? ByteBuffer()
        let bound = NIOLoopBound((connection: connection, call: call), eventLoop: context.eventLoop)
        let loop = context.eventLoop
        guard body.readableBytes >= configuration.largeBody || call.contentCoding != nil else {
            return ask(model, Self.read(form, body, nil, model.signature, configuration.limits), form, bound, loop)
        }
        let coding = call.contentCoding
        let limits = configuration.limits
        NIOThreadPool.singleton.runIfActive(eventLoop: loop) {
            Self.read(form, body, coding, model.signature, limits)
        }.whenSuccess { self.ask(model, $0, form, bound, loop) }
    }

    /// A request, and the body that it was read from, without its compression.
    private typealias Asked = (request: InferenceRequest, body: ByteBuffer)

    private static func read(
        _ form: InferenceForm, _ body: ByteBuffer, _ coding: BodyCoding?, _ signature: ModelSignature,
        _ limits: RequestLimits
    ) -> Result<Asked, InferenceFault> {
        do throws(InferenceFault) {
            let plain = try coding?.inflate(body, limit: limits.decompressedBytes) ?? body
            return plain.withUnsafeReadableBytes { bytes in
                do throws(InferenceFault) {
                    return .success((try form.request(bytes, signature, limits), plain))
                } catch {
                    return .failure(error)
                }
            }
        } catch {
            return .failure(error)
        }
    }

    private func ask(
        _ model: any AnsweringModel, _ result: Result<Asked, InferenceFault>, _ form: InferenceForm,
        _ bound: NIOLoopBound<(connection: RESTConnection, call: RESTCall)>, _ loop: any EventLoop
    ) {
        let (connection, call) = bound.value
        let request: InferenceRequest
        let body: ByteBuffer
        do throws(InferenceFault) {
            (request, body) = try result.get()
        } catch {
            return connection.send(form.answer(error), for: call)
        }
        // The answer's form stays when the inputs are gone.
        var wish = request
        wish.inputs = []
        offer(call, body, request.id, form)
        let deadline = request.timeout.map { ContinuousClock.now + $0 }
        call.asked = loop.now
        call.ticket = model.submit(request, deadline: deadline) { [wish] result in
            if loop.inEventLoop {
                self.finish(result, wish, model.signature, form, bound, loop)
            } else {
                loop.execute { self.finish(result, wish, model.signature, form, bound, loop) }
            }
        }
    }

    private func finish(
        _ result: Result<InferenceResponse, InferenceFault>, _ wish: InferenceRequest, _ signature: ModelSignature,
        _ form: InferenceForm, _ bound: NIOLoopBound<(connection: RESTConnection, call: RESTCall)>,
        _ loop: any EventLoop
    ) {
        let (connection, call) = bound.value
        call.answered = loop.now
        call.ticket = nil
        let response: InferenceResponse
        do throws(InferenceFault) {
            response = try result.get()
        } catch {
            return connection.send(form.answer(error), for: call)
        }
        let coding = call.header("accept-encoding").flatMap { BodyCoding.accepted($0) }
        let size = response.outputs.reduce(0) { $0 + $1.byteCount }
        let isLarge = size >= configuration.largeBody || (coding != nil && size >= 64 << 10)
        guard isLarge else {
            let answer = Self.written(form, response, wish, signature)
            return send(encoded(answer, call), wish.id, form, connection, call)
        }
        let threshold = configuration.compressionThreshold
        NIOThreadPool.singleton.runIfActive(eventLoop: loop) {
            let answer = Self.written(form, response, wish, signature)
            guard let coding, answer.body.readableBytes >= threshold else { return answer }
            return answer.compressed(coding)
        }.whenSuccess { answer in
            let (connection, call) = bound.value
            self.send(answer, wish.id, form, connection, call)
        }
    }

    private static func written(
        _ form: InferenceForm, _ response: InferenceResponse, _ wish: InferenceRequest, _ signature: ModelSignature
    ) -> RESTAnswer {
        do throws(InferenceFault) {
            return try form.answer(response, for: wish, signature, ByteBufferAllocator())
        } catch {
            return form.answer(error)
        }
    }

    private func send(
        _ answer: RESTAnswer, _ id: String, _ form: InferenceForm, _ connection: RESTConnection, _ call: RESTCall
    ) {
        if let sink {
            var event = PayloadEvent(
                id: call.payloadID ?? id, isRequest: false, contentType: answer.contentText ?? "\(answer.contentType)",
                body: answer.body,
                model: form.model, time: Timestamp.now())
            event.metadata = [("status", "\(answer.status)")]
            sink.offer(event)
        }
        connection.send(answer, for: call)
    }

    /// Tells the sink of a request.
    private func offer(_ call: RESTCall, _ body: ByteBuffer, _ id: String, _ form: InferenceForm) {
        guard let sink else { return }
        let id = call.header("ce-id") ?? (id.isEmpty ? call.header("x-request-id") ?? RandomID.uuid() : id)
        call.payloadID = id
        sink.offer(
            PayloadEvent(
                id: id, isRequest: true, contentType: call.header("content-type") ?? "application/json",
                body: body, model: form.model, time: Timestamp.now()))
    }
}
