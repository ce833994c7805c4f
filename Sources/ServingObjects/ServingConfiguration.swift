// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// What is the same for all InferenceServices, from the ConfigMap `kserve/inferenceservice-config`, key `ingress`.
///
/// Source: kserve/kserve, pkg/apis/serving/v1beta1/configmap.go.
package struct ServingConfiguration: Sendable, Hashable {
    package static let map = ObjectKey(namespace: "kserve", name: "inferenceservice-config")

    /// Hosts are NAME-NAMESPACE.DOMAIN. Every name below `localhost` leads to this machine.
    package var domain = "localhost"
    package var scheme = "http"
    /// The Gateway that routes are attached to.
    package var gateway = ObjectKey(namespace: "kserve", name: "kserve-ingress-gateway")
    /// Whether HTTPRoutes are made.
    package var hasIngress = true
    /// Headers that graphs pass on (regular expressions).
    package var propagatedHeaders: [String] = []

    package init() {}

    /// What is wrong or missing has its default.
    package init(_ map: KubeObject?) {
        guard let map else { return }
        if let ingress = map["data"]["ingress"].string.flatMap({ try? JSONParser.parse($0) }) {
            domain = ingress["ingressDomain"].string.flatMap { $0.isEmpty ? nil : $0 } ?? domain
            scheme = ingress["urlScheme"].string.flatMap { $0.isEmpty ? nil : $0 } ?? scheme
            hasIngress = !(ingress["disableIngressCreation"].bool ?? false)
            if let name = ingress["kserveIngressGateway"].string {
                let parts = name.split(separator: "/").map(String.init)
                if parts.count == 2 { gateway = ObjectKey(namespace: parts[0], name: parts[1]) }
            }
        }
        if let router = map["data"]["router"].string.flatMap({ try? JSONParser.parse($0) }) {
            propagatedHeaders = router["headers"]["propagate"].elements.compactMap(\.string)
        }
    }

    /// `NAME-NAMESPACE.DOMAIN`.
    package func host(_ name: String, _ namespace: String) -> String { "\(name)-\(namespace).\(domain)" }
}
