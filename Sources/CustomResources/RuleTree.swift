// SPDX-License-Identifier: Apache-2.0
package import ApusCore
import CEL
package import KubeAPI

/// The rules in CEL of a schema (`x-kubernetes-validations`), compiled, where they stand in it.
///
/// Source: Kubernetes "Validation rules". Parts of the schema without rules are left out.
package final class RuleTree: Sendable {
    /// One rule, ready to run.
    struct Rule: Sendable {
        let rule: SchemaRule
        let program: CELProgram
        /// Whether the rule compares with the value before.
        let isTransition: Bool
        let messageProgram: CELProgram?
    }

    let schema: StructuralSchema
    let values: CELSchema
    let rules: [Rule]
    let properties: [String: RuleTree]
    /// Names of `properties`, sorted.
    let propertyNames: [String]
    let items: RuleTree?
    let additional: RuleTree?

    fileprivate init(
        schema: StructuralSchema, values: CELSchema, rules: [Rule], properties: [String: RuleTree], items: RuleTree?,
        additional: RuleTree?
    ) {
        self.schema = schema
        self.values = values
        self.rules = rules
        self.properties = properties
        propertyNames = properties.keys.sorted()
        self.items = items
        self.additional = additional
    }

    /// Compiles the rules of a schema.
    ///
    /// - Parameters:
    ///   - schema: the schema, read.
    ///   - json: the same schema as it is written.
    ///   - path: where it stands.
    /// - Returns: the rules, nil where there are none; and what is wrong with them.
    package static func compile(
        _ schema: StructuralSchema, json: JSONValue, path: FieldPath = "openAPIV3Schema"
    ) -> (tree: RuleTree?, faults: [StatusCause]) {
        guard schema.hasRules else { return (nil, []) }
        var compiler = RuleCompiler()
        let tree = compiler.tree(
            schema, json, CELSchema.openAPI(json, isResourceRoot: true), path, RuleCompiler.Place())
        compiler.checkTotal(path)
        return (tree, compiler.errors.causes)
    }
}

/// Compiles rules and bounds what they may cost.
private struct RuleCompiler {
    /// The most that one rule may cost by the estimate, and all of a schema together.
    private static let mostPerRule: UInt64 = 10_000_000
    private static let mostPerSchema: UInt64 = 100_000_000
    /// Bytes of the largest request.
    private static let requestBytes: UInt64 = 3 << 20
    /// Rules of one schema.
    private static let mostRules = 2_000

    /// What the place of a schema means for its rules.
    struct Place {
        /// How often the value may occur; nil where only the size of a request bounds it.
        var cardinality: UInt64? = 1
        /// The list or map in which values before and after cannot be told apart.
        var uncorrelatable: FieldPath?

        func times(_ count: UInt64?) -> Place {
            var place = self
            if let count, let cardinality { place.cardinality = RuleCompiler.product(cardinality, count) }
            if count == nil { place.cardinality = nil }
            return place
        }
    }

    var errors = FieldErrors()
    private var total: UInt64 = 0
    private var count = 0
    private var expensive: [(path: FieldPath, cost: UInt64)] = []

    private static func product(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (product, overflow) = left.multipliedReportingOverflow(by: right)
        return overflow ? .max : product
    }

    mutating func tree(
        _ schema: StructuralSchema, _ json: JSONValue, _ values: CELSchema?, _ path: FieldPath, _ place: Place
    ) -> RuleTree? {
        guard schema.hasRules else { return nil }
        let rulesPath = path["x-kubernetes-validations"]
        guard let values else {
            errors.internalError(
                rulesPath, "internal error: failed to retrieve type information for x-kubernetes-validations")
            return nil
        }
        var rules: [RuleTree.Rule] = []
        for (index, rule) in schema.rules.enumerated() {
            count += 1
            guard count <= Self.mostRules else {
                errors.forbidden(rulesPath, "the schema has more than \(Self.mostRules) rules")
                break
            }
            if let compiled = compile(rule, json, values, rulesPath[index], place) { rules.append(compiled) }
        }
        var properties: [String: RuleTree] = [:]
        var inner = place
        if schema.mapType == "atomic" { inner.uncorrelatable = place.uncorrelatable ?? path }
        for name in schema.propertyNames {
            guard let property = schema.properties[name], property.hasRules else { continue }
            properties[name] = tree(
                property, json["properties"][name], Self.member(name, of: values), path["properties"].key(name), inner)
        }
        var elements = place.times(schema.checks?.maxItems.map { UInt64(max(0, $0)) })
        if schema.listType != "map" { elements.uncorrelatable = place.uncorrelatable ?? path }
        let items = schema.items.flatMap {
            tree($0, json["items"], Self.element(of: values), path["items"], elements)
        }
        let additional = schema.additionalSchema.flatMap {
            tree(
                $0, json["additionalProperties"], Self.element(of: values), path["additionalProperties"],
                inner.times(schema.checks?.maxProperties.map { UInt64(max(0, $0)) }))
        }
        return RuleTree(
            schema: schema, values: values, rules: rules, properties: properties, items: items, additional: additional)
    }

    private static func member(_ name: String, of values: CELSchema) -> CELSchema? {
        guard case .object(let type) = values.shape, let name = CELNames.escape(name) else { return nil }
        return type.field(name)?.schema
    }

