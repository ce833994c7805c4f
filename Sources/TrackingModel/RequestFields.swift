// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// What a request has to bring: a field and its checks, in their order (MLflow, the handlers' schemas).
package struct FieldRule: Sendable {
    package enum Check: Sendable {
        /// There, not null and not empty.
        case required
        case string, integer, double, bool, array, strings, object
        /// A check of its own; gives the fault's message.
        case custom(@Sendable (JSONValue) -> String?)
    }

    package let name: String
    package let checks: [Check]

    package init(_ name: String, _ checks: Check...) {
        self.name = name
        self.checks = checks
    }
}

/// The fields of one request, read by its message and checked.
///
/// A field that is absent reads as protobuf's default: an empty text, zero, false, nothing.
package struct RequestFields: Sendable {
    /// The fields by their names in snake case.
    package let members: [String: JSONValue]

    /// - Parameters:
    ///   - json: the body, or a query (``query(_:message:table:)``).
    ///   - message: the message of the request in the table.
    ///   - rules: what it has to bring.
    /// - Throws: INVALID_PARAMETER_VALUE in MLflow's words.
    package init(_ json: JSONValue, as message: String, _ rules: [FieldRule]) throws(TrackingError) {
        guard case .object(let raw) = json else {
            throw .invalid("the request must be a JSON object, not \(json.typeName)")
        }
        try Self.refuseTwoSpellings(raw, message)
        let (fields, isWhole) = MessageDecoder().decode(json, as: message)
        for rule in rules {
            var value = raw[rule.name] ?? .null
            if rule.name == "run_id", value.isNull { value = raw["run_uuid"] ?? .null }
            let isRequired = rule.checks.contains { if case .required = $0 { true } else { false } }
            guard isRequired || raw[rule.name] != nil else { continue }
            for check in rule.checks {
                if let fault = Self.fault(value, rule.name, check, isWhole) {
                    throw .invalid(fault + " See the API docs for more information about request parameters.")
                }
            }
        }
        members = fields
    }

    package func has(_ name: String) -> Bool { members[name] != nil }
    package subscript(_ name: String) -> JSONValue { members[name] ?? .null }

    package func string(_ name: String) -> String { members[name]?.string ?? "" }
    package func stringIfAny(_ name: String) -> String? { members[name]?.string }
    package func integer(_ name: String) -> Int64 { integerIfAny(name) ?? 0 }
    package func integerIfAny(_ name: String) -> Int64? {
        if case .int(let value)? = members[name] { value } else { nil }
    }
    package func double(_ name: String) -> Double { members[name]?.double ?? 0 }
    package func bool(_ name: String) -> Bool { members[name]?.bool ?? false }
    package func strings(_ name: String) -> [String] { members[name]?.elements.compactMap(\.string) ?? [] }
    /// The elements of a repeated message.
    package func objects(_ name: String) -> [JSONValue] { members[name]?.elements ?? [] }
}

extension RequestFields {
    /// A query's fields as JSON: those that are repeated as arrays, booleans as such.
    /// - Throws: INVALID_PARAMETER_VALUE for a boolean that is none.
    package static func query(
        _ pairs: [(name: String, value: String)], as message: String
    ) throws(TrackingError) -> JSONValue {
        let fields = MessageTable.mlflow.messages[message] ?? [:]
        var result: [String: JSONValue] = [:]
        for (name, value) in pairs {
            guard let field = fields[name], field.name == name else { continue }
            if field.isRepeated {
                result[name] = .array((result[name]?.elements ?? []) + [.string(value)])
            } else if result[name] == nil {
                guard case .bool = field.kind else {
                    result[name] = .string(value)
                    continue
                }
                let flag = value.lowercased()
                guard flag == "true" || flag == "false" else {
                    throw .invalid("Invalid boolean value: \(value), must be 'true' or 'false'.")
                }
                result[name] = .bool(flag == "true")
            }
        }
        return .object(result)
    }

    private static func refuseTwoSpellings(_ raw: [String: JSONValue], _ message: String) throws(TrackingError) {
        let fields = MessageTable.mlflow.messages[message] ?? [:]
        for name in raw.keys {
            guard let field = fields[name], field.name != name, raw[field.name] != nil else { continue }
            throw .invalid("Request specifies both '\(field.name)' and '\(name)'; provide only one of them.")
        }
    }

    /// What is wrong; nil where nothing is. Types are looked at only where the message could not be read whole.
    private static func fault(
        _ value: JSONValue, _ name: String, _ check: FieldRule.Check, _ isWhole: Bool
    ) -> String? {
        let isRight: Bool
        switch check {
        case .required:
            return value.isNull || value == "" ? "Missing value for required parameter '\(name)'." : nil
        case .custom(let check): return check(value)
        case .string: isRight = isWhole || value.string != nil
        case .integer: isRight = isWhole || value.int != nil || value.string.flatMap { Int64($0) } != nil
        case .double: isRight = isWhole || value.double != nil || value.string.flatMap { Double($0) } != nil
        case .bool: isRight = isWhole || value.bool != nil
        case .array: isRight = isWhole || value.array != nil
        case .strings: isRight = isWhole || value.array?.allSatisfy { $0.string != nil } == true
        case .object: isRight = value.object != nil
        }
        return isRight ? nil : invalidValue(value, name, " Hint: Value was of type '\(pythonType(value))'.")
    }

    /// MLflow's sentence for a value that it does not take.
    package static func invalidValue(_ value: JSONValue, _ name: String, _ hint: String? = nil) -> String {
        let text = String(decoding: value.encoded, as: UTF8.self)
        return hint.map { "Invalid value \(text) for parameter '\(name)' supplied: \($0)" }
            ?? "Invalid value \(text) for parameter '\(name)' supplied."
    }

    private static func pythonType(_ value: JSONValue) -> String {
        switch value {
        case .null: "NoneType"
        case .bool: "bool"
        case .int: "int"
        case .double: "float"
        case .string: "str"
        case .array: "list"
        case .object: "dict"
        }
    }
}
