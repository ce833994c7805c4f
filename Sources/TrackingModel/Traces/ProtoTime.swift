// SPDX-License-Identifier: Apache-2.0
import ApusCore

/// Moments and durations as protobuf's JSON writes them; here they are milliseconds.
package enum ProtoTime {
    /// A moment; milliseconds since 1970.
    package static func moment(_ milliseconds: Int64) -> String {
        let (seconds, rest) = parts(milliseconds)
        let text = Timestamp(nanoseconds: seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue).rfc3339
        return rest == 0 ? text : text.dropLast() + ".\(digits(rest))Z"
    }

    /// A duration, `1.250s`.
    package static func duration(_ milliseconds: Int64) -> String {
        let (seconds, rest) = (milliseconds / 1000, abs(milliseconds % 1000))
        let sign = milliseconds < 0 && seconds == 0 ? "-" : ""
        return rest == 0 ? "\(seconds)s" : "\(sign)\(seconds).\(digits(rest))s"
    }

    /// Milliseconds since 1970; nil where the text is no moment.
    package static func milliseconds(moment text: String) -> Int64? {
        Timestamp(rfc3339: text).map { parts($0.nanoseconds, of: 1_000_000).whole }
    }

    /// Milliseconds; nil where the text is no duration.
    package static func milliseconds(duration text: String) -> Int64? {
        guard text.hasSuffix("s") else { return nil }
        let pair = text.dropLast().split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = pair.first, let seconds = Int64(first), seconds.magnitude <= 315_576_000_000 else {
            return nil
        }
        guard pair.count == 2 else { return seconds * 1000 }
        guard (1...9).contains(pair[1].utf8.count), let rest = UInt64(pair[1]),
            let thousandths = Int64((pair[1] + "000000000").prefix(3)), rest <= 999_999_999
        else { return nil }
        return seconds * 1000 + (first.hasPrefix("-") ? -thousandths : thousandths)
    }

    private static func parts(_ value: Int64, of unit: Int64 = 1000) -> (whole: Int64, rest: Int64) {
        let (whole, rest) = value.quotientAndRemainder(dividingBy: unit)
        return rest < 0 ? (whole - 1, rest + unit) : (whole, rest)
    }

    private static func digits(_ thousandths: Int64) -> String {
        let text = String(thousandths)
        return String(repeating: "0", count: 3 - text.utf8.count) + text
    }
}
