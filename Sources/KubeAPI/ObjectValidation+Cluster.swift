// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Nodes and namespaces.
extension SemanticCheck {
    mutating func node() {
        var taken: Set<String> = []
        for (index, taint) in spec["taints"].elements.enumerated() {
            // Upstream says this of the metadata.
            let path = FieldPath("metadata.taints")[index]
            let key = taint["key"].string ?? ""
            errors.all(path["key"], .string(key), NameRules.qualifiedName(key))
            let faults = NameRules.labelValue(taint["value"].string ?? "")
            if !faults.isEmpty { errors.invalid(path["value"], taint["value"], faults.joined(separator: ";")) }
            if (taint["effect"].string ?? "").isEmpty {
                errors.required(path["effect"])
            } else {
                taintEffect(path["effect"], taint["effect"])
            }
            if !taken.insert("\(key):\(taint["effect"].string ?? "")").inserted {
                errors.duplicate(path, taint, "taints must be unique by key and effect pair")
            }
        }
        for list in ["capacity", "allocatable"] {
            for (name, amount) in object["status"][list].members.sorted(by: { $0.key < $1.key }) {
                self.amount(FieldPath("status")[list][name], name, amount)
            }
        }
        let networks = spec["podCIDRs"].elements
        for (index, network) in networks.enumerated() { errors.cidr(FieldPath("spec.podCIDRs")[index], network) }
        if networks.count > 2 {
            errors.invalid("spec.podCIDRs", spec["podCIDRs"], "may specify no more than one CIDR for each IP family")
        }
        guard let old else { return }
        if !old["spec"]["podCIDRs"].isEmpty, old["spec"]["podCIDRs"] != spec["podCIDRs"] {
            errors.forbidden("spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid")
        }
        if let provider = old["spec"]["providerID"].string, !provider.isEmpty,
            spec["providerID"].string != provider
        {
            errors.forbidden("spec.providerID", "node updates may not change providerID except from \"\" to valid")
        }
        var addresses: Set<JSONValue> = []
        for (index, address) in object["status"]["addresses"].elements.enumerated()
        where !addresses.insert(address).inserted {
            errors.duplicate(FieldPath("status.addresses")[index], address)
        }
    }

    mutating func namespace() {
        for finalizer in spec["finalizers"].elements {
            finalizerName("spec.finalizers", finalizer)
            standardFinalizer("spec.finalizers", finalizer)
        }
        guard old != nil, let phase = object["status"]["phase"].string else { return }
        let isDeleted = !object["metadata"]["deletionTimestamp"].isNull
        if !isDeleted, phase != "Active" {
            errors.invalid(
                "status.Phase", .string(phase), "may only be 'Active' if `deletionTimestamp` is empty")
        } else if isDeleted, phase != "Terminating" {
            errors.invalid(
                "status.Phase", .string(phase), "may only be 'Terminating' if `deletionTimestamp` is not empty")
        }
    }

    mutating func finalizerName(_ path: FieldPath, _ finalizer: JSONValue) {
        errors.all(path, finalizer, NameRules.qualifiedName(finalizer.string ?? ""))
    }

    /// Names without a domain are Kubernetes' own.
    mutating func standardFinalizer(_ path: FieldPath, _ finalizer: JSONValue) {
        let name = finalizer.string ?? ""
        if !name.contains("/"), !["kubernetes", "orphan", "foregroundDeletion"].contains(name) {
            errors.invalid(
                path, finalizer, "name is neither a standard finalizer name nor is it fully qualified")
        }
    }
}
