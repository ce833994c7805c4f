// SPDX-License-Identifier: Apache-2.0
import NIOCore

/// Where answers go: a connection of HTTP/1.1 or a stream of HTTP/2. Used on its event loop only.
protocol ClientSide: AnyObject {
    var loop: any EventLoop { get }
    /// The client's address.
    var peer: String { get }
    var isWritable: Bool { get }
    func respond(_ head: ResponseHead, isLast: Bool)
    func respond(_ body: ByteBuffer)
    func respondEnd(_ trailers: HeaderFields?)
    /// Answers 101; from then on bodies are bytes of the other protocol.
    func respondUpgrade(_ head: ResponseHead, to upgrade: String)
    func respondContinue()
    func flush()
    /// The answer cannot be finished.
    func abort()
    /// Whether more of the request is wanted.
    func setReading(_ isReading: Bool)
}

/// What a client's request goes to. Used on the client's event loop only.
///
/// Heads are given away: whoever changes their fields while another holds them would copy them.
protocol RequestReceiver: AnyObject {
    func begin(_ head: consuming RequestHead, isLast: Bool)
    func request(_ body: ByteBuffer)
    func requestEnd(_ trailers: HeaderFields?)
    /// Nothing more is there at the moment.
    func requestFlush()
    func clientGone()
    func clientWritable(_ isWritable: Bool)
}

/// A request's way to an endpoint: a connection of HTTP/1.1 or a stream of HTTP/2. Used on its event loop only.
protocol UpstreamSide: AnyObject {
    var isWritable: Bool { get }
    func send(_ head: RequestHead, isLast: Bool, to receiver: any UpstreamReceiver)
    func send(_ body: ByteBuffer)
    func sendEnd(_ trailers: HeaderFields?)
    func flush()
    func setReading(_ isReading: Bool)
    /// The receiver wants nothing more; it is not called again.
    func cancel()
    /// It is not used after all.
    func release()
}

/// Who gets an endpoint's answer. Used on the event loop of the connection only.
protocol UpstreamReceiver: AnyObject {
    func connected(_ side: any UpstreamSide)
    func answer(_ head: consuming ResponseHead, isLast: Bool)
    func answer(_ body: ByteBuffer)
    func answerEnd(_ trailers: HeaderFields?)
    func answerFlush()
    func failed(_ failure: UpstreamFailure)
    func upstreamWritable(_ isWritable: Bool)
}

/// Why there is no answer, or no end of one.
enum UpstreamFailure: Error, Sendable, Hashable {
    /// Nothing was done with the request.
    case neverSent(String)
    case lost(String)
    /// What came is no answer.
    case malformed(String)
}
