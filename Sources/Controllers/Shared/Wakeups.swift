// SPDX-License-Identifier: Apache-2.0
import ControllerRuntime
import KubeAPI
import Synchronization

/// Remembers when keys will be reconciled again by time, so that each has one timer and not one per reconciliation.
final class Wakeups: Sendable {
    private let due = Mutex<[ObjectKey: ContinuousClock.Instant]>([:])

    /// What a reconciler returns to be called again after `delay`, or, when an earlier timer runs, by that.
    func result(_ key: ObjectKey, after delay: Duration?) -> ReconcileResult {
        let now = ContinuousClock.now
        return due.withLock { due in
            if let pending = due[key], pending <= now { due[key] = nil }
            guard let delay else { return .done }
            let moment = now + delay
            if let pending = due[key], pending <= moment { return .done }
            due[key] = moment
            return .after(delay)
        }
    }

    /// Whether a timer of this key has run out; with none pending, false.
    func hasElapsed(_ key: ObjectKey) -> Bool {
        due.withLock { due in due[key].map { $0 <= ContinuousClock.now } ?? false }
    }

    func forget(_ key: ObjectKey) { due.withLock { _ = $0.removeValue(forKey: key) } }
}
