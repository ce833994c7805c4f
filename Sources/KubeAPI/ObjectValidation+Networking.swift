// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Source: Kubernetes API reference, networking.k8s.io/v1.
extension SemanticCheck {
    // MARK: Ingress

    mutating func ingress() {
        if spec["rules"].isEmpty, spec["defaultBackend"].isNull {
            errors.invalid("spec", spec["rules"], "either `defaultBackend` or `rules` must be specified")
        }
        if !spec["defaultBackend"].isNull { ingressBackend("spec.defaultBackend", spec["defaultBackend"]) }
        for (index, rule) in spec["rules"].elements.enumerated() {
            let path = FieldPath("spec.rules")[index]
            ingressHost(path["host"], rule["host"])
            guard !rule["http"].isNull else { continue }
            if rule["http"]["paths"].isEmpty { errors.required(path["http"]["paths"]) }
            for (index, entry) in rule["http"]["paths"].elements.enumerated() {
                ingressPath(path["http"]["paths"][index], entry)
            }
        }
        for (index, tls) in spec["tls"].elements.enumerated() {
            let path = FieldPath("spec.tls")[index]
            for (index, host) in tls["hosts"].elements.enumerated() {
                let text = host.string ?? ""
                errors.all(
                    path["hosts"][index], host,
                    text.contains("*") ? NameRules.wildcardSubdomain(text) : NameRules.dns1123Subdomain(text))
            }
            if let secret = tls["secretName"].string, !secret.isEmpty {
                errors.all(path["secretName"], .string(secret), NameRules.dns1123Subdomain(secret))
            }
        }
        if let name = spec["ingressClassName"].string {
            errors.all("spec.ingressClassName", .string(name), NameRules.dns1123Subdomain(name))
        }
        for (index, entry) in object["status"]["loadBalancer"]["ingress"].elements.enumerated() {
            let path = FieldPath("status.loadBalancer.ingress")[index]
            if let address = entry["ip"].string, !address.isEmpty {
                errors.all(path["ip"], entry["ip"], NetworkAddress.addressFaults(address))
            }
            guard let host = entry["hostname"].string, !host.isEmpty else { continue }
            errors.all(path["hostname"], entry["hostname"], NameRules.dns1123Subdomain(host))
            if NetworkAddress(address: host) != nil {
                errors.invalid(path["hostname"], entry["hostname"], "must be a DNS name, not an IP address")
            }
        }
    }

    private mutating func ingressHost(_ path: FieldPath, _ host: JSONValue) {
        guard let text = host.string, !text.isEmpty else { return }
        if NetworkAddress(address: text) != nil {
            errors.invalid(path, host, "must be a DNS name, not an IP address")
        }
        errors.all(
            path, host, text.contains("*") ? NameRules.wildcardSubdomain(text) : NameRules.dns1123Subdomain(text))
    }

    private static let forbiddenInPaths = ["//", "/./", "/../", "%2f", "%2F"]

    private mutating func ingressPath(_ path: FieldPath, _ entry: JSONValue) {
        let text = entry["path"].string ?? ""
        switch entry["pathType"].string {
        case nil: errors.required(path["pathType"], "pathType must be specified")
        case "Exact", "Prefix":
            if !text.hasPrefix("/") { errors.invalid(path["path"], .string(text), "must be an absolute path") }
            for part in Self.forbiddenInPaths where text.contains(part) {
                errors.invalid(path["path"], .string(text), "must not contain '\(part)'")
            }
            for part in ["/..", "/."] where text.hasSuffix(part) {
                errors.invalid(path["path"], .string(text), "cannot end with '\(part)'")
            }
        case "ImplementationSpecific":
            if !text.isEmpty, !text.hasPrefix("/") {
                errors.invalid(path["path"], .string(text), "must be an absolute path")
            }
        default:
            errors.notSupported(path["pathType"], entry["pathType"], ["Exact", "ImplementationSpecific", "Prefix"])
        }
        ingressBackend(path["backend"], entry["backend"])
    }

