// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import NIOCore

/// A copy of a request for upstreams whose answers nobody sees. It is sent when it is whole.
final class MirrorBody {
    private let worker: Worker
    private let head: RequestHead
    private let upstreams: [Upstream]
    private var bodies: [ByteBuffer] = []
    private var bytes = 0
    private var isDropped = false

    init(_ head: RequestHead, to upstreams: [Upstream], worker: Worker) {
        self.head = head
        self.upstreams = upstreams
        self.worker = worker
    }

    func add(_ body: ByteBuffer) {
        bytes += body.readableBytes
        if bytes > Exchange.longestMirrored { drop() } else if !isDropped { bodies.append(body) }
    }

    func drop() {
        isDropped = true
        bodies = []
    }

    func end() {
        guard !isDropped else { return }
        isDropped = true
        for upstream in upstreams { MirrorCall(head, bodies, worker: worker, upstream: upstream).start() }
        bodies = []
    }
}

/// One copy on its way.
private final class MirrorCall: UpstreamReceiver {
    private static let patience = TimeAmount.seconds(30)

    private var head: RequestHead
    private let bodies: [ByteBuffer]
    private let worker: Worker
    private let upstream: Upstream
    private var pick: UpstreamState.Pick?
    private var side: (any UpstreamSide)?
    private var timer: Scheduled<Void>?

    init(_ head: RequestHead, _ bodies: [ByteBuffer], worker: Worker, upstream: Upstream) {
        self.head = head
        self.bodies = bodies
        self.worker = worker
        self.upstream = upstream
        if !bodies.isEmpty { self.head.body = .length(bodies.reduce(0) { $0 + $1.readableBytes }) }
    }

    func start() {
        guard let target = upstream.pick(random: worker.randomBits(), key: nil, excluding: []) else { return }
        pick = target.pick
        timer = worker.loop.assumeIsolated().scheduleTask(in: Self.patience) { self.over(.failure) }
        do { try worker.pool(upstream, target).acquire(self) } catch { over(.failure) }
    }

    private func over(_ outcome: UpstreamOutcome) {
        guard let pick else { return }
        self.pick = nil
        timer?.cancel()
        upstream.finished(pick, outcome, now: .now)
        side?.cancel()
        side = nil
    }

    func connected(_ side: any UpstreamSide) {
        guard pick != nil else { return side.release() }
        self.side = side
        side.send(head, isLast: bodies.isEmpty, to: self)
        for body in bodies { side.send(body) }
        if !bodies.isEmpty { side.sendEnd(nil) }
        side.flush()
    }

    func answer(_ head: ResponseHead, isLast: Bool) { if isLast { answerEnd(nil) } }
    func answer(_ body: ByteBuffer) {}

    func answerEnd(_ trailers: HeaderFields?) {
        side = nil
        over(.success)
    }

    func answerFlush() {}
    func failed(_ failure: UpstreamFailure) {
        side = nil
        over(.failure)
    }
    func upstreamWritable(_ isWritable: Bool) {}
}

extension Exchange {
    func startMirrors(_ rule: CompiledRule) {
        guard !rule.mirrors.isEmpty, head.upgrade == nil else { return }
        let chosen = rule.mirrors.filter { mirror in
            worker.randomBits().multipliedFullWidth(by: 1000).high < UInt64(max(mirror.share, 0))
        }
        guard !chosen.isEmpty else { return }
        let mirror = MirrorBody(head, to: chosen.map(\.upstream), worker: worker)
        for body in kept { mirror.add(body) }
        if requestIsWhole { mirror.end() } else { self.mirror = mirror }
    }
}
