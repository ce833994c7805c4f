// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Why bytes are not `fieldsV1`.
package struct FieldSetError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String
}

extension FieldSet {
    /// The deepest path that is read.
    private static let maximumDepth = JSONParser.defaultMaxDepth

    /// Appends the set as `fieldsV1`: nested objects whose keys are path elements, `.` for the path itself.
    package func write(to bytes: inout [UInt8]) {
        write(isMember: false, to: &bytes)
    }

    private func write(isMember: Bool, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        var isFirst = true
        if isMember, !entries.isEmpty {
            bytes.append(contentsOf: "\".\":{}".utf8)
            isFirst = false
        }
        for entry in entries {
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            isFirst = false
            FieldSetText.append(string: entry.element.text, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            entry.children.write(isMember: entry.isMember, to: &bytes)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    /// The set as `fieldsV1`.
    package var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256)
        write(to: &bytes)
        return bytes
    }

    /// Reads `fieldsV1` that a client sent: path elements of kinds that are not known are left out, as upstream does.
    package init(json: JSONValue) throws(FieldSetError) {
        guard case .object = json else {
            throw FieldSetError(description: "fieldsV1 must be an object, not \(json.typeName)")
        }
        self = try Self.read(json, depth: 0)
    }

    private static func read(_ json: JSONValue, depth: Int) throws(FieldSetError) -> FieldSet {
        guard depth < maximumDepth else { throw FieldSetError(description: "fieldsV1 is nested too deeply") }
        guard case .object(let members) = json else {
            throw FieldSetError(description: "a field of fieldsV1 must be an object, not \(json.typeName)")
        }
        var found: [Entry] = []
        for (text, value) in members where text != "." {
            let children = try read(value, depth: depth + 1)
            guard let element = PathElement(parsing: text) else { continue }
            let entry = Entry(
                element: element, isMember: value.members.isEmpty || !value["."].isNull, children: children)
            if !entry.isEmpty { found.append(entry) }
        }
        // Two spellings of one key are one element.
        let set = FieldSet(unsorted: found)
        guard zip(set.entries, set.entries.dropFirst()).contains(where: { $0.element == $1.element }) else {
            return set
        }
        return found.reduce(FieldSet()) { $0.union(FieldSet(unsorted: [$1])) }
    }

    /// Reads what ``write(to:)`` wrote.
    /// - Throws: when the bytes are anything else.
    init(stored bytes: Slice<UnsafeBufferPointer<UInt8>>) throws(FieldSetError) {
        var reader = FieldSetText(bytes)
        self = try reader.set(depth: 0).set
        guard reader.isAtEnd else { throw FieldSetError(description: "fieldsV1: text after the end") }
    }
}

/// The text of stored sets: JSON objects of objects, without white space.
struct FieldSetText {
    private let bytes: Slice<UnsafeBufferPointer<UInt8>>
    private var index: Int

    init(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) {
        self.bytes = bytes
        index = bytes.startIndex
    }

    var isAtEnd: Bool { index == bytes.endIndex }

    mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.endIndex, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    /// Passes over a text when it comes next.
    mutating func take(_ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard bytes.endIndex - index >= length else { return false }
        for offset in 0..<length where bytes[index + offset] != text.utf8Start[offset] { return false }
        index += length
        return true
    }

    private mutating func expect(_ byte: UInt8) throws(FieldSetError) {
        guard take(byte) else {
            throw FieldSetError(description: "fieldsV1: expected '\(Character(Unicode.Scalar(byte)))'")
        }
    }

    /// Reads one object.
    mutating func set(depth: Int) throws(FieldSetError) -> (set: FieldSet, isMember: Bool) {
        guard depth < JSONParser.defaultMaxDepth else {
            throw FieldSetError(description: "fieldsV1 is nested too deeply")
        }
        try expect(UInt8(ascii: "{"))
        if take(UInt8(ascii: "}")) { return (FieldSet(), true) }
        var entries: [FieldSet.Entry] = []
        var isMember = false
        repeat {
            let text = try string()
            try expect(UInt8(ascii: ":"))
            let below = try set(depth: depth + 1)
            if text == "." {
                isMember = true
            } else {
                let element = PathElement(text: text)
                if let last = entries.last, last.element >= element {
                    throw FieldSetError(description: "fieldsV1: keys are not in order")
                }
                entries.append(FieldSet.Entry(element: element, isMember: below.isMember, children: below.set))
            }
        } while take(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"))
        return (FieldSet(sorted: entries), isMember)
    }

    mutating func string() throws(FieldSetError) -> String {
        try expect(UInt8(ascii: "\""))
        let start = index
        while index < bytes.endIndex {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                defer { index += 1 }
                return String(decoding: bytes[start..<index], as: UTF8.self)
            case UInt8(ascii: "\\"): return try escapedString(from: start)
            default: index += 1
            }
        }
        throw FieldSetError(description: "fieldsV1: a key without an end")
    }

    private mutating func escapedString(from start: Int) throws(FieldSetError) -> String {
        var text = Array(bytes[start..<index])
        while index < bytes.endIndex {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard index < bytes.endIndex else { break }
                let escaped = bytes[index]
                index += 1
                switch escaped {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): text.append(escaped)
                case UInt8(ascii: "n"): text.append(0x0A)
                case UInt8(ascii: "r"): text.append(0x0D)
                case UInt8(ascii: "t"): text.append(0x09)
                case UInt8(ascii: "u"):
                    guard index + 4 <= bytes.endIndex,
                        let code = UInt8(String(decoding: bytes[index..<index + 4], as: UTF8.self), radix: 16)
                    else { throw FieldSetError(description: "fieldsV1: unknown escape") }
                    text.append(code)
                    index += 4
                default: throw FieldSetError(description: "fieldsV1: unknown escape")
                }
            default: text.append(byte)
            }
        }
        throw FieldSetError(description: "fieldsV1: a key without an end")
    }

    /// Appends a JSON string.
    static func append(string: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        var string = string
        string.withUTF8 { text in
            for byte in text {
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                    bytes.append(UInt8(ascii: "\\"))
                    bytes.append(byte)
                case 0x0A: bytes.append(contentsOf: "\\n".utf8)
                case 0x0D: bytes.append(contentsOf: "\\r".utf8)
                case 0x09: bytes.append(contentsOf: "\\t".utf8)
                case 0..<0x20:
                    let digits = String(byte, radix: 16)
                    bytes.append(contentsOf: (byte < 0x10 ? "\\u000" : "\\u00").utf8)
                    bytes.append(contentsOf: digits.utf8)
                default: bytes.append(byte)
                }
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
