// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI
import LinearRegex

/// How large a schema may be. A real operator's largest has some 8,000 schemas, 30 deep.
package enum SchemaLimits {
    /// Schemas in one version of a definition.
    package static let schemas = 32_768
    /// Schemas inside one another.
    package static let depth = 64
    /// Properties of one schema.
    package static let properties = 4_096
    /// Values of one enumeration.
    package static let enumeration = 4_096
    /// Different patterns in one version of a definition; each takes at most 1 MiB.
    package static let patterns = 256
    /// Bytes of one pattern.
    package static let patternBytes = 4_096
}

/// Why something is not a schema.
package struct SchemaError: Error, Hashable, Sendable {
    package let path: String
    package let message: String

    /// As a cause of a refusal.
    package var cause: StatusCause {
        StatusCause(reason: "FieldValueInvalid", field: path, message: "Invalid value: \"\": \(message)")
    }
}

extension StructuralSchema {
    /// Reads a schema (apiextensions/v1 JSONSchemaProps) that keeps the rules of ``SchemaRules``.
    ///
    /// - Parameters:
    ///   - json: the schema.
    ///   - path: where it stands, for messages.
    /// - Returns: the schema.
    /// - Throws: when it is larger than ``SchemaLimits`` or a member has the wrong type.
    package static func read(_ json: JSONValue, path: FieldPath = "openAPIV3Schema") throws(SchemaError)
        -> StructuralSchema
    {
        var reader = SchemaReader()
        return try reader.read(json, path, depth: 0)
    }
}

/// Reads schemas within limits.
private struct SchemaReader {
    private var schemas = 0
    private var patterns: [String: LinearRegex] = [:]

    mutating func read(_ json: JSONValue, _ path: FieldPath, depth: Int) throws(SchemaError) -> StructuralSchema {
        guard json.object != nil else {
            throw fail(path, "must be a schema, not \(json.typeName)")
        }
        schemas += 1
        guard schemas <= SchemaLimits.schemas else {
            throw fail(path, "the schema consists of more than \(SchemaLimits.schemas) schemas")
        }
        guard depth < SchemaLimits.depth else {
            throw fail(path, "schemas are nested more than \(SchemaLimits.depth) deep")
        }
        let type = try text(json, "type", path)
        let properties = try self.properties(json["properties"], path["properties"], depth)
        var additional = StructuralSchema.Additional.unspecified
        switch json["additionalProperties"] {
        case .null: break
        case .bool(let flag): additional = .allowed(flag)
        case let schema: additional = .schema(try read(schema, path["additionalProperties"], depth: depth + 1))
        }
        let items = json["items"].isNull ? nil : try read(json["items"], path["items"], depth: depth + 1)
        return StructuralSchema(
            type: SchemaValueType(rawValue: type), isNullable: try flag(json, "nullable", path),
            isIntOrString: try flag(json, "x-kubernetes-int-or-string", path),
            preservesUnknownFields: try flag(json, "x-kubernetes-preserve-unknown-fields", path),
            isEmbeddedResource: try flag(json, "x-kubernetes-embedded-resource", path), properties: properties,
            additional: additional, items: items, required: try texts(json, "required", path),
            defaultValue: json["default"].isNull ? JSONValue?.none : json["default"],
            listType: json["x-kubernetes-list-type"].string,
            listMapKeys: try texts(json, "x-kubernetes-list-map-keys", path),
            mapType: json["x-kubernetes-map-type"].string, rules: rules(json["x-kubernetes-validations"]),
            checks: try checks(json, type: type, path, depth))
    }

    private mutating func properties(
        _ json: JSONValue, _ path: FieldPath, _ depth: Int
    ) throws(SchemaError) -> [String: StructuralSchema] {
        let members = json.members
        guard members.count <= SchemaLimits.properties else {
            throw fail(path, "must have at most \(SchemaLimits.properties) properties")
        }
        var result: [String: StructuralSchema] = [:]
        result.reserveCapacity(members.count)
        for (name, schema) in members { result[name] = try read(schema, path.key(name), depth: depth + 1) }
        return result
    }

    private func rules(_ json: JSONValue) -> [SchemaRule] {
        json.elements.map { rule in
            SchemaRule(
                rule: rule["rule"].string ?? "", message: rule["message"].string ?? "",
                messageExpression: rule["messageExpression"].string ?? "",
                reason: rule["reason"].string ?? "FieldValueInvalid", fieldPath: rule["fieldPath"].string ?? "",
                optionalOldSelf: rule["optionalOldSelf"].bool ?? false)
        }
    }

