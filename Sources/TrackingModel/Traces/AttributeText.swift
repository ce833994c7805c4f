// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ByteCodes

/// Writes JSON as Python's `json.dumps(…, ensure_ascii=False)` does: a space after commas and colons, `NaN` and
/// `Infinity` as they are. MLflow's filters search spans in this form.
package struct AttributeText: Sendable {
    package private(set) var text = ""

    package init() {}

    package static func of(_ value: AttributeValue) -> String {
        var writer = AttributeText()
        writer.append(value)
        return writer.text
    }

    package static func of(_ string: String) -> String {
        var writer = AttributeText()
        writer.append(string: string)
        return writer.text
    }

    package mutating func append(raw: String) { text += raw }

    package mutating func append(_ value: AttributeValue) {
        switch value {
        case .none: text += "null"
        case .string(let string): append(string: string)
        case .bool(let value): text += value ? "true" : "false"
        case .int(let value): text += String(value)
        case .double(let value): text += Self.number(value)
        case .bytes(let bytes): append(string: Base64Text.encode(bytes))
        case .array(let elements):
            text += "["
            for (index, element) in elements.enumerated() {
                if index > 0 { text += ", " }
                append(element)
            }
            text += "]"
        case .map(let members): append(members)
        }
    }

    package mutating func append(_ members: [Attribute]) {
        text += "{"
        for (index, member) in members.enumerated() {
            if index > 0 { text += ", " }
            append(string: member.key)
            text += ": "
            append(member.value)
        }
        text += "}"
    }

    package mutating func append(string: String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{8}": text += "\\b"
            case "\u{C}": text += "\\f"
            case "\u{0}"..<"\u{20}":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }

    /// A number as Python shows it.
    package static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return "\(value)"
    }
}

extension AttributeValue {
    /// Reads JSON as Python's `json.loads` does: members keep their order, `NaN` and `Infinity` are numbers.
    /// - Returns: nil where the text is no such JSON, or nested deeper than 100 levels.
    package init?(text: String) {
        var text = text
        let value = text.withUTF8 { bytes -> AttributeValue? in
            var reader = AttributeReader(bytes)
            return reader.document()
        }
        guard let value else { return nil }
        self = value
    }
}

private struct AttributeReader {
    private static let maximumDepth = 100
    private let bytes: UnsafeBufferPointer<UInt8>
    private var index = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    mutating func document() -> AttributeValue? {
        guard let value = value(depth: 0) else { return nil }
        skipSpace()
        return index == bytes.count ? value : nil
    }

    private mutating func skipSpace() {
        while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func take(_ word: StaticString) -> Bool {
        let length = word.utf8CodeUnitCount
        guard bytes.count - index >= length else { return false }
        for offset in 0..<length where bytes[index + offset] != word.utf8Start[offset] { return false }
        index += length
        return true
    }

    private mutating func value(depth: Int) -> AttributeValue? {
        skipSpace()
        guard index < bytes.count, depth < Self.maximumDepth else { return nil }
        switch bytes[index] {
        case UInt8(ascii: "{"): return map(depth: depth + 1)
        case UInt8(ascii: "["): return array(depth: depth + 1)
        case UInt8(ascii: "\""): return string().map { .string($0) }
        case UInt8(ascii: "t"): return take("true") ? .bool(true) : nil
        case UInt8(ascii: "f"): return take("false") ? .bool(false) : nil
        case UInt8(ascii: "n"): return take("null") ? AttributeValue.none : nil
        case UInt8(ascii: "N"): return take("NaN") ? .double(.nan) : nil
        case UInt8(ascii: "I"): return take("Infinity") ? .double(.infinity) : nil
        case UInt8(ascii: "-") where take("-Infinity"): return .double(-.infinity)
        default: return number()
        }
    }

    private mutating func map(depth: Int) -> AttributeValue? {
        index += 1
        var members: [Attribute] = []
        if take(UInt8(ascii: "}")) { return .map(members) }
        repeat {
            skipSpace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\""), let key = string(), take(UInt8(ascii: ":")),
                let value = value(depth: depth)
            else { return nil }
            members.append(Attribute(key, value))
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "}")) ? .map(members) : nil
    }

    private mutating func array(depth: Int) -> AttributeValue? {
        index += 1
        var elements: [AttributeValue] = []
        if take(UInt8(ascii: "]")) { return .array(elements) }
        repeat {
            guard let value = value(depth: depth) else { return nil }
            elements.append(value)
        } while take(UInt8(ascii: ","))
        return take(UInt8(ascii: "]")) ? .array(elements) : nil
    }

    /// A string or a number is one token, which the strict parser reads.
    private func scalar(_ range: Range<Int>) -> JSONValue? {
        try? JSONParser.parse(UnsafeBufferPointer(rebasing: bytes[range]))
    }

    private mutating func string() -> String? {
        let start = index
        index += 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard index < bytes.count else { return nil }
        index += 1
        return scalar(start..<index)?.string
    }

    private mutating func number() -> AttributeValue? {
        let start = index
        while index < bytes.count, "+-.eE0123456789".utf8.contains(bytes[index]) { index += 1 }
        switch scalar(start..<index) {
        case .int(let value)?: return .int(value)
        case .double(let value)?: return .double(value)
        default: return nil
        }
    }
}
