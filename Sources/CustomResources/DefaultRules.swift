// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Defaults of a schema must themselves be valid and have no unknown fields.
///
/// Source: Kubernetes "Defaulting".
enum DefaultRules {
    static func check(_ schema: StructuralSchema, path: FieldPath) -> [StatusCause] {
        var causes: [StatusCause] = []
        check(schema, path, isResource: true, isInsideMetadata: false, &causes)
        return Array(causes.prefix(100))
    }

    /// Defaults must keep the rules in CEL, new and unchanged.
    static func check(_ tree: RuleTree, path: FieldPath) -> [StatusCause] {
        var causes: [StatusCause] = []
        if let value = tree.schema.defaultValue {
            let found = tree.evaluate(value, old: value) + tree.evaluate(value, old: nil)
            var seen: Set<StatusCause> = []
            for cause in found where seen.insert(cause).inserted {
                let place = path["default"].description + (cause.field.isEmpty ? "" : ".\(cause.field)")
                causes.append(StatusCause(reason: cause.reason, field: place, message: cause.message))
            }
        }
        if let items = tree.items { causes += check(items, path: path["items"]) }
        for name in tree.propertyNames {
            if let property = tree.properties[name] { causes += check(property, path: path["properties"].key(name)) }
        }
        return causes
    }

    private static func check(
        _ schema: StructuralSchema, _ path: FieldPath, isResource: Bool, isInsideMetadata: Bool,
        _ causes: inout [StatusCause]
    ) {
        guard schema.hasDefaults, causes.count < 100 else { return }
        if let value = schema.defaultValue {
            let path = path["default"]
            var pruned = value
            if !isInsideMetadata, !schema.prune(&pruned, isRoot: false).isEmpty {
                causes.append(
                    StatusCause(
                        reason: "FieldValueInvalid", field: path.description,
                        message: "Invalid value: \(value.text): must not have unknown fields"))
            } else {
                causes += schema.embeddedFaults(in: value, path: path)
                causes += schema.validate(value, path: path)
            }
        }
        // Not below `additionalProperties`: nothing is defaulted there when a definition is checked, as upstream.
        if let items = schema.items {
            check(
                items, path["items"], isResource: items.isEmbeddedResource, isInsideMetadata: isInsideMetadata, &causes)
        }
        for name in schema.propertyNames {
            guard let property = schema.properties[name] else { continue }
            let isMetadata = isResource && StructuralSchema.metaFields.contains(name)
            check(
                property, path["properties"].key(name), isResource: property.isEmbeddedResource,
                isInsideMetadata: isInsideMetadata || isMetadata, &causes)
        }
    }
}
