// SPDX-License-Identifier: Apache-2.0
import InferenceEngine
import Logging
import NIOCore
import NIOHPACK
import NIOHTTP2

extension GRPCStreamHandler {
    /// Has a message answered, now or later.
    func answer(_ message: ByteBuffer, _ context: ChannelHandlerContext) throws(GRPCStatus) {
        switch head?.method {
        case .infer: infer(message, isStream: false, context)
        case .streamInfer:
            infer(message, isStream: true, context)
            pauseOrGoOn(context)
        case .unary(let method) where GRPCCalls.waits(method): control(method, message, context)
        case .unary(let method): last(try server.calls.answer(method, message), context)
        case .healthCheck: last(try server.health.check(message), context)
        case .healthWatch: watchHealth(try server.health.service(message), told: nil, context)
        case .reflection(let version):
            let answer = try GRPCReflection(version: version, limits: server.calls.limits).answer(message)
            write(GRPCAnswer(answer, nil), context)
            context.flush()
        case nil: break
        }
    }

    private func infer(_ message: ByteBuffer, isStream: Bool, _ context: ChannelHandlerContext) {
        var call = GRPCCalls.Context()
        call.deadline = deadline
        call.eventID = head?.eventID
        call.isStream = isStream
        let number = nextNumber
        nextNumber += 1
        pending[number] = .some(nil)
        let (compression, loop) = (head?.answerCompression, context.eventLoop)
        let bound = NIOLoopBound((self, context), eventLoop: loop)
        let ticket = server.calls.infer(message, call) { result in
            // Where the model has threads of its own, they frame the answer, too.
            let answer = result.map { GRPCAnswer($0, compression) }
            if loop.inEventLoop {
                let (handler, context) = bound.value
                handler.complete(answer, number, context)
            } else {
                loop.execute {
                    let (handler, context) = bound.value
                    handler.complete(answer, number, context)
                }
            }
        }
        if let ticket, pending[number] != nil { pending[number] = ticket }
    }

    private func control(
        _ method: GRPCMethod.Unary, _ message: ByteBuffer, _ context: ChannelHandlerContext
    ) {
        let calls = server.calls
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let number = nextNumber
        nextNumber += 1
        pending[number] = .some(nil)
        context.eventLoop.makeFutureWithTask { () async -> Result<GRPCAnswer, GRPCStatus> in
            do throws(GRPCStatus) {
                return .success(GRPCAnswer(try await calls.control(method, message), nil))
            } catch {
                return .failure(error)
            }
        }.whenSuccess { result in
            let (handler, context) = bound.value
            handler.complete(result, number, context)
        }
    }

    private func complete(
        _ result: Result<GRPCAnswer, GRPCStatus>, _ number: Int, _ context: ChannelHandlerContext
    ) {
        guard state == .open, pending.removeValue(forKey: number) != nil else { return }
        switch result {
        case .failure(let status): end(status, context)
        case .success(let answer):
            write(answer, context)
            if head?.method == .streamInfer {
                pauseOrGoOn(context)
                guard isInputClosed, pending.isEmpty else { return context.flush() }
            }
            end(GRPCStatus(.ok, ""), context)
        }
    }

    /// The answer of a method that has one.
    private func last(_ message: ByteBuffer, _ context: ChannelHandlerContext) {
        write(GRPCAnswer(message, nil), context)
        end(GRPCStatus(.ok, ""), context)
    }

    /// Tells the state now, and later each that is another.
    private func watchHealth(_ service: String, told: GRPCHealth.Status?, _ context: ChannelHandlerContext) {
        let status = server.health.status(service)
        if status != told {
            write(GRPCAnswer(server.health.answer(status), nil), context)
            context.flush()
        }
        watch = after(.milliseconds(200), context) { handler, context in
            handler.watchHealth(service, told: status, context)
        }
    }

    // MARK: Frames

    private static let headers: HPACKHeaders = [
        ":status": "200", "content-type": "application/grpc", "grpc-accept-encoding": GRPCCompression.accepted,
    ]
    private static let success: HPACKHeaders = ["grpc-status": "0"]

    func write(_ answer: GRPCAnswer, _ context: ChannelHandlerContext) {
        if !hasSentHeaders {
            hasSentHeaders = true
            var headers = Self.headers
            if let compression = head?.answerCompression {
                headers.add(name: "grpc-encoding", value: compression.rawValue)
            }
            context.write(wrapOutboundOut(.headers(.init(headers: headers))), promise: nil)
        }
        for buffer in answer.buffers {
            context.write(wrapOutboundOut(.data(.init(data: .byteBuffer(buffer)))), promise: nil)
        }
    }

    /// Sends the status, and gives up what is not answered.
    func end(_ status: GRPCStatus, _ context: ChannelHandlerContext) {
        guard state != .done else { return }
        release()
        var trailers = hasSentHeaders ? HPACKHeaders() : Self.headers
        if status.code == .ok, hasSentHeaders {
            trailers = Self.success
        } else {
            trailers.add(name: "grpc-status", value: String(status.code.rawValue))
            if !status.message.isEmpty { trailers.add(name: "grpc-message", value: status.encodedMessage) }
        }
        if server.calls.settings.isVerbose {
            server.logger.info(
                "gRPC call", metadata: ["path": "\(head?.path ?? "")", "status": "\(status.code.rawValue)"])
        }
        finish(trailers, context)
    }

    /// For what is no call of gRPC.
    func refuse(_ httpStatus: String, _ context: ChannelHandlerContext) {
        release()
        finish([":status": httpStatus, "content-length": "0"], context)
    }

    private func finish(_ headers: HPACKHeaders, _ context: ChannelHandlerContext) {
        let frame = wrapOutboundOut(.headers(.init(headers: headers, endStream: true)))
        guard !isInputClosed else { return context.writeAndFlush(frame, promise: nil) }
        // The client is told not to go on, once it has the status.
        let promise = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        promise.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
        context.writeAndFlush(frame, promise: promise)
    }
}

/// A message as it is sent.
struct GRPCAnswer: Sendable {
    /// Its head, and itself; short ones in one buffer.
    let buffers: [ByteBuffer]

    /// Longer messages are not copied behind their heads.
    private static let longestCopy = 64 << 10

    init(_ message: ByteBuffer, _ compression: GRPCCompression?) {
        var message = message
        var isCompressed = false
        if let compression, message.readableBytes >= GRPCCompression.shortest,
            let shorter = compression.compress(message), shorter.readableBytes < message.readableBytes
        {
            message = shorter
            isCompressed = true
        }
        guard message.readableBytes > Self.longestCopy else {
            buffers = [GRPCFraming.frame(&message, isCompressed: isCompressed)]
            return
        }
        var head = ByteBuffer()
        head.writeInteger(UInt8(isCompressed ? 1 : 0))
        head.writeInteger(UInt32(message.readableBytes))
        buffers = [head, message]
    }
}
