// SPDX-License-Identifier: Apache-2.0
import KafkaRecords
import Synchronization

/// An append that has its place in the log's order, and is answered later.
package final class PendingAppend: Sendable {
    private struct State: Sendable {
        var answer: Result<Appended, AppendError>?
        var waiting: CheckedContinuation<Result<Appended, AppendError>, Never>?
    }

    private let state: Mutex<State>

    init(_ answer: Result<Appended, AppendError>? = nil) { state = Mutex(State(answer: answer)) }

    func resume(_ answer: Result<Appended, AppendError>) {
        let waiting = state.withLock { state in
            state.answer = answer
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume(returning: answer)
    }

    /// Returns once the records are as safe as asked for and visible to readers. Not cancellable; called once.
    package func value() async throws(AppendError) -> Appended {
        let answer = await withCheckedContinuation { continuation in
            let answer = state.withLock { state in
                if state.answer == nil { state.waiting = continuation }
                return state.answer
            }
            if let answer { continuation.resume(returning: answer) }
        }
        return try answer.get()
    }
}
