// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import Dispatch
import Synchronization

/// Administration of a cluster: topics, configurations, groups, offsets, access rules.
///
/// Calls are made one after the other. Each ends within its timeout.
package final class KafkaAdmin: Sendable {
    let core: AdminCore
    /// How long each call may take.
    package let timeout: Duration

    /// - Throws: `KafkaError` for properties that librdkafka refuses. No broker is asked yet.
    package init(_ configuration: KafkaConfiguration, timeout: Duration = .seconds(30)) throws {
        core = try AdminCore(configuration)
        self.timeout = timeout
        KafkaPoller.start(core, name: "kafka-admin")
    }

    deinit { core.stop() }

    /// Ends the connections.
    package func close() {
        _ = core.handle.markClosed()
        core.stop()
    }

    /// Makes a request and waits for its answer on a thread that may block. `submit` hands the request over, with
    /// options and the queue of the answer; `parse` reads the answer, which is freed afterwards.
    func request<Value: Sendable>(
        _ operation: rd_kafka_admin_op_t, _ what: String,
        submit:
            @escaping @Sendable (_ client: OpaquePointer, _ options: OpaquePointer, _ queue: OpaquePointer) throws
            -> Void,
        parse: @escaping @Sendable (_ event: OpaquePointer) throws -> Value
    ) async throws -> Value {
        let handle = core.handle
        let milliseconds = timeout.milliseconds
        return try await handle.blocking { client in
            guard let options = rd_kafka_AdminOptions_new(client, operation) else {
                throw KafkaError(RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, what)
            }
            defer { rd_kafka_AdminOptions_destroy(options) }
            var reason = [CChar](repeating: 0, count: 512)
            let code = rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, &reason, reason.count)
            if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(code, what, detail: text(reason)) }
            let queue = try KafkaQueue(rd_kafka_queue_new(client), of: handle)
            try submit(client, options, queue.pointer)
            // The library answers within the request's timeout; a second more, so that its own error comes first.
            guard let event = rd_kafka_queue_poll(queue.pointer, milliseconds.addingReportingOverflow(1000).0) else {
                throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, what)
            }
            defer { rd_kafka_event_destroy(event) }
            let error = rd_kafka_event_error(event)
            if error != RD_KAFKA_RESP_ERR_NO_ERROR {
                throw KafkaError(error, what, detail: rd_kafka_event_error_string(event).map { String(cString: $0) })
            }
            return try parse(event)
        }
    }
}

/// What the admin client and its thread share. The thread only reads what the connection complains of.
final class AdminCore: KafkaEventHandler {
    let handle: KafkaHandle
    let queue: KafkaQueue
    private let isStopping = Atomic(false)

    init(_ configuration: KafkaConfiguration) throws(KafkaError) {
        handle = try KafkaHandle(RD_KAFKA_PRODUCER, configuration, events: 0)
        queue = try KafkaQueue(rd_kafka_queue_get_main(handle.pointer), of: handle)
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        queue.wake()
    }

    func handle(event: OpaquePointer) { _ = handle.note(event) }

    func turn() -> KafkaPoller.Turn {
        isStopping.load(ordering: .acquiring) ? .end : .poll(milliseconds: KafkaPoller.idle)
    }

    func ended() {}
}

/// Arrays of pointers, as librdkafka gives and takes them.
enum PointerList {
    /// The elements of an array that belongs to a result.
    static func elements(_ array: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int) -> [OpaquePointer] {
        guard let array else { return [] }
        return UnsafeBufferPointer(start: array, count: count).compactMap { $0 }
    }

    /// Calls `body` with an array of native objects and frees them.
    static func with<Result>(
        _ objects: [OpaquePointer?], free: (OpaquePointer?) -> Void,
        _ body: (UnsafeMutablePointer<OpaquePointer?>?, Int) throws -> Result
    ) rethrows -> Result {
        defer { objects.forEach(free) }
        var array = objects
        return try array.withUnsafeMutableBufferPointer { try body($0.baseAddress, $0.count) }
    }
}

func string(_ text: UnsafePointer<CChar>?) -> String? { text.map { String(cString: $0) } }
