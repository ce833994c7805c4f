// SPDX-License-Identifier: Apache-2.0

/// Conversions between types, and sizes.
extension CELFunction {
    private static func failure(_ value: CELValue, _ target: CELType) -> CELError {
        CELError("type conversion error from '\(value.type.runtimeName)' to '\(target.runtimeName)'")
    }

    static let conversions: [CELFunction] = [
        CELFunction("size", ["string", "bytes", "list(A)", "map(A, B)"].flatMap { ["\($0) -> int", ".\($0) -> int"] }) {
            arguments, _ throws(CELError) in
            switch arguments[0] {
            case .string(let text): .int(Int64(CELText.length(text)))
            case .bytes(let bytes): .int(Int64(bytes.count))
            case .list(let list): .int(Int64(list.count))
            case .map(let map): .int(Int64(map.count))
            default: throw .noSuchOverload
            }
        },
        CELFunction("type", ["A -> type(A)"]) { arguments, _ throws(CELError) in .type(arguments[0].type) },
        CELFunction("dyn", ["A -> dyn"]) { arguments, _ throws(CELError) in arguments[0] },
        CELFunction(
            "int", ["int", "uint", "double", "string", "timestamp", "duration"].map { "\($0) -> int" }, body: int),
        CELFunction("uint", ["int", "uint", "double", "string"].map { "\($0) -> uint" }, body: uint),
        CELFunction("double", ["int", "uint", "double", "string"].map { "\($0) -> double" }) {
            arguments, _ throws(CELError) in
            switch arguments[0] {
            case .int(let value): return .double(Double(value))
            case .uint(let value): return .double(Double(value))
            case .double: return arguments[0]
            case .string(let text):
                guard let value = double(text) else { throw failure(arguments[0], .double) }
                return .double(value)
            default: throw .noSuchOverload
            }
        },
        CELFunction(
            "string",
            ["bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration", "ip", "cidr"].map {
                "\($0) -> string"
            }
        ) { arguments, _ throws(CELError) in
            switch arguments[0] {
            case .bytes(let bytes):
                guard let text = String(validating: bytes, as: UTF8.self) else {
                    throw CELError("invalid UTF-8 in bytes, cannot convert to string")
                }
                return .string(text)
            case .bool, .int, .uint, .double, .string, .timestamp, .duration, .ip, .cidr:
                return .string(CELPrinter.plain(arguments[0]))
            default: throw .noSuchOverload
            }
        },
        CELFunction("bytes", ["bytes -> bytes", "string -> bytes"]) { arguments, _ throws(CELError) in
            switch arguments[0] {
            case .bytes: arguments[0]
            case .string(let text): .bytes(Array(text.utf8))
            default: throw .noSuchOverload
            }
        },
        CELFunction("bool", ["bool -> bool", "string -> bool"]) { arguments, _ throws(CELError) in
            switch arguments[0] {
            case .bool: return arguments[0]
            case .string(let text):
                if ["1", "t", "T", "TRUE", "true", "True"].contains(text) { return .bool(true) }
                if ["0", "f", "F", "FALSE", "false", "False"].contains(text) { return .bool(false) }
                throw failure(arguments[0], .bool)
            default: throw .noSuchOverload
            }
        },
        CELFunction("timestamp", ["int", "string", "timestamp"].map { "\($0) -> timestamp" }) {
            arguments, _ throws(CELError) in
            var moment: CELTimestamp?
            switch arguments[0] {
            case .timestamp: return arguments[0]
            case .int(let seconds): moment = CELTimestamp(seconds: seconds, nanoseconds: 0)
            case .string(let text): moment = CELTimestamp(text)
            default: throw .noSuchOverload
            }
            guard let moment else { throw failure(arguments[0], .timestamp) }
            return .timestamp(moment)
        },
        CELFunction("duration", ["int", "string", "duration"].map { "\($0) -> duration" }) {
            arguments, _ throws(CELError) in
            switch arguments[0] {
            case .duration: return arguments[0]
            case .int(let nanoseconds): return .duration(CELDuration(nanoseconds: nanoseconds))
            case .string(let text):
                guard let span = CELDuration(text) else { throw failure(arguments[0], .duration) }
                return .duration(span)
            default: throw .noSuchOverload
            }
        },
    ]

    private static func double(_ text: String) -> Double? {
        switch text.lowercased() {
        case "nan": return .nan
        case "inf", "+inf", "infinity", "+infinity": return .infinity
        case "-inf", "-infinity": return -.infinity
        default:
            guard let value = Double(text), value.isFinite else { return nil }
            return value
        }
    }

    private static func int(_ arguments: [CELValue], _: inout CELMachine) throws(CELError) -> CELValue {
        switch arguments[0] {
        case .int: return arguments[0]
        case .uint(let value):
            guard let value = Int64(exactly: value) else { throw CELError("integer overflow") }
            return .int(value)
        case .double(let value):
            // The ends of the range are no doubles, so the range is open.
            guard value > -9.223372036854775808e18, value < 9.223372036854775807e18 else {
                throw CELError("integer overflow")
            }
            return .int(Int64(value))
        case .string(let text):
            guard let value = Int64(text) else { throw failure(arguments[0], .int) }
            return .int(value)
        case .timestamp(let moment): return .int(moment.seconds)
        case .duration(let span): return .int(span.nanoseconds)
        default: throw .noSuchOverload
        }
    }

    private static func uint(_ arguments: [CELValue], _: inout CELMachine) throws(CELError) -> CELValue {
        switch arguments[0] {
        case .uint: return arguments[0]
        case .int(let value):
            guard let value = UInt64(exactly: value) else { throw CELError("unsigned integer overflow") }
            return .uint(value)
        case .double(let value):
            guard value >= 0, value < 0x1p64 else { throw CELError("unsigned integer overflow") }
            return .uint(UInt64(value))
        case .string(let text):
            guard let value = UInt64(text) else { throw failure(arguments[0], .uint) }
            return .uint(value)
        default: throw .noSuchOverload
        }
    }
}
