// SPDX-License-Identifier: Apache-2.0
import ControllerRuntime
import KubeAPI

/// Takes events without waiting for the server; ``run()`` writes them one after the other.
///
/// When the server is slow the newest ones are kept.
final class EventSink: Sendable {
    private struct Entry: Sendable {
        let object: KubeObject
        let isWarning: Bool
        let reason: String
        let message: String
    }

    private let recorder: EventRecorder
    private let entries: AsyncStream<Entry>
    private let continuation: AsyncStream<Entry>.Continuation

    init(_ recorder: EventRecorder) {
        self.recorder = recorder
        (entries, continuation) = AsyncStream.makeStream(of: Entry.self, bufferingPolicy: .bufferingNewest(4096))
    }

    func normal(_ object: KubeObject, reason: String, _ message: String) {
        continuation.yield(Entry(object: object, isWarning: false, reason: reason, message: message))
    }

    func warning(_ object: KubeObject, reason: String, _ message: String) {
        continuation.yield(Entry(object: object, isWarning: true, reason: reason, message: message))
    }

    /// Writes until cancelled.
    func run() async {
        for await entry in entries {
            if entry.isWarning {
                await recorder.warning(entry.object, reason: entry.reason, entry.message)
            } else {
                await recorder.normal(entry.object, reason: entry.reason, entry.message)
            }
        }
    }
}
