// SPDX-License-Identifier: Apache-2.0
import LinearRegex

/// Evaluates one expression: the stack of the macros' variables, and what it has cost.
///
/// What steps cost is as in cel-go's interpreter/runtimecost.go: a name or a field 1, a list 10, a map 30, an object 40,
/// a function what ``CELCost`` says, a round of a macro what its expansion costs there.
struct CELMachine {
    /// The most bytes of a text that an expression makes.
    static let maxText = 16 << 20
    /// The most elements that are looked at to compare or print values in one another.
    private static let maxVisits = 2_000_000
    /// How many patterns that are no literals are kept compiled.
    private static let maxPatterns = 16

    let activation: CELActivation
    var budget: CELBudget
    private(set) var cost: UInt64 = 0
    private let limit: UInt64
    private var locals: [CELValue] = []
    private var visits = 0
    private var patterns: [String: LinearRegex] = [:]

    init(_ activation: CELActivation, _ budget: CELBudget) {
        self.activation = activation
        self.budget = budget
        limit = budget.perCall
    }

    mutating func charge(_ amount: UInt64) throws(CELError) {
        let (sum, overflow) = cost.addingReportingOverflow(amount)
        cost = overflow ? .max : sum
        guard cost <= limit else { throw .costExceeded }
    }

    /// Counts elements of values in one another, which functions' costs do not see.
    mutating func visit(_ count: Int) throws(CELError) {
        visits += count
        guard visits <= Self.maxVisits else { throw .costExceeded }
    }

    /// A compiled pattern.
    mutating func regex(_ pattern: String) throws(CELError) -> LinearRegex {
        if let known = patterns[pattern] { return known }
        do {
            let compiled = try LinearRegex(pattern)
            if patterns.count >= Self.maxPatterns { patterns.removeAll() }
            patterns[pattern] = compiled
            return compiled
        } catch {
            throw CELError("error parsing regexp: \(error)")
        }
    }

    mutating func value(_ plan: CELPlan) throws(CELError) -> CELValue {
        switch plan {
        case .constant(let value): return value
        case .variable(let name):
            try charge(1)
            guard let value = activation.values[name] else { throw CELError("no such attribute(s): \(name)") }
            return value
        case .local(let slot):
            try charge(1)
            return locals[slot]
        case .select(let operand, let field): return try select(try value(operand), field)
        case .has(let operand, let field): return try has(try value(operand), field)
        case .optionalSelect(let operand, let field):
            try charge(1)
            return try optionalMember(try value(operand), .string(field))
        case .and(let left, let right): return try logical(left, right, decisive: false)
        case .or(let left, let right): return try logical(left, right, decisive: true)
        case .conditional(let condition, let positive, let negative):
            guard case .bool(let holds) = try value(condition) else { throw .noSuchOverload }
            return try value(holds ? positive : negative)
        case .optionalOr(let left, let right, let isValue): return try optionalOr(left, right, isValue)
        case .call(let call): return try self.call(call)
        case .list(let elements, let optional): return try list(elements, optional)
        case .map(let entries): return try map(entries)
        case .structure(let type, let fields): return try structure(type, fields)
        case .fold(let fold): return try self.fold(fold)
        }
    }

    // MARK: Names and fields

    private mutating func select(_ operand: CELValue, _ field: String) throws(CELError) -> CELValue {
        try charge(1)
        if case .optional = operand { return try optionalMember(operand, .string(field)) }
        guard let found = try member(operand, field) else { throw .noSuchKey(field) }
        return found
    }

    /// The field or member of a name; nil where it is not set.
    private mutating func member(_ operand: CELValue, _ field: String) throws(CELError) -> CELValue? {
        switch operand {
        case .object(let object): return object.field(field)
        case .map(let map): return map[.string(field)]
        case .host(let object): return try object.member(field, budget: &budget)
        default: throw .noSuchOverload
        }
    }

    private mutating func has(_ operand: CELValue, _ field: String) throws(CELError) -> CELValue {
        try charge(1)
        if case .optional(let wrapped) = operand {
            guard let wrapped else { return .bool(false) }
            return .bool(try member(wrapped, field) != nil)
        }
        return .bool(try member(operand, field) != nil)
    }

    /// What `a.?b` and `a[?b]` are.
    mutating func optionalMember(_ operand: CELValue, _ key: CELValue) throws(CELError) -> CELValue {
        switch operand {
        case .optional(let wrapped):
            guard let wrapped else { return .optional(nil) }
            return try optionalMember(wrapped, key)
        case .list(let list):
            guard let index = Self.index(key) else { throw .noSuchOverload }
            return .optional((0..<list.count).contains(index) ? list[index] : nil)
        case .map(let map): return .optional(CELKey(key).flatMap { map[$0] })
        case .object, .host:
            guard case .string(let name) = key else { throw .noSuchOverload }
            return .optional(try member(operand, name))
        default: throw .noSuchOverload
        }
    }

