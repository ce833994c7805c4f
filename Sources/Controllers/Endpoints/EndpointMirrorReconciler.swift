// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient

/// Keeps EndpointSlices for the Endpoints that are written by hand, of services without a selector.
struct EndpointMirrorReconciler: Reconciler {
    static let name = "endpointslicemirroring-controller"

    let client: KubeClient
    let services: Informer
    let endpoints: Informer
    let slices: ObjectIndex

    init(_ context: ControllerContext) {
        client = context.client(Self.name)
        services = context.informers.informer(.services)
        endpoints = context.informers.informer(.endpoints)
        slices = ObjectIndex(context.informers.informer(.endpointSlices)) { slice in
            guard let service = Self.service(of: slice) else { return [] }
            return ["\(slice.namespace)/\(service)"]
        }
    }

    /// The service of a slice that this controller manages.
    private static func service(of slice: KubeObject) -> String? {
        guard slice.labels[EndpointSlicePlan.managerLabel] == EndpointMirrorPlan.manager else { return nil }
        return slice.labels[EndpointSlicePlan.serviceLabel]
    }

    func sources(_ informers: InformerFactory) -> [Controller.Source] {
        [
            .objects(of: services),
            .objects(of: endpoints),
            Controller.Source(informers.informer(.endpointSlices)) { event in
                guard let service = Self.service(of: event.object) else { return [] }
                return [ObjectKey(namespace: event.object.namespace, name: service)]
            },
        ]
    }

    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult {
        let existing = slices.find("\(key.namespace)/\(key.name)").filter { !$0.isBeingDeleted }
        guard let service = services.get(key), service.spec["selector"].isEmpty,
            let object = endpoints.get(key), EndpointMirrorPlan.isWanted(object), !object.isBeingDeleted
        else {
            for slice in existing { try await delete(slice) }
            return .done
        }
        let plan = EndpointMirrorPlan(endpoints: object, existing: existing)
        do {
            for slice in plan.updates { _ = try await client.update(.endpointSlices, slice) }
            for slice in plan.creations { _ = try await client.create(.endpointSlices, slice) }
            for slice in plan.deletions { try await delete(slice) }
        } catch let error as StatusError where error.isNamespaceTerminating {
            return .done
        }
        return .done
    }

    private func delete(_ slice: KubeObject) async throws {
        do {
            try await client.delete(.endpointSlices, slice.key, .init(uid: slice.uid))
        } catch let error as StatusError where error.isNotFound {
            return
        }
    }
}
