// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Moments in the forms that S3 uses. Seconds or milliseconds since 1970, UTC.
package enum S3Time {
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `2026-01-02T03:04:05.678Z`, as S3's documents have it.
    package static func iso(milliseconds: Int64) -> String {
        let (date, second) = split(CivilDate.floor(milliseconds, 1000))
        let rest = Int(milliseconds - CivilDate.floor(milliseconds, 1000) * 1000)
        return digits([
            (date.year, 4, "-"), (date.month, 2, "-"), (date.day, 2, "T"), (second / 3600, 2, ":"),
            (second / 60 % 60, 2, ":"), (second % 60, 2, "."), (rest, 3, "Z"),
        ])
    }

    /// Milliseconds of RFC 3339's form, or of a day alone (`2026-01-02`).
    package static func parse(iso text: String) -> Int64? {
        let text = text.utf8.count == 10 ? text + "T00:00:00Z" : text
        return Timestamp(rfc3339: text).map { CivilDate.floor($0.nanoseconds, 1_000_000) }
    }

    /// `20260102T030405Z`, as signatures have it.
    package static func basic(seconds: Int64) -> String {
        let (date, second) = split(seconds)
        return digits([
            (date.year, 4, nil), (date.month, 2, nil), (date.day, 2, "T"), (second / 3600, 2, nil),
            (second / 60 % 60, 2, nil), (second % 60, 2, "Z"),
        ])
    }

    /// Seconds of `20260102T030405Z`; nil for every other form.
    package static func parse(basic text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z"),
            let year = number(bytes[0..<4]), let month = number(bytes[4..<6]), let day = number(bytes[6..<8]),
            let hour = number(bytes[9..<11]), let minute = number(bytes[11..<13]), let second = number(bytes[13..<15])
        else { return nil }
        return seconds(year, month, day, hour, minute, second)
    }

    /// `Fri, 02 Jan 2026 03:04:05 GMT` (RFC 9110, section 5.6.7).
    package static func http(seconds: Int64) -> String {
        let (date, second) = split(seconds)
        return weekdays[date.weekday] + ", "
            + digits([(date.day, 2, " ")]) + months[date.month - 1] + " "
            + digits([
                (date.year, 4, " "), (second / 3600, 2, ":"), (second / 60 % 60, 2, ":"), (second % 60, 2, " "),
            ]) + "GMT"
    }

    /// Seconds of one of the three forms that RFC 9110 lets a recipient meet.
    package static func parse(http text: String) -> Int64? {
        let words = text.split { $0 == " " || $0 == "," }
        func clock(_ word: Substring) -> (Int, Int, Int)? {
            let parts = word.split(separator: ":", omittingEmptySubsequences: false).map { number(Array($0.utf8)[...]) }
            guard parts.count == 3, let hour = parts[0], let minute = parts[1], let second = parts[2] else {
                return nil
            }
            return (hour, minute, second)
        }
        func month(_ word: Substring) -> Int? { months.firstIndex(of: String(word)).map { $0 + 1 } }
        if words.count == 6, words[5] == "GMT" || words[5] == "UTC" || words[5] == "+0000",
            let day = number(Array(words[1].utf8)[...]), let month = month(words[2]),
            let year = number(Array(words[3].utf8)[...]), let time = clock(words[4])
        {
            return seconds(year, month, day, time.0, time.1, time.2)
        }
        if words.count == 4, words[3] == "GMT", let time = clock(words[2]) {
            let parts = words[1].split(separator: "-")
            guard parts.count == 3, let day = number(Array(parts[0].utf8)[...]), let month = month(parts[1]),
                let year = number(Array(parts[2].utf8)[...])
            else { return nil }
            return seconds(year < 70 ? 2000 + year : 1900 + year, month, day, time.0, time.1, time.2)
        }
        if words.count == 5, let month = month(words[1]), let day = number(Array(words[2].utf8)[...]),
            let time = clock(words[3]), let year = number(Array(words[4].utf8)[...])
        {
            return seconds(year, month, day, time.0, time.1, time.2)
        }
        return nil
    }

    private static func split(_ seconds: Int64) -> (CivilDate, Int) {
        let day = CivilDate.floor(seconds, 86_400)
        return (CivilDate(daysSinceEpoch: day), Int(seconds - day * 86_400))
    }

    private static func seconds(
        _ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int, _ second: Int
    ) -> Int64? {
        guard (1...12).contains(month), day >= 1, day <= CivilDate.daysIn(month: month, year: year), hour < 24,
            minute < 60, second < 61
        else { return nil }
        let days = CivilDate(year: year, month: month, day: day).daysSinceEpoch
        return days * 86_400 + Int64(hour * 3600 + minute * 60 + second)
    }

    /// At most nine digits, and nothing else.
    private static func number(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard !bytes.isEmpty, bytes.count < 10 else { return nil }
        var value = 0
        for byte in bytes {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value
    }

    private static func digits(_ parts: [(value: Int, width: Int, end: Unicode.Scalar?)]) -> String {
        var bytes: [UInt8] = []
        for part in parts {
            let text = String(part.value)
            for _ in text.utf8.count..<max(part.width, text.utf8.count) { bytes.append(UInt8(ascii: "0")) }
            bytes.append(contentsOf: text.utf8)
            if let end = part.end { bytes.append(UInt8(ascii: end)) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
