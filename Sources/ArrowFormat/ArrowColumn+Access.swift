// SPDX-License-Identifier: Apache-2.0

/// Typed reads: nil for a null, and where the column's type is another.
extension ArrowColumn {
    package func isNull(_ row: Int) -> Bool {
        precondition(row >= 0 && row < count, "row \(row) of \(count)")
        if let validity { return !validity.bit(offset + row) }
        return type == .null
    }

    /// How many rows are null.
    package var nullCount: Int {
        guard let validity else { return type == .null ? count : 0 }
        var valid = 0
        for row in 0..<count where validity.bit(offset + row) { valid += 1 }
        return count - valid
    }

    /// Integers, booleans (0, 1), dates (days), times, timestamps and durations (in the unit of the type).
    package func int64(_ row: Int) -> Int64? {
        if isNull(row) { return nil }
        if case .dictionary = type { return entry(row).flatMap { $0.column.int64($0.row) } }
        return rawInteger(row)
    }

    /// Floating-point numbers, integers, decimals.
    package func double(_ row: Int) -> Double? {
        if isNull(row) { return nil }
        switch type {
        case .float(64): return buffers[0].load(offset + row, as: Double.self)
        case .float(32): return Double(buffers[0].load(offset + row, as: Float.self))
        case .float: return Self.half(buffers[0].load(offset + row, as: UInt16.self))
        case .dictionary: return entry(row).flatMap { $0.column.double($0.row) }
        case .decimal: return decimal(row).flatMap { Double($0.description) }
        case .int(64, false): return Double(buffers[0].load(offset + row, as: UInt64.self))
        case .int: return rawInteger(row).map { Double($0) }
        default: return nil
        }
    }

    package func bool(_ row: Int) -> Bool? {
        guard type == .bool, !isNull(row) else { return nil }
        return buffers[0].bit(offset + row)
    }

