// SPDX-License-Identifier: Apache-2.0
package import ApusCore

extension StructuralSchema {
    /// Fills in the schema's defaults, and removes nulls that the schema does not take.
    ///
    /// Source: Kubernetes "Defaulting", "Defaulting and Nullable". A null that is not allowed is removed where there is
    /// no default, and else replaced by it. Idempotent.
    package func applyDefaults(to value: inout JSONValue) {
        switch value {
        case .object(var members):
            var isChanged = false
            if hasDefaults {
                for name in propertyNames {
                    guard let property = properties[name], let standard = property.defaultValue else { continue }
                    let present = members[name]
                    if present == nil || (present == .null && !property.isNullable) {
                        members[name] = standard
                        isChanged = true
                    }
                }
            }
            for (key, member) in members {
                guard let schema = schema(of: key) else { continue }
                switch member {
                case .null where !schema.isNullable:
                    members[key] = schema.defaultValue
                    isChanged = true
                    if schema.defaultValue == nil { continue }
                case .object, .array: break
                default: continue
                }
                guard var copy = members[key], copy.object != nil || copy.array != nil else { continue }
                let before = copy
                schema.applyDefaults(to: &copy)
                if copy != before {
                    members[key] = copy
                    isChanged = true
                }
            }
            if isChanged { value = .object(members) }
        case .array(var elements):
            guard let items else { return }
            for index in elements.indices {
                if elements[index].isNull, !items.isNullable, let standard = items.defaultValue {
                    elements[index] = standard
                }
                items.applyDefaults(to: &elements[index])
            }
            value = .array(elements)
        default: break
        }
    }
}
