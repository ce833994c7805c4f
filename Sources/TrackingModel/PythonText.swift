// SPDX-License-Identifier: Apache-2.0

/// Texts as Python writes them, for MLflow's messages.
package enum PythonText {
    /// `repr` of a text: in single quotes, unless it has one and no double quote.
    package static func repr(_ text: String) -> String {
        let quote: Character = text.contains("'") && !text.contains("\"") ? "\"" : "'"
        var result = String(quote)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "'" where quote == "'": result += "\\'"
            default:
                guard scalar.value < 0x20 || (0x7F...0xA0).contains(scalar.value) || scalar.value == 0xAD else {
                    result.unicodeScalars.append(scalar)
                    continue
                }
                let hex = String(scalar.value, radix: 16)
                result += "\\x" + (hex.count == 1 ? "0" : "") + hex
            }
        }
        result.append(quote)
        return result
    }

    /// `repr` of a list of texts.
    package static func repr(_ texts: [String]) -> String { "[\(texts.map(repr).joined(separator: ", "))]" }

    /// `posixpath.normpath`.
    package static func normalizedPath(_ path: String) -> String {
        guard !path.isEmpty else { return "." }
        var slashes = path.hasPrefix("/") ? 1 : 0
        // Two slashes at the start mean something of their own.
        if path.hasPrefix("//"), !path.hasPrefix("///") { slashes = 2 }
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part != ".." || (slashes == 0 && parts.isEmpty) || parts.last == ".." {
                parts.append(part)
            } else if !parts.isEmpty {
                parts.removeLast()
            }
        }
        let normal = String(repeating: "/", count: slashes) + parts.joined(separator: "/")
        return normal.isEmpty ? "." : normal
    }
}
