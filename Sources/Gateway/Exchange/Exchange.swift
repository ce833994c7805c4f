// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import NIOCore

/// One request on its way: routed, admitted, sent to an endpoint, its answer sent back. On its client's event loop.
///
/// The parts: `Exchange+Routing` up to the choice of an upstream, `Exchange+Sending` to its endpoints and again where
/// that fails, `Exchange+Answering` back to the client.
final class Exchange: RequestReceiver {
    enum Phase {
        /// Its rule is looked for, its token verified.
        case routing
        /// Held by the activator, with its number.
        case held(UInt64)
        /// A connection to an endpoint is made.
        case connecting
        case sending(any UpstreamSide)
        /// Bytes of another protocol go both ways.
        case tunnel(any UpstreamSide)
        case over
    }

    /// Bodies up to so many bytes are kept for another attempt.
    static let longestKept = 64 << 10
    /// Mirrors get bodies up to so many bytes.
    static let longestMirrored = 1 << 20

    let worker: Worker
    let isTLS: Bool
    let client: any ClientSide
    let listener: CompiledListener
    let start: Instant
    var phase = Phase.routing
    var head = RequestHead()
    var facts = ExchangeFacts(RequestHead())
    var isGRPC = false
    var rule: CompiledRule?
    var prefix: String?
    var upstream: Upstream?
    var backend: CompiledRule.Backend?
    /// It was admitted, and has to be given back.
    var isAdmitted = false
    var stickyKey: UInt64?
    var newCookie: String?
    /// Its `Origin`, where its rule has a CORS filter.
    var origin: String?

    /// The body as far as it is not sent, or kept for another attempt.
    var kept: [ByteBuffer] = []
    var keptBytes = 0
    var isReplayable = true
    var requestIsWhole = false
    var trailers: HeaderFields?
    var mirror: MirrorBody?

    var pick: UpstreamState.Pick?
    var failed = 0
    var failedSerials: [Int] = []
    var holdsRetry = false
    var answerBegan = false
    var status = 0
    var grpcFailed: Bool?
    var attempt = 0
    var requestTimer: Scheduled<Void>?
    var attemptTimer: Scheduled<Void>?

    init(_ client: any ClientSide, listener: CompiledListener, worker: Worker, isTLS: Bool) {
        self.client = client
        self.listener = listener
        self.worker = worker
        self.isTLS = isTLS
        start = .now
    }

    // MARK: from the client

    func begin(_ head: consuming RequestHead, isLast: Bool) {
        self.head = head
        requestIsWhole = isLast
        worker.core.metrics.began()
        route()
    }

    func request(_ body: ByteBuffer) {
        switch phase {
        case .over: return
        case .tunnel(let side):
            side.send(body)
            side.flush()
            if !side.isWritable { client.setReading(false) }
            return
        case .sending(let side):
            keep(body)
            side.send(body)
            if !side.isWritable { client.setReading(false) }
        case .routing, .held, .connecting:
            keep(body, isNeeded: true)
            // What is here has to wait; more is not read.
            client.setReading(false)
        }
        mirror?.add(body)
    }

    private func keep(_ body: ByteBuffer, isNeeded: Bool = false) {
        guard isReplayable || isNeeded else { return }
        keptBytes += body.readableBytes
        if keptBytes > Self.longestKept, !isNeeded {
            isReplayable = false
            kept = []
        } else {
            kept.append(body)
        }
    }

    func requestEnd(_ trailers: HeaderFields?) {
        requestIsWhole = true
        self.trailers = trailers
        mirror?.end()
        switch phase {
        case .over: break
        // So that it is seen when the client goes away.
        case .routing, .held, .connecting: client.setReading(true)
        case .sending(let side), .tunnel(let side):
            side.sendEnd(trailers)
            side.flush()
        }
    }

    func requestFlush() {
        if case .sending(let side) = phase { side.flush() }
    }

    func clientGone() {
        switch phase {
        case .over: return
        case .held(let id):
            // If it passed meanwhile, the wake-up finds it gone and gives its place back.
            if upstream?.withdraw(id) != true { isAdmitted = true }
        case .sending(let side), .tunnel(let side): side.cancel()
        case .routing, .connecting: break
        }
        let isTunnel = if case .tunnel = phase { true } else { false }
        finish(isTunnel ? .success : .unknown, isFailure: isTunnel ? false : nil)
    }

    func clientWritable(_ isWritable: Bool) {
        switch phase {
        case .sending(let side), .tunnel(let side): side.setReading(isWritable)
        case .routing, .held, .connecting, .over: break
        }
    }

    // MARK: end

    /// It is over: all that was taken is given back.
    /// - Parameters:
    ///   - outcome: for the endpoint.
    ///   - isFailure: for the upstream's counts; nil: nothing can be said.
    func finish(_ outcome: UpstreamOutcome, isFailure: Bool?) {
        if case .over = phase { return }
        phase = .over
        requestTimer?.cancel()
        attemptTimer?.cancel()
        let now = Instant.now
        upstream?.ended(
            Upstream.End(
                pick: pick, outcome: outcome, isAdmitted: isAdmitted, holdsRetry: holdsRetry,
                latency: now - start, isFailure: isFailure), now: now)
        pick = nil
        worker.core.metrics.ended(status: status, rule: rule?.counts)
        worker.core.log(self, took: now - start)
        kept = []
        mirror?.drop()
    }
}
