// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Bytes of requests that may be in memory at a time. Whoever gets none waits in line.
///
/// Those who have a part and wait for more could wait for each other for ever. So one of them at a time, the first in
/// line, gets all that it still needs beyond what there is: the most in memory is the budget and one request.
final class MemoryBudget: Sendable {
    /// Bytes that a request has; given back when it goes.
    final class Share: Sendable {
        private let budget: MemoryBudget
        let bytes: Int
        private let isLoan: Bool

        fileprivate init(_ budget: MemoryBudget, _ bytes: Int, isLoan: Bool) {
            self.budget = budget
            self.bytes = bytes
            self.isLoan = isLoan
        }

        deinit { budget.giveBack(bytes, isLoan: isLoan) }
    }

    private struct Waiting {
        var bytes: Int
        /// All that is still needed, of who has a part; nil of who has none.
        var rest: Int?
        var grant: @Sendable (Share) -> Void
    }

    private struct Granted {
        var bytes: Int
        var isLoan: Bool
        var grant: @Sendable (Share) -> Void
    }

    private struct State {
        var free: Int
        var waiting: [Waiting] = []
        var hasLoan = false

        /// Those whose turn it is.
        mutating func next() -> [Granted] {
            var granted: [Granted] = []
            while let first = waiting.first, first.bytes <= free {
                free -= first.bytes
                granted.append(Granted(bytes: first.bytes, isLoan: false, grant: first.grant))
                waiting.removeFirst()
            }
            if !hasLoan, let index = waiting.firstIndex(where: { $0.rest != nil }) {
                let first = waiting.remove(at: index)
                let bytes = first.rest ?? first.bytes
                free -= bytes
                hasLoan = true
                granted.append(Granted(bytes: bytes, isLoan: true, grant: first.grant))
            }
            return granted
        }
    }

    private let state: Mutex<State>

    /// - Parameter bytes: how many there are.
    init(bytes: Int) { state = Mutex(State(free: bytes)) }

    /// How many bytes are free; negative while one has more than there is.
    var free: Int { state.withLock { $0.free } }

    /// Takes bytes.
    /// - Parameters:
    ///   - bytes: how many.
    ///   - rest: all that the request still needs, where it has a part already; nil where it has none.
    ///   - later: called once with the bytes when there were not enough at once; they may be the whole rest.
    /// - Returns: the bytes; nil when they come later.
    func take(_ bytes: Int, rest: Int?, later: @escaping @Sendable (Share) -> Void) -> Share? {
        let granted = state.withLock { state -> [Granted]? in
            guard state.waiting.isEmpty, state.free >= bytes else {
                state.waiting.append(Waiting(bytes: bytes, rest: rest, grant: later))
                return state.next()
            }
            state.free -= bytes
            return nil
        }
        guard let granted else { return Share(self, bytes, isLoan: false) }
        give(granted)
        return nil
    }

    private func giveBack(_ bytes: Int, isLoan: Bool) {
        give(
            state.withLock { state in
                state.free += bytes
                if isLoan { state.hasLoan = false }
                return state.next()
            })
    }

    private func give(_ granted: [Granted]) {
        for entry in granted { entry.grant(Share(self, entry.bytes, isLoan: entry.isLoan)) }
    }
}
