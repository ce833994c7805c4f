// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI
import LinearRegex

/// What a schema of a definition must look like to be structural.
///
/// Source: Kubernetes "Specifying a structural schema" and the messages of apiextensions-apiserver.
package enum SchemaRules {
    /// What is wrong with a schema.
    ///
    /// - Parameters:
    ///   - schema: apiextensions/v1 JSONSchemaProps.
    ///   - path: where it stands.
    ///   - hasStatus: whether the version has the subresource `status`.
    /// - Returns: the faults in upstream's words; none for a structural schema.
    package static func check(_ schema: JSONValue, path: FieldPath, hasStatus: Bool) -> [StatusCause] {
        var errors = FieldErrors()
        if hasStatus, !schema["type"].isNull, schema["type"] != "object" {
            errors.invalid(
                path["type"], schema["type"],
                "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled")
        }
        if schema["nullable"] == true { errors.forbidden(path["nullable"], "nullable cannot be true at the root") }
        var structure = StructureCheck()
        structure.schema(schema, .root, path)
        structure.completeness(schema, path)
        let found = structure.errors.causes.sorted { "\($0.field): \($0.message)" < "\($1.field): \($1.message)" }
        var vocabulary = VocabularyCheck()
        vocabulary.schema(schema, path, isRoot: true, VocabularyCheck.Context())
        return errors.causes + found + vocabulary.errors.causes
    }
}

/// The invariants of structural schemas.
private struct StructureCheck {
    enum Level {
        case root, item, field
    }

    var errors = FieldErrors()

    mutating func schema(_ schema: JSONValue, _ level: Level, _ path: FieldPath) {
        guard schema.object != nil else { return }
        let type = schema["type"].string ?? ""
        let isEmbedded = schema["x-kubernetes-embedded-resource"] == true
        let keepsUnknown = schema["x-kubernetes-preserve-unknown-fields"] == true
        let isIntOrString = schema["x-kubernetes-int-or-string"] == true
        let properties = schema["properties"].members
        if type == "array", schema["items"].isNull { errors.required(path["items"], "must be specified") }
        if schema["items"].object != nil { self.schema(schema["items"], .item, path["items"]) }
        for (name, property) in properties.sorted(by: { $0.key < $1.key }) {
            self.schema(property, .field, path["properties"].key(name))
        }
        if !schema["additionalProperties"].isNull {
            if level == .root { errors.forbidden(path["additionalProperties"], "must not be used at the root") }
            self.schema(schema["additionalProperties"], .field, path["additionalProperties"])
        }
        if isIntOrString, keepsUnknown {
            errors.invalid(
                path["x-kubernetes-preserve-unknown-fields"], true,
                "must be false if x-kubernetes-int-or-string is true")
        }
        if isIntOrString, isEmbedded {
            errors.invalid(
                path["x-kubernetes-embedded-resource"], true, "must be false if x-kubernetes-int-or-string is true")
        }
        let isPattern = Self.isIntOrStringChoice(schema["anyOf"])
        let isFirstPattern = Self.isIntOrStringChoice(schema["allOf"][0]["anyOf"])
        values(schema, skipsAnyOf: isPattern, skipsFirst: isFirstPattern, path)
        self.type(type, level, path, isEmbedded: isEmbedded, isOpen: isIntOrString || keepsUnknown)
        if isEmbedded, !schema["additionalProperties"].isNull {
            errors.forbidden(
                path["additionalProperties"], "must not be used if x-kubernetes-embedded-resource is set")
        }
        if level == .root, !type.isEmpty, type != "object" {
            errors.invalid(path["type"], schema["type"], "must be object at the root")
        }
        metadata(properties, level, path["properties"], isResource: level == .root || isEmbedded)
        if isEmbedded, !keepsUnknown, properties.isEmpty {
            errors.required(
                path["properties"],
                "must not be empty if x-kubernetes-embedded-resource is true without "
                    + "x-kubernetes-preserve-unknown-fields")
        }
    }

    private mutating func type(
        _ type: String, _ level: Level, _ path: FieldPath, isEmbedded: Bool, isOpen: Bool
    ) {
        if isEmbedded, type != "object" {
            let detail = "must be object if x-kubernetes-embedded-resource is true"
            if type.isEmpty {
                errors.required(path["type"], detail)
            } else {
                errors.invalid(path["type"], .string(type), detail)
            }
        } else if type.isEmpty, !isOpen {
            switch level {
            case .root: errors.required(path["type"], "must not be empty at the root")
            case .item: errors.required(path["type"], "must not be empty for specified array items")
            case .field: errors.required(path["type"], "must not be empty for specified object fields")
            }
        }
    }

