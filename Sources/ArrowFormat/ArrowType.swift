// SPDX-License-Identifier: Apache-2.0

/// Arrow's logical types (Arrow columnar format, "Data types"), those that engines answer with.
package indirect enum ArrowType: Hashable, Sendable {
    package enum TimeUnit: Int, Sendable {
        case second, millisecond, microsecond, nanosecond

        /// How many of the unit make a second.
        package var perSecond: Int64 {
            switch self {
            case .second: 1
            case .millisecond: 1000
            case .microsecond: 1_000_000
            case .nanosecond: 1_000_000_000
            }
        }
    }

    package enum IntervalUnit: Int, Sendable { case yearMonth, dayTime, monthDayNano }

    case null
    case bool
    /// Width in bits: 8, 16, 32 or 64.
    case int(bits: Int, signed: Bool)
    /// Width in bits: 16, 32 or 64.
    case float(bits: Int)
    /// Width in bits: 32, 64, 128 or 256.
    case decimal(precision: Int, scale: Int, bits: Int)
    case utf8, largeUTF8, utf8View
    case binary, largeBinary, binaryView
    case fixedBinary(bytes: Int)
    /// Days since 1970.
    case date32
    /// Milliseconds since 1970, at midnight.
    case date64
    /// Since midnight; 32 bits for seconds and milliseconds, else 64.
    case time(TimeUnit)
    /// Since 1970; with a zone the value is in UTC, without one it is wall-clock time.
    case timestamp(TimeUnit, zone: String?)
    case duration(TimeUnit)
    case interval(IntervalUnit)
    case list(ArrowField)
    case largeList(ArrowField)
    case fixedList(ArrowField, count: Int)
    case structure([ArrowField])
    /// The field is the entry: a structure of key and value.
    case map(ArrowField, keysSorted: Bool)
    case dictionary(index: ArrowType, value: ArrowType, ordered: Bool)

    package static let int8 = ArrowType.int(bits: 8, signed: true)
    package static let int16 = ArrowType.int(bits: 16, signed: true)
    package static let int32 = ArrowType.int(bits: 32, signed: true)
    package static let int64 = ArrowType.int(bits: 64, signed: true)
    package static let uint8 = ArrowType.int(bits: 8, signed: false)
    package static let uint16 = ArrowType.int(bits: 16, signed: false)
    package static let uint32 = ArrowType.int(bits: 32, signed: false)
    package static let uint64 = ArrowType.int(bits: 64, signed: false)
    package static let float32 = ArrowType.float(bits: 32)
    package static let float64 = ArrowType.float(bits: 64)
    /// Microseconds in UTC: the type of time that is the same in every engine.
    package static let timestampUTC = ArrowType.timestamp(.microsecond, zone: "UTC")

    /// How values lie in buffers (columnar format, "Physical memory layout").
    package enum Layout: Hashable, Sendable {
        case null
        case bits
        /// Bytes a value.
        case fixed(Int)
        /// 32-bit or 64-bit offsets into bytes.
        case variable(large: Bool)
        case views
        /// 32-bit or 64-bit offsets into a child.
        case list(large: Bool)
        case fixedList(Int)
        case structure
    }

    package var layout: Layout {
        switch self {
        case .null: .null
        case .bool: .bits
        case .int(let bits, _), .float(let bits), .decimal(_, _, let bits): .fixed(bits / 8)
        case .utf8, .binary: .variable(large: false)
        case .largeUTF8, .largeBinary: .variable(large: true)
        case .utf8View, .binaryView: .views
        case .fixedBinary(let bytes): .fixed(bytes)
        case .date32: .fixed(4)
        case .date64, .timestamp, .duration: .fixed(8)
        case .time(let unit): .fixed(unit == .second || unit == .millisecond ? 4 : 8)
        case .interval(.yearMonth): .fixed(4)
        case .interval(.dayTime): .fixed(8)
        case .interval(.monthDayNano): .fixed(16)
        case .list, .map: .list(large: false)
        case .largeList: .list(large: true)
        case .fixedList(_, let count): .fixedList(count)
        case .structure: .structure
        case .dictionary(let index, _, _): index.layout
        }
    }

    /// The fields of a nested type's children.
    package var children: [ArrowField] {
        switch self {
        case .list(let field), .largeList(let field), .fixedList(let field, _), .map(let field, _): [field]
        case .structure(let fields): fields
        default: []
        }
    }

    package var isText: Bool { self == .utf8 || self == .largeUTF8 || self == .utf8View }

    /// The type without dictionaries and views: what the encoder of the IPC format writes.
    package var plain: ArrowType {
        switch self {
        case .dictionary(_, let value, _): value.plain
        case .utf8View: .utf8
        case .binaryView: .binary
        case .list(let field): .list(field.plain)
        case .largeList(let field): .largeList(field.plain)
        case .fixedList(let field, let count): .fixedList(field.plain, count: count)
        case .map(let field, let sorted): .map(field.plain, keysSorted: sorted)
        case .structure(let fields): .structure(fields.map(\.plain))
        default: self
        }
    }
}

/// A named column or child.
package struct ArrowField: Hashable, Sendable {
    package var name: String
    package var type: ArrowType
    package var isNullable: Bool

    package init(_ name: String, _ type: ArrowType, isNullable: Bool = true) {
        self.name = name
        self.type = type
        self.isNullable = isNullable
    }

    package var plain: ArrowField { ArrowField(name, type.plain, isNullable: isNullable) }
}

/// The columns of a result or table.
package struct ArrowSchemaInfo: Hashable, Sendable {
    package var fields: [ArrowField]

    package init(_ fields: [ArrowField]) { self.fields = fields }

    /// The place of the first column of a name.
    package func index(of name: String) -> Int? { fields.firstIndex { $0.name == name } }

    package var plain: ArrowSchemaInfo { ArrowSchemaInfo(fields.map(\.plain)) }
}

/// Limits on what comes from outside.
package struct ArrowLimits: Sendable {
    /// How deep types may nest.
    package var depth = 32
    /// Fields of a schema, children counted.
    package var fields = 10_000
    /// Rows of a batch.
    package var rows = 1 << 31
    /// Bytes of one message of the IPC format: its head, and its body.
    package var head = 16 << 20
    package var body = 1 << 30

    package init() {}
}
