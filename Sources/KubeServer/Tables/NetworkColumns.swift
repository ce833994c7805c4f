// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// The columns of `kubectl get` for services and their endpoints.
enum NetworkColumns {
    static let service: [TableColumn] = [
        .name,
        .text("Type", description: "How the service is exposed.") { $0.spec["type"].string ?? "ClusterIP" },
        .text("Cluster-IP", description: "Virtual address of the service.") { service in
            if service.spec["type"].string == "ExternalName" { return TableText.none }
            return service.spec["clusterIP"].string ?? TableText.none
        },
        .text("External-IP", description: "Addresses outside of the cluster.") { service in
            if service.spec["type"].string == "ExternalName" {
                return service.spec["externalName"].string ?? TableText.none
            }
            var addresses = service.status["loadBalancer"]["ingress"].elements.compactMap {
                $0["ip"].string ?? $0["hostname"].string
            }
            addresses += service.spec["externalIPs"].elements.compactMap(\.string)
            if addresses.isEmpty, service.spec["type"].string == "LoadBalancer" { return "<pending>" }
            return TableText.joined(addresses)
        },
        .text("Port(s)", description: "Ports of the service.") { service in
            TableText.joined(
                service.spec["ports"].elements.map { port in
                    let node = port["nodePort"].int.flatMap { $0 == 0 ? nil : ":\($0)" } ?? ""
                    return "\(port["port"].int ?? 0)\(node)/\(port["protocol"].string ?? "TCP")"
                })
        },
        .age,
        .text("Selector", description: "Labels of the pods behind the service.", wide: true) {
            TableText.labels($0.spec["selector"])
        },
    ]

    static let endpoints: [TableColumn] = [
        .name,
        .text("Endpoints", description: "Addresses and ports that are ready.") { object in
            var all: [String] = []
            for subset in object["subsets"].elements {
                let addresses = subset["addresses"].elements.compactMap { $0["ip"].string }
                let ports = subset["ports"].elements.compactMap { $0["port"].int }
                for address in addresses {
                    all += ports.isEmpty ? [address] : ports.map { "\(address):\($0)" }
                }
            }
            return shortened(all)
        },
        .age,
    ]

    static let endpointSlice: [TableColumn] = [
        .name,
        .text("AddressType", description: "Type of the addresses.") { $0["addressType"].string ?? "" },
        .text("Ports", description: "Ports of the endpoints.") { slice in
            let ports = slice["ports"].elements.map { $0["port"].int.map(String.init) ?? "*" }
            return ports.isEmpty ? "<unset>" : shortened(ports)
        },
        .text("Endpoints", description: "Addresses of the endpoints.") { slice in
            let addresses = slice["endpoints"].elements.flatMap { $0["addresses"].elements.compactMap(\.string) }
            return addresses.isEmpty ? "<unset>" : shortened(addresses)
        },
        .age,
    ]

    private static func shortened(_ all: [String]) -> String {
        if all.isEmpty { return TableText.none }
        let text = all.prefix(3).joined(separator: ",")
        return all.count > 3 ? "\(text) + \(all.count - 3) more..." : text
    }
}
