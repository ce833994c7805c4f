// SPDX-License-Identifier: Apache-2.0

/// Functions of lists as sets, of optional values, and of encodings.
///
/// Source: cel-go ext/sets, ext/encoders, and its optional types.
extension CELFunction {
    static let sets: [CELFunction] = [
        CELFunction("sets.contains", ["list(A), list(A) -> bool"]) { arguments, machine throws(CELError) in
            .bool(try containsAll(list(arguments[0]), list(arguments[1]), &machine))
        },
        CELFunction("sets.equivalent", ["list(A), list(A) -> bool"]) { arguments, machine throws(CELError) in
            let (left, right) = (try list(arguments[0]), try list(arguments[1]))
            guard try containsAll(left, right, &machine) else { return .bool(false) }
            return .bool(try containsAll(right, left, &machine))
        },
        CELFunction("sets.intersects", ["list(A), list(A) -> bool"]) { arguments, machine throws(CELError) in
            let (left, right) = (try list(arguments[0]), try list(arguments[1]))
            for index in 0..<right.count where try machine.contains(left, right[index]) { return .bool(true) }
            return .bool(false)
        },
    ]

    private static func containsAll(
        _ list: CELList, _ wanted: CELList, _ machine: inout CELMachine
    ) throws(CELError) -> Bool {
        for index in 0..<wanted.count where try !machine.contains(list, wanted[index]) { return false }
        return true
    }

    static let optionals: [CELFunction] = [
        CELFunction("optional.of", ["A -> optional(A)"]) { arguments, _ throws(CELError) in .optional(arguments[0]) },
        CELFunction("optional.none", [" -> optional(A)"]) { _, _ throws(CELError) in .optional(nil) },
        CELFunction("optional.ofNonZeroValue", ["A -> optional(A)"]) { arguments, _ throws(CELError) in
            .optional(isZero(arguments[0]) ? nil : arguments[0])
        },
        CELFunction("hasValue", [".optional(A) -> bool"]) { arguments, _ throws(CELError) in
            guard case .optional(let value) = arguments[0] else { throw .noSuchOverload }
            return .bool(value != nil)
        },
        CELFunction("value", [".optional(A) -> A"]) { arguments, _ throws(CELError) in
            guard case .optional(let value) = arguments[0] else { throw .noSuchOverload }
            guard let value else { throw CELError("optional.none() dereference") }
            return value
        },
        // Both are planned as expressions of their own, which leave the other value alone where it is not needed.
        CELFunction("or", [".optional(A), optional(A) -> optional(A)"]) { arguments, _ throws(CELError) in
            guard case .optional(let value) = arguments[0] else { throw .noSuchOverload }
            return value == nil ? arguments[1] : arguments[0]
        },
        CELFunction("orValue", [".optional(A), A -> A"]) { arguments, _ throws(CELError) in
            guard case .optional(let value) = arguments[0] else { throw .noSuchOverload }
            return value ?? arguments[1]
        },
        CELFunction("optional.unwrap", ["list(optional(A)) -> list(A)"], body: unwrap),
        CELFunction("unwrapOpt", [".list(optional(A)) -> list(A)"], body: unwrap),
    ]

    private static func unwrap(_ arguments: [CELValue], _: inout CELMachine) throws(CELError) -> CELValue {
        var values: [CELValue] = []
        for element in try list(arguments[0]).values {
            guard case .optional(let value) = element else { throw .noSuchOverload }
            if let value { values.append(value) }
        }
        return .list(CELList(values))
    }

    private static func isZero(_ value: CELValue) -> Bool {
        switch value {
        case .null: true
        case .bool(let flag): !flag
        case .int(let number): number == 0
        case .uint(let number): number == 0
        case .double(let number): number == 0
        case .string(let text): text.isEmpty
        case .bytes(let bytes): bytes.isEmpty
        case .list(let list): list.count == 0
        case .map(let map): map.count == 0
        case .object(let object): object.fields.isEmpty
        case .duration(let span): span.nanoseconds == 0
        case .optional(let value): value == nil
        default: false
        }
    }

    static let encodings: [CELFunction] = [
        CELFunction("jsonpatch.escapeKey", ["string -> string"]) { arguments, _ throws(CELError) in
            guard case .string(let key) = arguments[0] else { throw .noSuchOverload }
            return .string(key.unicodeScalars.map { $0 == "~" ? "~0" : $0 == "/" ? "~1" : String($0) }.joined())
        },
        CELFunction("base64.encode", ["bytes -> string"]) { arguments, _ throws(CELError) in
            guard case .bytes(let bytes) = arguments[0] else { throw .noSuchOverload }
            return .string(CELBase64.encode(bytes))
        },
        CELFunction("base64.decode", ["string -> bytes"]) { arguments, _ throws(CELError) in
            guard case .string(let text) = arguments[0] else { throw .noSuchOverload }
            guard let bytes = CELBase64.decode(text) else { throw CELError("illegal base64 data") }
            return .bytes(bytes)
        },
    ]
}
