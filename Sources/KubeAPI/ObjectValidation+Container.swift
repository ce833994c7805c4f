// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// What the containers of a pod have to know of it.
struct PodScope {
    /// The pod's volumes by name.
    var volumes: [String: JSONValue] = [:]
    /// Names of `spec.resourceClaims`.
    var claims: Set<String> = []
    var gracePeriod: Int?
    var restartPolicy = ""
    /// `spec.os.name`; nil where it is not said.
    var system: String?
    var sharesHostUsers = true
}

extension SemanticCheck {
    /// What all sorts of containers have in common.
    mutating func container(_ path: FieldPath, _ container: JSONValue, _ pod: PodScope) {
        errors.name(path["name"], container["name"], NameRules.dns1123Label)
        if (container["image"].string ?? "").isEmpty { errors.required(path["image"]) }
        errors.requiredOneOf(
            path["terminationMessagePolicy"], container["terminationMessagePolicy"],
            ["File", "FallbackToLogsOnError"])
        ports(path["ports"], container["ports"])
        environment(path["env"], container["env"])
        environmentSources(path["envFrom"], container["envFrom"])
        mounts(path["volumeMounts"], container, pod)
        devices(path["volumeDevices"], container, pod)
        errors.requiredOneOf(
            path["imagePullPolicy"], container["imagePullPolicy"], ["Always", "IfNotPresent", "Never"])
        resources(path["resources"], container["resources"], claims: pod.claims)
        resizePolicy(path["resizePolicy"], container["resizePolicy"], pod)
        containerSecurity(path["securityContext"], container["securityContext"], pod)
    }

    /// Pods only: templates may have had blanks around images for ever.
    mutating func imageHasNoBlanks(_ path: FieldPath, _ container: JSONValue) {
        let image = container["image"].string ?? ""
        if image.first?.isWhitespace == true || image.last?.isWhitespace == true {
            errors.invalid(path["image"], .string(image), "must not have leading or trailing whitespace")
        }
    }

    private mutating func ports(_ path: FieldPath, _ ports: JSONValue) {
        var names: Set<String> = []
        for (index, port) in ports.elements.enumerated() {
            let path = path[index]
            if let name = port["name"].string, !name.isEmpty {
                let faults = NameRules.portName(name)
                errors.all(path["name"], .string(name), faults)
                if faults.isEmpty, !names.insert(name).inserted { errors.duplicate(path["name"], .string(name)) }
            }
            if port["containerPort"].int ?? 0 == 0 {
                errors.required(path["containerPort"])
            } else {
                errors.port(path["containerPort"], port["containerPort"])
            }
            if port["hostPort"].int ?? 0 != 0 { errors.port(path["hostPort"], port["hostPort"]) }
            errors.requiredOneOf(path["protocol"], port["protocol"], ["SCTP", "TCP", "UDP"])
        }
    }

    private mutating func environment(_ path: FieldPath, _ variables: JSONValue) {
        for (index, variable) in variables.elements.enumerated() {
            let path = path[index]
            errors.name(path["name"], variable["name"], NameRules.environmentName)
            if !variable["valueFrom"].isNull { source(path["valueFrom"], variable) }
        }
    }

    /// What a pod may tell its containers of itself.
    private static let environmentFields: Set<String> = [
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
    ]

    private mutating func source(_ path: FieldPath, _ variable: JSONValue) {
        let source = variable["valueFrom"]
        var count = 0
        if !source["fieldRef"].isNull {
            count += 1
            fieldReference(path["fieldRef"], source["fieldRef"], Self.environmentFields)
        }
        if !source["resourceFieldRef"].isNull {
            count += 1
            resourceReference(path["resourceFieldRef"], source["resourceFieldRef"], isVolume: false)
        }
        for reference in ["configMapKeyRef", "secretKeyRef"] where !source[reference].isNull {
            count += 1
            let name = source[reference]["name"].string ?? ""
            errors.all(path[reference]["name"], .string(name), NameRules.dns1123Subdomain(name))
            errors.name(path[reference]["key"], source[reference]["key"], NameRules.configKey)
        }
        if !source["fileKeyRef"].isNull {
            count += 1
            let file = source["fileKeyRef"]
            errors.name(path["fileKeyRef"]["key"], file["key"], NameRules.environmentName)
            errors.name(path["fileKeyRef"]["volumeName"], file["volumeName"], NameRules.dns1123Label)
            if (file["path"].string ?? "").isEmpty {
                errors.required(path["fileKeyRef"]["path"])
            } else {
                noBacksteps(path["fileKeyRef"]["path"], file["path"])
            }
        }
        if count == 0 {
            errors.invalid(
                path, "", "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`")
        } else if !(variable["value"].string ?? "").isEmpty {
            errors.invalid(path, "", "may not be specified when `value` is not empty")
        } else if count > 1 {
            errors.invalid(path, "", "may not have more than one field specified at a time")
        }
    }

    private mutating func environmentSources(_ path: FieldPath, _ sources: JSONValue) {
        for (index, source) in sources.elements.enumerated() {
            if let prefix = source["prefix"].string, !prefix.isEmpty {
                errors.all(path[index]["prefix"], .string(prefix), NameRules.environmentName(prefix))
            }
            let present = ["configMapRef", "secretRef"].filter { !source[$0].isNull }
            for reference in present {
                errors.name(
                    path[index][reference]["name"], source[reference]["name"],
                    { $0.hasSuffix("-") ? NameRules.dns1123Subdomain($0 + "a") : NameRules.dns1123Subdomain($0) })
            }
            if present.isEmpty {
                errors.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
            } else if present.count > 1 {
                errors.invalid(path, "", "may not have more than one field specified at a time")
            }
        }
    }

