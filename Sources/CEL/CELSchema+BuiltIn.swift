// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI

extension CELSchema {
    /// The type of the objects of a built-in kind; nil for another kind.
    ///
    /// Fields are seen as the published schema has them: times as timestamps, bytes as bytes, quantities as strings.
    package static func builtIn(_ kind: GroupVersionKind, in schema: Schema = .builtIn) -> CELSchema? {
        schema.type(kind).map { message($0, kind.kind, schema) }
    }

    private static func message(_ message: SchemaMessage, _ name: String, _ schema: Schema) -> CELSchema {
        // Types refer to themselves, so fields are looked up when they are asked for.
        CELSchema(
            .object(
                CELObjectType(name: name) { field in
                    let key = CELNames.unescape(field)
                    guard CELNames.escape(key) == field, let found = message.field(key) else { return nil }
                    return CELObjectType.Field(key: key, schema: type(found.type, "\(name).\(key)", schema))
                }))
    }

    private static func type(_ type: SchemaType, _ name: String, _ schema: Schema) -> CELSchema {
        switch type {
        case .string, .quantity: CELSchema(.string)
        case .bool: CELSchema(.bool)
        case .int32, .int64: CELSchema(.int)
        case .double: CELSchema(.double)
        case .bytes: CELSchema(.bytes)
        case .time, .microTime: CELSchema(.timestamp)
        case .intOrString, .rawExtension, .fieldsV1: .dynamic
        case .message(let index): message(schema.messages[index], name, schema)
        case .wrappedStrings: CELSchema(.list(CELSchema(.string), .atomic))
        case .list(let element): CELSchema(.list(Self.type(element, "\(name).@idx", schema), .atomic))
        case .map(let value): CELSchema(.map(Self.type(value, "\(name).@elem", schema)))
        }
    }
}
