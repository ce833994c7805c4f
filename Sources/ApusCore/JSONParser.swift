// SPDX-License-Identifier: Apache-2.0

/// Why a text is not the JSON that was asked for.
package struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was wrong.
    package let reason: String
    /// Where: bytes from the start.
    package let offset: Int

    package var description: String { "invalid JSON at byte \(offset): \(reason)" }
}

/// A strict, bounded parser of RFC 8259 JSON.
///
/// Rejects invalid UTF-8, trailing text, lone surrogates, and nesting deeper than `maxDepth`. Duplicate keys keep the
/// last value, as Go's decoder does, and are reported by path.
package struct JSONParser {
    /// The greatest depth of nesting that Kubernetes accepts is far above any real object's.
    package static let defaultMaxDepth = 256

    private let bytes: UnsafeBufferPointer<UInt8>
    private let maxDepth: Int
    private var index = 0
    private var path: [Step] = []
    private var duplicates: [String] = []
    private var cut: Cut?
    private var cutText: Range<Int>?

    /// A member that is passed over: its text is wanted, not its value.
    package struct Cut: Sendable {
        let parent: String
        let member: String
        let depth: Int

        /// - Parameters:
        ///   - member: key of what is left out.
        ///   - parent: key of the object that it is a member of.
        ///   - depth: how many steps from the top that object is at most.
        package init(_ member: String, of parent: String, depth: Int = 1) {
            self.parent = parent
            self.member = member
            self.depth = depth
        }
    }

    private enum Step {
        case key(String)
        case index(Int)
    }

    private init(_ bytes: UnsafeBufferPointer<UInt8>, maxDepth: Int) {
        self.bytes = bytes
        self.maxDepth = maxDepth
    }

    /// Parses one document.
    package static func parse(_ bytes: some Sequence<UInt8>, maxDepth: Int = defaultMaxDepth) throws(JSONError)
        -> JSONValue
    {
        try parseReportingDuplicates(bytes, maxDepth: maxDepth).value
    }

    /// Parses one document and lists the paths (`spec.replicas`) of keys that occur more than once in their object.
    package static func parseReportingDuplicates(
        _ bytes: some Sequence<UInt8>, maxDepth: Int = defaultMaxDepth
    ) throws(JSONError) -> (value: JSONValue, duplicates: [String]) {
        let run = { (buffer: UnsafeBufferPointer<UInt8>) -> Result<(JSONValue, [String]), JSONError> in
            var parser = JSONParser(buffer, maxDepth: maxDepth)
            do throws(JSONError) {
                let value = try parser.document()
                return .success((value, parser.duplicates))
            } catch {
                return .failure(error)
            }
        }
        if let result = bytes.withContiguousStorageIfAvailable(run) {
            return try result.get()
        }
        return try Array(bytes).withUnsafeBufferPointer(run).get()
    }

    /// Parses one document held in a string.
    package static func parse(_ text: String, maxDepth: Int = defaultMaxDepth) throws(JSONError) -> JSONValue {
        try parse(text.utf8, maxDepth: maxDepth)
    }

    /// Parses a document of our own without one of its members, whose text is given back; empty when there is none.
    /// What is left out is not checked, only its end is found.
    package static func parse(_ bytes: [UInt8], leavingOut cut: Cut) throws(JSONError) -> (
        value: JSONValue, text: [UInt8]
    ) {
        try bytes.withUnsafeBufferPointer { buffer -> Result<(JSONValue, [UInt8]), JSONError> in
            var parser = JSONParser(buffer, maxDepth: defaultMaxDepth)
            parser.cut = cut
            do throws(JSONError) {
                let value = try parser.document()
                return .success((value, parser.cutText.map { Array(buffer[$0]) } ?? []))
            } catch {
                return .failure(error)
            }
        }.get()
    }

    /// Whether the member that comes next is passed over.
    private func isCut(_ key: String) -> Bool {
        guard let cut, path.count <= cut.depth, key == cut.member, case .key(cut.parent)? = path.last else {
            return false
        }
        return true
    }

    /// Passes over a value by its brackets and strings.
    private mutating func skipValue() throws(JSONError) {
        var depth = 0
        repeat {
            guard index < bytes.count else { throw fail("unexpected end of input") }
            switch bytes[index] {
            case UInt8(ascii: "\""):
                index += 1
                while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
                    index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
                }
                guard index < bytes.count else { throw fail("string without an end") }
                index += 1
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                index += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                index += 1
            default:
                if depth == 0 {
                    _ = try value(depth: 0)
                } else {
                    index += 1
                }
            }
        } while depth > 0
        guard depth == 0 else { throw fail("expected a value") }
    }

    private func fail(_ reason: String) -> JSONError { JSONError(reason: reason, offset: index) }

    private mutating func document() throws(JSONError) -> JSONValue {
        skipSpace()
        let value = try self.value(depth: 0)
        skipSpace()
        guard index == bytes.count else { throw fail("unexpected text after the document") }
        return value
    }

    private mutating func skipSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            default: return
            }
        }
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
        guard index < bytes.count else { throw fail("unexpected end of input") }
        switch bytes[index] {
        case UInt8(ascii: "{"): return try object(depth: depth + 1)
        case UInt8(ascii: "["): return try array(depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw fail("expected a value")
        }
    }

    private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        let length = text.utf8CodeUnitCount
        guard index + length <= bytes.count else { throw fail("unexpected end of input") }
        for offset in 0..<length where bytes[index + offset] != text.utf8Start[offset] {
            throw fail("expected \(text)")
        }
        index += length
        return value
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= maxDepth else { throw fail("nested deeper than \(maxDepth) levels") }
        index += 1
        var members: [String: JSONValue] = [:]
        skipSpace()
        if take(UInt8(ascii: "}")) { return .object(members) }
        while true {
            skipSpace()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { throw fail("expected a key") }
            let key = try string()
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw fail("expected ':' after key \"\(key.prefix(64))\"") }
            skipSpace()
            if cut != nil, isCut(key) {
                let start = index
                try skipValue()
                cutText = start..<index
            } else {
                path.append(.key(key))
                let value = try self.value(depth: depth)
                if members.updateValue(value, forKey: key) != nil, duplicates.count < 100 {
                    duplicates.append(pathText)
                }
                path.removeLast()
            }
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            if take(UInt8(ascii: "}")) { return .object(members) }
            throw fail("expected ',' or '}'")
        }
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
        guard depth <= maxDepth else { throw fail("nested deeper than \(maxDepth) levels") }
        index += 1
        var elements: [JSONValue] = []
        skipSpace()
        if take(UInt8(ascii: "]")) { return .array(elements) }
        while true {
            skipSpace()
            path.append(.index(elements.count))
            elements.append(try value(depth: depth))
            path.removeLast()
            skipSpace()
            if take(UInt8(ascii: ",")) { continue }
            if take(UInt8(ascii: "]")) { return .array(elements) }
            throw fail("expected ',' or ']'")
        }
    }

    /// `spec.containers[0].name`.
    private var pathText: String {
        path.reduce(into: "") { text, step in
            switch step {
            case .key(let key): text += text.isEmpty ? key : ".\(key)"
            case .index(let index): text += "[\(index)]"
            }
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard index < bytes.count, bytes[index] == byte else { return false }
        index += 1
        return true
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = index
        _ = take(UInt8(ascii: "-"))
        let firstDigit = index
        try digits()
        if bytes[firstDigit] == UInt8(ascii: "0"), index > firstDigit + 1 { throw fail("number with a leading zero") }
        var isInteger = true
        if take(UInt8(ascii: ".")) {
            isInteger = false
            try digits()
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            index += 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<index]), as: UTF8.self)
        if isInteger, let value = Int64(text) { return .int(value) }
        guard let value = Double(text), value.isFinite else { throw fail("number \(text.prefix(40)) is out of range") }
        return .double(value)
    }

    private mutating func digits() throws(JSONError) {
        let start = index
        while index < bytes.count, bytes[index] &- UInt8(ascii: "0") <= 9 { index += 1 }
        guard index > start else { throw fail("expected a digit") }
    }

    private mutating func string() throws(JSONError) -> String {
        index += 1
        let start = index
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                let run = UnsafeBufferPointer(rebasing: bytes[start..<index])
                guard let text = String(validating: run, as: UTF8.self) else { throw fail("string is not UTF-8") }
                index += 1
                return text
            case UInt8(ascii: "\\"):
                return try stringWithEscapes(from: start)
            case 0..<0x20:
                throw fail("control character in a string")
            default:
                index += 1
            }
        }
        throw fail("string without an end")
    }

    private mutating func stringWithEscapes(from start: Int) throws(JSONError) -> String {
        var buffer = Array(bytes[start..<index])
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: buffer, as: UTF8.self) else { throw fail("string is not UTF-8") }
                return text
            case UInt8(ascii: "\\"):
                try escape(into: &buffer)
            case 0..<0x20:
                throw fail("control character in a string")
            default:
                buffer.append(byte)
            }
        }
        throw fail("string without an end")
    }

    private mutating func escape(into buffer: inout [UInt8]) throws(JSONError) {
        guard index < bytes.count else { throw fail("string without an end") }
        let byte = bytes[index]
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(byte)
        case UInt8(ascii: "b"): buffer.append(0x08)
        case UInt8(ascii: "f"): buffer.append(0x0C)
        case UInt8(ascii: "n"): buffer.append(0x0A)
        case UInt8(ascii: "r"): buffer.append(0x0D)
        case UInt8(ascii: "t"): buffer.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexQuad()
            if (0xD800..<0xDC00).contains(code) {
                guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else { throw fail("lone surrogate") }
                let low = try hexQuad()
                guard (0xDC00..<0xE000).contains(low) else { throw fail("lone surrogate") }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw fail("lone surrogate") }
            buffer.append(contentsOf: Array(String(Character(scalar)).utf8))
        default:
            throw fail("unknown escape")
        }
    }

    private mutating func hexQuad() throws(JSONError) -> UInt32 {
        guard index + 4 <= bytes.count else { throw fail("string without an end") }
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(bytes[index])).hexDigitValue else {
                throw fail("expected four hexadecimal digits")
            }
            code = code << 4 | UInt32(digit)
            index += 1
        }
        return code
    }
}
