// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Where to look in a JSON text: the part of gjson's path language that conditions of an InferenceGraph are written in.
///
/// `a.b` members, `a.0` elements, `a.#` how many there are, `a.#.b` of each, `a.#(x=="v")` the first element that matches,
/// `a.#(x>1)#` all that match, `@this` the whole, `[@this]` the whole as the one element of an array. Operators are
/// `==` `!=` `<` `<=` `>` `>=` `%` (like, with `*` and `?`) `!%`; without one the member has to be there. `\` takes the
/// next character as it is. Anything else of gjson (wildcards in names, `|`, other modifiers) is refused.
///
/// Source: github.com/tidwall/gjson, SYNTAX.md.
package struct GraphPath: Sendable, Hashable {
    package enum Operator: String, Sendable, CaseIterable {
        case equal = "=="
        case unequal = "!="
        case atMost = "<="
        case atLeast = ">="
        case less = "<"
        case more = ">"
        case unlike = "!%"
        case like = "%"
    }

    package struct Query: Sendable, Hashable {
        /// Of an element; empty: the element itself.
        package var path: [Part]
        package var comparison: Operator?
        package var value: String
        package var wantsAll: Bool
    }

    package indirect enum Part: Sendable, Hashable {
        case member(String)
        case count
        case query(Query)
        case whole
        case wholeAsArray
    }

    /// Longest text that is read.
    private static let maximumLength = 1024
    private static let maximumDepth = 8

    package let text: String
    private let parts: [Part]

    /// - Throws: ``SpecFault`` with the place in the text that cannot be read.
    package static func parse(_ text: String) throws(SpecFault) -> GraphPath {
        guard text.utf8.count <= maximumLength else {
            throw fault(text, "is longer than \(maximumLength) bytes")
        }
        var reader = Reader(text)
        let parts = try reader.parts(depth: 0)
        guard !parts.isEmpty else { throw fault(text, "is empty") }
        return GraphPath(text: text, parts: parts)
    }

    fileprivate static func fault(_ text: String, _ why: String) -> SpecFault {
        SpecFault(
            reason: "InvalidSpec",
            "the condition '\(text.prefix(100))' \(why): write gjson's a.b, a.0, a.#, a.#(x==v), @this or [@this]")
    }

    /// What is there; nil for nothing. A `null` that is there is found.
    package func find(in value: JSONValue) -> JSONValue? { Self.find(parts[...], in: value) }

    private static func find(_ parts: ArraySlice<Part>, in value: JSONValue) -> JSONValue? {
        guard let part = parts.first else { return value }
        let rest = parts.dropFirst()
        switch part {
        case .whole: return find(rest, in: value)
        case .wholeAsArray: return find(rest, in: .array([value]))
        case .member(let name):
            switch value {
            case .object(let members): return members[name].flatMap { find(rest, in: $0) }
            case .array(let elements):
                guard let index = Int(name), elements.indices.contains(index), name.first?.isNumber == true else {
                    return nil
                }
                return find(rest, in: elements[index])
            default: return nil
            }
        case .count:
            guard case .array(let elements) = value else { return nil }
            guard !rest.isEmpty else { return JSONValue(elements.count) }
            return .array(elements.compactMap { find(rest, in: $0) })
        case .query(let query):
            guard case .array(let elements) = value else { return nil }
            guard query.wantsAll else {
                return elements.first(where: query.matches).flatMap { find(rest, in: $0) }
            }
            return .array(elements.filter(query.matches).compactMap { find(rest, in: $0) })
        }
    }
}

extension GraphPath.Query {
    /// Whether an element is one that is looked for.
    fileprivate func matches(_ element: JSONValue) -> Bool {
        guard let found = path.isEmpty ? element : GraphPath(text: "", parts: path).find(in: element) else {
            return false
        }
        guard let comparison else { return true }
        switch found {
        case .string(let text): return holds(comparison, text)
        case .int, .double:
            guard let number = found.double, let wanted = Double(value) else { return false }
            return holds(comparison, number, wanted)
        case .bool(let flag):
            guard let wanted = ["true": 1.0, "false": 0.0][value] else { return false }
            return holds(comparison, flag ? 1 : 0, wanted)
        case .null: return comparison == .equal ? value == "null" : comparison == .unequal && value != "null"
        case .array, .object: return false
        }
    }

    private func holds(_ comparison: GraphPath.Operator, _ text: String) -> Bool {
        switch comparison {
        case .like: Wildcards.match(text, value)
        case .unlike: !Wildcards.match(text, value)
        case .equal: text == value
        case .unequal: text != value
        case .less: text < value
        case .atMost: text <= value
        case .more: text > value
        case .atLeast: text >= value
        }
    }

