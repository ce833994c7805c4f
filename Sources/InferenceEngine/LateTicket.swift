// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A ticket that may be cancelled before there is one.
final class LateTicket: Sendable {
    private enum State {
        case none, cancelled
        case known(Ticket)
    }

    private let state = Mutex(State.none)

    func set(_ ticket: Ticket) {
        let isCancelled = state.withLock { state in
            if case .cancelled = state { return true }
            state = .known(ticket)
            return false
        }
        if isCancelled { ticket.cancel() }
    }

    func cancel() {
        let ticket = state.withLock { state -> Ticket? in
            defer { state = .cancelled }
            if case .known(let ticket) = state { return ticket }
            return nil
        }
        ticket?.cancel()
    }
}
