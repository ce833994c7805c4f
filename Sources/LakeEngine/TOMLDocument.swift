// SPDX-License-Identifier: Apache-2.0

/// What of TOML 1.0 (toml.io) driver manifests and connection profiles use: tables, dotted keys, strings, numbers,
/// booleans, arrays and inline tables; no dates, no arrays of tables.
struct TOMLDocument {
    indirect enum Value: Hashable, Sendable {
        case string(String)
        case integer(Int64)
        case float(Double)
        case bool(Bool)
        case array([Value])
        case table([String: Value])

        var string: String? { if case .string(let value) = self { value } else { nil } }
        var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
        var table: [String: Value]? { if case .table(let value) = self { value } else { nil } }
    }

    struct Problem: Error, Equatable {
        let line: Int
        let what: String
    }

    private(set) var root: [String: Value] = [:]

    /// The value of a path of keys.
    subscript(path: String...) -> Value? {
        var value = Value.table(root)
        for key in path {
            guard let next = value.table?[key] else { return nil }
            value = next
        }
        return value
    }

    init(_ text: String) throws(Problem) {
        var parser = Parser(bytes: Array(text.utf8))
        var prefix: [String] = []
        while parser.skipToStatement() {
            if parser.take("[") {
                if parser.peek == UInt8(ascii: "[") { throw parser.problem("arrays of tables are not read") }
                prefix = try parser.key()
                guard parser.take("]") else { throw parser.problem("a table's name ends with ]") }
                try parser.endLine()
                try insert(nil, at: prefix, parser)
            } else {
                let key = try parser.key()
                guard parser.take("=") else { throw parser.problem("a key is followed by =") }
                let value = try parser.value(depth: 0)
                try parser.endLine()
                try insert(value, at: prefix + key, parser)
            }
        }
    }

    /// Puts a value into its table; nil only makes the table.
    private mutating func insert(_ value: Value?, at path: [String], _ parser: Parser) throws(Problem) {
        guard let merged = Self.merge(.table(root), value, path[...]), case .table(let table) = merged else {
            throw parser.problem("the key \(path.joined(separator: ".")) is there already")
        }
        root = table
    }

    private static func merge(_ into: Value, _ value: Value?, _ path: ArraySlice<String>) -> Value? {
        guard let key = path.first else { return value == nil && into.table != nil ? into : nil }
        guard var table = into.table else { return nil }
        if path.count == 1, let value {
            guard table[key] == nil else { return nil }
            table[key] = value
        } else {
            guard let inner = merge(table[key] ?? .table([:]), value, path.dropFirst()) else { return nil }
            table[key] = inner
        }
        return .table(table)
    }

    private struct Parser {
        let bytes: [UInt8]
        var place = 0
        var line = 1

        init(bytes: [UInt8]) { self.bytes = bytes }

        var peek: UInt8? { place < bytes.count ? bytes[place] : nil }

        func problem(_ what: String) -> Problem { Problem(line: line, what: what) }

        mutating func skipBlanks() {
            while let byte = peek, byte == 0x20 || byte == 0x09 { place += 1 }
        }

        private mutating func skipComment() {
            guard peek == UInt8(ascii: "#") else { return }
            while let byte = peek, byte != 0x0A { _ = byte; place += 1 }
        }

        /// Skips blank lines and comments; false at the end.
        mutating func skipToStatement() -> Bool {
            while true {
                skipBlanks()
                skipComment()
                guard let byte = peek else { return false }
                guard byte == 0x0A || byte == 0x0D else { return true }
                if byte == 0x0A { line += 1 }
                place += 1
            }
        }

        mutating func take(_ text: Character) -> Bool {
            skipBlanks()
            guard let byte = peek, text.asciiValue == byte else { return false }
            place += 1
            return true
        }

        mutating func endLine() throws(Problem) {
            skipBlanks()
            skipComment()
            if peek == 0x0D { place += 1 }
            guard let byte = peek else { return }
            guard byte == 0x0A else { throw problem("nothing but a comment may follow on the line") }
            place += 1
            line += 1
        }

