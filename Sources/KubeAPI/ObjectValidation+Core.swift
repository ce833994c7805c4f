// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension SemanticCheck {
    mutating func service() {
        let type = spec["type"].string ?? ""
        let isHeadless = spec["clusterIP"] == "None"
        errors.oneOf("spec.type", spec["type"], ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"])
        errors.oneOf("spec.sessionAffinity", spec["sessionAffinity"], ["ClientIP", "None"])
        errors.labels("spec.selector", spec["selector"])
        let ports = spec["ports"].elements
        if type == "ExternalName" {
            errors.name("spec.externalName", spec["externalName"], NameRules.dns1123Subdomain)
        } else if ports.isEmpty, !isHeadless {
            errors.required("spec.ports")
        }
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
            errors.oneOf(path["protocol"], port["protocol"], ["SCTP", "TCP", "UDP"])
            errors.portOrName(path["targetPort"], port["targetPort"])
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
        if let old, let address = old["spec"]["clusterIP"].string, !address.isEmpty, type != "ExternalName",
            old["spec"]["type"] != "ExternalName", spec["clusterIP"] != .string(address)
        {
            errors.invalid("spec.clusterIPs[0]", [spec["clusterIP"]], "may not change once set")
        }
    }

    /// The most bytes that a ConfigMap's or Secret's values may have together.
    private static let maxDataBytes = 1024 * 1024

    mutating func configMap() {
        var bytes = 0
        for field in ["data", "binaryData"] {
            for (key, value) in object[field].members.sorted(by: { $0.key < $1.key }) {
                errors.all(FieldPath(field).key(key), .string(key), NameRules.configKey(key))
                let length = value.string?.utf8.count ?? 0
                bytes += field == "data" ? length : length / 4 * 3
                if field == "data", !object["binaryData"][key].isNull {
                    errors.invalid(FieldPath("data").key(key), .string(key), "duplicate of key present in binaryData")
                }
            }
        }
        if bytes > Self.maxDataBytes { errors.tooLong("", Self.maxDataBytes) }
        immutableData(["data", "binaryData"])
    }

    /// What secrets of upstream's types must hold.
    private static let requiredKeys = [
        "kubernetes.io/dockercfg": [".dockercfg"], "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
        "kubernetes.io/ssh-auth": ["ssh-privatekey"], "kubernetes.io/tls": ["tls.crt", "tls.key"],
    ]

    mutating func secret() {
        let data = object["data"]
        var bytes = 0
        for (key, value) in data.members.sorted(by: { $0.key < $1.key }) {
            errors.all(FieldPath("data").key(key), .string(key), NameRules.configKey(key))
            bytes += (value.string?.utf8.count ?? 0) / 4 * 3
        }
        if bytes > Self.maxDataBytes { errors.tooLong("data", Self.maxDataBytes) }
        let type = object["type"].string ?? ""
        for key in Self.requiredKeys[type] ?? [] where data[key].isNull { errors.required(FieldPath("data").key(key)) }
        if type == "kubernetes.io/basic-auth", data["username"].isNull, data["password"].isNull {
            errors.required("data[username]")
            errors.required("data[password]")
        }
        let account = "kubernetes.io/service-account.name"
        if type == "kubernetes.io/service-account-token",
            (object["metadata"]["annotations"][account].string ?? "").isEmpty
        {
            errors.required(FieldPath("metadata.annotations").key(account))
        }
        if let old { errors.immutable("type", object["type"], old["type"]) }
        immutableData(["data"])
    }

    private mutating func immutableData(_ fields: [String]) {
        guard let old, old["immutable"] == true else { return }
        if object["immutable"] != true {
            errors.forbidden("immutable", "field is immutable when `immutable` is set")
        }
        for field in fields where object[field] != old[field] {
            errors.forbidden(FieldPath(field), "field is immutable when `immutable` is set")
        }
    }

    mutating func claim() {
        if spec["accessModes"].isEmpty {
            errors.required("spec.accessModes", "at least 1 access mode is required")
        }
        for (index, mode) in spec["accessModes"].elements.enumerated() {
            errors.oneOf(
                FieldPath("spec.accessModes")[index], mode,
                ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"])
        }
        let storage = spec["resources"]["requests"]["storage"]
        if storage.isNull {
            errors.required("spec.resources[storage]")
        } else if let quantity = Quantity(storage.string ?? ""), quantity <= .zero {
            errors.invalid("spec.resources[storage]", storage, "must be greater than zero")
        }
        errors.oneOf("spec.volumeMode", spec["volumeMode"], ["Block", "Filesystem"])
        errors.labelSelector("spec.selector", spec["selector"])
        guard let old else { return }
        var allowed = spec
        let oldSpec = old["spec"]
        if oldSpec["volumeName"].isNull { allowed["volumeName"] = nil }
        if oldSpec["storageClassName"].isNull { allowed["storageClassName"] = nil }
        allowed["volumeAttributesClassName"] = oldSpec["volumeAttributesClassName"]
        if old["status"]["phase"] == "Bound" {
            allowed["resources"] = oldSpec["resources"]
            if let new = Quantity(storage.string ?? ""),
                let previous = Quantity(oldSpec["resources"]["requests"]["storage"].string ?? ""), new < previous
            {
                errors.forbidden(
                    "spec.resources.requests.storage", "field can not be less than status.capacity")
            }
        }
        if allowed != oldSpec {
            errors.forbidden(
                "spec",
                "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
            )
        }
    }

    /// The members of a PersistentVolume's spec that do not name its source.
    private static let volumeFields: Set<String> = [
        "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
        "storageClassName", "volumeAttributesClassName", "volumeMode",
    ]

    mutating func persistentVolume() {
        if spec["accessModes"].isEmpty { errors.required("spec.accessModes") }
        if spec["capacity"].isEmpty { errors.required("spec.capacity") }
        let sources = spec.members.keys.filter { !Self.volumeFields.contains($0) }.sorted()
        if sources.isEmpty { errors.required("spec", "must specify a volume type") }
        for source in sources.dropFirst() {
            errors.forbidden(FieldPath("spec")[source], "may not specify more than 1 volume type")
        }
        errors.oneOf(
            "spec.persistentVolumeReclaimPolicy", spec["persistentVolumeReclaimPolicy"],
            ["Delete", "Recycle", "Retain"])
    }

    mutating func endpoints() {
        for (index, subset) in object["subsets"].elements.enumerated() {
            let path = FieldPath("subsets")[index]
            if subset["addresses"].isEmpty, subset["notReadyAddresses"].isEmpty {
                errors.required(path, "must specify `addresses` or `notReadyAddresses`")
            }
            endpointPorts(path["ports"], subset["ports"])
        }
    }

    private mutating func endpointPorts(_ path: FieldPath, _ ports: JSONValue) {
        for (index, port) in ports.elements.enumerated() {
            if let name = port["name"].string, !name.isEmpty {
                errors.all(path[index]["name"], port["name"], NameRules.dns1123Label(name))
            } else if ports.elements.count > 1, port["name"].isNull {
                errors.required(path[index]["name"])
            }
            errors.port(path[index]["port"], port["port"])
            errors.oneOf(path[index]["protocol"], port["protocol"], ["SCTP", "TCP", "UDP"])
        }
    }

    mutating func endpointSlice() {
        if (object["addressType"].string ?? "").isEmpty {
            errors.required("addressType")
        } else {
            errors.oneOf("addressType", object["addressType"], ["FQDN", "IPv4", "IPv6"])
        }
        for (index, endpoint) in object["endpoints"].elements.enumerated() where endpoint["addresses"].isEmpty {
            errors.required(FieldPath("endpoints")[index]["addresses"], "must contain at least 1 address")
        }
        endpointPorts("ports", object["ports"])
        if let old { errors.immutable("addressType", object["addressType"], old["addressType"]) }
    }

    mutating func lease() {
        if let seconds = spec["leaseDurationSeconds"].int, seconds <= 0 {
            errors.invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0")
        }
        errors.notNegative("spec.leaseTransitions", spec["leaseTransitions"])
    }

    mutating func accessControl(_ kind: GroupVersionKind) {
        for (index, rule) in object["rules"].elements.enumerated() {
            let path = FieldPath("rules")[index]
            if rule["verbs"].isEmpty { errors.required(path["verbs"], "verbs must contain at least one value") }
            if !rule["nonResourceURLs"].isEmpty {
                if kind.kind == "Role" {
                    errors.invalid(
                        path["nonResourceURLs"], rule["nonResourceURLs"],
                        "namespaced rules cannot apply to non-resource URLs")
                }
                if !rule["apiGroups"].isEmpty || !rule["resources"].isEmpty {
                    errors.invalid(
                        path["nonResourceURLs"], rule["nonResourceURLs"],
                        "rules cannot apply to both regular resources and non-resource URLs")
                }
                continue
            }
            if rule["apiGroups"].isEmpty {
                errors.required(path["apiGroups"], "resource rules must supply at least one api group")
            }
            if rule["resources"].isEmpty {
                errors.required(path["resources"], "resource rules must supply at least one resource")
            }
        }
        guard kind.kind.hasSuffix("Binding") else { return }
        let role = object["roleRef"]
        errors.oneOf("roleRef.apiGroup", role["apiGroup"], [kind.group])
        errors.oneOf(
            "roleRef.kind", role["kind"], kind.kind == "RoleBinding" ? ["Role", "ClusterRole"] : ["ClusterRole"])
        if (role["name"].string ?? "").isEmpty { errors.required("roleRef.name") }
        for (index, subject) in object["subjects"].elements.enumerated() {
            let path = FieldPath("subjects")[index]
            if (subject["name"].string ?? "").isEmpty { errors.required(path["name"]) }
            errors.oneOf(path["kind"], subject["kind"], ["ServiceAccount", "User", "Group"])
            if subject["kind"] == "ServiceAccount", (subject["namespace"].string ?? "").isEmpty {
                errors.required(path["namespace"])
            }
        }
        if let old, role != old["roleRef"] { errors.invalid("roleRef", role, "cannot change roleRef") }
    }
}
