// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

extension ServingManifests {
    /// To which Service how much goes.
    package struct Backend: Sendable, Hashable {
        package var service: String
        package var weight: Int
        package var hasGRPC: Bool

        package init(service: String, weight: Int, hasGRPC: Bool) {
            self.service = service
            self.weight = weight
            self.hasGRPC = hasGRPC
        }
    }

    /// KServe's, in seconds.
    private static let defaultTimeout = 60

    /// The route of an InferenceService.
    ///
    /// - Parameters:
    ///   - predictors: the revisions with their shares.
    ///   - transformer: its Service, which then gets all but what is for the explainer.
    ///   - explainer: its Service.
    ///   - service: what is declared.
    ///   - configuration: domain and gateway.
    ///   - owner: the InferenceService.
    /// - Returns: the HTTPRoute.
    package static func route(
        predictors: [Backend], transformer: Backend?, explainer: Backend?, of service: ServingSpec,
        _ configuration: ServingConfiguration, owner: KubeObject
    ) -> KubeObject {
        var object = child(httpRoutes, service.name, service, owner)
        object.labels = [ServingNames.service: service.name, ServingNames.managed: "true"]
        let timeout = (service.transformer ?? service.predictor).timeout.map { Int($0 / .seconds(1)) } ?? defaultTimeout
        let main = transformer.map { [$0] } ?? predictors
        var rules: [JSONValue] = []
        if let explainer {
            let path: JSONValue = ["type": "RegularExpression", "value": "^/v1/models/[^/]+:explain$"]
            rules.append(rule([["path": path]], [explainer], ServingNames.servicePort, service, timeout))
        }
        if main.contains(where: \.hasGRPC) {
            let header: JSONValue = [
                "type": "RegularExpression", "name": "content-type", "value": "application/grpc.*",
            ]
            rules.append(
                rule(
                    [["headers": [header], "path": ["type": "PathPrefix", "value": "/"]]], main.filter(\.hasGRPC),
                    ServingNames.grpcPort, service, timeout))
        }
        rules.append(
            rule(
                [["path": ["type": "PathPrefix", "value": "/"]]], main, ServingNames.servicePort, service, timeout))
        object.spec = [
            "parentRefs": [
                [
                    "group": "gateway.networking.k8s.io", "kind": "Gateway",
                    "namespace": .string(configuration.gateway.namespace), "name": .string(configuration.gateway.name),
                ]
            ],
            "hostnames": [.string(configuration.host(service.name, service.namespace))],
            "rules": .array(rules),
        ]
        return object
    }

    private static func rule(
        _ matches: [JSONValue], _ backends: [Backend], _ port: Int, _ service: ServingSpec, _ timeout: Int
    ) -> JSONValue {
        let header = { (name: String, value: String) -> JSONValue in ["name": .string(name), "value": .string(value)] }
        return [
            "matches": .array(matches),
            "filters": [
                [
                    "type": "RequestHeaderModifier",
                    "requestHeaderModifier": [
                        "set": [
                            header("KServe-Isvc-Name", service.name),
                            header("KServe-Isvc-Namespace", service.namespace),
                        ]
                    ],
                ]
            ],
            "backendRefs": .array(
                backends.map { backend in
                    [
                        "group": "", "kind": "Service", "name": .string(backend.service), "port": JSONValue(port),
                        "weight": JSONValue(backend.weight),
                    ]
                }),
            "timeouts": ["request": .string("\(timeout)s")],
            // To ask a model twice does no harm: a pod that ends meanwhile is not noticed.
            "retry": ["attempts": 2, "backoff": "50ms", "codes": [502, 503]],
        ]
    }

    /// Whether a gateway took a route on, and if not why; nil where none has looked at it yet.
    package static func acceptance(of route: KubeObject?) -> (isReady: Bool, reason: String, message: String)? {
        guard let parents = route?.status["parents"].elements, !parents.isEmpty else { return nil }
        for parent in parents {
            for type in ["Accepted", "ResolvedRefs"] {
                let condition = Conditions.find(type, in: parent)
                if condition["status"].string == "False" {
                    return (false, condition["reason"].string ?? type, condition["message"].string ?? "")
                }
            }
        }
        guard parents.contains(where: { Conditions.isTrue("Accepted", in: $0) }) else { return nil }
        return (true, "", "")
    }
}
