// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayRules
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// What the gateway's connections and event loops have in common.
final class GatewayCore: Sendable {
    let logger: Logger
    let limits: ConnectionLimits
    let logsAccess: Bool
    let metrics = GatewayMetrics()
    let activity = ActivityHub()
    let loops: [any EventLoop]
    let activator: Activator
    private let known = Mutex<[UpstreamID: Upstream]>([:])
    private let stopped = Atomic<Bool>(false)
    private let served = Atomic<Int>(0)
    private let clients = Mutex<[ObjectIdentifier: any Channel]>([:])
    private let maximumClients: Int
    private let workers = Mutex<[ObjectIdentifier: NIOLoopBound<Worker>]>([:])

    init(_ configuration: GatewayConfiguration, loops: [any EventLoop], logger: Logger) {
        self.logger = logger
        self.loops = loops
        limits = configuration.limits
        logsAccess = configuration.logsAccess
        maximumClients = configuration.maximumConnections
        let hub = activity
        activator = Activator(loops[0]) { upstream in
            hub.send(upstream.activity(time: Self.milliseconds, now: .now))
        }
    }

    static var milliseconds: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }

    /// Counts a client's connection until it is closed.
    /// - Returns: whether there is room for it.
    func admit(_ channel: any Channel) -> Bool {
        let id = ObjectIdentifier(channel)
        let isIn = clients.withLock { clients in
            guard clients.count < maximumClients else { return false }
            clients[id] = channel
            return true
        }
        if isIn { channel.closeFuture.whenComplete { _ in self.clients.withLock { $0[id] = nil } } }
        return isIn
    }

    /// Clients' connections, those to the admin address included.
    var connectionCount: Int { clients.withLock { $0.count } }

    func closeClients() {
        for channel in clients.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }

    /// Ends clients' connections when what was begun is answered.
    func leave() {
        for loop in loops { loop.execute { self.worker(loop).leave() } }
    }

    /// Clients' connections that speak HTTP.
    var clientCount: Int { served.load(ordering: .relaxed) }
    func countClient(_ change: Int) { served.wrappingAdd(change, ordering: .relaxed) }

    var isStopped: Bool { stopped.load(ordering: .relaxed) }
    func stop() { stopped.store(true, ordering: .relaxed) }

    /// The event loop's own things; on the loop.
    func worker(_ loop: any EventLoop) -> Worker {
        let bound = workers.withLock { workers in
            if let bound = workers[ObjectIdentifier(loop)] { return bound }
            let worker = Worker(loop, self)
            worker.start()
            let bound = NIOLoopBound(worker, eventLoop: loop)
            workers[ObjectIdentifier(loop)] = bound
            return bound
        }
        return bound.value
    }

    var upstreams: [Upstream] { known.withLock { Array($0.values) } }

    /// Takes over upstreams.
    /// - Parameters:
    ///   - rules: of each.
    ///   - policies: by the rules that refer to them.
    /// - Returns: all that are there now, and those that are not any more, which have to ``Upstream/leave()`` once no
    ///   route leads to them.
    func apply(
        _ rules: [UpstreamID: UpstreamRules], _ policies: [UpstreamID: TrafficPolicy]
    ) -> (present: [UpstreamID: Upstream], gone: [Upstream]) {
        let now = Instant.now
        let (present, gone) = known.withLock { known in
            let old = known
            known = [:]
            for id in rules.keys { known[id] = old[id] ?? Upstream(id, now: now) }
            return (known, old.filter { known[$0.key] == nil }.map(\.value))
        }
        for (id, upstream) in present {
            if let rules = rules[id] { upstream.apply(rules, policies[id] ?? TrafficPolicy()) }
        }
        return (present, gone)
    }

    /// Tells all who listen what went on.
    func publishActivity() {
        let time = Self.milliseconds
        for upstream in upstreams { activity.send(upstream.activity(time: time, now: .now)) }
    }

    func log(_ exchange: Exchange, took: Duration) {
        guard logsAccess else { return }
        logger.info(
            "request",
            metadata: [
                "client": "\(exchange.client.peer)", "method": "\(exchange.head.method)",
                "host": "\(exchange.head.authority)", "target": "\(exchange.head.target.prefix(256))",
                "status": "\(exchange.status)", "rule": "\(exchange.rule?.rule.id ?? "")",
                "attempts": "\(exchange.attempt)", "microseconds": "\(Int(took / .microseconds(1)))",
            ])
    }
}
