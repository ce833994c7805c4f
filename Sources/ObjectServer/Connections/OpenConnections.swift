// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

/// Until when a connection has to move on.
final class ConnectionDeadline: Sendable {
    fileprivate let channel: any Channel
    /// Nanoseconds of a clock that does not go back; 0 while the server works.
    private let time = Atomic<UInt64>(0)
    private let isBusy = Atomic<Bool>(false)

    init(_ channel: any Channel) { self.channel = channel }

    /// The client has to do something within that time.
    func expect(_ patience: TimeAmount) {
        time.store((NIODeadline.now() + patience).uptimeNanoseconds, ordering: .relaxed)
    }

    /// It is the server's turn.
    func clear() { time.store(0, ordering: .relaxed) }

    /// Whether a request is being answered.
    func setBusy(_ value: Bool) { isBusy.store(value, ordering: .sequentiallyConsistent) }

    var isIdle: Bool { !isBusy.load(ordering: .sequentiallyConsistent) }

    fileprivate func check(_ now: NIODeadline) {
        let time = time.load(ordering: .relaxed)
        guard time > 0, now.uptimeNanoseconds > time else { return }
        channel.close(promise: nil)
    }
}

/// The connections that are open.
final class OpenConnections: Sendable {
    private struct State {
        var connections: [ObjectIdentifier: ConnectionDeadline] = [:]
        var isDraining = false
    }

    private let state = Mutex(State())

    var count: Int { state.withLock { $0.connections.count } }

    /// Whether the server was told to stop: connections end after the request that they are at.
    var isDraining: Bool { state.withLock { $0.isDraining } }

    /// - Returns: nil when there are as many as there may be.
    func add(_ channel: any Channel, maximum: Int) -> ConnectionDeadline? {
        state.withLock { state in
            guard state.connections.count < maximum, !state.isDraining else { return nil }
            let deadline = ConnectionDeadline(channel)
            state.connections[ObjectIdentifier(channel)] = deadline
            return deadline
        }
    }

    func remove(_ channel: any Channel) { state.withLock { $0.connections[ObjectIdentifier(channel)] = nil } }

    /// Closes those that are idle; the others close when they have answered.
    func drain() {
        let idle = state.withLock { state in
            state.isDraining = true
            return state.connections.values.filter(\.isIdle)
        }
        for connection in idle { connection.channel.close(promise: nil) }
    }

    /// Closes those whose clients do not move on, until the task is cancelled.
    func watch(every interval: Duration) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: interval)
            let now = NIODeadline.now()
            for connection in state.withLock({ Array($0.connections.values) }) { connection.check(now) }
        }
    }
}
