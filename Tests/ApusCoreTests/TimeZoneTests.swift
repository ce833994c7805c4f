// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ApusCore

@Suite("Time zones")
struct TimeZoneTests {
    private func moment(_ text: String) throws -> Int64 { try #require(Timestamp(rfc3339: text)).seconds }

    @Test(
        "offsets on both sides of a change of clocks, past the file's last entry too",
        arguments: [
            ("Europe/Berlin", "2026-03-29T00:59:59Z", 3600), ("Europe/Berlin", "2026-03-29T01:00:00Z", 7200),
            ("Europe/Berlin", "2026-10-25T00:59:59Z", 7200), ("Europe/Berlin", "2026-10-25T01:00:00Z", 3600),
            ("America/New_York", "2026-03-08T06:59:59Z", -18_000),
            ("America/New_York", "2045-07-01T00:00:00Z", -14_400),
            ("Australia/Sydney", "2030-01-01T00:00:00Z", 39_600), ("Australia/Sydney", "2030-07-01T00:00:00Z", 36_000),
            ("Asia/Kolkata", "2026-01-01T00:00:00Z", 19_800), ("America/New_York", "1950-01-01T00:00:00Z", -18_000),
            ("UTC", "2026-01-01T00:00:00Z", 0), ("Etc/GMT+5", "2026-01-01T00:00:00Z", -18_000),
        ])
    func offsets(zone: String, at: String, offset: Int) throws {
        #expect(try #require(SystemTimeZones.rules(zone)).offset(at: try moment(at)) == offset)
    }

    @Test(
        "names that are no zone, or lead out of the database",
        arguments: ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Europe", "Europe/", "zone.tab", "a b"])
    func unknown(name: String) { #expect(SystemTimeZones.rules(name) == nil) }

    @Test("every prefix of a file, and a file with any byte changed, is read or refused")
    func damage() throws {
        let rules = try #require(TimeZoneRule(posix: "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1"))
        #expect(rules.offset(at: try moment("2026-07-01T00:00:00Z")) == -7200)
        let file = try #require(Self.tiny)
        for count in file.indices { _ = TimeZoneRules(tzif: Array(file[..<count])) }
        for index in file.indices {
            var changed = file
            changed[index] ^= 0xFF
            _ = TimeZoneRules(tzif: changed)?.offset(at: 0)
        }
        #expect(TimeZoneRules(tzif: file)?.offset(at: 0) == 3600)
        #expect(TimeZoneRules(tzif: Array(file.dropLast(file.count - 43))) == nil)
    }

    /// Version 2 with one type and no changes: an hour ahead of UTC.
    private static let tiny: [UInt8]? = {
        func header(_ counts: [UInt8]) -> [UInt8] {
            Array("TZif2".utf8) + [UInt8](repeating: 0, count: 15) + counts.flatMap { [0, 0, 0, $0] }
        }
        let body: [UInt8] = [0, 0, 0x0E, 0x10, 0, 0] + Array("X\u{0}".utf8)
        let block = header([0, 0, 0, 0, 1, 2]) + body
        return block + block + Array("\nXXX-1\n".utf8)
    }()

    @Test(
        "POSIX rules",
        arguments: [
            ("EST5EDT,M3.2.0,M11.1.0", "2026-06-01T00:00:00Z", -14_400),
            ("EST5EDT,J60,J300", "2024-03-02T00:00:00Z", -14_400),
            ("EST5EDT,59,300", "2026-02-27T12:00:00Z", -18_000), ("JST-9", "2026-06-01T00:00:00Z", 32_400),
        ])
    func posix(text: String, at: String, offset: Int) throws {
        #expect(try #require(TimeZoneRule(posix: text)).offset(at: try moment(at)) == offset)
    }

    @Test(
        "texts that are no POSIX rule", arguments: ["", "5", "EST", "EST5EDT", "EST5EDT,M13.1.0,M1.1.0", "<X", "A999"])
    func malformed(text: String) { #expect(TimeZoneRule(posix: text) == nil) }

    @Test("days of the calendar and back")
    func calendar() {
        #expect(CivilDate(daysSinceEpoch: 0) == CivilDate(year: 1970, month: 1, day: 1))
        #expect(CivilDate(daysSinceEpoch: 0).weekday == 4)
        for days in stride(from: Int64(-800_000), through: 800_000, by: 37) {
            #expect(CivilDate(daysSinceEpoch: days).daysSinceEpoch == days)
        }
        #expect(
            CivilDate(year: 2024, month: 2, day: 29).daysSinceEpoch + 1
                == CivilDate(year: 2024, month: 3, day: 1).daysSinceEpoch)
    }
}
