// SPDX-License-Identifier: Apache-2.0
package import ApusCore
package import KubeAPI
import LinearRegex

extension StructuralSchema {
    /// What a schema says against a value, in upstream's order and words; at most 100 faults.
    ///
    /// Source: kube-openapi's validation, whose messages name the path and `in body`. Rules in CEL are not run here.
    /// - Parameters:
    ///   - value: the value, pruned and defaulted.
    ///   - old: the value that it replaces: parts that did not change are not blamed (ratcheting); nil for a new one.
    ///   - path: prefix of the faults' fields; empty for a resource.
    /// - Returns: the faults; none for a valid value.
    package func validate(_ value: JSONValue, old: JSONValue? = nil, path: FieldPath = "") -> [StatusCause] {
        var validator = SchemaValidator(base: path)
        validator.validate(value, self, old: old, "")
        if validator.isExhausted { validator.exhaust() }
        return validator.causes
    }
}

/// Walks a value beside its schema.
private struct SchemaValidator {
    private static let mostCauses = 100
    /// Schemas that one validation may apply: bounds what alternatives over long lists can cost.
    private static let mostSteps = 5_000_000

    private let base: FieldPath
    private(set) var causes: [StatusCause] = []
    private var steps = 0

    init(base: FieldPath) { self.base = base }

    var isExhausted: Bool { steps > Self.mostSteps }

    mutating func exhaust() {
        causes = []
        add("FieldValueInvalid", "", "Invalid value: \"\": validating the value takes too many steps")
    }

    // MARK: Causes

    private mutating func add(_ reason: String, _ path: String, _ message: String) {
        guard causes.count < Self.mostCauses else { return }
        let field =
            path.isEmpty
            ? base.description : base.description.isEmpty ? path : "\(base.description).\(path)"
        causes.append(StatusCause(reason: reason, field: field, message: message))
    }

    private mutating func invalid(_ path: String, _ value: JSONValue, _ message: String) {
        add("FieldValueInvalid", path, "Invalid value: \(value.text): \(path) in body \(message)")
    }

    /// A fault of alternatives, which upstream does not place.
    private mutating func composite(_ path: String, _ message: String) {
        guard causes.count < Self.mostCauses else { return }
        let field = base.description.isEmpty ? "<nil>" : base.description
        causes.append(
            StatusCause(
                reason: "FieldValueInvalid", field: field,
                message: "Invalid value: \"\": \(JSONValue.string(path).text) \(message)"))
    }

    // MARK: Values

    mutating func validate(_ value: JSONValue, _ schema: StructuralSchema, old: JSONValue?, _ path: String) {
        steps += 1
        guard !isExhausted, causes.count < Self.mostCauses else { return }
        let before = causes.count
        check(value, schema, old: old, path)
        // What was there before may stay, even where the schema has become stricter.
        if causes.count > before, let old, old == value { causes.removeSubrange(before...) }
    }

    private mutating func check(_ value: JSONValue, _ schema: StructuralSchema, old: JSONValue?, _ path: String) {
        checkType(value, schema, path)
        if value.isNull {
            if let checks = schema.checks { checkEnumeration(value, checks, path) }
            return
        }
        if let checks = schema.checks {
            checkAlternatives(value, checks, path)
            switch value {
            case .string(let text): checkText(text, checks, path)
            case .int, .double: checkNumber(value, checks, schema.type, path)
            case .array(let elements): checkLength(elements.count, checks, path)
            default: break
            }
        }
        if case .array(let elements) = value, let items = schema.items {
            checkItems(elements, items, schema, old: old, path)
        }
        if let checks = schema.checks { checkEnumeration(value, checks, path) }
        if case .object(let members) = value { checkMembers(members, schema, old: old, path) }
    }

    private mutating func checkType(_ value: JSONValue, _ schema: StructuralSchema, _ path: String) {
        let wanted: String
        if schema.isIntOrString {
            switch value {
            case .string, .int: return
            case .double(let number) where number.rounded() == number: return
            case .null where schema.isNullable: return
            default: wanted = "integer,string"
            }
        } else {
            guard let type = schema.type else { return }
            switch (type, value) {
            case (_, .null) where schema.isNullable: return
            case (.object, .object), (.array, .array), (.string, .string), (.boolean, .bool), (.integer, .int),
                (.number, .int), (.number, .double):
                return
            case (.integer, .double(let number)) where number.rounded() == number: return
            default: wanted = type.rawValue
            }
        }
        let found =
            switch value {
            case .int: "integer"
            default: value.typeName
            }
        add(
            "FieldValueTypeInvalid", path,
            "Invalid value: \"\(found)\": \(path) in body must be of type \(wanted): \"\(found)\"")
    }

