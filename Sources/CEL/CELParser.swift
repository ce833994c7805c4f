// SPDX-License-Identifier: Apache-2.0

/// Parses expressions; bounded in size and depth.
///
/// Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax.
struct CELParser {
    /// The most code points of an expression, as in cel-go.
    static let maxLength = 100_000
    /// The most expressions in one another, as in cel-go.
    static let maxDepth = 250

    private var lexer: CELLexer
    private var token: CELToken
    private var nesting = 0

    static func parse(_ source: String) throws(CELSyntaxError) -> CELExpression {
        guard source.utf8.count <= 4 * maxLength, CELText.length(source) <= maxLength else {
            throw CELSyntaxError(
                offset: 0,
                message: "expression code point size exceeds limit: size: \(CELText.length(source)), limit \(maxLength)"
            )
        }
        var parser = try CELParser(source)
        let expression = try parser.expression()
        guard case .end = parser.token.kind else { throw parser.unexpected() }
        return expression
    }

    private init(_ source: String) throws(CELSyntaxError) {
        lexer = CELLexer(Array(source.unicodeScalars))
        token = try lexer.next()
    }

    // MARK: Tokens

    private func isAt(_ symbol: String) -> Bool { token.kind == .symbol(symbol) }

    private mutating func advance() throws(CELSyntaxError) { token = try lexer.next() }

    private mutating func accept(_ symbol: String) throws(CELSyntaxError) -> Bool {
        guard isAt(symbol) else { return false }
        try advance()
        return true
    }

    private mutating func expect(_ symbol: String) throws(CELSyntaxError) {
        guard try accept(symbol) else { throw unexpected(expecting: "'\(symbol)'") }
    }

    private func unexpected(expecting wanted: String? = nil) -> CELSyntaxError {
        let found: String =
            switch token.kind {
            case .identifier(let name): name
            case .int(let value), .uint(let value): String(value)
            case .double(let value): String(value)
            case .string(let text): CELText.quote(text)
            case .bytes: "bytes"
            case .symbol(let symbol): symbol
            case .end: "<EOF>"
            }
        let message = wanted.map { "mismatched input '\(found)' expecting \($0)" } ?? "mismatched input '\(found)'"
        return CELSyntaxError(offset: token.offset, message: "Syntax error: \(message)")
    }

    // MARK: Nodes

    func node(
        _ kind: CELExpression.Kind, at offset: Int, over children: [CELExpression] = []
    ) throws(CELSyntaxError) -> CELExpression {
        let depth = 1 + (children.map(\.depth).max() ?? 0)
        guard depth <= Self.maxDepth else {
            throw CELSyntaxError(offset: offset, message: "expression recursion limit exceeded: \(Self.maxDepth)")
        }
        return CELExpression(kind: kind, offset: offset, depth: depth)
    }

    func call(_ name: String, _ arguments: [CELExpression], at offset: Int) throws(CELSyntaxError) -> CELExpression {
        try node(.call(name, target: nil, arguments), at: offset, over: arguments)
    }

    // MARK: Grammar

    private mutating func expression() throws(CELSyntaxError) -> CELExpression {
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= Self.maxDepth else {
            throw CELSyntaxError(
                offset: token.offset, message: "expression recursion limit exceeded: \(Self.maxDepth)")
        }
        let condition = try binary(0)
        let offset = token.offset
        guard try accept("?") else { return condition }
        let positive = try binary(0)
        try expect(":")
        return try call("_?_:_", [condition, positive, try expression()], at: offset)
    }

    private static let levels: [[String: String]] = [
        ["||": "_||_"], ["&&": "_&&_"],
        ["<": "_<_", "<=": "_<=_", ">": "_>_", ">=": "_>=_", "==": "_==_", "!=": "_!=_", "in": "@in"],
        ["+": "_+_", "-": "_-_"], ["*": "_*_", "/": "_/_", "%": "_%_"],
    ]

