// SPDX-License-Identifier: Apache-2.0

/// Schemas as messages of the IPC format have them (arrow/format/Schema.fbs and Message.fbs: numbers of fields and
/// members of unions).
enum IPCMessageKind: UInt8 {
    case schema = 1
    case dictionary = 2
    case batch = 3
}

extension FlatValue {
    /// A message's head (Message.fbs): metadata version 5.
    static func message(_ kind: IPCMessageKind, _ header: FlatValue, bodyLength: Int) -> FlatValue {
        .table([.short(4), .byte(kind.rawValue), .reference(header), .long(Int64(bodyLength))])
    }

    static func schema(_ schema: ArrowSchemaInfo) -> FlatValue {
        .table([.short(0), .reference(.vector(schema.fields.map { .field($0) }))])
    }

    private static func field(_ field: ArrowField) -> FlatValue {
        let (kind, type) = Self.type(field.type)
        return .table([
            .reference(.string(field.name)), .bool(field.isNullable), .byte(kind), .reference(type), .absent,
            .reference(.vector(field.type.children.map { Self.field($0) })),
        ])
    }

    private static func type(_ type: ArrowType) -> (UInt8, FlatValue) {
        switch type {
        case .null: (1, .table([]))
        case .int(let bits, let signed): (2, .table([.int(Int32(bits)), .bool(signed)]))
        case .float(let bits): (3, .table([.short(bits == 16 ? 0 : bits == 32 ? 1 : 2)]))
        case .binary: (4, .table([]))
        case .utf8: (5, .table([]))
        case .bool: (6, .table([]))
        case .decimal(let precision, let scale, let bits):
            (7, .table([.int(Int32(precision)), .int(Int32(scale)), .int(Int32(bits))]))
        case .date32: (8, .table([.short(0)]))
        case .date64: (8, .table([.short(1)]))
        case .time(let unit):
            (9, .table([.short(Int16(unit.rawValue)), .int(unit == .second || unit == .millisecond ? 32 : 64)]))
        case .timestamp(let unit, let zone):
            (10, .table([.short(Int16(unit.rawValue)), zone.map { .reference(.string($0)) } ?? .absent]))
        case .interval(let unit): (11, .table([.short(Int16(unit.rawValue))]))
        case .list: (12, .table([]))
        case .structure: (13, .table([]))
        case .fixedBinary(let bytes): (15, .table([.int(Int32(bytes))]))
        case .fixedList(_, let count): (16, .table([.int(Int32(count))]))
        case .map(_, let sorted): (17, .table([.bool(sorted)]))
        case .duration(let unit): (18, .table([.short(Int16(unit.rawValue))]))
        case .largeBinary: (19, .table([]))
        case .largeUTF8: (20, .table([]))
        case .largeList: (21, .table([]))
        case .binaryView: (23, .table([]))
        case .utf8View: (24, .table([]))
        // The encoder writes plain types only.
        case .dictionary(_, let value, _): Self.type(value.plain)
        }
    }
}

/// A schema that came in, and the dictionaries that its columns name, by id.
struct IPCSchema {
    let schema: ArrowSchemaInfo
    /// Ids of dictionaries in the order of the fields, depth first; nil for fields without one.
    let ids: [Int64?]
    /// The types of the dictionaries' values.
    let values: [Int64: ArrowType]

    init(_ table: FlatTable, limits: ArrowLimits) throws(ArrowError) {
        guard try table.number(0, default: Int16(0)) == 0 else {
            throw ArrowError(.unsupported, "data of big-endian machines is not read")
        }
        var reader = Reader(limits: limits)
        var fields: [ArrowField] = []
        for field in try table.tables(1) { fields.append(try reader.field(field, depth: 0)) }
        schema = ArrowSchemaInfo(fields)
        ids = reader.ids
        values = reader.values
    }

    private struct Reader {
        let limits: ArrowLimits
        var count = 0
        var ids: [Int64?] = []
        var values: [Int64: ArrowType] = [:]

