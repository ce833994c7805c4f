// SPDX-License-Identifier: Apache-2.0

/// How expressions spell the names of properties that are not identifiers.
///
/// Source: Kubernetes documentation, "Custom resources: validation rules", escaping of property names.
package enum CELNames {
    /// Words that are no names of fields in expressions.
    static let keywords: Set<String> = [
        "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
        "let", "loop", "package", "namespace", "return", "var", "void", "while",
    ]

    private static let symbols: [(escaped: String, plain: Character)] = [
        ("dot", "."), ("dash", "-"), ("slash", "/"),
    ]

    /// The name that expressions use for a property; nil for one that they cannot name.
    package static func escape(_ name: String) -> String? {
        guard let first = name.utf8.first, !isDigit(first) else { return nil }
        if keywords.contains(name) && !["var", "void", "while"].contains(name) { return "__\(name)__" }
        var escaped = ""
        let scalars = Array(name.unicodeScalars)
        var index = 0
        while index < scalars.count {
            let scalar = scalars[index]
            if scalar == "_", index + 1 < scalars.count, scalars[index + 1] == "_" {
                escaped += "__underscores__"
                index += 1
            } else if let symbol = symbols.first(where: { $0.plain == Character(scalar) }) {
                escaped += "__\(symbol.escaped)__"
            } else if scalar.isASCII, isWord(UInt8(scalar.value)) {
                escaped.unicodeScalars.append(scalar)
            } else {
                return nil
            }
            index += 1
        }
        return escaped
    }

    /// The property that a name in an expression stands for.
    package static func unescape(_ name: String) -> String {
        guard name.contains("__") else { return name }
        if name.hasPrefix("__"), name.hasSuffix("__"), name.count > 4 {
            let word = String(name.dropFirst(2).dropLast(2))
            if keywords.contains(word) { return word }
        }
        var plain = name.replacing("__underscores__", with: "\u{0}")
        for symbol in symbols { plain = plain.replacing("__\(symbol.escaped)__", with: String(symbol.plain)) }
        return plain.replacing("\u{0}", with: "__")
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    static func isWord(_ byte: UInt8) -> Bool {
        isDigit(byte) || byte == UInt8(ascii: "_") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
