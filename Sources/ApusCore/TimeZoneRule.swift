// SPDX-License-Identifier: Apache-2.0

/// Standard and daylight-saving time that alternate by a rule: a POSIX TZ string such as `EST5EDT,M3.2.0,M11.1.0`.
///
/// Source: POSIX.1-2024 "TZ", with the hours of RFC 9636 (-167 to 167).
struct TimeZoneRule: Sendable, Equatable {
    /// A day of the year and a time on it, in seconds of local time.
    private struct Date: Sendable, Equatable {
        enum Day: Sendable, Equatable {
            /// The `week`-th `weekday` (0 is Sunday) of a month; week 5 is the last one.
            case weekday(month: Int, week: Int, weekday: Int)
            /// 1 to 365, February 29 never being counted.
            case julian(Int)
            /// 0 to 365.
            case ordinal(Int)
        }

        var day: Day
        var time: Int
    }

    private var standard: Int
    private var daylight: Int
    private var dates: (start: Date, end: Date)?

    static func == (left: TimeZoneRule, right: TimeZoneRule) -> Bool {
        left.standard == right.standard && left.daylight == right.daylight && left.dates?.start == right.dates?.start
            && left.dates?.end == right.dates?.end
    }

    /// Nil when the text is no TZ string.
    init?(posix text: String) {
        var scanner = Scanner(text: Array(text.utf8))
        guard scanner.name(), let west = scanner.time() else { return nil }
        standard = -west
        daylight = standard
        guard !scanner.isAtEnd else { return }
        guard scanner.name() else { return nil }
        daylight = standard + 3600
        if scanner.peek != UInt8(ascii: ",") {
            guard let west = scanner.time() else { return nil }
            daylight = -west
        }
        guard scanner.take(","), let start = scanner.date(), scanner.take(","), let end = scanner.date(),
            scanner.isAtEnd
        else { return nil }
        dates = (Date(day: start.day, time: start.time), Date(day: end.day, time: end.time))
    }

    func offset(at moment: Int64) -> Int {
        guard let dates else { return standard }
        let year = CivilDate(daysSinceEpoch: CivilDate.floor(moment + Int64(standard), 86_400)).year
        let start = Self.moment(dates.start, year: year) - Int64(standard)
        let end = Self.moment(dates.end, year: year) - Int64(daylight)
        let isDaylight =
            start < end ? start <= moment && moment < end : !(end <= moment && moment < start)
        return isDaylight ? daylight : standard
    }

    /// Local seconds since the epoch.
    private static func moment(_ date: Date, year: Int) -> Int64 {
        let first = CivilDate(year: year, month: 1, day: 1).daysSinceEpoch
        let day: Int64
        switch date.day {
        case .julian(let number):
            let leap = CivilDate.isLeap(year) && number >= 60 ? 1 : 0
            day = first + Int64(number - 1 + leap)
        case .ordinal(let number): day = first + Int64(number)
        case .weekday(let month, let week, let weekday):
            let start = CivilDate(year: year, month: month, day: 1)
            var number = 1 + (weekday - start.weekday + 7) % 7 + (week - 1) * 7
            while number > CivilDate.daysIn(month: month, year: year) { number -= 7 }
            day = CivilDate(year: year, month: month, day: number).daysSinceEpoch
        }
        return day * 86_400 + Int64(date.time)
    }

    private struct Scanner {
        let text: [UInt8]
        var index = 0

        var isAtEnd: Bool { index >= text.count }
        var peek: UInt8? { isAtEnd ? nil : text[index] }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard peek == UInt8(ascii: character) else { return false }
            index += 1
            return true
        }

        /// Skips a zone's name: letters, or anything in angle brackets.
        mutating func name() -> Bool {
            let start = index
            if take("<") {
                while let byte = peek, byte != UInt8(ascii: ">") {
                    _ = byte
                    index += 1
                }
                return take(">")
            }
            while let byte = peek, (65...90).contains(byte) || (97...122).contains(byte) { index += 1 }
            return index > start
        }

        mutating func number(_ range: ClosedRange<Int>) -> Int? {
            var value = 0
            let start = index
            while let byte = peek, (48...57).contains(byte), value < 10_000 {
                value = value * 10 + Int(byte) - 48
                index += 1
            }
            return index > start && range.contains(value) ? value : nil
        }

        /// `[+-]hh[:mm[:ss]]` in seconds.
        mutating func time() -> Int? {
            let sign = take("-") ? -1 : 1
            if sign > 0 { _ = take("+") }
            guard var seconds = number(0...167).map({ $0 * 3600 }) else { return nil }
            for unit in [60, 1] where take(":") {
                guard let part = number(0...59) else { return nil }
                seconds += part * unit
            }
            return sign * seconds
        }

        mutating func date() -> (day: Date.Day, time: Int)? {
            let day: Date.Day
            if take("M") {
                guard let month = number(1...12), take("."), let week = number(1...5), take("."),
                    let weekday = number(0...6)
                else { return nil }
                day = .weekday(month: month, week: week, weekday: weekday)
            } else if take("J") {
                guard let number = number(1...365) else { return nil }
                day = .julian(number)
            } else {
                guard let number = number(0...365) else { return nil }
                day = .ordinal(number)
            }
            guard take("/") else { return (day, 7200) }
            return time().map { (day, $0) }
        }
    }
}
