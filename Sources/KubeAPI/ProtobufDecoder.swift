// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import ProtobufFormat

/// Turns the protobuf that Kubernetes clients send for built-in kinds into the JSON that they could have sent.
///
/// Source: Kubernetes "Protobuf encoding" (magic bytes and `runtime.Unknown`); messages by `Schema`. Go's encoder
/// writes every field that is not a pointer, so zero values of such fields are left out unless JSON requires them.
package struct ProtobufDecoder {
    /// The media type of such bodies.
    package static let mediaType = "application/vnd.kubernetes.protobuf"
    /// The first bytes of every body.
    package static let magic: [UInt8] = [0x6B, 0x38, 0x73, 0x00]
    /// How deep messages may be nested; built-in types reach about 20.
    private static let maxDepth = 64

    private let schema: Schema

    init(schema: Schema) { self.schema = schema }

    /// Decodes an object with its envelope.
    package static func decode(envelope: [UInt8], schema: Schema = .builtIn) throws(ProtobufError) -> JSONValue {
        guard envelope.starts(with: magic) else {
            throw ProtobufError(reason: "the body does not begin with the bytes 6b 38 73 00 (k8s\\0)")
        }
        var apiVersion = ""
        var kind = ""
        var raw: ArraySlice<UInt8> = []
        var contentEncoding = ""
        var contentType = ""
        var reader = ProtobufReader(envelope[magic.count...])
        while let (number, payload) = try reader.next() {
            guard case .bytes(let bytes) = payload else { continue }
            switch number {
            case 1:
                var typeMeta = ProtobufReader(bytes)
                while let (number, payload) = try typeMeta.next() {
                    guard case .bytes(let bytes) = payload else { continue }
                    if number == 1 { apiVersion = try string(bytes, "apiVersion") }
                    if number == 2 { kind = try string(bytes, "kind") }
                }
            case 2: raw = bytes
            case 3: contentEncoding = try string(bytes, "contentEncoding")
            case 4: contentType = try string(bytes, "contentType")
            default: continue
            }
        }
        guard contentEncoding.isEmpty else {
            throw ProtobufError(reason: "content encoding \"\(contentEncoding.prefix(64))\" is not supported")
        }
        guard contentType.isEmpty || contentType == mediaType else {
            throw ProtobufError(reason: "content type \"\(contentType.prefix(64))\" is not supported in an envelope")
        }
        guard let message = schema.type(GroupVersionKind(apiVersion: apiVersion, kind: kind)) else {
            throw ProtobufError(
                reason: "no kind \"\(kind.prefix(64))\" is registered for version \"\(apiVersion.prefix(64))\"")
        }
        var members = try ProtobufDecoder(schema: schema).object(raw, message, depth: 0)
        members["apiVersion"] = .string(apiVersion)
        members["kind"] = .string(kind)
        return .object(members)
    }

    static func string(_ bytes: ArraySlice<UInt8>, _ field: String) throws(ProtobufError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ProtobufError(reason: "field \(field) is not UTF-8")
        }
        return text
    }

    /// Decodes one message's bytes.
    func object(_ bytes: ArraySlice<UInt8>, _ message: SchemaMessage, depth: Int) throws(ProtobufError)
        -> [String: JSONValue]
    {
        guard depth < Self.maxDepth else { throw ProtobufError(reason: "nested deeper than \(Self.maxDepth) levels") }
        var members: [String: JSONValue] = [:]
        var reader = ProtobufReader(bytes)
        while let (number, payload) = try reader.next() {
            guard let index = message.indexByNumber[number] else { continue }
            let field = message.fields[index]
            switch field.type {
            case .list(let element):
                try append(payload, element, field, to: &members[field.name, default: .array([])], depth: depth)
            case .map(let value):
                let (key, entry) = try entry(payload, value, field, depth: depth)
                members[field.name, default: .object([:])][key] = entry
            case .message(let inner) where field.isInlined:
                guard case .bytes(let bytes) = payload else { throw wrongType(field) }
                members.merge(try object(bytes, schema.messages[inner], depth: depth + 1)) { $1 }
            default:
                let value = try self.value(payload, field.type, field, depth: depth)
                let isLeftOut = !field.isPointer && field.omitsEmpty && Self.isZero(value)
                if !value.isNull, !isLeftOut { members[field.name] = value }
            }
        }
        return members
    }

    private static func isZero(_ value: JSONValue) -> Bool {
        switch value {
        case .bool(false), .int(0), .string(""): true
        default: false
        }
    }

    private func wrongType(_ field: SchemaField) -> ProtobufError {
        ProtobufError(reason: "field \(field.name) has the wrong wire type")
    }

    private func append(
        _ payload: ProtobufReader.Payload, _ element: SchemaType, _ field: SchemaField, to list: inout JSONValue,
        depth: Int
    ) throws(ProtobufError) {
        guard case .array(var elements) = list else { return }
        list = .null
        if case .bytes(let packed) = payload, [.int32, .int64, .bool].contains(element) {
            // A packed list is the varints one after the other; a key of field 1 in front makes each a field.
            var rest = packed
            while !rest.isEmpty {
                let end = rest.firstIndex { $0 < 0x80 } ?? rest.endIndex - 1
                var reader = ProtobufReader([8] + rest[...end])
                if let (_, payload) = try reader.next() {
                    elements.append(try value(payload, element, field, depth: depth))
                }
                rest = rest[(end + 1)...]
            }
        } else {
            elements.append(try value(payload, element, field, depth: depth))
        }
        list = .array(elements)
    }

    private func entry(
        _ payload: ProtobufReader.Payload, _ type: SchemaType, _ field: SchemaField, depth: Int
    ) throws(ProtobufError) -> (String, JSONValue) {
        guard case .bytes(let bytes) = payload else { throw wrongType(field) }
        var key = ""
        var entry: JSONValue?
        var reader = ProtobufReader(bytes)
        while let (number, payload) = try reader.next() {
            if number == 1, case .bytes(let bytes) = payload { key = try Self.string(bytes, field.name) }
            if number == 2 { entry = try value(payload, type, field, depth: depth) }
        }
        if let entry { return (key, entry) }
        return (key, try value(.bytes([]), type, field, depth: depth))
    }

    private func value(
        _ payload: ProtobufReader.Payload, _ type: SchemaType, _ field: SchemaField, depth: Int
    ) throws(ProtobufError) -> JSONValue {
        switch (type, payload) {
        case (.bool, .varint(let value)): return .bool(value != 0)
        case (.int32, .varint(let value)): return .int(Int64(Int32(truncatingIfNeeded: value)))
        case (.int64, .varint(let value)): return .int(Int64(bitPattern: value))
        case (.double, .fixed64(let bits)): return .double(Double(bitPattern: bits))
        case (.string, .bytes(let bytes)): return .string(try Self.string(bytes, field.name))
        case (.bytes, .bytes(let bytes)): return .string(Base64.encode(bytes))
        case (.quantity, .bytes(let bytes)):
            let text = try field1(bytes, field)
            return .string(text.isEmpty ? "0" : QuantityText.canonical(text) ?? text)
        case (.intOrString, .bytes(let bytes)): return try intOrString(bytes, field)
        case (.time, .bytes(let bytes)): return try time(bytes, isMicro: false)
        case (.microTime, .bytes(let bytes)): return try time(bytes, isMicro: true)
        case (.rawExtension, .bytes(let bytes)), (.fieldsV1, .bytes(let bytes)): return try raw(bytes, field)
        case (.wrappedStrings, .bytes(let bytes)): return try strings(bytes, field)
        case (.message(let index), .bytes(let bytes)):
            return .object(try object(bytes, schema.messages[index], depth: depth + 1))
        default: throw wrongType(field)
        }
    }

    private func field1(_ bytes: ArraySlice<UInt8>, _ field: SchemaField) throws(ProtobufError) -> String {
        var text = ""
        var reader = ProtobufReader(bytes)
        while let (number, payload) = try reader.next() {
            if number == 1, case .bytes(let bytes) = payload { text = try Self.string(bytes, field.name) }
        }
        return text
    }

    private func strings(_ bytes: ArraySlice<UInt8>, _ field: SchemaField) throws(ProtobufError) -> JSONValue {
        var items: [JSONValue] = []
        var reader = ProtobufReader(bytes)
        while let (number, payload) = try reader.next() {
            if number == 1, case .bytes(let bytes) = payload {
                items.append(.string(try Self.string(bytes, field.name)))
            }
        }
        return .array(items)
    }

    private func intOrString(_ bytes: ArraySlice<UInt8>, _ field: SchemaField) throws(ProtobufError) -> JSONValue {
        var isString = false
        var number: Int64 = 0
        var text = ""
        var reader = ProtobufReader(bytes)
        while let next = try reader.next() {
            switch next {
            case (1, .varint(let value)): isString = value == 1
            case (2, .varint(let value)): number = Int64(Int32(truncatingIfNeeded: value))
            case (3, .bytes(let bytes)): text = try Self.string(bytes, field.name)
            default: continue
            }
        }
        return isString ? .string(text) : .int(number)
    }

    /// `Time` keeps whole seconds, `MicroTime` microseconds; an empty message is the zero time.
    private func time(_ bytes: ArraySlice<UInt8>, isMicro: Bool) throws(ProtobufError) -> JSONValue {
        if bytes.isEmpty { return .null }
        var seconds: Int64 = 0
        var nanos: Int64 = 0
        var reader = ProtobufReader(bytes)
        while let next = try reader.next() {
            switch next {
            case (1, .varint(let value)): seconds = Int64(bitPattern: value)
            case (2, .varint(let value)): nanos = Int64(Int32(truncatingIfNeeded: value))
            default: continue
            }
        }
        guard abs(seconds.clamped) < 9_000_000_000, (0..<1_000_000_000).contains(nanos) else {
            throw ProtobufError(reason: "a time is out of range")
        }
        let moment = Timestamp(nanoseconds: seconds * 1_000_000_000 + nanos)
        return .string(isMicro ? moment.rfc3339Micro : moment.rfc3339)
    }

    private func raw(_ bytes: ArraySlice<UInt8>, _ field: SchemaField) throws(ProtobufError) -> JSONValue {
        var json: ArraySlice<UInt8> = []
        var reader = ProtobufReader(bytes)
        while let (number, payload) = try reader.next() {
            if number == 1, case .bytes(let bytes) = payload { json = bytes }
        }
        if json.isEmpty { return .null }
        do throws(JSONError) {
            return try JSONParser.parse(json)
        } catch {
            throw ProtobufError(reason: "field \(field.name): \(error)")
        }
    }
}

extension Int64 {
    /// This value, or the nearest whose magnitude exists.
    fileprivate var clamped: Int64 { Swift.max(self, -.max) }
}
