// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI

/// Why a container cannot be configured; shown as its waiting reason.
package struct ContainerConfigError: Error, Equatable, Sendable, CustomStringConvertible {
    /// `CreateContainerConfigError`, `ErrImageNeverPull`, …
    package var reason: String
    package var message: String

    package init(_ message: String, reason: String = "CreateContainerConfigError") {
        self.reason = reason
        self.message = message
    }

    package var description: String { message }
}

/// The ConfigMaps and Secrets that a pod refers to, as read from the API server; absent ones are not there.
package struct ReferencedObjects: Sendable, Equatable {
    package var configMaps: [String: KubeObject]
    package var secrets: [String: KubeObject]

    package init(configMaps: [String: KubeObject] = [:], secrets: [String: KubeObject] = [:]) {
        self.configMaps = configMaps
        self.secrets = secrets
    }

    /// The files or variables of a ConfigMap: `data`, and `binaryData` decoded.
    package static func entries(ofConfigMap object: KubeObject) -> [String: [UInt8]] {
        object["data"].stringMembers.mapValues { Array($0.utf8) }
            .merging(object["binaryData"].stringMembers.mapValues { (try? Base64.decode($0).get()) ?? [] }) { text, _ in
                text
            }
    }

    /// The files or variables of a Secret.
    package static func entries(ofSecret object: KubeObject) -> [String: [UInt8]] {
        object["data"].stringMembers.mapValues { (try? Base64.decode($0).get()) ?? [] }
    }

    /// The objects that a pod's volumes and environments name.
    package static func names(in pod: KubeObject) -> (configMaps: Set<String>, secrets: Set<String>) {
        var configMaps: Set<String> = []
        var secrets: Set<String> = []
        for container in pod.spec["initContainers"].elements + pod.spec["containers"].elements {
            for source in container["envFrom"].elements {
                configMaps.formUnion([source["configMapRef"]["name"].string].compactMap { $0 })
                secrets.formUnion([source["secretRef"]["name"].string].compactMap { $0 })
            }
            for variable in container["env"].elements {
                configMaps.formUnion([variable["valueFrom"]["configMapKeyRef"]["name"].string].compactMap { $0 })
                secrets.formUnion([variable["valueFrom"]["secretKeyRef"]["name"].string].compactMap { $0 })
            }
        }
        for volume in pod.spec["volumes"].elements {
            for source in [volume] + volume["projected"]["sources"].elements {
                let secret = source["secret"]
                configMaps.formUnion([source["configMap"]["name"].string].compactMap { $0 })
                secrets.formUnion([secret["secretName"].string ?? secret["name"].string].compactMap { $0 })
            }
        }
        return (configMaps, secrets)
    }
}

