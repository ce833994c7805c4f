// SPDX-License-Identifier: Apache-2.0

/// A moment between the years 1 and 9999.
///
/// Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md#timestamps.
package struct CELTimestamp: Hashable, Comparable, Sendable {
    /// Since 1970-01-01T00:00:00Z, rounded down.
    package let seconds: Int64
    /// 0 to 999,999,999.
    package let nanoseconds: Int64

    static let secondsOfYears: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// A moment; nil outside the years 1 to 9999.
    init?(seconds: Int64, nanoseconds: Int64) {
        guard Self.secondsOfYears.contains(seconds) else { return nil }
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    package static func < (left: CELTimestamp, right: CELTimestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    /// The moment `duration` later; nil outside the range.
    func adding(_ duration: CELDuration) -> CELTimestamp? {
        let (days, rest) = duration.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        var (seconds, nanos) = (seconds + days, nanoseconds + rest)
        if nanos < 0 { (seconds, nanos) = (seconds - 1, nanos + 1_000_000_000) }
        if nanos >= 1_000_000_000 { (seconds, nanos) = (seconds + 1, nanos - 1_000_000_000) }
        return CELTimestamp(seconds: seconds, nanoseconds: nanos)
    }

    /// The time from `other` to this; nil where no duration is that long.
    func since(_ other: CELTimestamp) -> CELDuration? {
        let (product, overflow) = (seconds - other.seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isTooLong) = product.addingReportingOverflow(nanoseconds - other.nanoseconds)
        return overflow || isTooLong ? nil : CELDuration(nanoseconds: sum)
    }
}

/// A length of time in nanoseconds.
package struct CELDuration: Hashable, Comparable, Sendable {
    package let nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static func < (left: CELDuration, right: CELDuration) -> Bool { left.nanoseconds < right.nanoseconds }

    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("ns", 1), ("us", 1000), ("µs", 1000), ("μs", 1000), ("ms", 1_000_000), ("s", 1_000_000_000),
        ("m", 60_000_000_000), ("h", 3_600_000_000_000),
    ]

    /// Parses `1h30m`, `-1.5s`, `0`; nil for anything else or what does not fit.
    init?(_ text: String) {
        var rest = Substring(text)
        let isNegative = rest.first == "-"
        if rest.first == "-" || rest.first == "+" { rest.removeFirst() }
        if rest == "0" {
            nanoseconds = 0
            return
        }
        guard !rest.isEmpty, rest.utf8.count <= 100 else { return nil }
        var total: Int128 = 0
        while !rest.isEmpty {
            let whole = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest[whole.endIndex...]
            var fraction = Substring()
            if rest.first == "." {
                fraction = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
                rest = rest[fraction.endIndex...]
            }
            guard !whole.isEmpty || !fraction.isEmpty, whole.count <= 19 else { return nil }
            let name = rest.prefix { !($0.isASCII && $0.isNumber) && $0 != "." }
            guard let unit = Self.units.first(where: { $0.name == name }) else { return nil }
            rest = rest[name.endIndex...]
            total += Int128(UInt64(whole) ?? 0) * Int128(unit.nanoseconds)
            let digits = fraction.prefix(18)
            let scale = digits.reduce(Int128(1)) { value, _ in value * 10 }
            total += Int128(UInt64(digits) ?? 0) * Int128(unit.nanoseconds) / scale
        }
        guard let value = Int64(exactly: isNegative ? -total : total) else { return nil }
        nanoseconds = value
    }

    /// `5400s`, `1.5s`: what `string(duration)` gives.
    var text: String {
        let (whole, rest) = nanoseconds.magnitude.quotientAndRemainder(dividingBy: 1_000_000_000)
        let sign = nanoseconds < 0 ? "-" : ""
        guard rest > 0 else { return "\(sign)\(whole)s" }
        var fraction = String(repeating: "0", count: 9 - String(rest).count) + String(rest)
        while fraction.last == "0" { fraction.removeLast() }
        return "\(sign)\(whole).\(fraction)s"
    }
}
