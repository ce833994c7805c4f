// SPDX-License-Identifier: Apache-2.0
package import KubeAPI
package import NIOCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Why an address cannot be listened on.
package struct ListenError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ listener: ListenerKey, _ error: any Error) {
        let why =
            switch (error as? IOError)?.errnoCode {
            case EADDRINUSE: "another process listens there"
            case EADDRNOTAVAIL:
                "the address is not one of this machine; cluster IPs have to be in 127.0.0.0/8 for this proxy"
            case EACCES: "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE"
            case EMFILE, ENFILE: "too many files are open; raise the limit of open files"
            default: "\(error)"
            }
        description = "cannot listen on \(listener): \(why)"
    }
}

/// The listeners that run now.
package actor ProxyPorts {
    private struct Running {
        var service: ObjectKey
        var backend: PortBackend
        var channel: any Channel
    }

    private let group: any EventLoopGroup
    private let configuration: ProxyConfiguration
    private let counters = ProxyCounters()
    private var running: [ListenerKey: Running] = [:]

    /// - Parameters:
    ///   - group: carries the connections.
    ///   - configuration: limits and times.
    package init(group: any EventLoopGroup, configuration: ProxyConfiguration = ProxyConfiguration()) {
        self.group = group
        self.configuration = configuration
    }

    /// What has been done so far.
    package var statistics: ProxyStatistics {
        var statistics = counters.snapshot
        statistics.listeners = running.count
        return statistics
    }

    /// Makes the listeners of a service be those of its ports; returns the addresses that could not be listened on.
    ///
    /// A port without endpoints is not listened on, so that clients are refused at once, as with upstream's proxy. A
    /// listener that goes leaves its connections alone. Call it for one service at a time.
    package func apply(_ service: ObjectKey, _ ports: [ServicePort]) async -> [ListenError] {
        var failures: [ListenError] = []
        let usable = ports.filter { !$0.endpoints.isEmpty }
        let wanted = Set(usable.flatMap(\.listeners))
        for (key, listener) in running where listener.service == service && !wanted.contains(key) {
            running[key] = nil
            try? await listener.channel.close()
        }
        for port in usable {
            let known = port.listeners.lazy.compactMap { self.running[$0] }.first { $0.service == service }
            let backend = known?.backend ?? PortBackend(port, configuration: configuration, counters: counters)
            backend.update(port)
            for key in port.listeners {
                if let listener = running[key], listener.service == service, listener.channel.isActive {
                    listener.backend.update(port)
                    continue
                }
                do {
                    let channel = try await listen(key, backend)
                    running[key] = Running(service: service, backend: backend, channel: channel)
                } catch {
                    failures.append(ListenError(key, error))
                }
            }
        }
        return failures
    }

    /// Stops listening everywhere.
    package func closeAll() async {
        let channels = running.values.map(\.channel)
        running = [:]
        for channel in channels { try? await channel.close() }
    }

    private func listen(_ key: ListenerKey, _ backend: PortBackend) async throws -> any Channel {
        switch key.networkProtocol {
        case .tcp: try await TCPListener.bind(key.endpoint, to: backend, on: group)
        case .udp: try await UDPListener.bind(key.endpoint, to: backend, on: group)
        }
    }
}
