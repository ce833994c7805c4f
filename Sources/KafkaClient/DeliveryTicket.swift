// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// The promise of a record's delivery, to be awaited later or never.
package final class DeliveryTicket: Sendable {
    private enum State {
        case open([CheckedContinuation<Delivery, any Error>])
        case done(Result<Delivery, KafkaError>)
    }

    private let state = Mutex(State.open([]))

    init() {}

    /// Where the record was put. Returns within `message.timeout.ms` (5 minutes by default); ending the task does not
    /// take the record back.
    /// - Throws: `KafkaError` when it was not delivered, or nobody knows whether it was.
    package func delivery() async throws -> Delivery {
        if case .done(let result) = state.withLock({ $0 }) { return try result.get() }
        return try await withCheckedThrowingContinuation { continuation in
            let result: Result<Delivery, KafkaError>? = state.withLock { state in
                switch state {
                case .done(let result): return result
                case .open(let waiting):
                    state = .open(waiting + [continuation])
                    return nil
                }
            }
            if let result { continuation.resume(with: result) }
        }
    }

    /// The result, if there is one already.
    package var result: Result<Delivery, KafkaError>? {
        guard case .done(let result) = state.withLock({ $0 }) else { return nil }
        return result
    }

    func complete(_ result: Result<Delivery, KafkaError>) {
        let waiting: [CheckedContinuation<Delivery, any Error>] = state.withLock { state in
            guard case .open(let waiting) = state else { return [] }
            state = .done(result)
            return waiting
        }
        for continuation in waiting { continuation.resume(with: result) }
    }
}