    private mutating func ingressBackend(_ path: FieldPath, _ backend: JSONValue) {
        let service = backend["service"]
        let resource = backend["resource"]
        switch (service.isNull, resource.isNull) {
        case (false, false): errors.invalid(path, "", "cannot set both resource and service backends")
        case (true, true): errors.invalid(path, "", "resource or service backend is required")
        case (true, false): typedReference(path["resource"], resource)
        case (false, true):
            errors.name(path["service"]["name"], service["name"], NameRules.dns1035Label)
            let name = service["port"]["name"].string ?? ""
            let number = service["port"]["number"].int ?? 0
            if !name.isEmpty, number != 0 {
                errors.invalid(path, "", "cannot set both port name & port number")
            } else if !name.isEmpty {
                errors.all(path["service"]["port"]["name"], .string(name), NameRules.portName(name))
            } else if number != 0 {
                errors.port(path["service"]["port"]["number"], service["port"]["number"])
            } else {
                errors.required(path, "port name or number is required")
            }
        }
    }

    private mutating func typedReference(_ path: FieldPath, _ reference: JSONValue) {
        if let group = reference["apiGroup"].string, !group.isEmpty {
            errors.all(path["apiGroup"], .string(group), NameRules.dns1123Subdomain(group))
        }
        for member in ["kind", "name"] {
            guard let text = reference[member].string, !text.isEmpty else {
                errors.required(path[member], "\(member) is required")
                continue
            }
            errors.all(path[member], .string(text), NameRules.pathSegment(text))
        }
    }

    // MARK: IngressClass

    private static let longestController = 250

    mutating func ingressClass() {
        let controller = spec["controller"].string ?? ""
        if controller.utf8.count > Self.longestController {
            errors.tooLong("spec.controller", Self.longestController)
        }
        if controller.isEmpty {
            errors.required("spec.controller")
        } else {
            errors.all("spec.controller", .string(controller), NameRules.domainPrefixedPath(controller))
        }
        if let old { errors.immutable("spec.controller", spec["controller"], old["spec"]["controller"]) }
        let parameters = spec["parameters"]
        guard !parameters.isNull else { return }
        let path: FieldPath = "spec.parameters"
        typedReference(path, parameters)
        let namespace = parameters["namespace"]
        switch parameters["scope"].string {
        case nil: errors.required(path["scope"])
        case "Namespace":
            if namespace.string ?? "" == "" {
                errors.required(path["namespace"], "`parameters.scope` is set to 'Namespace'")
            } else {
                errors.all(path["namespace"], namespace, NameRules.dns1123Label(namespace.string ?? ""))
            }
        case "Cluster":
            if !namespace.isNull {
                errors.forbidden(path["namespace"], "`parameters.scope` is set to 'Cluster'")
            }
        default: errors.notSupported(path["scope"], parameters["scope"], ["Cluster", "Namespace"])
        }
    }

    // MARK: NetworkPolicy

    mutating func networkPolicy() {
        errors.labelSelector("spec.podSelector", spec["podSelector"])
        for (direction, member) in [("ingress", "from"), ("egress", "to")] {
            for (index, rule) in spec[direction].elements.enumerated() {
                let path = FieldPath("spec")[direction][index]
                for (index, port) in rule["ports"].elements.enumerated() { policyPort(path["ports"][index], port) }
                for (index, peer) in rule[member].elements.enumerated() { policyPeer(path[member][index], peer) }
            }
        }
        if spec["policyTypes"].elements.count > 2 {
            errors.invalid("spec.policyTypes", spec["policyTypes"], "may not specify more than two policyTypes")
            return
        }
        for (index, type) in spec["policyTypes"].elements.enumerated() {
            errors.oneOf(FieldPath("spec.policyTypes")[index], type, ["Egress", "Ingress"])
        }
    }

    private mutating func policyPort(_ path: FieldPath, _ port: JSONValue) {
        if !port["protocol"].isNull { errors.oneOf(path["protocol"], port["protocol"], ["TCP", "UDP", "SCTP"]) }
        let end = port["endPort"]
        switch port["port"] {
        case .null:
            if !end.isNull {
                errors.invalid(path["endPort"], end, "may not be specified when `port` is not specified")
            }
        case .string(let name):
            if !end.isNull {
                errors.invalid(path["endPort"], end, "may not be specified when `port` is non-numeric")
            }
            errors.all(path["port"], port["port"], NameRules.portName(name))
        default:
            errors.port(path["port"], port["port"])
            guard let last = end.int else { return }
            if last < port["port"].int ?? 0 {
                errors.invalid(path["endPort"], end, "must be greater than or equal to `port`")
            }
            errors.port(path["endPort"], end)
        }
    }

