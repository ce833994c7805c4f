// SPDX-License-Identifier: Apache-2.0
package import ControllerRuntime
import KubeAPI
package import KubeClient
package import Logging

/// Kubernetes' core controllers, sharing one copy of the cluster. Each is a client of the API and of nothing else.
package struct ControllerManager: Sendable {
    /// The program that the controllers are upstream: the manager of the fields that they write.
    package static let program = "kube-controller-manager"

    private let context: ControllerContext
    private var controllers: [Controller]
    private let garbageCollector: GarbageCollector
    private let quotas: QuotaController

    /// - Parameters:
    ///   - client: makes a client with the rights of the controller of that name.
    ///   - logger: where failures of reconciliations are told.
    ///   - configuration: timing and limits.
    package init(
        client: @escaping @Sendable (String) -> KubeClient, logger: Logger,
        configuration: ControllerConfiguration = ControllerConfiguration()
    ) {
        let context = ControllerContext(client: client, logger: logger, configuration: configuration)
        self.context = context
        let informers = context.informers
        let replicaSet = ReplicaSetReconciler(context)
        let deployment = DeploymentReconciler(context)
        let endpoint = EndpointReconciler(context)
        let mirror = EndpointMirrorReconciler(context)
        let namespace = NamespaceReconciler(context)
        let account = ServiceAccountReconciler(context)
        let node = NodeReconciler(context)
        let podCollector = PodCollector(context)
        let roles = ClusterRoleAggregator(context)
        garbageCollector = GarbageCollector(context)
        quotas = QuotaController(context)
        func controller(_ name: String, _ sources: [Controller.Source], _ reconciler: any Reconciler) -> Controller {
            Controller(name: name, sources: sources, reconciler: reconciler, logger: logger)
        }
        controllers = [
            controller("replicaset-controller", replicaSet.sources(informers), replicaSet),
            controller("deployment-controller", deployment.sources(informers), deployment),
            controller("endpointslice-controller", endpoint.sources(informers), endpoint),
            controller(EndpointMirrorReconciler.name, mirror.sources(informers), mirror),
            controller("namespace-controller", namespace.sources(informers), namespace),
            controller("service-account-controller", account.sources, account),
            controller("node-controller", node.sources(informers), node),
            controller("pod-garbage-collector", podCollector.sources(podIndex: context.podIndex), podCollector),
            controller(ClusterRoleAggregator.name, roles.sources, roles),
        ]
        controllers += Self.workloads(context)
        controllers += Self.resources(context)
    }

    /// What the queues of the controllers have done until now, by name.
    package var queues: [(name: String, statistics: QueueStatistics)] {
        var queues = controllers.map { ($0.name, $0.statistics) }
        queues.append(("garbage-collector", garbageCollector.statistics))
        if let statistics = quotas.statistics { queues.append(("resourcequota-controller", statistics)) }
        return queues.sorted { $0.0 < $1.0 }
    }

    /// Runs all controllers until cancelled.
    package func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await context.informers.run() }
            group.addTask { await context.runEvents() }
            group.addTask { await garbageCollector.run() }
            group.addTask { await quotas.run() }
            for controller in controllers { group.addTask { await controller.run() } }
        }
    }
}
