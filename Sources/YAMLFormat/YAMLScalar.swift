// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// The types of plain scalars in YAML 1.1, as far as JSON has them.
enum YAMLScalar {
    private static let words: [String: JSONValue] = {
        var words: [String: JSONValue] = ["": .null, "~": .null]
        for (word, value) in [
            ("null", JSONValue.null), ("true", true), ("yes", true), ("on", true), ("false", false), ("no", false),
            ("off", false),
        ] {
            words[word] = value
            words[word.uppercased()] = value
            words[word.prefix(1).uppercased() + word.dropFirst()] = value
        }
        return words
    }()

    static func resolve(_ text: String) -> JSONValue {
        if let word = words[text] { return word }
        guard let first = text.utf8.first,
            first == UInt8(ascii: "-") || first == UInt8(ascii: "+")
                || first == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
        else { return .string(text) }
        return integer(text) ?? decimal(text) ?? .string(text)
    }

    private static func integer(_ text: String) -> JSONValue? {
        var digits = Substring(text.filter { $0 != "_" })
        var sign = ""
        if let first = digits.first, first == "-" || first == "+" {
            sign = first == "-" ? "-" : ""
            digits = digits.dropFirst()
        }
        guard let first = digits.first, first.isASCII, first.isNumber, text.utf8.last != UInt8(ascii: "_") else {
            return nil
        }
        var radix = 10
        for (prefix, base) in [("0x", 16), ("0b", 2), ("0o", 8)] where digits.hasPrefix(prefix) {
            radix = base
            digits = digits.dropFirst(2)
        }
        if radix == 10, digits.count > 1, digits.first == "0" { radix = 8 }
        guard let first = digits.utf8.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "+") else { return nil }
        return Int64(sign + digits, radix: radix).map(JSONValue.int)
    }

    /// A decimal number, with or without exponent; infinities and the like have no place in JSON.
    private static func decimal(_ text: String) -> JSONValue? {
        var hasDigit = false
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): hasDigit = true
            case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"): continue
            default: return nil
            }
        }
        guard hasDigit, let value = Double(text), value.isFinite else { return nil }
        // As JSON writes it: 1e3 is 1000.
        if abs(value) < 1e15, let whole = Int64(exactly: value) { return .int(whole) }
        return .double(value)
    }
}