    private mutating func metadata(
        _ properties: [String: JSONValue], _ level: Level, _ path: FieldPath, isResource: Bool
    ) {
        for name in ["kind", "apiVersion"] where isResource {
            if let schema = properties[name], schema["type"] != "string" {
                errors.invalid(path.key(name)["type"], schema["type"].isNull ? "" : schema["type"], "must be string")
            }
        }
        guard let schema = properties["metadata"] else { return }
        let path = path.key("metadata")
        if isResource, schema["type"] != "object" {
            errors.invalid(path["type"], schema["type"].isNull ? "" : schema["type"], "must be object")
        }
        if level == .root {
            let known: Set = ["type", "default", "properties", "description", "title"]
            let names = Set(schema["properties"].members.keys)
            let isPlain =
                names.isSubset(of: ["name", "generateName"]) && schema["description"].isNull
                && schema["title"].isNull
                && schema.members.allSatisfy { known.contains($0.key) || $0.value.isEmpty || $0.value == false }
            if !isPlain {
                errors.forbidden(
                    path,
                    "must not specify anything other than name and generateName, but metadata is implicitly specified")
            }
        }
    }

    private static func isIntOrStringChoice(_ anyOf: JSONValue) -> Bool {
        anyOf == [["type": "integer"], ["type": "string"]]
    }

    private mutating func values(_ schema: JSONValue, skipsAnyOf: Bool, skipsFirst: Bool, _ path: FieldPath) {
        if !skipsAnyOf {
            for (index, nested) in schema["anyOf"].elements.enumerated() { self.nested(nested, path["anyOf"][index]) }
        }
        for (index, nested) in schema["allOf"].elements.enumerated() {
            self.nested(nested, skipsAnyOf: skipsFirst && index == 0, path["allOf"][index])
        }
        for (index, nested) in schema["oneOf"].elements.enumerated() { self.nested(nested, path["oneOf"][index]) }
        if !schema["not"].isNull { nested(schema["not"], path["not"]) }
        if let pattern = schema["pattern"].string, !pattern.isEmpty, pattern.utf8.count <= SchemaLimits.patternBytes {
            do throws(LinearRegex.InvalidPattern) {
                _ = try LinearRegex(pattern)
            } catch {
                errors.invalid(
                    path["pattern"], .string(pattern),
                    "must be a valid regular expression, but isn't: error parsing regexp: \(error.reason)")
            }
        }
    }

    /// Schemas below alternatives may only restrict values.
    private mutating func nested(_ schema: JSONValue, skipsAnyOf: Bool = false, _ path: FieldPath) {
        values(schema, skipsAnyOf: skipsAnyOf, skipsFirst: false, path)
        if schema["items"].object != nil { nested(schema["items"], path["items"]) }
        for (name, property) in schema["properties"].members.sorted(by: { $0.key < $1.key }) {
            nested(property, path["properties"].key(name))
        }
        for (name, words) in Self.forbidden {
            let value = schema[name]
            if !value.isNull, value != false, value != "", name == "default" || !value.isEmpty {
                errors.forbidden(path[name], "must be \(words) to be structural")
            }
        }
        if !schema["properties"]["metadata"].isNull {
            errors.forbidden(path["properties"].key("metadata"), "must not be specified in a nested context")
        }
    }

    private static let forbidden = [
        ("type", "empty"), ("additionalProperties", "undefined"), ("default", "undefined"), ("title", "empty"),
        ("description", "empty"), ("nullable", "false"), ("x-kubernetes-preserve-unknown-fields", "false"),
        ("x-kubernetes-embedded-resource", "false"), ("x-kubernetes-int-or-string", "false"),
        ("x-kubernetes-list-map-keys", "empty"), ("x-kubernetes-list-type", "undefined"),
        ("x-kubernetes-map-type", "undefined"), ("x-kubernetes-validations", "empty"),
    ]

    // MARK: Completeness

    /// Every field that an alternative speaks of must be specified outside of it too.
    mutating func completeness(_ schema: JSONValue, _ path: FieldPath) {
        alternatives(of: schema, schema, path, path)
    }

    private mutating func alternatives(
        of values: JSONValue, _ schema: JSONValue, _ path: FieldPath, _ valuePath: FieldPath
    ) {
        if !values["not"].isNull { nested(values["not"], schema, path, valuePath["not"]) }
        for name in ["allOf", "anyOf", "oneOf"] {
            for (index, nested) in values[name].elements.enumerated() {
                self.nested(nested, schema, path, valuePath[name][index])
            }
        }
    }

    private mutating func nested(
        _ values: JSONValue, _ schema: JSONValue, _ path: FieldPath, _ valuePath: FieldPath
    ) {
        guard values.object != nil else { return }
        guard schema.object != nil else {
            return errors.required(path, "because it is defined in \(valuePath)")
        }
        alternatives(of: values, schema, path, valuePath)
        if !values["items"].isNull { nested(values["items"], schema["items"], path["items"], valuePath["items"]) }
        for (name, property) in values["properties"].members.sorted(by: { $0.key < $1.key }) {
            nested(
                property, schema["properties"][name], path["properties"].key(name), valuePath["properties"].key(name))
        }
    }
}
