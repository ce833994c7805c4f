// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// The subset of JSONPath that definitions use: columns, scale paths, selectable fields.
///
/// Source: Kubernetes "JSONPath Support". Members (`.a`, `['a']`, `\.` for a dot), indices (negative from the end),
/// slices are not taken; `[*]`, `.*`, and filters that compare one member (`[?(@.type=="Ready")]`).
package struct SimplePath: Sendable, Hashable {
    enum Step: Sendable, Hashable {
        case member(String)
        case index(Int)
        case all
        case filter(path: [String], comparison: String, value: JSONValue)
    }

    /// Why a text is no path.
    package struct Malformed: Error, Hashable, Sendable {}

    /// The longest path in bytes, and the most steps.
    private static let longest = 1024

    let steps: [Step]

    /// Reads a path that begins with a dot or a bracket.
    package init(_ text: String) throws(Malformed) {
        guard text.utf8.count <= Self.longest else { throw Malformed() }
        var rest = Substring(text)
        var steps: [Step] = []
        while let first = rest.first {
            switch first {
            case ".":
                rest.removeFirst()
                if rest.isEmpty, steps.isEmpty { break }
                if rest.first == "[" { continue }
                let name = Self.name(&rest)
                guard !name.isEmpty else { throw Malformed() }
                steps.append(name == "*" ? .all : .member(name))
            case "[":
                rest.removeFirst()
                guard let end = Self.closing(rest) else { throw Malformed() }
                steps.append(try Self.bracket(rest[..<end]))
                rest = rest[rest.index(after: end)...]
            default: throw Malformed()
            }
        }
        self.steps = steps
    }

    /// A path of plain members, such as that of a scale.
    package var members: [String]? {
        var names: [String] = []
        for step in steps {
            guard case .member(let name) = step else { return nil }
            names.append(name)
        }
        return names
    }

    private static func name(_ rest: inout Substring) -> String {
        var name = ""
        while let character = rest.first, character != ".", character != "[" {
            rest.removeFirst()
            if character == "\\", let next = rest.popFirst() { name.append(next) } else { name.append(character) }
        }
        return name
    }

    /// The bracket that ends what an open one began, outside of quotes.
    private static func closing(_ text: Substring) -> Substring.Index? {
        var quote: Character?
        for index in text.indices {
            let character = text[index]
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "'" || character == "\"" {
                quote = character
            } else if character == "]" {
                return index
            }
        }
        return nil
    }

    private static func bracket(_ text: Substring) throws(Malformed) -> Step {
        if text == "*" { return .all }
        if let index = Int(text) { return .index(index) }
        if let name = unquoted(text) { return .member(name) }
        guard text.hasPrefix("?("), text.hasSuffix(")") else { throw Malformed() }
        let inner = text.dropFirst(2).dropLast()
        for comparison in ["==", "!=", "<=", ">=", "<", ">"] {
            guard let range = inner.firstRange(of: comparison) else { continue }
            let left = inner[..<range.lowerBound].filter { !$0.isWhitespace }
            let right = inner[range.upperBound...].drop(while: \.isWhitespace)
            var trimmed = right
            while trimmed.last?.isWhitespace == true { trimmed.removeLast() }
            guard left.hasPrefix("@."), let value = literal(trimmed) else { throw Malformed() }
            let path = left.dropFirst(2).split(separator: ".").map(String.init)
            return .filter(path: path, comparison: comparison, value: value)
        }
        guard inner.hasPrefix("@.") else { throw Malformed() }
        return .filter(
            path: inner.dropFirst(2).split(separator: ".").map(String.init), comparison: "exists", value: .null)
    }

    private static func unquoted(_ text: Substring) -> String? {
        guard text.count >= 2, let first = text.first, first == "'" || first == "\"", text.last == first else {
            return nil
        }
        return String(text.dropFirst().dropLast())
    }

    private static func literal(_ text: Substring) -> JSONValue? {
        if let string = unquoted(text) { return .string(string) }
        return try? JSONParser.parse(text.utf8)
    }

    /// The first value that the path leads to; `.null` when there is none.
    package func first(in value: JSONValue) -> JSONValue { Self.first(steps[...], value) ?? .null }

    private static func first(_ steps: ArraySlice<Step>, _ value: JSONValue) -> JSONValue? {
        guard let step = steps.first else { return value }
        let rest = steps.dropFirst()
        switch step {
        case .member(let name):
            guard case .object(let members) = value, let member = members[name] else { return nil }
            return first(rest, member)
        case .index(let index):
            guard case .array(let elements) = value else { return nil }
            let place = index < 0 ? elements.count + index : index
            return elements.indices.contains(place) ? first(rest, elements[place]) : nil
        case .all:
            switch value {
            case .array(let elements): return elements.lazy.compactMap { first(rest, $0) }.first
            case .object(let members):
                return members.sorted { $0.key < $1.key }.lazy.compactMap { first(rest, $0.value) }.first
            default: return nil
            }
        case .filter(let path, let comparison, let wanted):
            return value.elements.lazy.compactMap { element -> JSONValue? in
                var member = element
                for name in path { member = member[name] }
                return compares(member, comparison, wanted) ? first(rest, element) : nil
            }.first
        }
    }

    private static func compares(_ value: JSONValue, _ comparison: String, _ wanted: JSONValue) -> Bool {
        switch comparison {
        case "exists": return !value.isNull
        case "==": return value == wanted
        case "!=": return value != wanted
        default: break
        }
        if let left = value.string, let right = wanted.string { return ordered(left, comparison, right) }
        if let left = value.double, let right = wanted.double { return ordered(left, comparison, right) }
        return false
    }

    private static func ordered<Value: Comparable>(_ left: Value, _ comparison: String, _ right: Value) -> Bool {
        switch comparison {
        case "<": left < right
        case ">": left > right
        case "<=": left <= right
        default: left >= right
        }
    }
}
