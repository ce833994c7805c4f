// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import ControllerRuntime
import Crypto
package import GatewayRules
import KubeAPI
package import KubeClient
package import Logging

/// Makes a gateway go by the objects of an API server: Gateway API, TrafficPolicy, Services and their EndpointSlices,
/// Secrets; and says in their statuses what became of them.
///
/// Start here: ``run(onSynced:)``. What objects mean is in `GatewayTranslator`, which is pure.
package struct GatewayController: Sendable {
    package struct Configuration: Sendable {
        /// GatewayClass.spec.controllerName of the classes that are served.
        package var controllerName = "serving.apus.dev/gateway"
        /// Where listeners of gateways without `spec.addresses` are bound.
        package var address = "0.0.0.0"
        /// What such gateways say in `status.addresses`.
        package var published = ["127.0.0.1"]
        /// Other ports to bind than those of the listeners.
        package var ports: [Int: Int] = [:]
        /// The Lease by which autoscalers find the gateway, and its admin address; nil: none.
        package var lease: (namespace: String, name: String, address: String)?

        package init() {}

        /// That goes by it; for objects of a file, too.
        package func translator(now: Timestamp) -> GatewayTranslator {
            var translator = GatewayTranslator(now: now) { Array(SHA256.hash(data: $0)) }
            translator.controllerName = controllerName
            translator.address = address
            translator.published = published
            translator.ports = ports
            return translator
        }
    }

    /// How often ports that could not be had are tried.
    private static let again: Duration = .seconds(10)

    let client: KubeClient
    let configuration: Configuration
    let apply: @Sendable (GatewaySnapshot) async -> [Int: PortFault]
    let logger: Logger

    /// - Parameters:
    ///   - client: of the Kubernetes API server.
    ///   - configuration: what to see to.
    ///   - apply: gives the gateway its snapshot; why listeners do not work, by port.
    ///   - logger: told of what fails.
    package init(
        client: KubeClient, configuration: Configuration,
        apply: @escaping @Sendable (GatewaySnapshot) async -> [Int: PortFault],
        logger: Logger
    ) {
        self.client = client
        self.configuration = configuration
        self.apply = apply
        self.logger = logger
    }

    /// Works until cancelled.
    /// - Parameter onSynced: called once, when the gateway goes by all objects that there are.
    package func run(onSynced: @escaping @Sendable () async -> Void = {}) async {
        let watch = GatewayWatch(client: client, logger: logger)
        await withDiscardingTaskGroup { group in
            for informer in watch.informers { group.addTask { await informer.run() } }
            group.addTask { await renewLease() }
            let (changes, change) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
            let (reports, report) = AsyncStream<[GatewayTranslation.ObjectStatus]>.makeStream(
                bufferingPolicy: .bufferingNewest(1))
            group.addTask {
                await watch.waitUntilSynced()
                for informer in watch.informers { informer.onChange { _ in change.yield() } }
                change.yield()
                await follow(watch, changes, report: { report.yield($0) }, onSynced)
            }
            group.addTask {
                while (try? await Task.sleep(for: Self.again)) != nil { change.yield() }
            }
            // Apart from the snapshot: requests do not wait for statuses.
            group.addTask {
                let writer = StatusWriter(client: client, logger: logger)
                for await statuses in reports where await !writer.write(statuses) {
                    try? await Task.sleep(for: .seconds(1))
                    change.yield()
                }
            }
        }
    }

    private func follow(
        _ watch: GatewayWatch, _ changes: AsyncStream<Void>,
        report: @Sendable ([GatewayTranslation.ObjectStatus]) -> Void, _ onSynced: @Sendable () async -> Void
    ) async {
        var present: GatewaySnapshot?
        var faults: [Int: PortFault] = [:]
        for await _ in changes {
            let translator = configuration.translator(now: .now())
            let objects = watch.objects
            var translation = translator.translate(objects, faults: faults)
            // A port that was taken may be free now.
            if translation.snapshot != present || !faults.isEmpty {
                let found = await apply(translation.snapshot)
                if found != faults { translation = translator.translate(objects, faults: found) }
                faults = found
                if present == nil { await onSynced() }
                present = translation.snapshot
            }
            report(translation.statuses.filter(\.isChanged))
        }
    }

    private func renewLease() async {
        guard let lease = configuration.lease else { return }
        let key = ObjectKey(namespace: lease.namespace, name: lease.name)
        while !Task.isCancelled {
            let object = GatewayLease.object(key, address: lease.address, now: .now())
            do {
                try await StatusWriter.apply(client, GatewayLease.resource, object)
            } catch {
                logger.warning("the Lease \(key), by which autoscalers find this gateway, cannot be renewed: \(error)")
            }
            try? await Task.sleep(for: .seconds(10))
        }
    }
}
