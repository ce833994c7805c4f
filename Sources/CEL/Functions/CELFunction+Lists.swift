// SPDX-License-Identifier: Apache-2.0

/// Functions of lists.
///
/// Source: Kubernetes documentation, "Common Expression Language in Kubernetes: list library"; cel-go ext/lists.
extension CELFunction {
    private static let ordered = ["int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes"]

    static let lists: [CELFunction] = [
        CELFunction("isSorted", ordered.map { ".list(\($0)) -> bool" }) { arguments, machine throws(CELError) in
            let list = try list(arguments[0])
            guard list.count > 1 else { return .bool(true) }
            for index in 1..<list.count where try CELOrder.isLess(list[index], list[index - 1]) {
                return .bool(false)
            }
            return .bool(true)
        },
        CELFunction("sum", ["int", "uint", "double", "duration"].map { ".list(\($0)) -> \($0)" }) {
            arguments, machine throws(CELError) in
            let list = try list(arguments[0])
            guard list.count > 0 else { return .int(0) }
            var sum = list[0]
            guard let add = CELFunction.table["_+_"] else { throw .noSuchOverload }
            for index in 1..<max(1, list.count) { sum = try add.body([sum, list[index]], &machine) }
            switch sum {
            case .int, .uint, .double, .duration: return sum
            default: throw .noSuchOverload
            }
        },
        CELFunction("min", ordered.map { ".list(\($0)) -> \($0)" }) { arguments, _ throws(CELError) in
            try extreme(list(arguments[0]), "min") { candidate, best throws(CELError) in
                try CELOrder.isLess(candidate, best)
            }
        },
        CELFunction("max", ordered.map { ".list(\($0)) -> \($0)" }) { arguments, _ throws(CELError) in
            try extreme(list(arguments[0]), "max") { candidate, best throws(CELError) in
                try CELOrder.isLess(best, candidate)
            }
        },
        CELFunction("indexOf", [".list(A), A -> int"]) { arguments, machine throws(CELError) in
            let list = try list(arguments[0])
            for index in 0..<list.count where try machine.isEqual(list[index], arguments[1]) {
                return .int(Int64(index))
            }
            return .int(-1)
        },
        CELFunction("lastIndexOf", [".list(A), A -> int"]) { arguments, machine throws(CELError) in
            let list = try list(arguments[0])
            for index in (0..<list.count).reversed() where try machine.isEqual(list[index], arguments[1]) {
                return .int(Int64(index))
            }
            return .int(-1)
        },
        CELFunction("slice", [".list(A), int, int -> list(A)"]) { arguments, _ throws(CELError) in
            let list = try list(arguments[0])
            guard case .int(let start) = arguments[1], case .int(let end) = arguments[2] else {
                throw .noSuchOverload
            }
            guard start >= 0, end >= 0 else {
                throw CELError("cannot slice(\(start), \(end)), negative indexes not supported")
            }
            guard start <= end else {
                throw CELError("cannot slice(\(start), \(end)), start index must be less than or equal to end index")
            }
            guard end <= list.count else {
                throw CELError("cannot slice(\(start), \(end)), list is length \(list.count)")
            }
            return .list(CELList((Int(start)..<Int(end)).map { list[$0] }))
        },
        CELFunction("flatten", [".list(list(A)) -> list(A)", ".list(dyn), int -> list(dyn)"]) {
            arguments, machine throws(CELError) in
            var depth = Int64(1)
            if arguments.count > 1 {
                guard case .int(let given) = arguments[1] else { throw .noSuchOverload }
                guard given >= 0 else { throw CELError("level must be non-negative") }
                depth = given
            }
            var values: [CELValue] = []
            try flatten(try list(arguments[0]), depth, &values, &machine)
            return .list(CELList(values))
        },
        CELFunction("distinct", [".list(A) -> list(A)"]) { arguments, machine throws(CELError) in
            let list = try list(arguments[0])
            var values: [CELValue] = []
            for index in 0..<list.count where try !machine.contains(CELList(values), list[index]) {
                values.append(list[index])
            }
            return .list(CELList(values))
        },
        CELFunction("reverse", [".list(A) -> list(A)"]) { arguments, _ throws(CELError) in
            .list(CELList(try list(arguments[0]).values.reversed()))
        },
        CELFunction("sort", ordered.map { ".list(\($0)) -> list(\($0))" }) { arguments, machine throws(CELError) in
            let values = try list(arguments[0]).values
            return .list(CELList(try sort(values, by: values, &machine)))
        },
        CELFunction("lists.range", ["int -> list(int)"]) { arguments, machine throws(CELError) in
            guard case .int(let count) = arguments[0] else { throw .noSuchOverload }
            guard count <= 1_000_000 else { throw .costExceeded }
            return .list(CELList((0..<max(0, count)).map(CELValue.int)))
        },
        CELFunction("first", [".list(A) -> optional(A)"]) { arguments, _ throws(CELError) in
            let list = try list(arguments[0])
            return .optional(list.count > 0 ? list[0] : nil)
        },
        CELFunction("last", [".list(A) -> optional(A)"]) { arguments, _ throws(CELError) in
            let list = try list(arguments[0])
            return .optional(list.count > 0 ? list[list.count - 1] : nil)
        },
    ]

    static func list(_ value: CELValue) throws(CELError) -> CELList {
        guard case .list(let list) = value else { throw .noSuchOverload }
        return list
    }

    private static func extreme(
        _ list: CELList, _ name: String, _ isBetter: (CELValue, CELValue) throws(CELError) -> Bool
    ) throws(CELError) -> CELValue {
        guard list.count > 0 else { throw CELError("\(name) called on empty list") }
        var best = list[0]
        for index in 1..<max(1, list.count) where try isBetter(list[index], best) { best = list[index] }
        return best
    }

    private static func flatten(
        _ list: CELList, _ depth: Int64, _ values: inout [CELValue], _ machine: inout CELMachine
    ) throws(CELError) {
        try machine.visit(list.count)
        for index in 0..<list.count {
            if depth > 0, case .list(let inner) = list[index] {
                try flatten(inner, depth - 1, &values, &machine)
            } else {
                values.append(list[index])
            }
        }
    }

    /// Values in the order of their keys, equal ones as they were.
    static func sort(
        _ values: [CELValue], by keys: [CELValue], _ machine: inout CELMachine
    ) throws(CELError) -> [CELValue] {
        try machine.charge(UInt64(values.count))
        if let first = keys.first {
            // Finds keys that have no order before sorting, which cannot fail.
            for key in keys where first.type != key.type {
                throw CELError("list elements must have the same type")
            }
            _ = try CELOrder.isLess(first, first)
        }
        let order = values.indices.sorted { left, right in
            if let isLess = try? CELOrder.isLess(keys[left], keys[right]), isLess { return true }
            if let isLess = try? CELOrder.isLess(keys[right], keys[left]), isLess { return false }
            return left < right
        }
        return order.map { values[$0] }
    }
}
