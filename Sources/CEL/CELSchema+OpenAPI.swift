// SPDX-License-Identifier: Apache-2.0
package import ApusCore

extension CELSchema {
    /// The most that a request may be, in bytes.
    static let maxRequestSize: UInt64 = 3 * 1024 * 1024

    /// The type that expressions see of a value with a structural schema; nil where they see none.
    ///
    /// Source: k8s.io/apiserver/pkg/cel/common SchemaDeclType, and the table of types in Kubernetes' documentation of
    /// validation rules. Unknown fields are never seen.
    ///
    /// - Parameters:
    ///   - json: the schema, as a CustomResourceDefinition has it.
    ///   - isResourceRoot: whether `apiVersion`, `kind`, `metadata.name` and `metadata.generateName` are seen even when
    ///     they are not declared.
    ///   - name: what messages call an object of it.
    /// - Returns: the type.
    package static func openAPI(_ json: JSONValue, isResourceRoot: Bool = false, name: String = "object") -> CELSchema?
    {
        if json["x-kubernetes-int-or-string"].bool == true {
            return CELSchema(.dynamic, maxElements: maxRequestSize - 2)
        }
        let isDefaulted = !json["default"].isNull
        switch json["type"].string {
        case "boolean": return CELSchema(.bool, minSize: 4, isDefaulted: isDefaulted)
        case "integer": return CELSchema(.int, minSize: 1, isDefaulted: isDefaulted)
        case "number": return CELSchema(.double, minSize: 1, isDefaulted: isDefaulted)
        case "string": return string(json, isDefaulted: isDefaulted)
        case "array": return list(json, isDefaulted: isDefaulted, name: name)
        case "object":
            let values = json["additionalProperties"]
            if values.object != nil { return map(json, values, isDefaulted: isDefaulted, name: name) }
            return object(json, isResourceRoot: isResourceRoot, isDefaulted: isDefaulted, name: name)
        default: return nil
        }
    }

    private static func bound(_ json: JSONValue) -> UInt64? { json.int.map { UInt64(max(0, $0)) } }

    private static func string(_ json: JSONValue, isDefaulted: Bool) -> CELSchema {
        let length = bound(json["maxLength"])
        switch json["format"].string {
        case "byte":
            return CELSchema(.bytes, maxElements: length ?? maxRequestSize - 2, minSize: 2, isDefaulted: isDefaulted)
        case "duration": return CELSchema(.duration, maxElements: length ?? 29, minSize: 2, isDefaulted: isDefaulted)
        case "date": return CELSchema(.date, maxElements: length ?? 10, minSize: 12, isDefaulted: isDefaulted)
        case "date-time": return CELSchema(.timestamp, maxElements: length ?? 45, minSize: 22, isDefaulted: isDefaulted)
        default:
            let choices = json["enum"].elements.compactMap { $0.string?.utf8.count }
            // Schemas count characters, requests bytes: a character takes up to four.
            let most = length.map { $0.multipliedReportingOverflow(by: 4) }.map { $0.overflow ? .max : $0.partialValue }
            let longest = choices.max().map(UInt64.init)
            return CELSchema(
                .string, maxElements: most ?? longest ?? maxRequestSize - 2, minSize: 2, isDefaulted: isDefaulted)
        }
    }

    private static func list(_ json: JSONValue, isDefaulted: Bool, name: String) -> CELSchema? {
        let items = json["items"]
        guard
            let element = openAPI(
                items, isResourceRoot: items["x-kubernetes-embedded-resource"].bool == true, name: name + ".@idx")
        else { return nil }
        let kind: ListKind =
            switch json["x-kubernetes-list-type"].string {
            case "set": .set
            case "map": .map(keys: json["x-kubernetes-list-map-keys"].elements.compactMap(\.string))
            default: .atomic
            }
        // Brackets around, a comma after each.
        let most = bound(json["maxItems"]) ?? (maxRequestSize - 2) / (element.minSize + 1)
        return CELSchema(.list(element, kind), maxElements: most, minSize: 2, isDefaulted: isDefaulted)
    }

    private static func map(_ json: JSONValue, _ values: JSONValue, isDefaulted: Bool, name: String) -> CELSchema? {
        guard
            let value = openAPI(
                values, isResourceRoot: values["x-kubernetes-embedded-resource"].bool == true, name: name + ".@elem")
        else { return nil }
        // Quotes, colon and comma around each.
        let most = bound(json["maxProperties"]) ?? (maxRequestSize - 2) / (value.minSize + 6)
        return CELSchema(.map(value), maxElements: most, minSize: 2, isDefaulted: isDefaulted)
    }

    private static func object(
        _ json: JSONValue, isResourceRoot: Bool, isDefaulted: Bool, name: String
    ) -> CELSchema {
        var properties = json["properties"].members
        if isResourceRoot {
            for key in ["apiVersion", "kind"] where properties[key] == nil { properties[key] = ["type": "string"] }
            var metadata = properties["metadata"] ?? ["type": "object"]
            for key in ["name", "generateName"] { metadata["properties"][key] = ["type": "string"] }
            properties["metadata"] = metadata
        }
        let required = Set(json["required"].elements.compactMap(\.string))
        var size: UInt64 = 2
        var fields: [String: CELObjectType.Field] = [:]
        for (key, property) in properties {
            let isEmbedded = property["x-kubernetes-embedded-resource"].bool == true
            guard let schema = openAPI(property, isResourceRoot: isEmbedded, name: "\(name).\(key)") else { continue }
            if let escaped = CELNames.escape(key) { fields[escaped] = CELObjectType.Field(key: key, schema: schema) }
            if required.contains(key), !schema.isDefaulted { size += UInt64(key.utf8.count) + schema.minSize + 4 }
        }
        let type = CELObjectType(name: name, fields: fields)
        return CELSchema(.object(type), minSize: size, isDefaulted: isDefaulted)
    }
}
