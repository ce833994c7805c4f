// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// Any value of a row, for code that does not know the type: shells, JSON, parameters.
package enum ArrowValue: Hashable, Sendable {
    package struct Member: Hashable, Sendable {
        package let name: String
        package let value: ArrowValue

        package init(name: String, value: ArrowValue) {
            self.name = name
            self.value = value
        }
    }

    package struct Entry: Hashable, Sendable {
        package let key: ArrowValue
        package let value: ArrowValue

        package init(key: ArrowValue, value: ArrowValue) {
            self.key = key
            self.value = value
        }
    }

    case null
    case bool(Bool)
    case int(Int64)
    /// Over Int64's range only.
    case uint(UInt64)
    case double(Double)
    case decimal(ArrowDecimal)
    case string(String)
    case bytes([UInt8])
    /// Days since 1970.
    case date(Int64)
    /// Since midnight.
    case time(Int64, ArrowType.TimeUnit)
    /// Since 1970; without a zone it is wall-clock time.
    case timestamp(Int64, ArrowType.TimeUnit, zone: String?)
    case duration(Int64, ArrowType.TimeUnit)
    case interval(months: Int64, days: Int64, nanoseconds: Int64)
    case list([ArrowValue])
    case structure([Member])
    case map([Entry])

    package var isNull: Bool { self == .null }

    /// As a shell shows it and as CSV has it: NULL is empty, timestamps are `2026-01-02 03:04:05.678`, with `+00` where
    /// they have a zone (values are shown in UTC).
    package var text: String {
        switch self {
        case .null: ""
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .uint(let value): String(value)
        case .double(let value): Self.text(of: value)
        case .decimal(let value): value.description
        case .string(let value): value
        case .bytes(let value): value.hexadecimal
        case .date(let days): Self.date(days)
        case .time(let value, let unit): Self.clock(value, unit)
        case .timestamp(let value, let unit, let zone):
            Self.timestamp(value, unit, separator: " ") + (zone == nil ? "" : "+00")
        case .duration(let value, let unit): Self.duration(value, unit)
        case .interval(let months, let days, let nanoseconds):
            Self.interval(months: months, days: days, nanoseconds: nanoseconds)
        case .list(let values): "[" + values.map(\.nestedText).joined(separator: ", ") + "]"
        case .structure(let members):
            "{" + members.map { "\($0.name): \($0.value.nestedText)" }.joined(separator: ", ") + "}"
        case .map(let entries):
            "{" + entries.map { "\($0.key.nestedText)=\($0.value.nestedText)" }.joined(separator: ", ") + "}"
        }
    }

    private var nestedText: String { isNull ? "NULL" : text }

    /// As JSON: whole numbers beyond 2^53 and decimals are strings, so that no reader rounds them; timestamps are
    /// RFC 3339 (without `Z` where they have no zone); bytes are base64; numbers that JSON lacks are strings.
    package var json: JSONValue {
        switch self {
        case .null: .null
        case .bool(let value): .bool(value)
        case .int(let value): value.magnitude <= 1 << 53 ? .int(value) : .string(String(value))
        case .uint(let value): .string(String(value))
        case .double(let value): value.isFinite ? .double(value) : .string(Self.text(of: value))
        case .bytes(let value): .string(value.base64)
        case .timestamp(let value, let unit, let zone):
            .string(Self.timestamp(value, unit, separator: "T") + (zone == nil ? "" : "Z"))
        case .list(let values): .array(values.map(\.json))
        case .structure(let members):
            .object(Dictionary(members.map { ($0.name, $0.value.json) }, uniquingKeysWith: { $1 }))
        case .map(let entries):
            .array(entries.map { .object(["key": $0.key.json, "value": $0.value.json]) })
        default: .string(text)
        }
    }
}

// MARK: Text

extension ArrowValue {
    static func text(of value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return value.description
    }

    static func date(_ days: Int64) -> String {
        guard days.magnitude < 1 << 40 else { return days < 0 ? "-infinity" : "infinity" }
        let date = CivilDate(daysSinceEpoch: days)
        return "\(pad(date.year, 4))-\(pad(date.month, 2))-\(pad(date.day, 2))"
    }

    static func clock(_ value: Int64, _ unit: ArrowType.TimeUnit) -> String {
        let seconds = value / unit.perSecond
        let fraction = fractionText(value % unit.perSecond, unit)
        return
            "\(pad(Int(seconds / 3600), 2)):\(pad(Int(seconds / 60 % 60), 2)):\(pad(Int(seconds % 60), 2))\(fraction)"
    }

    static func timestamp(_ value: Int64, _ unit: ArrowType.TimeUnit, separator: String) -> String {
        // DuckDB's and PostgreSQL's infinities.
        if value == .max { return "infinity" }
        if value == -.max || value == .min { return "-infinity" }
        let perDay = unit.perSecond * 86_400
        let days = floorDivide(value, perDay)
        return date(days) + separator + clock(value &- days &* perDay, unit)
    }

    private static func duration(_ value: Int64, _ unit: ArrowType.TimeUnit) -> String {
        let magnitude = value == .min ? .max : abs(value)
        return (value < 0 ? "-" : "") + clock(magnitude, unit)
    }

    private static func interval(months: Int64, days: Int64, nanoseconds: Int64) -> String {
        var parts: [String] = []
        func add(_ value: Int64, _ name: String) {
            if value != 0 { parts.append("\(value) \(name)\(value.magnitude == 1 ? "" : "s")") }
        }
        add(months / 12, "year")
        add(months % 12, "month")
        add(days, "day")
        if nanoseconds != 0 || parts.isEmpty { parts.append(duration(nanoseconds, .nanosecond)) }
        return parts.joined(separator: " ")
    }

    /// `.5` for half a second; nothing for none.
    private static func fractionText(_ fraction: Int64, _ unit: ArrowType.TimeUnit) -> String {
        guard fraction != 0 else { return "" }
        let width = String(unit.perSecond).utf8.count - 1
        var digits = pad(Int(fraction), width)
        while digits.last == "0" { digits.removeLast() }
        return "." + digits
    }

    private static func pad(_ value: Int, _ width: Int) -> String {
        let digits = String(value.magnitude)
        return (value < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

extension [UInt8] {
    /// Lower-case hexadecimal.
    var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// Base64 with padding (RFC 4648, section 4).
    var base64: String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        text.reserveCapacity((count + 2) / 3 * 4)
        for start in stride(from: 0, to: count, by: 3) {
            let group = self[start..<Swift.min(start + 3, count)]
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= 8 * UInt32(3 - group.count)
            for place in 0..<4 {
                text.append(place > group.count ? UInt8(ascii: "=") : alphabet[Int(bits >> (18 - 6 * place) & 63)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
