// SPDX-License-Identifier: Apache-2.0

/// Checks the types of an expression, finds its functions, and estimates its cost.
///
/// Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md#gradual-type-checking; messages are cel-go's.
struct CELChecker {
    /// What is known of an expression.
    struct Checked {
        var plan: CELPlan
        var type: CELType
        var cost: CELEstimate
    }

    private struct Local {
        var name: String
        var type: CELType
        var slot: Int
        var estimate: CELEstimate
    }

    let environment: CELEnvironment
    private(set) var issues: [(offset: Int, message: String)] = []
    private var locals: [Local] = []
    private var types = CELSubstitution()
    /// Whether elements of literal lists may differ: those that `format` prints.
    private var allowsMixtures = false

    /// The most findings of one expression.
    private static let maxIssues = 100

    init(_ environment: CELEnvironment) { self.environment = environment }

    mutating func report(_ offset: Int, _ message: String) {
        if issues.count < Self.maxIssues { issues.append((offset, message)) }
    }

    func resolved(_ type: CELType) -> CELType { types.resolved(type) }

    func final(_ type: CELType) -> CELType { types.final(type) }

    /// An expression that has a finding: anything may be done with it, so that it has no second one.
    private func failed() -> Checked { Checked(plan: .constant(.null), type: .dyn, cost: CELEstimate()) }

    mutating func check(_ expression: CELExpression) -> Checked {
        switch expression.kind {
        case .literal(let value):
            return Checked(plan: .constant(value), type: value.type, cost: .literal(value))
        case .name(let name): return self.name(name, expression.offset)
        case .select(let operand, let field): return select(expression, operand, field)
        case .has(let operand, let field):
            var checked = check(operand)
            _ = self.field(of: checked.type, field, expression.offset)
            checked.plan = .has(checked.plan, field)
            checked.type = .bool
            checked.cost = CELEstimate(cost: CELCost.sum(checked.cost.cost, 1))
            return checked
        case .optionalSelect(let operand, let field):
            var checked = check(operand)
            let type = self.field(of: checked.type, field, expression.offset)
            checked.plan = .optionalSelect(checked.plan, field)
            if case .optional = type { checked.type = type } else { checked.type = .optional(type) }
            checked.cost = checked.cost.member(field)
            return checked
        case .call(let name, let target, let arguments):
            return call(name, target, arguments, expression.offset)
        case .list(let elements, let optional): return list(elements, optional)
        case .map(let entries): return map(entries)
        case .structure(let name, let fields): return structure(name, fields, expression.offset)
        case .fold(let fold): return self.fold(fold)
        }
    }

    // MARK: Names and fields

    private static let typeNames: [String: CELType] = [
        "bool": .bool, "int": .int, "uint": .uint, "double": .double, "string": .string, "bytes": .bytes,
        "list": .list(.dyn), "map": .map(.dyn, .dyn), "null_type": .null, "type": .type(.dyn), "dyn": .dyn,
        "optional_type": .optional(.dyn), "google.protobuf.Timestamp": .timestamp,
        "google.protobuf.Duration": .duration, "kubernetes.Quantity": .quantity, "kubernetes.URL": .url,
        "net.IP": .ip, "net.CIDR": .cidr, "kubernetes.NamedFormat": .format, "kubernetes.Semver": .semver,
    ]

    private func find(_ name: String) -> Checked? {
        if let local = locals.last(where: { $0.name == name }) {
            return Checked(plan: .local(local.slot), type: local.type, cost: local.estimate.read())
        }
        if let type = environment.variables[name] {
            return Checked(
                plan: .variable(name), type: type, cost: CELEstimate(cost: 1, schema: environment.schemas[name]))
        }
        if let type = Self.typeNames[name] {
            return Checked(plan: .constant(.type(type)), type: .type(type), cost: CELEstimate())
        }
        return nil
    }

    private mutating func name(_ name: String, _ offset: Int) -> Checked {
        if let found = find(name) { return found }
        report(offset, "undeclared reference to '\(name)' (in container '')")
        return failed()
    }

