// SPDX-License-Identifier: Apache-2.0

/// Operators.
///
/// Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md#list-of-standard-definitions.
extension CELFunction {
    private static let numbers = ["int, int", "uint, uint", "double, double"]

    private static let comparisons =
        [
            "bool, bool", "int, int", "int, uint", "int, double", "uint, uint", "uint, int", "uint, double",
            "double, double", "double, int", "double, uint", "string, string", "bytes, bytes",
            "timestamp, timestamp", "duration, duration",
        ].map { "\($0) -> bool" }

    static let operators: [CELFunction] = [
        CELFunction(
            "_+_",
            [
                "int, int -> int", "uint, uint -> uint", "double, double -> double", "string, string -> string",
                "bytes, bytes -> bytes", "list(A), list(A) -> list(A)", "timestamp, duration -> timestamp",
                "duration, timestamp -> timestamp", "duration, duration -> duration",
            ], body: add),
        CELFunction(
            "_-_",
            [
                "int, int -> int", "uint, uint -> uint", "double, double -> double",
                "timestamp, timestamp -> duration", "timestamp, duration -> timestamp",
                "duration, duration -> duration",
            ], body: subtract),
        CELFunction("_*_", numbers.map { "\($0) -> \($0.prefix { $0 != "," })" }, body: multiply),
        CELFunction("_/_", numbers.map { "\($0) -> \($0.prefix { $0 != "," })" }, body: divide),
        CELFunction("_%_", ["int, int -> int", "uint, uint -> uint"], body: remainder),
        CELFunction("-_", ["int -> int", "double -> double"]) { arguments, _ throws(CELError) in
            switch arguments[0] {
            case .int(let value): .int(try checked(Int64(0).subtractingReportingOverflow(value)))
            case .double(let value): .double(-value)
            default: throw .noSuchOverload
            }
        },
        CELFunction("!_", ["bool -> bool"]) { arguments, _ throws(CELError) in
            guard case .bool(let value) = arguments[0] else { throw .noSuchOverload }
            return .bool(!value)
        },
        CELFunction("_==_", ["A, A -> bool"]) { arguments, machine throws(CELError) in
            .bool(try machine.isEqual(arguments[0], arguments[1]))
        },
        CELFunction("_!=_", ["A, A -> bool"]) { arguments, machine throws(CELError) in
            .bool(try !machine.isEqual(arguments[0], arguments[1]))
        },
        CELFunction("_<_", comparisons) { arguments, _ throws(CELError) in
            .bool(try CELOrder.isLess(arguments[0], arguments[1]))
        },
        CELFunction("_>_", comparisons) { arguments, _ throws(CELError) in
            .bool(try CELOrder.isLess(arguments[1], arguments[0]))
        },
        CELFunction("_<=_", comparisons) { arguments, _ throws(CELError) in
            .bool(try CELOrder.isAtMost(arguments[0], arguments[1]))
        },
        CELFunction("_>=_", comparisons) { arguments, _ throws(CELError) in
            .bool(try CELOrder.isAtMost(arguments[1], arguments[0]))
        },
        CELFunction("@in", ["A, list(A) -> bool", "A, map(A, B) -> bool"]) { arguments, machine throws(CELError) in
            switch arguments[1] {
            case .list(let list): return .bool(try machine.contains(list, arguments[0]))
            case .map(let map): return .bool(CELKey(arguments[0]).flatMap { map[$0] } != nil)
            default: throw .noSuchOverload
            }
        },
        CELFunction(
            "_[_]",
            [
                "list(A), int -> A", "map(A, B), A -> B", "optional(list(A)), int -> optional(A)",
                "optional(map(A, B)), A -> optional(B)",
            ], body: index),
        CELFunction(
            "_[?_]",
            [
                "list(A), int -> optional(A)", "map(A, B), A -> optional(B)", "optional(list(A)), int -> optional(A)",
                "optional(map(A, B)), A -> optional(B)",
            ]
        ) { arguments, machine throws(CELError) in try machine.optionalMember(arguments[0], arguments[1]) },
    ]

    /// The result of arithmetic on integers.
    static func checked<Number>(
        _ result: (partialValue: Number, overflow: Bool)
    ) throws(CELError) -> Number where Number: FixedWidthInteger {
        guard !result.overflow else {
            throw CELError(Number.isSigned ? "integer overflow" : "unsigned integer overflow")
        }
        return result.partialValue
    }

    private static func moment(_ moment: CELTimestamp?) throws(CELError) -> CELValue {
        guard let moment else { throw CELError("timestamp overflow") }
        return .timestamp(moment)
    }

