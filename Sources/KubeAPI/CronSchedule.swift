// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// When a CronJob runs: five fields (minute, hour, day of month, month, day of week), or a macro.
///
/// Source: Kubernetes "CronJob", "Schedule syntax"; wording of the errors as of the parser that upstream uses. Times
/// that a change of clocks leaves out are skipped; those that it repeats come twice.
package struct CronSchedule: Sendable, Equatable {
    /// The numbers of a field that match, one bit each.
    private struct Field: Sendable, Equatable {
        var bits: UInt64
        /// Written as `*` or `?` without step: for days that means that only the other field counts.
        var isStar: Bool

        func contains(_ value: Int) -> Bool { bits >> UInt64(value) & 1 == 1 }
    }

    private enum Form: Sendable, Equatable {
        case fields(minute: Field, hour: Field, day: Field, month: Field, weekday: Field)
        /// `@every`, in seconds.
        case every(Int64)
    }

    private var form: Form
    /// The zone named by a `TZ=` or `CRON_TZ=` prefix; nil without one.
    package private(set) var zone: TimeZoneRules?

    /// Years that a search looks ahead: schedules such as February 30 never come.
    private static let horizon = 5
    private static let maxLength = 1024

    private static let macros = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]
    private static let months = names("jan feb mar apr may jun jul aug sep oct nov dec", from: 1)
    private static let weekdays = names("sun mon tue wed thu fri sat", from: 0)

    private static func names(_ list: String, from first: Int) -> [String: Int] {
        var names: [String: Int] = [:]
        for (index, name) in list.split(separator: " ").enumerated() { names[String(name)] = first + index }
        return names
    }

    /// What is wrong with a schedule.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    package init(parsing given: String) throws(Failure) {
        guard !given.isEmpty else { throw Failure(description: "empty spec string") }
        guard given.utf8.count <= Self.maxLength else {
            throw Failure(description: "schedule is longer than \(Self.maxLength) bytes")
        }
        var text = given
        if text.hasPrefix("TZ=") || text.hasPrefix("CRON_TZ=") {
            let space = text.firstIndex(of: " ") ?? text.endIndex
            let equals = text.firstIndex(of: "=") ?? text.startIndex
            let name = String(text[text.index(after: equals)..<space])
            guard let rules = SystemTimeZones.rules(name) else {
                throw Failure(description: "provided bad location \(name): unknown time zone \(name)")
            }
            zone = rules
            text = String(text[space...].drop { $0 == " " })
        }
        if text.hasPrefix("@") {
            if let macro = Self.macros[text] {
                form = try Self.fields(macro)
            } else if text.hasPrefix("@every ") {
                form = .every(try Self.duration(String(text.dropFirst("@every ".count)), in: text))
            } else {
                throw Failure(description: "unrecognized descriptor: \(text)")
            }
            return
        }
        form = try Self.fields(text)
    }

    private static func fields(_ text: String) throws(Failure) -> Form {
        let fields = text.split(whereSeparator: \.isWhitespace).map(String.init)
        guard fields.count == 5 else {
            throw Failure(
                description: "expected exactly 5 fields, found \(fields.count): [\(fields.joined(separator: " "))]")
        }
        return .fields(
            minute: try field(fields[0], 0...59), hour: try field(fields[1], 0...23),
            day: try field(fields[2], 1...31), month: try field(fields[3], 1...12, names: months),
            weekday: try field(fields[4], 0...6, names: weekdays))
    }

    private static func field(
        _ text: String, _ range: ClosedRange<Int>, names: [String: Int] = [:]
    ) throws(Failure) -> Field {
        var field = Field(bits: 0, isStar: false)
        for part in text.split(separator: ",") {
            let (bits, isStar) = try self.range(String(part), range, names: names)
            field.bits |= bits
            if isStar { field.isStar = true }
        }
        return field
    }

    private static func range(
        _ text: String, _ range: ClosedRange<Int>, names: [String: Int]
    ) throws(Failure) -> (bits: UInt64, isStar: Bool) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false).map(String.init)
        var isStar = false
        let first: Int
        var last: Int
        if ends[0] == "*" || ends[0] == "?" {
            (first, last, isStar) = (range.lowerBound, range.upperBound, true)
        } else {
            first = try number(ends[0], names)
            guard ends.count <= 2 else { throw Failure(description: "too many hyphens: \(text)") }
            last = ends.count == 2 ? try number(ends[1], names) : first
        }
        var step = 1
        guard parts.count <= 2 else { throw Failure(description: "too many slashes: \(text)") }
        if parts.count == 2 {
            step = try number(parts[1], [:])
            // `N/step` means `N-max/step`.
            if ends.count == 1 { last = range.upperBound }
            if step > 1 { isStar = false }
        }
        guard first >= range.lowerBound else {
            throw Failure(
                description: "beginning of range (\(first)) below minimum (\(range.lowerBound)): \(text)")
        }
        guard last <= range.upperBound else {
            throw Failure(description: "end of range (\(last)) above maximum (\(range.upperBound)): \(text)")
        }
        guard first <= last else {
            throw Failure(description: "beginning of range (\(first)) beyond end of range (\(last)): \(text)")
        }
        guard step > 0 else { throw Failure(description: "step of range should be a positive number: \(text)") }
        let bits = stride(from: first, through: last, by: step).reduce(UInt64(0)) { $0 | 1 << UInt64($1) }
        return (bits, isStar)
    }

    private static func number(_ text: String, _ names: [String: Int]) throws(Failure) -> Int {
        if let named = names[text.lowercased()] { return named }
        guard let number = Int(text) else {
            throw Failure(
                description: "failed to parse int from \(text): strconv.Atoi: parsing \"\(text)\": invalid syntax")
        }
        guard number >= 0 else { throw Failure(description: "negative number (\(number)) not allowed: \(text)") }
        return number
    }

    /// A duration such as `1h30m`, in whole seconds and at least one.
    private static func duration(_ text: String, in descriptor: String) throws(Failure) -> Int64 {
        let failure = Failure(
            description: "failed to parse duration \(descriptor): time: invalid duration \"\(text)\"")
        let units: [(String, Double)] = [
            ("ms", 0.001), ("us", 1e-6), ("ns", 1e-9), ("h", 3600), ("m", 60), ("s", 1),
        ]
        var rest = Substring(text)
        var seconds = 0.0
        guard !rest.isEmpty else { throw failure }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(digits.count)
            guard let amount = Double(digits), let unit = units.first(where: { rest.hasPrefix($0.0) }) else {
                throw failure
            }
            rest = rest.dropFirst(unit.0.count)
            seconds += amount * unit.1
        }
        guard seconds < 1e9 else { throw failure }
        return max(1, Int64(seconds))
    }
}

