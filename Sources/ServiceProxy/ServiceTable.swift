// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

/// What Services and EndpointSlices ask of the proxy; a value, kept by applying changes.
///
/// Headless and ExternalName services, external IPs, SCTP and traffic policies are left out: on one node there is
/// nothing to choose from.
package struct ServiceTable: Sendable {
    private struct Service: Sendable {
        var addresses: [String]
        var ports: [Port]
        var affinityTimeout: Duration?
    }

    private struct Port: Sendable {
        var name: String
        var networkProtocol: ProxyProtocol
        var port: Int
        var nodePort: Int?
    }

    private struct Slice: Sendable {
        var service: ObjectKey
        var ports: [Port]
        var ready: [String]
        var serving: [String]
    }

    private let nodePortAddress: String
    private var services: [ObjectKey: Service] = [:]
    private var slices: [ObjectKey: Slice] = [:]
    private var slicesOfService: [ObjectKey: Set<ObjectKey>] = [:]

    /// - Parameter nodePortAddress: IP address on which NodePorts are offered.
    package init(nodePortAddress: String = "127.0.0.1") { self.nodePortAddress = nodePortAddress }

    /// Takes in a new or changed Service.
    package mutating func setService(_ object: KubeObject) {
        let spec = object.spec
        let type = spec["type"].string ?? "ClusterIP"
        var addresses = spec["clusterIPs"].elements.compactMap(\.string)
        if addresses.isEmpty { addresses = [spec["clusterIP"].string ?? ""] }
        addresses = addresses.filter { !$0.isEmpty && $0 != "None" }
        guard type != "ExternalName", !addresses.isEmpty else {
            services[object.key] = nil
            return
        }
        let offersNodePorts = type == "NodePort" || type == "LoadBalancer"
        let ports = spec["ports"].elements.compactMap { json -> Port? in
            var port = Self.port(json)
            let nodePort = json["nodePort"].int ?? 0
            port?.nodePort = offersNodePorts && Self.isPort(nodePort) ? nodePort : nil
            return port
        }
        var affinityTimeout: Duration?
        if spec["sessionAffinity"].string == "ClientIP" {
            affinityTimeout = .seconds(spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"].int ?? 10_800)
        }
        services[object.key] = Service(addresses: addresses, ports: ports, affinityTimeout: affinityTimeout)
    }

    /// Forgets a deleted service.
    package mutating func removeService(_ key: ObjectKey) { services[key] = nil }

    /// Takes in a new or changed EndpointSlice; its label `kubernetes.io/service-name` says whose it is.
    package mutating func setSlice(_ object: KubeObject) {
        removeSlice(object.key)
        guard let service = Self.service(of: object), object["addressType"].string != "FQDN" else { return }
        var slice = Slice(
            service: service, ports: object["ports"].elements.compactMap(Self.port), ready: [], serving: [])
        for endpoint in object["endpoints"].elements {
            // All addresses of an endpoint are the same pod; clients use the first (discovery/v1 Endpoint).
            guard let address = endpoint["addresses"][0].string else { continue }
            let conditions = endpoint["conditions"]
            let isReady = conditions["ready"].bool ?? true
            if isReady { slice.ready.append(address) }
            if conditions["serving"].bool ?? isReady, conditions["terminating"].bool ?? false {
                slice.serving.append(address)
            }
        }
        slices[object.key] = slice
        slicesOfService[service, default: []].insert(object.key)
    }

    /// Forgets a deleted slice.
    package mutating func removeSlice(_ key: ObjectKey) {
        guard let old = slices.removeValue(forKey: key) else { return }
        slicesOfService[old.service]?.remove(key)
        if slicesOfService[old.service]?.isEmpty == true { slicesOfService[old.service] = nil }
    }

    /// The service that an EndpointSlice belongs to.
    package static func service(of slice: KubeObject) -> ObjectKey? {
        slice.labels["kubernetes.io/service-name"].map { ObjectKey(namespace: slice.namespace, name: $0) }
    }

    /// The ports of a service; none when it is unknown or nothing is to be forwarded for it.
    package func ports(of key: ObjectKey) -> [ServicePort] {
        guard let service = services[key] else { return [] }
        let slices = (slicesOfService[key] ?? []).compactMap { self.slices[$0] }
        return service.ports.map { port in
            var ready: Set<ProxyEndpoint> = []
            var serving: Set<ProxyEndpoint> = []
            for slice in slices {
                for target in slice.ports
                where target.name == port.name && target.networkProtocol == port.networkProtocol {
                    for address in slice.ready { ready.insert(ProxyEndpoint(address: address, port: target.port)) }
                    for address in slice.serving { serving.insert(ProxyEndpoint(address: address, port: target.port)) }
                }
            }
            var listeners = service.addresses.map { ListenerKey(port.networkProtocol, $0, port.port) }
            if let nodePort = port.nodePort {
                listeners.append(ListenerKey(port.networkProtocol, nodePortAddress, nodePort))
            }
            return ServicePort(
                name: port.name, listeners: listeners, endpoints: (ready.isEmpty ? serving : ready).sorted(),
                affinityTimeout: service.affinityTimeout)
        }
    }

    private static func port(_ json: JSONValue) -> Port? {
        guard let networkProtocol = ProxyProtocol(rawValue: json["protocol"].string ?? "TCP"),
            let port = json["port"].int, isPort(port)
        else { return nil }
        return Port(name: json["name"].string ?? "", networkProtocol: networkProtocol, port: port)
    }

    private static func isPort(_ number: Int) -> Bool { (1...65_535).contains(number) }
}
