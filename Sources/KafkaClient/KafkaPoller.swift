// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import Foundation

/// What handles the events of one client.
protocol KafkaEventHandler: AnyObject, Sendable {
    var handle: KafkaHandle { get }
    /// The queue that events come from. Owned by the handler.
    var queue: KafkaQueue { get }
    /// On the poller's thread. The event is freed afterwards.
    func handle(event: OpaquePointer)
    /// On the poller's thread, after each event and each time that nothing came.
    /// - Returns: how to go on.
    func turn() -> KafkaPoller.Turn
    /// On the poller's thread, the last call.
    func ended()
}

/// A queue of events. Sendable: the pointer is set once and freed when nobody holds this object; librdkafka's queues
/// are locked inside, like its clients.
final class KafkaQueue: @unchecked Sendable {
    let pointer: OpaquePointer
    /// A queue lives no longer than its client.
    private let handle: KafkaHandle

    init(_ pointer: OpaquePointer?, of handle: KafkaHandle) throws(KafkaError) {
        guard let pointer else { throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, "making a queue") }
        self.pointer = pointer
        self.handle = handle
    }

    deinit { rd_kafka_queue_destroy(pointer) }

    /// Wakes who polls it.
    func wake() { rd_kafka_queue_yield(pointer) }
}

/// A thread that waits for a client's events. It holds the handler until the handler ends it, so that no event is lost
/// and no continuation left waiting.
enum KafkaPoller {
    /// How long a thread waits for events where nothing presses, in milliseconds. Wakes end it; one that comes just
    /// before the wait may be missed, so it has an end.
    static let idle: Int32 = 1000

    enum Turn {
        /// Wait for the next event, at most so many milliseconds.
        case poll(milliseconds: Int32)
        case end
    }

    static func start(_ handler: any KafkaEventHandler, name: String) {
        let thread = Thread {
            while case .poll(let milliseconds) = handler.turn() {
                guard let event = rd_kafka_queue_poll(handler.queue.pointer, milliseconds) else { continue }
                handler.handle(event: event)
                rd_kafka_event_destroy(event)
            }
            handler.ended()
        }
        thread.name = name
        // Handlers copy bytes and resume continuations; nothing deep.
        thread.stackSize = 256 << 10
        thread.start()
    }
}
