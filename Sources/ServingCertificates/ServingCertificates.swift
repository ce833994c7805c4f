// SPDX-License-Identifier: Apache-2.0
import ControllerRuntime
package import KubeAPI
package import KubeClient
package import Logging

/// Gives pods and gateways certificates for TLS between them: of an authority in a Secret, in a Secret NAME-tls for each
/// Service and Gateway that asks for one, made anew at two thirds of their life.
package struct ServingCertificates: Sendable {
    private static let gateways = KubeResource(
        group: "gateway.networking.k8s.io", version: "v1", plural: "gateways", kind: "Gateway")

    private let client: KubeClient
    private let authority: ObjectKey
    private let namespace: String
    private let logger: Logger

    /// - Parameters:
    ///   - client: of the Kubernetes API server.
    ///   - authority: the authority's Secret, made where it is not there; its namespace must be.
    ///   - namespace: only objects of this one; empty for all.
    ///   - logger: told of what is made.
    package init(
        client: KubeClient, authority: ObjectKey = ObjectKey(namespace: "kserve", name: "serving-ca"),
        namespace: String = "", logger: Logger
    ) {
        self.client = client
        self.authority = authority
        self.namespace = namespace
        self.logger = logger
    }

    /// Works until cancelled.
    package func run() async {
        let secrets = Informer(
            .secrets, client: client, namespace: namespace,
            selection: .init(labels: "app.kubernetes.io/managed-by=apus-serving-certificates"), logger: logger)
        await withDiscardingTaskGroup { group in
            group.addTask { await secrets.run() }
            for resource in [KubeResource.services, Self.gateways] {
                let objects = Informer(resource, client: client, namespace: namespace, logger: logger)
                let controller = Controller(
                    name: "\(resource.plural)-certificates",
                    sources: [.objects(of: objects), .owners(of: secrets, kind: resource.kind)],
                    reconciler: CertificateReconciler(
                        client: client, objects: objects, secrets: secrets, authority: authority, logger: logger),
                    workers: 1, logger: logger)
                group.addTask { await objects.run() }
                group.addTask { await controller.run() }
            }
        }
    }
}