/// Makes a container's environment (core/v1 EnvVar, EnvFromSource) from what the pod and other objects say.
package struct ContainerEnvironment: Sendable {
    package var pod: KubeObject
    package var podAddress: String
    package var hostAddress: String
    package var nodeName: String
    /// What `resourceFieldRef` gives for limits that are not set.
    package var nodeCapacity: [String: Quantity]
    package var objects: ReferencedObjects
    /// Services whose addresses are told by variables.
    package var services: [KubeObject]

    package init(
        pod: KubeObject, podAddress: String, hostAddress: String, nodeName: String,
        nodeCapacity: [String: Quantity] = [:], objects: ReferencedObjects = .init(), services: [KubeObject] = []
    ) {
        self.pod = pod
        self.podAddress = podAddress
        self.hostAddress = hostAddress
        self.nodeName = nodeName
        self.nodeCapacity = nodeCapacity
        self.objects = objects
        self.services = services
    }

    /// All variables: those of services, then `envFrom`, then `env`, later ones winning; `base` is below all of them.
    /// - Throws: when a ConfigMap, Secret or key that is not optional is missing.
    package func variables(
        for container: JSONValue, base: [String: String] = [:]
    ) throws(ContainerConfigError) -> [String: String] {
        var result = base
        result.merge(ServiceVariables.make(services)) { _, new in new }
        result["POD_IP"] = podAddress
        result["HOSTNAME"] = pod.name
        for source in container["envFrom"].elements { result.merge(try bulk(source)) { _, new in new } }
        for variable in container["env"].elements {
            guard let name = variable["name"].string else { continue }
            if variable["valueFrom"].isNull {
                result[name] = VariableExpansion.expand(variable["value"].string ?? "", result)
            } else if let value = try self.value(variable["valueFrom"], container) {
                result[name] = value
            }
        }
        return result
    }

    private func bulk(_ source: JSONValue) throws(ContainerConfigError) -> [String: String] {
        let entries: [String: [UInt8]]
        let reference: JSONValue
        let found: KubeObject?
        let kind: String
        if !source["configMapRef"].isNull {
            (reference, kind) = (source["configMapRef"], "configmap")
            found = objects.configMaps[reference["name"].string ?? ""]
            entries = found.map(ReferencedObjects.entries(ofConfigMap:)) ?? [:]
        } else {
            (reference, kind) = (source["secretRef"], "secret")
            found = objects.secrets[reference["name"].string ?? ""]
            entries = found.map(ReferencedObjects.entries(ofSecret:)) ?? [:]
        }
        if found == nil, reference["optional"].bool != true {
            throw ContainerConfigError("\(kind) \"\(reference["name"].string ?? "")\" not found")
        }
        let prefix = source["prefix"].string ?? ""
        var result: [String: String] = [:]
        for (key, bytes) in entries { result[prefix + key] = String(decoding: bytes, as: UTF8.self) }
        return result
    }

    private func value(_ source: JSONValue, _ container: JSONValue) throws(ContainerConfigError) -> String? {
        if !source["configMapKeyRef"].isNull {
            let reference = source["configMapKeyRef"]
            let object = objects.configMaps[reference["name"].string ?? ""]
            return try entry(
                reference, "configmap", "ConfigMap", object, object.map(ReferencedObjects.entries(ofConfigMap:)))
        }
        if !source["secretKeyRef"].isNull {
            let reference = source["secretKeyRef"]
            let object = objects.secrets[reference["name"].string ?? ""]
            return try entry(reference, "secret", "Secret", object, object.map(ReferencedObjects.entries(ofSecret:)))
        }
        if !source["fieldRef"].isNull { return try field(source["fieldRef"]["fieldPath"].string ?? "") }
        if !source["resourceFieldRef"].isNull {
            return try resource(source["resourceFieldRef"], containers: [container], default: container)
        }
        throw ContainerConfigError("valueFrom names no source that is known")
    }

    private func entry(
        _ reference: JSONValue, _ kind: String, _ title: String, _ object: KubeObject?, _ entries: [String: [UInt8]]?
    ) throws(ContainerConfigError) -> String? {
        let name = reference["name"].string ?? ""
        let key = reference["key"].string ?? ""
        if let bytes = entries?[key] { return String(decoding: bytes, as: UTF8.self) }
        if reference["optional"].bool == true { return nil }
        guard object != nil else { throw ContainerConfigError("\(kind) \"\(name)\" not found") }
        throw ContainerConfigError("couldn't find key \(key) in \(title) \(pod.namespace)/\(name)")
    }

    /// A `fieldRef` of the downward API.
    package func field(_ path: String) throws(ContainerConfigError) -> String {
        if let open = path.firstIndex(of: "["), path.hasSuffix("]") {
            let key = path[path.index(after: open)...].dropLast().filter { $0 != "'" && $0 != "\"" }
            switch path[..<open] {
            case "metadata.labels": return pod.labels[String(key)] ?? ""
            case "metadata.annotations": return pod.annotations[String(key)] ?? ""
            default: break
            }
        }
        switch path {
        case "metadata.name": return pod.name
        case "metadata.namespace": return pod.namespace
        case "metadata.uid": return pod.uid
        case "metadata.labels": return Self.lines(pod.labels)
        case "metadata.annotations": return Self.lines(pod.annotations)
        case "spec.nodeName": return nodeName
        case "spec.serviceAccountName": return pod.spec["serviceAccountName"].string ?? "default"
        case "status.hostIP", "status.hostIPs": return hostAddress
        case "status.podIP", "status.podIPs": return podAddress
        default: throw ContainerConfigError("fieldRef \"\(path)\" is not supported by the downward API")
        }
    }

    /// `key="value"` lines, sorted, the values quoted as Go does.
    private static func lines(_ members: [String: String]) -> String {
        members.sorted { $0.key < $1.key }
            .map { "\($0.key)=\(JSONValue.string($0.value).text)" }.joined(separator: "\n")
    }

    /// A `resourceFieldRef` of the downward API.
    package func resource(
        _ reference: JSONValue, containers: [JSONValue], default fallback: JSONValue = nil
    ) throws(ContainerConfigError) -> String {
        let name = reference["containerName"].string
        let all = pod.spec["initContainers"].elements + pod.spec["containers"].elements
        let container =
            name.flatMap { name in all.first { $0["name"].string == name } } ?? (name == nil ? fallback : .null)
        let parts = (reference["resource"].string ?? "").split(separator: ".", maxSplits: 1).map(String.init)
        guard !container.isNull, parts.count == 2, ["limits", "requests"].contains(parts[0]) else {
            throw ContainerConfigError("resourceFieldRef \"\(reference["resource"].string ?? "")\" is not valid")
        }
        func amount(_ value: JSONValue) -> Quantity? { Quantity(value.string ?? value.int.map(String.init) ?? "") }
        let resources = container["resources"]
        var value = amount(resources[parts[0]][parts[1]])
        if value == nil, parts[0] == "limits" { value = nodeCapacity[parts[1]] }
        if value == nil { value = amount(resources["limits"][parts[1]]) ?? .zero }
        let divisor = amount(reference["divisor"]).flatMap { $0 > .zero ? $0 : nil } ?? Quantity(1)
        let millis = value?.millis ?? 0
        return String(millis / divisor.millis + (millis % divisor.millis > 0 ? 1 : 0))
    }
}
