// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// A pod's spec, in a pod or in a workload's template.
///
/// Source: Kubernetes API reference, Pod v1: what each field allows; the wording is that of the API server's answers.
extension SemanticCheck {
    mutating func pod() {
        guard let old else {
            podSpec("spec", spec, isPod: true)
            if !spec["ephemeralContainers"].isEmpty {
                errors.forbidden("spec.ephemeralContainers", "cannot be set on create")
            }
            if !(spec["nodeName"].string ?? "").isEmpty, !spec["schedulingGates"].isEmpty {
                errors.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared")
            }
            return
        }
        // Most updates are of the status or of metadata; what was accepted once is not looked at again.
        guard spec != old["spec"] else { return }
        podSpec("spec", spec, isPod: true)
        podUpdate(old["spec"])
    }

    /// - Parameters:
    ///   - path: where the spec is.
    ///   - spec: the spec.
    ///   - isPod: whether it is a pod's own, not a template's.
    mutating func podSpec(_ path: FieldPath, _ spec: JSONValue, isPod: Bool = false) {
        var scope = PodScope()
        scope.volumes = volumes(path["volumes"], spec["volumes"])
        // The pods of a StatefulSet have a volume of each of its claims.
        for claim in self.spec["volumeClaimTemplates"].elements {
            guard let name = claim["metadata"]["name"].string else { continue }
            scope.volumes[name] = ["name": .string(name), "persistentVolumeClaim": ["claimName": .string(name)]]
        }
        scope.claims = resourceClaims(path["resourceClaims"], spec["resourceClaims"])
        scope.gracePeriod = spec["terminationGracePeriodSeconds"].int
        scope.restartPolicy = spec["restartPolicy"].string ?? ""
        scope.system = spec["os"]["name"].string
        scope.sharesHostUsers = spec["hostUsers"] != false
        containers(path, spec, scope, isPod: isPod)
        if !spec["resources"].isNull {
            resources(path["resources"], spec["resources"], claims: scope.claims, isPod: true)
        }
        hostNetworkPorts(path["containers"], spec, isPod: isPod)
        errors.requiredOneOf(path["restartPolicy"], spec["restartPolicy"], ["Always", "OnFailure", "Never"])
        errors.requiredOneOf(
            path["dnsPolicy"], spec["dnsPolicy"], ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"])
        errors.labels(path["nodeSelector"], spec["nodeSelector"])
        podSecurity(path["securityContext"], spec)
        affinity(path["affinity"], spec["affinity"])
        dns(path["dnsConfig"], spec)
        for (index, gate) in spec["readinessGates"].elements.enumerated() {
            let type = gate["conditionType"].string ?? ""
            errors.all(
                path["readinessGates"][index]["conditionType"], .string(type), NameRules.qualifiedName(type))
        }
        schedulingGates(path["schedulingGates"], spec["schedulingGates"])
        spreadConstraints(path["topologySpreadConstraints"], spec["topologySpreadConstraints"])
        hostProcesses(path, spec)
        hostUsers(path, spec)
        names(path, spec)
        tolerations(path["tolerations"], spec["tolerations"])
        hostAliases(path["hostAliases"], spec["hostAliases"])
        if !spec["preemptionPolicy"].isNull {
            errors.requiredOneOf(
                path["preemptionPolicy"], spec["preemptionPolicy"], ["PreemptLowerPriority", "Never"])
        }
        for (name, value) in spec["overhead"].members.sorted(by: { $0.key < $1.key }) {
            containerResourceName(path["overhead"].key(name), name)
            amount(path["overhead"].key(name), name, value)
        }
        system(path, spec)
    }

    private mutating func containers(_ path: FieldPath, _ spec: JSONValue, _ scope: PodScope, isPod: Bool) {
        if spec["containers"].isEmpty { errors.required(path["containers"]) }
        var names: Set<String> = []
        var hostPorts: Set<String> = []
        for (index, container) in spec["containers"].elements.enumerated() {
            let own = path["containers"][index]
            self.container(own, container, scope)
            unique(own, container, &names)
            lifecycle(
                own["lifecycle"], container["lifecycle"], gracePeriod: scope.gracePeriod, system: scope.system)
            probes(own, container, gracePeriod: scope.gracePeriod)
            if !container["restartPolicy"].isNull {
                errors.forbidden(own["restartPolicy"], "may not be set for non-init containers")
            }
            self.hostPorts(own["ports"], container, &hostPorts)
            if isPod { imageHasNoBlanks(own, container) }
        }
        for (index, container) in spec["initContainers"].elements.enumerated() {
            let own = path["initContainers"][index]
            self.container(own, container, scope)
            unique(own, container, &names)
            var ports: Set<String> = []
            self.hostPorts(own["ports"], container, &ports)
            if !container["restartPolicy"].isNull {
                errors.oneOf(own["restartPolicy"], container["restartPolicy"], ["Always"])
            }
            if container["restartPolicy"] == "Always" {
                lifecycle(
                    own["lifecycle"], container["lifecycle"], gracePeriod: scope.gracePeriod, system: scope.system)
                probes(own, container, gracePeriod: scope.gracePeriod)
            } else {
                for field in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"]
                where !container[field].isNull {
                    errors.forbidden(own[field], "may not be set for init containers without restartPolicy=Always")
                }
            }
            if isPod { imageHasNoBlanks(own, container) }
        }
        ephemeralContainers(path, spec, scope, names)
    }

    private mutating func unique(_ path: FieldPath, _ container: JSONValue, _ names: inout Set<String>) {
        let name = container["name"].string ?? ""
        if !name.isEmpty, !names.insert(name).inserted { errors.duplicate(path["name"], .string(name)) }
    }

    private mutating func hostPorts(_ path: FieldPath, _ container: JSONValue, _ seen: inout Set<String>) {
        for (index, port) in container["ports"].elements.enumerated() {
            guard let number = port["hostPort"].int, number != 0 else { continue }
            let key = "\(port["protocol"].string ?? "")/\(port["hostIP"].string ?? "")/\(number)"
            if !seen.insert(key).inserted { errors.duplicate(path[index]["hostPort"], .string(key)) }
        }
    }

    /// On the host's network a port is the host's.
    private mutating func hostNetworkPorts(_ path: FieldPath, _ spec: JSONValue, isPod: Bool) {
        guard spec["hostNetwork"] == true else { return }
        for (index, container) in spec["containers"].elements.enumerated() {
            for (number, port) in container["ports"].elements.enumerated() {
                let onHost = port["hostPort"].int ?? 0
                if isPod || onHost != 0, onHost != port["containerPort"].int ?? 0 {
                    errors.invalid(
                        path[index]["ports"][number]["hostPort"], JSONValue(onHost),
                        "must match `containerPort` when `hostNetwork` is true")
                }
            }
        }
    }

    /// The members that an ephemeral container may have.
    private static let ephemeralFields: Set<String> = [
        "name", "targetContainerName", "image", "command", "args", "workingDir", "env", "envFrom", "volumeMounts",
        "volumeDevices", "terminationMessagePath", "terminationMessagePolicy", "imagePullPolicy", "securityContext",
        "stdin", "stdinOnce", "tty",
    ]

    private mutating func ephemeralContainers(
        _ path: FieldPath, _ spec: JSONValue, _ scope: PodScope, _ others: Set<String>
    ) {
        var names = others
        for (index, container) in spec["ephemeralContainers"].elements.enumerated() {
            let own = path["ephemeralContainers"][index]
            self.container(own, container, scope)
            imageHasNoBlanks(own, container)
            unique(own, container, &names)
            if let target = container["targetContainerName"].string, !target.isEmpty, !others.contains(target) {
                errors.notFound(own["targetContainerName"], .string(target))
            }
            for field in container.members.keys.sorted()
            where !Self.ephemeralFields.contains(field) && !container[field].isEmpty {
                errors.forbidden(own[field], "cannot be set for an Ephemeral Container")
            }
            for (number, mount) in container["volumeMounts"].elements.enumerated() {
                for field in ["subPath", "subPathExpr"] where !(mount[field].string ?? "").isEmpty {
                    errors.forbidden(
                        own["volumeMounts"][number][field], "cannot be set for an Ephemeral Container")
                }
            }
        }
    }

    private mutating func resourceClaims(_ path: FieldPath, _ claims: JSONValue) -> Set<String> {
        var names: Set<String> = []
        for (index, claim) in claims.elements.enumerated() {
            let path = path[index]
            let name = claim["name"].string ?? ""
            if name.isEmpty {
                errors.required(path["name"])
            } else if !names.insert(name).inserted {
                errors.duplicate(path["name"], .string(name))
            } else {
                errors.all(path["name"], .string(name), NameRules.dns1123Label(name))
            }
            let sources = ["resourceClaimName", "resourceClaimTemplateName"].filter { !claim[$0].isNull }
            if sources.count == 2 {
                errors.invalid(
                    path, claim,
                    "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified")
            } else if sources.isEmpty {
                errors.invalid(
                    path, claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`")
            }
            for source in sources {
                errors.all(path[source], claim[source], NameRules.dns1123Subdomain(claim[source].string ?? ""))
            }
        }
        return names
    }

    private mutating func schedulingGates(_ path: FieldPath, _ gates: JSONValue) {
        var names: Set<String> = []
        for (index, gate) in gates.elements.enumerated() {
            let name = gate["name"].string ?? ""
            errors.all(path[index], .string(name), NameRules.qualifiedName(name))
            if !names.insert(name).inserted { errors.duplicate(path[index], .string(name)) }
        }
    }

    private static let mostNameServers = 3
    private static let mostSearchPaths = 32
    private static let longestSearchList = 2048

    private mutating func dns(_ path: FieldPath, _ spec: JSONValue) {
        let config = spec["dnsConfig"]
        let servers = config["nameservers"].elements
        if spec["dnsPolicy"] == "None" {
            if config.isNull {
                return errors.required(path, "must provide `dnsConfig` when `dnsPolicy` is None")
            }
            if servers.isEmpty {
                return errors.required(
                    path["nameservers"], "must provide at least one DNS nameserver when `dnsPolicy` is None")
            }
        }
        guard !config.isNull else { return }
        if servers.count > Self.mostNameServers {
            errors.invalid(
                path["nameservers"], config["nameservers"],
                "must not have more than \(Self.mostNameServers) nameservers")
        }
        for (index, server) in servers.prefix(Self.mostSearchPaths).enumerated() {
            errors.ip(path["nameservers"][index], server)
        }
        let searches = config["searches"].elements
        if searches.count > Self.mostSearchPaths {
            errors.invalid(
                path["searches"], config["searches"], "must not have more than \(Self.mostSearchPaths) search paths")
        }
        let length = searches.reduce(max(0, searches.count - 1)) { $0 + ($1.string ?? "").utf8.count }
        if length > Self.longestSearchList {
            errors.invalid(
                path["searches"], config["searches"],
                "must not have more than \(Self.longestSearchList) characters (including spaces) in the search list")
        }
        for (index, search) in searches.enumerated() {
            var name = search.string ?? ""
            guard name != "." else { continue }
            if name.hasSuffix(".") { name.removeLast() }
            errors.all(
                path["searches"][index], .string(name),
                NameRules.dns1123SubdomainWithUnderscore(name))
        }
        for (index, option) in config["options"].elements.enumerated() where (option["name"].string ?? "").isEmpty {
            errors.required(path["options"][index], "must not be empty")
        }
    }

    private mutating func hostUsers(_ path: FieldPath, _ spec: JSONValue) {
        guard spec["hostUsers"] == false else { return }
        for field in ["hostNetwork", "hostPID", "hostIPC"] where spec[field] == true {
            let name = field == "hostNetwork" ? field : "H" + field.dropFirst()
            errors.forbidden(path[name], "when `hostUsers` is false")
        }
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            for (index, container) in spec[list].elements.enumerated() where !container["volumeDevices"].isEmpty {
                errors.forbidden(path[list][index]["volumeDevices"], "when `hostUsers` is false")
            }
        }
    }

    private mutating func names(_ path: FieldPath, _ spec: JSONValue) {
        for field in ["serviceAccountName", "nodeName"] {
            if let name = spec[field].string, !name.isEmpty {
                errors.all(path[field], spec[field], NameRules.dns1123Subdomain(name))
            }
        }
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
        for field in ["priorityClassName", "runtimeClassName"] {
            if let name = spec[field].string, !name.isEmpty {
                errors.all(path[field], spec[field], NameRules.dns1123Subdomain(name))
            }
        }
        guard let name = spec["hostnameOverride"].string else { return }
        if spec["setHostnameAsFQDN"] == true {
            errors.forbidden(path["hostnameOverride"], "may not be specified when setHostnameAsFQDN is true")
        }
        if spec["hostNetwork"] == true {
            errors.forbidden(path["hostnameOverride"], "may not be specified when hostNetwork is true")
        }
        if name.utf8.count > 64 { errors.tooLong(path["hostnameOverride"], 64) }
        errors.all(path["hostnameOverride"], .string(name), NameRules.dns1123Subdomain(name))
    }

    private mutating func hostAliases(_ path: FieldPath, _ aliases: JSONValue) {
        for (index, alias) in aliases.elements.enumerated() {
            errors.ip(path[index]["ip"], alias["ip"])
            for (number, name) in alias["hostnames"].elements.enumerated() {
                errors.all(path[index]["hostnames"][number], name, NameRules.dns1123Subdomain(name.string ?? ""))
            }
        }
    }
}
