// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension SemanticCheck {
    mutating func container(_ path: FieldPath, _ container: JSONValue, volumes: Set<String>, isInit: Bool) {
        errors.name(path["name"], container["name"], NameRules.dns1123Label)
        let image = container["image"].string ?? ""
        if image.isEmpty {
            errors.required(path["image"])
        } else if image.first?.isWhitespace == true || image.last?.isWhitespace == true {
            errors.invalid(path["image"], .string(image), "must not have leading or trailing whitespace")
        }
        errors.oneOf(
            path["imagePullPolicy"], container["imagePullPolicy"], ["Always", "IfNotPresent", "Never"])
        errors.oneOf(
            path["terminationMessagePolicy"], container["terminationMessagePolicy"], ["File", "FallbackToLogsOnError"])
        ports(path["ports"], container["ports"])
        environment(path["env"], container["env"])
        mounts(path["volumeMounts"], container["volumeMounts"], volumes)
        resources(path["resources"], container["resources"])
        let isSidecar = isInit && container["restartPolicy"] == "Always"
        for name in ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle"] where !container[name].isNull {
            if isInit, !isSidecar {
                errors.forbidden(path[name], "may not be set for init containers without restartPolicy=Always")
            } else if name != "lifecycle" {
                probe(path[name], container[name], mustSucceedOnce: name != "readinessProbe")
            }
        }
        for name in ["postStart", "preStop"] where !container["lifecycle"][name].isNull {
            handler(
                path["lifecycle"][name], container["lifecycle"][name], ["exec", "httpGet", "tcpSocket", "sleep"])
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
            errors.oneOf(path["protocol"], port["protocol"], ["SCTP", "TCP", "UDP"])
        }
    }

    private mutating func environment(_ path: FieldPath, _ variables: JSONValue) {
        for (index, variable) in variables.elements.enumerated() {
            let path = path[index]
            errors.name(path["name"], variable["name"], NameRules.environmentName)
            let source = variable["valueFrom"]
            guard !source.isNull else { continue }
            let path2 = path["valueFrom"]
            switch source.members.count {
            case 0:
                errors.invalid(
                    path2, "",
                    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`")
            case 1: break
            default: errors.invalid(path2, "", "may not have more than one field specified at a time")
            }
            if !(variable["value"].string ?? "").isEmpty {
                errors.invalid(path2, "", "may not be specified when `value` is not empty")
            }
            for reference in ["configMapKeyRef", "secretKeyRef"] where !source[reference].isNull {
                errors.name(path2[reference]["key"], source[reference]["key"], NameRules.configKey)
            }
            if !source["fieldRef"].isNull, (source["fieldRef"]["fieldPath"].string ?? "").isEmpty {
                errors.required(path2["fieldRef"]["fieldPath"])
            }
            if !source["resourceFieldRef"].isNull, (source["resourceFieldRef"]["resource"].string ?? "").isEmpty {
                errors.required(path2["resourceFieldRef"]["resource"])
            }
        }
    }

    private mutating func mounts(_ path: FieldPath, _ mounts: JSONValue, _ volumes: Set<String>) {
        var places: Set<String> = []
        for (index, mount) in mounts.elements.enumerated() {
            let path = path[index]
            let name = mount["name"].string ?? ""
            if name.isEmpty {
                errors.required(path["name"])
            } else if !volumes.contains(name) {
                errors.notFound(path["name"], .string(name))
            }
            let place = mount["mountPath"].string ?? ""
            if place.isEmpty {
                errors.required(path["mountPath"])
            } else if !places.insert(place).inserted {
                errors.invalid(path["mountPath"], .string(place), "must be unique")
            }
            if let subPath = mount["subPath"].string, !subPath.isEmpty {
                if subPath.hasPrefix("/") {
                    errors.invalid(path["subPath"], .string(subPath), "must be a relative path")
                }
                if subPath.split(separator: "/").contains("..") {
                    errors.invalid(path["subPath"], .string(subPath), "must not contain '..'")
                }
            }
        }
    }

    private mutating func resources(_ path: FieldPath, _ resources: JSONValue) {
        for list in ["limits", "requests"] {
            for (name, amount) in resources[list].members.sorted(by: { $0.key < $1.key }) {
                let namePath = path[list].key(name)
                let isStandard =
                    ["cpu", "memory", "ephemeral-storage"].contains(name) || name.hasPrefix("hugepages-")
                if name.contains("/") {
                    errors.all(path[list], .string(name), NameRules.qualifiedName(name))
                } else if !isStandard {
                    errors.invalid(path[list], .string(name), "must be a standard resource for containers")
                }
                guard let quantity = Quantity(amount.string ?? "") else { continue }
                if quantity < .zero { errors.invalid(namePath, amount, "must be greater than or equal to 0") }
                guard list == "requests", let limit = Quantity(resources["limits"][name].string ?? "") else { continue }
                let isOvercommittable = isStandard && !name.hasPrefix("hugepages-")
                if limit < quantity {
                    errors.invalid(
                        path[list], amount,
                        "must be less than or equal to \(name) limit of \(resources["limits"][name].string ?? "")")
                } else if !isOvercommittable, limit != quantity {
                    errors.invalid(
                        path[list], amount,
                        "must be equal to \(name) limit of \(resources["limits"][name].string ?? "")")
                }
            }
        }
    }

    private mutating func probe(_ path: FieldPath, _ probe: JSONValue, mustSucceedOnce: Bool) {
        handler(path, probe, ["exec", "httpGet", "tcpSocket", "grpc"])
        for field in [
            "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold",
        ] {
            errors.notNegative(path[field], probe[field])
        }
        if mustSucceedOnce, let threshold = probe["successThreshold"].int, threshold != 1 {
            errors.invalid(path["successThreshold"], probe["successThreshold"], "must be 1")
        }
    }

    private mutating func handler(_ path: FieldPath, _ handler: JSONValue, _ types: [String]) {
        let present = types.filter { !handler[$0].isNull }
        if present.isEmpty { errors.required(path, "must specify a handler type") }
        for type in present.dropFirst() {
            errors.forbidden(path[type], "may not specify more than 1 handler type")
        }
        guard let type = present.first else { return }
        let action = handler[type]
        switch type {
        case "exec":
            if action["command"].isEmpty { errors.required(path[type]["command"]) }
        case "httpGet":
            if (action["path"].string ?? "").isEmpty { errors.required(path[type]["path"]) }
            errors.portOrName(path[type]["port"], action["port"])
            errors.oneOf(path[type]["scheme"], action["scheme"], ["HTTP", "HTTPS"])
        case "tcpSocket": errors.portOrName(path[type]["port"], action["port"])
        case "grpc": errors.port(path[type]["port"], action["port"])
        default: break
        }
    }
}
