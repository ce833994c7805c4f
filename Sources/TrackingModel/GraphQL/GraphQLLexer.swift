// SPDX-License-Identifier: Apache-2.0

/// A word of a GraphQL document.
enum GraphQLToken: Hashable {
    case name(String)
    case integer(Int64)
    case double(Double)
    case string(String)
    /// One of `! $ ( ) : = @ [ ] { } ...`
    case mark(String)
    case end
}

/// Cuts a document into words (GraphQL specification, section 2.1).
struct GraphQLLexer {
    private let bytes: [UInt8]
    private var index = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    mutating func next() throws(GraphQLError) -> GraphQLToken {
        skip()
        guard index < bytes.count else { return .end }
        let byte = bytes[index]
        switch byte {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "."):
            guard bytes[index...].starts(with: "...".utf8) else { throw unexpected() }
            index += 3
            return .mark("...")
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default:
            if "!$():=@[]{}|&".utf8.contains(byte) {
                index += 1
                return .mark(String(UnicodeScalar(byte)))
            }
            guard Self.isName(byte) else { throw unexpected() }
            let start = index
            while index < bytes.count, Self.isName(bytes[index]) { index += 1 }
            return .name(String(decoding: bytes[start..<index], as: UTF8.self))
        }
    }

    private func unexpected() -> GraphQLError {
        GraphQLError("Syntax Error: Unexpected character at byte \(index).")
    }

    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "_"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }

    /// Spaces, commas and comments mean nothing.
    private mutating func skip() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: ","): index += 1
            case 0xEF where bytes[index...].starts(with: [0xEF, 0xBB, 0xBF]): index += 3
            case UInt8(ascii: "#"):
                while index < bytes.count, bytes[index] != 0x0A, bytes[index] != 0x0D { index += 1 }
            default: return
            }
        }
    }

    private mutating func number() throws(GraphQLError) -> GraphQLToken {
        let start = index
        while index < bytes.count, "+-.eE0123456789".utf8.contains(bytes[index]) { index += 1 }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else {
            throw GraphQLError("Syntax Error: Invalid number \(text.prefix(40)).")
        }
        return .double(value)
    }

    private mutating func string() throws(GraphQLError) -> String {
        let isBlock = bytes[index...].starts(with: "\"\"\"".utf8)
        index += isBlock ? 3 : 1
        var found: [UInt8] = []
        while index < bytes.count {
            let byte = bytes[index]
            if isBlock {
                if bytes[index...].starts(with: "\\\"\"\"".utf8) {
                    found += "\"\"\"".utf8
                    index += 4
                    continue
                }
                if bytes[index...].starts(with: "\"\"\"".utf8) {
                    index += 3
                    return String(decoding: found, as: UTF8.self)
                }
            } else if byte == UInt8(ascii: "\"") {
                index += 1
                return String(decoding: found, as: UTF8.self)
            } else if byte == UInt8(ascii: "\\") {
                index += 1
                try escape(into: &found)
                continue
            } else if byte == 0x0A || byte == 0x0D {
                break
            }
            found.append(byte)
            index += 1
        }
        throw GraphQLError("Syntax Error: Unterminated string.")
    }

    private mutating func escape(into found: inout [UInt8]) throws(GraphQLError) {
        let fault = GraphQLError("Syntax Error: Invalid character escape sequence.")
        guard index < bytes.count else { throw fault }
        let byte = bytes[index]
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): found.append(byte)
        case UInt8(ascii: "b"): found.append(0x08)
        case UInt8(ascii: "f"): found.append(0x0C)
        case UInt8(ascii: "n"): found.append(0x0A)
        case UInt8(ascii: "r"): found.append(0x0D)
        case UInt8(ascii: "t"): found.append(0x09)
        case UInt8(ascii: "u"):
            let digits = String(decoding: bytes[index..<min(index + 4, bytes.count)], as: UTF8.self)
            guard digits.utf8.count == 4, let code = UInt32(digits, radix: 16), let scalar = Unicode.Scalar(code) else {
                throw fault
            }
            index += 4
            found += String(Character(scalar)).utf8
        default: throw fault
        }
    }
}
