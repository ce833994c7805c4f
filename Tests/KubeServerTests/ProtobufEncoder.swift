// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import KubeAPI

/// Writes objects as Kubernetes clients send them in protobuf; values that do not fit their type are left out.
struct ProtobufEncoder {
    private let schema = Schema.builtIn

    /// The object in its envelope; nil for a kind without a type.
    static func envelope(_ object: JSONValue) -> [UInt8]? {
        let (version, kind) = (object["apiVersion"].string ?? "", object["kind"].string ?? "")
        let encoder = ProtobufEncoder()
        guard let type = encoder.schema.type(GroupVersionKind(apiVersion: version, kind: kind)) else { return nil }
        let meta = field(1, Array(version.utf8)) + field(2, Array(kind.utf8))
        return ProtobufDecoder.magic + field(1, meta) + field(2, encoder.message(object, type))
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var (value, bytes) = (value, [UInt8]())
        while value >= 0x80 {
            bytes.append(UInt8(value & 0x7F) | 0x80)
            value >>= 7
        }
        return bytes + [UInt8(value)]
    }

    private static func field(_ number: Int, _ payload: [UInt8]) -> [UInt8] {
        varint(UInt64(number << 3 | 2)) + varint(UInt64(payload.count)) + payload
    }

    private static func field(_ number: Int, _ value: Int64) -> [UInt8] {
        varint(UInt64(number << 3)) + varint(UInt64(bitPattern: value))
    }

    private func message(_ object: JSONValue, _ type: SchemaMessage) -> [UInt8] {
        var bytes: [UInt8] = []
        for item in type.fields where item.number > 0 {
            if item.isInlined, case .message(let index) = item.type {
                bytes += Self.field(item.number, message(object, schema.messages[index]))
                continue
            }
            let value = object[item.name]
            switch (item.type, value) {
            case (.list(let element), .array(let elements)):
                for part in elements { bytes += self.value(item.number, part, element) }
            case (.map(let element), .object(let members)):
                for (key, part) in members.sorted(by: { $0.key < $1.key }) {
                    bytes += Self.field(item.number, Self.field(1, Array(key.utf8)) + self.value(2, part, element))
                }
            default: bytes += self.value(item.number, value, item.type)
            }
        }
        return bytes
    }

    private func value(_ number: Int, _ value: JSONValue, _ type: SchemaType) -> [UInt8] {
        switch (type, value) {
        case (.bool, .bool(let flag)): return Self.field(number, flag ? 1 : 0)
        case (.int32, .int(let integer)), (.int64, .int(let integer)): return Self.field(number, integer)
        case (.string, .string(let text)): return Self.field(number, Array(text.utf8))
        case (.bytes, .string(let text)): return Self.field(number, Array(Data(base64Encoded: text) ?? Data()))
        case (.quantity, .string(let text)): return Self.field(number, Self.field(1, Array(text.utf8)))
        case (.intOrString, .string(let text)):
            return Self.field(number, Self.field(1, 1) + Self.field(3, Array(text.utf8)))
        case (.intOrString, .int(let integer)): return Self.field(number, Self.field(1, 0) + Self.field(2, integer))
        case (.time, .string(let text)), (.microTime, .string(let text)):
            guard let time = Timestamp(rfc3339: text) else { return [] }
            return Self.field(number, Self.field(1, time.seconds))
        case (.rawExtension, .object), (.fieldsV1, .object): return Self.field(number, Self.field(1, value.encoded))
        case (.message(let index), .object): return Self.field(number, message(value, schema.messages[index]))
        default: return []
        }
    }
}