    private static func element(of values: CELSchema) -> CELSchema? {
        switch values.shape {
        case .list(let element, _), .map(let element): element
        default: nil
        }
    }

    // MARK: One rule

    private mutating func compile(
        _ rule: SchemaRule, _ json: JSONValue, _ values: CELSchema, _ path: FieldPath, _ place: Place
    ) -> RuleTree.Rule? {
        var environment = CELEnvironment()
        environment.declare("self", values)
        var isTransition = false
        let program: CELProgram
        do throws(CELCompileError) {
            // A rule that knows nothing of the value before compiles without it.
            if let alone = try? CELProgram(compiling: rule.rule, environment: environment) {
                program = alone
            } else {
                if rule.optionalOldSelf {
                    environment.variables["oldSelf"] = .optional(values.type)
                    environment.schemas["oldSelf"] = values
                } else {
                    environment.declare("oldSelf", values)
                }
                program = try CELProgram(compiling: rule.rule, environment: environment)
                isTransition = true
            }
        } catch {
            errors.invalid(path["rule"], shown: Self.shown(rule), "compilation failed: \(error)")
            return nil
        }
        guard program.resultType == .bool || program.resultType == .dyn else {
            errors.invalid(path["rule"], shown: Self.shown(rule), "cel expression must evaluate to a bool")
            return nil
        }
        observe(program, values, path["rule"], place, "estimated rule cost")
        if isTransition, let uncorrelatable = place.uncorrelatable {
            errors.invalid(
                path["rule"], .string(rule.rule),
                "oldSelf cannot be used on the uncorrelatable portion of the schema within \(uncorrelatable)")
        }
        if !isTransition, rule.optionalOldSelf {
            errors.invalid(
                path["optionalOldSelf"], true, "may not be set if oldSelf is not used in rule")
        }
        let message = message(rule, environment, values, path, place)
        return RuleTree.Rule(
            rule: rule, program: program, isTransition: isTransition, messageProgram: message)
    }

    private mutating func message(
        _ rule: SchemaRule, _ environment: CELEnvironment, _ values: CELSchema, _ path: FieldPath, _ place: Place
    ) -> CELProgram? {
        guard !rule.messageExpression.isEmpty else { return nil }
        let path = path["messageExpression"]
        do throws(CELCompileError) {
            let program = try CELProgram(compiling: rule.messageExpression, environment: environment)
            guard program.resultType == .string || program.resultType == .dyn else {
                errors.invalid(path, shown: Self.shown(rule), "messageExpression must evaluate to a string")
                return nil
            }
            observe(program, values, path, place, "estimated messageExpression cost")
            return program
        } catch {
            errors.invalid(path, shown: Self.shown(rule), "messageExpression compilation failed: \(error)")
            return nil
        }
    }

    /// The rule as upstream's messages show it: a struct of Go.
    private static func shown(_ rule: SchemaRule) -> String {
        func text(_ text: String) -> String { JSONValue.string(text).text }
        return "apiextensions.ValidationRule{Rule:\(text(rule.rule)), Message:\(text(rule.message)), "
            + "MessageExpression:\(text(rule.messageExpression)), Reason:(*apiextensions.FieldValueErrorReason)(nil), "
            + "FieldPath:\(text(rule.fieldPath)), OptionalOldSelf:(*bool)(nil)}"
    }

    // MARK: Costs

    private mutating func observe(
        _ program: CELProgram, _ values: CELSchema, _ path: FieldPath, _ place: Place, _ name: String
    ) {
        let times = place.cardinality ?? Self.requestBytes / (values.minSize + 1)
        let cost = Self.product(program.estimatedCost, times)
        total = total.addingReportingOverflow(cost).overflow ? .max : total + cost
        expensive.append((path, cost))
        if cost > Self.mostPerRule { errors.forbidden(path, Self.excess(name, cost, Self.mostPerRule)) }
    }

    mutating func checkTotal(_ path: FieldPath) {
        guard total > Self.mostPerSchema else { return }
        for (path, _) in expensive.sorted(by: { $0.cost > $1.cost }).prefix(4) {
            errors.forbidden(
                path, "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema")
        }
        errors.forbidden(
            path,
            Self.excess(
                "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema", total,
                Self.mostPerSchema))
    }

    private static func excess(_ name: String, _ cost: UInt64, _ limit: UInt64) -> String {
        let factor = Double(cost) / Double(limit)
        let text: String
        if factor > 100 {
            text = "more than 100x"
        } else {
            let scale = factor < 1.5 ? 1_000_000.0 : 10.0
            let rounded = (factor * scale).rounded() / scale
            let digits = factor < 1.5 ? 6 : 1
            let parts = JSONValue.double(rounded).text.split(separator: ".")
            let fraction = parts.count > 1 ? String(parts[1]) : ""
            text = "\(parts[0]).\(fraction)\(String(repeating: "0", count: max(0, digits - fraction.count)))x"
        }
        return "\(name) exceeds budget by factor of \(text) (try simplifying the rule, or adding maxItems, "
            + "maxProperties, and maxLength where arrays, maps, and strings are declared)"
    }
}
