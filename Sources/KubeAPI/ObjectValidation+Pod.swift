// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension SemanticCheck {
    mutating func pod() {
        podSpec("spec", spec)
        guard let old else { return }
        // What may change is made equal; if a difference is left, something else was changed.
        var allowed = spec
        let oldSpec = old["spec"]
        allowed["activeDeadlineSeconds"] = oldSpec["activeDeadlineSeconds"]
        if oldSpec["terminationGracePeriodSeconds"].int ?? 0 < 0, spec["terminationGracePeriodSeconds"] == 1 {
            allowed["terminationGracePeriodSeconds"] = oldSpec["terminationGracePeriodSeconds"]
        }
        let kept = spec["tolerations"].elements
        if oldSpec["tolerations"].elements.allSatisfy(kept.contains) {
            allowed["tolerations"] = oldSpec["tolerations"]
        }
        if !oldSpec["schedulingGates"].isEmpty {
            for field in ["schedulingGates", "nodeSelector", "affinity"] { allowed[field] = oldSpec[field] }
        }
        if oldSpec["nodeName"].isNull, !spec["nodeName"].isNull { allowed["nodeName"] = nil }
        allowed["ephemeralContainers"] = oldSpec["ephemeralContainers"]
        for list in ["containers", "initContainers"]
        where allowed[list].elements.count == oldSpec[list].elements.count {
            var index = 0
            allowed[list].forEachElement { container in
                container["image"] = oldSpec[list][index]["image"]
                index += 1
            }
        }
        if allowed != oldSpec {
            errors.forbidden(
                "spec",
                """
                pod updates may not change fields other than `spec.containers[*].image`,\
                `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to \
                existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was \
                previously negative)
                """)
        }
    }

    private mutating func sysctls(_ path: FieldPath, _ sysctls: JSONValue) {
        var names: Set<String> = []
        for (index, sysctl) in sysctls.elements.enumerated() {
            let name = sysctl["name"].string ?? ""
            if name.isEmpty {
                errors.required(path[index]["name"])
            } else {
                errors.all(path[index]["name"], .string(name), NameRules.sysctl(name))
            }
            if !names.insert(name.replacing("/", with: ".")).inserted {
                errors.duplicate(path[index]["name"], .string(name))
            }
        }
    }

    /// A pod's spec, in a pod or in a workload's template.
    mutating func podSpec(_ path: FieldPath, _ spec: JSONValue) {
        let volumes = self.volumes(path["volumes"], spec["volumes"])
        if spec["containers"].isEmpty { errors.required(path["containers"]) }
        var names: Set<String> = []
        var hostPorts: Set<String> = []
        for list in ["containers", "initContainers"] {
            for (index, container) in spec[list].elements.enumerated() {
                let containerPath = path[list][index]
                self.container(containerPath, container, volumes: volumes, isInit: list == "initContainers")
                let name = container["name"].string ?? ""
                if !name.isEmpty, !names.insert(name).inserted {
                    errors.duplicate(containerPath["name"], .string(name))
                }
                guard list == "containers" else { continue }
                for (portIndex, port) in container["ports"].elements.enumerated() {
                    guard let number = port["hostPort"].int, number != 0 else { continue }
                    let key = "\(port["protocol"].string ?? "TCP")/\(port["hostIP"].string ?? "")/\(number)"
                    if !hostPorts.insert(key).inserted {
                        errors.duplicate(containerPath["ports"][portIndex]["hostPort"], .string(key))
                    }
                }
            }
        }
        sysctls(path["securityContext"]["sysctls"], spec["securityContext"]["sysctls"])
        errors.oneOf(path["restartPolicy"], spec["restartPolicy"], ["Always", "OnFailure", "Never"])
        errors.oneOf(
            path["dnsPolicy"], spec["dnsPolicy"], ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"])
        errors.labels(path["nodeSelector"], spec["nodeSelector"])
        errors.notNegative(path["terminationGracePeriodSeconds"], spec["terminationGracePeriodSeconds"])
        if let deadline = spec["activeDeadlineSeconds"].int, !(1...Int(Int32.max)).contains(deadline) {
            errors.invalid(
                path["activeDeadlineSeconds"], spec["activeDeadlineSeconds"],
                "must be between 1 and 2147483647, inclusive")
        }
        for field in ["hostname", "subdomain"] {
            if let name = spec[field].string, !name.isEmpty {
                errors.all(path[field], spec[field], NameRules.dns1123Label(name))
            }
        }
        for field in ["serviceAccountName", "nodeName", "priorityClassName"] {
            if let name = spec[field].string, !name.isEmpty {
                errors.all(path[field], spec[field], NameRules.dns1123Subdomain(name))
            }
        }
        tolerations(path["tolerations"], spec["tolerations"])
        for (index, constraint) in spec["topologySpreadConstraints"].elements.enumerated() {
            let path = path["topologySpreadConstraints"][index]
            if constraint["maxSkew"].int ?? 0 <= 0 {
                errors.invalid(path["maxSkew"], constraint["maxSkew"], "must be greater than zero")
            }
            if (constraint["topologyKey"].string ?? "").isEmpty {
                errors.required(path["topologyKey"], "can not be empty")
            }
            errors.oneOf(
                path["whenUnsatisfiable"], constraint["whenUnsatisfiable"], ["DoNotSchedule", "ScheduleAnyway"])
        }
    }

    private mutating func tolerations(_ path: FieldPath, _ tolerations: JSONValue) {
        for (index, toleration) in tolerations.elements.enumerated() {
            let path = path[index]
            let key = toleration["key"].string ?? ""
            let comparison = toleration["operator"].string ?? ""
            if !key.isEmpty { errors.all(path["key"], .string(key), NameRules.qualifiedName(key)) }
            if key.isEmpty, comparison != "Exists" {
                errors.invalid(
                    path["operator"], .string(comparison),
                    "operator must be Exists when `key` is empty, which means \"match all values and all keys\"")
            }
            switch comparison {
            case "", "Equal":
                errors.all(
                    path["operator"], toleration["value"], NameRules.labelValue(toleration["value"].string ?? ""))
            case "Exists":
                if !(toleration["value"].string ?? "").isEmpty {
                    errors.invalid(
                        path["operator"], toleration["value"], "value must be empty when `operator` is 'Exists'")
                }
            default: errors.notSupported(path["operator"], toleration["operator"], ["Equal", "Exists"])
            }
            if let effect = toleration["effect"].string, !effect.isEmpty {
                errors.oneOf(path["effect"], toleration["effect"], ["NoSchedule", "PreferNoSchedule", "NoExecute"])
            }
        }
    }

    /// The fields of a volume that name its source, by what each source requires.
    private static let requiredOfVolume = [
        "configMap": "name", "secret": "secretName", "hostPath": "path", "persistentVolumeClaim": "claimName",
        "nfs": "path", "csi": "driver", "iscsi": "targetPortal",
    ]

    private mutating func volumes(_ path: FieldPath, _ volumes: JSONValue) -> Set<String> {
        var names: Set<String> = []
        for (index, volume) in volumes.elements.enumerated() {
            let path = path[index]
            let sources = volume.members.keys.filter { $0 != "name" }.sorted()
            if sources.isEmpty { errors.required(path, "must specify a volume type") }
            for source in sources.dropFirst() {
                errors.forbidden(path[source], "may not specify more than 1 volume type")
            }
            if let source = sources.first, let field = Self.requiredOfVolume[source],
                (volume[source][field].string ?? "").isEmpty
            {
                errors.required(path[source][field])
            }
            errors.name(path["name"], volume["name"], NameRules.dns1123Label)
            let name = volume["name"].string ?? ""
            if !name.isEmpty, !names.insert(name).inserted { errors.duplicate(path["name"], .string(name)) }
        }
        return names
    }
}