        mutating func key() throws(Problem) -> [String] {
            var parts: [String] = []
            repeat {
                skipBlanks()
                switch peek {
                case UInt8(ascii: "\""), UInt8(ascii: "'"): parts.append(try quoted())
                default:
                    let start = place
                    while let byte = peek, Self.isBare(byte) { place += 1 }
                    guard place > start else { throw problem("a key is letters, digits, - and _, or quoted") }
                    parts.append(String(decoding: bytes[start..<place], as: UTF8.self))
                }
            } while take(".")
            return parts
        }

        private static func isBare(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
        }

        mutating func value(depth: Int) throws(Problem) -> Value {
            guard depth < 16 else { throw problem("values nest over 16 deep") }
            skipBlanks()
            switch peek {
            case UInt8(ascii: "\""), UInt8(ascii: "'"): return .string(try quoted())
            case UInt8(ascii: "["):
                place += 1
                var values: [Value] = []
                while true {
                    guard skipToStatement() else { throw problem("an array ends with ]") }
                    if take("]") { return .array(values) }
                    values.append(try value(depth: depth + 1))
                    guard skipToStatement() else { throw problem("an array ends with ]") }
                    if take(",") { continue }
                    guard take("]") else { throw problem("an array's values are separated by commas") }
                    return .array(values)
                }
            case UInt8(ascii: "{"):
                place += 1
                var table: [String: Value] = [:]
                if take("}") { return .table(table) }
                repeat {
                    let path = try key()
                    guard take("=") else { throw problem("a key is followed by =") }
                    let inner = try value(depth: depth + 1)
                    guard let merged = TOMLDocument.merge(.table(table), inner, path[...])?.table else {
                        throw problem("the key \(path.joined(separator: ".")) is there already")
                    }
                    table = merged
                } while take(",")
                guard take("}") else { throw problem("an inline table ends with }") }
                return .table(table)
            default:
                let start = place
                while let byte = peek, Self.isBare(byte) || byte == UInt8(ascii: "+") || byte == UInt8(ascii: ".") {
                    place += 1
                }
                let text = String(decoding: bytes[start..<place], as: UTF8.self)
                if text == "true" { return .bool(true) }
                if text == "false" { return .bool(false) }
                let digits = text.split(separator: "_").joined()
                if let integer = Int64(digits) { return .integer(integer) }
                if let float = Double(digits), digits.first != "." { return .float(float) }
                throw problem("'\(text)' is no value that is read")
            }
        }

        /// A basic string with escapes, or a literal one; both on one line.
        private mutating func quoted() throws(Problem) -> String {
            let quote = bytes[place]
            place += 1
            if peek == quote, place + 1 < bytes.count, bytes[place + 1] == quote {
                throw problem("strings of several lines are not read")
            }
            var text: [UInt8] = []
            while let byte = peek, byte != quote {
                guard byte != 0x0A else { throw problem("a string ends on its line") }
                place += 1
                guard byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") else {
                    text.append(byte)
                    continue
                }
                guard let escaped = peek else { break }
                place += 1
                switch escaped {
                case UInt8(ascii: "n"): text.append(0x0A)
                case UInt8(ascii: "t"): text.append(0x09)
                case UInt8(ascii: "r"): text.append(0x0D)
                case UInt8(ascii: "b"): text.append(0x08)
                case UInt8(ascii: "f"): text.append(0x0C)
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): text.append(escaped)
                case UInt8(ascii: "u"), UInt8(ascii: "U"):
                    let width = escaped == UInt8(ascii: "u") ? 4 : 8
                    guard place + width <= bytes.count,
                        let number = UInt32(String(decoding: bytes[place..<place + width], as: UTF8.self), radix: 16),
                        let scalar = Unicode.Scalar(number)
                    else { throw problem("\\u is followed by 4 hexadecimal digits, \\U by 8") }
                    place += width
                    text += Array(String(Character(scalar)).utf8)
                default: throw problem("an unknown escape in a string")
                }
            }
            guard peek == quote else { throw problem("a string ends with its quote") }
            place += 1
            return String(decoding: text, as: UTF8.self)
        }
    }
}
