// SPDX-License-Identifier: Apache-2.0
import AdmissionRules
import ApusCore
package import KubeAPI
import KubeStore
import Synchronization

extension APIServer {
    /// Makes what every cluster has: the first namespaces, the system's priority classes, and the service `kubernetes` in front of the API server.
    ///
    /// Idempotent. Call it once the server listens.
    /// - Parameters:
    ///   - host: address that the server listens on.
    ///   - port: port that it listens on.
    /// - Throws: when a write fails.
    package func bootstrap(host: String, port: Int) async throws(StatusError) {
        await resumeDefinitions()
        listenAddress.withLock { $0 = "https://\(host):\(port)" }
        for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
            try await ensureNamespace(name)
        }
        try await ensureServiceNetwork()
        for system in PriorityRules.system {
            var priorityClass = KubeObject(.priorityClasses, name: system.name)
            priorityClass["value"] = JSONValue(system.value)
            priorityClass["description"] = .string(system.description)
            try await ensure(priorityClass, .priorityClasses)
        }
        let labels = ["component": "apiserver", "provider": "kubernetes"]
        var service = KubeObject(.services, namespace: "default", name: "kubernetes")
        service.labels = labels
        service.spec = [
            "type": "ClusterIP", "clusterIP": .string(configuration.serviceNetwork.apiServerAddress),
            "ports": [["name": "https", "port": 443, "protocol": "TCP", "targetPort": JSONValue(port)]],
            "sessionAffinity": "None",
        ]
        try await ensure(service, .services) { present in
            present.spec["ports"] = service.spec["ports"]
        }
        var endpoints = KubeObject(.endpoints, namespace: "default", name: "kubernetes")
        endpoints.labels = ["endpointslice.kubernetes.io/skip-mirror": "true"]
        endpoints["subsets"] = [
            [
                "addresses": [["ip": .string(host)]],
                "ports": [["name": "https", "port": JSONValue(port), "protocol": "TCP"]],
            ]
        ]
        try await ensure(endpoints, .endpoints) { $0["subsets"] = endpoints["subsets"] }
        var slice = KubeObject(.endpointSlices, namespace: "default", name: "kubernetes")
        slice.labels = ["kubernetes.io/service-name": "kubernetes"]
        slice["addressType"] = "IPv4"
        slice["endpoints"] = [["addresses": [.string(host)], "conditions": ["ready": true]]]
        slice["ports"] = [["name": "https", "port": JSONValue(port), "protocol": "TCP"]]
        try await ensure(slice, .endpointSlices) { present in
            present["endpoints"] = slice["endpoints"]
            present["ports"] = slice["ports"]
        }
    }

    func ensureNamespace(_ name: String) async throws(StatusError) {
        try await ensure(KubeObject(.namespaces, name: name), .namespaces)
    }

    /// The network that cluster IPs come from, as an object.
    private func ensureServiceNetwork() async throws(StatusError) {
        var network = KubeObject(.serviceCIDRs, name: "kubernetes")
        network.spec["cidrs"] = [.string(configuration.serviceNetwork.text)]
        try await ensure(network, .serviceCIDRs)
        let now = now()
        try await ensure(network, .serviceCIDRs, subresource: "status") { present in
            guard present.status["conditions"].isEmpty else { return }
            Conditions.set("Ready", "True", now: now, in: &present.status)
            present.status["conditions"] = .array(
                present.status["conditions"].elements.map { condition in
                    var condition = condition
                    condition["reason"] = "DefaultServiceCIDR"
                    condition["message"] = "addresses of services come from this network"
                    return condition
                })
        }
    }

    /// Creates an object, or changes the one that is there.
    private func ensure(
        _ object: KubeObject, _ resource: KubeResource, subresource: String = "",
        change: (inout KubeObject) -> Void = { _ in }
    ) async throws(StatusError) {
        guard let declaration = registry.declaration(resource) else { return }
        let call = ResourceCall(
            request: KubeRequest(method: "POST", path: "", userAgent: "kube-apiserver"), user: .component("apiserver"),
            declaration: declaration,
            namespace: object.namespace, name: object.name, subresource: "", form: .object, isDryRun: false)
        do throws(StatusError) {
            _ = try await create(object, call)
        } catch {
            guard error.isAlreadyExists || store.get(call.key) != nil else { throw error }
            var call = call
            call.subresource = subresource
            _ = try await modify(call) { old throws(StatusError) in
                var new = old
                change(&new)
                return new
            }
        }
    }
}