    /// Text; bytes that are not UTF-8 are replaced.
    package func string(_ row: Int) -> String? {
        if case .dictionary = type { return isNull(row) ? nil : entry(row).flatMap { $0.column.string($0.row) } }
        guard type.isText, !isNull(row) else { return nil }
        return raw(row).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Binary values, and text as UTF-8.
    package func bytes(_ row: Int) -> [UInt8]? {
        if case .dictionary = type { return isNull(row) ? nil : entry(row).flatMap { $0.column.bytes($0.row) } }
        return isNull(row) ? nil : raw(row).map(Array.init)
    }

    /// A decimal of any width, with its scale.
    package func decimal(_ row: Int) -> ArrowDecimal? {
        guard case .decimal(_, let scale, let bits) = type, !isNull(row) else { return nil }
        let width = bits / 8
        let start = (offset + row) * width
        return ArrowDecimal(littleEndian: buffers[0].bytes[start..<start + width], scale: scale)
    }

    /// A timestamp or date as microseconds since 1970; nil also where it does not fit.
    package func microseconds(_ row: Int) -> Int64? {
        guard let value = int64(row) else { return nil }
        switch type {
        case .timestamp(.second, _): return value.scaled(by: 1_000_000)
        case .timestamp(.millisecond, _), .date64: return value.scaled(by: 1000)
        case .timestamp(.microsecond, _): return value
        case .timestamp(.nanosecond, _): return value >= 0 ? value / 1000 : -((-(value + 1)) / 1000) - 1
        case .date32: return value.scaled(by: 86_400_000_000)
        default: return nil
        }
    }

    /// The rows of a list's or map's values; for a structure use `member`.
    package func list(_ row: Int) -> ArrowColumn? {
        guard !isNull(row), let child = children.first else { return nil }
        switch type.layout {
        case .list: return range(row, within: child.count).map { child.slice($0) }
        case .fixedList(let size): return child.slice((offset + row) * size..<(offset + row + 1) * size)
        default: return nil
        }
    }

    /// A structure's member, row by row with this column.
    package func member(_ index: Int) -> ArrowColumn? {
        guard type.layout == .structure, index >= 0, index < children.count else { return nil }
        return children[index].slice(offset..<offset + count)
    }

    /// Any value.
    package func value(_ row: Int) -> ArrowValue {
        if isNull(row) { return .null }
        switch type {
        case .null: return .null
        case .bool: return .bool(buffers[0].bit(offset + row))
        case .int(64, false): return Self.unsigned(buffers[0].load(offset + row, as: UInt64.self))
        case .int: return rawInteger(row).map(ArrowValue.int) ?? .null
        case .float: return double(row).map(ArrowValue.double) ?? .null
        case .decimal: return decimal(row).map(ArrowValue.decimal) ?? .null
        case .utf8, .largeUTF8, .utf8View: return string(row).map(ArrowValue.string) ?? .null
        case .binary, .largeBinary, .binaryView, .fixedBinary: return bytes(row).map(ArrowValue.bytes) ?? .null
        case .date32: return rawInteger(row).map(ArrowValue.date) ?? .null
        case .date64: return rawInteger(row).map { .date(floorDivide($0, 86_400_000)) } ?? .null
        case .time(let unit): return rawInteger(row).map { .time($0, unit) } ?? .null
        case .timestamp(let unit, let zone): return rawInteger(row).map { .timestamp($0, unit, zone: zone) } ?? .null
        case .duration(let unit): return rawInteger(row).map { .duration($0, unit) } ?? .null
        case .interval(let unit): return interval(row, unit)
        case .list, .largeList, .fixedList: return list(row).map { .list($0.values) } ?? .null
        case .structure(let fields):
            return .structure(
                zip(fields, children).map { ArrowValue.Member(name: $0.name, value: $1.value(offset + row)) })
        case .map:
            guard let entries = list(row), let keys = entries.member(0), let values = entries.member(1) else {
                return .null
            }
            return .map((0..<entries.count).map { .init(key: keys.value($0), value: values.value($0)) })
        case .dictionary: return entry(row).map { $0.column.value($0.row) } ?? .null
        }
    }

    /// All values, in order.
    package var values: [ArrowValue] { (0..<count).map { value($0) } }

    // MARK: Parts

    /// The row of the dictionary that a row names.
    func entry(_ row: Int) -> (column: ArrowColumn, row: Int)? {
        guard let dictionary, let index = rawInteger(row), index >= 0, index < Int64(dictionary.count) else {
            return nil
        }
        return (dictionary, Int(index))
    }

    /// The bytes of a row that is not null; nil where the type has none.
    func raw(_ row: Int) -> UnsafeRawBufferPointer? {
        switch type.layout {
        case .variable:
            let data = buffers[1]
            return range(row, within: data.count).map { UnsafeRawBufferPointer(rebasing: data.bytes[$0]) }
        case .views: return viewed(row)
        case .fixed(let width):
            guard case .fixedBinary = type else { return nil }
            let start = (offset + row) * width
            return UnsafeRawBufferPointer(rebasing: buffers[0].bytes[start..<start + width])
        default: return nil
        }
    }

    private static func unsigned(_ value: UInt64) -> ArrowValue {
        Int64(exactly: value).map(ArrowValue.int) ?? .uint(value)
    }

    private func interval(_ row: Int, _ unit: ArrowType.IntervalUnit) -> ArrowValue {
        let buffer = buffers[0]
        let place = offset + row
        switch unit {
        case .yearMonth:
            return .interval(months: Int64(buffer.load(place, as: Int32.self)), days: 0, nanoseconds: 0)
        case .dayTime:
            let milliseconds = Int64(buffer.load(place * 2 + 1, as: Int32.self))
            return .interval(
                months: 0, days: Int64(buffer.load(place * 2, as: Int32.self)), nanoseconds: milliseconds * 1_000_000)
        case .monthDayNano:
            return .interval(
                months: Int64(buffer.load(place * 4, as: Int32.self)),
                days: Int64(buffer.load(place * 4 + 1, as: Int32.self)),
                nanoseconds: buffer.load(place * 2 + 1, as: Int64.self))
        }
    }

    /// IEEE 754 binary16.
    static func half(_ bits: UInt16) -> Double {
        let sign: Double = bits & 0x8000 == 0 ? 1 : -1
        let exponent = Int(bits >> 10 & 31)
        let fraction = Double(bits & 1023) / 1024
        switch exponent {
        case 0: return sign * fraction * 0x1p-14
        case 31: return fraction == 0 ? sign * .infinity : .nan
        default: return sign * (1 + fraction) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
        }
    }
}

/// The quotient rounded down.
func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
    let quotient = value / divisor
    return value % divisor < 0 ? quotient - 1 : quotient
}

extension Int64 {
    /// Nil where the product does not fit.
    func scaled(by factor: Int64) -> Int64? {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }
}
