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
    /// Endpoints that are gone: all of an upstream, or one.
    struct Removed: Sendable {
        let id: ObjectIdentifier
        let serial: Int?
        /// So that the identifier is not used again meanwhile.
        let upstream: Upstream
    }

    private struct State {
        var upstreams: [UpstreamID: Upstream] = [:]
        var removed: [ObjectIdentifier: [Removed]] = [:]
    }

    let logger: Logger
    let limits: ConnectionLimits
    let logsAccess: Bool
    let metrics = GatewayMetrics()
    let activity = ActivityHub()
    let loops: [any EventLoop]
    let activator: Activator
    private let state = Mutex(State())
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

    var upstreams: [Upstream] { state.withLock { Array($0.upstreams.values) } }

    /// Takes over upstreams.
    /// `policies`: by the rules that refer to them.
    /// Returns all that are there now.
    func apply(_ rules: [UpstreamID: UpstreamRules], _ policies: [UpstreamID: TrafficPolicy]) -> [UpstreamID: Upstream]
    {
        let now = Instant.now
        let (all, gone) = state.withLock { state in
            let old = state.upstreams
            state.upstreams = [:]
            for id in rules.keys { state.upstreams[id] = old[id] ?? Upstream(id, now: now) }
            return (state.upstreams, old.filter { state.upstreams[$0.key] == nil }.map(\.value))
        }
        var removed = gone.map { Removed(id: ObjectIdentifier($0), serial: nil, upstream: $0) }
        for upstream in gone { upstream.apply(UpstreamRules(), TrafficPolicy()) }
        for (id, upstream) in all {
            guard let rules = rules[id] else { continue }
            upstream.apply(rules, policies[id] ?? TrafficPolicy())
            let serials = upstream.with { state in
                defer { state.removed = [] }
                return state.removed
            }
            removed += serials.map { Removed(id: ObjectIdentifier(upstream), serial: $0, upstream: upstream) }
        }
        state.withLock { [removed] state in
            for loop in loops { state.removed[ObjectIdentifier(loop), default: []] += removed }
        }
        return all
    }

    func takeRemoved(for loop: any EventLoop) -> [Removed] {
        state.withLock { state in
            defer { state.removed[ObjectIdentifier(loop)] = [] }
            return state.removed[ObjectIdentifier(loop)] ?? []
        }
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
