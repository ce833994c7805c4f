// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Which words of OpenAPI a schema may use, and how Kubernetes' own go together.
struct VocabularyCheck {
    /// What the place of a schema forbids.
    struct Context {
        /// Why no default may stand here; nil where one may.
        var forbidsDefaults: String?
        var isInsideMetadata = false
    }

    private(set) var errors = FieldErrors()

    mutating func schema(_ schema: JSONValue, _ path: FieldPath, isRoot: Bool = false, _ context: Context) {
        guard schema.object != nil else { return }
        words(schema, path, context)
        if schema["uniqueItems"] == true {
            errors.forbidden(
                path["uniqueItems"], "uniqueItems cannot be set to true since the runtime complexity becomes quadratic")
        }
        if !schema["additionalProperties"].isNull {
            if !schema["properties"].isEmpty, schema["additionalProperties"] != true {
                errors.forbidden(
                    path["additionalProperties"], "additionalProperties and properties are mutual exclusive")
            }
            var inner = context
            if context.isInsideMetadata {
                inner.forbidsDefaults = "inside additionalProperties applying to object metadata"
            }
            self.schema(schema["additionalProperties"], path["additionalProperties"], inner)
        }
        for (name, property) in schema["properties"].members.sorted(by: { $0.key < $1.key }) {
            var inner = context
            let isResource = isRoot || schema["x-kubernetes-embedded-resource"] == true
            if isResource, StructuralSchema.metaFields.contains(name) {
                inner.isInsideMetadata = true
                if isRoot { inner.forbidsDefaults = "in top-level \(name)" }
            }
            self.schema(property, path["properties"].key(name), inner)
        }
        self.schema(schema["not"], path["not"], context)
        for name in ["allOf", "oneOf", "anyOf"] {
            for (index, nested) in schema[name].elements.enumerated() {
                self.schema(nested, path[name][index], context)
            }
        }
        self.schema(schema["items"], path["items"], context)
        extensions(schema, path)
        rules(schema["x-kubernetes-validations"], path["x-kubernetes-validations"])
    }

    private mutating func words(_ schema: JSONValue, _ path: FieldPath, _ context: Context) {
        let types = ["array", "boolean", "integer", "number", "object", "string"]
        if let type = schema["type"].string, !type.isEmpty, !types.contains(type) {
            errors.notSupported(path["type"], schema["type"], types)
        }
        if !schema["default"].isNull, let why = context.forbidsDefaults {
            errors.forbidden(path["default"], "must not be set \(why)")
        }
        let unsupported = [
            "id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref",
        ]
        for name in unsupported where !schema[name].isNull {
            errors.forbidden(path[name], "\(name) is not supported")
        }
        if schema["type"] == "null" {
            errors.forbidden(path["type"], "type cannot be set to null, use nullable as an alternative")
        }
        if schema["items"].array != nil {
            errors.forbidden(path["items"], "items must be a schema object and not an array")
        }
        if context.isInsideMetadata, schema["x-kubernetes-embedded-resource"] == true {
            errors.forbidden(path["x-kubernetes-embedded-resource"], "must not be used inside of resource meta")
        }
    }

    private mutating func extensions(_ schema: JSONValue, _ path: FieldPath) {
        if schema["x-kubernetes-preserve-unknown-fields"] == false {
            errors.invalid(path["x-kubernetes-preserve-unknown-fields"], false, "must be true or undefined")
        }
        requireType("object", for: "x-kubernetes-map-type", schema, path)
        if !schema["x-kubernetes-map-type"].isNull {
            errors.oneOf(path["x-kubernetes-map-type"], schema["x-kubernetes-map-type"], ["atomic", "granular"])
        }
        requireType("array", for: "x-kubernetes-list-type", schema, path)
        let listType = schema["x-kubernetes-list-type"]
        let items = schema["items"]
        if listType == "set", schema["type"] == "array", items.object != nil {
            let detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
            let inner = items["x-kubernetes-list-type"]
            if items["type"] == "array", !inner.isNull, inner != "atomic" {
                errors.invalid(path["items"]["x-kubernetes-list-type"], inner, detail)
            }
            if items["type"] == "object", items["x-kubernetes-map-type"] != "atomic" {
                errors.invalid(path["items"]["x-kubernetes-map-type"], items["x-kubernetes-map-type"], detail)
            }
        }
        if !listType.isNull {
            errors.oneOf(path["x-kubernetes-list-type"], listType, ["atomic", "set", "map"])
        }
        let keys = schema["x-kubernetes-list-map-keys"]
        if !keys.isEmpty {
            let detail = "must be map if x-kubernetes-list-map-keys is non-empty"
            if listType.isNull {
                errors.required(path["x-kubernetes-list-type"], detail)
            } else if listType != "map" {
                errors.invalid(path["x-kubernetes-list-type"], listType, detail)
            }
        }
        if listType == "map" { mapList(schema, keys, items, path) }
        if listType == "set" || listType == "map", items["nullable"] == true {
            errors.forbidden(
                path["items"]["nullable"],
                "cannot be nullable when x-kubernetes-list-type is \(listType.string ?? "")")
        }
        if listType == "map" { mapKeys(keys, items, path["items"]["properties"]) }
    }

