// SPDX-License-Identifier: Apache-2.0
import GatewayRules
import Synchronization

/// Sends what goes on at upstreams to all who listen; the slow ones lose the oldest.
final class ActivityHub: Sendable {
    private struct State {
        var listeners: [Int: AsyncStream<UpstreamActivity>.Continuation] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    func stream() -> AsyncStream<UpstreamActivity> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: UpstreamActivity.self, bufferingPolicy: .bufferingNewest(4096))
        let number = state.withLock { state in
            state.next += 1
            state.listeners[state.next] = continuation
            return state.next
        }
        continuation.onTermination = { [weak self] _ in self?.state.withLock { $0.listeners[number] = nil } }
        return stream
    }

    func send(_ activity: UpstreamActivity) {
        for listener in state.withLock({ Array($0.listeners.values) }) { listener.yield(activity) }
    }

    func end() {
        for listener in state.withLock({ Array($0.listeners.values) }) { listener.finish() }
    }
}