    private mutating func checkEnumeration(_ value: JSONValue, _ checks: ValueChecks, _ path: String) {
        guard !checks.enumeration.isEmpty, !checks.enumeration.contains(where: { Self.isEqual($0, value) }) else {
            return
        }
        let supported = checks.enumeration.map { allowed in
            if case .string = allowed { allowed.text } else { JSONValue.string(allowed.text).text }
        }
        add(
            "FieldValueNotSupported", path,
            "Unsupported value: \(value.text): supported values: \(supported.joined(separator: ", "))")
    }

    private static func isEqual(_ left: JSONValue, _ right: JSONValue) -> Bool {
        if left == right { return true }
        if let left = left.double, let right = right.double { return left == right }
        return false
    }

    private mutating func checkText(_ text: String, _ checks: ValueChecks, _ path: String) {
        // As upstream, the first fault of a string is its only one, but for the format.
        let length = text.unicodeScalars.count
        if let most = checks.maxLength, length > most {
            add("FieldValueTooLong", path, "Too long: may not be more than \(most) bytes")
        } else if let least = checks.minLength, length < least {
            invalid(path, .string(text), "should be at least \(least) chars long")
        } else if let pattern = checks.pattern, !pattern.expression.matches(text) {
            invalid(path, .string(text), "should match '\(pattern.text)'")
        }
        if let format = checks.format, !format.accepts(text) {
            let quoted = JSONValue.string(text).text
            add(
                "FieldValueTypeInvalid", path,
                "Invalid value: \(quoted): \(path) in body must be of type \(format.name): \(quoted)")
        }
    }

    private mutating func checkNumber(
        _ value: JSONValue, _ checks: ValueChecks, _ type: SchemaValueType?, _ path: String
    ) {
        guard let number = value.double else { return }
        if checks.numberFormat == "int32", value.int.map({ Int32(exactly: $0) == nil }) ?? false {
            composite(path, type: "integer", format: "int32")
        }
        if checks.numberFormat == "float", number.isFinite, !Float(number).isFinite {
            composite(path, type: "number", format: "float")
        }
        if let factor = checks.multipleOf {
            if factor <= 0 {
                invalid(path, value, "factor MultipleOf declared for \(path) must be positive: \(Self.text(factor))")
            } else if !Self.isMultiple(value, of: factor) {
                invalid(path, value, "should be a multiple of \(Self.text(factor))")
            }
        }
        if let least = checks.minimum, checks.exclusiveMinimum ? number <= least : number < least {
            let relation = checks.exclusiveMinimum ? "greater than" : "greater than or equal to"
            invalid(path, value, "should be \(relation) \(Self.text(least))")
        }
        if let most = checks.maximum, checks.exclusiveMaximum ? number >= most : number > most {
            let relation = checks.exclusiveMaximum ? "less than" : "less than or equal to"
            invalid(path, value, "should be \(relation) \(Self.text(most))")
        }
    }

    private mutating func composite(_ path: String, type: String, format: String) {
        guard causes.count < Self.mostCauses else { return }
        let field = base.description.isEmpty ? "<nil>" : base.description
        causes.append(
            StatusCause(
                reason: "FieldValueInvalid", field: field,
                message: "Invalid value: \"\": Checked value must be of type \(type) with format \(format) in \(path)"))
    }

    private static func isMultiple(_ value: JSONValue, of factor: Double) -> Bool {
        if case .int(let number) = value, let whole = Int64(exactly: factor), whole > 0 { return number % whole == 0 }
        guard let number = value.double else { return true }
        let times = factor < 1 ? 1 / factor * number : number / factor
        return abs(times - times.rounded()) < 1e-9 * max(1, abs(times))
    }

    /// As Go prints a number: no `.0` at the end.
    private static func text(_ number: Double) -> String {
        if let whole = Int64(exactly: number), abs(number) < 1e21 { return String(whole) }
        return JSONValue.double(number).text
    }

