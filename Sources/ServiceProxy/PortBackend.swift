// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

/// What the listeners of one service port share: the balancer, and the means to reach endpoints.
final class PortBackend: Sendable {
    let configuration: ProxyConfiguration
    let counters: ProxyCounters
    private let balancer: Mutex<Balancer>
    private let start = ContinuousClock.now

    init(_ port: ServicePort, configuration: ProxyConfiguration, counters: ProxyCounters) {
        self.configuration = configuration
        self.counters = counters
        balancer = Mutex(Balancer(endpoints: port.endpoints, affinityTimeout: port.affinityTimeout))
    }

    func update(_ port: ServicePort) {
        balancer.withLock { $0.update(endpoints: port.endpoints, affinityTimeout: port.affinityTimeout) }
    }

    func pick(client: SocketAddress?, excluding excluded: Set<ProxyEndpoint> = []) -> ProxyEndpoint? {
        balancer.withLock { $0.pick(client: client?.ipAddress ?? "", excluding: excluded, now: now) }
    }

    func failed(_ endpoint: ProxyEndpoint) {
        counters.connectFailed()
        balancer.withLock { $0.failed(endpoint, now: now) }
    }

    func connected(_ endpoint: ProxyEndpoint) { balancer.withLock { $0.connected(endpoint) } }

    private var now: Duration { ContinuousClock.now - start }
}