    private mutating func policyPeer(_ path: FieldPath, _ peer: JSONValue) {
        var count = 0
        for member in ["podSelector", "namespaceSelector"] where !peer[member].isNull {
            count += 1
            errors.labelSelector(path[member], peer[member])
        }
        let block = peer["ipBlock"]
        if !block.isNull {
            count += 1
            policyBlock(path["ipBlock"], block)
        }
        if count == 0 {
            errors.required(path, "must specify a peer")
        } else if count > 1, !block.isNull {
            errors.forbidden(path, "may not specify both ipBlock and another peer")
        }
    }

    private mutating func policyBlock(_ path: FieldPath, _ block: JSONValue) {
        let text = block["cidr"].string ?? ""
        guard !text.isEmpty else { return errors.required(path["cidr"]) }
        guard let network = NetworkAddress(network: text) else {
            return errors.all(path["cidr"], block["cidr"], NetworkAddress.networkFaults(text))
        }
        for (index, entry) in block["except"].elements.enumerated() {
            let path = path["except"][index]
            guard let part = NetworkAddress(network: entry.string ?? "") else {
                errors.all(path, entry, NetworkAddress.networkFaults(entry.string ?? ""))
                continue
            }
            if !network.isStrictlyLarger(than: part) {
                errors.invalid(path, entry, "must be a strict subset of `cidr`")
            }
        }
    }

    // MARK: IPAddress and ServiceCIDR

    mutating func ipAddress() {
        let parent = spec["parentRef"]
        let path: FieldPath = "spec.parentRef"
        guard !parent.isNull else { return errors.required(path) }
        if let group = parent["group"].string, !group.isEmpty {
            errors.all(path["group"], .string(group), NameRules.dns1123Subdomain(group))
        }
        for member in ["resource", "name"] {
            errors.name(path[member], parent[member], NameRules.pathSegment)
        }
        if let namespace = parent["namespace"].string, !namespace.isEmpty {
            errors.all(path["namespace"], .string(namespace), NameRules.pathSegment(namespace))
        }
        if let old { errors.immutable(path, parent, old["spec"]["parentRef"]) }
    }

    mutating func serviceCIDR() {
        let path: FieldPath = "spec.cidrs"
        let texts = spec["cidrs"].elements
        if let old {
            let before = old["spec"]["cidrs"].elements
            if before.count == texts.count || before.first != texts.first || texts.count < before.count {
                errors.immutable(path, spec["cidrs"], old["spec"]["cidrs"])
            }
        }
        if texts.isEmpty { return errors.required(path, "at least one CIDR required") }
        if texts.count > 2 { return errors.invalid(path, spec["cidrs"], "may only hold up to 2 values") }
        let networks = texts.map { NetworkAddress(network: $0.string ?? "") }
        if networks.count == 2, let first = networks[0], let second = networks[1], first.isIPv6 == second.isIPv6 {
            errors.invalid(
                path, spec["cidrs"],
                "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/96")
        }
        for (index, (text, network)) in zip(texts, networks).enumerated() {
            guard let network else {
                errors.all(path[index], text, NetworkAddress.networkFaults(text.string ?? ""))
                continue
            }
            if network.networkText != text.string {
                errors.invalid(path[index], text, "must be in canonical form (\"\(network.networkText)\")")
            }
        }
    }
}

extension NameRules {
    /// A host name whose first label is an asterisk.
    static func wildcardSubdomain(_ text: String) -> [String] {
        let rest = text.hasPrefix("*.") ? String(text.dropFirst(2)) : ""
        if !rest.isEmpty, dns1123Subdomain(rest).isEmpty { return [] }
        return [
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist "
                + "of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. "
                + "'*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]"
                + "*[a-z0-9])?)*')"
        ]
    }

    /// The name of an IPAddress is the address, in its one text.
    static func canonicalAddress(_ name: String) -> [String] {
        guard let address = NetworkAddress(address: name) else { return NetworkAddress.addressFaults(name) }
        return address.addressText == name ? [] : ["must be in canonical form (\"\(address.addressText)\")"]
    }
}
