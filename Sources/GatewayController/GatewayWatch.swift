// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import GatewayRules
import KubeAPI
import KubeClient
import Logging

/// Copies of all objects that a gateway goes by.
struct GatewayWatch: Sendable {
    private static let serving = "serving.apus.dev"

    private static func resource(_ plural: String, _ kind: String, version: String = "v1", isNamespaced: Bool = true)
        -> KubeResource
    {
        KubeResource(
            group: GatewayObjects.group, version: version, plural: plural, kind: kind, isNamespaced: isNamespaced)
    }

    static let policies = KubeResource(
        group: serving, version: "v1alpha1", plural: "trafficpolicies", kind: "TrafficPolicy")
    static let custom = [
        resource("gatewayclasses", "GatewayClass", isNamespaced: false), resource("gateways", "Gateway"),
        resource("httproutes", "HTTPRoute"), resource("grpcroutes", "GRPCRoute"),
        resource("referencegrants", "ReferenceGrant", version: "v1beta1"),
        resource("backendtlspolicies", "BackendTLSPolicy"), policies,
    ]
    private static let core: [KubeResource] = [.services, .endpointSlices, .secrets, .configMaps, .namespaces]

    let informers: [Informer]
    private let client: KubeClient
    private let logger: Logger

    init(client: KubeClient, logger: Logger) {
        self.client = client
        self.logger = logger
        informers = (Self.custom + Self.core).map { Informer($0, client: client, logger: logger) }
    }

    /// Returns once all kinds that the API server has are listed. Others come in when they are there.
    func waitUntilSynced() async {
        var known: Set<String> = []
        for resource in Self.custom where !known.contains(resource.qualifiedName) {
            let list = try? await client.call("GET", resource.apiPath)
            known.formUnion(
                (list?["resources"].elements ?? []).compactMap { $0["name"].string.map { "\($0).\(resource.group)" } })
        }
        for informer in informers {
            let resource = informer.resource
            guard Self.core.contains(resource) || known.contains(resource.qualifiedName) else {
                logger.info("there is no kind \(resource.kind) yet: kubectl apply -f deploy/serving/gateway-api.yaml")
                continue
            }
            await informer.waitUntilSynced()
        }
    }

    /// As they are now.
    var objects: GatewayObjects {
        GatewayObjects(
            informers.flatMap { informer in
                informer.list().map { object in
                    // Items of a list of built-in kinds may come without it.
                    var object = object
                    if object.kind.isEmpty { object["kind"] = .string(informer.resource.kind) }
                    if object.apiVersion.isEmpty { object["apiVersion"] = .string(informer.resource.apiVersion) }
                    return object
                }
            })
    }
}
