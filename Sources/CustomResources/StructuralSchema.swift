// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import LinearRegex

/// The type of the values that a schema takes.
package enum SchemaValueType: String, Sendable {
    case object, array, string, integer, number, boolean
}

/// A rule in CEL (`x-kubernetes-validations`).
package struct SchemaRule: Sendable, Hashable {
    package var rule: String
    package var message: String
    package var messageExpression: String
    /// `FieldValueInvalid` where the schema names none.
    package var reason: String
    /// Path relative to the value, in dots and brackets; empty for the value itself.
    package var fieldPath: String
    package var optionalOldSelf: Bool
}

/// A structural schema: what a custom resource may look like, ready for use.
///
/// Source: Kubernetes "Extend the Kubernetes API with CustomResourceDefinitions", "Specifying a structural schema".
/// Values below `allOf`, `anyOf`, `oneOf` and `not` are schemas too, with value validations only. Texts for people are
/// not kept. Immutable, and so shared freely.
package final class StructuralSchema: Sendable {
    /// What an object may have beside its properties.
    package enum Additional: Sendable {
        /// Nothing is said: what is unknown is pruned.
        case unspecified
        /// `true` or `false`.
        case allowed(Bool)
        case schema(StructuralSchema)
    }

    package let type: SchemaValueType?
    package let isNullable: Bool
    package let isIntOrString: Bool
    package let preservesUnknownFields: Bool
    package let isEmbeddedResource: Bool
    package let properties: [String: StructuralSchema]
    /// Names of `properties`, sorted, so that faults come in a fixed order.
    package let propertyNames: [String]
    package let additional: Additional
    package let items: StructuralSchema?
    package let required: [String]
    package let defaultValue: JSONValue?
    /// `atomic`, `set` or `map`.
    package let listType: String?
    package let listMapKeys: [String]
    /// `atomic` or `granular`.
    package let mapType: String?
    package let rules: [SchemaRule]
    package let checks: ValueChecks?
    /// Whether a default stands here or anywhere below.
    package let hasDefaults: Bool
    /// Whether there is a rule here or anywhere below.
    package let hasRules: Bool
    /// Whether a resource is embedded here or anywhere below.
    package let hasEmbedded: Bool

    init(
        type: SchemaValueType?, isNullable: Bool, isIntOrString: Bool, preservesUnknownFields: Bool,
        isEmbeddedResource: Bool, properties: [String: StructuralSchema], additional: Additional,
        items: StructuralSchema?, required: [String], defaultValue: JSONValue?, listType: String?,
        listMapKeys: [String], mapType: String?, rules: [SchemaRule], checks: ValueChecks?
    ) {
        self.type = type
        self.isNullable = isNullable
        self.isIntOrString = isIntOrString
        self.preservesUnknownFields = preservesUnknownFields
        self.isEmbeddedResource = isEmbeddedResource
        self.properties = properties
        propertyNames = properties.keys.sorted()
        self.additional = additional
        self.items = items
        self.required = required
        self.defaultValue = defaultValue
        self.listType = listType
        self.listMapKeys = listMapKeys
        self.mapType = mapType
        self.rules = rules
        self.checks = checks
        var below = Array(properties.values)
        if let items { below.append(items) }
        if case .schema(let schema) = additional { below.append(schema) }
        hasDefaults = defaultValue != nil || below.contains(where: \.hasDefaults)
        hasRules = !rules.isEmpty || below.contains(where: \.hasRules)
        hasEmbedded = isEmbeddedResource || below.contains(where: \.hasEmbedded)
    }

    /// Takes every object: what a version without a schema does.
    package static let anything = StructuralSchema(
        type: nil, isNullable: false, isIntOrString: false, preservesUnknownFields: true, isEmbeddedResource: false,
        properties: [:], additional: .unspecified, items: nil, required: [], defaultValue: nil, listType: nil,
        listMapKeys: [], mapType: nil, rules: [], checks: nil)

    /// The schema of the values of unknown properties, where there is one.
    package var additionalSchema: StructuralSchema? {
        if case .schema(let schema) = additional { schema } else { nil }
    }

    /// The schema of a member.
    package func schema(of member: String) -> StructuralSchema? { properties[member] ?? additionalSchema }
}

/// What a schema asks of a value beside its type.
package struct ValueChecks: Sendable {
    package var enumeration: [JSONValue] = []
    /// A known format with its validation.
    package var format: SchemaFormat?
    /// For integers and numbers: `int32`, `int64`, `float`, `double`.
    package var numberFormat = ""
    package var maximum: Double?
    package var exclusiveMaximum = false
    package var minimum: Double?
    package var exclusiveMinimum = false
    package var multipleOf: Double?
    package var maxLength: Int?
    package var minLength: Int?
    package var maxItems: Int?
    package var minItems: Int?
    package var maxProperties: Int?
    package var minProperties: Int?
    package var pattern: Pattern?
    package var allOf: [StructuralSchema] = []
    package var anyOf: [StructuralSchema] = []
    package var oneOf: [StructuralSchema] = []
    package var not: StructuralSchema?

    /// A regular expression with its text.
    package struct Pattern: Sendable {
        package let text: String
        package let expression: LinearRegex
    }
}
