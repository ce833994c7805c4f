// SPDX-License-Identifier: Apache-2.0
import ApusCore
import GatewayRules
import NIOCore
import NIOPosix

/// Shows `/metrics`, `/healthz` and `/apus/v1/activity`, the last as JSON lines without an end.
struct AdminServer {
    private let core: GatewayCore
    private let metrics: @Sendable () -> String

    init(_ core: GatewayCore, metrics: @escaping @Sendable () -> String) {
        self.core = core
        self.metrics = metrics
    }

    func bind(_ host: String, _ port: Int) async throws -> any Channel {
        try await ConnectionAcceptor.bootstrap(core) { channel, services in
            try channel.pipeline.syncOperations.addHandler(
                HTTP1ServerHandler(services, channel: channel, isTLS: false))
        } services: { [metrics] worker in
            AdminServices(worker, metrics)
        }
        .bind(host: host, port: port).get()
    }
}

private final class AdminServices: RequestServices {
    private let worker: Worker
    private let metrics: @Sendable () -> String

    init(_ worker: Worker, _ metrics: @escaping @Sendable () -> String) {
        self.worker = worker
        self.metrics = metrics
    }

    var limits: ConnectionLimits { worker.core.limits }
    func receiver(for client: any ClientSide) -> any RequestReceiver { AdminRequest(client, worker.core, metrics) }
    func refused(_ fault: MessageFault) {}
    func opened(_ connection: any ServedConnection) {}
    func closed(_ connection: any ServedConnection) {}
}

private final class AdminRequest: RequestReceiver {
    private let client: any ClientSide
    private let core: GatewayCore
    private let metrics: @Sendable () -> String
    private var following: Task<Void, Never>?

    init(_ client: any ClientSide, _ core: GatewayCore, _ metrics: @escaping @Sendable () -> String) {
        self.client = client
        self.core = core
        self.metrics = metrics
    }

    func begin(_ head: RequestHead, isLast: Bool) {
        guard head.method == "GET" || head.method == "HEAD" else { return answer(405, "use GET") }
        switch head.target.prefix(while: { $0 != "?" }) {
        case "/healthz", "/readyz": answer(200, "ok")
        case "/metrics": answer(200, metrics(), type: "text/plain; version=0.0.4; charset=utf-8")
        case "/apus/v1/activity" where head.method == "GET": follow()
        default: answer(404, "there are /healthz, /metrics and /apus/v1/activity")
        }
    }

    private func answer(_ status: Int, _ text: String, type: String = "text/plain; charset=utf-8") {
        var head = ResponseHead()
        head.status = status
        head.fields.add("content-type", type)
        let body = ByteBuffer(string: text.hasSuffix("\n") ? text : text + "\n")
        head.body = .length(body.readableBytes)
        client.respond(head, isLast: false)
        client.respond(body)
        client.respondEnd(nil)
        client.flush()
    }

    private func follow() {
        var head = ResponseHead()
        head.fields.add("content-type", "application/x-ndjson")
        head.body = .chunked
        client.respond(head, isLast: false)
        client.flush()
        let stream = core.activity.stream()
        let loop = client.loop
        let bound = NIOLoopBound(self, eventLoop: loop)
        following = Task {
            for await activity in stream {
                let line = ByteBuffer(string: activity.json.text + "\n")
                loop.execute { bound.value.send(line) }
            }
            loop.execute { bound.value.end() }
        }
    }

    private func send(_ line: ByteBuffer) {
        // Who reads nothing misses lines.
        guard following != nil, client.isWritable else { return }
        client.respond(line)
        client.flush()
    }

    private func end() {
        guard following != nil else { return }
        following = nil
        client.respondEnd(nil)
        client.flush()
    }

    func request(_ body: ByteBuffer) {}
    func requestEnd(_ trailers: HeaderFields?) {}
    func requestFlush() {}

    func clientGone() {
        following?.cancel()
        following = nil
    }

    func clientWritable(_ isWritable: Bool) {}
}
