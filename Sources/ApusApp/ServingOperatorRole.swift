// SPDX-License-Identifier: Apache-2.0
import ApusCore
import GatewayRules
import KubeAPI
package import KubeClient
package import Logging
import ServiceHTTP
package import ServingAutoscaler
import ServingCertificates
package import ServingOperators

/// The operator of KServe's kinds, the autoscaler by requests, and the certificates of pods and gateways, together in the
/// foreground.
package struct ServingOperatorRole: Sendable {
    private let kubeconfig: Kubeconfig
    private let settings: ServingOperator.Settings
    private let autoscaling: ServingAutoscaler.Configuration
    private let logger: Logger

    /// - Parameters:
    ///   - kubeconfig: where the objects are.
    ///   - settings: of the operator.
    ///   - autoscaling: of the autoscaler.
    ///   - logger: for what happens.
    package init(
        kubeconfig: Kubeconfig, settings: ServingOperator.Settings, autoscaling: ServingAutoscaler.Configuration,
        logger: Logger
    ) {
        self.kubeconfig = kubeconfig
        self.settings = settings
        self.autoscaling = autoscaling
        self.logger = logger
    }

    /// Works until SIGTERM or SIGINT; `onReady` is called once with the API server's address.
    package func run(onReady: @escaping @Sendable (String) async -> Void) async throws {
        try await ForegroundOperator.run(kubeconfig, userAgent: "apus-serving-operator") { client in
            let traffic = TrafficLog(bounds: Histogram.seconds)
            let worker = ServingOperator(client: client, traffic: traffic, settings: settings, logger: logger)
            let scaler = ServingAutoscaler(client: client, configuration: autoscaling, logger: logger) { activity in
                traffic.record(activity)
            }
            let certificates = ServingCertificates(client: client, namespace: settings.namespace, logger: logger)
            await withDiscardingTaskGroup { group in
                group.addTask { await worker.run() }
                group.addTask { await scaler.run() }
                group.addTask { await certificates.run() }
                await onReady(kubeconfig.server)
            }
        }
    }
}

extension TrafficLog {
    /// What a gateway tells of an upstream: both ports of a revision's Service count.
    func record(_ activity: UpstreamActivity) {
        record(
            ObjectKey(namespace: activity.upstream.namespace, name: activity.upstream.service),
            Entry(
                time: Timestamp(nanoseconds: activity.time * 1_000_000), requests: activity.requests,
                failures: activity.failures, latencies: activity.latencies))
    }
}
