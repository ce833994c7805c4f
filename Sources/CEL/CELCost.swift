// SPDX-License-Identifier: Apache-2.0

/// What functions cost when they run.
///
/// Source: cel-go interpreter/runtimecost.go, and k8s.io/apiserver/pkg/cel/library/cost.go.
enum CELCost {
    /// A check of access, which may leave the process.
    static let accessCheck: UInt64 = 350_000

    /// A tenth per byte of text or element.
    static func traversal(_ size: UInt64, times factor: UInt64 = 1) -> UInt64 {
        let (product, overflow) = size.multipliedReportingOverflow(by: factor)
        return overflow ? .max : product / 10 + (product % 10 > 0 ? 1 : 0)
    }

    static func product(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (product, overflow) = left.multipliedReportingOverflow(by: right)
        return overflow ? .max : product
    }

    static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }

    static func regex(text: UInt64, pattern: UInt64) -> UInt64 {
        product(traversal(sum(text, 1)), pattern / 4 + (pattern % 4 > 0 ? 1 : 0))
    }

    /// The size of a value: code points, bytes, elements, members; 1 for what has none.
    static func size(_ value: CELValue?) -> UInt64 {
        switch value {
        // Bytes, not code points: as good a measure, and it costs nothing to know.
        case .string(let text): UInt64(text.utf8.count)
        case .bytes(let bytes): UInt64(bytes.count)
        case .list(let list): UInt64(list.count)
        case .map(let map): UInt64(map.count)
        default: 1
        }
    }

    private static func elements(_ value: CELValue?) -> UInt64 {
        guard case .list(let list) = value else { return traversal(size(value)) }
        guard list.count > 0 else { return 0 }
        // Elements are alike: what the first one costs stands for each.
        return product(UInt64(list.count), size(list[0]) > 1 ? traversal(size(list[0])) : 1)
    }

    /// What a call costs, as far as its arguments tell.
    static func before(_ function: String, _ arguments: [CELValue]) -> UInt64 {
        let first = size(arguments.first)
        let second = size(arguments.dropFirst().first)
        switch function {
        case "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_": return traversal(min(first, second))
        case "_+_":
            if case .list = arguments.first { return 1 }
            return traversal(sum(first, second))
        case "@in":
            if case .list = arguments.dropFirst().first { return second }
            return 1
        case "contains":
            if case .string = arguments.first { return product(traversal(first), traversal(second)) }
            return 1
        case "startsWith", "endsWith": return traversal(second)
        case "matches", "find", "findAll": return regex(text: first, pattern: second)
        case "check": return accessCheck
        case "isSorted", "sum", "max", "min", "indexOf", "lastIndexOf":
            return elements(arguments.first)
        case "replace", "split", "ip.isCanonical": return traversal(first, times: 2)
        case "sets.contains", "sets.equivalent", "sets.intersects": return product(first, max(1, second))
        case "distinct": return product(first, first)
        case "url", "lowerAscii", "upperAscii", "substring", "trim", "cidr", "ip", "isIP", "isCIDR", "isURL",
            "quantity", "isQuantity", "semver", "isSemver", "validate", "string", "bytes", "reverse", "strings.quote",
            "charAt", "base64.encode", "base64.decode", "flatten", "slice", "sort", "timestamp", "duration":
            return max(1, traversal(first))
        default: return 1
        }
    }

    /// What a call costs for the result that it made.
    static func after(_ function: String, _ result: CELValue) -> UInt64 {
        switch function {
        case "join", "format", "replace": traversal(size(result), times: 2)
        case "split", "findAll", "lists.range", "flatten": size(result)
        default: 0
        }
    }
}
