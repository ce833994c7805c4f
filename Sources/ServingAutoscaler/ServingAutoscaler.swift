// SPDX-License-Identifier: Apache-2.0
import ApusCore
import AsyncHTTPClient
import ControllerRuntime
package import GatewayRules
import KubeAPI
package import KubeClient
package import Logging
import NIOCore

/// Scales what requests, lag and queries ask for: Deployments with Knative's annotations, and KEDA's ScaledObjects.
package struct ServingAutoscaler: Sendable {
    package struct Configuration: Sendable {
        /// Admin addresses of gateways, such as `http://127.0.0.1:8081`; others are found by their Leases.
        package var gateways: [String] = []
        /// Only objects of this one; empty for all.
        package var namespace = ""
        /// Where ConfigMap config-autoscaler is.
        package var settingsNamespace = "knative-serving"
        /// Between two decisions.
        package var interval: Duration = .seconds(2)

        package init() {}
    }

    private let client: KubeClient
    private let configuration: Configuration
    private let logger: Logger
    private let onActivity: @Sendable (UpstreamActivity) -> Void

    /// - Parameters:
    ///   - client: of the Kubernetes API server.
    ///   - configuration: what to see to.
    ///   - logger: told of what is done; at level debug of each decision.
    ///   - onActivity: told of all that gateways tell, for those who decide by it too; must return quickly.
    package init(
        client: KubeClient, configuration: Configuration, logger: Logger,
        onActivity: @escaping @Sendable (UpstreamActivity) -> Void = { _ in }
    ) {
        self.client = client
        self.configuration = configuration
        self.logger = logger
        self.onActivity = onActivity
    }

    /// Works until cancelled.
    package func run() async {
        var settings = HTTPClient.Configuration()
        settings.httpVersion = .http1Only
        settings.timeout = .init(connect: .seconds(2))
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
        let deployments = Informer(
            .deployments, client: client, namespace: configuration.namespace, logger: logger)
        let data = Informer(
            .configMaps, client: client, namespace: configuration.settingsNamespace,
            selection: .init(fields: "metadata.name=config-autoscaler"), logger: logger)
        let leases = Informer(
            GatewayLease.resource, client: client, selection: .init(labels: GatewayLease.label), logger: logger)
        let keeper = KPAKeeper(
            client: client, deployments: deployments, configuration: data, interval: configuration.interval,
            logger: logger)
        let directory = GatewayDirectory(leases: leases, fixed: configuration.gateways)
        let scaled = ScaledObjects(client: client, namespace: configuration.namespace, http: http, logger: logger)
        await withDiscardingTaskGroup { group in
            for informer in [deployments, data, leases] { group.addTask { await informer.run() } }
            group.addTask { await keeper.run() }
            group.addTask { await scaled.run() }
            group.addTask { [logger, onActivity] in
                await directory.follow { gateway in
                    let follower = ActivityFollower(http: http, gateway: gateway, logger: logger) { activity in
                        if let activity { onActivity(activity) }
                        await keeper.take(activity, from: gateway)
                    } connected: {
                        await keeper.connected(gateway)
                    }
                    await follower.run()
                }
            }
        }
        try? await http.shutdown()
    }
}
