// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

extension ResourceDeclaration {
    static func services(_ allocator: ServiceAllocator) -> ResourceDeclaration {
        var strategy = Strategy()
        strategy.prepareCreate = { service throws(StatusError) in
            service.status = ["loadBalancer": .object([:])]
            if service.spec["type"].string ?? "" == "" { service.spec["type"] = "ClusterIP" }
        }
        strategy.prepareUpdate = { service, old throws(StatusError) in ServiceAllocator.keep(&service, old: old) }
        strategy.allocator = allocator
        return ResourceDeclaration(
            .services, shortNames: ["svc"], categories: ["all"], hasStatus: true,
            subresources: [.proxy("ServiceProxyOptions")], returnsDeletedObject: true, columns: NetworkColumns.service,
            selectableFields: [
                SelectableField("spec.clusterIP"), SelectableField("spec.type"),
            ],
            strategy: strategy)
    }

    static let endpoints = ResourceDeclaration(
        .endpoints, shortNames: ["ep"], allowsCreateOnUpdate: true, columns: NetworkColumns.endpoints)

    static let endpointSlices = ResourceDeclaration(
        .endpointSlices, hasGeneration: true, columns: NetworkColumns.endpointSlice)
}