    private func holds(_ comparison: GraphPath.Operator, _ number: Double, _ wanted: Double) -> Bool {
        switch comparison {
        case .equal: number == wanted
        case .unequal: number != wanted
        case .less: number < wanted
        case .atMost: number <= wanted
        case .more: number > wanted
        case .atLeast: number >= wanted
        case .like, .unlike: false
        }
    }
}

/// `*` any characters, `?` one.
enum Wildcards {
    /// Takes time at most the product of both lengths.
    static func match(_ text: String, _ pattern: String) -> Bool {
        let text = Array(text)
        let pattern = Array(pattern)
        var place = 0
        var wanted = 0
        var star: Int?
        var resume = 0
        while place < text.count {
            if wanted < pattern.count, pattern[wanted] == "*" {
                star = wanted
                resume = place
                wanted += 1
            } else if wanted < pattern.count, pattern[wanted] == "?" || pattern[wanted] == text[place] {
                place += 1
                wanted += 1
            } else if let star {
                resume += 1
                place = resume
                wanted = star + 1
            } else {
                return false
            }
        }
        return pattern[wanted...].allSatisfy { $0 == "*" }
    }
}

extension GraphPath {
    /// Reads a path from its characters.
    private struct Reader {
        let text: String
        let characters: [Character]
        var place = 0

        init(_ text: String) {
            self.text = text
            characters = Array(text)
        }

        var next: Character? { place < characters.count ? characters[place] : nil }

        func fault(_ why: String) -> SpecFault { GraphPath.fault(text, "\(why) at character \(place + 1)") }

        mutating func take(_ wanted: String) -> Bool {
            let wanted = Array(wanted)
            guard characters[place...].starts(with: wanted) else { return false }
            place += wanted.count
            return true
        }

        /// Parts up to the end, or within a query up to an operator or its `)`.
        mutating func parts(depth: Int) throws(SpecFault) -> [Part] {
            guard depth <= maximumDepth else { throw fault("has too many brackets") }
            var parts: [Part] = []
            while let character = next {
                if depth > 0, Self.endsOperand(character) { break }
                if !parts.isEmpty {
                    guard take(".") else { throw fault("has no '.'") }
                }
                parts.append(try part(depth: depth))
            }
            return parts
        }

        private mutating func part(depth: Int) throws(SpecFault) -> Part {
            if take("[@this]") { return .wholeAsArray }
            if take("@this") { return .whole }
            if take("#(") { return .query(try query(depth: depth + 1)) }
            if take("#") { return .count }
            var name = ""
            while let character = next, character != ".", depth == 0 || !Self.endsOperand(character) {
                place += 1
                switch character {
                case "\\":
                    guard let escaped = next else { throw fault("ends in '\\'") }
                    place += 1
                    name.append(escaped)
                case "*", "?", "|", "@", "#", "(", ")", "[", "]", "{", "}", "!", "~":
                    place -= 1
                    throw fault("has '\(character)', which is not supported,")
                default: name.append(character)
                }
            }
            guard !name.isEmpty else { throw fault("has no name") }
            return .member(name)
        }

        private static func endsOperand(_ character: Character) -> Bool { ")=!<>%".contains(character) }

        private mutating func query(depth: Int) throws(SpecFault) -> Query {
            let path = try parts(depth: depth)
            let comparison = Operator.allCases.first { take($0.rawValue) }
            var value = ""
            if comparison != nil {
                value = try operand()
            } else if path.isEmpty {
                throw fault("has an empty query")
            }
            guard take(")") else { throw fault("has no ')'") }
            return Query(path: path, comparison: comparison, value: value, wantsAll: take("#"))
        }

        /// A text in quotes, or characters up to `)`.
        private mutating func operand() throws(SpecFault) -> String {
            while next == " " { place += 1 }
            let isQuoted = take("\"")
            var value = ""
            while let character = next {
                if isQuoted, character == "\"" { break }
                if !isQuoted, character == ")" { break }
                place += 1
                guard character == "\\" else {
                    value.append(character)
                    continue
                }
                guard let escaped = next else { throw fault("ends in '\\'") }
                place += 1
                value.append(escaped)
            }
            if isQuoted {
                guard take("\"") else { throw fault("has no closing '\"'") }
                while next == " " { place += 1 }
                return value
            }
            return String(value.reversed().drop { $0 == " " }.reversed())
        }
    }
}
