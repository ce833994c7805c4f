// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A bounded queue between the task that reads a connection and the one that answers: who puts waits while it is full.
final class Conveyor<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var isFinished = false
        var taker: CheckedContinuation<Element?, Never>?
        var putter: CheckedContinuation<Void, Never>?
    }

    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameter capacity: how many elements wait at most.
    init(capacity: Int) { self.capacity = capacity }

    /// Puts an element in; waits while there is no room. One task puts.
    func put(_ element: Element) async {
        let (taker, isFull) = state.withLock { state in
            if let taker = state.taker {
                state.taker = nil
                return (taker, false) as (CheckedContinuation<Element?, Never>?, Bool)
            }
            if !state.isFinished { state.elements.append(element) }
            return (nil, state.elements.count >= capacity)
        }
        taker?.resume(returning: element)
        guard isFull else { return }
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                guard state.elements.count >= capacity, !state.isFinished else { return true }
                state.putter = continuation
                return false
            }
            if goesOn { continuation.resume() }
        }
    }

    /// The next element; nil at the end. One task takes.
    func take() async -> Element? {
        await withCheckedContinuation { continuation in
            let (element, isDone, putter) = state.withLock { state in
                if state.elements.isEmpty {
                    if !state.isFinished { state.taker = continuation }
                    return (nil, state.isFinished, nil) as (Element?, Bool, CheckedContinuation<Void, Never>?)
                }
                let element = state.elements.removeFirst()
                defer { state.putter = nil }
                return (element, true, state.putter)
            }
            putter?.resume()
            if isDone { continuation.resume(returning: element) }
        }
    }

    /// Nothing more comes; with `discarding` what waits is forgotten, too.
    func finish(discarding: Bool = false) {
        let (taker, putter) = state.withLock { state in
            state.isFinished = true
            if discarding { state.elements = [] }
            defer {
                state.taker = nil
                state.putter = nil
            }
            return (state.taker, state.putter)
        }
        taker?.resume(returning: nil)
        putter?.resume()
    }
}