    private var operatorHere: (level: Int, function: String)? {
        guard case .symbol(let symbol) = token.kind else { return nil }
        for (level, operators) in Self.levels.enumerated() {
            if let function = operators[symbol] { return (level, function) }
        }
        return nil
    }

    /// Operators that bind at least as tightly as `level`.
    private mutating func binary(_ level: Int) throws(CELSyntaxError) -> CELExpression {
        var left = try unary()
        while let (found, function) = operatorHere, found >= level {
            let offset = token.offset
            if found <= 1 {
                left = try logical(left, found, function)
                continue
            }
            try advance()
            left = try call(function, [left, try binary(found + 1)], at: offset)
        }
        return left
    }

    /// A row of `&&` or `||`: balanced, so that long rows are not deep.
    private mutating func logical(
        _ first: CELExpression, _ level: Int, _ function: String
    ) throws(CELSyntaxError) -> CELExpression {
        var terms = [first]
        var offsets: [Int] = []
        while let (found, _) = operatorHere, found == level {
            offsets.append(token.offset)
            try advance()
            terms.append(try binary(level + 1))
        }
        return try balance(terms[...], offsets, function)
    }

    private func balance(
        _ terms: ArraySlice<CELExpression>, _ offsets: [Int], _ function: String
    ) throws(CELSyntaxError) -> CELExpression {
        guard terms.count > 1 else { return terms[terms.startIndex] }
        let middle = (terms.startIndex + terms.endIndex + 1) / 2
        let left = try balance(terms[terms.startIndex..<middle], offsets, function)
        let right = try balance(terms[middle..<terms.endIndex], offsets, function)
        return try call(function, [left, right], at: offsets[middle - 1])
    }

    private mutating func unary() throws(CELSyntaxError) -> CELExpression {
        for (symbol, function) in [("!", "!_"), ("-", "-_")] where isAt(symbol) {
            let offset = token.offset
            var count = 0
            while try accept(symbol) { count += 1 }
            if symbol == "-", let literal = try negativeLiteral(count, at: offset) { return try members(of: literal) }
            let operand = try members(of: try primary())
            return count % 2 == 0 ? operand : try call(function, [operand], at: offset)
        }
        return try members(of: try primary())
    }

    private mutating func negativeLiteral(_ count: Int, at offset: Int) throws(CELSyntaxError) -> CELExpression? {
        guard count == 1 else { return nil }
        switch token.kind {
        case .int(let magnitude):
            guard magnitude <= UInt64(Int64.max) + 1 else {
                throw CELSyntaxError(offset: offset, message: "invalid int literal")
            }
            try advance()
            return try node(.literal(.int(Int64(truncatingIfNeeded: 0 &- magnitude))), at: offset)
        case .double(let value):
            try advance()
            return try node(.literal(.double(-value)), at: offset)
        default: return nil
        }
    }

    private mutating func members(of start: CELExpression) throws(CELSyntaxError) -> CELExpression {
        var value = start
        while true {
            let offset = token.offset
            if try accept(".") {
                let isOptional = try accept("?")
                guard case .identifier(let name) = token.kind else { throw unexpected(expecting: "IDENTIFIER") }
                try advance()
                if isOptional {
                    value = try node(.optionalSelect(value, name), at: offset, over: [value])
                } else if isAt("(") {
                    let open = token.offset
                    let arguments = try arguments()
                    value = try method(name, value, arguments, at: open)
                } else {
                    value = try node(.select(value, name), at: offset, over: [value])
                }
            } else if try accept("[") {
                let function = try accept("?") ? "_[?_]" : "_[_]"
                let index = try expression()
                try expect("]")
                value = try call(function, [value, index], at: offset)
            } else if isAt("{"), let name = Self.qualifiedName(value) {
                value = try structure(name, at: offset)
            } else {
                return value
            }
        }
    }