    /// The integer that a value is as an index of a list.
    static func index(_ value: CELValue) -> Int? {
        switch value {
        case .int(let number): Int(number)
        case .uint(let number): Int(exactly: number)
        case .double(let number): Int(exactly: number)
        default: nil
        }
    }

    // MARK: Logic

    /// `&&` and `||`: the decisive value of either side is the result, even where the other side fails.
    private mutating func logical(
        _ left: CELPlan, _ right: CELPlan, decisive: Bool
    ) throws(CELError) -> CELValue {
        var failure: CELError?
        do throws(CELError) {
            guard case .bool(let value) = try value(left) else { throw .noSuchOverload }
            if value == decisive { return .bool(value) }
        } catch {
            guard error.isAbsorbed else { throw error }
            failure = error
        }
        guard case .bool(let value) = try value(right) else { throw failure ?? .noSuchOverload }
        if let failure, value != decisive { throw failure }
        return .bool(value)
    }

    private mutating func optionalOr(
        _ left: CELPlan, _ right: CELPlan, _ isValue: Bool
    ) throws(CELError) -> CELValue {
        guard case .optional(let wrapped) = try value(left) else { throw .noSuchOverload }
        try charge(1)
        guard let wrapped else {
            let other = try value(right)
            if isValue { return other }
            guard case .optional = other else { throw .noSuchOverload }
            return other
        }
        return isValue ? wrapped : .optional(wrapped)
    }

    private mutating func call(_ call: CELCall) throws(CELError) -> CELValue {
        var arguments: [CELValue] = []
        arguments.reserveCapacity(call.arguments.count)
        for argument in call.arguments { arguments.append(try value(argument)) }
        try charge(CELCost.before(call.function.name, arguments))
        if let regex = call.regex { return try CELFunction.match(call.function.name, arguments, regex, &self) }
        let result = try call.function.body(arguments, &self)
        try charge(CELCost.after(call.function.name, result))
        return result
    }

    // MARK: Aggregates

