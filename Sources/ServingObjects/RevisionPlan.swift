// SPDX-License-Identifier: Apache-2.0
package import ApusCore

/// One deployment of a predictor, `NAME-predictor-00001`, as it is now.
package struct RevisionState: Sendable, Hashable {
    package var name: String
    package var number: Int
    /// Of its pods.
    package var digest: String
    /// Pods wanted, and those that can answer.
    package var wanted = 0
    package var available = 0
    /// Why it does not come up; nil while it may.
    package var failure: String?
    /// Percent that a rollout in steps has come to, and since when.
    package var percent: Int?
    package var since: Timestamp?
    /// Why it lost its traffic.
    package var rolledBack: String?
    /// Since when it gets no traffic.
    package var retired: Timestamp?

    package init(name: String, number: Int, digest: String) {
        self.name = name
        self.number = number
        self.digest = digest
    }

    /// All of its pods answer, or none are wanted.
    package var isComplete: Bool { available >= wanted }
    /// One of its pods answers, or none are wanted.
    package var isAvailable: Bool { wanted == 0 || available > 0 }
}

/// Which revisions of a predictor there are to be, and how much of the traffic each gets.
package struct RevisionPlan: Sendable, Hashable {
    package struct Share: Sendable, Hashable {
        package var revision: String
        package var percent: Int
        package var isLatest: Bool
    }

    /// What it is planned from.
    package struct Situation: Sendable {
        /// `NAME-predictor`.
        package var component: String
        /// Of the pods that are declared.
        package var digest: String
        /// `canaryTrafficPercent`.
        package var canaryPercent: Int?
        /// First step of a rollout in steps; nil: all at once.
        package var firstStep: Int?
        /// As the status has them: the revision that has the traffic, the one before, the last that was ready, the last
        /// that was made.
        package var rolledOut: String?
        package var previous: String?
        package var ready: String?
        package var created: String?
        package var existing: [RevisionState]
        package var now: Timestamp
        /// How long a revision without traffic stays, for requests that are still on their way to it.
        package var grace: Duration

        package init(component: String, digest: String, existing: [RevisionState], now: Timestamp, grace: Duration) {
            self.component = component
            self.digest = digest
            self.existing = existing
            self.now = now
            self.grace = grace
        }
    }

    /// The revision that is declared.
    package var latest: String
    /// Whether it has to be made.
    package var isNew = false
    package var isLatestReady = false
    /// The one that has the traffic but for a canary's share; nil before the first is ready.
    package var rolledOut: String?
    package var previous: String?
    package var ready: String?
    /// Adds up to 100.
    package var traffic: [Share] = []
    /// Those that are compared, while both get traffic.
    package var canary: (running: String, canary: String)? {
        guard let rolledOut, traffic.count == 2, traffic.allSatisfy({ $0.percent > 0 }) else { return nil }
        return (rolledOut, latest)
    }
    /// Get the mark that they have no traffic now, or lose it.
    package var retire: [String] = []
    package var revive: [String] = []
    /// Their time is over.
    package var remove: [String] = []
    /// It was rolled back and gets no traffic any more: no pods either.
    package var stopped: String?
    /// When there is something to do although nothing changes.
    package var next: Duration?

    package init(latest: String) { self.latest = latest }

    package static func plan(_ now: Situation) -> RevisionPlan {
        let declared = now.existing.filter { $0.digest == now.digest }.max { $0.number < $1.number }
        let number = declared?.number ?? nextNumber(now)
        var plan = RevisionPlan(latest: declared?.name ?? ServingNames.revisionName(now.component, number))
        plan.rolledOut = now.rolledOut
        plan.previous = now.previous
        plan.ready = now.ready
        plan.isNew = declared == nil
        plan.isLatestReady =
            declared.map { $0.rolledBack == nil && (now.ready == $0.name ? $0.isAvailable : $0.isComplete) } ?? false
        if plan.isLatestReady { plan.ready = plan.latest }
        let running = now.rolledOut.flatMap { name in now.existing.first { $0.name == name } }
        plan.share(declared, running, now)
        plan.clean(running, now)
        return plan
    }

    private static func nextNumber(_ now: Situation) -> Int {
        let known = now.created.flatMap { name in
            name.hasPrefix("\(now.component)-") ? Int(name.dropFirst(now.component.count + 1)) : nil
        }
        return max(known ?? 0, now.existing.map(\.number).max() ?? 0) + 1
    }

    /// The traffic.
    private mutating func share(_ declared: RevisionState?, _ running: RevisionState?, _ now: Situation) {
        guard let running, running.name != latest else {
            // The first, or the only one.
            traffic = [Share(revision: latest, percent: 100, isLatest: true)]
            if isLatestReady || running != nil { rolledOut = latest } else { rolledOut = nil }
            return
        }
        var percent = 0
        if isLatestReady, let declared {
            percent = now.canaryPercent ?? now.firstStep.map { declared.percent ?? $0 } ?? 100
        }
        if percent >= 100 {
            traffic = [Share(revision: latest, percent: 100, isLatest: true)]
            previous = running.name
            rolledOut = latest
        } else {
            traffic = [
                Share(revision: running.name, percent: 100 - percent, isLatest: false),
                Share(revision: latest, percent: percent, isLatest: true),
            ]
        }
        if declared?.rolledBack != nil { stopped = latest }
    }

    /// What is no longer needed.
    private mutating func clean(_ running: RevisionState?, _ now: Situation) {
        let serving = Set(traffic.map(\.revision) + [latest])
        for revision in now.existing.sorted(by: { $0.number < $1.number }) {
            if serving.contains(revision.name) {
                let isIdle = revision.rolledBack != nil
                if revision.retired != nil, !isIdle { revive.append(revision.name) }
                if isIdle {
                    if revision.retired == nil { retire.append(revision.name) }
                    let left = now.grace - (now.now - (revision.retired ?? now.now))
                    if left > .zero {
                        stopped = nil
                        next = min(next ?? left, left)
                    }
                }
                continue
            }
            guard let since = revision.retired else {
                retire.append(revision.name)
                next = min(next ?? now.grace, now.grace)
                continue
            }
            let left = now.grace - (now.now - since)
            if left <= .zero { remove.append(revision.name) } else { next = min(next ?? left, left) }
        }
    }
}
