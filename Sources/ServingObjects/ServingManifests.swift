// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// The objects that an InferenceService is made of, as they are applied.
package enum ServingManifests {
    package static let httpRoutes = KubeResource(
        group: "gateway.networking.k8s.io", version: "v1", plural: "httproutes", kind: "HTTPRoute")
    package static let horizontalPodAutoscalers = KubeResource(
        group: "autoscaling", version: "v2", plural: "horizontalpodautoscalers", kind: "HorizontalPodAutoscaler")

    /// A Deployment and its Service of one revision, or of a component that has none.
    package struct Workload: Sendable, Hashable {
        package var name: String
        package var component: ServingComponent
        package var template: PodTemplate
        package var scaling: Scaling
        /// Annotations of the Deployment: what a rollout keeps there.
        package var notes: [String: String] = [:]
        /// Pods, where the operator itself says how many; nil: an autoscaler does.
        package var replicas: Int?

        package init(name: String, component: ServingComponent, template: PodTemplate, scaling: Scaling) {
            self.name = name
            self.component = component
            self.template = template
            self.scaling = scaling
            replicas = scaling.fixed
        }
    }

    package static func labels(_ service: ServingSpec, _ component: ServingComponent) -> [String: String] {
        [
            ServingNames.service: service.name, ServingNames.component: component.rawValue,
            ServingNames.managed: "true",
        ]
    }

    /// The pods of a workload.
    package static func deployment(_ workload: Workload, of service: ServingSpec, owner: KubeObject) -> KubeObject {
        var object = child(.deployments, workload.name, service, owner)
        var labels = labels(service, workload.component)
        labels[ServingNames.revision] = workload.name
        object.labels = labels
        var annotations = workload.scaling.annotations
        annotations.merge(workload.notes) { $1 }
        object.annotations = annotations
        var podLabels = workload.template.labels
        podLabels.merge(labels) { $1 }
        podLabels["app"] = podLabels["app"] ?? "isvc.\(workload.name)"
        object.spec = [
            "replicas": workload.replicas.map { JSONValue($0) } ?? nil,
            "progressDeadlineSeconds": 600,
            "strategy": ["type": "RollingUpdate", "rollingUpdate": ["maxSurge": "25%", "maxUnavailable": 0]],
            "selector": ["matchLabels": [ServingNames.revision: .string(workload.name)]],
            "template": [
                "metadata": [
                    "labels": JSONValue(podLabels),
                    "annotations": workload.template.annotations.isEmpty
                        ? nil : JSONValue(workload.template.annotations),
                ],
                "spec": workload.template.spec,
            ],
        ]
        return object
    }

    /// Leads to the pods of a workload, or, under another name, to those of the revision that has the traffic.
    package static func service(
        _ workload: Workload, named name: String? = nil, of service: ServingSpec, owner: KubeObject
    ) -> KubeObject {
        var object = child(.services, name ?? workload.name, service, owner)
        var labels = labels(service, workload.component)
        labels[ServingNames.revision] = workload.name
        object.labels = labels
        if name == nil {
            object.annotations = [
                // Also without an autoscaler: a gateway may hear of a route before it hears of the pods.
                ServingNames.fromZero: "true", ServingNames.holdTimeout: workload.scaling.wakes ? "60s" : "10s",
                ServingNames.revision: workload.name,
                ServingNames.concurrency: String(workload.scaling.concurrency),
                ServingNames.readyPath: workload.template.readyPath,
            ]
        }
        var ports: [JSONValue] = [
            [
                "name": "http", "port": JSONValue(ServingNames.servicePort), "protocol": "TCP",
                "targetPort": JSONValue(workload.template.restPort),
            ]
        ]
        if let port = workload.template.grpcPort {
            ports.append([
                "name": "grpc", "port": JSONValue(ServingNames.grpcPort), "protocol": "TCP",
                "targetPort": JSONValue(port), "appProtocol": "kubernetes.io/h2c",
            ])
        }
        object.spec = [
            "type": "ClusterIP", "ports": .array(ports), "selector": [ServingNames.revision: .string(workload.name)],
        ]
        return object
    }

    /// A HorizontalPodAutoscaler, where pods are scaled by CPU or memory.
    package static func autoscaler(_ workload: Workload, of service: ServingSpec, owner: KubeObject) -> KubeObject? {
        guard case .resource(let metric, let target) = workload.scaling.by else { return nil }
        var object = child(horizontalPodAutoscalers, workload.name, service, owner)
        object.labels = labels(service, workload.component)
        object.spec = [
            "scaleTargetRef": [
                "apiVersion": "apps/v1", "kind": "Deployment", "name": .string(workload.name),
            ],
            "minReplicas": JSONValue(max(1, workload.scaling.minimum)),
            "maxReplicas": JSONValue(max(1, workload.scaling.maximum, workload.scaling.minimum)),
            "metrics": [
                [
                    "type": "Resource",
                    "resource": [
                        "name": .string(metric),
                        "target": ["type": "Utilization", "averageUtilization": JSONValue(target)],
                    ],
                ]
            ],
        ]
        return object
    }

    static func child(
        _ resource: KubeResource, _ name: String, _ service: ServingSpec, _ owner: KubeObject
    ) -> KubeObject {
        var object = KubeObject(resource, namespace: service.namespace, name: name)
        object.ownerReferences = [owner.controllerReference]
        return object
    }
}

