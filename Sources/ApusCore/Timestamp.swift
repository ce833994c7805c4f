// SPDX-License-Identifier: Apache-2.0
#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A moment of wall-clock time, in nanoseconds since 1970-01-01T00:00:00Z.
///
/// Text forms are those of Kubernetes: `Time` (RFC 3339, whole seconds, UTC) and `MicroTime` (six decimals).
package struct Timestamp: Sendable, Hashable, Comparable {
    /// Nanoseconds since the Unix epoch.
    package var nanoseconds: Int64

    /// A moment from nanoseconds since the Unix epoch.
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// A moment from seconds since the Unix epoch, capped to about the years 1678 to 2262.
    package init(seconds: Int64) { nanoseconds = Duration.seconds(seconds).nanoseconds }

    /// The present moment of the system's clock.
    package static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Whole seconds since the Unix epoch, rounded down.
    package var seconds: Int64 {
        nanoseconds / 1_000_000_000 - (nanoseconds % 1_000_000_000 < 0 ? 1 : 0)
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The moment `duration` later, capped: times and durations come from outside.
    package static func + (left: Timestamp, duration: Duration) -> Timestamp {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(duration.nanoseconds)
        return Timestamp(nanoseconds: overflow ? (duration < .zero ? .min : .max) : sum)
    }

    /// The time from `right` to `left`, capped.
    package static func - (left: Timestamp, right: Timestamp) -> Duration {
        let (difference, overflow) = left.nanoseconds.subtractingReportingOverflow(right.nanoseconds)
        return .nanoseconds(overflow ? (left < right ? .min : .max) : difference)
    }

    /// `2026-01-02T03:04:05Z`.
    package var rfc3339: String { text(fractionDigits: 0) }

    /// `2026-01-02T03:04:05.123456Z`.
    package var rfc3339Micro: String { text(fractionDigits: 6) }

    /// `2026-01-02T03:04:05.123456789Z`.
    package var rfc3339Nano: String { text(fractionDigits: 9) }

    private func text(fractionDigits: Int) -> String {
        let seconds = seconds
        let day = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let inDay = Int(seconds - day * 86_400)
        let date = Self.civil(daysSinceEpoch: Int(day))
        return String(unsafeUninitializedCapacity: 32) { text in
            var index = 0
            func put(_ value: Int, _ width: Int, _ end: Unicode.Scalar?) {
                var rest = value
                for place in stride(from: index + width - 1, through: index, by: -1) {
                    text[place] = UInt8(ascii: "0") + UInt8(rest % 10)
                    rest /= 10
                }
                index += width
                if let end {
                    text[index] = UInt8(ascii: end)
                    index += 1
                }
            }
            put(date.year, 4, "-")
            put(date.month, 2, "-")
            put(date.day, 2, "T")
            put(inDay / 3600, 2, ":")
            put(inDay / 60 % 60, 2, ":")
            put(inDay % 60, 2, fractionDigits > 0 ? "." : "Z")
            if fractionDigits > 0 {
                let rest = nanoseconds % 1_000_000_000
                var fraction = Int(rest < 0 ? rest + 1_000_000_000 : rest)
                for _ in fractionDigits..<9 { fraction /= 10 }
                put(fraction, fractionDigits, "Z")
            }
            return index
        }
    }

    /// The date of a day in the proleptic Gregorian calendar.
    ///
    /// Counts in eras of 400 years, whose years begin in March, so that a leap day is the last of its year.
    private static func civil(daysSinceEpoch days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    /// Parses RFC 3339 with any number of decimals and any offset.
    package init?(rfc3339 text: String) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int? {
            guard range.upperBound <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[range] {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
            }
            return value
        }
        func isByte(_ index: Int, _ characters: String) -> Bool {
            index < bytes.count && characters.utf8.contains(bytes[index])
        }
        guard let year = number(0..<4), isByte(4, "-"), let month = number(5..<7), isByte(7, "-"),
            let day = number(8..<10), isByte(10, "Tt "), let hour = number(11..<13), isByte(13, ":"),
            let minute = number(14..<16), isByte(16, ":"), let second = number(17..<19),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var index = 19
        var fraction: Int64 = 0
        if isByte(index, ".") {
            index += 1
            var scale: Int64 = 100_000_000
            let start = index
            while let digit = number(index..<index + 1) {
                fraction += Int64(digit) * scale
                scale /= 10
                index += 1
            }
            guard index > start else { return nil }
        }
        var offset = 0
        if isByte(index, "Zz") {
            index += 1
        } else if isByte(index, "+-"), let hours = number(index + 1..<index + 3), isByte(index + 3, ":"),
            let minutes = number(index + 4..<index + 6)
        {
            offset = (hours * 60 + minutes) * 60 * (bytes[index] == UInt8(ascii: "-") ? -1 : 1)
            index += 6
        } else {
            return nil
        }
        guard index == bytes.count else { return nil }
        var parts = tm()
        parts.tm_year = Int32(year - 1900)
        parts.tm_mon = Int32(month - 1)
        parts.tm_mday = Int32(day)
        parts.tm_hour = Int32(hour)
        parts.tm_min = Int32(minute)
        parts.tm_sec = Int32(second)
        let seconds = Int64(timegm(&parts)) - Int64(offset)
        guard abs(seconds) < 9_000_000_000 else { return nil }
        nanoseconds = seconds * 1_000_000_000 + fraction
    }
}

extension Duration {
    /// The whole duration in nanoseconds, clamped to `Int64`.
    package var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isTooFar) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || isTooFar ? (seconds < 0 ? .min : .max) : sum
    }

    /// The whole duration in seconds.
    package var inSeconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
