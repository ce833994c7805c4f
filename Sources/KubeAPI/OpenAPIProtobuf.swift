// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Writes OpenAPI 2 documents as protobuf: the form that kubectl asks for at `/openapi/v2`. Its version 1.20 reads no
/// other and, without the document, applies nothing.
///
/// Source: message `openapi.v2.Document` of gnostic-models. What stands in a document beyond the tables below
/// (security, tags, response headers) is left out; values of the wrong type are, too.
package enum OpenAPIProtobuf {
    /// The media type of the answer.
    ///
    /// Old clients ask for `…v2@v1.0+protobuf`, but `@` may not stand in a media type (RFC 6838, section 4.2), so the
    /// answer has this one.
    package static let mediaType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

    /// Whether this form comes before JSON in an `Accept` header.
    package static func isAccepted(_ accept: String) -> Bool {
        for entry in accept.split(separator: ",") {
            let type = entry.prefix { $0 != ";" }.filter { !$0.isWhitespace }
            if type == mediaType || type == "application/com.github.proto-openapi.spec.v2@v1.0+protobuf" { return true }
            if ["application/json", "application/*", "*/*"].contains(type) { return false }
        }
        return false
    }

    /// An OpenAPI 2 document (JSON) as protobuf; equal documents have equal bytes.
    package static func encode(_ document: JSONValue) -> [UInt8] {
        encode(document, as: .document)
    }

    private static func encode(_ object: JSONValue, as message: OpenAPIMessage) -> [UInt8] {
        let layout = message.layout
        var fields: [(number: Int, key: String, value: JSONValue, form: OpenAPIForm)] = []
        for (key, value) in object.members {
            if let field = layout.fields[key] {
                fields.append((field.number, key, value, field.form))
            } else if key.hasPrefix("x-") {
                fields.append((layout.extensionNumber, key, [key: value], .named(.yaml)))
            }
        }
        fields.sort { ($0.number, $0.key) < ($1.number, $1.key) }
        var writer = ProtobufWriter()
        for field in fields { append(field.value, field.number, field.form, to: &writer) }
        return writer.bytes
    }

    private static func append(
        _ value: JSONValue, _ number: Int, _ form: OpenAPIForm, to writer: inout ProtobufWriter
    ) {
        switch form {
        case .text:
            if let text = value.string { writer.append(number, bytes: text.utf8) }
        case .flag:
            if value.bool == true { writer.append(number, varint: 1) }
        case .integer:
            if let integer = value.int { writer.append(number, varint: UInt64(bitPattern: Int64(integer))) }
        case .number:
            if let double = value.double { writer.append(number, double: double) }
        case .yaml:
            // JSON is YAML.
            writer.append(number, bytes: wrapped(2, value.encoded))
        case .each(let form):
            for element in value.array ?? [value] { append(element, number, form, to: &writer) }
        case .named(let form):
            for (name, member) in value.members.sorted(by: { $0.key < $1.key }) {
                var entry = ProtobufWriter()
                entry.append(1, bytes: name.utf8)
                append(member, 2, form, to: &entry)
                writer.append(number, bytes: entry.bytes)
            }
        case .inside(let inner, let form):
            var message = ProtobufWriter()
            append(value, inner, form, to: &message)
            writer.append(number, bytes: message.bytes)
        case .message(let message):
            writer.append(number, bytes: encode(value, as: message))
        case .referable(let form):
            let isReference = value["$ref"].string != nil
            append(value, number, isReference ? .inside(2, .message(.reference)) : .inside(1, form), to: &writer)
        case .parameter:
            append(value, number, parameterForm(value), to: &writer)
        case .schemaOrFlag:
            guard let flag = value.bool else {
                return append(value, number, .inside(1, .message(.schema)), to: &writer)
            }
            var message = ProtobufWriter()
            message.append(2, varint: flag ? 1 : 0)
            writer.append(number, bytes: message.bytes)
        }
    }

    private static func parameterForm(_ parameter: JSONValue) -> OpenAPIForm {
        switch parameter["in"].string {
        case "body": .inside(1, .message(.bodyParameter))
        case "header": .inside(2, .inside(1, .message(.pathParameter)))
        case "formData": .inside(2, .inside(2, .message(.queryParameter)))
        case "path": .inside(2, .inside(4, .message(.pathParameter)))
        default: .inside(2, .inside(3, .message(.queryParameter)))
        }
    }

    private static func wrapped(_ number: Int, _ payload: [UInt8]) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.append(number, bytes: payload)
        return writer.bytes
    }
}

/// How the value of one JSON member is written as a protobuf field.
indirect enum OpenAPIForm: Sendable {
    case text, flag, integer, number
    /// Any value, as YAML text within a message.
    case yaml
    /// A repeated field; a value that is no array counts as its only element.
    case each(OpenAPIForm)
    /// An object with free keys: a repeated message of name and value, by name.
    case named(OpenAPIForm)
    /// A message whose field of that number has the value.
    case inside(Int, OpenAPIForm)
    case message(OpenAPIMessage)
    /// The value itself in field 1 of a message, or a `$ref` in field 2.
    case referable(OpenAPIForm)
    /// A message by where the parameter is (`in`).
    case parameter
    /// `additionalProperties`.
    case schemaOrFlag
}

