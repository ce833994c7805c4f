// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization

/// Limits on one statement.
package struct LakeLimits: Sendable {
    /// From its start until its last row was read; nil for no limit.
    package var time: Duration?
    /// Rows of its result; one more is an error of the code `limit`.
    package var rows: Int?

    package init(time: Duration? = nil, rows: Int? = nil) {
        self.time = time
        self.rows = rows
    }
}

/// Stops a statement that was cancelled or is out of time. A driver may lose a cancellation that comes before it
/// started to work, so it is said again every 50 ms until the call is over.
final class StatementWatch: Sendable {
    private struct State {
        var reason: LakeError?
        var isCalling = false
        var isOver = false
    }

    private let session: any LakeSession
    private let state = Mutex(State())
    private static let queue = DispatchQueue(label: "lake-watch")

    init(_ session: any LakeSession, limits: LakeLimits) {
        self.session = session
        guard let time = limits.time else { return }
        let (seconds, attoseconds) = time.components
        let nanoseconds = Double(max(seconds, 0)) * 1e9 + Double(attoseconds) / 1e9
        Self.queue.asyncAfter(deadline: .now() + .nanoseconds(Int(min(nanoseconds, 1e17)))) { [weak self] in
            self?.stop(LakeError(.timeout, "the statement ran over its limit of \(time)"))
        }
    }

    /// Why the statement was stopped, where it was.
    var reason: LakeError? { state.withLock { $0.reason } }

    /// A call starts; the reason not to, where there is one.
    func enter() -> LakeError? {
        state.withLock { state in
            if state.reason == nil { state.isCalling = true }
            return state.reason
        }
    }

    func leave() { state.withLock { $0.isCalling = false } }

    /// The statement is over: nothing stops it any more.
    func end() { state.withLock { $0.isOver = true } }

    func stop(_ reason: LakeError) {
        let isNew = state.withLock { state in
            if state.isOver || state.reason != nil { return false }
            state.reason = reason
            return true
        }
        if isNew { press() }
    }

    private func press() {
        // Under the lock, so that the call cannot end meanwhile and the next statement be the one that is cancelled.
        let goesOn = state.withLock { state in
            guard state.isCalling, !state.isOver else { return false }
            session.cancel()
            return true
        }
        guard goesOn else { return }
        Self.queue.asyncAfter(deadline: .now() + .milliseconds(50)) { [weak self] in self?.press() }
    }
}
