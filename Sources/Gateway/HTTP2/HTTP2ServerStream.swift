// SPDX-License-Identifier: Apache-2.0
import HTTP2Streams
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One request of a client on a stream of HTTP/2.
final class HTTP2ServerStream: HTTP2StreamDelegate, ClientSide {
    let loop: any EventLoop
    let peer: String
    private let isTLS: Bool
    private let services: any RequestServices
    private let stream: HTTP2Stream
    private var receiver: (any RequestReceiver)?
    private var hasHead = false
    private var requestIsWhole = false
    private var isDone = false
    /// What waits to be sent as one frame.
    private var pending = ByteBuffer()
    /// Only where something was waited for: most requests are whole at once.
    private var timer: ConnectionTimer?

    init(_ services: any RequestServices, stream: HTTP2Stream, on loop: any EventLoop, peer: String, isTLS: Bool) {
        self.services = services
        self.stream = stream
        self.loop = loop
        self.peer = peer
        self.isTLS = isTLS
    }

    var isWritable: Bool { stream.isWritable }

    func setReading(_ isReading: Bool) { stream.setReading(isReading) }

    // MARK: request

    func received(_ headers: HPACKHeaders, isLast: Bool) {
        guard hasHead else { return begin(headers, isLast: isLast) }
        requestEnded(HeaderConversion.trailers(headers))
    }

    func received(_ body: ByteBuffer, isLast: Bool) {
        if body.readableBytes > 0 { receiver?.request(body) }
        if isLast { requestEnded(nil) } else { wait(services.limits.bodyPatience) }
    }

    private func requestEnded(_ trailers: HeaderFields?) {
        requestIsWhole = true
        wait(nil)
        receiver?.requestEnd(trailers)
    }

    private func begin(_ headers: HPACKHeaders, isLast: Bool) {
        hasHead = true
        requestIsWhole = isLast
        let head: RequestHead
        do throws(MessageFault) {
            head = try HeaderConversion.request(headers, isLast: isLast, scheme: isTLS ? "https" : "http")
        } catch {
            services.refused(error)
            let (head, body) = LocalAnswer.plain(error.status, error.description)
            respond(head, isLast: false)
            respond(body)
            return respondEnd(nil)
        }
        if !isLast { wait(services.limits.bodyPatience) }
        let receiver = services.receiver(for: self)
        self.receiver = receiver
        receiver.begin(head, isLast: isLast)
    }

    func receivedAll() { receiver?.requestFlush() }

    // MARK: answer

    func respondContinue() {
        stream.send([":status": "100"], isLast: false)
        flush()
    }

    func respond(_ head: ResponseHead, isLast: Bool) {
        stream.send(HeaderConversion.response(head), isLast: isLast)
        if isLast { done() }
    }

    func respond(_ body: ByteBuffer) {
        var body = body
        if pending.readableBytes == 0 { pending = body } else { pending.writeBuffer(&body) }
        if pending.readableBytes > 64 << 10 { sendPending(isLast: false) }
    }

    func respondEnd(_ trailers: HeaderFields?) {
        if let trailers {
            sendPending(isLast: false)
            stream.send(HeaderConversion.trailers(trailers), isLast: true)
        } else {
            sendPending(isLast: true)
        }
        done()
    }

    private func sendPending(isLast: Bool) {
        guard isLast || pending.readableBytes > 0 else { return }
        let bytes = pending
        pending = ByteBuffer()
        stream.send(bytes, isLast: isLast)
    }

    func flush() {
        if !isDone { sendPending(isLast: false) }
        stream.flush()
    }

    private func done() {
        isDone = true
        receiver = nil
        wait(nil)
        flush()
    }

    func respondUpgrade(_ head: ResponseHead, to upgrade: String) { abort() }

    func abort() {
        receiver = nil
        isDone = true
        wait(nil)
        stream.reset(.internalError)
    }

    func writabilityChanged(_ isWritable: Bool) {
        receiver?.clientWritable(isWritable)
        guard !isDone else { return }
        // Who reads nothing of an answer is not waited for without end.
        if !isWritable {
            wait(services.limits.bodyPatience)
        } else if requestIsWhole {
            wait(nil)
        }
    }

    // MARK: end

    private func wait(_ patience: TimeAmount?) {
        if timer == nil {
            guard patience != nil else { return }
            timer = ConnectionTimer(loop) { [weak self] in self?.isLate() }
        }
        timer?.set(patience)
    }

    private func isLate() {
        stream.reset(.cancel)
        gone()
    }

    func closed(_ end: HTTP2StreamEnd) { gone() }

    private func gone() {
        isDone = true
        wait(nil)
        let receiver = receiver
        self.receiver = nil
        receiver?.clientGone()
    }
}
