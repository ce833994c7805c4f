// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import Logging
import NIOCore
import NIOSSL

/// What one event loop has for itself: connections to endpoints and of clients, random numbers.
final class Worker {
    private struct PoolKey: Hashable {
        let upstream: ObjectIdentifier
        let serial: Int
        let isHTTP2: Bool
        let tls: UpstreamTLS?
    }

    let loop: any EventLoop
    let core: GatewayCore
    private var pools: [PoolKey: any EndpointPool] = [:]
    /// Those that there are pools of.
    private var upstreams: [ObjectIdentifier: Upstream] = [:]
    private var contexts: [UpstreamTLS: NIOSSLContext] = [:]
    private var random = SystemRandomNumberGenerator()
    private var seed: UInt64
    private var connections: [ObjectIdentifier: any ServedConnection] = [:]

    init(_ loop: any EventLoop, _ core: GatewayCore) {
        self.loop = loop
        self.core = core
        seed = random.next()
    }

    /// 64 random bits: SplitMix64, seeded by the system.
    func randomBits() -> UInt64 {
        seed &+= 0x9E37_79B9_7F4A_7C15
        return StableHash.mixed(seed)
    }

    /// Looks after the pools; to be called on the loop once.
    func start() {
        loop.assumeIsolated().scheduleTask(in: .seconds(1)) { self.tick() }
    }

    private func tick() {
        let now = loop.now
        for (key, pool) in pools {
            if upstreams[key.upstream]?.keeps(key.serial) == true {
                pool.sweep(now: now)
            } else {
                pool.close()
                pools[key] = nil
            }
        }
        let used = Set(pools.keys.map(\.upstream))
        upstreams = upstreams.filter { used.contains($0.key) }
        if !core.isStopped { start() }
    }

    func pool(_ upstream: Upstream, _ target: Upstream.Target) throws -> any EndpointPool {
        let key = PoolKey(
            upstream: ObjectIdentifier(upstream), serial: target.pick.serial, isHTTP2: target.isHTTP2, tls: target.tls)
        if let pool = pools[key] { return pool }
        let dialing = Dialing(
            loop: loop, endpoint: target.pick.endpoint,
            tls: try target.tls.map { (try context($0, isHTTP2: target.isHTTP2), $0.hostname) })
        let pool: any EndpointPool = target.isHTTP2 ? HTTP2Pool(dialing) : HTTP1Pool(dialing)
        pools[key] = pool
        upstreams[key.upstream] = upstream
        return pool
    }

    private func context(_ tls: UpstreamTLS, isHTTP2: Bool) throws -> NIOSSLContext {
        if let context = contexts[tls] { return context }
        // Certificates that are turned over leave old ones behind.
        if contexts.count > 256 { contexts = [:] }
        let context = try TLSContexts.client(tls, isHTTP2: isHTTP2)
        contexts[tls] = context
        return context
    }

    func opened(_ connection: any ServedConnection) {
        connections[ObjectIdentifier(connection)] = connection
        core.countClient(1)
    }

    func closed(_ connection: any ServedConnection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        core.countClient(-1)
    }

    /// Ends clients' connections when what was begun is answered.
    func leave() {
        for connection in Array(connections.values) { connection.leave() }
    }

    func close() {
        for pool in pools.values { pool.close() }
        pools = [:]
        upstreams = [:]
    }
}
