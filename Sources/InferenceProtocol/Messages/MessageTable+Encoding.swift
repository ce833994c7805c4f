// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import ByteCodes
package import NIOCore

extension MessageTable {
    /// Writes a message that is given as JSON: fields by their names in the protocol, enums by name or number, 64-bit
    /// numbers as numbers or texts, bytes in base64. Members that the message has no field for are left out.
    /// - Parameters:
    ///   - json: an object.
    ///   - name: the message's full name.
    ///   - buffer: to the end of this.
    package func encode(_ json: JSONValue, as name: String, into buffer: inout ByteBuffer) {
        let members = json.members
        for field in messages[name] ?? [] {
            guard let value = members[field.name], !value.isNull else { continue }
            if case .map(let key, let element) = field.kind {
                for (name, member) in value.members.sorted(by: { $0.key < $1.key }) {
                    var entry = ByteBuffer()
                    write(.string(name), key, 1, isExplicit: false, into: &entry)
                    write(member, element, 2, isExplicit: true, into: &entry)
                    buffer.writeHead(field.number, length: entry.readableBytes)
                    buffer.writeBuffer(&entry)
                }
            } else if field.isRepeated {
                writeAll(value.elements, field, into: &buffer)
            } else {
                write(value, field.kind, field.number, isExplicit: field.choice != nil, into: &buffer)
            }
        }
    }

    private func writeAll(_ values: [JSONValue], _ field: Field, into buffer: inout ByteBuffer) {
        guard isPacked(field.kind) else {
            for value in values { write(value, field.kind, field.number, isExplicit: true, into: &buffer) }
            return
        }
        guard !values.isEmpty else { return }
        var packed = ByteBuffer()
        for value in values { writeNumber(value, field.kind, into: &packed) }
        buffer.writeHead(field.number, length: packed.readableBytes)
        buffer.writeBuffer(&packed)
    }

    private func isPacked(_ kind: Kind) -> Bool {
        switch kind {
        case .scalar(let type): type != "string" && type != "bytes"
        case .enumeration: true
        case .message, .map: false
        }
    }

    /// Left out where it has the default value, unless it is explicit.
    private func write(
        _ value: JSONValue, _ kind: Kind, _ number: Int, isExplicit: Bool, into buffer: inout ByteBuffer
    ) {
        switch kind {
        case .message(let name):
            var inner = ByteBuffer()
            encode(value, as: name, into: &inner)
            buffer.writeHead(number, length: inner.readableBytes)
            buffer.writeBuffer(&inner)
        case .scalar("string"), .scalar("bytes"):
            guard let text = value.string, isExplicit || !text.isEmpty else { return }
            let bytes = kind == .scalar("bytes") ? Base64Text.decode(text) ?? [] : Array(text.utf8)
            buffer.writeHead(number, length: bytes.count)
            buffer.writeBytes(bytes)
        case .scalar(let type):
            var bytes = ByteBuffer()
            writeNumber(value, kind, into: &bytes)
            guard isExplicit || bytes.readableBytesView.contains(where: { $0 != 0 }) else { return }
            let wire: UInt64 =
                switch type {
                case "double", "fixed64", "sfixed64": 1
                case "float", "fixed32", "sfixed32": 5
                default: 0
                }
            buffer.writeVarint(UInt64(number) << 3 | wire)
            buffer.writeBuffer(&bytes)
        case .enumeration:
            var bytes = ByteBuffer()
            writeNumber(value, kind, into: &bytes)
            guard isExplicit || bytes.readableBytesView.first != 0 else { return }
            buffer.writeVarint(UInt64(number) << 3)
            buffer.writeBuffer(&bytes)
        case .map: break
        }
    }

    private func writeNumber(_ value: JSONValue, _ kind: Kind, into buffer: inout ByteBuffer) {
        switch kind {
        case .scalar("double"):
            buffer.writeInteger((value.double ?? 0).bitPattern, endianness: .little)
        case .scalar("float"):
            buffer.writeInteger(Float(value.double ?? 0).bitPattern, endianness: .little)
        case .scalar("bool"): buffer.writeVarint(value.bool == true ? 1 : 0)
        case .scalar: buffer.writeVarint(Self.bits(value))
        case .enumeration(let name):
            let number = enums[name]?.first { $0.name == value.string }?.number ?? value.int ?? 0
            buffer.writeVarint(UInt64(bitPattern: Int64(number)))
        case .message, .map: break
        }
    }

    private static func bits(_ value: JSONValue) -> UInt64 {
        switch value {
        case .int(let number): UInt64(bitPattern: number)
        case .string(let text): Int64(text).map { UInt64(bitPattern: $0) } ?? UInt64(text) ?? 0
        case .double(let number): Int64(exactly: number).map { UInt64(bitPattern: $0) } ?? 0
        default: 0
        }
    }
}

extension MessageTable {
    /// KServe's answer to a load or an unload: `model_name` = 1, `isLoaded` or `isUnloaded` = 2. Triton's answer has no
    /// fields, and its clients pass over these.
    package func writeControlAnswer(_ model: String, into buffer: inout ByteBuffer) {
        buffer.writeField(1, model)
        buffer.writeField(2, varint: 1)
    }
}
