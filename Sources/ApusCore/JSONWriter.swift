// SPDX-License-Identifier: Apache-2.0

/// Writes JSON with sorted keys, so that equal values have equal texts.
package struct JSONWriter {
    /// The text so far, UTF-8.
    package private(set) var bytes: [UInt8] = []
    private let indent: Int?

    /// - Parameters:
    ///   - capacity: bytes to set aside.
    ///   - indent: spaces for each level; nil writes no white space.
    package init(capacity: Int = 512, indent: Int? = nil) {
        self.indent = indent
        bytes.reserveCapacity(capacity)
    }

    /// Appends text that is JSON already.
    package mutating func append(raw: [UInt8]) { bytes.append(contentsOf: raw) }

    /// Appends text that is JSON already.
    package mutating func append(raw: String) {
        var raw = raw
        raw.withUTF8 { bytes.append(contentsOf: $0) }
    }

    /// Appends one value.
    package mutating func append(_ value: JSONValue, depth: Int = 0) {
        switch value {
        case .null: append(raw: "null")
        case .bool(let value): append(raw: value ? "true" : "false")
        case .int(let value): append(integer: value)
        case .double(let value): append(number: value)
        case .string(let value): append(string: value)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                newLine(depth + 1)
                append(element, depth: depth + 1)
            }
            if !elements.isEmpty { newLine(depth) }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            var isFirst = true
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                if !isFirst { bytes.append(UInt8(ascii: ",")) }
                isFirst = false
                newLine(depth + 1)
                append(string: key)
                bytes.append(UInt8(ascii: ":"))
                if indent != nil { bytes.append(UInt8(ascii: " ")) }
                append(member, depth: depth + 1)
            }
            if !members.isEmpty { newLine(depth) }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private mutating func newLine(_ depth: Int) {
        guard let indent else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: depth * indent))
    }

    /// Appends an integer.
    package mutating func append(integer value: Int64) { append(raw: value.description) }

    /// Appends a number; `null` where it is infinite or none.
    package mutating func append(number value: Double) {
        guard value.isFinite else { return append(raw: "null") }
        if value == value.rounded(), abs(value) < 1e15 {
            append(integer: Int64(value))
        } else {
            append(raw: value.description)
        }
    }

    /// Appends a text as a JSON string.
    package mutating func append(string: String) {
        bytes.append(UInt8(ascii: "\""))
        var string = string
        string.withUTF8 { text in
            var start = 0
            for index in text.indices {
                let byte = text[index]
                guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
                bytes.append(contentsOf: text[start..<index])
                start = index + 1
                appendEscaped(byte)
            }
            bytes.append(contentsOf: text[start...])
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func appendEscaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append(raw: "\\\"")
        case UInt8(ascii: "\\"): append(raw: "\\\\")
        case 0x0A: append(raw: "\\n")
        case 0x0D: append(raw: "\\r")
        case 0x09: append(raw: "\\t")
        default:
            append(raw: "\\u00")
            let digits = String(byte, radix: 16)
            if digits.utf8.count == 1 { bytes.append(UInt8(ascii: "0")) }
            append(raw: digits)
        }
    }
}

extension JSONValue {
    /// This value as compact JSON with sorted keys.
    package var encoded: [UInt8] {
        var writer = JSONWriter()
        writer.append(self)
        return writer.bytes
    }

    /// This value as compact JSON text with sorted keys.
    package var text: String { String(decoding: encoded, as: UTF8.self) }

    /// This value as JSON text indented by `indent` spaces.
    package func prettyText(indent: Int = 4) -> String {
        var writer = JSONWriter(indent: indent)
        writer.append(self)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
