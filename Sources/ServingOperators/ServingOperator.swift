// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
package import KubeClient
package import Logging
import ServingObjects

/// Keeps models served as custom resources of the group serving.kserve.io declare, on any Kubernetes.
package struct ServingOperator: Sendable {
    package struct Settings: Sendable {
        /// Only objects of this one; empty for all.
        package var namespace = ""
        /// How long a revision that lost its traffic keeps its pods.
        package var grace: Duration = .seconds(10)
        /// How often revisions that are compared are looked at.
        package var interval: Duration = .milliseconds(500)
        /// Container image of graphs' routers.
        package var image = "apus:latest"

        package init() {}
    }

    private let client: KubeClient
    private let traffic: TrafficLog
    private let settings: Settings
    private let logger: Logger

    /// - Parameters:
    ///   - client: of the Kubernetes API server.
    ///   - traffic: what gateways tell; rollouts are decided by it.
    ///   - settings: how often, and where.
    ///   - logger: told of what is done and what fails.
    package init(client: KubeClient, traffic: TrafficLog, settings: Settings, logger: Logger) {
        self.client = client
        self.traffic = traffic
        self.settings = settings
        self.logger = logger
    }

    /// Works until cancelled.
    package func run() async {
        guard await areKindsServed() else { return }
        let stores = ServingStores(
            client: client, namespace: settings.namespace, grace: settings.grace, logger: logger)
        let children = Children(client: client)
        let services = services(stores, children)
        let models = models(stores, children)
        let graphs = graphs(stores, children)
        await withDiscardingTaskGroup { group in
            for informer in stores.needed { run(informer, in: &group) }
            // The Gateway API may not be there: then nothing else waits for it.
            group.addTask { await stores.routes.run() }
            stores.routes.onChange { event in
                guard let owner = event.object.controllerOwner else { return }
                let key = ObjectKey(namespace: event.object.namespace, name: owner.name)
                if owner.kind == ServiceReconciler.resource.kind { services.add(key) }
                if owner.kind == ServingStores.graphs.kind { graphs.add(key) }
            }
            for controller in [services, models, graphs] { group.addTask { await controller.run() } }
        }
    }

    private func services(_ stores: ServingStores, _ children: Children) -> Controller {
        let kind = ServiceReconciler.resource.kind
        let all = stores.services
        // What holds for all of them: runtimes and the configuration.
        func every(_ informer: Informer) -> Controller.Source {
            Controller.Source(informer) { event in
                all.list(
                    namespace: event.object.namespace == ServingConfiguration.map.namespace
                        && event.object.kind == "ConfigMap" ? "" : event.object.namespace
                ).map(\.key)
            }
        }
        let pods = Controller.Source(stores.podObjects) { event in
            event.object.labels[ServingNames.service].map {
                [ObjectKey(namespace: event.object.namespace, name: $0)]
            } ?? []
        }
        return Controller(
            name: "inferenceservice",
            sources: [
                .objects(of: all), .owners(of: stores.deployments, kind: kind),
                .owners(of: stores.serviceObjects, kind: kind), .owners(of: stores.autoscalers, kind: kind), pods,
                every(stores.namespacedRuntimes), every(stores.clusterWideRuntimes), every(stores.maps),
                Controller.Source(stores.accounts) { _ in [] }, Controller.Source(stores.secrets) { _ in [] },
            ],
            reconciler: ServiceReconciler(
                client: client, stores: stores, children: children, traffic: traffic,
                events: EventRecorder(client: client, component: "apus-serving"), grace: settings.grace,
                interval: settings.interval, logger: logger),
            workers: 4, logger: logger)
    }

    private func models(_ stores: ServingStores, _ children: Children) -> Controller {
        let models = Controller.Source(stores.models) { event in
            var names = [event.object.spec["inferenceService"].string]
            if case .updated(let old, _) = event { names.append(old.spec["inferenceService"].string) }
            return names.compactMap { $0 }.map { ObjectKey(namespace: event.object.namespace, name: $0) }
        }
        return Controller(
            name: "trainedmodel",
            sources: [
                models, .objects(of: stores.services),
                .owners(of: stores.modelMaps, kind: ServiceReconciler.resource.kind),
                Controller.Source(stores.clusterWideRuntimes) { _ in [] },
                Controller.Source(stores.namespacedRuntimes) { _ in [] },
            ],
            reconciler: TrainedModelReconciler(client: client, stores: stores, children: children), workers: 1,
            logger: logger)
    }

    private func graphs(_ stores: ServingStores, _ children: Children) -> Controller {
        let kind = ServingStores.graphs.kind
        let all = stores.graphObjects
        // A service that a graph calls may get its address now.
        let called = Controller.Source(stores.serviceObjects) { event in
            all.list(namespace: event.object.namespace).map(\.key)
        }
        return Controller(
            name: "inferencegraph",
            sources: [
                .objects(of: all), .owners(of: stores.deployments, kind: kind),
                .owners(of: stores.serviceObjects, kind: kind), called,
                Controller.Source(stores.services) { event in all.list(namespace: event.object.namespace).map(\.key) },
            ],
            reconciler: GraphReconciler(client: client, stores: stores, children: children, image: settings.image),
            workers: 2, logger: logger)
    }

    /// Keeps a copy of a collection, and says so when that cannot be: nothing is done until then.
    private func run(_ informer: Informer, in group: inout DiscardingTaskGroup) {
        group.addTask { await informer.run() }
        group.addTask { [logger] in
            guard (try? await Task.sleep(for: .seconds(20))) != nil, !informer.isSynced else { return }
            logger.warning(
                "\(informer.resource.qualifiedName) cannot be listed yet: apply deploy/serving (kinds and rights)")
        }
    }

    /// Waits until the kinds are there; false when cancelled.
    private func areKindsServed() async -> Bool {
        var backoff = Backoff()
        var hasSaid = false
        while !Task.isCancelled {
            do {
                let first = try await client.call("GET", "/apis/\(ServingNames.group)/v1beta1")["resources"].elements
                let second = try await client.call("GET", "/apis/\(ServingNames.group)/v1alpha1")["resources"].elements
                let names = Set((first + second).compactMap { $0["name"].string })
                if names.isSuperset(of: [
                    "inferenceservices", "servingruntimes", "clusterservingruntimes", "trainedmodels",
                    "inferencegraphs",
                ]) {
                    return true
                }
            } catch {
                logger.debug("the kinds of \(ServingNames.group) cannot be read: \(error)")
            }
            if !hasSaid {
                logger.warning("no kinds of \(ServingNames.group) yet: kubectl apply -f deploy/serving/crds.yaml")
                hasSaid = true
            }
            try? await Task.sleep(for: backoff.next())
        }
        return false
    }
}
