// SPDX-License-Identifier: Apache-2.0
import NIOCore
import Synchronization

/// Since when a connection waits for its client to take what it is sent.
final class SendProgress: Sendable {
    private let channel: any Channel
    /// Nanoseconds of a clock that does not go back; 0 when nothing is being sent.
    private let since = Atomic<UInt64>(0)

    init(_ channel: any Channel) { self.channel = channel }

    func begin() { since.store(NIODeadline.now().uptimeNanoseconds, ordering: .relaxed) }
    func end() { since.store(0, ordering: .relaxed) }

    /// Closes the connection of a client that takes nothing: its requests hold memory that others wait for.
    func check(_ patience: TimeAmount) {
        let since = since.load(ordering: .relaxed)
        guard since > 0, NIODeadline.now() - .uptimeNanoseconds(since) > patience else { return }
        channel.close(promise: nil)
    }
}

/// The connections that are open.
final class OpenConnections: Sendable {
    private let connections = Mutex<[ObjectIdentifier: SendProgress]>([:])

    var count: Int { connections.withLock { $0.count } }

    func add(_ channel: any Channel) -> SendProgress {
        let progress = SendProgress(channel)
        connections.withLock { $0[ObjectIdentifier(channel)] = progress }
        return progress
    }

    func remove(_ channel: any Channel) { connections.withLock { $0[ObjectIdentifier(channel)] = nil } }

    /// Looks at all of them until the task is cancelled.
    func watch(_ patience: Duration) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: patience / 4)
            for progress in connections.withLock({ Array($0.values) }) { progress.check(TimeAmount(patience)) }
        }
    }
}
