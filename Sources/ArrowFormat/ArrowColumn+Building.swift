// SPDX-License-Identifier: Apache-2.0

/// Columns made from values: parameters, rows to ingest, tests.
extension ArrowColumn {
    /// A column of any type (dictionaries and views become their plain type). Numbers are converted where they fit
    /// exactly; anything else that is not of the type is an error.
    package convenience init(type wanted: ArrowType, values: [ArrowValue]) throws(ArrowError) {
        let type = wanted.plain
        func mismatch(_ row: Int) -> ArrowError {
            ArrowError(.mismatch, "row \(row): \(values[row]) cannot be written as \(type)")
        }
        var buffers: [ArrowBuffer] = []
        var children: [ArrowColumn] = []
        switch type.layout {
        case .null:
            if let row = values.firstIndex(where: { !$0.isNull }) { throw mismatch(row) }
        case .bits:
            var bits = [UInt8](repeating: 0, count: (values.count + 7) / 8)
            for (row, value) in values.enumerated() where !value.isNull {
                guard case .bool(let value) = value else { throw mismatch(row) }
                if value { bits[row >> 3] |= 1 << UInt8(row & 7) }
            }
            buffers = [ArrowBuffer(copying: bits)]
        case .fixed(let width):
            var bytes: [UInt8] = []
            bytes.reserveCapacity(width * values.count)
            for (row, value) in values.enumerated() {
                if value.isNull {
                    bytes.append(contentsOf: repeatElement(0, count: width))
                } else {
                    guard let encoded = Self.fixed(value, type, width: width) else { throw mismatch(row) }
                    bytes += encoded
                }
            }
            buffers = [ArrowBuffer(copying: bytes)]
        case .variable(let large):
            var bytes: [UInt8] = []
            var ends: [Int] = [0]
            ends.reserveCapacity(values.count + 1)
            for (row, value) in values.enumerated() {
                switch value {
                case .null: break
                case .string(let text) where type.isText: bytes += Array(text.utf8)
                case .bytes(let value) where !type.isText: bytes += value
                default: throw mismatch(row)
                }
                ends.append(bytes.count)
            }
            buffers = [try Self.offsets(ends, large: large), ArrowBuffer(copying: bytes)]
        case .list(let large):
            var ends: [Int] = [0]
            var inner: [ArrowValue] = []
            for (row, value) in values.enumerated() {
                switch (value, type) {
                case (.null, _): break
                case (.list(let elements), .list), (.list(let elements), .largeList): inner += elements
                case (.map(let entries), .map):
                    inner += entries.map {
                        .structure([.init(name: "key", value: $0.key), .init(name: "value", value: $0.value)])
                    }
                default: throw mismatch(row)
                }
                ends.append(inner.count)
            }
            buffers = [try Self.offsets(ends, large: large)]
            children = [try ArrowColumn(type: type.children[0].type, values: inner)]
        case .fixedList(let size):
            var inner: [ArrowValue] = []
            for (row, value) in values.enumerated() {
                switch value {
                case .null: inner += Array(repeating: .null, count: size)
                case .list(let elements) where elements.count == size: inner += elements
                default: throw mismatch(row)
                }
            }
            children = [try ArrowColumn(type: type.children[0].type, values: inner)]
        case .structure:
            let fields = type.children
            var members: [[ArrowValue]] = Array(repeating: [], count: fields.count)
            for (row, value) in values.enumerated() {
                switch value {
                case .null: for index in members.indices { members[index].append(.null) }
                case .structure(let given) where given.count == fields.count:
                    for (index, member) in given.enumerated() { members[index].append(member.value) }
                default: throw mismatch(row)
                }
            }
            for (field, values) in zip(fields, members) {
                children.append(try ArrowColumn(type: field.type, values: values))
            }
        case .views: throw ArrowError(.unsupported, "columns of the type \(type) are not written")
        }
        try self.init(
            type: type, count: values.count, validity: Self.validity(values) { $0.isNull }, buffers: buffers,
            children: children)
    }

    /// Text.
    package static func strings(_ values: [String?]) throws(ArrowError) -> ArrowColumn {
        var bytes: [UInt8] = []
        var ends: [Int] = [0]
        ends.reserveCapacity(values.count + 1)
        for value in values {
            if let value { bytes.append(contentsOf: value.utf8) }
            ends.append(bytes.count)
        }
        return try ArrowColumn(
            type: .utf8, count: values.count, validity: validity(values) { $0 == nil },
            buffers: [try offsets(ends, large: false), ArrowBuffer(copying: bytes)])
    }

    /// 64-bit values of a type: integers, timestamps, durations, times.
    package static func int64s(_ values: [Int64?], type: ArrowType = .int64) throws(ArrowError) -> ArrowColumn {
        guard type.layout == .fixed(8) else { throw ArrowError(.mismatch, "\(type) is not 64 bits wide") }
        return try ArrowColumn(
            type: type, count: values.count, validity: validity(values) { $0 == nil },
            buffers: [
                ArrowBuffer(count: values.count * 8) { memory in
                    for (row, value) in values.enumerated() {
                        memory.storeBytes(of: (value ?? 0).littleEndian, toByteOffset: row * 8, as: Int64.self)
                    }
                }
            ])
    }