    private mutating func select(_ expression: CELExpression, _ operand: CELExpression, _ field: String) -> Checked {
        if let name = CELParser.qualifiedName(expression), let type = Self.typeNames[name],
            find(String(name.prefix { $0 != "." })) == nil
        {
            return Checked(plan: .constant(.type(type)), type: .type(type), cost: CELEstimate())
        }
        if let name = CELParser.qualifiedName(expression), let type = environment.variables[name],
            !locals.contains(where: { $0.name == name.prefix { $0 != "." } })
        {
            return Checked(plan: .variable(name), type: type, cost: CELEstimate(cost: 1))
        }
        var checked = check(operand)
        checked.type = self.field(of: checked.type, field, expression.offset)
        checked.plan = .select(checked.plan, field)
        checked.cost = checked.cost.member(field)
        return checked
    }

    private mutating func field(of type: CELType, _ field: String, _ offset: Int) -> CELType {
        switch resolved(type) {
        case .dyn, .parameter: return .dyn
        case .map(let key, let value):
            if types.assign(.string, to: key) { return value }
            report(offset, "found no matching overload for '_[_]' applied to '(\(resolved(type)), string)'")
            return .dyn
        case .object(let object):
            if let found = object.field(field) { return found.type }
            report(offset, "undefined field '\(field)'")
            return .dyn
        case .optional(let wrapped):
            let type = self.field(of: wrapped, field, offset)
            if case .optional = type { return type }
            return .optional(type)
        default:
            report(offset, "type '\(resolved(type))' does not support field selection")
            return .dyn
        }
    }

    // MARK: Calls

    private mutating func call(
        _ name: String, _ target: CELExpression?, _ arguments: [CELExpression], _ offset: Int
    ) -> Checked {
        if let target, let space = CELParser.qualifiedName(target), find(String(space.prefix { $0 != "." })) == nil,
            let function = CELFunction.table["\(space).\(name)"]
        {
            return call(function, arguments.map { check($0) }, arguments, isMember: false, offset)
        }
        let operands = (target.map { [$0] } ?? []) + arguments
        var checked: [Checked] = []
        for (index, operand) in operands.enumerated() {
            allowsMixtures = name == "format" && target != nil && index == 1
            checked.append(check(operand))
            allowsMixtures = false
        }
        switch name {
        case "_&&_", "_||_": return logical(name, checked, offset)
        case "_?_:_": return conditional(checked, offset)
        default: break
        }
        guard let function = CELFunction.table[name] else {
            report(offset, "undeclared reference to '\(name)' (in container '')")
            return failed()
        }
        return call(function, checked, operands, isMember: target != nil, offset)
    }

    private mutating func call(
        _ function: CELFunction, _ arguments: [Checked], _ written: [CELExpression], isMember: Bool, _ offset: Int
    ) -> Checked {
        let given = arguments.map(\.type)
        guard let result = resolve(function, given, isMember: isMember) else {
            reportNoOverload(function.name, given, isMember: isMember, offset)
            return failed()
        }
        let plans = arguments.map(\.plan)
        let cost = CELEstimate.call(function.name, arguments.map(\.cost))
        if function.name == "or" || function.name == "orValue", isMember {
            let plan = CELPlan.optionalOr(plans[0], plans[1], isValue: function.name == "orValue")
            return Checked(plan: plan, type: result, cost: cost)
        }
        let literals = CELLiteralCheck(function.name, written, isMember: isMember)
        if let problem = literals.problem { report(written[problem.index].offset, problem.message) }
        let call = CELCall(function: function, arguments: plans, regex: literals.regex)
        return Checked(plan: .call(call), type: result, cost: cost)
    }

    private mutating func reportNoOverload(_ name: String, _ given: [CELType], isMember: Bool, _ offset: Int) {
        let names = given.map { resolved($0).description }
        let list =
            isMember
            ? "\(names[0]).(\(names.dropFirst().joined(separator: ", ")))" : "(\(names.joined(separator: ", ")))"
        report(offset, "found no matching overload for '\(name)' applied to '\(list)'")
    }

    /// The type of the result; nil where no overload takes the arguments.
    private mutating func resolve(_ function: CELFunction, _ given: [CELType], isMember: Bool) -> CELType? {
        var result: CELType?
        var chosen: CELSubstitution?
        for overload in function.overloads
        where overload.isMember == isMember && overload.parameters.count == given.count {
            var attempt = types
            let renamed = attempt.renamed(overload)
            let fits = zip(given, renamed.parameters).allSatisfy { attempt.assign($0, to: $1) }
            guard fits else { continue }
            let type = attempt.resolved(renamed.result)
            if let result, result != type { return .dyn }
            if result == nil { (result, chosen) = (type, attempt) }
        }
        if let chosen { types = chosen }
        return result
    }

