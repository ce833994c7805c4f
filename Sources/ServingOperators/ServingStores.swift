// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Logging
import ServingObjects

/// Local copies of the collections that serving is declared in and made of.
struct ServingStores: Sendable {
    static let runtimes = KubeResource(
        group: ServingNames.group, version: "v1alpha1", plural: "servingruntimes", kind: "ServingRuntime")
    static let clusterRuntimes = KubeResource(
        group: ServingNames.group, version: "v1alpha1", plural: "clusterservingruntimes",
        kind: "ClusterServingRuntime", isNamespaced: false)
    static let trainedModels = KubeResource(
        group: ServingNames.group, version: "v1alpha1", plural: "trainedmodels", kind: "TrainedModel")
    static let graphs = KubeResource(
        group: ServingNames.group, version: "v1alpha1", plural: "inferencegraphs", kind: "InferenceGraph")

    let services: Informer
    let namespacedRuntimes: Informer
    let clusterWideRuntimes: Informer
    let models: Informer
    let graphObjects: Informer
    let deployments: Informer
    let serviceObjects: Informer
    let podObjects: Informer
    let autoscalers: Informer
    let routes: Informer
    let maps: Informer
    let modelMaps: Informer
    let accounts: Informer
    let secrets: Informer
    let grace: Duration

    init(client: KubeClient, namespace: String, grace: Duration, logger: Logger) {
        func informer(_ resource: KubeResource, _ labels: String? = nil, fields: String? = nil) -> Informer {
            Informer(
                resource, client: client, namespace: resource.isNamespaced ? namespace : "",
                selection: .init(labels: labels, fields: fields), logger: logger)
        }
        self.grace = grace
        let mine = ServingNames.managed
        services = informer(ServiceReconciler.resource)
        namespacedRuntimes = informer(Self.runtimes)
        clusterWideRuntimes = informer(Self.clusterRuntimes)
        models = informer(Self.trainedModels)
        graphObjects = informer(Self.graphs)
        deployments = informer(.deployments, mine)
        serviceObjects = informer(.services, mine)
        podObjects = informer(.pods, mine)
        autoscalers = informer(ServingManifests.horizontalPodAutoscalers, mine)
        routes = informer(ServingManifests.httpRoutes, mine)
        modelMaps = informer(.configMaps, mine)
        maps = Informer(
            .configMaps, client: client, namespace: ServingConfiguration.map.namespace,
            selection: .init(fields: "metadata.name=\(ServingConfiguration.map.name)"), logger: logger)
        accounts = informer(.serviceAccounts)
        secrets = informer(.secrets, fields: "type=Opaque")
    }

    /// Those without which nothing can be done.
    var needed: [Informer] {
        [
            services, namespacedRuntimes, clusterWideRuntimes, models, graphObjects, deployments, serviceObjects,
            podObjects, autoscalers, maps, modelMaps, accounts, secrets,
        ]
    }

    var configuration: ServingConfiguration { ServingConfiguration(maps.get(ServingConfiguration.map)) }

    /// The runtime of a predictor's model; nil for containers of its own.
    func runtime(
        of component: ComponentSpec, _ namespace: String, isMultiModel: Bool = false
    ) throws(SpecFault) -> ServingRuntimeSpec? {
        guard let model = component.model else { return nil }
        return try RuntimeChoice.choose(
            model, namespaced: usable(namespacedRuntimes.list(namespace: namespace)),
            cluster: usable(clusterWideRuntimes.list()), isMultiModel: isMultiModel)
    }

    private func usable(_ objects: [KubeObject]) -> [ServingRuntimeSpec] {
        objects.compactMap { try? ServingRuntimeSpec($0) }
    }

    /// Whether a service gets its models by TrainedModels: it has none of its own.
    func isMultiModel(_ spec: ServingSpec) -> Bool {
        guard let model = spec.predictor.model, model.uri == nil else { return false }
        guard let name = model.runtime else { return true }
        let all =
            usable(namespacedRuntimes.list(namespace: spec.namespace)) + usable(clusterWideRuntimes.list())
        return all.first { $0.name == name }?.isMultiModel ?? false
    }

    func pods(of revision: String, _ namespace: String) -> [KubeObject] {
        podObjects.list(
            namespace: namespace, matching: LabelSelector(matchLabels: [ServingNames.revision: revision]))
    }

    /// The environment that KServe makes of the Secrets of a service account: keys of an object store.
    ///
    /// Source: kserve/kserve, pkg/credentials/s3.
    func credentials(of spec: ServingSpec) -> [JSONValue] {
        let account = spec.predictor.podSpec["serviceAccountName"].string ?? "default"
        let key = ObjectKey(namespace: spec.namespace, name: account)
        let names = accounts.get(key)?["secrets"].elements.compactMap { $0["name"].string } ?? []
        for name in names {
            guard let secret = secrets.get(ObjectKey(namespace: spec.namespace, name: name)),
                !secret["data"]["AWS_ACCESS_KEY_ID"].isNull || !secret["data"]["awsAccessKeyID"].isNull
            else { continue }
            return S3Credentials.environment(secret)
        }
        return []
    }
}

/// Environment of S3's clients from a Secret with KServe's annotations.
enum S3Credentials {
    static func environment(_ secret: KubeObject) -> [JSONValue] {
        let isOld = secret["data"]["AWS_ACCESS_KEY_ID"].isNull
        func reference(_ variable: String, _ key: String) -> JSONValue {
            [
                "name": .string(variable),
                "valueFrom": ["secretKeyRef": ["name": .string(secret.name), "key": .string(key)]],
            ]
        }
        var environment = [
            reference("AWS_ACCESS_KEY_ID", isOld ? "awsAccessKeyID" : "AWS_ACCESS_KEY_ID"),
            reference("AWS_SECRET_ACCESS_KEY", isOld ? "awsSecretAccessKey" : "AWS_SECRET_ACCESS_KEY"),
        ]
        let notes = secret.annotations
        if let endpoint = notes["serving.kserve.io/s3-endpoint"], !endpoint.isEmpty {
            let scheme = notes["serving.kserve.io/s3-usehttps"] == "0" ? "http" : "https"
            let url = endpoint.contains("://") ? endpoint : "\(scheme)://\(endpoint)"
            environment.append(["name": "AWS_ENDPOINT_URL", "value": .string(url)])
        }
        if let region = notes["serving.kserve.io/s3-region"], !region.isEmpty {
            environment.append(["name": "AWS_REGION", "value": .string(region)])
        }
        return environment
    }
}