extension CronSchedule {
    /// The first moment after `moment` at which to run, in a time zone; nil when none comes within five years.
    package func next(after moment: Timestamp, in given: TimeZoneRules = .utc) -> Timestamp? {
        let zone = zone ?? given
        guard case .fields(let minute, let hour, let day, let month, let weekday) = form else {
            guard case .every(let seconds) = form else { return nil }
            return Timestamp(seconds: moment.seconds + seconds)
        }
        let start = moment.seconds
        var days = CivilDate.floor(start + Int64(zone.offset(at: start)), 86_400)
        let lastYear = CivilDate(daysSinceEpoch: days).year + Self.horizon
        while true {
            let date = CivilDate(daysSinceEpoch: days)
            guard date.year <= lastYear else { return nil }
            guard month.contains(date.month) else {
                days += Int64(CivilDate.daysIn(month: date.month, year: date.year) - date.day + 1)
                continue
            }
            let isDay = day.contains(date.day)
            let isWeekday = weekday.contains(date.weekday)
            let matches = day.isStar || weekday.isStar ? isDay && isWeekday : isDay || isWeekday
            if matches, let found = Self.first(after: start, on: days, minute: minute, hour: hour, zone: zone) {
                return Timestamp(seconds: found)
            }
            days += 1
        }
    }

    /// The first match after `start` on a local day.
    private static func first(
        after start: Int64, on days: Int64, minute: Field, hour: Field, zone: TimeZoneRules
    ) -> Int64? {
        let midnight = days * 86_400
        // Those in force around the day; where the clocks change on it, a local time may come twice, or never.
        let offsets = Set([zone.offset(at: midnight - 86_400), zone.offset(at: midnight + 2 * 86_400)])
        var earliest: Int64?
        for hours in 0..<24 where hour.contains(hours) {
            for minutes in 0..<60 where minute.contains(minutes) {
                let local = midnight + Int64(hours * 3600 + minutes * 60)
                for offset in offsets where zone.offset(at: local - Int64(offset)) == offset {
                    let found = local - Int64(offset)
                    if found > start, found < earliest ?? .max { earliest = found }
                }
            }
            // Without a change of clocks later hours are later.
            if earliest != nil, offsets.count == 1 { return earliest }
        }
        return earliest
    }
}
