// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The EndpointSlices that say the same as an Endpoints object which somebody wrote by hand. Pure.
///
/// Source: Kubernetes "EndpointSlices", "EndpointSlice mirroring".
struct EndpointMirrorPlan: Sendable {
    static let manager = "endpointslicemirroring-controller.k8s.io"
    static let skipLabel = "endpointslice.kubernetes.io/skip-mirror"
    static let leaderAnnotation = "control-plane.alpha.kubernetes.io/leader"
    private static let triggerAnnotation = "endpoints.kubernetes.io/last-change-trigger-time"
    private static let appliedAnnotation = "kubectl.kubernetes.io/last-applied-configuration"
    /// Addresses of a subset that are mirrored at most.
    private static let maximumAddresses = 1000

    private(set) var creations: [KubeObject] = []
    private(set) var updates: [KubeObject] = []
    private(set) var deletions: [KubeObject] = []

    /// Whether an Endpoints object is to be mirrored.
    static func isWanted(_ endpoints: KubeObject) -> Bool {
        endpoints.labels[skipLabel] != "true" && endpoints.annotations[leaderAnnotation] == nil
    }

    /// `existing`: the slices of the object that this controller manages.
    init(endpoints: KubeObject, existing: [KubeObject]) {
        var unused = existing.sorted { $0.name < $1.name }
        var names = Set(existing.map(\.name))
        for (shape, addresses) in Self.groups(endpoints) {
            let index = unused.firstIndex {
                $0["addressType"].string == shape.type && $0["ports"].elements == shape.ports
            }
            var slice: KubeObject
            if let index {
                slice = unused.remove(at: index)
            } else {
                slice = KubeObject(
                    .endpointSlices, namespace: endpoints.namespace,
                    name: Self.freeName(endpoints, shape, &names))
                slice["addressType"] = .string(shape.type)
                slice["ports"] = .array(shape.ports)
                slice.ownerReferences = [endpoints.controllerReference]
            }
            let before = slice
            slice.labels = endpoints.labels
            slice.labels[EndpointSlicePlan.serviceLabel] = endpoints.name
            slice.labels[EndpointSlicePlan.managerLabel] = Self.manager
            slice.annotations = endpoints.annotations
            slice.annotations[Self.triggerAnnotation] = nil
            slice.annotations[Self.appliedAnnotation] = nil
            slice["endpoints"] = .array(addresses)
            if index == nil {
                creations.append(slice)
            } else if slice.json != before.json {
                updates.append(slice)
            }
        }
        deletions = unused
    }

    private struct Shape: Hashable {
        var type: String
        var ports: [JSONValue]
    }

    /// Addresses by what a slice can hold together, in the order of the subsets.
    private static func groups(_ endpoints: KubeObject) -> [(Shape, [JSONValue])] {
        var order: [Shape] = []
        var groups: [Shape: [JSONValue]] = [:]
        for subset in endpoints["subsets"].elements {
            let ports = subset["ports"].elements.map { port -> JSONValue in
                [
                    "name": .string(port["name"].string ?? ""), "port": port["port"],
                    "protocol": .string(port["protocol"].string ?? "TCP"), "appProtocol": port["appProtocol"],
                ]
            }
            for (member, isReady) in [("addresses", true), ("notReadyAddresses", false)] {
                for address in subset[member].elements.prefix(maximumAddresses) {
                    guard let ip = address["ip"].string else { continue }
                    let shape = Shape(type: ip.contains(":") ? "IPv6" : "IPv4", ports: ports)
                    if groups[shape] == nil { order.append(shape) }
                    groups[shape, default: []].append([
                        "addresses": [.string(ip)], "conditions": ["ready": .bool(isReady)],
                        "hostname": address["hostname"], "nodeName": address["nodeName"],
                        "targetRef": address["targetRef"],
                    ])
                }
            }
        }
        return order.map { ($0, Array((groups[$0] ?? []).prefix(maximumAddresses))) }
    }

    /// Depends on the object and the shape alone, as with the other controller's slices.
    private static func freeName(_ endpoints: KubeObject, _ shape: Shape, _ names: inout Set<String>) -> String {
        var count = 0
        while true {
            let seed = "\(endpoints.uid)\(shape.type)\(JSONValue.array(shape.ports).text)#\(count)"
            let name = "\(endpoints.name)-\(TemplateHash.encode(seed.utf8, length: 5))"
            if names.insert(name).inserted { return name }
            count += 1
        }
    }
}
