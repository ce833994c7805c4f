// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Functions of numbers.
///
/// Source: cel-go ext/math.
extension CELFunction {
    private static let extremes: [String] = {
        let types = ["int", "uint", "double"]
        var signatures = types.map { "\($0) -> \($0)" } + types.map { "list(\($0)) -> \($0)" }
        for left in types {
            for right in types { signatures.append("\(left), \(right) -> \(left == right ? left : "dyn")") }
        }
        // More arguments than two are a list in all but form.
        for count in 3...8 {
            signatures.append(Array(repeating: "dyn", count: count).joined(separator: ", ") + " -> dyn")
        }
        return signatures
    }()

    static let maths: [CELFunction] = [
        CELFunction("math.greatest", extremes) { arguments, _ throws(CELError) in
            try best(arguments) { left, right throws(CELError) in try CELOrder.isLess(right, left) }
        },
        CELFunction("math.least", extremes) { arguments, _ throws(CELError) in
            try best(arguments) { left, right throws(CELError) in try CELOrder.isLess(left, right) }
        },
        rounding("math.ceil") { $0.rounded(.up) }, rounding("math.floor") { $0.rounded(.down) },
        rounding("math.round") { $0.rounded(.toNearestOrAwayFromZero) },
        rounding("math.trunc") { $0.rounded(.towardZero) },
        test("math.isNaN") { $0.isNaN }, test("math.isInf") { $0.isInfinite }, test("math.isFinite") { $0.isFinite },
        CELFunction("math.abs", ["int -> int", "uint -> uint", "double -> double"]) { arguments, _ throws(CELError) in
            switch arguments[0] {
            case .int(let value):
                guard value != .min else { throw CELError("integer overflow") }
                return .int(abs(value))
            case .uint: return arguments[0]
            case .double(let value): return .double(value.magnitude)
            default: throw .noSuchOverload
            }
        },
        CELFunction("math.sign", ["int -> int", "uint -> uint", "double -> double"]) { arguments, _ throws(CELError) in
            switch arguments[0] {
            case .int(let value): .int(value.signum())
            case .uint(let value): .uint(value > 0 ? 1 : 0)
            case .double(let value): .double(value.isNaN ? .nan : value > 0 ? 1 : value < 0 ? -1 : 0)
            default: throw .noSuchOverload
            }
        },
        CELFunction("math.sqrt", ["int", "uint", "double"].map { "\($0) -> double" }) { arguments, _ throws(CELError) in
            switch arguments[0] {
            case .int(let value): .double(Double(value).squareRoot())
            case .uint(let value): .double(Double(value).squareRoot())
            case .double(let value): .double(value.squareRoot())
            default: throw .noSuchOverload
            }
        },
        bits("math.bitOr") { $0 | $1 }, bits("math.bitAnd") { $0 & $1 }, bits("math.bitXor") { $0 ^ $1 },
        CELFunction("math.bitNot", ["int -> int", "uint -> uint"]) { arguments, _ throws(CELError) in
            switch arguments[0] {
            case .int(let value): .int(~value)
            case .uint(let value): .uint(~value)
            default: throw .noSuchOverload
            }
        },
        shift("math.bitShiftLeft") { $0 << $1 }, shift("math.bitShiftRight") { $0 >> $1 },
    ]

    private static func best(
        _ arguments: [CELValue], _ isBetter: (CELValue, CELValue) throws(CELError) -> Bool
    ) throws(CELError) -> CELValue {
        var values = arguments
        if arguments.count == 1, case .list(let list) = arguments[0] { values = list.values }
        guard var best = values.first else { throw CELError("math.@min(list) argument must not be empty") }
        for value in values {
            switch value {
            case .int, .uint, .double: break
            default: throw .noSuchOverload
            }
            if try isBetter(value, best) { best = value }
        }
        return best
    }

    private static func rounding(_ name: String, _ round: @escaping @Sendable (Double) -> Double) -> CELFunction {
        CELFunction(name, ["double -> double"]) { arguments, _ throws(CELError) in
            guard case .double(let value) = arguments[0] else { throw .noSuchOverload }
            return .double(round(value))
        }
    }

    private static func test(_ name: String, _ test: @escaping @Sendable (Double) -> Bool) -> CELFunction {
        CELFunction(name, ["double -> bool"]) { arguments, _ throws(CELError) in
            guard case .double(let value) = arguments[0] else { throw .noSuchOverload }
            return .bool(test(value))
        }
    }

    private static func bits(_ name: String, _ combine: @escaping @Sendable (UInt64, UInt64) -> UInt64) -> CELFunction {
        CELFunction(name, ["int, int -> int", "uint, uint -> uint"]) { arguments, _ throws(CELError) in
            switch (arguments[0], arguments[1]) {
            case (.int(let left), .int(let right)):
                return .int(Int64(bitPattern: combine(UInt64(bitPattern: left), UInt64(bitPattern: right))))
            case (.uint(let left), .uint(let right)): return .uint(combine(left, right))
            default: throw .noSuchOverload
            }
        }
    }

    private static func shift(_ name: String, _ move: @escaping @Sendable (UInt64, Int64) -> UInt64) -> CELFunction {
        CELFunction(name, ["int, int -> int", "uint, int -> uint"]) { arguments, _ throws(CELError) in
            guard case .int(let count) = arguments[1] else { throw .noSuchOverload }
            guard count >= 0 else { throw CELError("\(name)() negative offset: \(count)") }
            switch arguments[0] {
            case .int(let value): return .int(Int64(bitPattern: move(UInt64(bitPattern: value), min(count, 64))))
            case .uint(let value): return .uint(move(value, min(count, 64)))
            default: throw .noSuchOverload
            }
        }
    }
}
