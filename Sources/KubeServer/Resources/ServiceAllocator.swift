// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI
import Synchronization

/// The network that cluster IPs come from.
package struct ServiceNetwork: Hashable, Sendable {
    /// The first address, as a number.
    package let base: UInt32
    /// Bits of the network part.
    package let prefix: Int

    /// 127.96.0.0/16: the service proxy can listen on these addresses without any rights.
    package static let `default` = ServiceNetwork(base: 127 << 24 | 96 << 16, prefix: 16)

    private init(base: UInt32, prefix: Int) {
        self.base = base
        self.prefix = prefix
    }

    /// Parses `127.96.0.0/16`; nil when it is not a network inside of 127.0.0.0/8 with at least 8 addresses.
    package init?(_ text: String) {
        let parts = text.split(separator: "/")
        guard parts.count == 2, let address = IPv4.parse(parts[0]), let prefix = Int(parts[1]),
            (8...29).contains(prefix), address >> 24 == 127
        else { return nil }
        self.init(base: address & ~UInt32(0) << UInt32(32 - prefix), prefix: prefix)
    }

    /// How many addresses it has, the first and the last included.
    var size: UInt32 { UInt32(1) << UInt32(32 - prefix) }

    /// The address of the API server's service.
    package var apiServerAddress: String { IPv4.text(base + 1) }

    func contains(_ address: UInt32) -> Bool { address > base && address < base + (size - 1) }

    package var text: String { "\(IPv4.text(base))/\(prefix)" }
}

/// Addresses of IP version 4.
enum IPv4 {
    static func parse(_ text: some StringProtocol) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var address: UInt32 = 0
        for part in parts {
            guard let byte = UInt8(part), part.utf8.count <= 3 else { return nil }
            address = address << 8 | UInt32(byte)
        }
        return address
    }

    static func text(_ address: UInt32) -> String {
        [24, 16, 8, 0].map { String(address >> UInt32($0) & 255) }.joined(separator: ".")
    }
}

