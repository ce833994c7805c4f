// SPDX-License-Identifier: Apache-2.0

/// One token of an expression.
struct CELToken {
    enum Kind: Equatable {
        case identifier(String)
        case int(UInt64)
        case uint(UInt64)
        case double(Double)
        case string(String)
        case bytes([UInt8])
        /// An operator, a bracket, or `in`, `true`, `false`, `null`.
        case symbol(String)
        case end
    }

    var kind: Kind
    /// In code points.
    var offset: Int
}

/// Splits an expression into tokens.
///
/// Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax.
struct CELLexer {
    private let scalars: [Unicode.Scalar]
    private var index = 0

    init(_ scalars: [Unicode.Scalar]) { self.scalars = scalars }

    private func peek(_ distance: Int = 0) -> Unicode.Scalar {
        index + distance < scalars.count ? scalars[index + distance] : "\0"
    }

    mutating func next() throws(CELSyntaxError) -> CELToken {
        skipSpace()
        let start = index
        guard index < scalars.count else { return CELToken(kind: .end, offset: start) }
        return CELToken(kind: try kind(), offset: start)
    }

    private mutating func skipSpace() {
        while index < scalars.count {
            if " \t\n\r\u{0C}".unicodeScalars.contains(scalars[index]) {
                index += 1
            } else if peek() == "/", peek(1) == "/" {
                while index < scalars.count, scalars[index] != "\n" { index += 1 }
            } else {
                return
            }
        }
    }

    private mutating func kind() throws(CELSyntaxError) -> CELToken.Kind {
        let first = peek()
        if Self.isDigit(first) || first == "." && Self.isDigit(peek(1)) { return try number() }
        if first == "\"" || first == "'" { return .string(try text(isRaw: false)) }
        if Self.isLetter(first) { return try word() }
        let pair = String(first) + String(peek(1))
        if ["==", "!=", "<=", ">=", "&&", "||"].contains(pair) {
            index += 2
            return .symbol(pair)
        }
        guard "<>+-*/%!?:.,()[]{}".unicodeScalars.contains(first) else {
            throw CELSyntaxError(
                offset: index, message: "Syntax error: token recognition error at: '\(first)'")
        }
        index += 1
        return .symbol(String(first))
    }

    private mutating func word() throws(CELSyntaxError) -> CELToken.Kind {
        let start = index
        var prefix = 0
        var (isRaw, isBytes) = (false, false)
        if "bB".unicodeScalars.contains(peek()) { (isBytes, prefix) = (true, 1) }
        if "rR".unicodeScalars.contains(peek(prefix)) { (isRaw, prefix) = (true, prefix + 1) }
        if prefix > 0, peek(prefix) == "\"" || peek(prefix) == "'" {
            index += prefix
            return isBytes ? .bytes(try bytes(isRaw: isRaw)) : .string(try text(isRaw: isRaw))
        }
        while Self.isLetter(peek()) || Self.isDigit(peek()) { index += 1 }
        let word = CELText.text(scalars[start..<index])
        return ["in", "true", "false", "null"].contains(word) ? .symbol(word) : .identifier(word)
    }

    private mutating func number() throws(CELSyntaxError) -> CELToken.Kind {
        let start = index
        var radix = 10
        var digits = ""
        if peek() == "0", "xX".unicodeScalars.contains(peek(1)) {
            radix = 16
            index += 2
            while peek().properties.isASCIIHexDigit { digits.unicodeScalars.append(take()) }
        } else {
            while Self.isDigit(peek()) { digits.unicodeScalars.append(take()) }
            let hasFraction = peek() == "." && Self.isDigit(peek(1))
            let sign = "+-".unicodeScalars.contains(peek(1)) ? 2 : 1
            if hasFraction || "eE".unicodeScalars.contains(peek()) && Self.isDigit(peek(sign)) {
                return .double(try fraction(digits, start))
            }
        }
        let isUnsigned = "uU".unicodeScalars.contains(peek())
        if isUnsigned { index += 1 }
        guard let value = UInt64(digits, radix: radix) else {
            throw CELSyntaxError(offset: start, message: "invalid \(isUnsigned ? "uint" : "int") literal")
        }
        return isUnsigned ? .uint(value) : .int(value)
    }

