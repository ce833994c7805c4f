// SPDX-License-Identifier: Apache-2.0
import InferenceEngine
import Logging
import NIOCore
import NIOHPACK

extension GRPCStreamHandler {
    /// Has a message answered, now or later.
    func answer(_ message: ByteBuffer) throws(GRPCStatus) {
        switch head?.method {
        case .infer: infer(message, isStream: false)
        case .streamInfer:
            infer(message, isStream: true)
            pauseOrGoOn()
        case .unary(let method) where GRPCCalls.waits(method): control(method, message)
        case .unary(let method): last(try server.calls.answer(method, message))
        case .healthCheck: last(try server.health.check(message))
        case .healthWatch: watchHealth(try server.health.service(message), told: nil)
        case .reflection(let version):
            let answer = try GRPCReflection(version: version, limits: server.calls.limits).answer(message)
            write(GRPCAnswer(answer, nil))
            stream.flush()
        case nil: break
        }
    }

    private func infer(_ message: ByteBuffer, isStream: Bool) {
        var call = GRPCCalls.Context()
        call.deadline = deadline
        call.eventID = head?.eventID
        call.isStream = isStream
        let number = nextNumber
        nextNumber += 1
        pending[number] = .some(nil)
        let (compression, loop) = (head?.answerCompression, loop)
        let bound = NIOLoopBound(self, eventLoop: loop)
        let ticket = server.calls.infer(message, call) { result in
            // Where the model has threads of its own, they frame the answer, too.
            let answer = result.map { GRPCAnswer($0, compression) }
            if loop.inEventLoop {
                bound.value.complete(answer, number)
            } else {
                loop.execute { bound.value.complete(answer, number) }
            }
        }
        if let ticket, pending[number] != nil { pending[number] = ticket }
    }

    private func control(_ method: GRPCMethod.Unary, _ message: ByteBuffer) {
        let calls = server.calls
        let bound = NIOLoopBound(self, eventLoop: loop)
        let number = nextNumber
        nextNumber += 1
        pending[number] = .some(nil)
        loop.makeFutureWithTask { () async -> Result<GRPCAnswer, GRPCStatus> in
            do throws(GRPCStatus) {
                return .success(GRPCAnswer(try await calls.control(method, message), nil))
            } catch {
                return .failure(error)
            }
        }.whenSuccess { result in
            bound.value.complete(result, number)
        }
    }

    private func complete(_ result: Result<GRPCAnswer, GRPCStatus>, _ number: Int) {
        guard state == .open, pending.removeValue(forKey: number) != nil else { return }
        switch result {
        case .failure(let status): end(status)
        case .success(let answer):
            write(answer)
            if head?.method == .streamInfer {
                pauseOrGoOn()
                guard isInputClosed, pending.isEmpty else { return stream.flush() }
            }
            end(GRPCStatus(.ok, ""))
        }
    }

    /// The answer of a method that has one.
    private func last(_ message: ByteBuffer) {
        write(GRPCAnswer(message, nil))
        end(GRPCStatus(.ok, ""))
    }

    /// Tells the state now, and later each that is another.
    private func watchHealth(_ service: String, told: GRPCHealth.Status?) {
        let status = server.health.status(service)
        if status != told {
            write(GRPCAnswer(server.health.answer(status), nil))
            stream.flush()
        }
        watch = after(.milliseconds(200)) { handler in handler.watchHealth(service, told: status) }
    }

    // MARK: Frames

    private static let headers: HPACKHeaders = [
        ":status": "200", "content-type": "application/grpc", "grpc-accept-encoding": GRPCCompression.accepted,
    ]
    private static let success: HPACKHeaders = ["grpc-status": "0"]

    func write(_ answer: GRPCAnswer) {
        if !hasSentHeaders {
            hasSentHeaders = true
            var headers = Self.headers
            if let compression = head?.answerCompression {
                headers.add(name: "grpc-encoding", value: compression.rawValue)
            }
            stream.send(headers, isLast: false)
        }
        for buffer in answer.buffers { stream.send(buffer, isLast: false) }
    }

    /// Sends the status, and gives up what is not answered.
    func end(_ status: GRPCStatus) {
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
        finish(trailers)
    }

    /// For what is no call of gRPC.
    func refuse(_ httpStatus: String) {
        release()
        finish([":status": httpStatus, "content-length": "0"])
    }

    /// A client that has not ended its side is told by the connection not to go on, once it has the status.
    private func finish(_ headers: HPACKHeaders) {
        stream.send(headers, isLast: true)
        stream.flush()
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