    private mutating func logical(_ name: String, _ sides: [Checked], _ offset: Int) -> Checked {
        let fits = sides.allSatisfy { types.assign($0.type, to: .bool) }
        guard sides.count == 2, fits else {
            reportNoOverload(name, sides.map(\.type), isMember: false, offset)
            return failed()
        }
        let plan: CELPlan = name == "_&&_" ? .and(sides[0].plan, sides[1].plan) : .or(sides[0].plan, sides[1].plan)
        let cost = CELEstimate(cost: CELCost.sum(sides[0].cost.cost, sides[1].cost.cost))
        return Checked(plan: plan, type: .bool, cost: cost)
    }

    private mutating func conditional(_ parts: [Checked], _ offset: Int) -> Checked {
        guard parts.count == 3, types.assign(parts[0].type, to: .bool),
            let type = types.joined(parts[1].type, parts[2].type)
        else {
            reportNoOverload("_?_:_", parts.map(\.type), isMember: false, offset)
            return failed()
        }
        let cost = parts[1].cost.union(parts[2].cost).adding(parts[0].cost.cost)
        return Checked(plan: .conditional(parts[0].plan, parts[1].plan, parts[2].plan), type: type, cost: cost)
    }

    // MARK: Aggregates

    /// The type of what is in a literal list or map, which must be alike.
    private mutating func common(_ type: CELType?, _ next: CELType, _ offset: Int) -> CELType {
        guard let type else { return next }
        if let joined = types.joined(type, next) { return joined }
        if allowsMixtures { return .dyn }
        report(offset, "expected type '\(resolved(type))' but found '\(resolved(next))'")
        return .dyn
    }

    /// The type in an optional that was written with a question mark before it.
    private mutating func unwrapped(_ type: CELType, _ offset: Int) -> CELType {
        switch resolved(type) {
        case .optional(let wrapped): return wrapped
        case .dyn: return .dyn
        case let other:
            report(offset, "expected type 'optional_type(\(other))' but found '\(other)'")
            return .dyn
        }
    }

    private mutating func list(_ elements: [CELExpression], _ optional: Set<Int>) -> Checked {
        var type: CELType?
        var plans: [CELPlan] = []
        var cost = CELEstimate(cost: 10, size: UInt64(elements.count))
        for (index, element) in elements.enumerated() {
            let mayMix = allowsMixtures
            let checked = check(element)
            allowsMixtures = mayMix
            let found = optional.contains(index) ? unwrapped(checked.type, element.offset) : checked.type
            type = common(type, found, element.offset)
            plans.append(checked.plan)
            cost = cost.adding(checked.cost.cost).holding(checked.cost)
        }
        return Checked(
            plan: .list(plans, optional: optional), type: .list(type ?? types.fresh()), cost: cost)
    }

    private mutating func map(_ entries: [CELExpression.Entry]) -> Checked {
        var (keyType, valueType): (CELType?, CELType?)
        var plans: [CELEntryPlan] = []
        var cost = CELEstimate(cost: 30, size: UInt64(entries.count))
        for entry in entries {
            let (key, value) = (check(entry.key), check(entry.value))
            keyType = common(keyType, key.type, entry.key.offset)
            let found = entry.isOptional ? unwrapped(value.type, entry.value.offset) : value.type
            valueType = common(valueType, found, entry.value.offset)
            plans.append(CELEntryPlan(key: key.plan, value: value.plan, isOptional: entry.isOptional))
            cost = cost.adding(CELCost.sum(key.cost.cost, value.cost.cost)).holding(value.cost)
        }
        let type = CELType.map(keyType ?? types.fresh(), valueType ?? types.fresh())
        return Checked(plan: .map(plans), type: type, cost: cost)
    }

