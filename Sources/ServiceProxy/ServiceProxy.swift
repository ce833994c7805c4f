// SPDX-License-Identifier: Apache-2.0
package import ControllerRuntime
package import KubeAPI
package import KubeClient
package import Logging
package import NIOCore
import NIOPosix
import Synchronization

/// Forwards what is sent to cluster IPs and NodePorts to the services' endpoints, in user space.
///
/// Follows Services and EndpointSlices through the API. Connections that were made go on when their endpoint leaves the
/// service, until one side ends them.
package final class ServiceProxy: Sendable {
    private let configuration: ProxyConfiguration
    private let logger: Logger
    private let services: Informer
    private let slices: Informer
    private let ports: ProxyPorts
    private let recorder: EventRecorder
    private let table: Mutex<ServiceTable>
    private let told = Mutex<[ObjectKey: [String]]>([:])

    /// - Parameters:
    ///   - client: of the API server.
    ///   - configuration: addresses, limits and times.
    ///   - eventLoopGroup: carries the connections.
    ///   - logger: for failures.
    package init(
        client: KubeClient, configuration: ProxyConfiguration = ProxyConfiguration(),
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, logger: Logger
    ) {
        self.configuration = configuration
        self.logger = logger
        services = Informer(.services, client: client, logger: logger)
        slices = Informer(.endpointSlices, client: client, logger: logger)
        ports = ProxyPorts(group: eventLoopGroup, configuration: configuration)
        recorder = EventRecorder(client: client, component: "service-proxy")
        table = Mutex(ServiceTable(nodePortAddress: configuration.nodePortAddress))
    }

    /// Works until cancelled; then stops listening, and lets connections end by themselves. Call it once.
    package func run() async throws {
        follow()
        let controller = Controller(
            name: "service-proxy",
            sources: [
                .objects(of: services),
                Controller.Source(slices) { event in
                    var slices = [event.object]
                    if case .updated(let old, _) = event { slices.append(old) }
                    return slices.compactMap(ServiceTable.service(of:))
                },
            ],
            reconciler: self, workers: 1, logger: logger)
        await withDiscardingTaskGroup { group in
            group.addTask { await self.services.run() }
            group.addTask { await self.slices.run() }
            group.addTask { await controller.run() }
        }
        await ports.closeAll()
    }

    /// Keeps the table; registered before the controller, so that it is up to date when a key is reconciled.
    private func follow() {
        services.onChange { [weak self] event in
            self?.table.withLock { table in
                if case .deleted(let service) = event {
                    table.removeService(service.key)
                } else {
                    table.setService(event.object)
                }
            }
        }
        slices.onChange { [weak self] event in
            self?.table.withLock { table in
                if case .deleted(let slice) = event {
                    table.removeSlice(slice.key)
                } else {
                    table.setSlice(event.object)
                }
            }
        }
    }
}

extension ServiceProxy: Reconciler {
    package func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        let failures = await ports.apply(key, table.withLock { $0.ports(of: key) }).map(\.description)
        let news = told.withLock { told in
            let news = failures.filter { !(told[key] ?? []).contains($0) }
            told[key] = failures.isEmpty ? nil : failures
            return news
        }
        for message in news {
            logger.warning("service \(key): \(message)")
            guard let service = services.get(key) else { continue }
            await recorder.warning(
                service, reason: "ListenFailed", "\(message). It is tried again every \(configuration.bindRetry).")
        }
        return failures.isEmpty ? .done : .after(configuration.bindRetry)
    }
}
