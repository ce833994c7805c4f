// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension SemanticCheck {
    private var isHeadless: Bool { spec["clusterIP"] == "None" }

    mutating func service() {
        let type = spec["type"].string ?? ""
        if let old { serviceUpdate(old["spec"]) }
        if spec["ports"].isEmpty, !isHeadless, type != "ExternalName" { errors.required("spec.ports") }
        switch type {
        case "LoadBalancer", "NodePort":
            if isHeadless {
                errors.invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for \(type) services")
            }
        case "ExternalName": externalName()
        default: break
        }
        servicePorts(type)
        errors.labels("spec.selector", spec["selector"])
        sessionAffinity()
        if type != "ExternalName" { families() }
        for (index, address) in spec["externalIPs"].elements.enumerated() {
            errors.ip(FieldPath("spec.externalIPs")[index], address)
        }
        errors.requiredOneOf(
            "spec.type", spec["type"], ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"])
        loadBalancer(type)
        traffic(type)
    }

    private mutating func serviceUpdate(_ old: JSONValue) {
        if let address = old["clusterIP"].string, !address.isEmpty, spec["type"] != "ExternalName",
            old["type"] != "ExternalName", spec["clusterIP"] != .string(address)
        {
            errors.invalid("spec.clusterIPs[0]", [spec["clusterIP"]], "may not change once set")
        }
        if old["type"] == "LoadBalancer", spec["type"] == "LoadBalancer",
            old["loadBalancerClass"] != spec["loadBalancerClass"]
        {
            errors.invalid("spec.loadBalancerClass", spec["loadBalancerClass"], "may not change once set")
        }
    }

    private mutating func externalName() {
        for field in ["clusterIPs", "ipFamilies", "ipFamilyPolicy"] where !spec[field].isEmpty {
            errors.forbidden(FieldPath("spec")[field], "may not be set for ExternalName services")
        }
        var name = spec["externalName"].string ?? ""
        if name.hasSuffix(".") { name.removeLast() }
        if name.isEmpty {
            errors.required("spec.externalName")
        } else {
            errors.all("spec.externalName", .string(name), NameRules.dns1123Subdomain(name))
        }
    }

    private mutating func servicePorts(_ type: String) {
        let ports = spec["ports"].elements
        var names: Set<String> = []
        var numbers: Set<String> = []
        var nodePorts: Set<String> = []
        for (index, port) in ports.enumerated() {
            let path = FieldPath("spec.ports")[index]
            let name = port["name"].string ?? ""
            if name.isEmpty {
                if ports.count > 1 { errors.required(path["name"]) }
            } else {
                errors.all(path["name"], .string(name), NameRules.dns1123Label(name))
                if !names.insert(name).inserted { errors.duplicate(path["name"], .string(name)) }
            }
            errors.port(path["port"], port["port"].isNull ? 0 : port["port"])
            errors.requiredOneOf(path["protocol"], port["protocol"], ["SCTP", "TCP", "UDP"])
            errors.portOrName(path["targetPort"], port["targetPort"])
            if let kind = port["appProtocol"].string {
                errors.all(path["appProtocol"], .string(kind), NameRules.qualifiedName(kind))
            }
            let transport = port["protocol"].string ?? ""
            if !numbers.insert("\(transport)/\(port["port"].int ?? 0)").inserted {
                errors.duplicate(path, ["protocol": .string(transport), "port": port["port"]])
            }
            guard let nodePort = port["nodePort"].int, nodePort != 0 else { continue }
            if type == "ClusterIP" || type == "ExternalName" {
                errors.forbidden(path["nodePort"], "may not be used when `type` is '\(type)'")
            } else if !nodePorts.insert("\(transport)/\(nodePort)").inserted {
                errors.duplicate(path["nodePort"], port["nodePort"])
            }
        }
    }

    /// A day, in seconds.
    private static let longestAffinity = 86_400

    private mutating func sessionAffinity() {
        errors.requiredOneOf("spec.sessionAffinity", spec["sessionAffinity"], ["ClientIP", "None"])
        let config = spec["sessionAffinityConfig"]
        if spec["sessionAffinity"] == "None", !config.isNull {
            errors.forbidden("spec.sessionAffinityConfig", "must not be set when session affinity is None")
        }
        guard spec["sessionAffinity"] == "ClientIP" else { return }
        let timeout = config["clientIP"]["timeoutSeconds"]
        if let seconds = timeout.int, seconds <= 0 || seconds > Self.longestAffinity {
            errors.invalid(
                "spec.sessionAffinityConfig.clientIP.timeoutSeconds", timeout,
                "must be greater than 0 and less than \(Self.longestAffinity)")
        }
    }

    private mutating func families() {
        var seen: Set<String> = []
        for (index, family) in spec["ipFamilies"].elements.enumerated() {
            let path = FieldPath("spec.ipFamilies")[index]
            errors.oneOf(path, family, ["IPv4", "IPv6"])
            if !seen.insert(family.string ?? "").inserted { errors.duplicate(path, family) }
        }
        if !spec["ipFamilyPolicy"].isNull {
            errors.oneOf(
                "spec.ipFamilyPolicy", spec["ipFamilyPolicy"],
                ["PreferDualStack", "RequireDualStack", "SingleStack"])
        }
        let addresses = spec["clusterIPs"].elements
        let address = spec["clusterIP"].string ?? ""
        if address.isEmpty {
            if !addresses.isEmpty {
                errors.invalid(
                    "spec.clusterIPs", spec["clusterIPs"], "must be empty when `clusterIP` is not specified")
            }
        } else if !addresses.isEmpty, addresses[0].string != address, old == nil {
            errors.invalid("spec.clusterIPs", spec["clusterIPs"], "first value must match `clusterIP`")
        }
        if addresses.count > 1, addresses.contains("None") {
            errors.invalid("spec.clusterIPs", spec["clusterIPs"], "'None' must be the first and only value")
        }
        if addresses.count > 2 {
            errors.invalid("spec.clusterIPs", spec["clusterIPs"], "may only hold up to 2 values")
        }
    }

    private mutating func loadBalancer(_ type: String) {
        let isLoadBalancer = type == "LoadBalancer"
        // Upstream writes this path with a capital.
        let ranges: FieldPath = "spec.LoadBalancerSourceRanges"
        if !spec["loadBalancerSourceRanges"].isEmpty, !isLoadBalancer {
            errors.forbidden(ranges, "may only be used when `type` is 'LoadBalancer'")
        }
        for (index, range) in spec["loadBalancerSourceRanges"].elements.enumerated() {
            errors.cidr(ranges[index], range)
        }
        if !spec["allocateLoadBalancerNodePorts"].isNull, !isLoadBalancer {
            errors.forbidden(
                "spec.allocateLoadBalancerNodePorts", "may only be used when `type` is 'LoadBalancer'")
        }
        guard let name = spec["loadBalancerClass"].string else { return }
        if isLoadBalancer {
            errors.all("spec.loadBalancerClass", .string(name), NameRules.qualifiedName(name))
        } else {
            errors.forbidden("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'")
        }
    }

    private mutating func traffic(_ type: String) {
        let isReachable =
            type == "LoadBalancer" || type == "NodePort" || (type == "ClusterIP" && !spec["externalIPs"].isEmpty)
        let policy = spec["externalTrafficPolicy"]
        if !isReachable {
            if let text = policy.string, !text.isEmpty {
                errors.invalid(
                    "spec.externalTrafficPolicy", policy, "may only be set for externally-accessible services")
            }
        } else if !policy.isNull {
            errors.oneOf("spec.externalTrafficPolicy", policy, ["Cluster", "Local"])
        }
        let port = spec["healthCheckNodePort"]
        if let number = port.int, number != 0 {
            if type == "LoadBalancer", policy == "Local" {
                errors.port("spec.healthCheckNodePort", port)
                let before = old?["spec"] ?? .null
                if before["type"] == "LoadBalancer", before["externalTrafficPolicy"] == "Local",
                    let kept = before["healthCheckNodePort"].int, kept != 0, kept != number
                {
                    errors.forbidden("spec.healthCheckNodePort", "field is immutable")
                }
            } else {
                errors.invalid(
                    "spec.healthCheckNodePort", port,
                    "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'")
            }
        }
        if !spec["internalTrafficPolicy"].isNull {
            errors.oneOf("spec.internalTrafficPolicy", spec["internalTrafficPolicy"], ["Cluster", "Local"])
        }
        if !spec["trafficDistribution"].isNull {
            errors.oneOf(
                "spec.trafficDistribution", spec["trafficDistribution"],
                ["PreferClose", "PreferSameZone", "PreferSameNode"])
        }
    }
}
