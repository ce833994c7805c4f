// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Testing

struct TimestampTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-21T09:34:05Z", 1_795_253_645_000_000_000),
        ("2026-11-21T10:34:05.25+01:00", 1_795_253_645_250_000_000),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
        ("2024-02-29T12:00:00.123456789Z", 1_709_208_000_123_456_789),
    ])
    func parses(text: String, nanoseconds: Int64) {
        #expect(Timestamp(rfc3339: text)?.nanoseconds == nanoseconds)
    }

    @Test(arguments: [
        "", "2026", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z", "x026-01-01T00:00:00Z",
    ])
    func refuses(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func writesAllForms() {
        let time = Timestamp(nanoseconds: 1_795_253_645_000_120_003)
        #expect(time.rfc3339 == "2026-11-21T09:34:05Z")
        #expect(time.rfc3339Micro == "2026-11-21T09:34:05.000120Z")
        #expect(time.rfc3339Nano == "2026-11-21T09:34:05.000120003Z")
        #expect(Timestamp(rfc3339: time.rfc3339Nano) == time)
    }

    /// Reading goes by the C library's calendar, writing by our own.
    @Test func everyDayIsWrittenAsItIsRead() {
        for day in -104_000...104_000 {
            let time = Timestamp(seconds: Int64(day) * 86_400 + 86_399)
            #expect(Timestamp(rfc3339: time.rfc3339) == time)
        }
    }

    @Test func arithmeticIsCapped() {
        let last = Timestamp(nanoseconds: .max)
        let first = Timestamp(nanoseconds: .min)
        #expect(last + .seconds(Int64.max) == last)
        #expect(first + .seconds(Int64.min) == first)
        #expect(last - first == .nanoseconds(Int64.max))
        #expect(first - last == .nanoseconds(Int64.min))
        #expect(Timestamp(seconds: .max) == last)
        #expect(first.rfc3339Nano == "1677-09-21T00:12:43.145224192Z")
    }

    @Test func uuidsAreVersion4AndDiffer() {
        let ids = (0..<100).map { _ in RandomID.uuid() }
        #expect(Set(ids).count == 100)
        #expect(ids.allSatisfy { $0.count == 36 && Array($0)[14] == "4" && "89ab".contains(Array($0)[19]) })
    }
}
