// SPDX-License-Identifier: Apache-2.0
import ApusCore
import KubeAPI

/// When a CronJob is due.
///
/// Source: Kubernetes "CronJob", "Deadline for delayed Job start".
struct CronJobSchedule: Sendable {
    /// More starts missed than this are told of; the latest is made up for all the same.
    static let maxMissed = 100

    private let schedule: CronSchedule
    let zone: TimeZoneRules

    /// Nil rules: the zone is not known.
    init(_ spec: JSONValue) throws(CronSchedule.Failure) {
        schedule = try CronSchedule(parsing: spec["schedule"].string ?? "")
        let name = spec["timeZone"].string ?? ""
        zone = SystemTimeZones.rules(name) ?? .utc
    }

    /// A time that is due.
    struct Due: Equatable, Sendable {
        var time: Timestamp
        /// How many starts up to it were missed, itself among them; an estimate when there are many.
        var missed: Int
    }

    /// The latest time that is due and was not used yet; nil when none is.
    ///
    /// `last`: the time of the last start.
    /// `deadline`: how late a start may be.
    func due(created: Timestamp, last: Timestamp?, deadline: Duration?, now: Timestamp) -> Due? {
        var earliest = last ?? created
        if let deadline { earliest = max(earliest, now + (.zero - deadline)) }
        guard let first = schedule.next(after: earliest, in: zone), first <= now else { return nil }
        guard let second = schedule.next(after: first, in: zone), second <= now else {
            return Due(time: first, missed: 1)
        }
        let between = max(1, second.seconds - first.seconds)
        let missed = Int((now.seconds - first.seconds) / between) + 1
        // Most starts of many are passed over at once; the step before the last is short enough for any schedule.
        var latest = second
        if missed > Self.maxMissed {
            latest = schedule.next(after: now + .seconds(-10 * Int(between)), in: zone) ?? second
            if latest > now { latest = second }
        }
        while let next = schedule.next(after: latest, in: zone), next <= now { latest = next }
        return Due(time: latest, missed: missed)
    }

    func next(after moment: Timestamp) -> Timestamp? { schedule.next(after: moment, in: zone) }
}
