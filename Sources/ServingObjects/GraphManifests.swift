// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// The objects that an InferenceGraph is made of: a router, its Service and its route.
package struct GraphManifests: Sendable {
    private let spec: InferenceGraphSpec
    private let router: JSONValue
    private let image: String
    private let configuration: ServingConfiguration
    private let owner: KubeObject

    /// - Parameters:
    ///   - spec: what is declared.
    ///   - router: the spec with the addresses of services, as the router gets it.
    ///   - image: of the router.
    ///   - configuration: domain, gateway, headers to pass on.
    ///   - owner: the InferenceGraph.
    package init(
        _ spec: InferenceGraphSpec, router: JSONValue, image: String, _ configuration: ServingConfiguration,
        owner: KubeObject
    ) {
        self.spec = spec
        self.router = router
        self.image = image
        self.configuration = configuration
        self.owner = owner
    }

    private var labels: [String: String] {
        [ServingNames.graph: spec.name, ServingNames.managed: "true"]
    }

    private func child(_ resource: KubeResource) -> KubeObject {
        var object = KubeObject(resource, namespace: spec.namespace, name: spec.name)
        object.ownerReferences = [owner.controllerReference]
        object.labels = labels
        return object
    }

    package var deployment: KubeObject {
        var object = child(.deployments)
        var pod = spec.podSpec
        var environment: [JSONValue] = [
            ["name": "POD_IP", "valueFrom": ["fieldRef": ["fieldPath": "status.podIP"]]]
        ]
        if !configuration.propagatedHeaders.isEmpty {
            environment.append([
                "name": "PROPAGATE_HEADERS", "value": .string(configuration.propagatedHeaders.joined(separator: ",")),
            ])
        }
        pod["containers"] = [
            [
                "name": "router", "image": .string(image), "imagePullPolicy": "IfNotPresent",
                "command": ["apus", "serve", "graph"],
                "args": ["--listen=$(POD_IP):\(ServingNames.restPort)", "--graph-json", .string(router.text)],
                "env": .array(environment),
                "ports": [["name": "http", "containerPort": JSONValue(ServingNames.restPort), "protocol": "TCP"]],
                "readinessProbe": [
                    "httpGet": ["path": "/readyz", "port": JSONValue(ServingNames.restPort)], "periodSeconds": 1,
                ],
                "resources": spec.resources.isNull
                    ? ["requests": ["cpu": "20m", "memory": "32Mi"], "limits": ["cpu": "1", "memory": "512Mi"]]
                    : spec.resources,
            ]
        ]
        let selector: JSONValue = [ServingNames.graph: .string(spec.name)]
        object.spec = [
            "replicas": JSONValue(max(1, spec.minimum)),
            "strategy": ["type": "RollingUpdate", "rollingUpdate": ["maxSurge": 1, "maxUnavailable": 0]],
            "selector": ["matchLabels": selector],
            "template": ["metadata": ["labels": JSONValue(labels)], "spec": pod],
        ]
        return object
    }

    package var service: KubeObject {
        var object = child(.services)
        object.spec = [
            "type": "ClusterIP", "selector": [ServingNames.graph: .string(spec.name)],
            "ports": [
                [
                    "name": "http", "port": JSONValue(ServingNames.servicePort), "protocol": "TCP",
                    "targetPort": JSONValue(ServingNames.restPort),
                ]
            ],
        ]
        return object
    }

    package var route: KubeObject {
        var object = child(ServingManifests.httpRoutes)
        let seconds = spec.timeout.map { Int($0 / .seconds(1)) } ?? 60
        object.spec = [
            "parentRefs": [
                [
                    "group": "gateway.networking.k8s.io", "kind": "Gateway",
                    "namespace": .string(configuration.gateway.namespace), "name": .string(configuration.gateway.name),
                ]
            ],
            "hostnames": [.string(configuration.host(spec.name, spec.namespace))],
            "rules": [
                [
                    "matches": [["path": ["type": "PathPrefix", "value": "/"]]],
                    "backendRefs": [
                        [
                            "group": "", "kind": "Service", "name": .string(spec.name),
                            "port": JSONValue(ServingNames.servicePort), "weight": 1,
                        ]
                    ],
                    "timeouts": ["request": .string("\(seconds)s")],
                ]
            ],
        ]
        return object
    }
}