    private static func span(_ result: (partialValue: Int64, overflow: Bool)) throws(CELError) -> CELValue {
        guard !result.overflow else { throw CELError("duration overflow") }
        return .duration(CELDuration(nanoseconds: result.partialValue))
    }

    private static func add(_ arguments: [CELValue], _ machine: inout CELMachine) throws(CELError) -> CELValue {
        switch (arguments[0], arguments[1]) {
        case (.int(let left), .int(let right)): return .int(try checked(left.addingReportingOverflow(right)))
        case (.uint(let left), .uint(let right)): return .uint(try checked(left.addingReportingOverflow(right)))
        case (.double(let left), .double(let right)): return .double(left + right)
        case (.string(let left), .string(let right)): return .string(left + right)
        case (.bytes(let left), .bytes(let right)): return .bytes(left + right)
        case (.timestamp(let moment), .duration(let span)), (.duration(let span), .timestamp(let moment)):
            return try self.moment(moment.adding(span))
        case (.duration(let left), .duration(let right)):
            return try span(left.nanoseconds.addingReportingOverflow(right.nanoseconds))
        case (.list(let left), .list(let right)): return try machine.concatenate(left, right)
        default: throw .noSuchOverload
        }
    }

    private static func subtract(_ arguments: [CELValue], _: inout CELMachine) throws(CELError) -> CELValue {
        switch (arguments[0], arguments[1]) {
        case (.int(let left), .int(let right)): return .int(try checked(left.subtractingReportingOverflow(right)))
        case (.uint(let left), .uint(let right)): return .uint(try checked(left.subtractingReportingOverflow(right)))
        case (.double(let left), .double(let right)): return .double(left - right)
        case (.timestamp(let left), .timestamp(let right)):
            guard let span = left.since(right) else { throw CELError("duration overflow") }
            return .duration(span)
        case (.timestamp(let moment), .duration(let span)):
            let (negated, overflow) = Int64(0).subtractingReportingOverflow(span.nanoseconds)
            return try self.moment(overflow ? nil : moment.adding(CELDuration(nanoseconds: negated)))
        case (.duration(let left), .duration(let right)):
            return try span(left.nanoseconds.subtractingReportingOverflow(right.nanoseconds))
        default: throw .noSuchOverload
        }
    }

    private static func multiply(_ arguments: [CELValue], _: inout CELMachine) throws(CELError) -> CELValue {
        switch (arguments[0], arguments[1]) {
        case (.int(let left), .int(let right)): .int(try checked(left.multipliedReportingOverflow(by: right)))
        case (.uint(let left), .uint(let right)): .uint(try checked(left.multipliedReportingOverflow(by: right)))
        case (.double(let left), .double(let right)): .double(left * right)
        default: throw .noSuchOverload
        }
    }

    private static func divide(_ arguments: [CELValue], _: inout CELMachine) throws(CELError) -> CELValue {
        switch (arguments[0], arguments[1]) {
        case (.int, .int(0)), (.uint, .uint(0)): throw CELError("division by zero")
        case (.int(let left), .int(let right)): .int(try checked(left.dividedReportingOverflow(by: right)))
        case (.uint(let left), .uint(let right)): .uint(left / right)
        case (.double(let left), .double(let right)): .double(left / right)
        default: throw .noSuchOverload
        }
    }

    private static func remainder(_ arguments: [CELValue], _: inout CELMachine) throws(CELError) -> CELValue {
        switch (arguments[0], arguments[1]) {
        case (.int, .int(0)), (.uint, .uint(0)): throw CELError("modulus by zero")
        case (.int(let left), .int(let right)):
            .int(try checked(left.remainderReportingOverflow(dividingBy: right)))
        case (.uint(let left), .uint(let right)): .uint(left % right)
        default: throw .noSuchOverload
        }
    }

    private static func index(_ arguments: [CELValue], _ machine: inout CELMachine) throws(CELError) -> CELValue {
        switch arguments[0] {
        case .list(let list):
            guard let index = CELMachine.index(arguments[1]) else {
                throw CELError("unsupported index type '\(arguments[1].type.runtimeName)' in list")
            }
            guard (0..<list.count).contains(index) else { throw CELError("index out of bounds: \(index)") }
            return list[index]
        case .map(let map):
            guard let value = CELKey(arguments[1]).flatMap({ map[$0] }) else {
                throw .noSuchKey(CELPrinter.plain(arguments[1]))
            }
            return value
        case .optional: return try machine.optionalMember(arguments[0], arguments[1])
        case .object(let object):
            guard case .string(let name) = arguments[1] else { throw .noSuchOverload }
            guard let value = object.field(name) else { throw .noSuchKey(name) }
            return value
        default: throw .noSuchOverload
        }
    }
}