    private mutating func checks(
        _ json: JSONValue, type: String, _ path: FieldPath, _ depth: Int
    ) throws(SchemaError) -> ValueChecks? {
        var checks = ValueChecks()
        var isUsed = false
        for key in json.members.keys where Self.checkNames.contains(key) { isUsed = isUsed || !json[key].isNull }
        guard isUsed else { return nil }
        checks.enumeration = json["enum"].elements
        guard checks.enumeration.count <= SchemaLimits.enumeration else {
            throw fail(path["enum"], "must have at most \(SchemaLimits.enumeration) values")
        }
        let format = try text(json, "format", path)
        switch type {
        case "", "string": checks.format = SchemaFormat(name: format)
        case "integer": checks.numberFormat = ["int32", "int64"].contains(format) ? format : ""
        case "number": checks.numberFormat = ["float", "double"].contains(format) ? format : ""
        default: break
        }
        checks.maximum = try number(json, "maximum", path)
        checks.exclusiveMaximum = try flag(json, "exclusiveMaximum", path)
        checks.minimum = try number(json, "minimum", path)
        checks.exclusiveMinimum = try flag(json, "exclusiveMinimum", path)
        checks.multipleOf = try number(json, "multipleOf", path)
        checks.maxLength = try count(json, "maxLength", path)
        checks.minLength = try count(json, "minLength", path)
        checks.maxItems = try count(json, "maxItems", path)
        checks.minItems = try count(json, "minItems", path)
        checks.maxProperties = try count(json, "maxProperties", path)
        checks.minProperties = try count(json, "minProperties", path)
        let pattern = try text(json, "pattern", path)
        if !pattern.isEmpty { checks.pattern = try self.pattern(pattern, path["pattern"]) }
        checks.allOf = try list(json["allOf"], path["allOf"], depth)
        checks.anyOf = try list(json["anyOf"], path["anyOf"], depth)
        checks.oneOf = try list(json["oneOf"], path["oneOf"], depth)
        if !json["not"].isNull { checks.not = try read(json["not"], path["not"], depth: depth + 1) }
        return checks
    }

    private static let checkNames: Set = [
        "enum", "format", "maximum", "minimum", "multipleOf", "maxLength", "minLength", "maxItems", "minItems",
        "maxProperties", "minProperties", "pattern", "allOf", "anyOf", "oneOf", "not",
    ]

    private mutating func list(
        _ json: JSONValue, _ path: FieldPath, _ depth: Int
    ) throws(SchemaError) -> [StructuralSchema] {
        var result: [StructuralSchema] = []
        for (index, schema) in json.elements.enumerated() {
            result.append(try read(schema, path[index], depth: depth + 1))
        }
        return result
    }

    private mutating func pattern(_ text: String, _ path: FieldPath) throws(SchemaError) -> ValueChecks.Pattern {
        if let known = patterns[text] { return ValueChecks.Pattern(text: text, expression: known) }
        guard text.utf8.count <= SchemaLimits.patternBytes else {
            throw fail(path, "must be no more than \(SchemaLimits.patternBytes) bytes")
        }
        guard patterns.count < SchemaLimits.patterns else {
            throw fail(path, "the schema has more than \(SchemaLimits.patterns) different patterns")
        }
        do throws(LinearRegex.InvalidPattern) {
            let expression = try LinearRegex(text)
            patterns[text] = expression
            return ValueChecks.Pattern(text: text, expression: expression)
        } catch {
            throw fail(path, "must be a valid regular expression, but isn't: \(error.reason)")
        }
    }

    // MARK: Members

    private func fail(_ path: FieldPath, _ message: String) -> SchemaError {
        SchemaError(path: path.description, message: message)
    }

    private func text(_ json: JSONValue, _ name: String, _ path: FieldPath) throws(SchemaError) -> String {
        switch json[name] {
        case .null: return ""
        case .string(let text): return text
        case let other: throw fail(path[name], "must be a string, not \(other.typeName)")
        }
    }

    private func flag(_ json: JSONValue, _ name: String, _ path: FieldPath) throws(SchemaError) -> Bool {
        switch json[name] {
        case .null: return false
        case .bool(let flag): return flag
        case let other: throw fail(path[name], "must be a boolean, not \(other.typeName)")
        }
    }

    private func number(_ json: JSONValue, _ name: String, _ path: FieldPath) throws(SchemaError) -> Double? {
        guard !json[name].isNull else { return nil }
        guard let number = json[name].double else {
            throw fail(path[name], "must be a number, not \(json[name].typeName)")
        }
        return number
    }

    private func count(_ json: JSONValue, _ name: String, _ path: FieldPath) throws(SchemaError) -> Int? {
        guard !json[name].isNull else { return nil }
        guard let number = json[name].int else {
            throw fail(path[name], "must be an integer, not \(json[name].typeName)")
        }
        return number
    }

    private func texts(_ json: JSONValue, _ name: String, _ path: FieldPath) throws(SchemaError) -> [String] {
        guard !json[name].isNull else { return [] }
        let texts = json[name].elements.compactMap(\.string)
        guard case .array(let elements) = json[name], texts.count == elements.count else {
            throw fail(path[name], "must be a list of strings")
        }
        return texts
    }
}
