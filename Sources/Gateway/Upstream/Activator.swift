// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import NIOCore
import NIOPosix
import NIOSSL

/// Looks after requests that wait: asks new endpoints every 10 ms whether they are ready, for a kubelet's probe comes
/// only each second, and ends what has waited too long. On one event loop.
final class Activator: Sendable {
    private static let interval = TimeAmount.milliseconds(10)

    private let loop: any EventLoop
    /// Told at once where requests begin to wait.
    private let began: @Sendable (Upstream) -> Void

    init(_ loop: any EventLoop, began: @escaping @Sendable (Upstream) -> Void) {
        self.loop = loop
        self.began = began
    }

    func watch(_ upstream: Upstream) {
        began(upstream)
        loop.execute { self.look(upstream, Probing()) }
    }

    /// Which endpoints are being asked.
    private final class Probing {
        var endpoints: Set<UpstreamEndpoint> = []
        var contexts: [UpstreamTLS: NIOSSLContext] = [:]
    }

    private func look(_ upstream: Upstream, _ probing: Probing) {
        guard let (endpoints, path, tls) = upstream.watched(now: .now) else { return }
        for endpoint in endpoints where !probing.endpoints.contains(endpoint) {
            probing.endpoints.insert(endpoint)
            let context = tls.flatMap { tls -> NIOSSLContext? in
                if let context = probing.contexts[tls] { return context }
                probing.contexts[tls] = try? TLSContexts.client(tls, isHTTP2: false)
                return probing.contexts[tls]
            }
            let dialing = Dialing(
                loop: loop, endpoint: endpoint, tls: context.map { ($0, tls?.hostname ?? "") }, patience: .seconds(1))
            let probe = Probe(dialing, path: path) { isReady in
                probing.endpoints.remove(endpoint)
                if isReady { upstream.markReady(endpoint) }
            }
            probe.start()
        }
        loop.assumeIsolated().scheduleTask(in: Self.interval) { self.look(upstream, probing) }
    }
}

/// Asks an endpoint once whether it is ready.
private final class Probe: UpstreamReceiver {
    private static let patience = TimeAmount.seconds(1)

    private let pool: HTTP1Pool
    private let dialing: Dialing
    private let path: String
    private var done: ((Bool) -> Void)?
    private var side: (any UpstreamSide)?
    private var timer: Scheduled<Void>?

    init(_ dialing: Dialing, path: String, done: @escaping (Bool) -> Void) {
        self.dialing = dialing
        self.path = path
        self.done = done
        pool = HTTP1Pool(dialing)
    }

    func start() {
        timer = dialing.loop.assumeIsolated().scheduleTask(in: Self.patience) { self.end(false) }
        pool.acquire(self)
        // What is put back is closed.
        pool.close()
    }

    private func end(_ isReady: Bool) {
        guard let done else { return }
        self.done = nil
        timer?.cancel()
        side?.cancel()
        side = nil
        done(isReady)
    }

    func connected(_ side: any UpstreamSide) {
        guard done != nil else { return side.release() }
        self.side = side
        var head = RequestHead()
        head.target = path
        head.authority = "\(dialing.endpoint.address):\(dialing.endpoint.port)"
        side.send(head, isLast: true, to: self)
        side.flush()
    }

    func answer(_ head: ResponseHead, isLast: Bool) { end((200..<300).contains(head.status)) }
    func answer(_ body: ByteBuffer) {}
    func answerEnd(_ trailers: HeaderFields?) { end(false) }
    func answerFlush() {}
    func failed(_ failure: UpstreamFailure) {
        side = nil
        end(false)
    }
    func upstreamWritable(_ isWritable: Bool) {}
}
