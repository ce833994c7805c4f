// SPDX-License-Identifier: Apache-2.0
import HTTP2Streams
import NIOCore
import NIOHPACK
import NIOHTTP2

/// One request to an endpoint on a stream of HTTP/2.
final class HTTP2ClientStream: HTTP2StreamDelegate, UpstreamSide {
    private var stream: HTTP2Stream?
    private var receiver: (any UpstreamReceiver)?
    private var hasHead = false
    private var method = ""
    private var pending = ByteBuffer()

    /// - Returns: nil where the connection takes no further stream.
    static func open(on connection: HTTP2Connection) -> HTTP2ClientStream? {
        let request = HTTP2ClientStream()
        request.stream = connection.open(request)
        return request.stream == nil ? nil : request
    }

    var isWritable: Bool { stream?.isWritable ?? false }

    // MARK: request

    func send(_ head: RequestHead, isLast: Bool, to receiver: any UpstreamReceiver) {
        self.receiver = receiver
        method = head.method
        stream?.send(HeaderConversion.request(head), isLast: isLast)
    }

    func send(_ body: ByteBuffer) {
        var body = body
        if pending.readableBytes == 0 { pending = body } else { pending.writeBuffer(&body) }
        if pending.readableBytes > 64 << 10 { sendPending(isLast: false) }
    }

    func sendEnd(_ trailers: HeaderFields?) {
        if let trailers {
            sendPending(isLast: false)
            stream?.send(HeaderConversion.trailers(trailers), isLast: true)
        } else {
            sendPending(isLast: true)
        }
    }

    private func sendPending(isLast: Bool) {
        guard isLast || pending.readableBytes > 0 else { return }
        let bytes = pending
        pending = ByteBuffer()
        stream?.send(bytes, isLast: isLast)
    }

    func flush() {
        sendPending(isLast: false)
        stream?.flush()
    }

    func cancel() { letGo(.cancel) }

    func release() { cancel() }

    /// Nobody waits for it any more.
    private func letGo(_ code: HTTP2ErrorCode) {
        receiver = nil
        let stream = stream
        self.stream = nil
        stream?.reset(code)
    }

    // MARK: answer

    func setReading(_ isReading: Bool) { stream?.setReading(isReading) }

    func received(_ headers: HPACKHeaders, isLast: Bool) {
        guard !hasHead else { return end(HeaderConversion.trailers(headers)) }
        do throws(MessageFault) {
            let head = try HeaderConversion.response(headers, isLast: isLast, to: method)
            guard head.status >= 200 else { return }
            hasHead = true
            let receiver = receiver
            if isLast { over() }
            receiver?.answer(head, isLast: isLast)
            if isLast { receiver?.answerFlush() }
        } catch {
            let receiver = receiver
            cancel()
            receiver?.failed(.malformed(error.description))
        }
    }

    func received(_ body: ByteBuffer, isLast: Bool) {
        if body.readableBytes > 0 { receiver?.answer(body) }
        if isLast { end(nil) }
    }

    private func end(_ trailers: HeaderFields?) {
        let receiver = receiver
        over()
        receiver?.answerEnd(trailers)
        receiver?.answerFlush()
    }

    /// The answer is whole; an endpoint that wants no more of the request gets none.
    private func over() {
        receiver = nil
        if stream?.hasSentEnd == false { letGo(.noError) }
    }

    func receivedAll() { receiver?.answerFlush() }

    func writabilityChanged(_ isWritable: Bool) { receiver?.upstreamWritable(isWritable) }

    func closed(_ end: HTTP2StreamEnd) {
        stream = nil
        let receiver = receiver
        self.receiver = nil
        switch end {
        case .refused where !hasHead: receiver?.failed(.neverSent("the stream was refused"))
        case .done, .refused: receiver?.failed(.lost("the stream was closed before the answer's end"))
        case .reset(let code): receiver?.failed(.lost("the endpoint has reset the stream: \(code)"))
        case .lost(let why): receiver?.failed(.lost(why))
        }
    }
}