    private mutating func list(_ elements: [CELPlan], _ optional: Set<Int>) throws(CELError) -> CELValue {
        try charge(10)
        var values: [CELValue] = []
        values.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            let element = try value(element)
            guard optional.contains(index) else {
                values.append(element)
                continue
            }
            guard case .optional(let wrapped) = element else { throw .noSuchOverload }
            if let wrapped { values.append(wrapped) }
        }
        return .list(CELList(values))
    }

    private mutating func map(_ plans: [CELEntryPlan]) throws(CELError) -> CELValue {
        try charge(30)
        var entries: [CELKey: CELMap.Entry] = [:]
        for plan in plans {
            let key = try value(plan.key)
            var member = try value(plan.value)
            if plan.isOptional {
                guard case .optional(let wrapped) = member else { throw .noSuchOverload }
                guard let wrapped else { continue }
                member = wrapped
            }
            try Self.insert(key, member, &entries)
        }
        return .map(CELMap(entries))
    }

    private static func insert(
        _ key: CELValue, _ value: CELValue, _ entries: inout [CELKey: CELMap.Entry]
    ) throws(CELError) {
        guard let hashed = CELKey(key) else { throw CELError("unsupported key type: \(key.type.runtimeName)") }
        guard entries.updateValue(CELMap.Entry(key: key, value: value), forKey: hashed) == nil else {
            throw CELError("Failed with repeated key")
        }
    }

    private mutating func structure(_ type: CELObjectType, _ plans: [CELFieldPlan]) throws(CELError) -> CELValue {
        try charge(40)
        var fields: [String: CELValue] = [:]
        for plan in plans {
            var field = try value(plan.value)
            if plan.isOptional {
                guard case .optional(let wrapped) = field else { throw .noSuchOverload }
                guard let wrapped else { continue }
                field = wrapped
            }
            fields[plan.name] = field
        }
        return .object(CELObject(type: type, values: fields))
    }

    // MARK: Macros

    private mutating func fold(_ fold: CELFoldPlan) throws(CELError) -> CELValue {
        let range = try value(fold.range)
        let depth = locals.count
        defer { locals.removeSubrange(depth...) }
        switch fold.kind {
        case .bind:
            locals.append(range)
            return try value(fold.body)
        case .optionalMap, .optionalFlatMap:
            guard case .optional(let wrapped) = range else { throw .noSuchOverload }
            guard let wrapped else { return .optional(nil) }
            locals.append(wrapped)
            let result = try value(fold.body)
            if fold.kind == .optionalMap { return .optional(result) }
            guard case .optional = result else { throw .noSuchOverload }
            return result
        default: break
        }
        switch range {
        case .list(let list):
            return try rounds(fold, count: list.count, range: range) { index in
                fold.hasTwoVariables ? (.int(Int64(index)), list[index]) : (list[index], nil)
            }
        case .map(let map):
            let keys = map.keys
            return try rounds(fold, count: keys.count, range: range) { index in
                (keys[index], fold.hasTwoVariables ? CELKey(keys[index]).flatMap { map[$0] } ?? .null : nil)
            }
        default: throw .noSuchOverload
        }
    }

    private mutating func rounds(
        _ fold: CELFoldPlan, count: Int, range: CELValue, _ variables: (Int) -> (CELValue, CELValue?)
    ) throws(CELError) -> CELValue {
        var result = CELFoldResult(fold.kind)
        let base = locals.count
        for index in 0..<count {
            let (first, second) = variables(index)
            locals.append(first)
            if let second { locals.append(second) }
            let isDone = try round(fold, &result, first)
            locals.removeSubrange(base...)
            if isDone { break }
        }
        try charge(1)
        return try result.value(range, &self)
    }

    /// One round of a macro; tells whether its result is certain.
    private mutating func round(
        _ fold: CELFoldPlan, _ result: inout CELFoldResult, _ first: CELValue
    ) throws(CELError) -> Bool {
        if let filter = fold.filter {
            try charge(1)
            guard case .bool(let holds) = try value(filter) else { throw .noSuchOverload }
            guard holds else { return false }
        }
        switch fold.kind {
        case .all, .exists:
            try charge(fold.kind == .all ? 3 : 4)
            do throws(CELError) {
                guard case .bool(let holds) = try value(fold.body) else { throw .noSuchOverload }
                return result.decide(holds)
            } catch {
                guard error.isAbsorbed else { throw error }
                result.failure = result.failure ?? error
                return false
            }
        case .existsOne, .filter:
            try charge(1)
            guard case .bool(let holds) = try value(fold.body) else { throw .noSuchOverload }
            if holds {
                try charge(fold.kind == .filter ? 12 : 1)
                result.append(first)
            }
        case .transformMapEntry:
            try charge(32)
            guard case .map(let map) = try value(fold.body) else { throw .noSuchOverload }
            for (_, entry) in map.entries { try Self.insert(entry.key, entry.value, &result.entries) }
        case .transformMap:
            try charge(2)
            try Self.insert(first, try value(fold.body), &result.entries)
        default:
            try charge(12)
            result.append(try value(fold.body))
        }
        return false
    }

    /// The value of an expression, and what is left of the budget.
    static func evaluate(
        _ plan: CELPlan, _ activation: CELActivation, _ budget: inout CELBudget
    ) throws(CELError) -> CELValue {
        var machine = CELMachine(activation, budget)
        defer {
            let rest = machine.budget.remaining
            budget.remaining = rest > machine.cost ? rest - machine.cost : 0
        }
        return try machine.value(plan)
    }
}

/// What the rounds of a macro have gathered.
struct CELFoldResult {
    private let kind: CELFold.Kind
    private var values: [CELValue] = []
    private var decision: Bool?
    var entries: [CELKey: CELMap.Entry] = [:]
    /// What one round of `all` or `exists` failed with; counts unless another round decides.
    var failure: CELError?

    init(_ kind: CELFold.Kind) { self.kind = kind }

    mutating func append(_ value: CELValue) { values.append(value) }

    /// Takes in the outcome of a round of `all` or `exists`; tells whether the result is certain.
    mutating func decide(_ holds: Bool) -> Bool {
        guard holds == (kind == .exists) else { return false }
        decision = holds
        return true
    }

    func value(_ range: CELValue, _ machine: inout CELMachine) throws(CELError) -> CELValue {
        switch kind {
        case .all, .exists:
            if let decision { return .bool(decision) }
            if let failure { throw failure }
            return .bool(kind == .all)
        case .existsOne: return .bool(values.count == 1)
        case .transformMap, .transformMapEntry: return .map(CELMap(entries))
        case .sortBy:
            guard case .list(let list) = range else { throw .noSuchOverload }
            return .list(CELList(try CELFunction.sort(list.values, by: values, &machine)))
        default: return .list(CELList(values))
        }
    }
}
