// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Which EndpointSlices to write so that they hold a service's endpoints: endpoints stay in the slice where they are.
struct EndpointSlicePlan: Sendable {
    static let maxEndpoints = 100
    static let serviceLabel = "kubernetes.io/service-name"
    static let managerLabel = "endpointslice.kubernetes.io/managed-by"
    static let manager = "endpointslice-controller.k8s.io"
    static let headlessLabel = "service.kubernetes.io/headless"

    private(set) var creations: [KubeObject] = []
    private(set) var updates: [KubeObject] = []
    private(set) var deletions: [KubeObject] = []

    /// `groups`: endpoints by ports, as ``EndpointComputation`` gives them.
    /// `existing`: the service's slices that this controller manages.
    init(service: KubeObject, groups: [[JSONValue]: [ServiceEndpoint]], existing: [KubeObject]) {
        // A service without endpoints has one slice, so that it can be seen that it is served.
        let groups = groups.isEmpty ? [[]: []] : groups
        let labels = Self.labels(service)
        var names = Set(existing.map(\.name))
        var unused: [KubeObject] = []
        var slices: [[JSONValue]: [KubeObject]] = [:]
        for slice in existing.sorted(by: { $0.name < $1.name }) {
            let ports = slice["ports"].elements.map(Self.canonical)
            if slice["addressType"].string == "IPv4", groups[ports] != nil {
                slices[ports, default: []].append(slice)
            } else {
                unused.append(slice)
            }
        }
        for (ports, endpoints) in groups.sorted(by: { $0.key.count < $1.key.count }) {
            plan(
                service: service, ports: ports, endpoints: endpoints, slices: slices[ports] ?? [], labels: labels,
                names: &names)
        }
        deletions += unused
    }

    private mutating func plan(
        service: KubeObject, ports: [JSONValue], endpoints: [ServiceEndpoint], slices: [KubeObject],
        labels: [String: String], names: inout Set<String>
    ) {
        var pending: [String: ServiceEndpoint] = [:]
        for endpoint in endpoints { pending[endpoint.podUID] = endpoint }
        var contents = slices.map { slice in
            slice["endpoints"].elements.compactMap { pending.removeValue(forKey: $0["targetRef"]["uid"].string ?? "") }
        }
        var rest = endpoints.filter { pending[$0.podUID] != nil }[...]
        for index in contents.indices {
            let room = Self.maxEndpoints - contents[index].count
            contents[index] += rest.prefix(room)
            rest = rest.dropFirst(room)
        }
        var mayKeepEmpty = endpoints.isEmpty
        for (slice, content) in zip(slices, contents) {
            if content.isEmpty, !mayKeepEmpty {
                deletions.append(slice)
                continue
            }
            mayKeepEmpty = false
            var new = slice
            new["endpoints"] = .array(content.map(\.sliceJSON))
            new.labels = labels
            let isSame = slice["endpoints"].elements == content.map(\.sliceJSON) && slice.labels == labels
            if !isSame { updates.append(new) }
        }
        while !rest.isEmpty || mayKeepEmpty {
            mayKeepEmpty = false
            let content = rest.prefix(Self.maxEndpoints)
            rest = rest.dropFirst(Self.maxEndpoints)
            var slice = KubeObject(
                .endpointSlices, namespace: service.namespace,
                name: Self.freeName(service: service, ports: ports, names: &names))
            slice.labels = labels
            slice.ownerReferences = [service.controllerReference]
            slice["addressType"] = "IPv4"
            slice["ports"] = .array(ports)
            slice["endpoints"] = .array(content.map(\.sliceJSON))
            creations.append(slice)
        }
    }

    /// Names depend on the service, the ports and a count alone, so that a controller whose copy is old collides with
    /// its own slice and does not make a second one.
    private static func freeName(service: KubeObject, ports: [JSONValue], names: inout Set<String>) -> String {
        var count = 0
        while true {
            let seed = service.uid + JSONValue.array(ports).text + "#\(count)"
            let name = "\(service.name)-\(TemplateHash.encode(seed.utf8, length: 5))"
            if names.insert(name).inserted { return name }
            count += 1
        }
    }

    static func labels(_ service: KubeObject) -> [String: String] {
        var labels = service.labels
        labels[serviceLabel] = service.name
        labels[managerLabel] = manager
        labels[headlessLabel] = service.spec["clusterIP"].string == "None" ? "" : nil
        return labels
    }

    /// A port as this controller writes it, whatever defaults the server has added.
    private static func canonical(_ port: JSONValue) -> JSONValue {
        [
            "name": .string(port["name"].string ?? ""), "port": port["port"],
            "protocol": .string(port["protocol"].string ?? "TCP"), "appProtocol": port["appProtocol"],
        ]
    }
}
