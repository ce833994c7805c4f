// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import ByteCodes

extension MessageTable {
    /// Reads a message as the JSON that ``encode(_:as:into:)`` writes. Fields that are not there are left out.
    /// - Parameters:
    ///   - bytes: the message.
    ///   - name: its full name.
    ///   - limits: of texts, and of how deep messages may be in each other.
    /// - Returns: an object.
    /// - Throws: what is wrong with the bytes.
    package func decode(
        _ bytes: UnsafeRawBufferPointer, as name: String, limits: RequestLimits
    ) throws(InferenceFault) -> JSONValue {
        try decode(bytes, as: name, limits, depth: limits.depth)
    }

    private func decode(
        _ bytes: UnsafeRawBufferPointer, as name: String, _ limits: RequestLimits, depth: Int
    ) throws(InferenceFault) -> JSONValue {
        guard depth > 0 else { throw WireReader.malformed("messages are nested too deep") }
        var members: [String: JSONValue] = [:]
        var lists: [String: [JSONValue]] = [:]
        let fields = messages[name] ?? []
        var reader = WireReader(bytes)
        while let (number, payload) = try reader.next() {
            guard let field = fields.first(where: { $0.number == number }) else { continue }
            switch field.kind {
            case .map(let key, let value):
                let entry = try self.entry(try payload.bytes(field.name), key, value, field.name, limits, depth)
                var object = members[field.name]?.members ?? [:]
                members[field.name] = nil
                guard object.count < Self.longestList else { throw Self.tooMany(field.name) }
                object[entry.key] = entry.value
                members[field.name] = .object(object)
            case _ where field.isRepeated:
                var list = lists.removeValue(forKey: field.name) ?? []
                if case .bytes(let packed) = payload, isNumber(field.kind) {
                    var values = WireReader(packed)
                    while !values.isAtEnd {
                        guard list.count < Self.longestList else { throw Self.tooMany(field.name) }
                        list.append(scalar(try nextPacked(&values, field.kind), field.kind))
                    }
                } else {
                    guard list.count < Self.longestList else { throw Self.tooMany(field.name) }
                    list.append(try value(payload, field.kind, field.name, limits, depth))
                }
                lists[field.name] = list
            default: members[field.name] = try value(payload, field.kind, field.name, limits, depth)
            }
        }
        for (name, list) in lists { members[name] = .array(list) }
        return .object(members)
    }

    /// These messages have some settings, or some parameters.
    private static let longestList = 10_000

    private static func tooMany(_ field: String) -> InferenceFault {
        InferenceFault(.invalid, "\(field) has more than \(longestList) elements")
    }

    private func entry(
        _ bytes: UnsafeRawBufferPointer, _ keyKind: Kind, _ valueKind: Kind, _ field: String, _ limits: RequestLimits,
        _ depth: Int
    ) throws(InferenceFault) -> (key: String, value: JSONValue) {
        var key = ""
        var value: JSONValue = .object([:])
        var reader = WireReader(bytes)
        while let (number, payload) = try reader.next() {
            if number == 1 {
                switch try self.value(payload, keyKind, field, limits, depth) {
                case .string(let text): key = text
                case .int(let number): key = String(number)
                default: throw WireReader.malformed("a key of \(field) is no text")
                }
            } else if number == 2 {
                value = try self.value(payload, valueKind, field, limits, depth)
            }
        }
        return (key, value)
    }

    private func isNumber(_ kind: Kind) -> Bool {
        switch kind {
        case .scalar(let type): type != "string" && type != "bytes"
        case .enumeration: true
        case .message, .map: false
        }
    }

    private func nextPacked(_ reader: inout WireReader, _ kind: Kind) throws(InferenceFault) -> UInt64 {
        switch kind {
        case .scalar("double"): try reader.fixed(UInt64.self)
        case .scalar("float"): UInt64(try reader.fixed(UInt32.self))
        default: try reader.varint()
        }
    }

    private func scalar(_ bits: UInt64, _ kind: Kind) -> JSONValue {
        switch kind {
        case .scalar("double"): .double(Double(bitPattern: bits))
        case .scalar("float"): .double(Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits))))
        case .scalar("bool"): .bool(bits != 0)
        case .scalar("uint64") where bits > UInt64(Int64.max): .string(String(bits))
        default: .int(Int64(bitPattern: bits))
        }
    }

    private func value(
        _ payload: WireReader.Payload, _ kind: Kind, _ field: String, _ limits: RequestLimits, _ depth: Int
    ) throws(InferenceFault) -> JSONValue {
        switch (kind, payload) {
        case (.message(let name), .bytes(let bytes)):
            return try decode(bytes, as: name, limits, depth: depth - 1)
        case (.scalar("string"), .bytes):
            return .string(try payload.text(field, longest: limits.bodyBytes))
        case (.scalar("bytes"), .bytes(let bytes)): return .string(Base64Text.encode(Array(bytes)))
        case (.scalar("double"), .fixed64(let bits)): return scalar(bits, kind)
        case (.scalar("float"), .fixed32(let bits)): return scalar(UInt64(bits), kind)
        case (.scalar(let type), .varint(let bits)) where !["string", "bytes", "double", "float"].contains(type):
            return scalar(bits, kind)
        case (.enumeration(let name), .varint(let bits)):
            let number = Int(truncatingIfNeeded: bits)
            return enums[name]?.first { $0.number == number }.map { .string($0.name) } ?? .int(Int64(number))
        default: throw WireReader.malformed("\(field) has another wire type")
        }
    }
}
