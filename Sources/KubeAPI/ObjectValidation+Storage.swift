// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension SemanticCheck {
    private static let accessModes = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]

    private mutating func accessModes(_ path: FieldPath, _ modes: JSONValue) {
        for mode in modes.elements { errors.oneOf(path, mode, Self.accessModes) }
        let known = modes.elements.filter { Self.accessModes.contains($0.string ?? "") }
        if known.contains("ReadWriteOncePod"), known.contains(where: { $0 != "ReadWriteOncePod" }) {
            errors.forbidden(path, "may not use ReadWriteOncePod with other access modes")
        }
    }

    private mutating func className(_ path: FieldPath, _ name: JSONValue) {
        if let text = name.string, !text.isEmpty { errors.all(path, name, NameRules.dns1123Subdomain(text)) }
    }

    /// The spec of a claim, also of one that a pod or a StatefulSet makes.
    mutating func claimSpec(_ path: FieldPath, _ spec: JSONValue) {
        if spec["accessModes"].isEmpty {
            errors.required(path["accessModes"], "at least 1 access mode is required")
        }
        errors.labelSelector(path["selector"], spec["selector"])
        accessModes(path["accessModes"], spec["accessModes"])
        let storage = spec["resources"]["requests"]["storage"]
        let own = path["resources"].key("storage")
        if storage.isNull {
            errors.required(own)
        } else if let quantity = Quantity(storage.string ?? ""), quantity <= .zero {
            errors.invalid(own, storage, "must be greater than zero")
        }
        className(path["storageClassName"], spec["storageClassName"])
        if !spec["volumeMode"].isNull {
            errors.oneOf(path["volumeMode"], spec["volumeMode"], ["Block", "Filesystem"])
        }
        for field in ["dataSource", "dataSourceRef"] where !spec[field].isNull {
            dataSource(path[field], spec[field])
        }
        let reference = spec["dataSourceRef"]
        if !spec["dataSource"].isNull, !reference.isNull {
            if !(reference["namespace"].string ?? "").isEmpty {
                errors.invalid(
                    path, .string(path["dataSource"].description),
                    "may not be specified when dataSourceRef.namespace is specified")
            } else if ["apiGroup", "kind", "name"].contains(where: { spec["dataSource"][$0] != reference[$0] }) {
                errors.invalid(path, .string(path["dataSource"].description), "must match dataSourceRef")
            }
        }
        className(path["volumeAttributesClassName"], spec["volumeAttributesClassName"])
    }

    private mutating func dataSource(_ path: FieldPath, _ source: JSONValue) {
        for field in ["name", "kind"] where (source[field].string ?? "").isEmpty { errors.required(path[field]) }
        let group = source["apiGroup"].string ?? ""
        if group.isEmpty, source["kind"] != "PersistentVolumeClaim" {
            errors.invalid(
                path, source["kind"].isNull ? "" : source["kind"],
                "must be 'PersistentVolumeClaim' when referencing the default apiGroup")
        }
        if !group.isEmpty { errors.all(path["apiGroup"], .string(group), NameRules.dns1123Subdomain(group)) }
        if let namespace = source["namespace"].string, !namespace.isEmpty {
            errors.all(path["namespace"], .string(namespace), NameRules.dns1123Label(namespace))
        }
    }

    mutating func claim() {
        if let old { claimUpdate(old) } else { claimSpec("spec", spec) }
    }

    private mutating func claimUpdate(_ old: JSONValue) {
        let oldSpec = old["spec"]
        guard spec != oldSpec else { return }
        claimSpec("spec", spec)
        var allowed = spec
        if oldSpec["volumeName"].isNull { allowed["volumeName"] = nil }
        if oldSpec["storageClassName"].isNull { allowed["storageClassName"] = nil }
        let isBound = old["status"]["phase"] == "Bound"
        if isBound {
            allowed["resources"]["requests"]["storage"] = oldSpec["resources"]["requests"]["storage"]
            allowed["volumeAttributesClassName"] = oldSpec["volumeAttributesClassName"]
        }
        if allowed != oldSpec {
            errors.forbidden(
                "spec",
                "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound "
                    + "claims")
        }
        let path: FieldPath = "spec.resources.requests.storage"
        func amount(_ value: JSONValue) -> Quantity { Quantity(value.string ?? "") ?? .zero }
        let new = amount(spec["resources"]["requests"]["storage"])
        if new < amount(oldSpec["resources"]["requests"]["storage"]),
            new <= amount(old["status"]["capacity"]["storage"])
        {
            errors.forbidden(path, "field can not be less than status.capacity")
        }
        errors.immutable("volumeMode", spec["volumeMode"], oldSpec["volumeMode"])
    }

    /// The members of a PersistentVolume's spec that do not name its source.
    private static let volumeFields: Set<String> = [
        "accessModes", "capacity", "claimRef", "mountOptions", "nodeAffinity", "persistentVolumeReclaimPolicy",
        "storageClassName", "volumeAttributesClassName", "volumeMode",
    ]

    private static func sources(_ spec: JSONValue) -> [String] {
        spec.members.keys.filter { !volumeFields.contains($0) }.sorted()
    }

    mutating func persistentVolume() {
        if spec["accessModes"].isEmpty { errors.required("spec.accessModes") }
        accessModes("spec.accessModes", spec["accessModes"])
        capacity()
        if !spec["persistentVolumeReclaimPolicy"].isNull {
            errors.oneOf(
                "spec.persistentVolumeReclaimPolicy", spec["persistentVolumeReclaimPolicy"],
                ["Delete", "Recycle", "Retain"])
        }
        let affinity = spec["nodeAffinity"]
        if !affinity.isNull {
            if affinity["required"].isNull {
                errors.required("spec.nodeAffinity.required", "must specify required node constraints")
            } else {
                nodeSelector("spec.nodeAffinity.required", affinity["required"])
            }
        }
        let sources = Self.sources(spec)
        if let source = sources.first {
            volumeSource(FieldPath("spec")[source], spec[source], source)
            if source == "csi", (spec["csi"]["volumeHandle"].string ?? "").isEmpty {
                errors.required("spec.csi.volumeHandle")
            }
            if source == "local", affinity.isNull {
                errors.required("spec.nodeAffinity", "Local volume requires node affinity")
            }
        }
        for source in sources.dropFirst() {
            errors.forbidden(FieldPath("spec")[source], "may not specify more than 1 volume type")
        }
        if sources.isEmpty { errors.required("spec", "must specify a volume type") }
        if spec["hostPath"]["path"] == "/", spec["persistentVolumeReclaimPolicy"] == "Recycle" {
            errors.forbidden(
                "spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'")
        }
        className("spec.storageClassName", spec["storageClassName"])
        if !spec["volumeMode"].isNull {
            errors.oneOf("spec.volumeMode", spec["volumeMode"], ["Block", "Filesystem"])
        }
        guard let oldSpec = old?["spec"] else { return }
        let before = Self.sources(oldSpec)
        if before != sources || before.contains(where: { spec[$0] != oldSpec[$0] }) {
            errors.forbidden(
                "spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation")
        }
        errors.immutable("volumeMode", spec["volumeMode"], oldSpec["volumeMode"])
        if !oldSpec["nodeAffinity"].isNull {
            errors.immutable("nodeAffinity", spec["nodeAffinity"], oldSpec["nodeAffinity"])
        }
    }

    private mutating func capacity() {
        let capacity = spec["capacity"].members
        if capacity.isEmpty { errors.required("spec.capacity") }
        if !capacity.isEmpty, capacity["storage"] == nil || capacity.count > 1 {
            errors.notSupported("spec.capacity", spec["capacity"], ["storage"])
        }
        for (name, amount) in capacity.sorted(by: { $0.key < $1.key }) {
            let path = FieldPath("spec.capacity").key(name)
            if let quantity = Quantity(amount.string ?? ""), quantity <= .zero {
                errors.invalid(path, amount, "must be greater than zero")
            }
        }
    }

    // MARK: Classes

    /// Of a class's parameters: how many, and how many bytes together.
    private static let mostParameters = 512
    private static let maxParameterBytes = 256 * 1024

    private mutating func parameters(_ parameters: JSONValue, allowsEmpty: Bool) {
        let members = parameters.members
        if members.count > Self.mostParameters {
            return errors.tooLong("parameters", Self.mostParameters)
        }
        var bytes = 0
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            if key.isEmpty { errors.invalid("parameters", "", "field can not be empty.") }
            bytes += key.utf8.count + (value.string ?? "").utf8.count
        }
        if bytes > Self.maxParameterBytes { errors.tooLong("parameters", Self.maxParameterBytes) }
        if members.isEmpty, !allowsEmpty { errors.required("parameters", "must contain at least one key/value pair") }
    }

    mutating func storageClass() {
        provisioner("provisioner", object["provisioner"])
        parameters(object["parameters"], allowsEmpty: true)
        if !object["reclaimPolicy"].isNull {
            errors.oneOf("reclaimPolicy", object["reclaimPolicy"], ["Delete", "Retain"])
        }
        if object["volumeBindingMode"].isNull {
            errors.required("volumeBindingMode")
        } else {
            errors.oneOf("volumeBindingMode", object["volumeBindingMode"], ["Immediate", "WaitForFirstConsumer"])
        }
        for (index, term) in object["allowedTopologies"].elements.enumerated() {
            topology(FieldPath("allowedTopologies")[index]["matchLabelExpressions"], term["matchLabelExpressions"])
        }
        guard let old else { return }
        if object["parameters"] != old["parameters"] {
            errors.forbidden("parameters", "updates to parameters are forbidden.")
        }
        if object["provisioner"] != old["provisioner"] {
            errors.forbidden("provisioner", "updates to provisioner are forbidden.")
        }
        if object["reclaimPolicy"] != old["reclaimPolicy"] {
            errors.forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden.")
        }
        errors.immutable("volumeBindingMode", object["volumeBindingMode"], old["volumeBindingMode"])
    }

    private mutating func topology(_ path: FieldPath, _ expressions: JSONValue) {
        var keys: Set<String> = []
        for (index, expression) in expressions.elements.enumerated() {
            let path = path[index]
            let values = expression["values"].elements
            if values.isEmpty { errors.required(path["values"]) }
            var seen: Set<String> = []
            for (index, value) in values.enumerated() where !seen.insert(value.string ?? "").inserted {
                errors.duplicate(path["values"][index], value)
            }
            let key = expression["key"].string ?? ""
            errors.all(path["key"], .string(key), NameRules.qualifiedName(key))
            if !keys.insert(key).inserted { errors.duplicate(path["key"], .string(key)) }
        }
    }

    private mutating func provisioner(_ path: FieldPath, _ name: JSONValue) {
        let text = name.string ?? ""
        if text.isEmpty { return errors.required(path) }
        errors.all(path, name, NameRules.qualifiedName(text.lowercased()))
    }

    mutating func volumeAttributesClass() {
        if (object["driverName"].string ?? "").isEmpty {
            errors.required("driverName")
        } else {
            driverName("driverName", object["driverName"])
        }
        parameters(object["parameters"], allowsEmpty: false)
        guard let old else { return }
        for field in ["driverName", "parameters"] where object[field] != old[field] {
            errors.forbidden(FieldPath(field), "updates to \(field) are forbidden.")
        }
    }

    private mutating func driverName(_ path: FieldPath, _ name: JSONValue) {
        let text = name.string ?? ""
        if text.utf8.count > 63 { errors.tooLong(path, 63) }
        errors.all(path, name, NameRules.dns1123Subdomain(text.lowercased()))
    }

    mutating func csiDriver() {
        if !spec["fsGroupPolicy"].isNull {
            errors.oneOf(
                "spec.fsGroupPolicy", spec["fsGroupPolicy"], ["File", "None", "ReadWriteOnceWithFSType"])
        }
        for mode in spec["volumeLifecycleModes"].elements {
            errors.oneOf("spec.volumeLifecycleModes", mode, ["Ephemeral", "Persistent"])
        }
        guard let oldSpec = old?["spec"] else { return }
        for field in ["attachRequired", "volumeLifecycleModes"] {
            errors.immutable(FieldPath("spec")[field], spec[field], oldSpec[field])
        }
    }

    mutating func csiNode() {
        var names: Set<String> = []
        for (index, driver) in spec["drivers"].elements.enumerated() {
            let path = FieldPath("spec.drivers")[index]
            let name = driver["name"].string ?? ""
            if name.isEmpty { errors.required(path["name"]) } else { driverName(path["name"], driver["name"]) }
            let node = driver["nodeID"].string ?? ""
            if node.isEmpty { errors.required(path["nodeID"]) }
            if node.utf8.count > 256 { errors.tooLong(path["nodeID"], 256) }
            if !names.insert(name).inserted { errors.duplicate(path["name"], .string(name)) }
            for key in driver["topologyKeys"].elements {
                errors.all(path["topologyKeys"], key, NameRules.qualifiedName(key.string ?? ""))
            }
        }
    }

    mutating func volumeAttachment() {
        if (spec["attacher"].string ?? "").isEmpty { errors.required("spec.attacher") }
        let source = spec["source"]
        let present = ["inlineVolumeSpec", "persistentVolumeName"].filter { !source[$0].isNull }
        if present.isEmpty {
            errors.required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
        } else if present.count > 1 {
            errors.forbidden("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
        } else if let name = source["persistentVolumeName"].string {
            if name.isEmpty {
                errors.required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName")
            }
        }
        if (spec["nodeName"].string ?? "").isEmpty {
            errors.required("spec.nodeName")
        } else {
            errors.all("spec.nodeName", spec["nodeName"], NameRules.dns1123Subdomain(spec["nodeName"].string ?? ""))
        }
        if let old { errors.immutable("spec", spec, old["spec"]) }
    }
}