    private mutating func checkLength(_ count: Int, _ checks: ValueChecks, _ path: String) {
        if let least = checks.minItems, count < least {
            invalid(path, JSONValue(count), "should have at least \(least) items")
        }
        if let most = checks.maxItems, count > most {
            add("FieldValueTooMany", path, "Too many: \(count): must have at most \(most) items")
        }
    }

    // MARK: Alternatives

    /// The faults of a value against one of several schemas.
    private mutating func faults(_ value: JSONValue, _ schema: StructuralSchema, _ path: String) -> [StatusCause] {
        let kept = causes
        causes = []
        validate(value, schema, old: nil, path)
        let found = causes
        causes = kept
        return found
    }

    private mutating func checkAlternatives(_ value: JSONValue, _ checks: ValueChecks, _ path: String) {
        if !checks.anyOf.isEmpty {
            var best: [StatusCause]?
            var isMet = false
            for schema in checks.anyOf {
                let faults = faults(value, schema, path)
                if faults.isEmpty {
                    isMet = true
                    break
                }
                if faults.count < best?.count ?? .max { best = faults }
            }
            if !isMet {
                composite(path, "must validate at least one schema (anyOf)")
                append(best ?? [])
            }
        }
        if !checks.oneOf.isEmpty {
            var best: [StatusCause]?
            var met = 0
            for schema in checks.oneOf {
                let faults = faults(value, schema, path)
                if faults.isEmpty { met += 1 }
                if faults.count < best?.count ?? .max { best = faults }
            }
            if met == 0 {
                composite(path, "must validate one and only one schema (oneOf). Found none valid")
                append(best ?? [])
            } else if met > 1 {
                composite(path, "must validate one and only one schema (oneOf). Found \(met) valid alternatives")
            }
        }
        if !checks.allOf.isEmpty {
            var met = 0
            for schema in checks.allOf {
                let faults = faults(value, schema, path)
                if faults.isEmpty { met += 1 }
                append(faults)
            }
            if met < checks.allOf.count {
                composite(path, "must validate all the schemas (allOf)\(met == 0 ? ". None validated" : "")")
            }
        }
        if let not = checks.not, faults(value, not, path).isEmpty {
            composite(path, "must not validate the schema (not)")
        }
    }

    private mutating func append(_ more: [StatusCause]) {
        causes += more.prefix(max(0, Self.mostCauses - causes.count))
    }

    // MARK: Members and elements

    private mutating func checkItems(
        _ elements: [JSONValue], _ items: StructuralSchema, _ schema: StructuralSchema, old: JSONValue?, _ path: String
    ) {
        // Elements can be told apart in lists of type map only.
        var before: [[JSONValue]: JSONValue] = [:]
        if schema.listType == "map", let old {
            for element in old.elements { before[schema.listMapKeys.map { element[$0] }] = element }
        }
        for (index, element) in elements.enumerated() {
            let old = before.isEmpty ? nil : before[schema.listMapKeys.map { element[$0] }]
            validate(element, items, old: old, "\(path)[\(index)]")
        }
    }

    private mutating func checkMembers(
        _ members: [String: JSONValue], _ schema: StructuralSchema, old: JSONValue?, _ path: String
    ) {
        if let least = schema.checks?.minProperties, members.count < least {
            invalid(path, JSONValue(members.count), "should have at least \(least) properties")
        }
        if let most = schema.checks?.maxProperties, members.count > most {
            add("FieldValueTooMany", path, "Too many: \(members.count): must have at most \(most) items")
        }
        let prefix = path.isEmpty ? "" : "\(path)."
        let old = schema.mapType == "atomic" ? nil : old?.object
        switch schema.additional {
        case .unspecified, .allowed(true): break
        case .allowed(false):
            for key in members.keys.sorted() where schema.properties[key] == nil {
                add(
                    "FieldValueInvalid", path, "Invalid value: \"\": \(path).\(key) in body is a forbidden property")
            }
        case .schema(let additional):
            for key in members.keys.sorted() where schema.properties[key] == nil {
                if let member = members[key] { validate(member, additional, old: old?[key], prefix + key) }
            }
        }
        // Whichever are fewer are gone through.
        for name in schema.propertyNames {
            if let member = members[name], let property = schema.properties[name] {
                validate(member, property, old: old?[name], prefix + name)
            }
        }
        for name in schema.required where members[name] == nil {
            add("FieldValueRequired", prefix + name, "Required value")
        }
    }
}