    /// The dotted name that an expression is; nil for any other.
    static func qualifiedName(_ expression: CELExpression) -> String? {
        switch expression.kind {
        case .name(let name): name
        case .select(let operand, let field): qualifiedName(operand).map { "\($0).\(field)" }
        default: nil
        }
    }

    /// Arguments in parentheses; the present token is the opening one.
    private mutating func arguments() throws(CELSyntaxError) -> [CELExpression] {
        try expect("(")
        var arguments: [CELExpression] = []
        if try accept(")") { return [] }
        repeat { arguments.append(try expression()) } while try accept(",")
        try expect(")")
        return arguments
    }

    private mutating func primary() throws(CELSyntaxError) -> CELExpression {
        let offset = token.offset
        switch token.kind {
        case .identifier(let name):
            try advance()
            if isAt("(") {
                let open = token.offset
                return try function(name, try arguments(), at: open, name: offset)
            }
            guard !CELNames.keywords.contains(name) else {
                throw CELSyntaxError(offset: offset, message: "reserved identifier: \(name)")
            }
            return try node(.name(name), at: offset)
        case .int(let value):
            guard let value = Int64(exactly: value) else {
                throw CELSyntaxError(offset: offset, message: "invalid int literal")
            }
            return try literal(.int(value))
        case .uint(let value): return try literal(.uint(value))
        case .double(let value): return try literal(.double(value))
        case .string(let text): return try literal(.string(text))
        case .bytes(let bytes): return try literal(.bytes(bytes))
        case .symbol("true"): return try literal(.bool(true))
        case .symbol("false"): return try literal(.bool(false))
        case .symbol("null"): return try literal(.null)
        case .symbol("("):
            try advance()
            let inner = try expression()
            try expect(")")
            return inner
        case .symbol("["): return try list()
        case .symbol("{"): return try map()
        case .symbol("."):
            // A leading dot names the root container, which is the only one here.
            try advance()
            guard case .identifier = token.kind else { throw unexpected(expecting: "IDENTIFIER") }
            return try primary()
        default: throw unexpected()
        }
    }

    private mutating func literal(_ value: CELValue) throws(CELSyntaxError) -> CELExpression {
        let offset = token.offset
        try advance()
        return try node(.literal(value), at: offset)
    }

    private mutating func list() throws(CELSyntaxError) -> CELExpression {
        let offset = token.offset
        try expect("[")
        var elements: [CELExpression] = []
        var optional: Set<Int> = []
        while !isAt("]") {
            if try accept("?") { optional.insert(elements.count) }
            elements.append(try expression())
            guard try accept(",") else { break }
        }
        try expect("]")
        return try node(.list(elements, optional: optional), at: offset, over: elements)
    }

    private mutating func map() throws(CELSyntaxError) -> CELExpression {
        let offset = token.offset
        try expect("{")
        var entries: [CELExpression.Entry] = []
        while !isAt("}") {
            let isOptional = try accept("?")
            let key = try expression()
            try expect(":")
            entries.append(CELExpression.Entry(key: key, value: try expression(), isOptional: isOptional))
            guard try accept(",") else { break }
        }
        try expect("}")
        return try node(.map(entries), at: offset, over: entries.flatMap { [$0.key, $0.value] })
    }

    private mutating func structure(_ name: String, at offset: Int) throws(CELSyntaxError) -> CELExpression {
        try expect("{")
        var fields: [CELExpression.Field] = []
        while !isAt("}") {
            let isOptional = try accept("?")
            let start = token.offset
            guard case .identifier(let field) = token.kind else { throw unexpected(expecting: "IDENTIFIER") }
            try advance()
            try expect(":")
            fields.append(
                CELExpression.Field(name: field, value: try expression(), isOptional: isOptional, offset: start))
            guard try accept(",") else { break }
        }
        try expect("}")
        return try node(.structure(name, fields), at: offset, over: fields.map(\.value))
    }
}
