// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Volumes of pods, and paths.
extension SemanticCheck {
    /// A path below the place where it is used.
    mutating func descendingPath(_ path: FieldPath, _ value: JSONValue) {
        if value.string?.hasPrefix("/") == true { errors.invalid(path, value, "must be a relative path") }
        noBacksteps(path, value)
    }

    mutating func noBacksteps(_ path: FieldPath, _ value: JSONValue) {
        let parts = (value.string ?? "").split(separator: "/", omittingEmptySubsequences: false)
        if parts.contains("..") { errors.invalid(path, value, "must not contain '..'") }
    }

    /// A path of a file that a volume is made of: names that begin with two dots are the node agent's own.
    private mutating func filePath(_ path: FieldPath, _ value: JSONValue) {
        descendingPath(path, value)
        let text = value.string ?? ""
        if text.hasPrefix(".."), text != "..", !text.hasPrefix("../") {
            errors.invalid(path, value, "must not start with '..'")
        }
    }

    private mutating func mode(_ path: FieldPath, _ value: JSONValue) {
        if let mode = value.int, !(0...0o777).contains(mode) {
            errors.invalid(path, value, "must be a number between 0 and 0777 (octal), both inclusive")
        }
    }

    /// The members that a source must have, by the source. Members named in upstream's order.
    private static let required: [String: [String]] = [
        "awsElasticBlockStore": ["volumeID"], "azureDisk": ["diskName", "diskURI"],
        "azureFile": ["secretName", "shareName"], "cephfs": ["monitors"], "cinder": ["volumeID"],
        "csi": ["driver"], "flexVolume": ["driver"], "gcePersistentDisk": ["pdName"], "gitRepo": ["repository"],
        "glusterfs": ["endpoints", "path"], "hostPath": ["path"], "iscsi": ["targetPortal", "iqn"],
        "nfs": ["server", "path"], "persistentVolumeClaim": ["claimName"], "photonPersistentDisk": ["pdID"],
        "portworxVolume": ["volumeID"], "quobyte": ["registry", "volume"], "rbd": ["monitors", "image"],
        "scaleIO": ["gateway", "system", "volumeName"], "storageos": ["volumeName"],
        "vsphereVolume": ["volumePath"], "local": ["path"], "configMap": ["name"], "secret": ["secretName"],
        "image": ["reference"],
    ]

    /// What pods' volumes and PersistentVolumes have in common.
    mutating func volumeSource(_ path: FieldPath, _ source: JSONValue, _ kind: String) {
        for member in Self.required[kind] ?? [] where source[member].isEmpty || source[member] == "" {
            errors.required(path[member])
        }
        switch kind {
        case "hostPath":
            noBacksteps(path["path"], source["path"])
            if !source["type"].isNull {
                errors.oneOf(
                    path["type"], source["type"],
                    [
                        "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate",
                        "Socket",
                    ])
            }
        case "local": noBacksteps(path["path"], source["path"])
        case "nfs":
            if let place = source["path"].string, !place.isEmpty, !place.hasPrefix("/") {
                errors.invalid(path["path"], source["path"], "must be an absolute path")
            }
        case "gitRepo": descendingPath(path["directory"], source["directory"])
        case "iscsi":
            let name = source["iqn"].string ?? ""
            if !name.isEmpty, !["iqn", "eui", "naa"].contains(where: name.hasPrefix) {
                errors.invalid(path["iqn"], source["iqn"], "must be valid format starting with iqn, eui, or naa")
            }
            if let lun = source["lun"].int, !(0...255).contains(lun) {
                errors.invalid(path["lun"], source["lun"], "must be between 0 and 255, inclusive")
            }
        case "gcePersistentDisk", "awsElasticBlockStore":
            if let partition = source["partition"].int, !(0...255).contains(partition) {
                errors.invalid(path["partition"], source["partition"], "must be between 1 and 255, inclusive")
            }
        case "fc":
            if source["targetWWNs"].isEmpty, source["wwids"].isEmpty {
                errors.required(path["targetWWNs"], "must specify either targetWWNs or wwids, but not both")
            } else if !source["targetWWNs"].isEmpty, !source["wwids"].isEmpty {
                errors.invalid(
                    path["targetWWNs"], source["targetWWNs"],
                    "targetWWNs and wwids can not be specified simultaneously")
            }
        default: break
        }
    }

