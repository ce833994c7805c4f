// SPDX-License-Identifier: Apache-2.0

/// The parts of a moment in the Gregorian calendar.
struct CELCalendar {
    let year: Int64
    /// 1 to 12.
    let month: Int64
    /// 1 to 31.
    let day: Int64
    /// From 0 on 1 January.
    let dayOfYear: Int64
    /// From 0 on Sunday.
    let dayOfWeek: Int64
    let hour: Int64
    let minute: Int64
    let second: Int64

    /// The parts of a moment that many seconds after 1970-01-01T00:00:00.
    ///
    /// Source: http://howardhinnant.github.io/date_algorithms.html, civil_from_days.
    init(seconds: Int64) {
        let days = Self.floorDivide(seconds, 86400)
        let rest = seconds - days * 86400
        let shifted = days + 719_468
        let era = Self.floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayFromMarch = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayFromMarch + 2) / 153
        day = dayFromMarch - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        dayOfYear = days - Self.days(year: year, month: 1, day: 1)
        dayOfWeek = Self.floorModulo(days + 4, 7)
        hour = rest / 3600
        minute = rest / 60 % 60
        second = rest % 60
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        value / divisor - (value % divisor < 0 ? 1 : 0)
    }

    private static func floorModulo(_ value: Int64, _ divisor: Int64) -> Int64 {
        value - floorDivide(value, divisor) * divisor
    }

    /// Days since 1970-01-01.
    static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = floorDivide(shifted, 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    static func daysOfMonth(year: Int64, month: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension CELTimestamp {
    /// Parses RFC 3339; nil for anything else.
    init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, let days = Self.days(bytes),
            bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: "t"),
            let hour = Self.number(bytes, 11..<13), bytes[13] == UInt8(ascii: ":"),
            let minute = Self.number(bytes, 14..<16), bytes[16] == UInt8(ascii: ":"),
            let second = Self.number(bytes, 17..<19), hour < 24, minute < 60, second < 60
        else { return nil }
        var index = 19
        var nanoseconds: Int64 = 0
        if bytes[index] == UInt8(ascii: ".") {
            index += 1
            let start = index
            var scale: Int64 = 100_000_000
            while index < bytes.count, let digit = Self.number(bytes, index..<index + 1) {
                nanoseconds += digit * scale
                scale /= 10
                index += 1
            }
            guard index > start else { return nil }
        }
        guard index < bytes.count, let offset = Self.offset(bytes[index...]) else { return nil }
        let seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset
        self.init(seconds: seconds, nanoseconds: nanoseconds)
    }

    /// Parses `2006-01-02`; nil for anything else.
    init?(date text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 10, let days = Self.days(bytes) else { return nil }
        self.init(seconds: days * 86400, nanoseconds: 0)
    }

    private static func days(_ bytes: [UInt8]) -> Int64? {
        guard let year = number(bytes, 0..<4), bytes[4] == UInt8(ascii: "-"), let month = number(bytes, 5..<7),
            bytes[7] == UInt8(ascii: "-"), let day = number(bytes, 8..<10), (1...12).contains(month), day >= 1,
            day <= CELCalendar.daysOfMonth(year: year, month: month)
        else { return nil }
        return CELCalendar.days(year: year, month: month, day: day)
    }

    private static func number(_ bytes: [UInt8], _ range: Range<Int>) -> Int64? {
        var value: Int64 = 0
        for byte in bytes[range] {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        return value
    }

    /// Seconds east of Greenwich of `Z` or `+01:00`; nil for anything else.
    private static func offset(_ bytes: ArraySlice<UInt8>) -> Int64? {
        let bytes = Array(bytes)
        if bytes == [UInt8(ascii: "Z")] || bytes == [UInt8(ascii: "z")] { return 0 }
        guard bytes.count == 6, bytes[0] == UInt8(ascii: "+") || bytes[0] == UInt8(ascii: "-"),
            let hours = number(bytes, 1..<3), bytes[3] == UInt8(ascii: ":"), let minutes = number(bytes, 4..<6),
            hours < 24, minutes < 60
        else { return nil }
        return (hours * 60 + minutes) * (bytes[0] == UInt8(ascii: "-") ? -60 : 60)
    }

    /// RFC 3339 in UTC with as many decimals as it takes: what `string(timestamp)` gives.
    var text: String {
        let parts = CELCalendar(seconds: seconds)
        func padded(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        var text = "\(padded(parts.year, 4))-\(padded(parts.month, 2))-\(padded(parts.day, 2))"
        text += "T\(padded(parts.hour, 2)):\(padded(parts.minute, 2)):\(padded(parts.second, 2))"
        if nanoseconds > 0 {
            var fraction = padded(nanoseconds, 9)
            while fraction.last == "0" { fraction.removeLast() }
            text += "." + fraction
        }
        return text + "Z"
    }
}
