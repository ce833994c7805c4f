// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A queue from many senders to one receiver, which takes all that waits at once; sending never blocks.
final class Mailbox<Element: Sendable>: Sendable {
    private let waiting = Mutex<[Element]>([])
    private let bell: AsyncStream<Void>
    private let ringer: AsyncStream<Void>.Continuation

    init() {
        (bell, ringer) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    func send(_ element: Element) {
        waiting.withLock { $0.append(element) }
        ringer.yield()
    }

    /// Rings whenever something was sent since the last ring. Iterate it once.
    var rings: AsyncStream<Void> { bell }

    /// Takes all that waits, in the order in which it was sent.
    func take() -> [Element] {
        waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}