    private mutating func fraction(_ whole: String, _ start: Int) throws(CELSyntaxError) -> Double {
        var digits = whole.isEmpty ? "0" : whole
        if peek() == "." {
            digits.unicodeScalars.append(take())
            while Self.isDigit(peek()) { digits.unicodeScalars.append(take()) }
        }
        let sign = "+-".unicodeScalars.contains(peek(1)) ? 2 : 1
        if "eE".unicodeScalars.contains(peek()), Self.isDigit(peek(sign)) {
            for _ in 0..<sign { digits.unicodeScalars.append(take()) }
            while Self.isDigit(peek()) { digits.unicodeScalars.append(take()) }
        }
        guard let value = Double(digits), value.isFinite else {
            throw CELSyntaxError(offset: start, message: "invalid double literal")
        }
        return value
    }

    private mutating func take() -> Unicode.Scalar {
        let scalar = peek()
        index += 1
        return scalar
    }

    /// What stands between quotes: code points, and the values of escapes.
    private enum Piece {
        case scalar(Unicode.Scalar)
        /// A code point or a byte, written by its number in hexadecimal or octal.
        case number(UInt8)
        case unicode(Unicode.Scalar)
    }

    private mutating func text(isRaw: Bool) throws(CELSyntaxError) -> String {
        var text = String.UnicodeScalarView()
        for piece in try pieces(isRaw: isRaw) {
            switch piece {
            case .scalar(let scalar), .unicode(let scalar): text.append(scalar)
            case .number(let number): text.append(Unicode.Scalar(number))
            }
        }
        return String(text)
    }

    private mutating func bytes(isRaw: Bool) throws(CELSyntaxError) -> [UInt8] {
        let start = index
        var bytes: [UInt8] = []
        for piece in try pieces(isRaw: isRaw) {
            switch piece {
            case .scalar(let scalar): bytes += Array(String(scalar).utf8)
            case .number(let number): bytes.append(number)
            case .unicode:
                throw CELSyntaxError(offset: start, message: "unsupported escape sequence in bytes literal")
            }
        }
        return bytes
    }

    private mutating func pieces(isRaw: Bool) throws(CELSyntaxError) -> [Piece] {
        let start = index
        let quote = take()
        let isTriple = peek() == quote && peek(1) == quote
        if isTriple { index += 2 }
        var pieces: [Piece] = []
        while true {
            guard index < scalars.count, isTriple || peek() != "\n" && peek() != "\r" else {
                throw CELSyntaxError(
                    offset: start, message: "Syntax error: token recognition error at: '\(quote)'")
            }
            if peek() == quote, !isTriple || peek(1) == quote && peek(2) == quote {
                index += isTriple ? 3 : 1
                return pieces
            }
            if peek() == "\\", !isRaw {
                pieces.append(try escape())
            } else {
                pieces.append(.scalar(take()))
            }
        }
    }

    private static let simpleEscapes: [Unicode.Scalar: Unicode.Scalar] = [
        "a": "\u{07}", "b": "\u{08}", "f": "\u{0C}", "n": "\n", "r": "\r", "t": "\t", "v": "\u{0B}", "\\": "\\",
        "?": "?", "\"": "\"", "'": "'", "`": "`",
    ]

    private mutating func escape() throws(CELSyntaxError) -> Piece {
        let start = index
        index += 1
        let letter = take()
        if let scalar = Self.simpleEscapes[letter] { return .scalar(scalar) }
        func failure() -> CELSyntaxError { CELSyntaxError(offset: start, message: "invalid escape sequence") }
        func digits(_ count: Int, radix: Int) throws(CELSyntaxError) -> UInt32 {
            guard index + count <= scalars.count,
                let value = UInt32(CELText.text(scalars[index..<index + count]), radix: radix), peek() != "+"
            else { throw failure() }
            return value
        }
        switch letter {
        case "x", "X":
            let value = try digits(2, radix: 16)
            index += 2
            return .number(UInt8(truncatingIfNeeded: value))
        case "u", "U":
            let count = letter == "u" ? 4 : 8
            guard let scalar = Unicode.Scalar(try digits(count, radix: 16)) else { throw failure() }
            index += count
            return .unicode(scalar)
        case "0", "1", "2", "3":
            index -= 1
            let value = try digits(3, radix: 8)
            index += 3
            return .number(UInt8(truncatingIfNeeded: value))
        default: throw failure()
        }
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        scalar == "_" || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
    }
}
