// SPDX-License-Identifier: Apache-2.0

/// The order of values, numbers of different types included.
enum CELOrder {
    static func isLess(_ left: CELValue, _ right: CELValue) throws(CELError) -> Bool {
        guard let order = try compare(left, right) else { return false }
        return order < 0
    }

    static func isAtMost(_ left: CELValue, _ right: CELValue) throws(CELError) -> Bool {
        guard let order = try compare(left, right) else { return false }
        return order <= 0
    }

    private static func sign<Value: Comparable>(_ left: Value, _ right: Value) -> Int {
        left < right ? -1 : left == right ? 0 : 1
    }

    /// -1, 0 or 1; nil where a number is NaN.
    static func compare(_ left: CELValue, _ right: CELValue) throws(CELError) -> Int? {
        if let order = numbers(left, right) { return order }
        switch (left, right) {
        case (.double(let left), .double(let right)) where left.isNaN || right.isNaN: return nil
        case (.double(let value), .int), (.double(let value), .uint), (.int, .double(let value)),
            (.uint, .double(let value)):
            guard value.isNaN else { throw .noSuchOverload }
            return nil
        case (.bool(let left), .bool(let right)): return left == right ? 0 : left ? 1 : -1
        case (.string(let left), .string(let right)):
            return CELText.isEqual(left, right) ? 0 : CELText.isLess(left, right) ? -1 : 1
        case (.bytes(let left), .bytes(let right)):
            return left == right ? 0 : left.lexicographicallyPrecedes(right) ? -1 : 1
        case (.timestamp(let left), .timestamp(let right)): return sign(left, right)
        case (.duration(let left), .duration(let right)): return sign(left, right)
        default: throw .noSuchOverload
        }
    }

    /// The order of two numbers; nil where one is none or is NaN.
    static func numbers(_ left: CELValue, _ right: CELValue) -> Int? {
        switch (left, right) {
        case (.int(let left), .int(let right)): sign(left, right)
        case (.uint(let left), .uint(let right)): sign(left, right)
        case (.double(let left), .double(let right)): left.isNaN || right.isNaN ? nil : sign(left, right)
        case (.int(let left), .uint(let right)): left < 0 ? -1 : sign(UInt64(left), right)
        case (.uint, .int), (.double, .int), (.double, .uint): numbers(right, left).map { -$0 }
        case (.int(let left), .double(let right)): mixed(Int128(left), right)
        case (.uint(let left), .double(let right)): mixed(Int128(left), right)
        default: nil
        }
    }

    private static func mixed(_ left: Int128, _ right: Double) -> Int? {
        guard !right.isNaN else { return nil }
        if right >= 1e20 { return -1 }
        if right <= -1e20 { return 1 }
        let whole = Int128(right.rounded(.down))
        guard left == whole else { return sign(left, whole) }
        return right > right.rounded(.down) ? -1 : 0
    }
}

extension CELMachine {
    /// Whether values are equal: numbers across types, lists of type set whatever the order, of type map by keys.
    mutating func isEqual(_ left: CELValue, _ right: CELValue) throws(CELError) -> Bool {
        if let order = CELOrder.numbers(left, right) { return order == 0 }
        switch (left, right) {
        case (.null, .null): return true
        case (.bool(let left), .bool(let right)): return left == right
        case (.string(let left), .string(let right)): return CELText.isEqual(left, right)
        case (.bytes(let left), .bytes(let right)): return left == right
        case (.timestamp(let left), .timestamp(let right)): return left == right
        case (.duration(let left), .duration(let right)): return left == right
        case (.type(let left), .type(let right)): return left.runtimeName == right.runtimeName
        case (.quantity(let left), .quantity(let right)): return left == right
        case (.url(let left), .url(let right)): return left == right
        case (.ip(let left), .ip(let right)): return left == right
        case (.cidr(let left), .cidr(let right)): return left == right
        case (.format(let left), .format(let right)): return left == right
        case (.semver(let left), .semver(let right)): return left == right
        case (.access(let left), .access(let right)): return left == right
        case (.optional(let left), .optional(let right)):
            guard let left, let right else { return left == nil && right == nil }
            return try isEqual(left, right)
        case (.list(let left), .list(let right)): return try isEqual(left, right)
        case (.map(let left), .map(let right)): return try isEqual(left, right)
        case (.object(let left), .object(let right)):
            let (left, right) = (left.fields, right.fields)
            return try isEqual(CELMap(left), CELMap(right))
        default: return false
        }
    }

    private mutating func isEqual(_ left: CELList, _ right: CELList) throws(CELError) -> Bool {
        guard left.count == right.count else { return false }
        try visit(left.count)
        if left.kind == .atomic {
            for index in 0..<left.count where try !isEqual(left[index], right[index]) { return false }
            return true
        }
        for index in 0..<left.count where try !isEqualToOne(left[index], right, left.kind) { return false }
        return true
    }

    /// Whether a list has an element equal to one, looked for by the keys where the list is one by keys.
    private mutating func isEqualToOne(
        _ element: CELValue, _ list: CELList, _ kind: CELSchema.ListKind
    ) throws(CELError) -> Bool {
        guard case .map(let keys) = kind else { return try contains(list, element) }
        guard let position = try self.position(list, element, keys) else { return false }
        return try isEqual(element, list[position])
    }

    private mutating func position(
        _ list: CELList, _ element: CELValue, _ keys: [String]
    ) throws(CELError) -> Int? {
        search: for index in 0..<list.count {
            try visit(1)
            for key in keys {
                let (left, right) = (Self.field(element, key), Self.field(list[index], key))
                guard try isEqual(left ?? .null, right ?? .null) else { continue search }
            }
            return index
        }
        return nil
    }

    private static func field(_ value: CELValue, _ key: String) -> CELValue? {
        switch value {
        case .object(let object): object.field(CELNames.escape(key) ?? key)
        case .map(let map): map[.string(key)]
        default: nil
        }
    }

    private mutating func isEqual(_ left: CELMap, _ right: CELMap) throws(CELError) -> Bool {
        guard left.count == right.count else { return false }
        try visit(left.count)
        for (key, entry) in left.entries {
            guard let other = right[key], try isEqual(entry.value, other) else { return false }
        }
        return true
    }

    mutating func contains(_ list: CELList, _ value: CELValue) throws(CELError) -> Bool {
        for index in 0..<list.count {
            try visit(1)
            if try isEqual(list[index], value) { return true }
        }
        return false
    }

    /// The elements of both lists; of a set those that are new, of a list by keys the new ones in place of the old.
    mutating func concatenate(_ left: CELList, _ right: CELList) throws(CELError) -> CELValue {
        try visit((left.count + right.count) / 16)
        var values = left.values
        switch left.kind {
        case .atomic: values += right.values
        case .set:
            for index in 0..<right.count where try !contains(left, right[index]) { values.append(right[index]) }
        case .map(let keys):
            for index in 0..<right.count {
                if let position = try position(left, right[index], keys) {
                    values[position] = right[index]
                } else {
                    values.append(right[index])
                }
            }
        }
        return .list(CELList(values, kind: left.kind))
    }
}
