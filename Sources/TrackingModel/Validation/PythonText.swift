// SPDX-License-Identifier: Apache-2.0

/// Values as Python writes them, since MLflow's messages quote them so.
package enum PythonText {
    /// `repr` of a text: in single quotes, in double ones where it has single quotes only.
    package static func repr(_ text: String) -> String {
        let quote: Unicode.Scalar = text.contains("'") && !text.contains("\"") ? "\"" : "'"
        var result = String.UnicodeScalarView()
        result.append(quote)
        for scalar in text.unicodeScalars {
            switch scalar {
            case quote, "\\": result.append(contentsOf: ["\\", scalar])
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\r": result.append(contentsOf: "\\r".unicodeScalars)
            case "\t": result.append(contentsOf: "\\t".unicodeScalars)
            default:
                if isPrintable(scalar) {
                    result.append(scalar)
                } else {
                    result.append(contentsOf: escaped(scalar).unicodeScalars)
                }
            }
        }
        result.append(quote)
        return String(result)
    }

    /// `repr` of a list of texts.
    package static func repr(_ texts: [String]) -> String {
        "[" + texts.map { repr($0) }.joined(separator: ", ") + "]"
    }

    /// `repr` of a set of texts; its order is Python's secret.
    static func set(_ texts: [String]) -> String { "{" + texts.map { repr($0) }.joined(separator: ", ") + "}" }

    /// `json.dumps` of a text: ASCII only.
    package static func json(_ text: String) -> String {
        var result = "\""
        for unit in text.utf16 {
            switch unit {
            case 0x22: result += "\\\""
            case 0x5C: result += "\\\\"
            case 0x08: result += "\\b"
            case 0x0C: result += "\\f"
            case 0x0A: result += "\\n"
            case 0x0D: result += "\\r"
            case 0x09: result += "\\t"
            case 0x20..<0x7F: result.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
            // Python leaves DEL as it is.
            case 0x7F: result += "\u{7F}"
            default: result += "\\u" + hex(UInt32(unit), 4)
            }
        }
        return result + "\""
    }

    /// How many characters Python's `len` counts: code points.
    package static func length(_ text: String) -> Int {
        // Not more than its bytes: most texts are short.
        text.unicodeScalars.count
    }

    /// Python's `int` of a text: signs, spaces around it and underscores between digits; nil where it is none, or does
    /// not fit.
    package static func integer(_ text: String) -> Int64? {
        let digits = text.trimmingSpaces
        guard let last = digits.utf8.last, let first = digits.utf8.first else { return nil }
        guard last != UInt8(ascii: "_"), first != UInt8(ascii: "_"), !digits.contains("__") else { return nil }
        guard !digits.hasPrefix("-_"), !digits.hasPrefix("+_") else { return nil }
        return Int64(digits.filter { $0 != "_" })
    }

    /// Whether Python's `int` takes a text, however large.
    package static func isInteger(_ text: String) -> Bool {
        guard integer(text) == nil else { return true }
        var digits = text.trimmingSpaces[...]
        if digits.hasPrefix("-") || digits.hasPrefix("+") { digits = digits.dropFirst() }
        return !digits.isEmpty && digits.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        case .spaceSeparator: scalar == " "
        default: true
        }
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar.value {
        case ..<0x100: "\\x" + hex(scalar.value, 2)
        case ..<0x10000: "\\u" + hex(scalar.value, 4)
        default: "\\U" + hex(scalar.value, 8)
        }
    }

    private static func hex(_ value: UInt32, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        let isSpace = { (scalar: Unicode.Scalar) in scalar.properties.isWhitespace }
        let scalars = unicodeScalars.drop(while: isSpace)
        let end = scalars.lastIndex { !isSpace($0) }
        return end.map { String(scalars[scalars.startIndex...$0]) } ?? ""
    }
}
