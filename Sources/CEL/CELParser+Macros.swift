// SPDX-License-Identifier: Apache-2.0

/// Macros: calls that are read as something else.
///
/// Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md#macros, and cel-go's extensions bindings,
/// optionals, two-variable comprehensions and lists.
extension CELParser {
    /// A call with no target.
    func function(
        _ name: String, _ arguments: [CELExpression], at offset: Int, name nameOffset: Int
    ) throws(CELSyntaxError) -> CELExpression {
        if name == "has", arguments.count == 1 {
            guard case .select(let operand, let field) = arguments[0].kind else {
                throw CELSyntaxError(offset: arguments[0].offset, message: "invalid argument to has() macro")
            }
            return try node(.has(operand, field), at: offset, over: [operand])
        }
        return try node(.call(name, target: nil, arguments), at: offset, over: arguments)
    }

    /// A call with a target.
    func method(
        _ name: String, _ target: CELExpression, _ arguments: [CELExpression], at offset: Int
    ) throws(CELSyntaxError) -> CELExpression {
        if name == "bind", case .name("cel") = target.kind, arguments.count == 3 {
            return try fold(.bind, over: arguments[1], [arguments[0]], body: arguments[2], at: offset)
        }
        switch (name, arguments.count) {
        case ("all", 2): return try fold(.all, over: target, [arguments[0]], body: arguments[1], at: offset)
        case ("all", 3): return try fold(.all, over: target, Array(arguments[..<2]), body: arguments[2], at: offset)
        case ("exists", 2): return try fold(.exists, over: target, [arguments[0]], body: arguments[1], at: offset)
        case ("exists", 3):
            return try fold(.exists, over: target, Array(arguments[..<2]), body: arguments[2], at: offset)
        case ("exists_one", 2), ("existsOne", 2):
            return try fold(.existsOne, over: target, [arguments[0]], body: arguments[1], at: offset)
        case ("exists_one", 3), ("existsOne", 3):
            return try fold(.existsOne, over: target, Array(arguments[..<2]), body: arguments[2], at: offset)
        case ("map", 2): return try fold(.map, over: target, [arguments[0]], body: arguments[1], at: offset)
        case ("map", 3):
            return try fold(
                .map, over: target, [arguments[0]], filter: arguments[1], body: arguments[2], at: offset)
        case ("filter", 2): return try fold(.filter, over: target, [arguments[0]], body: arguments[1], at: offset)
        case ("optMap", 2): return try fold(.optionalMap, over: target, [arguments[0]], body: arguments[1], at: offset)
        case ("optFlatMap", 2):
            return try fold(.optionalFlatMap, over: target, [arguments[0]], body: arguments[1], at: offset)
        case ("sortBy", 2): return try fold(.sortBy, over: target, [arguments[0]], body: arguments[1], at: offset)
        case ("transformList", 3), ("transformMap", 3), ("transformMapEntry", 3):
            return try fold(
                Self.transform(name), over: target, Array(arguments[..<2]), body: arguments[2], at: offset)
        case ("transformList", 4), ("transformMap", 4), ("transformMapEntry", 4):
            return try fold(
                Self.transform(name), over: target, Array(arguments[..<2]), filter: arguments[2], body: arguments[3],
                at: offset)
        default:
            return try node(.call(name, target: target, arguments), at: offset, over: [target] + arguments)
        }
    }

    private static func transform(_ name: String) -> CELFold.Kind {
        switch name {
        case "transformMap": .transformMap
        case "transformMapEntry": .transformMapEntry
        default: .map
        }
    }

    private func fold(
        _ kind: CELFold.Kind, over range: CELExpression, _ variables: [CELExpression], filter: CELExpression? = nil,
        body: CELExpression, at offset: Int
    ) throws(CELSyntaxError) -> CELExpression {
        var names: [String] = []
        for variable in variables {
            guard case .name(let name) = variable.kind else {
                throw CELSyntaxError(offset: variable.offset, message: "argument must be a simple name")
            }
            names.append(name)
        }
        if names.count == 2, names[0] == names[1] {
            throw CELSyntaxError(
                offset: variables[1].offset, message: "duplicate variable name: \(names[1])")
        }
        let fold = CELFold(
            kind: kind, range: range, variable: names[0], second: names.count > 1 ? names[1] : nil, filter: filter,
            body: body)
        return try node(.fold(fold), at: offset, over: [range, body] + (filter.map { [$0] } ?? []))
    }
}
