// SPDX-License-Identifier: Apache-2.0
import CustomResources
import ServerSideApply

extension StructuralSchema {
    /// How server-side apply merges what the schema describes.
    ///
    /// Source: Kubernetes "Server-Side Apply", "Merge strategy": `x-kubernetes-list-type` and `-map-type`.
    var mergeShape: MergeShape {
        if isIntOrString { return .scalar(.any) }
        switch type {
        case .string: return .scalar(.string)
        case .integer, .number: return .scalar(.number)
        case .boolean: return .scalar(.boolean)
        case .array:
            guard let items else { return .list(.deduced, .atomic) }
            return .list(items.mergeShape, listKind(items))
        case .object:
            return object
        case nil: return isEmbeddedResource || !properties.isEmpty ? object : .deduced
        }
    }

    private var object: MergeShape {
        var fields = properties.mapValues(\.mergeShape)
        if isEmbeddedResource {
            fields["apiVersion"] = .scalar(.string)
            fields["kind"] = .scalar(.string)
            fields["metadata"] = .builtIn("meta.v1.ObjectMeta")
        }
        let others: MergeShape?
        switch additional {
        case .schema(let schema): others = schema.mergeShape
        case .allowed(true): others = .deduced
        case .allowed(false), .unspecified:
            // Of an object of which nothing is said, what is in it is pruned later.
            others = preservesUnknownFields || fields.isEmpty ? .deduced : nil
        }
        return .object(fields: fields, others: others, isAtomic: mapType == "atomic")
    }

    private func listKind(_ items: StructuralSchema) -> MergeShape.ListKind {
        switch listType {
        case "set": .set
        case "map":
            .map(keys: listMapKeys.map { MergeShape.Key($0, default: items.properties[$0]?.defaultValue) })
        default: .atomic
        }
    }
}