    private mutating func mounts(_ path: FieldPath, _ container: JSONValue, _ pod: PodScope) {
        var places: Set<String> = []
        let devices = container["volumeDevices"].elements
        let deviceNames = Set(devices.compactMap { $0["name"].string })
        let devicePaths = Set(devices.compactMap { $0["devicePath"].string })
        for (index, mount) in container["volumeMounts"].elements.enumerated() {
            let own = path[index]
            let name = mount["name"].string ?? ""
            if name.isEmpty { errors.required(own["name"]) }
            if pod.volumes[name] == nil { errors.notFound(own["name"], .string(name)) }
            let place = mount["mountPath"].string ?? ""
            if place.isEmpty { errors.required(own["mountPath"]) }
            if !places.insert(place).inserted {
                errors.invalid(own["mountPath"], .string(place), "must be unique")
            }
            if deviceNames.contains(name) {
                errors.invalid(own["name"], .string(name), "must not already exist in volumeDevices")
            }
            if devicePaths.contains(place) {
                errors.invalid(own["mountPath"], .string(place), "must not already exist as a path in volumeDevices")
            }
            // These are said of the list, as upstream does.
            if let subPath = mount["subPath"].string, !subPath.isEmpty {
                descendingPath(path["subPath"], mount["subPath"])
            }
            if let expression = mount["subPathExpr"].string, !expression.isEmpty {
                if !(mount["subPath"].string ?? "").isEmpty {
                    errors.invalid(
                        own["subPathExpr"], mount["subPathExpr"], "subPathExpr and subPath are mutually exclusive")
                }
                descendingPath(path["subPathExpr"], mount["subPathExpr"])
            }
            propagation(path, mount, container)
        }
    }

    private mutating func propagation(_ path: FieldPath, _ mount: JSONValue, _ container: JSONValue) {
        let propagation = mount["mountPropagation"]
        if !propagation.isNull {
            errors.oneOf(path["mountPropagation"], propagation, ["Bidirectional", "HostToContainer", "None"])
            if propagation == "Bidirectional", container["securityContext"]["privileged"] != true {
                errors.forbidden(
                    path["mountPropagation"],
                    "Bidirectional mount propagation is available only to privileged containers")
            }
        }
        switch mount["recursiveReadOnly"].string {
        case nil, "Disabled"?: break
        case "Enabled"?, "IfPossible"?:
            if mount["readOnly"] != true {
                errors.forbidden(path["recursiveReadOnly"], "may only be specified when readOnly is true")
            }
            if !propagation.isNull, propagation != "None" {
                errors.forbidden(
                    path["recursiveReadOnly"],
                    "may only be specified when mountPropagation is None or not specified")
            }
        default:
            errors.notSupported(
                path["recursiveReadOnly"], mount["recursiveReadOnly"], ["Disabled", "Enabled", "IfPossible"])
        }
    }

    private mutating func devices(_ path: FieldPath, _ container: JSONValue, _ pod: PodScope) {
        var names: Set<String> = []
        var places: Set<String> = []
        let mounts = container["volumeMounts"].elements
        let mountNames = Set(mounts.compactMap { $0["name"].string })
        let mountPaths = Set(mounts.compactMap { $0["mountPath"].string })
        for (index, device) in container["volumeDevices"].elements.enumerated() {
            let path = path[index]
            let name = device["name"].string ?? ""
            let place = device["devicePath"].string ?? ""
            if name.isEmpty { errors.required(path["name"]) }
            if !name.isEmpty, !names.insert(name).inserted {
                errors.invalid(path["name"], .string(name), "must be unique")
            }
            if let volume = pod.volumes[name] {
                if volume["persistentVolumeClaim"].isNull, volume["ephemeral"].isNull {
                    errors.invalid(
                        path["name"], .string(name),
                        "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode")
                }
            } else {
                errors.notFound(path["name"], .string(name))
            }
            if place.isEmpty { errors.required(path["devicePath"]) }
            if places.contains(place) { errors.invalid(path["devicePath"], .string(place), "must be unique") }
            if place.split(separator: "/").contains("..") {
                errors.invalid(path["devicePath"], .string(place), "can not contain backsteps ('..')")
            } else {
                places.insert(place)
            }
            if mountNames.contains(name) {
                errors.invalid(path["name"], .string(name), "must not already exist in volumeMounts")
            }
            if mountPaths.contains(place) {
                errors.invalid(path["devicePath"], .string(place), "must not already exist as a path in volumeMounts")
            }
        }
    }

    private mutating func resizePolicy(_ path: FieldPath, _ policies: JSONValue, _ pod: PodScope) {
        var seen: Set<String> = []
        for (index, policy) in policies.elements.enumerated() {
            let resource = policy["resourceName"]
            if !seen.insert(resource.string ?? "").inserted { errors.duplicate(path[index], resource) }
            errors.requiredOneOf(path, resource, ["cpu", "memory"])
            errors.requiredOneOf(path, policy["restartPolicy"], ["NotRequired", "RestartContainer"])
            if pod.restartPolicy == "Never", policy["restartPolicy"] != "NotRequired" {
                errors.invalid(
                    path, policy["restartPolicy"], "must be 'NotRequired' when pod `restartPolicy` is 'Never'")
            }
        }
    }
}
