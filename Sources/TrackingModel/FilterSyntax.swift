// SPDX-License-Identifier: Apache-2.0

/// A filter's comparisons before anybody asks what their names mean (sqlparse's grouping; MLflow,
/// utils/search_utils.py, `_join_in_comparison_tokens`).
struct FilterSyntax {
    /// One side of a comparison.
    enum Operand: Hashable {
        /// A path of names, or one name, as it was written.
        case identifier(String)
        case text(String), integer(String), float(String)
        /// A list with its parentheses.
        case list(String)
        case null(String)
        /// Arithmetic and calls.
        case other(String)

        /// As it was written.
        var written: String {
            switch self {
            case .identifier(let text), .text(let text), .integer(let text), .float(let text), .list(let text),
                .null(let text), .other(let text):
                text
            }
        }
    }

    struct Comparison: Hashable {
        let left: Operand
        /// As it was written; `IS NULL`, `IS NOT NULL` and `NOT IN` in capital letters.
        let comparator: String
        /// None for `IS NULL` and `IS NOT NULL`.
        let right: Operand?
    }

    enum Part: Hashable {
        case operand(Operand)
        case comparator(String)
        case keyword(String, written: String)
        case order(String)
        case builtin(String)
        case arithmetic(String)
        case comparison(Comparison)
        case other(String)
    }

    /// The parts, in their order.
    private(set) var parts: [Part]

    /// - Parameters:
    ///   - text: of the filter.
    ///   - timestamps: whether `timestamp > 1` is a comparison, though `timestamp` is a type of SQL's.
    init(_ text: String, timestamps: Bool = false) {
        var lexer = FilterLexer(text)
        parts = Self.grouped(lexer.tokens(), lexer)
        parts = Self.arithmetic(parts)
        parts = Self.compared(parts)
        parts = Self.joined(parts, timestamps: timestamps)
    }

    /// Lists, paths and calls.
    private static func grouped(_ tokens: [FilterToken], _ lexer: FilterLexer) -> [Part] {
        let ends = closings(tokens)
        var parts: [Part] = []
        var index = 0
        while index < tokens.count {
            let token = tokens[index]
            let written = lexer.text(token.range)
            index += 1
            switch token.kind {
            case .text: parts.append(.operand(.text(written)))
            case .integer: parts.append(.operand(.integer(written)))
            case .float: parts.append(.operand(.float(written)))
            case .comparison: parts.append(.comparator(written))
            case .keyword(let word):
                parts.append(word == "NULL" ? .operand(.null(written)) : .keyword(word, written: written))
            case .order(let word): parts.append(.order(word))
            case .builtin: parts.append(.builtin(written))
            case .arithmetic: parts.append(.arithmetic(written))
            case .open:
                guard let close = ends[index - 1] else {
                    parts.append(.other(written))
                    continue
                }
                index = close + 1
                parts.append(.operand(.list(lexer.text(token.range.lowerBound..<tokens[close].range.upperBound))))
            case .name, .symbol:
                var end = token.range.upperBound
                while index < tokens.count, tokens[index].kind == .dot {
                    end = tokens[index].range.upperBound
                    index += 1
                    guard index < tokens.count, [.name, .symbol, .text].contains(tokens[index].kind) else { break }
                    end = tokens[index].range.upperBound
                    index += 1
                }
                // A name and a list behind it are a call.
                if tokens[index - 1].kind == .name, index < tokens.count, tokens[index].kind == .open,
                    let close = ends[index]
                {
                    index = close + 1
                    let range = token.range.lowerBound..<tokens[close].range.upperBound
                    parts.append(.operand(.other(lexer.text(range))))
                } else {
                    parts.append(.operand(.identifier(lexer.text(token.range.lowerBound..<end))))
                }
            case .dot, .close, .semicolon, .other: parts.append(.other(written))
            }
        }
        return parts
    }

