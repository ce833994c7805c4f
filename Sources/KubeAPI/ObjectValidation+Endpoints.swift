// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Endpoints and leases.
extension SemanticCheck {
    private static let protocols = ["SCTP", "TCP", "UDP"]

    mutating func endpoints() {
        for (index, subset) in object["subsets"].elements.enumerated() {
            let path = FieldPath("subsets")[index]
            if subset["addresses"].isEmpty, subset["notReadyAddresses"].isEmpty {
                errors.required(path, "must specify `addresses` or `notReadyAddresses`")
            }
            for list in ["addresses", "notReadyAddresses"] {
                for (number, address) in subset[list].elements.enumerated() {
                    let own = path[list][number]
                    errors.ip(own["ip"], address["ip"])
                    if let name = address["hostname"].string, !name.isEmpty {
                        errors.all(own["hostname"], .string(name), NameRules.dns1123Label(name))
                    }
                    if let node = address["nodeName"].string {
                        errors.all(own["nodeName"], .string(node), NameRules.dns1123Subdomain(node))
                    }
                }
            }
            let ports = subset["ports"].elements
            for (number, port) in ports.enumerated() {
                let own = path["ports"][number]
                let name = port["name"].string ?? ""
                if name.isEmpty {
                    if ports.count > 1 { errors.required(own["name"]) }
                } else {
                    errors.all(own["name"], .string(name), NameRules.dns1123Label(name))
                }
                errors.port(own["port"], port["port"].isNull ? 0 : port["port"])
                errors.requiredOneOf(own["protocol"], port["protocol"], Self.protocols)
            }
        }
    }

    private static let mostEndpoints = 1000
    private static let mostAddresses = 100
    private static let mostPorts = 20_000

    mutating func endpointSlice() {
        if let old { errors.immutable("addressType", object["addressType"], old["addressType"]) }
        let type = object["addressType"].string ?? ""
        errors.requiredOneOf("addressType", object["addressType"], ["FQDN", "IPv4", "IPv6"])
        let endpoints = object["endpoints"].elements
        if endpoints.count > Self.mostEndpoints {
            errors.tooMany("endpoints", endpoints.count, Self.mostEndpoints)
        } else {
            for (index, endpoint) in endpoints.enumerated() {
                self.endpoint(FieldPath("endpoints")[index], endpoint, type)
            }
        }
        let ports = object["ports"].elements
        if ports.count > Self.mostPorts { return errors.tooMany("ports", ports.count, Self.mostPorts) }
        var names: Set<String> = []
        for (index, port) in ports.enumerated() {
            let path = FieldPath("ports")[index]
            let name = port["name"].string ?? ""
            if !name.isEmpty { errors.all(path["name"], .string(name), NameRules.dns1123Label(name)) }
            if !names.insert(name).inserted { errors.duplicate(path["name"], .string(name)) }
            errors.requiredOneOf(path["protocol"], port["protocol"], Self.protocols)
            if !port["port"].isNull { errors.port(path["port"], port["port"]) }
            if let kind = port["appProtocol"].string {
                errors.all(path["appProtocol"], .string(kind), NameRules.qualifiedName(kind))
            }
        }
    }

    private mutating func endpoint(_ path: FieldPath, _ endpoint: JSONValue, _ type: String) {
        let addresses = endpoint["addresses"].elements
        if addresses.isEmpty {
            errors.required(path["addresses"], "must contain at least 1 address")
        } else if addresses.count > Self.mostAddresses {
            errors.tooMany(path["addresses"], addresses.count, Self.mostAddresses)
        } else {
            for (index, address) in addresses.enumerated() {
                let own = path["addresses"][index]
                switch type {
                case "IPv4":
                    if NetworkAddress(address: address.string ?? "")?.isIPv6 != false {
                        errors.invalid(own, address, "must be a valid IPv4 address")
                    }
                case "IPv6":
                    if NetworkAddress(address: address.string ?? "")?.isIPv6 != true {
                        errors.invalid(own, address, "must be a valid IPv6 address")
                    }
                case "FQDN": errors.all(own, address, NameRules.dns1123Subdomain(address.string ?? ""))
                default: break
                }
            }
        }
        if let node = endpoint["nodeName"].string {
            errors.all(path["nodeName"], .string(node), NameRules.dns1123Subdomain(node))
        }
        if let name = endpoint["hostname"].string {
            errors.all(path["hostname"], .string(name), NameRules.dns1123Label(name))
        }
        let zones = endpoint["hints"]["forZones"].elements
        if zones.count > 8 { errors.tooMany(path["hints"]["forZones"], zones.count, 8) }
        var seen: Set<String> = []
        for (index, zone) in zones.prefix(8).enumerated() {
            let own = path["hints"]["forZones"][index]["name"]
            let name = zone["name"].string ?? ""
            if name.isEmpty { errors.required(own) }
            if !seen.insert(name).inserted { errors.duplicate(path["hints"]["forZones"][index], .string(name)) }
        }
    }

    mutating func lease() {
        if let seconds = spec["leaseDurationSeconds"].int, seconds <= 0 {
            errors.invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
        }
        errors.notNegative("spec.leaseTransitions", spec["leaseTransitions"])
        if let holder = spec["preferredHolder"].string, !holder.isEmpty, (spec["strategy"].string ?? "").isEmpty {
            errors.forbidden("spec.preferredHolder", "may only be specified when `strategy` is defined")
        }
    }
}