    private mutating func requireType(
        _ type: String, for name: String, _ schema: JSONValue, _ path: FieldPath
    ) {
        guard !schema[name].isNull, schema["type"].string != type else { return }
        let detail = "must be \(type) if \(name) is specified"
        if (schema["type"].string ?? "").isEmpty {
            errors.required(path["type"], detail)
        } else {
            errors.invalid(path["type"], schema["type"], detail)
        }
    }

    private mutating func mapList(_ schema: JSONValue, _ keys: JSONValue, _ items: JSONValue, _ path: FieldPath) {
        if keys.isEmpty {
            errors.required(
                path["x-kubernetes-list-map-keys"], "must not be empty if x-kubernetes-list-type is map")
        }
        if items.isNull {
            return errors.required(path["items"], "must have a schema if x-kubernetes-list-type is map")
        }
        guard items["type"] == "object" else {
            return errors.invalid(
                path["items"]["type"], items["type"].isNull ? "" : items["type"],
                "must be object if parent array's x-kubernetes-list-type is map")
        }
        var seen: Set<String> = []
        for key in keys.elements.compactMap(\.string) {
            let property = items["properties"][key]
            if property.isNull {
                errors.invalid(
                    path["x-kubernetes-list-map-keys"], keys, "entries must all be names of item properties")
            } else if property["type"] == "array" || property["type"] == "object" {
                errors.invalid(
                    path["items"]["properties"].key(key)["type"], items["type"],
                    "must be a scalar type if parent array's x-kubernetes-list-type is map")
            }
            if !seen.insert(key).inserted {
                errors.invalid(path["x-kubernetes-list-map-keys"], keys, "must not contain duplicate entries")
            }
        }
    }

    private mutating func mapKeys(_ keys: JSONValue, _ items: JSONValue, _ path: FieldPath) {
        let required = Set(items["required"].elements.compactMap(\.string))
        for key in keys.elements.compactMap(\.string) where !items["properties"][key].isNull {
            let property = items["properties"][key]
            if !required.contains(key), property["default"].isNull {
                errors.required(
                    path.key(key)["default"],
                    "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required "
                        + "property")
            }
            if property["nullable"] == true {
                errors.forbidden(
                    path.key(key)["nullable"],
                    "this property is in x-kubernetes-list-map-keys, so it cannot be nullable")
            }
        }
    }

    private mutating func rules(_ rules: JSONValue, _ path: FieldPath) {
        for (index, rule) in rules.elements.enumerated() {
            let path = path[index]
            let text = Self.trimmed(rule["rule"])
            let message = Self.trimmed(rule["message"])
            if text.isEmpty {
                errors.required(path["rule"], "rule is not specified")
            } else if !(rule["message"].string ?? "").isEmpty, message.isEmpty {
                errors.invalid(path["message"], rule["message"], "must be non-empty if specified")
            } else if message.contains(where: \.isNewline) {
                errors.invalid(path["message"], rule["message"], "must not contain line breaks")
            } else if text.contains(where: \.isNewline), message.isEmpty {
                errors.required(path["message"], "message must be specified if rule contains line breaks")
            }
            if !(rule["messageExpression"].string ?? "").isEmpty, Self.trimmed(rule["messageExpression"]).isEmpty {
                errors.required(path["messageExpression"], "messageExpression must be non-empty if specified")
            }
            if !rule["reason"].isNull {
                errors.oneOf(
                    path["reason"], rule["reason"],
                    ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"])
            }
            let field = rule["fieldPath"].string ?? ""
            if !field.isEmpty, Self.trimmed(rule["fieldPath"]).isEmpty {
                errors.invalid(path["fieldPath"], rule["fieldPath"], "must be non-empty if specified")
            }
            if field.contains(where: \.isNewline) {
                errors.invalid(path["fieldPath"], rule["fieldPath"], "must not contain line breaks")
            }
        }
    }

    private static func trimmed(_ value: JSONValue) -> String {
        var text = Substring(value.string ?? "")
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