extension ServingManifests {
    /// How many pods a workload has.
    package struct Scaling: Sendable, Hashable {
        package enum Source: Sendable, Hashable {
            /// The operator, or nobody.
            case fixed
            /// Knative's algorithm, by the gateway's activity.
            case requests(metric: String, target: Int?)
            /// A HorizontalPodAutoscaler.
            case resource(name: String, target: Int)
            /// Somebody else.
            case external
        }

        package var by: Source
        package var minimum: Int
        /// 0: no limit.
        package var maximum: Int
        package var concurrency: Int
        /// Knative's annotations, as declared.
        package var declared: [String: String]

        /// Source: kserve/kserve, pkg/controller/v1beta1/inferenceservice/reconcilers/autoscaler.
        package init(_ component: ComponentSpec, annotations: [String: String]) {
            minimum = component.minimum
            maximum = component.maximum
            concurrency = component.concurrency
            declared = annotations.merging(component.annotations) { $1 }
                .filter { $0.key.hasPrefix(ServingNames.scalingPrefix) }
            let isElastic =
                minimum == 0 || maximum > minimum || component.scaleMetric != nil || component.scaleTarget != nil
                || declared[ServingNames.scalingMetric] != nil || declared[ServingNames.maximumScale] != nil
                || declared[ServingNames.minimumScale] == "0"
            switch (annotations[ServingNames.autoscalerClass], component.scaleMetric) {
            case ("none", _): by = .fixed
            case ("external", _), ("keda", _): by = .external
            case ("hpa", let metric):
                by = .resource(name: metric == .memory ? "memory" : "cpu", target: component.scaleTarget ?? 80)
            case (_, .cpu?): by = .resource(name: "cpu", target: component.scaleTarget ?? 80)
            case (_, .memory?): by = .resource(name: "memory", target: component.scaleTarget ?? 80)
            case (_, let metric):
                by =
                    isElastic
                    ? .requests(metric: metric?.rawValue ?? "concurrency", target: component.scaleTarget) : .fixed
            }
        }

        /// A fixed number of pods.
        package init(fixed replicas: Int) {
            by = .fixed
            minimum = replicas
            maximum = replicas
            concurrency = 0
            declared = [:]
        }

        /// Pods, where nobody else says how many.
        package var fixed: Int? { by == .fixed ? minimum : nil }

        /// With how many it begins.
        package var initial: Int {
            max(1, minimum, declared[ServingNames.minimumScale].flatMap { Int($0) } ?? 0)
        }

        /// Whether it may have no pods and is woken by requests.
        package var wakes: Bool { if case .requests = by { true } else { false } }

        package var annotations: [String: String] {
            guard case .requests(let metric, let target) = by else { return [:] }
            var all = [
                ServingNames.scalingClass: ServingNames.knativeScaling, ServingNames.scalingMetric: metric,
                ServingNames.minimumScale: String(minimum), ServingNames.maximumScale: String(maximum),
                ServingNames.concurrency: String(concurrency),
            ]
            if let target { all[ServingNames.scalingTarget] = String(target) }
            all.merge(declared) { $1 }
            return all
        }
    }
}
