// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import CEL
package import KubeAPI

extension RuleTree {
    /// What the rules say against a value.
    ///
    /// - Parameters:
    ///   - value: the value, valid by its schema otherwise.
    ///   - old: the value that it replaces: rules that compare run only with one, others are not applied to parts that
    ///     did not change.
    ///   - budget: what evaluating may cost.
    /// - Returns: the faults; none where all rules hold.
    package func evaluate(
        _ value: JSONValue, old: JSONValue?, budget: CELBudget = CELBudget()
    ) -> [StatusCause] {
        var evaluation = RuleEvaluation(budget: budget)
        evaluation.run(self, value, old: old, "")
        return evaluation.errors.causes
    }

    /// What is said beside faults that keep the rules from being run.
    package static let notChecked = StatusCause(
        reason: "FieldValueInvalid", field: "<nil>",
        message: "Invalid value: null: some validation rules were not checked because the object was invalid; correct "
            + "the existing errors to complete validation")

    /// Whether faults keep the rules from being run: they could not rely on types and bounds.
    package static func isBlocked(by causes: [StatusCause]) -> Bool {
        causes.contains { cause in
            [
                "FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany",
                "FieldValueTypeInvalid",
            ].contains(cause.reason)
        }
    }
}

/// One run of rules over a value.
private struct RuleEvaluation {
    var budget: CELBudget
    private(set) var errors = FieldErrors()
    /// Set when the budget is spent: nothing more is run.
    private var isOver = false

    init(budget: CELBudget) { self.budget = budget }

    mutating func run(_ tree: RuleTree, _ value: JSONValue, old: JSONValue?, _ path: FieldPath) {
        guard !isOver, !value.isNull else { return }
        for rule in tree.rules {
            apply(rule, tree, value, old: old.flatMap { $0.isNull ? Optional<JSONValue>.none : $0 }, path)
            if isOver { return }
        }
        switch value {
        case .object(let members):
            let before = tree.schema.mapType == "atomic" ? nil : old?.object
            for name in tree.propertyNames {
                if let member = members[name], let property = tree.properties[name] {
                    run(property, member, old: before?[name], path[name])
                }
            }
            guard let additional = tree.additional else { return }
            for name in members.keys.sorted() where tree.schema.properties[name] == nil {
                if let member = members[name] { run(additional, member, old: before?[name], path.key(name)) }
            }
        case .array(let elements):
            guard let items = tree.items else { return }
            let keys = tree.schema.listType == "map" ? tree.schema.listMapKeys : []
            var before: [[JSONValue]: JSONValue] = [:]
            for element in keys.isEmpty ? [] : old?.elements ?? [] { before[keys.map { element[$0] }] = element }
            for (index, element) in elements.enumerated() {
                run(items, element, old: before.isEmpty ? nil : before[keys.map { element[$0] }], path[index])
            }
        default: break
        }
    }

    private mutating func apply(
        _ rule: RuleTree.Rule, _ tree: RuleTree, _ value: JSONValue, old: JSONValue?, _ path: FieldPath
    ) {
        var values: [String: CELValue] = ["self": CELValue(value, schema: tree.values)]
        if rule.isTransition {
            let before = old.map { CELValue($0, schema: tree.values) }
            if rule.rule.optionalOldSelf {
                values["oldSelf"] = .optional(before)
            } else {
                guard let before else { return }
                values["oldSelf"] = before
            }
        }
        let activation = CELActivation(values)
        let type = tree.schema.type?.rawValue ?? ""
        do throws(CELError) {
            let result = try rule.program.evaluate(activation, budget: &budget)
            if budget.remaining == 0 { return end(type, path) }
            if case .bool(true) = result { return }
        } catch {
            if budget.remaining == 0 { return end(type, path) }
            // What was there before may stay.
            if !rule.isTransition, let old, old == value, error.code != .costExceeded { return }
            return fail(rule, error, type, path)
        }
        if !rule.isTransition, let old, old == value { return }
        report(rule, activation, tree, value, path)
    }

    /// The budget of all rules together is spent.
    private mutating func end(_ type: String, _ path: FieldPath) {
        isOver = true
        errors.invalid(
            path, .string(type),
            "validation failed due to running out of cost budget, no further validation rules will be run")
    }

    private mutating func fail(_ rule: RuleTree.Rule, _ error: CELError, _ type: String, _ path: FieldPath) {
        let shown = Self.trimmed(rule.rule.message.isEmpty ? rule.rule.rule : rule.rule.message)
        let value = JSONValue.string(type)
        if error.code == .costExceeded {
            isOver = true
            errors.invalid(
                path, value,
                "'\(error)': no further validation rules will be run due to call cost exceeds limit for rule: \(shown)")
        } else if error.message.hasPrefix("no such overload") {
            errors.invalid(
                path, value,
                "'\(error)': call arguments did not match a supported operator, function or macro signature for rule: "
                    + shown)
        } else {
            errors.invalid(path, value, "\(error) evaluating rule: \(shown)")
        }
    }

    private mutating func report(
        _ rule: RuleTree.Rule, _ activation: CELActivation, _ tree: RuleTree, _ value: JSONValue, _ path: FieldPath
    ) {
        let schemaRule = rule.rule
        var message = Self.trimmed(schemaRule.message)
        if message.isEmpty { message = "failed rule: \(Self.trimmed(schemaRule.rule))" }
        if let program = rule.messageProgram,
            case .string(let text)? = try? program.evaluate(activation, budget: &budget)
        {
            let text = Self.trimmed(text)
            // Not empty, on one line, and at most 5 KiB, as upstream.
            if !text.isEmpty, !text.contains(where: \.isNewline), text.utf8.count <= 5 * 1024 { message = text }
        }
        var field = path
        if !schemaRule.fieldPath.isEmpty {
            let relative = schemaRule.fieldPath.drop { $0 == "." }
            field = FieldPath(
                path.description + (path.description.isEmpty || relative.first == "[" ? "" : ".") + relative)
        }
        let type = JSONValue.string(tree.schema.type?.rawValue ?? "")
        switch schemaRule.reason {
        case "FieldValueForbidden": errors.forbidden(field, message)
        case "FieldValueRequired": errors.required(field, message)
        case "FieldValueDuplicate": errors.duplicate(field, type)
        default: errors.invalid(field, type, message)
        }
    }

    private static func trimmed(_ text: String) -> String {
        var text = Substring(text)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