    /// Checks the volumes and returns them by name.
    mutating func volumes(_ path: FieldPath, _ volumes: JSONValue) -> [String: JSONValue] {
        var byName: [String: JSONValue] = [:]
        for (index, volume) in volumes.elements.enumerated() {
            let path = path[index]
            let kinds = volume.members.keys.filter { $0 != "name" }.sorted()
            if let kind = kinds.first { podVolume(path[kind], volume[kind], kind, path) }
            for other in kinds.dropFirst() {
                errors.forbidden(path[other], "may not specify more than 1 volume type")
            }
            if kinds.isEmpty { errors.required(path, "must specify a volume type") }
            errors.name(path["name"], volume["name"], NameRules.dns1123Label)
            let name = volume["name"].string ?? ""
            if !name.isEmpty, byName.updateValue(volume, forKey: name) != nil {
                errors.duplicate(path["name"], .string(name))
            }
        }
        return byName
    }

    private mutating func podVolume(_ path: FieldPath, _ source: JSONValue, _ kind: String, _ volume: FieldPath) {
        volumeSource(path, source, kind)
        switch kind {
        case "emptyDir":
            if let limit = Quantity(source["sizeLimit"].string ?? ""), limit < .zero {
                errors.forbidden(path["sizeLimit"], "SizeLimit field must be a valid resource quantity")
            }
        case "configMap", "secret":
            mode(path["defaultMode"], source["defaultMode"])
            keys(path["items"], source["items"])
        case "downwardAPI":
            mode(path["defaultMode"], source["defaultMode"])
            downwardFiles(path["items"], source["items"])
        case "projected":
            mode(path["defaultMode"], source["defaultMode"])
            projections(path, source["sources"])
        case "ephemeral":
            let template = source["volumeClaimTemplate"]
            if template.isNull {
                errors.required(path["volumeClaimTemplate"])
            } else {
                claimSpec(path["volumeClaimTemplate"]["spec"], template["spec"])
            }
        case "image":
            if !source["pullPolicy"].isNull {
                errors.oneOf(path["pullPolicy"], source["pullPolicy"], ["Always", "IfNotPresent", "Never"])
            }
        default: break
        }
    }

    private mutating func keys(_ path: FieldPath, _ items: JSONValue) {
        for (index, item) in items.elements.enumerated() {
            if (item["key"].string ?? "").isEmpty { errors.required(path[index]["key"]) }
            if (item["path"].string ?? "").isEmpty { errors.required(path[index]["path"]) }
            filePath(path[index]["path"], item["path"])
            mode(path[index]["mode"], item["mode"])
        }
    }

    private static let fileFields: Set<String> = [
        "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid",
    ]

