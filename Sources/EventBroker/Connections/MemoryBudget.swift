// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Bytes of requests that may be in memory at a time. Whoever gets none waits in line.
final class MemoryBudget: Sendable {
    /// Bytes that a request has; given back when it goes.
    final class Share: Sendable {
        private let budget: MemoryBudget
        private let bytes: Int

        fileprivate init(_ budget: MemoryBudget, _ bytes: Int) {
            self.budget = budget
            self.bytes = bytes
        }

        deinit { budget.giveBack(bytes) }
    }

    private struct State {
        var free: Int
        var waiting: [(bytes: Int, grant: @Sendable (Share) -> Void)] = []
    }

    private let state: Mutex<State>

    /// - Parameter bytes: how many there are; a request may not be larger.
    init(bytes: Int) { state = Mutex(State(free: bytes)) }

    /// How many bytes are free.
    var free: Int { state.withLock { $0.free } }

    /// Takes bytes.
    /// - Parameters:
    ///   - bytes: how many.
    ///   - later: called once with the bytes when there were not enough at once.
    /// - Returns: the bytes; nil when they come later.
    func take(_ bytes: Int, later: @escaping @Sendable (Share) -> Void) -> Share? {
        let isGranted = state.withLock { state in
            guard state.waiting.isEmpty, state.free >= bytes else {
                state.waiting.append((bytes, later))
                return false
            }
            state.free -= bytes
            return true
        }
        return isGranted ? Share(self, bytes) : nil
    }

    private func giveBack(_ bytes: Int) {
        let granted = state.withLock { state in
            state.free += bytes
            var granted: [(bytes: Int, grant: @Sendable (Share) -> Void)] = []
            while let first = state.waiting.first, first.bytes <= state.free {
                state.free -= first.bytes
                granted.append(state.waiting.removeFirst())
            }
            return granted
        }
        for entry in granted { entry.grant(Share(self, entry.bytes)) }
    }
}
