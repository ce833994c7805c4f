// SPDX-License-Identifier: Apache-2.0

/// The type of an expression.
///
/// Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md#values.
package indirect enum CELType: Hashable, Sendable {
    /// Anything: what is done with it is checked when it runs.
    case dyn
    case null
    case bool
    case int
    case uint
    case double
    case string
    case bytes
    case timestamp
    case duration
    case list(CELType)
    /// Keys and values.
    case map(CELType, CELType)
    case optional(CELType)
    /// The type of a type.
    case type(CELType)
    /// A type with functions only, such as `kubernetes.Quantity`.
    case opaque(String)
    /// A type with declared fields.
    case object(CELObjectType)
    /// A type parameter of a function's declaration.
    case parameter(String)

    package static let quantity = CELType.opaque("kubernetes.Quantity")
    package static let url = CELType.opaque("kubernetes.URL")
    package static let ip = CELType.opaque("net.IP")
    package static let cidr = CELType.opaque("net.CIDR")
    package static let format = CELType.opaque("kubernetes.NamedFormat")
    package static let semver = CELType.opaque("kubernetes.Semver")
    package static let authorizer = CELType.opaque("kubernetes.authorization.Authorizer")
    package static let pathCheck = CELType.opaque("kubernetes.authorization.PathCheck")
    package static let groupCheck = CELType.opaque("kubernetes.authorization.GroupCheck")
    package static let resourceCheck = CELType.opaque("kubernetes.authorization.ResourceCheck")
    package static let decision = CELType.opaque("kubernetes.authorization.Decision")
}

extension CELType: CustomStringConvertible {
    /// As error messages of a check name it.
    package var description: String {
        switch self {
        case .dyn: "dyn"
        case .null: "null"
        case .bool: "bool"
        case .int: "int"
        case .uint: "uint"
        case .double: "double"
        case .string: "string"
        case .bytes: "bytes"
        case .timestamp: "timestamp"
        case .duration: "duration"
        case .list(let element): "list(\(element))"
        case .map(let key, let value): "map(\(key), \(value))"
        case .optional(let wrapped): "optional_type(\(wrapped))"
        case .type(let type): "type(\(type))"
        case .opaque(let name): name
        case .object(let type): type.name
        case .parameter(let name): name
        }
    }

    /// What `string(type(x))` and errors at run time call it.
    var runtimeName: String {
        switch self {
        case .null: "null_type"
        case .timestamp: "google.protobuf.Timestamp"
        case .duration: "google.protobuf.Duration"
        case .list: "list"
        case .map: "map"
        case .optional: "optional_type"
        case .type: "type"
        default: description
        }
    }
}

/// A type with declared fields; told apart by its name.
package final class CELObjectType: Sendable, Hashable {
    /// A declared field.
    package struct Field: Sendable {
        /// The key in JSON, which ``CELNames`` may have escaped for expressions.
        package let key: String
        package let schema: CELSchema
        /// The type that expressions see.
        package let type: CELType

        /// - Parameters:
        ///   - key: in JSON.
        ///   - schema: what is declared of it.
        ///   - type: the type that expressions see; nil for the one of the schema.
        package init(key: String, schema: CELSchema, type: CELType? = nil) {
            self.key = key
            self.schema = schema
            self.type = type ?? schema.type
        }
    }

    package let name: String
    private let lookUp: @Sendable (String) -> Field?

    /// - Parameters:
    ///   - name: what error messages call it.
    ///   - lookUp: the field that expressions call by this name; nil where there is none.
    package init(name: String, lookUp: @escaping @Sendable (String) -> Field?) {
        self.name = name
        self.lookUp = lookUp
    }

    /// A type whose fields are listed by the names that expressions use.
    package convenience init(name: String, fields: [String: Field]) {
        self.init(name: name) { fields[$0] }
    }

    /// The field that expressions call by this name.
    package func field(_ name: String) -> Field? { lookUp(name) }

    package static func == (left: CELObjectType, right: CELObjectType) -> Bool { left.name == right.name }
    package func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
