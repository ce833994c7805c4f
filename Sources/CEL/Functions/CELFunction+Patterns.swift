// SPDX-License-Identifier: Apache-2.0
import LinearRegex

/// Functions of regular expressions.
///
/// Source: Kubernetes documentation, "Common Expression Language in Kubernetes: regex library".
extension CELFunction {
    /// Functions whose second argument is a pattern.
    static let patternNames: Set<String> = ["matches", "find", "findAll"]

    static let patterns: [CELFunction] = [
        CELFunction("matches", ["string, string -> bool", ".string, string -> bool"], body: matching("matches")),
        CELFunction("find", [".string, string -> string"], body: matching("find")),
        CELFunction(
            "findAll", [".string, string -> list(string)", ".string, string, int -> list(string)"],
            body: matching("findAll")),
    ]

    private static func matching(_ name: String) -> Body {
        { arguments, machine throws(CELError) in
            guard case .string(let pattern) = arguments[1] else { throw .noSuchOverload }
            return try match(name, arguments, try machine.regex(pattern), &machine)
        }
    }

    static func match(
        _ name: String, _ arguments: [CELValue], _ regex: LinearRegex, _ machine: inout CELMachine
    ) throws(CELError) -> CELValue {
        guard case .string(let text) = arguments[0] else { throw .noSuchOverload }
        switch name {
        case "matches": return .bool(regex.matches(text))
        case "find": return .string(regex.find(in: text, limit: 1).first ?? "")
        default:
            var limit = Int.max
            if arguments.count > 2 {
                guard case .int(let given) = arguments[2] else { throw .noSuchOverload }
                if given >= 0 { limit = Int(given) }
            }
            let found = regex.find(in: text, limit: limit)
            try machine.charge(UInt64(found.count))
            return .list(list(found))
        }
    }
}