    /// Where each parenthesis ends, by where it begins; those without an end are left out.
    private static func closings(_ tokens: [FilterToken]) -> [Int: Int] {
        var open: [Int] = []
        var ends: [Int: Int] = [:]
        for (index, token) in tokens.enumerated() {
            if token.kind == .open { open.append(index) }
            if token.kind == .close, let begin = open.popLast() { ends[begin] = index }
        }
        return ends
    }

    private static func arithmetic(_ parts: [Part]) -> [Part] {
        var result: [Part] = []
        var index = 0
        while index < parts.count {
            if case .arithmetic(let sign) = parts[index], case .operand(let left)? = result.last,
                index + 1 < parts.count, case .operand(let right) = parts[index + 1]
            {
                result[result.count - 1] = .operand(.other(left.written + sign + right.written))
                index += 2
            } else {
                result.append(parts[index])
                index += 1
            }
        }
        return result
    }

    private static func compared(_ parts: [Part]) -> [Part] {
        var result: [Part] = []
        var index = 0
        while index < parts.count {
            if case .comparator(let comparator) = parts[index], case .operand(let left)? = result.last,
                index + 1 < parts.count, case .operand(let right) = parts[index + 1]
            {
                result[result.count - 1] = .comparison(Comparison(left: left, comparator: comparator, right: right))
                index += 2
            } else {
                result.append(parts[index])
                index += 1
            }
        }
        return result
    }

    /// `IN`, `NOT IN`, `IS NULL`, `IS NOT NULL`.
    private static func joined(_ parts: [Part], timestamps: Bool) -> [Part] {
        func keyword(_ index: Int) -> (word: String, written: String)? {
            guard index < parts.count, case .keyword(let word, let written) = parts[index] else { return nil }
            return (word, written)
        }
        func operand(_ index: Int) -> Operand? {
            guard index < parts.count, case .operand(let operand) = parts[index] else { return nil }
            return operand
        }
        var result: [Part] = []
        var index = 0
        while index < parts.count {
            var joined: (Comparison, Int)?
            if case .operand(let left) = parts[index], case .identifier = left, let first = keyword(index + 1) {
                switch (first.word, keyword(index + 2)?.word) {
                case ("IN", _):
                    if case .list? = operand(index + 2) {
                        joined = (Comparison(left: left, comparator: first.written, right: operand(index + 2)), 3)
                    }
                case ("NOT", "IN"):
                    if case .list? = operand(index + 3) {
                        joined = (Comparison(left: left, comparator: "NOT IN", right: operand(index + 3)), 4)
                    }
                case ("IS", "NOT NULL"): joined = (Comparison(left: left, comparator: "IS NOT NULL", right: nil), 3)
                case ("IS", nil):
                    if case .null? = operand(index + 2) {
                        joined = (Comparison(left: left, comparator: "IS NULL", right: nil), 3)
                    }
                default: break
                }
            } else if timestamps, case .builtin(let name) = parts[index], name.lowercased() == "timestamp",
                index + 2 < parts.count, case .comparator(let comparator) = parts[index + 1],
                ["=", "!=", "<", "<=", ">", ">="].contains(comparator), let right = operand(index + 2),
                case .integer = right
            {
                joined = (Comparison(left: .identifier(name), comparator: comparator, right: right), 3)
            }
            if let (comparison, count) = joined {
                result.append(.comparison(comparison))
                index += count
            } else {
                result.append(parts[index])
                index += 1
            }
        }
        return result
    }
}

extension FilterSyntax.Part {
    /// As it was written, about.
    var written: String {
        switch self {
        case .operand(let operand): operand.written
        case .comparator(let text), .builtin(let text), .arithmetic(let text), .other(let text), .order(let text):
            text
        case .keyword(_, let written): written
        case .comparison(let comparison):
            [comparison.left.written, comparison.comparator, comparison.right?.written].compactMap { $0 }
                .joined(separator: " ")
        }
    }
}
