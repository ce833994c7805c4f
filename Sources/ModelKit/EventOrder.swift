// SPDX-License-Identifier: Apache-2.0

/// Puts events back into the order of their sequence numbers: partitions of a topic are read one beside the other, and
/// an event may come more than once.
package struct EventOrder: Sendable {
    /// Events that came before one that has to be first.
    private var waiting: [Int64: UserEvent] = [:]
    /// The sequence number of the last event given out; all before it were, too. 0 before the first.
    package private(set) var sequence: Int64 = 0

    /// Nothing has come yet.
    package init() {}

    /// How many events wait for others.
    package var waitingCount: Int { waiting.count }

    /// Takes an event and gives out those whose turn it is: each number from 1 once, in order.
    package mutating func add(_ event: UserEvent, _ body: (UserEvent) -> Void) {
        guard event.sequence > sequence else { return }
        guard event.sequence == sequence + 1 else {
            if waiting[event.sequence] == nil { waiting[event.sequence] = event }
            return
        }
        sequence = event.sequence
        body(event)
        while let next = waiting.removeValue(forKey: sequence + 1) {
            sequence = next.sequence
            body(next)
        }
    }
}
