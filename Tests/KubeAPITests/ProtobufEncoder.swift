// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// Encodes objects of built-in kinds as protobuf, so that decoding can be tested for every field of every type.
struct ProtobufEncoder {
    private let schema = Schema.builtIn

    static func envelope(_ object: JSONValue) -> [UInt8]? {
        let apiVersion = object["apiVersion"].string ?? ""
        let kind = object["kind"].string ?? ""
        guard let type = Schema.builtIn.type(GroupVersionKind(apiVersion: apiVersion, kind: kind)) else { return nil }
        let typeMeta = bytes(1, Array(apiVersion.utf8)) + bytes(2, Array(kind.utf8))
        return ProtobufDecoder.magic + bytes(1, typeMeta) + bytes(2, ProtobufEncoder().message(object, type))
    }

    static func varint(_ value: UInt64) -> [UInt8] {
        var value = value
        var bytes: [UInt8] = []
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        return bytes + [UInt8(value)]
    }

    static func bytes(_ number: Int, _ payload: [UInt8]) -> [UInt8] {
        varint(UInt64(number) << 3 | 2) + varint(UInt64(payload.count)) + payload
    }

    private static func fixed64(_ number: Int, _ value: UInt64) -> [UInt8] {
        varint(UInt64(number) << 3 | 1) + (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    private static func number(_ number: Int, _ value: Int64) -> [UInt8] {
        varint(UInt64(number) << 3) + varint(UInt64(bitPattern: value))
    }

    private func message(_ object: JSONValue, _ type: SchemaMessage) -> [UInt8] {
        type.fields.flatMap { field in
            if field.number == 0 { return [UInt8]() }
            if field.isInlined, case .message(let index) = field.type {
                return Self.bytes(field.number, message(object, schema.messages[index]))
            }
            let value = object[field.name]
            if value.isNull { return [] }
            switch field.type {
            case .list(let element): return value.elements.flatMap { encode(field.number, $0, element) }
            case .map(let element):
                return value.members.flatMap { key, value in
                    Self.bytes(field.number, Self.bytes(1, Array(key.utf8)) + encode(2, value, element))
                }
            default: return encode(field.number, value, field.type)
            }
        }
    }

    private func encode(_ number: Int, _ value: JSONValue, _ type: SchemaType) -> [UInt8] {
        switch type {
        case .bool: return Self.number(number, value.bool == true ? 1 : 0)
        case .int32, .int64: return Self.number(number, Int64(value.int ?? 0))
        case .double: return Self.fixed64(number, (value.double ?? 0).bitPattern)
        case .string: return Self.bytes(number, Array((value.string ?? "").utf8))
        case .bytes: return Self.bytes(number, (try? Base64.decode(value.string ?? "").get()) ?? [])
        case .quantity: return Self.bytes(number, Self.bytes(1, Array((value.string ?? "").utf8)))
        case .intOrString:
            let payload =
                value.string.map { Self.number(1, 1) + Self.bytes(3, Array($0.utf8)) }
                ?? Self.number(1, 0) + Self.number(2, Int64(value.int ?? 0))
            return Self.bytes(number, payload)
        case .time, .microTime:
            let nanoseconds = Timestamp(rfc3339: value.string ?? "")?.nanoseconds ?? 0
            let payload = Self.number(1, nanoseconds / 1_000_000_000) + Self.number(2, nanoseconds % 1_000_000_000)
            return Self.bytes(number, payload)
        case .rawExtension, .fieldsV1: return Self.bytes(number, Self.bytes(1, value.encoded))
        case .wrappedStrings:
            return Self.bytes(number, value.elements.flatMap { Self.bytes(1, Array(($0.string ?? "").utf8)) })
        case .message(let index): return Self.bytes(number, message(value, schema.messages[index]))
        case .list, .map: return []
        }
    }
}

/// Writes an object of a type with a value in every field.
enum FullObject {
    static func make(_ kind: GroupVersionKind) -> JSONValue? {
        guard let type = Schema.builtIn.type(kind) else { return nil }
        var object = make(type, depth: 0)
        object["apiVersion"] = .string(kind.apiVersion)
        object["kind"] = .string(kind.kind)
        return object
    }

    private static func make(_ type: SchemaMessage, depth: Int) -> JSONValue {
        var members: [String: JSONValue] = [:]
        for field in type.jsonFields where field.number > 0 { members[field.name] = value(field.type, field, depth) }
        return .object(members)
    }

    private static func value(_ type: SchemaType, _ field: SchemaField, _ depth: Int) -> JSONValue {
        switch type {
        case .bool: return true
        case .int32: return .int(-Int64(field.number))
        case .int64: return .int(Int64(field.number) << 40)
        case .double: return .double(Double(field.number) + 0.5)
        case .string: return .string("\(field.name) ü")
        case .bytes: return .string(Base64.encode(Array(field.name.utf8)))
        case .quantity: return "1500m"
        case .intOrString: return field.number % 2 == 0 ? "http" : 8080
        case .time: return "2026-01-02T03:04:05Z"
        case .microTime: return "2026-01-02T03:04:05.123456Z"
        case .rawExtension, .fieldsV1: return ["f:metadata": ["f:labels": [:]], "list": [1, "two", true]]
        case .wrappedStrings: return ["one", "two"]
        case .list(let element): return [value(element, field, depth), value(element, field, depth)]
        case .map(let element): return ["key": value(element, field, depth), "other": value(element, field, depth)]
        case .message(let index):
            // Schemas of custom resources contain themselves.
            let type = Schema.builtIn.messages[index]
            return type.goName == "JSONSchemaProps" && depth >= 5 ? [:] : make(type, depth: depth + 1)
        }
    }
}
