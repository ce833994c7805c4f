// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// A label selector, from its text form (`app=web,tier in (a,b),!beta`) or its object form (`matchLabels`,
/// `matchExpressions`).
///
/// Source: Kubernetes "Labels and Selectors"; meta/v1 LabelSelector.
package struct LabelSelector: Hashable, Sendable, CustomStringConvertible {
    /// One requirement; all must hold.
    package enum Requirement: Hashable, Sendable {
        case `in`(String, [String])
        case notIn(String, [String])
        case exists(String)
        case doesNotExist(String)
        case greaterThan(String, Int)
        case lessThan(String, Int)

        /// Whether an object with these labels meets the requirement.
        package func matches(_ labels: [String: String]) -> Bool {
            switch self {
            case .in(let key, let values): labels[key].map(values.contains) ?? false
            case .notIn(let key, let values): labels[key].map { !values.contains($0) } ?? true
            case .exists(let key): labels[key] != nil
            case .doesNotExist(let key): labels[key] == nil
            case .greaterThan(let key, let bound): labels[key].flatMap { Int($0) }.map { $0 > bound } ?? false
            case .lessThan(let key, let bound): labels[key].flatMap { Int($0) }.map { $0 < bound } ?? false
            }
        }
    }

    package var requirements: [Requirement]

    /// Matches everything.
    package static let everything = LabelSelector(requirements: [])

    package init(requirements: [Requirement]) { self.requirements = requirements }

    /// Equality with each label.
    package init(matchLabels: [String: String]) {
        requirements = matchLabels.sorted { $0.key < $1.key }.map { .in($0.key, [$0.value]) }
    }

    /// Whether an object with these labels meets all requirements.
    package func matches(_ labels: [String: String]) -> Bool { requirements.allSatisfy { $0.matches(labels) } }

    /// Reads a meta/v1 LabelSelector.
    /// - Throws: ``StatusError`` (400) for an unknown operator.
    package init(json: JSONValue) throws(StatusError) {
        self.init(matchLabels: json["matchLabels"].stringMembers)
        for expression in json["matchExpressions"].elements {
            requirements.append(try Self.requirement(expression))
        }
    }

    /// Reads one `{key, operator, values}`; node selectors also have `Gt` and `Lt`.
    package static func requirement(_ json: JSONValue) throws(StatusError) -> Requirement {
        let key = json["key"].string ?? ""
        let values = json["values"].elements.compactMap(\.string)
        switch json["operator"].string {
        case "In": return .in(key, values)
        case "NotIn": return .notIn(key, values)
        case "Exists": return .exists(key)
        case "DoesNotExist": return .doesNotExist(key)
        case "Gt":
            if let bound = values.first.flatMap({ Int($0) }) { return .greaterThan(key, bound) }
            throw .badRequest("selector operator Gt on \"\(key)\" needs one integer value")
        case "Lt":
            if let bound = values.first.flatMap({ Int($0) }) { return .lessThan(key, bound) }
            throw .badRequest("selector operator Lt on \"\(key)\" needs one integer value")
        case let other: throw .badRequest("\"\(other ?? "")\" is not a valid label selector operator")
        }
    }

    /// Parses the text form.
    /// - Throws: ``StatusError`` (400) that quotes what could not be parsed.
    package init(parsing text: String) throws(StatusError) {
        requirements = []
        for part in Self.split(text) {
            requirements.append(try Self.parse(part, in: text))
        }
    }

    /// Splits at commas outside parentheses.
    private static func split(_ text: String) -> [String] {
        var parts: [String] = []
        var current = ""
        var depth = 0
        for character in text {
            if character == "(" { depth += 1 }
            if character == ")" { depth -= 1 }
            if character == ",", depth == 0 {
                parts.append(current)
                current = ""
            } else {
                current.append(character)
            }
        }
        parts.append(current)
        return parts.map(trimmed).filter { !$0.isEmpty }
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }

    private static func parse(_ part: String, in whole: String) throws(StatusError) -> Requirement {
        func bad(_ why: String) -> StatusError {
            .badRequest("unable to parse requirement: \(why) in selector \"\(whole.prefix(256))\"")
        }
        func key(_ text: some StringProtocol) throws(StatusError) -> String {
            let key = trimmed(text)
            let allowed = key.utf8.allSatisfy { byte in
                (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (byte >= 0x30 && byte <= 0x39)
                    || "-_./".utf8.contains(byte)
            }
            guard !key.isEmpty, key.utf8.count <= 317, allowed else { throw bad("invalid label key \"\(key)\"") }
            return key
        }
        if part.hasPrefix("!") { return .doesNotExist(try key(part.dropFirst())) }
        if let open = part.firstIndex(of: "(") {
            guard part.hasSuffix(")") else { throw bad("expected ')'") }
            let head = part[..<open].split(whereSeparator: \.isWhitespace)
            let values = part[part.index(after: open)...].dropLast().split(
                separator: ",", omittingEmptySubsequences: false
            )
            .map(trimmed)
            guard head.count == 2 else { throw bad("expected 'key in (…)' or 'key notin (…)'") }
            switch head[1] {
            case "in": return .in(try key(head[0]), values)
            case "notin": return .notIn(try key(head[0]), values)
            default: throw bad("unknown operator \"\(head[1])\"")
            }
        }
        for (separator, isEqual) in [("!=", false), ("==", true), ("=", true)] {
            if let range = part.firstRange(of: separator) {
                let name = try key(part[..<range.lowerBound])
                let value = trimmed(part[range.upperBound...])
                guard !value.contains(where: { "=!<>()".contains($0) }) else { throw bad("invalid value \"\(value)\"") }
                return isEqual ? .in(name, [value]) : .notIn(name, [value])
            }
        }
        for (separator, isGreater) in [(">", true), ("<", false)] {
            if let range = part.firstRange(of: separator) {
                guard let bound = Int(trimmed(part[range.upperBound...])) else { throw bad("expected an integer") }
                let name = try key(part[..<range.lowerBound])
                return isGreater ? .greaterThan(name, bound) : .lessThan(name, bound)
            }
        }
        return .exists(try key(part))
    }

    package var description: String {
        requirements.map { requirement in
            switch requirement {
            case .in(let key, let values):
                values.count == 1 ? "\(key)=\(values[0])" : "\(key) in (\(values.joined(separator: ",")))"
            case .notIn(let key, let values):
                values.count == 1 ? "\(key)!=\(values[0])" : "\(key) notin (\(values.joined(separator: ",")))"
            case .exists(let key): key
            case .doesNotExist(let key): "!\(key)"
            case .greaterThan(let key, let bound): "\(key)>\(bound)"
            case .lessThan(let key, let bound): "\(key)<\(bound)"
            }
        }.joined(separator: ",")
    }
}

/// A field selector: `metadata.name=a,status.phase!=Running`.
///
/// Source: Kubernetes "Field Selectors". Which fields a kind supports is for the server to check.
package struct FieldSelector: Hashable, Sendable {
    /// One requirement; all must hold.
    package struct Requirement: Hashable, Sendable {
        package var field: String
        package var value: String
        package var isEqual: Bool
    }

    package var requirements: [Requirement]

    /// Matches everything.
    package static let everything = FieldSelector(requirements: [])

    package init(requirements: [Requirement]) { self.requirements = requirements }

    /// Parses the text form.
    /// - Throws: ``StatusError`` (400) that quotes what could not be parsed.
    package init(parsing text: String) throws(StatusError) {
        requirements = []
        for part in text.split(separator: ",") {
            guard let range = ["!=", "==", "="].lazy.compactMap({ part.firstRange(of: $0) }).first else {
                throw .badRequest("invalid field selector \"\(text.prefix(256))\": can't understand '\(part)'")
            }
            requirements.append(
                Requirement(
                    field: String(part[..<range.lowerBound]), value: String(part[range.upperBound...]),
                    isEqual: part[range] != "!="))
        }
    }

    /// A missing field counts as the empty string.
    package func matches(_ fields: [String: String]) -> Bool {
        requirements.allSatisfy { (fields[$0.field] ?? "" == $0.value) == $0.isEqual }
    }
}
