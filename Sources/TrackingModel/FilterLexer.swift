// SPDX-License-Identifier: Apache-2.0

/// A piece of a filter or an order, as sqlparse 0.6 cuts it, as far as that decides what MLflow accepts.
struct FilterToken: Hashable {
    enum Kind: Hashable {
        /// A bare word, or one in backticks.
        case name
        /// A word in double quotes.
        case symbol
        /// A text in single quotes.
        case text
        case integer, float
        /// `=`, `<`, …, `LIKE`, and all else that is made of their signs.
        case comparison
        /// A word of SQL's own, in capital letters.
        case keyword(String)
        /// ASC or DESC.
        case order(String)
        /// The name of a type: no operand.
        case builtin
        case dot, open, close, semicolon
        /// A sign of arithmetic.
        case arithmetic
        /// All else: no filter has it.
        case other
    }

    let kind: Kind
    let range: Range<Int>
}

/// Cuts a filter or an order into tokens; space between them is left out.
struct FilterLexer {
    let scalars: [Unicode.Scalar]
    private var position = 0

    init(_ text: String) { scalars = Array(text.unicodeScalars) }

    /// The text of a part.
    func text(_ range: Range<Int>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars[range])
        return String(view)
    }

    mutating func tokens() -> [FilterToken] {
        var tokens: [FilterToken] = []
        position = 0
        while position < scalars.count {
            let start = position
            guard let kind = next() else { continue }
            tokens.append(FilterToken(kind: kind, range: start..<position))
        }
        return tokens
    }

    private func at(_ index: Int) -> Unicode.Scalar? { index >= 0 && index < scalars.count ? scalars[index] : nil }

    /// Passes one token; nil where it was space.
    private mutating func next() -> FilterToken.Kind? {
        let scalar = scalars[position]
        if Self.isSpace(scalar) {
            position += 1
            return nil
        }
        if scalar == "-", at(position + 1) == "-" { return rest() }
        if let kind = number() { return kind }
        switch scalar {
        case "'": return quoted("'", escapes: true, as: .text)
        case "\"": return quoted("\"", escapes: true, as: .symbol)
        case "`": return quoted("`", escapes: false, as: .name)
        case "/" where at(position + 1) == "*": return rest()
        case "#", "@", "?", "$", "\\": return rest()
        case _ where Self.isWord(scalar): return word()
        case "<", ">", "=", "~", "!":
            while let sign = at(position), "<>=~!".unicodeScalars.contains(sign) { position += 1 }
            return .comparison
        default: break
        }
        position += 1
        switch scalar {
        case ".": return .dot
        case "(": return .open
        case ")": return .close
        case ";": return .semicolon
        case "+", "/", "%", "^", "&", "|", "-", "*": return .arithmetic
        default: return .other
        }
    }

    /// Comments and placeholders: no filter has them, so that what follows does not matter.
    private mutating func rest() -> FilterToken.Kind {
        position = scalars.count
        return .other
    }

    /// A text to its closing quote. Two quotes, and a quote behind a backslash, are inside, except where the text would
    /// not end then.
    private mutating func quoted(
        _ quote: Unicode.Scalar, escapes: Bool, as kind: FilterToken.Kind
    ) -> FilterToken.Kind {
        var index = position + 1
        var fallback: Int?
        while let scalar = at(index) {
            if scalar == quote, at(index + 1) == quote {
                fallback = index + 1
                index += 2
            } else if escapes, scalar == "\\", at(index + 1) == quote {
                fallback = index + 2
                index += 2
            } else if scalar == quote {
                position = index + 1
                return kind
            } else {
                index += 1
            }
        }
        position = fallback ?? position + 1
        return fallback == nil ? .other : kind
    }

    /// A number that is no part of a word.
    private mutating func number() -> FilterToken.Kind? {
        var index = position
        if at(index) == "-" { index += 1 }
        let digits = digits(index)
        if digits == 1, at(index) == "0", at(index + 1) == "x" || at(index + 1) == "X", Self.isHex(at(index + 2)) {
            index += 2
            while Self.isHex(at(index)) { index += 1 }
            position = index
            return .other
        }
        let hasDot = at(index + digits) == "."
        let fraction = hasDot ? self.digits(index + digits + 1) : 0
        if digits > 0,
            let end = exponent(index + digits) ?? (fraction > 0 ? exponent(index + digits + 1 + fraction) : nil)
        {
            position = end
            return .float
        }
        if hasDot, digits > 0 || fraction > 0 {
            // A letter behind the last digit makes that digit part of the next word.
            let end = index + digits + 1 + fraction
            let isFree = !Self.isLetter(at(end))
            if isFree || fraction > (digits > 0 ? 0 : 1) {
                position = isFree ? end : end - 1
                return .float
            }
        }
        guard digits > 0 else { return nil }
        let isFree = !Self.isLetter(at(index + digits))
        guard isFree || digits > 1 else { return nil }
        position = isFree ? index + digits : index + digits - 1
        return .integer
    }

    private func digits(_ start: Int) -> Int {
        var index = start
        while let scalar = at(index), scalar >= "0", scalar <= "9" { index += 1 }
        return index - start
    }

    private func exponent(_ start: Int) -> Int? {
        guard at(start) == "e" || at(start) == "E" else { return nil }
        let begin = at(start + 1) == "-" ? start + 2 : start + 1
        let count = digits(begin)
        return count > 0 ? begin + count : nil
    }

    private mutating func word() -> FilterToken.Kind {
        let start = position
        var end = start
        while let scalar = at(end), Self.isWord(scalar) { end += 1 }
        position = end
        let word = text(start..<end).uppercased()
        if Self.reserved.contains(word) { return .keyword(word) }
        if Self.isLetter(at(start)), at(start) != "_" {
            if at(start - 1) == "." || at(end) == "(" { return .name }
            let next = space(end)
            if at(next) == ".", digits(next + 1) == 0 { return .name }
        }
        if word == "NOT" {
            let (second, behind) = following(end)
            if second == "NULL" {
                position = behind
                return .keyword(text(start..<behind).uppercased())
            }
            if Self.comparisons.contains(second) {
                position = behind
                return .comparison
            }
        }
        if Self.comparisons.contains(word) { return .comparison }
        if word == "ASC" || word == "DESC" {
            let (second, behind) = following(end)
            guard second == "NULLS" else { return .order(word) }
            position = behind
            return .other
        }
        while let scalar = at(position), scalar == "$" || scalar == "#" || Self.isWord(scalar) { position += 1 }
        if Self.builtins.contains(word), position == end { return .builtin }
        return Self.keywords.contains(word) && position == end ? .keyword(word) : .name
    }

    /// The next word in capital letters, and where it ends.
    private func following(_ start: Int) -> (word: String, end: Int) {
        let begin = space(start)
        guard begin > start else { return ("", start) }
        var end = begin
        while let scalar = at(end), Self.isWord(scalar) { end += 1 }
        return (text(begin..<end).uppercased(), end)
    }

    private func space(_ start: Int) -> Int {
        var index = start
        while let scalar = at(index), Self.isSpace(scalar) { index += 1 }
        return index
    }

    private static let reserved: Set<String> = ["CASE", "IN", "VALUES", "USING", "FROM", "AS"]
    private static let comparisons: Set<String> = ["LIKE", "ILIKE", "RLIKE", "REGEXP"]
    private static let builtins: Set<String> = ["TIMESTAMP", "TEXT", "DATE", "INTEGER", "INT", "FLOAT", "VARCHAR"]
    private static let keywords: Set<String> = [
        "AND", "OR", "NOT", "IS", "NULL", "BETWEEN", "WHERE", "LIMIT", "EXISTS", "TRUE", "FALSE", "KEY", "TYPE",
    ]

    static func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.isWhitespace }

    private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
        guard !scalar.isASCII else {
            return scalar == "_" || (scalar >= "a" && scalar <= "z") || (scalar >= "A" && scalar <= "Z")
                || (scalar >= "0" && scalar <= "9")
        }
        return scalar.properties.isAlphabetic || scalar.properties.numericType != nil
    }

    private static func isLetter(_ scalar: Unicode.Scalar?) -> Bool {
        guard let scalar else { return false }
        return scalar == "_" || (scalar >= "a" && scalar <= "z") || (scalar >= "A" && scalar <= "Z")
            || (scalar >= "\u{C0}" && scalar <= "\u{DC}") || (scalar >= "\u{E0}" && scalar <= "\u{FC}")
    }

    private static func isHex(_ scalar: Unicode.Scalar?) -> Bool { scalar?.properties.isASCIIHexDigit ?? false }
}
