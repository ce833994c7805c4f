// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Bytes that may be in memory at a time. Whoever gets none waits in line.
///
/// Who has a part never waits for another, so that nobody waits for ever: a body takes what it may need at once, and
/// gives it back when it is over.
final class MemoryBudget: Sendable {
    /// Bytes that somebody has; given back when it goes.
    final class Share: Sendable {
        private let budget: MemoryBudget
        let bytes: Int

        fileprivate init(_ budget: MemoryBudget, _ bytes: Int) {
            self.budget = budget
            self.bytes = bytes
        }

        deinit { budget.giveBack(bytes) }
    }

    private struct Waiting {
        var bytes: Int
        var number: UInt64
        var continuation: CheckedContinuation<Share?, Never>
    }

    private struct State {
        var free: Int
        var next: UInt64 = 0
        var waiting: [Waiting] = []
        /// Those who gave up before they were in line.
        var cancelled: Set<UInt64> = []
    }

    private let total: Int
    private let state: Mutex<State>

    /// - Parameter bytes: how many there are.
    init(bytes: Int) {
        total = bytes
        state = Mutex(State(free: bytes))
    }

    /// How many bytes are free.
    var free: Int { state.withLock { $0.free } }

    /// How many wait.
    var waiting: Int { state.withLock { $0.waiting.count } }

    /// Takes bytes, at most as many as there are in all; waits in line while there are not enough.
    /// - Throws: `CancellationError` when the task is cancelled.
    func take(_ bytes: Int) async throws -> Share {
        let bytes = min(bytes, total)
        let number = state.withLock { state -> UInt64? in
            if state.waiting.isEmpty, state.free >= bytes {
                state.free -= bytes
                return nil
            }
            state.next += 1
            return state.next
        }
        guard let number else { return Share(self, bytes) }
        let share = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let granted = state.withLock { state -> Bool? in
                    if state.cancelled.remove(number) != nil { return false }
                    if state.waiting.isEmpty, state.free >= bytes {
                        state.free -= bytes
                        return true
                    }
                    state.waiting.append(Waiting(bytes: bytes, number: number, continuation: continuation))
                    return nil
                }
                switch granted {
                case true: continuation.resume(returning: Share(self, bytes))
                case false: continuation.resume(returning: nil)
                case nil: break
                }
            }
        } onCancel: {
            let (found, next) = state.withLock { state -> (Waiting?, [Waiting]) in
                guard let index = state.waiting.firstIndex(where: { $0.number == number }) else {
                    state.cancelled.insert(number)
                    return (nil, [])
                }
                let found = state.waiting.remove(at: index)
                return (found, Self.next(&state))
            }
            found?.continuation.resume(returning: nil)
            give(next)
        }
        _ = state.withLock { $0.cancelled.remove(number) }
        guard let share else { throw CancellationError() }
        return share
    }

    private static func next(_ state: inout State) -> [Waiting] {
        var granted: [Waiting] = []
        while let first = state.waiting.first, first.bytes <= state.free {
            state.free -= first.bytes
            granted.append(state.waiting.removeFirst())
        }
        return granted
    }

    private func giveBack(_ bytes: Int) {
        give(
            state.withLock { state in
                state.free += bytes
                return Self.next(&state)
            })
    }

    private func give(_ granted: [Waiting]) {
        for entry in granted { entry.continuation.resume(returning: Share(self, entry.bytes)) }
    }
}
