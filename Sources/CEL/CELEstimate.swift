// SPDX-License-Identifier: Apache-2.0

/// The most that an expression costs, and how large its value is.
///
/// Source: cel-go checker/cost.go, and k8s.io/apiserver/pkg/cel/library/cost.go.
struct CELEstimate: Sendable {
    var cost: UInt64 = 0
    /// What is declared of the value.
    var schema: CELSchema?
    /// The most bytes, elements or members; nil where nothing is known.
    var size: UInt64?
    /// The most bytes, elements or members of an element; nil where nothing is known.
    private var elementSize: UInt64?

    init(cost: UInt64 = 0, schema: CELSchema? = nil, size: UInt64? = nil) {
        self.cost = cost
        self.schema = schema
        self.size = size ?? schema?.size
    }

    static func literal(_ value: CELValue) -> CELEstimate { CELEstimate(size: CELCost.size(value)) }

    /// The most that a request holds of anything.
    private var known: UInt64 { size ?? .max }

    /// The size of a key: an index has none to speak of.
    var keySize: UInt64? {
        guard case .map = schema?.shape else { return 1 }
        return CELSchema.maxRequestSize
    }

    /// The value of a variable that is read again.
    func read() -> CELEstimate {
        var estimate = self
        estimate.cost = 1
        return estimate
    }

    func withoutCost() -> CELEstimate {
        var estimate = self
        estimate.cost = 0
        return estimate
    }

    func adding(_ cost: UInt64) -> CELEstimate {
        var estimate = self
        estimate.cost = CELCost.sum(self.cost, cost)
        return estimate
    }

    /// A literal list with one more element.
    func holding(_ element: CELEstimate) -> CELEstimate {
        var estimate = self
        estimate.elementSize = max(elementSize ?? 0, element.known)
        return estimate
    }

    /// Either of two values.
    func union(_ other: CELEstimate) -> CELEstimate {
        var estimate = CELEstimate(cost: max(cost, other.cost), size: max(known, other.known))
        estimate.elementSize = max(elementSize ?? 0, other.elementSize ?? 0)
        if schema != nil, other.schema == nil { estimate.schema = schema }
        return estimate
    }

    /// A field or a member.
    func member(_ field: String) -> CELEstimate {
        let cost = CELCost.sum(cost, 1)
        switch schema?.shape {
        case .object(let type): return CELEstimate(cost: cost, schema: type.field(field)?.schema)
        case .map(let value): return CELEstimate(cost: cost, schema: value)
        default: return CELEstimate(cost: cost, size: elementSize)
        }
    }

    /// An element of a list, or a key of a map.
    func element() -> CELEstimate {
        switch schema?.shape {
        case .list(let element, _): CELEstimate(schema: element)
        case .map: CELEstimate(size: CELSchema.maxRequestSize)
        default: CELEstimate(size: elementSize)
        }
    }

    /// A call: what its arguments cost and the call itself.
    static func call(_ function: String, _ arguments: [CELEstimate]) -> CELEstimate {
        let spent = arguments.reduce(UInt64(0)) { CELCost.sum($0, $1.cost) }
        let first = arguments.first?.known ?? 1
        let second = arguments.dropFirst().first?.known ?? 1
        var result = CELEstimate()
        var own: UInt64 = 1
        switch function {
        case "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_": own = max(1, CELCost.traversal(min(first, second)))
        case "_+_":
            result.size = CELCost.sum(first, second)
            result.elementSize = arguments.compactMap { $0.element().size }.max()
            own = max(1, CELCost.traversal(CELCost.sum(first, second)))
        case "@in": own = second
        case "contains": own = CELCost.product(CELCost.traversal(first), CELCost.traversal(second))
        case "startsWith", "endsWith": own = CELCost.traversal(second)
        case "matches", "find", "findAll":
            own = CELCost.regex(text: first, pattern: second)
            (result.size, result.elementSize) = (first, first)
        case "check": own = CELCost.accessCheck
        case "_[_]", "_[?_]":
            if let list = arguments.first {
                if case .map(let value) = list.schema?.shape {
                    result = CELEstimate(schema: value)
                } else {
                    result = list.element()
                }
            }
        case "isSorted", "sum", "max", "min", "indexOf", "lastIndexOf":
            let each = max(1, CELCost.traversal(arguments.first?.element().size ?? 1))
            own = CELCost.product(first, each)
        case "replace", "split":
            own = CELCost.traversal(first, times: 2)
            (result.size, result.elementSize) = (
                CELCost.product(first, function == "replace" ? max(1, second) : 1), first
            )
        case "join":
            let each = CELCost.sum(arguments.first?.element().size ?? .max, arguments.count > 1 ? second : 0)
            result.size = CELCost.product(first, each)
            own = CELCost.traversal(CELCost.product(first, each), times: 2)
        case "sets.contains", "sets.equivalent", "sets.intersects": own = CELCost.product(first, max(1, second))
        case "distinct":
            own = CELCost.product(first, first)
            result = arguments.first?.withoutCost() ?? result
        case "size", "type", "_-_", "_*_", "_/_", "_%_", "!_", "-_", "hasValue": result.size = 1
        case "lowerAscii", "upperAscii", "substring", "trim", "string", "bytes", "reverse", "charAt", "sort", "slice",
            "dyn", "optional.of", "value", "orValue", "or", "base64.encode", "base64.decode", "flatten":
            own = max(1, CELCost.traversal(first))
            result = arguments.first?.withoutCost() ?? result
        case "url", "cidr", "ip", "isIP", "isCIDR", "isURL", "quantity", "isQuantity", "semver", "isSemver", "validate",
            "timestamp", "duration", "ip.isCanonical":
            own = max(1, CELCost.traversal(first))
            result.size = 1
        default: break
        }
        return result.adding(CELCost.sum(spent, own))
    }

    /// A macro: its rounds, each with what its expansion in cel-go costs besides.
    static func fold(
        _ kind: CELFold.Kind, _ range: CELEstimate, filter: CELEstimate?, _ body: CELEstimate
    ) -> CELEstimate {
        var result = CELEstimate()
        var own: UInt64 = 1
        switch kind {
        case .bind, .optionalMap, .optionalFlatMap: return body.adding(range.cost)
        case .all: own = 3
        case .exists: own = 4
        case .existsOne: own = 2
        case .filter:
            own = 13
            result = range.withoutCost()
        case .map:
            own = 12
            (result.size, result.elementSize) = (range.known, body.size)
        case .transformMap, .transformMapEntry:
            own = 32
            (result.size, result.elementSize) = (range.known, body.size)
        case .sortBy:
            own = 12
            result = range.withoutCost()
        }
        let round = CELCost.sum(own, CELCost.sum(body.cost, CELCost.sum(filter?.cost ?? 0, filter == nil ? 0 : 1)))
        return result.adding(CELCost.sum(CELCost.product(range.known, round), CELCost.sum(range.cost, 1)))
    }
}

extension CELSchema {
    /// The most bytes, elements or members of a value.
    var size: UInt64? {
        switch shape {
        case .bool, .int, .double, .timestamp, .date, .duration, .object: 1
        default: maxElements
        }
    }
}