/// Hands out cluster IPs and node ports.
///
/// What is taken is derived from the stored services at start, and kept from then on; a write reserves before it
/// commits, so that two services never have the same.
package final class ServiceAllocator: ResourceAllocator {
    private struct State {
        var addresses: Set<UInt32> = []
        var ports: Set<Int> = []
        var lastPort = 30_000
    }

    private struct Values: Hashable {
        var addresses: Set<UInt32> = []
        var ports: Set<Int> = []

        init(_ object: KubeObject?) {
            guard let object else { return }
            addresses = Set(object.spec["clusterIP"].string.flatMap { IPv4.parse($0) }.map { [$0] } ?? [])
            ports = Set(object.spec["ports"].elements.compactMap { $0["nodePort"].int }.filter { $0 > 0 })
            if let port = object.spec["healthCheckNodePort"].int, port > 0 { ports.insert(port) }
        }
    }

    private static let nodePorts = 30_000...32_767
    private let network: ServiceNetwork
    private let state = Mutex(State())

    init(network: ServiceNetwork) { self.network = network }

    package func restore(_ object: KubeObject) {
        let values = Values(object)
        state.withLock { state in
            state.addresses.formUnion(values.addresses)
            state.ports.formUnion(values.ports)
        }
    }

    package func release(_ object: KubeObject) { free(Values(object)) }

    private func free(_ values: Values) {
        state.withLock { state in
            state.addresses.subtract(values.addresses)
            state.ports.subtract(values.ports)
        }
    }

    package func reserve(_ object: inout KubeObject, old: KubeObject?) throws(StatusError) -> Reservation {
        let held = Values(old)
        let result = state.withLock { [network, object] state -> Result<(KubeObject, Values), StatusError> in
            var attempt = state
            var object = object
            do throws(StatusError) {
                try Self.fillIn(&object, old: old, held: held, network: network, state: &attempt)
            } catch {
                return .failure(error)
            }
            state = attempt
            return .success((object, Values(object)))
        }
        let (filled, values) = try result.get()
        object = filled
        var added = values
        added.addresses.subtract(held.addresses)
        added.ports.subtract(held.ports)
        var removed = held
        removed.addresses.subtract(values.addresses)
        removed.ports.subtract(values.ports)
        let (new, gone) = (added, removed)
        return Reservation(commit: { self.free(gone) }, rollback: { self.free(new) })
    }

    /// A change that does not name what was allocated keeps it; what the new type does not have is let go, unless the
    /// client has said something new about it: that is for validation to refuse.
    static func keep(_ object: inout KubeObject, old: KubeObject) {
        let isNamed = object.spec["type"] == "ExternalName"
        if isNamed, old.spec["type"] != "ExternalName" {
            for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]
            where object.spec[field] == old.spec[field] { object.spec[field] = .null }
        }
        if !isNamed, old.spec["type"] != "ExternalName" {
            if object.spec["clusterIP"].string ?? "" == "" { object.spec["clusterIP"] = old.spec["clusterIP"] }
            if object.spec["clusterIPs"].isEmpty { object.spec["clusterIPs"] = old.spec["clusterIPs"] }
        }
        dropNodePorts(&object, old)
        func isBalanced(_ service: KubeObject) -> Bool { service.spec["type"] == "LoadBalancer" }
        func isChecked(_ service: KubeObject) -> Bool {
            isBalanced(service) && service.spec["externalTrafficPolicy"] == "Local"
        }
        func isReachable(_ service: KubeObject) -> Bool {
            ["NodePort", "LoadBalancer"].contains(service.spec["type"].string ?? "")
                || !service.spec["externalIPs"].isEmpty
        }
        for (fields, has) in [
            (["allocateLoadBalancerNodePorts", "loadBalancerClass"], isBalanced),
            (["healthCheckNodePort"], isChecked), (["externalTrafficPolicy"], isReachable),
        ] where has(old) && !has(object) {
            for field in fields where object.spec[field] == old.spec[field] { object.spec[field] = .null }
        }
    }

    private static func dropNodePorts(_ object: inout KubeObject, _ old: KubeObject) {
        func hasNodePorts(_ service: KubeObject) -> Bool {
            ["NodePort", "LoadBalancer"].contains(service.spec["type"].string ?? "ClusterIP")
        }
        guard hasNodePorts(old), !hasNodePorts(object) else { return }
        let held = Values(old).ports
        for index in object.spec["ports"].elements.indices
        where held.contains(object.spec["ports"][index]["nodePort"].int ?? 0) {
            object.spec["ports"][index]["nodePort"] = .null
        }
    }

    private static func fillIn(
        _ object: inout KubeObject, old: KubeObject?, held: Values, network: ServiceNetwork, state: inout State
    ) throws(StatusError) {
        let type = object.spec["type"].string ?? "ClusterIP"
        guard type != "ExternalName" else {
            for member in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] { object.spec[member] = .null }
            for index in object.spec["ports"].elements.indices { object.spec["ports"][index]["nodePort"] = .null }
            return
        }
        var text = object.spec["clusterIP"].string ?? object.spec["clusterIPs"][0].string ?? ""
        if text.isEmpty { text = old?.spec["clusterIP"].string ?? "" }
        if let present = old?.spec["clusterIP"].string, !present.isEmpty, text != present {
            throw invalid(
                object, "spec.clusterIPs[0]", "Invalid value: [\"\(text)\"]: may not change once set")
        }
        if text != "None" {
            let address = try self.address(text, object, held: held, network: network, state: state)
            state.addresses.insert(address)
            text = IPv4.text(address)
        }
        object.spec["clusterIP"] = .string(text)
        object.spec["clusterIPs"] = [.string(text)]
        if object.spec["ipFamilies"].isEmpty { object.spec["ipFamilies"] = ["IPv4"] }
        if object.spec["ipFamilyPolicy"].isNull { object.spec["ipFamilyPolicy"] = "SingleStack" }
        try nodePorts(&object, old: old, held: held, isWanted: type != "ClusterIP", state: &state)
    }

    private static func address(
        _ text: String, _ object: KubeObject, held: Values, network: ServiceNetwork, state: State
    ) throws(StatusError) -> UInt32 {
        if text.isEmpty {
            // A random start makes a released address unlikely to be handed out again at once.
            let usable = network.size - 2
            let start = UInt32.random(in: 0..<usable)
            for step in 0..<usable {
                let address = network.base + 1 + (start + step) % usable
                if address != network.base + 1, !state.addresses.contains(address) { return address }
            }
            throw .internalError("failed to allocate a serviceIP: range is full")
        }
        guard let address = IPv4.parse(text) else {
            throw invalid(
                object, "spec.clusterIPs[0]",
                "Invalid value: \"\(text.prefix(64))\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")
        }
        guard network.contains(address) else {
            throw invalid(
                object, "spec.clusterIPs",
                "Invalid value: [\"\(text)\"]: failed to allocate IP \(text): the provided IP (\(text)) is not in the "
                    + "valid range. The range of valid IPs is \(network.text)")
        }
        guard held.addresses.contains(address) || !state.addresses.contains(address) else {
            throw invalid(
                object, "spec.clusterIPs",
                "Invalid value: [\"\(text)\"]: failed to allocate IP \(text): provided IP is already allocated")
        }
        return address
    }

    private static func nodePorts(
        _ object: inout KubeObject, old: KubeObject?, held: Values, isWanted: Bool, state: inout State
    ) throws(StatusError) {
        var ports = object.spec["ports"].elements
        guard isWanted else {
            for index in ports.indices { ports[index]["nodePort"] = .null }
            if !ports.isEmpty { object.spec["ports"] = .array(ports) }
            return
        }
        let oldPorts = old?.spec["ports"].elements ?? []
        var taken: Set<String> = []
        for index in ports.indices {
            let transport = ports[index]["protocol"].string ?? "TCP"
            if let wanted = ports[index]["nodePort"].int, wanted != 0 {
                let field = "spec.ports[\(index)].nodePort"
                guard nodePorts.contains(wanted) else {
                    throw invalid(
                        object, field,
                        "Invalid value: \(wanted): provided port is not in the valid range. The range of valid ports "
                            + "is \(nodePorts.lowerBound)-\(nodePorts.upperBound)")
                }
                guard held.ports.contains(wanted) || !state.ports.contains(wanted),
                    taken.insert("\(wanted)/\(transport)").inserted
                else { throw invalid(object, field, "Invalid value: \(wanted): provided port is already allocated") }
                continue
            }
            let same = oldPorts.first {
                $0["port"] == ports[index]["port"] && $0["protocol"] == ports[index]["protocol"]
            }
            let kept = same?["nodePort"].int ?? 0
            let port = kept > 0 ? kept : try freePort(&state)
            ports[index]["nodePort"] = JSONValue(port)
            taken.insert("\(port)/\(transport)")
        }
        if !ports.isEmpty { object.spec["ports"] = .array(ports) }
        for port in ports { if let number = port["nodePort"].int { state.ports.insert(number) } }
    }

    private static func freePort(_ state: inout State) throws(StatusError) -> Int {
        for _ in nodePorts {
            state.lastPort = state.lastPort >= nodePorts.upperBound ? nodePorts.lowerBound : state.lastPort + 1
            if state.ports.insert(state.lastPort).inserted { return state.lastPort }
        }
        throw .internalError("failed to allocate a nodePort: range is full")
    }

    private static func invalid(_ object: KubeObject, _ field: String, _ message: String) -> StatusError {
        .invalid(
            .services, object.name, [StatusCause(reason: "FieldValueInvalid", field: field, message: message)])
    }
}
