// SPDX-License-Identifier: Apache-2.0

/// What a function takes and gives.
struct CELOverload: Sendable {
    /// The target first.
    let parameters: [CELType]
    let result: CELType
    /// Whether it is called on its first parameter (`a.f(b)`).
    let isMember: Bool
}

/// A function of expressions.
struct CELFunction: Sendable {
    typealias Body = @Sendable ([CELValue], inout CELMachine) throws(CELError) -> CELValue

    let name: String
    let overloads: [CELOverload]
    /// Computes the result; arguments have the number that some overload has, but dynamic ones any type.
    let body: Body

    /// - Parameters:
    ///   - name: its name, with its namespace.
    ///   - signatures: as in `int, int -> int`, with a dot before for one that is called on its first parameter; `A`
    ///     and `B` stand for any type.
    ///   - body: computes the result.
    init(_ name: String, _ signatures: [String], body: @escaping Body) {
        self.name = name
        overloads = signatures.compactMap(CELSignatureParser.overload)
        self.body = body
    }

    /// All functions, by name.
    static let table: [String: CELFunction] = Dictionary(
        (operators + conversions + times + strings + lists + maths + sets + patterns + quantities + networks + formats
            + optionals + authorization + encodings).map { ($0.name, $0) },
        uniquingKeysWith: { first, second in CELFunction(merging: first, second) })

    /// A function whose overloads are declared in two libraries; the one that knows the arguments answers.
    private init(merging first: CELFunction, _ second: CELFunction) {
        name = first.name
        overloads = first.overloads + second.overloads
        body = { arguments, machine throws(CELError) in
            do throws(CELError) {
                return try first.body(arguments, &machine)
            } catch {
                guard error == .noSuchOverload else { throw error }
                return try second.body(arguments, &machine)
            }
        }
    }
}

/// Reads the signatures of functions.
enum CELSignatureParser {
    private static let names: [String: CELType] = [
        "dyn": .dyn, "null": .null, "bool": .bool, "int": .int, "uint": .uint, "double": .double, "string": .string,
        "bytes": .bytes, "timestamp": .timestamp, "duration": .duration, "quantity": .quantity, "url": .url,
        "ip": .ip, "cidr": .cidr, "format": .format, "semver": .semver, "authorizer": .authorizer,
        "path": .pathCheck, "group": .groupCheck, "resource": .resourceCheck, "decision": .decision,
        "A": .parameter("A"), "B": .parameter("B"),
    ]

    static func overload(_ text: String) -> CELOverload? {
        let sides = text.split(separator: " -> ", omittingEmptySubsequences: false)
        guard sides.count == 2 else { return nil }
        let isMember = sides[0].first == "."
        var rest = isMember ? sides[0].dropFirst() : sides[0]
        var parameters: [CELType] = []
        while !rest.isEmpty {
            guard let type = type(&rest) else { return nil }
            parameters.append(type)
            if rest.hasPrefix(", ") { rest = rest.dropFirst(2) } else if !rest.isEmpty { return nil }
        }
        var result = sides[1]
        guard let type = type(&result), result.isEmpty else { return nil }
        return CELOverload(parameters: parameters, result: type, isMember: isMember)
    }

    private static func type(_ rest: inout Substring) -> CELType? {
        let name = String(rest.prefix { $0.isLetter })
        rest = rest.dropFirst(name.count)
        guard rest.first == "(" else { return names[name] }
        rest.removeFirst()
        guard let first = type(&rest) else { return nil }
        var made: CELType?
        switch name {
        case "list": made = .list(first)
        case "optional": made = .optional(first)
        case "type": made = .type(first)
        case "map":
            guard rest.hasPrefix(", ") else { return nil }
            rest = rest.dropFirst(2)
            guard let second = type(&rest) else { return nil }
            made = .map(first, second)
        default: return nil
        }
        guard rest.first == ")" else { return nil }
        rest.removeFirst()
        return made
    }
}