/// The messages whose fields are known.
enum OpenAPIMessage: Sendable {
    case document, info, pathItem, operation, bodyParameter, queryParameter, pathParameter, items, response, reference
    case schema

    /// The fields of a message by the name of their JSON member.
    struct Layout: Sendable {
        fileprivate(set) var fields: [String: (number: Int, form: OpenAPIForm)] = [:]
        /// The field for the `x-…` members: the one after all others.
        let extensionNumber: Int

        /// - Parameter members: in the order of their field numbers, from 1; nil leaves a number out.
        fileprivate init(_ members: [(key: String, form: OpenAPIForm)?]) {
            extensionNumber = members.count + 1
            for (index, member) in members.enumerated() {
                if let member { fields[member.key] = (index + 1, member.form) }
            }
        }
    }

    var layout: Layout {
        switch self {
        case .document: Self.documentLayout
        case .info: Self.infoLayout
        case .pathItem: Self.pathItemLayout
        case .operation: Self.operationLayout
        case .bodyParameter: Self.bodyParameterLayout
        case .queryParameter: Self.queryParameterLayout
        case .pathParameter: Self.pathParameterLayout
        case .items: Self.itemsLayout
        case .response: Self.responseLayout
        case .reference: Self.referenceLayout
        case .schema: Self.schemaLayout
        }
    }

    private static let documentLayout = Layout([
        ("swagger", .text), ("info", .message(.info)), ("host", .text), ("basePath", .text), ("schemes", .each(.text)),
        ("consumes", .each(.text)), ("produces", .each(.text)),
        ("paths", .inside(2, .named(.message(.pathItem)))),
        ("definitions", .inside(1, .named(.message(.schema)))), ("parameters", .inside(1, .named(.parameter))),
        ("responses", .inside(1, .named(.message(.response)))), nil, nil, nil, nil,
    ])
    private static let infoLayout = Layout([
        ("title", .text), ("version", .text), ("description", .text), ("termsOfService", .text), nil, nil,
    ])
    private static let pathItemLayout = Layout([
        ("$ref", .text), ("get", .message(.operation)), ("put", .message(.operation)), ("post", .message(.operation)),
        ("delete", .message(.operation)), ("options", .message(.operation)), ("head", .message(.operation)),
        ("patch", .message(.operation)), ("parameters", .each(.referable(.parameter))),
    ])
    private static let operationLayout = Layout([
        ("tags", .each(.text)), ("summary", .text), ("description", .text), nil, ("operationId", .text),
        ("produces", .each(.text)), ("consumes", .each(.text)), ("parameters", .each(.referable(.parameter))),
        ("responses", .inside(1, .named(.referable(.message(.response))))), ("schemes", .each(.text)),
        ("deprecated", .flag), nil,
    ])
    private static let bodyParameterLayout = Layout([
        ("description", .text), ("name", .text), ("in", .text), ("required", .flag), ("schema", .message(.schema)),
    ])
    private static let responseLayout = Layout([
        ("description", .text), ("schema", .inside(1, .message(.schema))), nil, nil,
    ])
    private static let referenceLayout = Layout([("$ref", .text), ("description", .text)])

    /// What parameters outside the body and their items have in common, in order.
    private static let valueMembers: [(key: String, form: OpenAPIForm)?] = [
        ("type", .text), ("format", .text), ("items", .message(.items)), ("collectionFormat", .text),
        ("default", .yaml), ("maximum", .number), ("exclusiveMaximum", .flag), ("minimum", .number),
        ("exclusiveMinimum", .flag), ("maxLength", .integer), ("minLength", .integer), ("pattern", .text),
        ("maxItems", .integer), ("minItems", .integer), ("uniqueItems", .flag), ("enum", .each(.yaml)),
        ("multipleOf", .number),
    ]
    private static let parameterMembers: [(key: String, form: OpenAPIForm)?] = [
        ("required", .flag), ("in", .text), ("description", .text), ("name", .text),
    ]
    private static let itemsLayout = Layout(valueMembers)
    private static let pathParameterLayout = Layout(parameterMembers + valueMembers)
    private static let queryParameterLayout = Layout(parameterMembers + [("allowEmptyValue", .flag)] + valueMembers)

    private static let schemaLayout = Layout([
        ("$ref", .text), ("format", .text), ("title", .text), ("description", .text), ("default", .yaml),
        ("multipleOf", .number), ("maximum", .number), ("exclusiveMaximum", .flag), ("minimum", .number),
        ("exclusiveMinimum", .flag), ("maxLength", .integer), ("minLength", .integer), ("pattern", .text),
        ("maxItems", .integer), ("minItems", .integer), ("uniqueItems", .flag), ("maxProperties", .integer),
        ("minProperties", .integer), ("required", .each(.text)), ("enum", .each(.yaml)),
        ("additionalProperties", .schemaOrFlag), ("type", .inside(1, .each(.text))),
        ("items", .inside(1, .each(.message(.schema)))), ("allOf", .each(.message(.schema))),
        ("properties", .inside(1, .named(.message(.schema)))), ("discriminator", .text), ("readOnly", .flag), nil, nil,
        ("example", .yaml),
    ])
}
