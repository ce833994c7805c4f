// SPDX-License-Identifier: Apache-2.0

/// Functions of quantities and of versions.
///
/// Source: Kubernetes documentation, "Common Expression Language in Kubernetes", quantity and semver libraries.
extension CELFunction {
    static let quantities: [CELFunction] = [
        CELFunction("quantity", ["string -> quantity"]) { arguments, _ throws(CELError) in
            guard case .string(let text) = arguments[0] else { throw .noSuchOverload }
            guard let quantity = CELQuantity(text) else {
                throw CELError(
                    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
            }
            return .quantity(quantity)
        },
        CELFunction("isQuantity", ["string -> bool"]) { arguments, _ throws(CELError) in
            guard case .string(let text) = arguments[0] else { throw .noSuchOverload }
            return .bool(CELQuantity(text) != nil)
        },
        CELFunction("isInteger", [".quantity -> bool"]) { arguments, _ throws(CELError) in
            .bool(try quantity(arguments[0]).integer != nil)
        },
        CELFunction("asInteger", [".quantity -> int"]) { arguments, _ throws(CELError) in
            guard let value = try quantity(arguments[0]).integer else {
                throw CELError("cannot convert value to integer")
            }
            return .int(value)
        },
        CELFunction("asApproximateFloat", [".quantity -> double"]) { arguments, _ throws(CELError) in
            .double(try quantity(arguments[0]).double)
        },
        CELFunction("sign", [".quantity -> int"]) { arguments, _ throws(CELError) in
            .int(try quantity(arguments[0]).sign)
        },
        CELFunction("add", [".quantity, quantity -> quantity", ".quantity, int -> quantity"]) {
            arguments, _ throws(CELError) in
            .quantity(try quantity(arguments[0]) + operand(arguments[1]))
        },
        CELFunction("sub", [".quantity, quantity -> quantity", ".quantity, int -> quantity"]) {
            arguments, _ throws(CELError) in
            .quantity(try quantity(arguments[0]) - operand(arguments[1]))
        },
        comparison("isLessThan") { $0 < 0 }, comparison("isGreaterThan") { $0 > 0 },
        CELFunction("compareTo", [".quantity, quantity -> int", ".semver, semver -> int"]) {
            arguments, _ throws(CELError) in .int(try order(arguments))
        },
        CELFunction("semver", ["string -> semver", "string, bool -> semver"]) { arguments, _ throws(CELError) in
            guard let version = try semver(arguments) else { throw CELError("invalid semantic version") }
            return .semver(version)
        },
        CELFunction("isSemver", ["string -> bool", "string, bool -> bool"]) { arguments, _ throws(CELError) in
            .bool(try semver(arguments) != nil)
        },
        part("major") { $0.major }, part("minor") { $0.minor }, part("patch") { $0.patch },
    ]

    private static func quantity(_ value: CELValue) throws(CELError) -> CELQuantity {
        guard case .quantity(let quantity) = value else { throw .noSuchOverload }
        return quantity
    }

    private static func operand(_ value: CELValue) throws(CELError) -> CELQuantity {
        if case .int(let number) = value { return CELQuantity(number) }
        return try quantity(value)
    }

    private static func order(_ arguments: [CELValue]) throws(CELError) -> Int64 {
        switch (arguments[0], arguments[1]) {
        case (.quantity(let left), .quantity(let right)): left < right ? -1 : left == right ? 0 : 1
        case (.semver(let left), .semver(let right)): left < right ? -1 : right < left ? 1 : 0
        default: throw .noSuchOverload
        }
    }

    private static func comparison(_ name: String, _ holds: @escaping @Sendable (Int64) -> Bool) -> CELFunction {
        CELFunction(name, [".quantity, quantity -> bool", ".semver, semver -> bool"]) { arguments, _ throws(CELError) in
            .bool(holds(try order(arguments)))
        }
    }

    private static func semver(_ arguments: [CELValue]) throws(CELError) -> CELSemver? {
        guard case .string(let text) = arguments[0] else { throw .noSuchOverload }
        guard arguments.count > 1 else { return CELSemver(text) }
        guard case .bool(let isTolerant) = arguments[1] else { throw .noSuchOverload }
        return CELSemver(text, isTolerant: isTolerant)
    }

    private static func part(_ name: String, _ read: @escaping @Sendable (CELSemver) -> UInt64) -> CELFunction {
        CELFunction(name, [".semver -> int"]) { arguments, _ throws(CELError) in
            guard case .semver(let version) = arguments[0] else { throw .noSuchOverload }
            return .int(Int64(clamping: read(version)))
        }
    }
}
