// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI
import Testing

@Suite("Cron schedules")
struct CronScheduleTests {
    private func next(_ schedule: String, after: String, zone: String = "UTC", count: Int = 1) throws -> [String] {
        let rules = try #require(SystemTimeZones.rules(zone))
        var moment = try #require(Timestamp(rfc3339: after))
        let schedule = try CronSchedule(parsing: schedule)
        var times: [String] = []
        for _ in 0..<count {
            guard let found = schedule.next(after: moment, in: rules) else { break }
            times.append(found.rfc3339)
            moment = found
        }
        return times
    }

    @Test(
        "the next time",
        arguments: [
            ("* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"),
            ("*/15 * * * *", "2026-01-01T00:01:30Z", "2026-01-01T00:15:00Z"),
            ("20/15 * * * *", "2026-01-01T00:21:00Z", "2026-01-01T00:35:00Z"),
            ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 12 * * MON-FRI", "2026-01-02T12:00:00Z", "2026-01-05T12:00:00Z"),
            ("30 8 1 jan,Jul ?", "2026-01-01T08:30:00Z", "2026-07-01T08:30:00Z"),
            // A day of the month or a weekday, when neither is a star.
            ("0 0 13 * 5", "2026-02-01T00:00:00Z", "2026-02-06T00:00:00Z"),
            ("0 0 */2 * 1", "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"),
            ("59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"),
            ("@hourly", "2026-01-01T00:30:00Z", "2026-01-01T01:00:00Z"),
            ("@yearly", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("@weekly", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
            ("@monthly", "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"),
            ("@every 1h30m", "2026-01-01T00:00:00Z", "2026-01-01T01:30:00Z"),
            ("CRON_TZ=Asia/Tokyo 0 9 * * *", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        ])
    func times(schedule: String, after: String, expected: String) throws {
        #expect(try next(schedule, after: after) == [expected])
    }

    @Test("times that the clocks leave out are skipped, times that they repeat come twice")
    func clocks() throws {
        // Berlin: 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00.
        #expect(
            try next("30 2 * * *", after: "2026-03-28T00:00:00Z", zone: "Europe/Berlin", count: 2)
                == ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"])
        #expect(
            try next("30 2 * * *", after: "2026-10-24T12:00:00Z", zone: "Europe/Berlin", count: 3)
                == ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"])
        #expect(
            try next("0 9 * * *", after: "2026-03-07T12:00:00Z", zone: "America/New_York", count: 2)
                == ["2026-03-07T14:00:00Z", "2026-03-08T13:00:00Z"])
        // Beirut goes from midnight to one o'clock.
        #expect(
            try next("0 0 * * *", after: "2026-03-28T00:00:00Z", zone: "Asia/Beirut", count: 1)
                == ["2026-03-29T21:00:00Z"])
    }

    @Test("a time that never comes ends the search")
    func never() throws { #expect(try next("0 0 30 2 *", after: "2026-01-01T00:00:00Z").isEmpty) }

    @Test("each minute of a week is found as by trying every minute")
    func exhaustive() throws {
        let zone = try #require(SystemTimeZones.rules("Europe/Berlin"))
        let start = try #require(Timestamp(rfc3339: "2026-10-23T00:00:00Z"))
        var expected: [Int64] = []
        for minute in 1...(5 * 1440) {
            let moment = start.seconds + Int64(minute * 60)
            let local = moment + Int64(zone.offset(at: moment))
            let (hour, part) = (local / 3600 % 24, local / 60 % 60)
            if [1, 2, 3, 23].contains(hour), part % 20 == 5 { expected.append(moment) }
        }
        let schedule = try CronSchedule(parsing: "5/20 1-3,23 * * *")
        var found: [Int64] = []
        var moment = start
        while let next = schedule.next(after: moment, in: zone), next <= start + .seconds(5 * 86_400) {
            found.append(next.seconds)
            moment = next
        }
        #expect(found == expected)
    }

    @Test(
        "schedules that are refused",
        arguments: [
            ("", "empty spec string"), ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("* * * * 7", "end of range (7) above maximum (6): 7"),
            ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("1-2-3 * * * *", "too many hyphens: 1-2-3"), ("1/2/3 * * * *", "too many slashes: 1/2/3"),
            ("x * * * *", "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax"),
            ("@never", "unrecognized descriptor: @never"),
            ("@every x", "failed to parse duration @every x: time: invalid duration \"x\""),
            ("TZ=Mars/X * * * * *", "provided bad location Mars/X: unknown time zone Mars/X"),
        ])
    func refused(schedule: String, why: String) {
        let error = #expect(throws: CronSchedule.Failure.self) { try CronSchedule(parsing: schedule) }
        #expect(error?.description == why)
    }
}
