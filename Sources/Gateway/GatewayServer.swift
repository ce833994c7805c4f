// SPDX-License-Identifier: Apache-2.0
package import GatewayRules
import Listening
package import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A reverse proxy for HTTP/1.1, HTTP/2, gRPC and WebSockets that goes by snapshots.
///
/// Start here: ``apply(_:)`` gives it what it goes by, at any time and before ``run(onReady:)`` too.
package final class GatewayServer: Sendable {
    private struct State {
        var listeners: [BoundListener.Key: BoundListener] = [:]
        var contexts: [ContextKey: NIOSSLContext] = [:]
        var isStopped = false
    }

    private struct ContextKey: Hashable {
        let certificate: ListenerRules.Certificate
        let authority: String?
    }

    private let configuration: GatewayConfiguration
    private let core: GatewayCore
    private let state = Mutex(State())

    package init(_ configuration: GatewayConfiguration, logger: Logger) {
        self.configuration = configuration
        let loops = Array(MultiThreadedEventLoopGroup.singleton.makeIterator())
        core = GatewayCore(configuration, loops: loops, logger: logger)
    }

    /// What goes on at the upstreams, each second, and at once where requests begin to wait.
    package func activity() -> AsyncStream<UpstreamActivity> { core.activity.stream() }

    /// The ports that are listened on, by the address and the port that the snapshot says; for port 0.
    package func port(_ address: String, _ port: Int) -> Int? {
        state.withLock { $0.listeners[BoundListener.Key(address: address, port: port)] }?.port
    }

    /// Metrics in Prometheus' text format.
    package var metrics: String { core.metrics.text(upstreams: core.upstreams, connections: core.connectionCount) }

    /// Goes by another snapshot from now on. Requests that were begun finish by the old one; sockets that are in both
    /// stay open.
    /// - Returns: what of it could not be done; the rest is.
    package func apply(_ snapshot: GatewaySnapshot) async -> [ListenerFault] {
        var faults: [ListenerFault] = []
        var policies: [UpstreamID: TrafficPolicy] = [:]
        for rule in snapshot.listeners.flatMap(\.rules) {
            for case let id? in rule.backends.map(\.upstream) {
                var policy = policies[id] ?? rule.policy
                policy.outliers = policy.outliers ?? rule.policy.outliers
                policy.breaker = policy.breaker ?? rule.policy.breaker
                policies[id] = policy
            }
        }
        let upstreams = core.apply(snapshot.upstreams, policies)
        let (new, gone) = swap(snapshot.listeners, upstreams.present, &faults)
        for upstream in upstreams.gone { upstream.leave() }
        for listener in gone { await listener.close() }
        for listener in new {
            do {
                try await listener.bind()
            } catch {
                let key = listener.key
                state.withLock { $0.listeners[key] = nil }
                let text =
                    if let error = error as? IOError {
                        ListenError(error, host: key.address, port: key.port, option: "another port").description
                    } else {
                        "\(key.address):\(key.port) cannot be listened on: \(error)"
                    }
                faults.append(ListenerFault(address: key.address, port: key.port, code: .address, description: text))
            }
        }
        core.metrics.reloaded()
        core.metrics.keep(Set(snapshot.listeners.flatMap(\.rules).map(\.id)))
        for fault in faults { core.logger.warning("\(fault.description)") }
        return faults
    }

    /// Puts rules into the listeners that stay.
    private func swap(
        _ listeners: [ListenerRules], _ upstreams: [UpstreamID: Upstream], _ faults: inout [ListenerFault]
    ) -> (new: [BoundListener], gone: [BoundListener]) {
        state.withLock { state in
            guard !state.isStopped else { return ([], []) }
            var contexts: [ContextKey: NIOSSLContext] = [:]
            var gone = state.listeners
            var new: [BoundListener] = []
            for listener in listeners {
                let key = BoundListener.Key(address: listener.address, port: listener.port)
                let before = gone.removeValue(forKey: key) ?? new.first { $0.key == key }
                var certificates: [String: NIOSSLContext] = [:]
                for (host, certificate) in listener.certificates {
                    let contextKey = ContextKey(certificate: certificate, authority: listener.clientAuthority)
                    do {
                        let context =
                            try contexts[contextKey] ?? state.contexts[contextKey]
                            ?? TLSContexts.server(certificate, authority: listener.clientAuthority)
                        contexts[contextKey] = context
                        certificates[host.lowercased()] = context
                    } catch {
                        faults.append(
                            ListenerFault(
                                address: listener.address, port: listener.port, code: .certificate,
                                description: "the certificate for \(host) cannot be used: \(error)"))
                    }
                }
                // Without its certificates it must not speak plain HTTP.
                guard listener.certificates.isEmpty || !certificates.isEmpty else {
                    if let before { gone[key] = before }
                    continue
                }
                let compiled = CompiledListener(
                    listener, upstreams: upstreams, before: before?.current,
                    certificates: listener.certificates.isEmpty ? nil : certificates, metrics: core.metrics)
                faults += compiled.table.invalid.map { text in
                    ListenerFault(
                        address: listener.address, port: listener.port, code: .expression, description: text)
                }
                if let before {
                    before.replace(compiled)
                } else {
                    let bound = BoundListener(key, compiled, core)
                    state.listeners[key] = bound
                    new.append(bound)
                }
            }
            for key in gone.keys { state.listeners[key] = nil }
            state.contexts = contexts
            return (new, Array(gone.values))
        }
    }

    /// Serves until the task is cancelled; then it takes no more connections and finishes what was begun.
    /// - Parameter onReady: called once, with the port of the admin address.
    /// - Throws: `ListenError` when the admin address cannot be listened on.
    package func run(onReady: @escaping @Sendable (Int?) async -> Void = { _ in }) async throws {
        let admin = try await configuration.admin.asyncMap { admin in
            do {
                return try await AdminServer(core) { self.metrics }.bind(admin.host, admin.port)
            } catch let error as IOError {
                throw ListenError(error, host: admin.host, port: admin.port, option: "--admin-listen")
            }
        }
        await onReady(admin?.localAddress?.port)
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            core.publishActivity()
        }
        await drain()
        core.activity.end()
        try? await admin?.close()
        await closeAll()
    }

    private func drain() async {
        let listeners = state.withLock { state in
            defer { state.listeners = [:] }
            state.isStopped = true
            return Array(state.listeners.values)
        }
        for listener in listeners { await listener.close() }
        core.leave()
        let deadline = Instant.now + configuration.drain
        while core.clientCount > 0, Instant.now < deadline {
            // The task is cancelled: its sleep would end at once.
            let pause = core.loops[0].scheduleTask(in: .milliseconds(20)) {}
            try? await pause.futureResult.get()
        }
    }

    private func closeAll() async {
        core.stop()
        for loop in core.loops {
            try? await loop.submit { self.core.worker(loop).close() }.get()
        }
        core.closeClients()
    }
}

extension Optional {
    fileprivate func asyncMap<Value>(_ body: (Wrapped) async throws -> Value) async rethrows -> Value? {
        if let self { try await body(self) } else { nil }
    }
}
