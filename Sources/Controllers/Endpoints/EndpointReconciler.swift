// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Publishes the pods behind each service with a selector, as EndpointSlices and as a legacy Endpoints object.
struct EndpointReconciler: Reconciler {
    let client: KubeClient
    let services: Informer
    let serviceIndex: ObjectIndex
    let endpoints: Informer
    let slices: ObjectIndex
    let pods: ObjectIndex

    init(_ context: ControllerContext) {
        client = context.client("endpointslice-controller")
        services = context.informers.informer(.services)
        serviceIndex = .byOwner(services)
        endpoints = context.informers.informer(.endpoints)
        slices = ObjectIndex(context.informers.informer(.endpointSlices)) { slice in
            guard let service = slice.labels[EndpointSlicePlan.serviceLabel] else { return [] }
            return ["\(slice.namespace)/\(service)"]
        }
        pods = context.podIndex
    }

    func sources(_ informers: InformerFactory) -> [Controller.Source] {
        [
            .objects(of: services),
            .objects(of: endpoints),
            Controller.Source(informers.informer(.endpointSlices)) { event in
                guard let service = event.object.labels[EndpointSlicePlan.serviceLabel] else { return [] }
                return [ObjectKey(namespace: event.object.namespace, name: service)]
            },
            Controller.Source(informers.informer(.pods)) { [serviceIndex] event in
                var labels = [event.object.labels]
                if case .updated(let old, let new) = event {
                    guard Self.facts(old) != Self.facts(new) else { return [] }
                    labels.append(old.labels)
                }
                return serviceIndex.all(in: event.object.namespace).filter { service in
                    let selector = service.spec["selector"].stringMembers
                    guard !selector.isEmpty else { return false }
                    let match = LabelSelector(matchLabels: selector)
                    return labels.contains(where: match.matches)
                }.map(\.key)
            },
        ]
    }

    /// What of a pod its endpoints depend on.
    private static func facts(_ pod: KubeObject) -> [JSONValue] {
        [
            pod.metadata["labels"], pod.status["podIP"], .bool(pod.isReadyPod), .bool(pod.isFinishedPod),
            .bool(pod.isBeingDeleted), pod.spec["nodeName"], .string(pod.uid),
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        guard let service = services.get(key), !service.isBeingDeleted else {
            try await removeAll(key)
            return .done
        }
        guard service.spec["type"].string != "ExternalName", !service.spec["selector"].isEmpty else { return .done }
        let computation = EndpointComputation(service: service, pods: pods.all(in: key.namespace))
        do {
            try await writeSlices(service, computation)
            try await writeEndpoints(service, computation)
        } catch let error as StatusError where error.isNamespaceTerminating {
            return .done
        }
        return .done
    }

    private func managedSlices(_ key: ObjectKey) -> [KubeObject] {
        slices.find("\(key.namespace)/\(key.name)").filter {
            $0.labels[EndpointSlicePlan.managerLabel] == EndpointSlicePlan.manager && !$0.isBeingDeleted
        }
    }

    private func removeAll(_ key: ObjectKey) async throws {
        for slice in managedSlices(key) { try await delete(.endpointSlices, slice) }
        if let object = endpoints.get(key), Self.isManaged(object) { try await delete(.endpoints, object) }
    }

    /// Whether an Endpoints object is this controller's; those of services without selector are their author's.
    private static func isManaged(_ object: KubeObject) -> Bool {
        object.labels["endpoints.kubernetes.io/managed-by"] == "endpoint-controller"
    }

    private func delete(_ resource: KubeResource, _ object: KubeObject) async throws {
        do {
            try await client.delete(resource, object.key, .init(uid: object.uid))
        } catch let error as StatusError where error.isNotFound {
            return
        }
    }

    private func writeSlices(_ service: KubeObject, _ computation: EndpointComputation) async throws {
        let plan = EndpointSlicePlan(
            service: service, groups: computation.groups, existing: managedSlices(service.key))
        for slice in plan.updates { _ = try await client.update(.endpointSlices, slice) }
        for slice in plan.creations { _ = try await client.create(.endpointSlices, slice) }
        for slice in plan.deletions { try await delete(.endpointSlices, slice) }
    }

    private func writeEndpoints(_ service: KubeObject, _ computation: EndpointComputation) async throws {
        let includesUnready = service.spec["publishNotReadyAddresses"].bool ?? false
        let subsets = computation.subsets(includesUnready: includesUnready)
        var labels = service.labels
        labels["endpoints.kubernetes.io/managed-by"] = "endpoint-controller"
        labels[EndpointSlicePlan.headlessLabel] = service.spec["clusterIP"].string == "None" ? "" : nil
        if let existing = endpoints.get(service.key) {
            guard existing["subsets"].elements != subsets || existing.labels != labels else { return }
            var new = existing
            new["subsets"] = subsets.isEmpty ? .null : .array(subsets)
            new.labels = labels
            _ = try await client.update(.endpoints, new)
        } else {
            var object = KubeObject(.endpoints, namespace: service.namespace, name: service.name)
            object.labels = labels
            if !subsets.isEmpty { object["subsets"] = .array(subsets) }
            _ = try await client.create(.endpoints, object)
        }
    }
}
