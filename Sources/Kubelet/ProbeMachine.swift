// SPDX-License-Identifier: Apache-2.0

/// Counts the results of one probe of one run of a container against its thresholds.
package struct ProbeMachine: Sendable {
    private let successThreshold: Int
    private let failureThreshold: Int
    private var successes = 0
    private var failures = 0
    /// What the probe says now; nil: undecided.
    package private(set) var isPassing: Bool?

    /// - Parameters:
    ///   - plan: holds the thresholds.
    ///   - isPassing: what was known before, for a run that was adopted.
    package init(_ plan: ProbePlan, isPassing: Bool? = nil) {
        successThreshold = plan.successThreshold
        failureThreshold = plan.failureThreshold
        self.isPassing = isPassing
    }

    /// Takes in one result; returns what the probe says from now on when that is news.
    package mutating func record(success: Bool) -> Bool? {
        if success {
            successes += 1
            failures = 0
            guard successes >= successThreshold, isPassing != true else { return nil }
            isPassing = true
            return true
        }
        failures += 1
        successes = 0
        guard failures >= failureThreshold, isPassing != false else { return nil }
        isPassing = false
        return false
    }
}