    private mutating func structure(_ name: String, _ fields: [CELExpression.Field], _ offset: Int) -> Checked {
        guard let type = environment.structures(name) else {
            report(offset, "undeclared reference to '\(name)' (in container '')")
            return failed()
        }
        var plans: [CELFieldPlan] = []
        var cost = CELEstimate(cost: 40)
        for field in fields {
            let checked = check(field.value)
            let found = field.isOptional ? unwrapped(checked.type, field.offset) : checked.type
            plans.append(CELFieldPlan(name: field.name, value: checked.plan, isOptional: field.isOptional))
            cost = cost.adding(checked.cost.cost)
            guard let declared = type.field(field.name) else {
                report(field.offset, "undefined field '\(field.name)'")
                continue
            }
            if !types.assign(found, to: declared.type) {
                report(
                    field.offset,
                    "expected type of field '\(field.name)' is '\(declared.type)' but provided type is '\(resolved(found))'"
                )
            }
        }
        return Checked(plan: .structure(type, plans), type: .object(type), cost: cost)
    }

    // MARK: Macros

    private mutating func fold(_ fold: CELFold) -> Checked {
        let range = check(fold.range)
        let depth = locals.count
        let slot = depth
        var (first, second) = variables(fold, resolved(range.type))
        switch fold.kind {
        case .bind: (first, second) = (range.type, nil)
        case .optionalMap, .optionalFlatMap: (first, second) = (unwrapped(range.type, fold.range.offset), nil)
        default: break
        }
        let isBinding = [.bind, .optionalMap, .optionalFlatMap].contains(fold.kind)
        var (firstCost, secondCost) = (range.cost.element(), range.cost.element())
        if isBinding { firstCost = range.cost.withoutCost() }
        if !isBinding, fold.second != nil {
            (firstCost, secondCost) = (CELEstimate(size: range.cost.keySize), firstCost)
        }
        locals.append(Local(name: fold.variable, type: first, slot: slot, estimate: firstCost))
        if let name = fold.second, let second {
            locals.append(Local(name: name, type: second, slot: slot + 1, estimate: secondCost))
        }
        let filter = fold.filter.map { check($0) }
        let body = check(fold.body)
        locals.removeSubrange(depth...)
        checkPredicates(fold, filter, body)
        let plan = CELFoldPlan(
            kind: fold.kind, range: range.plan, hasTwoVariables: fold.second != nil, filter: filter?.plan,
            body: body.plan)
        return Checked(
            plan: .fold(plan), type: result(fold, key: first, body.type),
            cost: CELEstimate.fold(fold.kind, range.cost, filter: filter?.cost, body.cost))
    }

    private mutating func variables(_ fold: CELFold, _ range: CELType) -> (CELType, CELType?) {
        let hasTwo = fold.second != nil
        switch range {
        case .list(let element): return hasTwo ? (.int, element) : (element, nil)
        case .map(let key, let value): return (key, hasTwo ? value : nil)
        case .dyn, .parameter: return (.dyn, hasTwo ? .dyn : nil)
        default:
            let isBinding = [.bind, .optionalMap, .optionalFlatMap].contains(fold.kind)
            if !isBinding {
                report(
                    fold.range.offset,
                    "expression of type '\(range)' cannot be range of a comprehension (must be list, map, or dynamic)")
            }
            return (.dyn, hasTwo ? .dyn : nil)
        }
    }

    private mutating func checkPredicates(_ fold: CELFold, _ filter: Checked?, _ body: Checked) {
        if let filter, let offset = fold.filter?.offset, !types.assign(filter.type, to: .bool) {
            report(offset, "expected type 'bool' but found '\(resolved(filter.type))'")
        }
        switch fold.kind {
        case .all, .exists:
            guard !types.assign(body.type, to: .bool) else { return }
            let name = fold.kind == .all ? "_&&_" : "_||_"
            report(
                fold.body.offset,
                "found no matching overload for '\(name)' applied to '(bool, \(resolved(body.type)))'")
        case .existsOne, .filter:
            guard !types.assign(body.type, to: .bool) else { return }
            report(fold.body.offset, "expected type 'bool' but found '\(resolved(body.type))'")
        case .transformMapEntry:
            guard !types.assign(body.type, to: .map(types.fresh(), types.fresh())) else { return }
            report(fold.body.offset, "expected type 'map' but found '\(resolved(body.type))'")
        default: return
        }
    }

    private func result(_ fold: CELFold, key: CELType, _ body: CELType) -> CELType {
        switch fold.kind {
        case .all, .exists, .existsOne: .bool
        case .map: .list(body)
        case .filter, .sortBy: .list(key)
        case .transformMap: .map(key, body)
        case .transformMapEntry, .bind, .optionalFlatMap: body
        case .optionalMap: .optional(body)
        }
    }
}