        mutating func field(_ table: FlatTable, depth: Int) throws(ArrowError) -> ArrowField {
            count += 1
            guard depth <= limits.depth, count <= limits.fields else {
                throw ArrowError(
                    .tooLarge, "a schema of over \(limits.fields) fields, or nested over \(limits.depth) deep")
            }
            let name = try table.string(0) ?? ""
            let place = ids.count
            ids.append(nil)
            var children: [ArrowField] = []
            for child in try table.tables(5) { children.append(try field(child, depth: depth + 1)) }
            var type = try Self.type(
                try table.number(2, default: UInt8(0)), try table.table(3), children: children, name: name)
            if let encoding = try table.table(4) {
                let id = try encoding.number(0, default: Int64(0))
                var index = ArrowType.int32
                if let int = try encoding.table(1) { index = try Self.int(int) }
                guard children.isEmpty else {
                    throw ArrowError(.unsupported, "column '\(name)': dictionaries of nested values are not read")
                }
                if let known = values[id], known != type {
                    throw ArrowError(.malformed, "dictionary \(id) is of the types \(known) and \(type)")
                }
                values[id] = type
                ids[place] = id
                type = .dictionary(index: index, value: type, ordered: try encoding.bool(2))
            }
            return ArrowField(name, type, isNullable: try table.bool(1))
        }

        static func int(_ table: FlatTable) throws(ArrowError) -> ArrowType {
            let bits = Int(try table.number(0, default: Int32(0)))
            guard [8, 16, 32, 64].contains(bits) else { throw ArrowError(.malformed, "an integer of \(bits) bits") }
            return .int(bits: bits, signed: try table.bool(1))
        }

        private static func unit(_ table: FlatTable, default value: Int16) throws(ArrowError) -> ArrowType.TimeUnit {
            guard let unit = ArrowType.TimeUnit(rawValue: Int(try table.number(0, default: value))) else {
                throw ArrowError(.malformed, "an unknown unit of time")
            }
            return unit
        }

        static func type(_ kind: UInt8, _ given: FlatTable?, children: [ArrowField], name: String) throws(ArrowError)
            -> ArrowType
        {
            guard let table = given else { throw ArrowError(.malformed, "column '\(name)' has no type") }
            func one() throws(ArrowError) -> ArrowField {
                guard children.count == 1, let child = children.first else {
                    throw ArrowError(.malformed, "column '\(name)' has \(children.count) children, not one")
                }
                return child
            }
            switch kind {
            case 1: return .null
            case 2: return try int(table)
            case 3:
                switch try table.number(0, default: Int16(0)) {
                case 0: return .float(bits: 16)
                case 1: return .float32
                case 2: return .float64
                default: throw ArrowError(.malformed, "column '\(name)': an unknown precision")
                }
            case 4: return .binary
            case 5: return .utf8
            case 6: return .bool
            case 7:
                return try .decimal(
                    precision: Int(try table.number(0, default: Int32(0))),
                    scale: Int(try table.number(1, default: Int32(0))),
                    width: Int(try table.number(2, default: Int32(128))))
            case 8: return try table.number(0, default: Int16(1)) == 0 ? .date32 : .date64
            case 9: return .time(try unit(table, default: 1))
            case 10: return .timestamp(try unit(table, default: 0), zone: try table.string(1))
            case 11:
                guard let unit = ArrowType.IntervalUnit(rawValue: Int(try table.number(0, default: Int16(0)))) else {
                    throw ArrowError(.malformed, "an unknown unit of intervals")
                }
                return .interval(unit)
            case 12: return .list(try one())
            case 13: return .structure(children)
            case 15:
                let bytes = Int(try table.number(0, default: Int32(0)))
                guard (0...1 << 24).contains(bytes) else { throw ArrowError(.malformed, "values of \(bytes) bytes") }
                return .fixedBinary(bytes: bytes)
            case 16:
                let count = Int(try table.number(0, default: Int32(0)))
                guard (0...1 << 20).contains(count) else { throw ArrowError(.malformed, "lists of \(count) values") }
                return .fixedList(try one(), count: count)
            case 17:
                let entry = try one()
                guard case .structure(let fields) = entry.type, fields.count == 2 else {
                    throw ArrowError(.malformed, "a map's entries are not a structure of key and value")
                }
                return .map(entry, keysSorted: try table.bool(0))
            case 18: return .duration(try unit(table, default: 1))
            case 19: return .largeBinary
            case 20: return .largeUTF8
            case 21: return .largeList(try one())
            case 23: return .binaryView
            case 24: return .utf8View
            default: throw ArrowError(.unsupported, "column '\(name)': type number \(kind) is not supported")
            }
        }
    }
}
