// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Schemas of definitions as the OpenAPI documents show them.
///
/// Source: Kubernetes "Publish Validation Schema in OpenAPI". OpenAPI 2 knows neither alternatives nor null, and old
/// clients take properties beside unknown ones for the only ones, so that such are left out there.
package enum PublishedSchema {
    /// Which version of OpenAPI is written.
    package enum Form: Sendable { case v2, v3 }

    private static let alternatives = ["allOf", "anyOf", "oneOf", "not"]

    /// The definition of a kind.
    ///
    /// - Parameters:
    ///   - schema: apiextensions/v1 JSONSchemaProps of the kind; null where there is none.
    ///   - form: the version of OpenAPI.
    ///   - objectMeta: the reference to meta/v1 ObjectMeta in that document.
    /// - Returns: the definition, without `x-kubernetes-group-version-kind`.
    package static func kind(_ schema: JSONValue, _ form: Form, objectMeta: String) -> JSONValue {
        guard schema.object != nil else { return ["type": "object"] }
        if form == .v2, schema["x-kubernetes-preserve-unknown-fields"] == true { return ["type": "object"] }
        var result = convert(schema, form, objectMeta)
        result["type"] = "object"
        addTypeMeta(&result)
        result["properties"]["metadata"] = metadata(objectMeta, form)
        return result
    }

    private static func convert(_ schema: JSONValue, _ form: Form, _ objectMeta: String) -> JSONValue {
        guard case .object(var members) = schema else { return schema }
        let isOpen = schema["x-kubernetes-preserve-unknown-fields"] == true
        if form == .v2 {
            for name in alternatives { members[name] = nil }
            if schema["nullable"] == true {
                for name in ["type", "nullable", "items", "properties"] { members[name] = nil }
            }
            if isOpen {
                for name in ["items", "properties"] { members[name] = nil }
                if schema["type"] == "object" { members["type"] = nil }
            }
            if schema["type"] == "array", members["items"] == nil { members["type"] = nil }
            let nullable = Set(schema["properties"].members.filter { $0.value["nullable"] == true }.keys)
            if !nullable.isEmpty {
                let rest = schema["required"].elements.filter { !nullable.contains($0.string ?? "") }
                members["required"] = rest.isEmpty ? nil : .array(rest)
            }
        } else if schema["x-kubernetes-int-or-string"] == true, members["anyOf"] == nil, members["allOf"] == nil {
            members["anyOf"] = [["type": "integer"], ["type": "string"]]
        }
        if case .object(let properties) = members["properties"] {
            members["properties"] = .object(properties.mapValues { convert($0, form, objectMeta) })
        }
        for name in ["items", "additionalProperties"] {
            if let inner = members[name], inner.object != nil { members[name] = convert(inner, form, objectMeta) }
        }
        var result = JSONValue.object(members)
        if schema["x-kubernetes-embedded-resource"] == true, !(form == .v2 && isOpen) {
            addTypeMeta(&result)
            result["properties"]["metadata"] = metadata(objectMeta, form)
            let required = result["required"].elements.compactMap(\.string)
            result["required"] = JSONValue(required + ["apiVersion", "kind"].filter { !required.contains($0) })
        }
        return result
    }

    private static func addTypeMeta(_ schema: inout JSONValue) {
        schema["properties"]["apiVersion"] = [
            "type": "string",
            "description": "APIVersion defines which group and version the object's schema is of.",
        ]
        schema["properties"]["kind"] = [
            "type": "string", "description": "Kind says which REST resource the object represents.",
        ]
    }

    /// Nothing may stand beside a reference in OpenAPI 3.
    private static func metadata(_ reference: String, _ form: Form) -> JSONValue {
        let text: JSONValue = "Standard object's metadata."
        return form == .v3
            ? ["allOf": [["$ref": .string(reference)]], "description": text, "default": .object([:])]
            : ["$ref": .string(reference), "description": text]
    }

    /// The name under which a kind is published: `com.example.stable.v1.CronTab`.
    package static func name(group: String, version: String, kind: String) -> String {
        (group.split(separator: ".").reversed().map(String.init) + [version, kind]).joined(separator: ".")
    }
}
