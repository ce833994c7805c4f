// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import ControllerRuntime
package import KubeAPI
import KubeClient
import ServingObjects

/// Runs an InferenceGraph as a router (`apus serve graph`) with a Service and a route.
package struct GraphReconciler: Reconciler {
    let client: KubeClient
    let stores: ServingStores
    let children: Children
    /// Container image of the router.
    let image: String

    package func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let object = stores.graphObjects.get(key), !object.isBeingDeleted else { return .done }
        let now = Timestamp.now()
        var status = object.status.isNull ? [:] : object.status
        status["observedGeneration"] = JSONValue(object.generation)
        do {
            let spec = try InferenceGraphSpec(object)
            let resolved = try resolve(spec, object)
            let manifests = GraphManifests(spec, router: resolved, image: image, stores.configuration, owner: object)
            try await children.apply(.services, manifests.service, present: stores.serviceObjects.get(key))
            let present = stores.deployments.get(key)
            let deployment = try await children.apply(.deployments, manifests.deployment, present: present)
            var route: KubeObject?
            if stores.configuration.hasIngress {
                do {
                    route = try await children.apply(
                        ServingManifests.httpRoutes, manifests.route, present: stores.routes.get(key))
                } catch let error as StatusError where error.isNotFound {}
            }
            let host = stores.configuration.host(spec.name, spec.namespace)
            status["url"] = .string("\(stores.configuration.scheme)://\(host)")
            status["deploymentMode"] = "Standard"
            let pods = ServingStatus.Observation.of(deployment)
            let ingress = stores.configuration.hasIngress ? ServingManifests.acceptance(of: route)?.isReady : true
            let isReady = pods.ready == "True" && ingress == true
            Conditions.set(
                "Ready", isReady ? "True" : pods.ready == "False" || ingress == false ? "False" : "Unknown",
                reason: isReady ? "" : pods.reason.isEmpty ? "RouteNotAccepted" : pods.reason,
                message: isReady ? "" : pods.message, now: now, in: &status)
        } catch let fault as SpecFault {
            Conditions.set(
                "Ready", "False", reason: fault.reason, message: fault.description, now: now, in: &status)
        }
        if status != object.status {
            var changed = object
            changed.status = status
            do {
                _ = try await client.updateStatus(ServingStores.graphs, changed)
            } catch let error as StatusError where error.isNotFound {}
        }
        return .done
    }

    /// The spec as the router gets it: each service with its address, for there may be no DNS.
    private func resolve(_ spec: InferenceGraphSpec, _ object: KubeObject) throws(SpecFault) -> JSONValue {
        var nodes = object.spec["nodes"]
        for (name, node) in spec.nodes {
            for (index, step) in node.steps.enumerated() {
                guard case .service(let service, _) = step.target else { continue }
                nodes[name]["steps"][index]["serviceUrl"] = .string(try address(of: service, spec.namespace))
            }
        }
        var resolved: JSONValue = ["nodes": nodes]
        for field in ["timeout", "routerTimeouts"] { resolved[field] = object.spec[field] }
        return resolved
    }

    private func address(of name: String, _ namespace: String) throws(SpecFault) -> String {
        guard let service = stores.services.get(ObjectKey(namespace: namespace, name: name)),
            let spec = try? ServingSpec(service)
        else {
            throw SpecFault(
                reason: "InferenceServiceNotFound",
                "there is no InferenceService '\(name)' in the namespace \(namespace)")
        }
        let entry = ServingNames.componentName(
            name, spec.transformer == nil ? .predictor : .transformer, predictorName: spec.predictorName)
        guard
            let ip = stores.serviceObjects.get(ObjectKey(namespace: namespace, name: entry))?.spec["clusterIP"].string,
            !ip.isEmpty
        else {
            throw SpecFault(reason: "InferenceServiceNotReady", "the InferenceService '\(name)' has no address yet")
        }
        let isSecond = spec.predictor.model?.protocolVersion.hasSuffix("v2") ?? false
        return isSecond ? "http://\(ip)/v2/models/\(name)/infer" : "http://\(ip)/v1/models/\(name):predict"
    }
}
