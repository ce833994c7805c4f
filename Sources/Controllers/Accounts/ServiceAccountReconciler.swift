// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Gives each namespace its `default` service account and, when the cluster's CA is known, the ConfigMap
/// `kube-root-ca.crt`. Tokens are asked for by the node agent.
struct ServiceAccountReconciler: Reconciler {
    private static let account = "default"
    private static let certificate = "kube-root-ca.crt"

    let client: KubeClient
    let namespaces: Informer
    let accounts: Informer
    let configMaps: Informer
    let rootCertificate: String?

    init(_ context: ControllerContext) {
        client = context.client("service-account-controller")
        namespaces = context.informers.informer(.namespaces)
        accounts = context.informers.informer(.serviceAccounts)
        configMaps = context.informers.informer(.configMaps)
        rootCertificate = context.configuration.rootCertificate
    }

    var sources: [Controller.Source] {
        [
            .objects(of: namespaces),
            Controller.Source(accounts) { event in
                guard case .deleted(let object) = event, object.name == Self.account else { return [] }
                return [ObjectKey(namespace: "", name: object.namespace)]
            },
            Controller.Source(configMaps) { event in
                if case .added = event { return [] }
                guard event.object.name == Self.certificate else { return [] }
                return [ObjectKey(namespace: "", name: event.object.namespace)]
            },
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let namespace = namespaces.get(key), !namespace.isBeingDeleted else { return .done }
        // The certificate first: as soon as there is an account, pods are admitted that mount it.
        try await publishCertificate(in: key.name)
        if accounts.get(ObjectKey(namespace: key.name, name: Self.account)) == nil {
            let account = KubeObject(.serviceAccounts, namespace: key.name, name: Self.account)
            try await create(.serviceAccounts, account)
        }
        return .done
    }

    private func publishCertificate(in namespace: String) async throws {
        guard let rootCertificate else { return }
        let data: JSONValue = ["ca.crt": .string(rootCertificate)]
        if var map = configMaps.get(ObjectKey(namespace: namespace, name: Self.certificate)) {
            guard map["data"] != data else { return }
            map["data"] = data
            _ = try await client.update(.configMaps, map)
        } else {
            var map = KubeObject(.configMaps, namespace: namespace, name: Self.certificate)
            map.annotations["kubernetes.io/description"] =
                "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints "
                + "such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across "
                + "distributions of Kubernetes clusters."
            map["data"] = data
            try await create(.configMaps, map)
        }
    }

    private func create(_ resource: KubeResource, _ object: KubeObject) async throws {
        do {
            _ = try await client.create(resource, object)
        } catch let error as StatusError where error.isAlreadyExists || error.isNamespaceTerminating {
            return
        }
    }
}
