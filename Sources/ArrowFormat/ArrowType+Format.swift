// SPDX-License-Identifier: Apache-2.0

/// Format strings of the C data interface ("Data type description – format strings").
extension ArrowType {
    /// The type of a format string. Children are those of the structure, the dictionary's type where there is one.
    init(format: String, children: [ArrowField], keysSorted: Bool) throws(ArrowError) {
        func one() throws(ArrowError) -> ArrowField {
            guard children.count == 1, let child = children.first else {
                throw ArrowError(.malformed, "the type '\(format)' has \(children.count) children, not one")
            }
            return child
        }
        let simple: ArrowType? =
            switch format {
            case "n": .null
            case "b": .bool
            case "c": .int8
            case "C": .uint8
            case "s": .int16
            case "S": .uint16
            case "i": .int32
            case "I": .uint32
            case "l": .int64
            case "L": .uint64
            case "e": .float(bits: 16)
            case "f": .float32
            case "g": .float64
            case "z": .binary
            case "Z": .largeBinary
            case "u": .utf8
            case "U": .largeUTF8
            case "vz": .binaryView
            case "vu": .utf8View
            case "tdD": .date32
            case "tdm": .date64
            case "tiM": .interval(.yearMonth)
            case "tiD": .interval(.dayTime)
            case "tin": .interval(.monthDayNano)
            default: nil
            }
        if let simple {
            self = simple
            return
        }
        let parts = format.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let argument = parts.count > 1 ? String(parts[1]) : ""
        switch parts[0] {
        case "+l": self = .list(try one())
        case "+L": self = .largeList(try one())
        case "+s": self = .structure(children)
        case "+m":
            let entry = try one()
            guard case .structure(let fields) = entry.type, fields.count == 2 else {
                throw ArrowError(.malformed, "a map's entries are not a structure of key and value")
            }
            self = .map(entry, keysSorted: keysSorted)
        case "+w":
            guard let count = Int(argument), count >= 0, count <= 1 << 20 else {
                throw ArrowError(.malformed, "'\(format)' is no list of a fixed size")
            }
            self = .fixedList(try one(), count: count)
        case "w":
            guard let bytes = Int(argument), bytes >= 0, bytes <= 1 << 24 else {
                throw ArrowError(.malformed, "'\(format)' is no binary type of a fixed size")
            }
            self = .fixedBinary(bytes: bytes)
        case "d":
            let numbers = argument.split(separator: ",").map { Int($0) }
            guard numbers.count == 2 || numbers.count == 3, let precision = numbers[0], let scale = numbers[1] else {
                throw ArrowError(.malformed, "'\(format)' is no decimal type")
            }
            self = try ArrowType.decimal(
                precision: precision, scale: scale, width: numbers.count == 3 ? numbers[2] : 128)
        case "tss", "tsm", "tsu", "tsn":
            self = .timestamp(try Self.unit(format, at: 2), zone: argument.isEmpty ? nil : argument)
        case "tts", "ttm", "ttu", "ttn": self = .time(try Self.unit(format, at: 2))
        case "tDs", "tDm", "tDu", "tDn": self = .duration(try Self.unit(format, at: 2))
        default: throw ArrowError(.unsupported, "columns of the type '\(format)' are not supported")
        }
    }

    /// A decimal whose numbers came from outside.
    static func decimal(precision: Int, scale: Int, width: Int?) throws(ArrowError) -> ArrowType {
        guard let width, [32, 64, 128, 256].contains(width), (1...76).contains(precision), (-76...76).contains(scale)
        else { throw ArrowError(.malformed, "no decimal has precision \(precision) and scale \(scale)") }
        return .decimal(precision: precision, scale: scale, bits: width)
    }

    private static func unit(_ format: String, at place: Int) throws(ArrowError) -> TimeUnit {
        switch format.dropFirst(place).first {
        case "s": return .second
        case "m": return .millisecond
        case "u": return .microsecond
        case "n": return .nanosecond
        default: throw ArrowError(.malformed, "'\(format)' has no unit of time")
        }
    }

    /// The format string; a dictionary's is that of its indexes.
    var format: String {
        switch self {
        case .null: "n"
        case .bool: "b"
        case .int(8, let signed): signed ? "c" : "C"
        case .int(16, let signed): signed ? "s" : "S"
        case .int(32, let signed): signed ? "i" : "I"
        case .int(_, let signed): signed ? "l" : "L"
        case .float(16): "e"
        case .float(32): "f"
        case .float: "g"
        case .decimal(let precision, let scale, let bits):
            bits == 128 ? "d:\(precision),\(scale)" : "d:\(precision),\(scale),\(bits)"
        case .utf8: "u"
        case .largeUTF8: "U"
        case .utf8View: "vu"
        case .binary: "z"
        case .largeBinary: "Z"
        case .binaryView: "vz"
        case .fixedBinary(let bytes): "w:\(bytes)"
        case .date32: "tdD"
        case .date64: "tdm"
        case .time(let unit): "tt\(unit.letter)"
        case .timestamp(let unit, let zone): "ts\(unit.letter):\(zone ?? "")"
        case .duration(let unit): "tD\(unit.letter)"
        case .interval(.yearMonth): "tiM"
        case .interval(.dayTime): "tiD"
        case .interval(.monthDayNano): "tin"
        case .list: "+l"
        case .largeList: "+L"
        case .fixedList(_, let count): "+w:\(count)"
        case .structure: "+s"
        case .map: "+m"
        case .dictionary(let index, _, _): index.format
        }
    }
}

extension ArrowType.TimeUnit {
    /// As format strings have it.
    var letter: String {
        switch self {
        case .second: "s"
        case .millisecond: "m"
        case .microsecond: "u"
        case .nanosecond: "n"
        }
    }
}