    private mutating func downwardFiles(_ path: FieldPath, _ items: JSONValue) {
        for (index, item) in items.elements.enumerated() {
            let path = path[index]
            if (item["path"].string ?? "").isEmpty { errors.required(path["path"]) }
            filePath(path["path"], item["path"])
            if !item["fieldRef"].isNull {
                fieldReference(path["fieldRef"], item["fieldRef"], Self.fileFields)
                if !item["resourceFieldRef"].isNull {
                    errors.invalid(
                        path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
                }
            } else if !item["resourceFieldRef"].isNull {
                resourceReference(path["resourceFieldRef"], item["resourceFieldRef"], isVolume: true)
            } else {
                errors.required(path, "one of fieldRef and resourceFieldRef is required")
            }
            mode(path["mode"], item["mode"])
        }
    }

    private mutating func projections(_ path: FieldPath, _ sources: JSONValue) {
        var places: Set<String> = []
        for (index, source) in sources.elements.enumerated() {
            let own = path["sources"][index]
            let kinds = source.members.keys.sorted()
            for kind in kinds {
                let value = source[kind]
                for file in projection(own[kind], value, kind) where !file.isEmpty {
                    if !places.insert(file).inserted {
                        errors.invalid(path, .string(file), "conflicting duplicate paths")
                    }
                }
            }
            if kinds.count > 1 {
                errors.forbidden(own, "may not specify more than 1 volume type per source")
            }
        }
    }

    /// Checks one source and returns the files that it makes.
    private mutating func projection(_ path: FieldPath, _ source: JSONValue, _ kind: String) -> [String] {
        switch kind {
        case "secret", "configMap":
            if (source["name"].string ?? "").isEmpty { errors.required(path["name"]) }
            keys(path["items"], source["items"])
            return source["items"].elements.compactMap { $0["path"].string }
        case "downwardAPI":
            downwardFiles(path["items"], source["items"])
            return source["items"].elements.compactMap { $0["path"].string }
        case "serviceAccountToken":
            if let seconds = source["expirationSeconds"].int {
                let value = source["expirationSeconds"]
                if seconds < 600 {
                    errors.invalid(
                        path["expirationSeconds"], value, "may not specify a duration less than 10 minutes")
                } else if seconds > 1 << 32 {
                    errors.invalid(
                        path["expirationSeconds"], value, "may not specify a duration larger than 2^32 seconds")
                }
            }
            if (source["path"].string ?? "").isEmpty {
                errors.required(path["path"])
            } else {
                filePath(path["path"], source["path"])
            }
            return [source["path"].string ?? ""]
        case "clusterTrustBundle":
            if (source["path"].string ?? "").isEmpty { errors.required(path["path"]) }
            filePath(path["path"], source["path"])
            return [source["path"].string ?? ""]
        default: return []
        }
    }

    // MARK: References to what the pod says of itself

    /// Members of a pod that a label of the downward API may name, supported everywhere or not.
    private static let downwardFields: Set<String> = [
        "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid",
        "spec.nodeName", "spec.restartPolicy", "spec.serviceAccountName", "spec.schedulerName", "status.phase",
        "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
    ]

    mutating func fieldReference(_ path: FieldPath, _ reference: JSONValue, _ supported: Set<String>) {
        guard !(reference["apiVersion"].string ?? "").isEmpty else { return errors.required(path["apiVersion"]) }
        let field = reference["fieldPath"].string ?? ""
        guard !field.isEmpty else { return errors.required(path["fieldPath"]) }
        let version = reference["apiVersion"].string ?? ""
        if version != "v1" {
            return errors.invalid(
                path["fieldPath"], .string(field),
                "error converting fieldPath: unsupported pod version: \(version)")
        }
        if let open = field.firstIndex(of: "["), field.hasSuffix("']"), field[open...].hasPrefix("['") {
            let base = String(field[..<open])
            let key = String(field[field.index(open, offsetBy: 2)...].dropLast(2))
            switch base {
            case "metadata.annotations": errors.all(path, .string(key), NameRules.qualifiedName(key.lowercased()))
            case "metadata.labels": errors.all(path, .string(key), NameRules.qualifiedName(key))
            default: unknownField(path, field)
            }
            return
        }
        guard Self.downwardFields.contains(field) else { return unknownField(path, field) }
        if !supported.contains(field) {
            errors.notSupported(path["fieldPath"], .string(field), supported.sorted())
        }
    }

    private mutating func unknownField(_ path: FieldPath, _ field: String) {
        errors.invalid(
            path["fieldPath"], .string(field), "error converting fieldPath: field label not supported: \(field)")
    }

    private static let resourceFields = [
        "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage",
        "requests.memory",
    ]

    mutating func resourceReference(_ path: FieldPath, _ reference: JSONValue, isVolume: Bool) {
        let resource = reference["resource"].string ?? ""
        let isHuge = resource.hasPrefix("limits.hugepages-") || resource.hasPrefix("requests.hugepages-")
        if isVolume, (reference["containerName"].string ?? "").isEmpty {
            errors.required(path["containerName"])
        } else if resource.isEmpty {
            errors.required(path["resource"])
        } else if !Self.resourceFields.contains(resource), !isHuge {
            errors.notSupported(path["resource"], .string(resource), Self.resourceFields)
        }
        let divisor = reference["divisor"].string ?? "0"
        guard divisor != "0" else { return }
        let units =
            ["1"] + ["k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].map { "1\($0)" }
        let list = units.joined(separator: ", ")
        let what: String
        if resource.hasSuffix(".cpu") {
            if !["1", "1m"].contains(divisor) {
                errors.invalid(
                    path["divisor"], .string(resource),
                    "only divisor's values 1m and 1 are supported with the cpu resource")
            }
            return
        } else if resource.hasSuffix(".memory") {
            what = "memory"
        } else if resource.hasSuffix(".ephemeral-storage") {
            what = "local ephemeral storage"
        } else if isHuge {
            what = "hugepages"
        } else {
            return
        }
        if !units.contains(divisor) {
            errors.invalid(
                path["divisor"], .string(resource),
                "only divisor's values \(list) are supported with the \(what) resource")
        }
    }
}