    /// Floating-point numbers of 64 bits.
    package static func doubles(_ values: [Double?]) throws(ArrowError) -> ArrowColumn {
        try ArrowColumn(
            type: .float64, count: values.count, validity: validity(values) { $0 == nil },
            buffers: [
                ArrowBuffer(count: values.count * 8) { memory in
                    for (row, value) in values.enumerated() {
                        memory.storeBytes(of: value ?? 0, toByteOffset: row * 8, as: Double.self)
                    }
                }
            ])
    }

    /// The bitmap of values that are there; nil where all are.
    private static func validity<Value>(_ values: [Value], isNull: (Value) -> Bool) -> ArrowBuffer? {
        var bits = [UInt8](repeating: 0, count: (values.count + 7) / 8)
        var nulls = false
        for (row, value) in values.enumerated() {
            if isNull(value) { nulls = true } else { bits[row >> 3] |= 1 << UInt8(row & 7) }
        }
        return nulls ? ArrowBuffer(copying: bits) : nil
    }

    private static func offsets(_ ends: [Int], large: Bool) throws(ArrowError) -> ArrowBuffer {
        guard large || (ends.last ?? 0) <= Int(Int32.max) else {
            throw ArrowError(.tooLarge, "a column of over 2 GiB: split the batch")
        }
        return ArrowBuffer(count: ends.count * (large ? 8 : 4)) { memory in
            for (index, end) in ends.enumerated() {
                if large {
                    memory.storeBytes(of: Int64(end), toByteOffset: index * 8, as: Int64.self)
                } else {
                    memory.storeBytes(of: Int32(truncatingIfNeeded: end), toByteOffset: index * 4, as: Int32.self)
                }
            }
        }
    }

    /// A value of fixed width, least significant byte first; nil where it is not of the type.
    private static func fixed(_ value: ArrowValue, _ type: ArrowType, width: Int) -> [UInt8]? {
        switch (type, value) {
        case (.float(let bits), _):
            guard let number = value.number else { return nil }
            switch bits {
            case 64: return littleEndian(number.bitPattern, width: 8)
            case 32: return littleEndian(UInt64(Float(number).bitPattern), width: 4)
            default: return nil
            }
        case (.int(let bits, false), .uint(let value)): return bits == 64 ? littleEndian(value, width: 8) : nil
        case (.int(let bits, let signed), .int(let value)):
            let shift = Int64(64 - bits)
            let fits =
                signed ? (value << shift) >> shift == value : value >= 0 && (bits == 64 || value >> Int64(bits) == 0)
            return fits ? littleEndian(UInt64(bitPattern: value), width: width) : nil
        case (.decimal(_, let scale, _), .decimal(let value)): return value.littleEndian(bytes: width, scale: scale)
        case (.decimal(_, let scale, _), .int(let value)):
            return ArrowDecimal(String(value))?.littleEndian(bytes: width, scale: scale)
        case (.date32, .date(let days)):
            return Int32(exactly: days).map { littleEndian(UInt64(UInt32(bitPattern: $0)), width: 4) }
        case (.date64, .date(let days)):
            return days.scaled(by: 86_400_000).map { littleEndian(UInt64(bitPattern: $0), width: 8) }
        case (.time(let unit), .time(let value, let given)), (.duration(let unit), .duration(let value, let given)),
            (.timestamp(let unit, _), .timestamp(let value, let given, _)):
            return convert(value, from: given, to: unit).map { littleEndian(UInt64(bitPattern: $0), width: width) }
        case (.fixedBinary(let count), .bytes(let value)): return value.count == count ? value : nil
        case (.interval(.monthDayNano), .interval(let months, let days, let nanoseconds)):
            guard let months = Int32(exactly: months), let days = Int32(exactly: days) else { return nil }
            return littleEndian(UInt64(UInt32(bitPattern: months)), width: 4)
                + littleEndian(UInt64(UInt32(bitPattern: days)), width: 4)
                + littleEndian(UInt64(bitPattern: nanoseconds), width: 8)
        case (.interval(.yearMonth), .interval(let months, 0, 0)):
            return Int32(exactly: months).map { littleEndian(UInt64(UInt32(bitPattern: $0)), width: 4) }
        default: return nil
        }
    }

    /// Exactly, or not at all.
    private static func convert(_ value: Int64, from: ArrowType.TimeUnit, to: ArrowType.TimeUnit) -> Int64? {
        if to.perSecond >= from.perSecond { return value.scaled(by: to.perSecond / from.perSecond) }
        let factor = from.perSecond / to.perSecond
        return value % factor == 0 ? value / factor : nil
    }

    private static func littleEndian(_ value: UInt64, width: Int) -> [UInt8] {
        (0..<width).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
    }
}

extension ArrowValue {
    /// As a floating-point number.
    package var number: Double? {
        switch self {
        case .double(let value): value
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .decimal(let value): Double(value.description)
        default: nil
        }
    }
}

extension ArrowBatch {
    /// A batch of rows given by column.
    package init(_ columns: [(field: ArrowField, values: [ArrowValue])]) throws(ArrowError) {
        var made: [ArrowColumn] = []
        for (field, values) in columns { made.append(try ArrowColumn(type: field.type, values: values)) }
        try self.init(
            schema: ArrowSchemaInfo(columns.map { $0.field.plain }), rowCount: made.first?.count ?? 0, columns: made)
    }
}
