// SPDX-License-Identifier: Apache-2.0
import ApusCore

extension SemanticCheck {
    /// Tokens that a CSI driver asks for: each audience once, for 10 minutes at least.
    mutating func csiTokens() {
        var audiences: Set<String> = []
        for (index, request) in spec["tokenRequests"].elements.enumerated() {
            let path = FieldPath("spec.tokenRequests")[index]
            let audience = request["audience"].string ?? ""
            if !audiences.insert(audience).inserted { errors.duplicate(path["audience"], .string(audience)) }
            guard let seconds = request["expirationSeconds"].int else { continue }
            if seconds < 600 {
                errors.invalid(
                    path["expirationSeconds"], request["expirationSeconds"],
                    "may not specify a duration less than 10 minutes")
            } else if seconds > 1 << 32 {
                errors.invalid(
                    path["expirationSeconds"], request["expirationSeconds"],
                    "may not specify a duration larger than 2^32 seconds")
            }
        }
    }

    /// What a node's driver said of itself may only change in how many volumes it takes.
    mutating func csiNodeUpdate() {
        guard let old else { return }
        for driver in spec["drivers"].elements {
            guard let before = old["spec"]["drivers"].elements.first(where: { $0["name"] == driver["name"] }) else {
                continue
            }
            var mutable = before
            mutable["allocatable"] = driver["allocatable"]
            if mutable != driver { errors.invalid("CSINodeDriver", driver, "field is immutable") }
        }
    }

    mutating func csiStorageCapacity() {
        errors.labelSelector("nodeTopology", object["nodeTopology"])
        let name = object["storageClassName"].string ?? ""
        if name.isEmpty {
            errors.required("storageClassName")
        } else {
            errors.all("storageClassName", .string(name), NameRules.dns1123Subdomain(name))
        }
        for field in ["capacity", "maximumVolumeSize"] {
            if let quantity = Quantity(object[field].string ?? ""), quantity < .zero {
                errors.invalid(FieldPath(field), object[field], "must be greater than or equal to 0")
            }
        }
        guard let old else { return }
        for field in ["nodeTopology", "storageClassName"] {
            errors.immutable(FieldPath(field), object[field], old[field])
        }
    }
}
