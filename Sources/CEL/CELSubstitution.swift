// SPDX-License-Identifier: Apache-2.0
import LinearRegex

/// What is known of type parameters, as the check of an expression goes on.
struct CELSubstitution {
    private var bindings: [String: CELType] = [:]
    private var count = 0

    /// A parameter that nothing is known of.
    mutating func fresh() -> CELType {
        count += 1
        return .parameter("%\(count)")
    }

    /// An overload with parameters of its own.
    mutating func renamed(_ overload: CELOverload) -> (parameters: [CELType], result: CELType) {
        var names: [String: CELType] = [:]
        func rename(_ type: CELType, _ types: inout CELSubstitution) -> CELType {
            switch type {
            case .parameter(let name):
                let known = names[name] ?? types.fresh()
                names[name] = known
                return known
            case .list(let element): return .list(rename(element, &types))
            case .map(let key, let value): return .map(rename(key, &types), rename(value, &types))
            case .optional(let wrapped): return .optional(rename(wrapped, &types))
            case .type(let type): return .type(rename(type, &types))
            default: return type
            }
        }
        return (overload.parameters.map { rename($0, &self) }, rename(overload.result, &self))
    }

    /// The type with all that is known put in; parameters of which nothing is known are `dyn`.
    func resolved(_ type: CELType) -> CELType {
        switch type {
        case .parameter(let name): bindings[name].map { resolved($0) } ?? type
        case .list(let element): .list(resolved(element))
        case .map(let key, let value): .map(resolved(key), resolved(value))
        case .optional(let wrapped): .optional(resolved(wrapped))
        case .type(let type): .type(resolved(type))
        default: type
        }
    }

    /// The type with `dyn` for what is not known.
    func final(_ type: CELType) -> CELType {
        switch resolved(type) {
        case .parameter: .dyn
        case .list(let element): .list(final(element))
        case .map(let key, let value): .map(final(key), final(value))
        case .optional(let wrapped): .optional(final(wrapped))
        case .type(let type): .type(final(type))
        case let other: other
        }
    }

    /// Whether a value of type `from` may stand where `to` is wanted.
    mutating func assign(_ from: CELType, to: CELType) -> Bool {
        let from = shallow(from)
        if case .parameter(let name) = to {
            guard let bound = bindings[name] else {
                guard from != to else { return true }
                guard !occurs(name, in: from) else { return false }
                bindings[name] = from
                return true
            }
            guard assign(from, to: bound) else {
                guard case .null = shallow(bound), assign(bound, to: from) else { return false }
                bindings[name] = from
                return true
            }
            // What is less certain wins: a list of an int and a dynamic value is one of dynamic values.
            if case .dyn = from { bindings[name] = .dyn }
            return true
        }
        switch (from, to) {
        case (.parameter(let name), _):
            guard !occurs(name, in: to) else { return false }
            bindings[name] = to
            return true
        case (.dyn, _), (_, .dyn): return true
        case (.null, .object), (.null, .opaque), (.null, .timestamp), (.null, .duration): return true
        case (.list(let one), .list(let other)), (.optional(let one), .optional(let other)):
            return assign(one, to: other)
        case (.type(let one), .type(let other)): return assign(one, to: other) || true
        case (.map(let key, let value), .map(let otherKey, let otherValue)):
            return assign(key, to: otherKey) && assign(value, to: otherValue)
        default: return from == to
        }
    }

    /// The type of which both are; nil where there is none.
    mutating func joined(_ left: CELType, _ right: CELType) -> CELType? {
        let result = fresh()
        guard assign(left, to: result), assign(right, to: result) else { return nil }
        return resolved(result)
    }

    private func shallow(_ type: CELType) -> CELType {
        var type = type
        while case .parameter(let name) = type, let bound = bindings[name] { type = bound }
        return type
    }

    private func occurs(_ name: String, in type: CELType) -> Bool {
        switch shallow(type) {
        case .parameter(let other): name == other
        case .list(let inner), .optional(let inner), .type(let inner): occurs(name, in: inner)
        case .map(let key, let value): occurs(name, in: key) || occurs(name, in: value)
        default: false
        }
    }
}

/// Checks arguments that are literals: patterns, moments and durations.
struct CELLiteralCheck {
    var regex: LinearRegex?
    /// The argument that is wrong.
    var problem: (index: Int, message: String)?

    init(_ function: String, _ arguments: [CELExpression], isMember: Bool) {
        if CELFunction.patternNames.contains(function), arguments.count > 1,
            case .literal(.string(let pattern)) = arguments[1].kind
        {
            regex = try? LinearRegex(pattern)
            if regex == nil { problem = (1, "invalid matches argument") }
        }
        guard !isMember, let first = arguments.first, case .literal(.string(let text)) = first.kind else { return }
        switch function {
        case "timestamp" where CELTimestamp(text) == nil: problem = (0, "invalid timestamp argument")
        case "duration" where CELDuration(text) == nil: problem = (0, "invalid duration argument")
        default: break
        }
    }
}
