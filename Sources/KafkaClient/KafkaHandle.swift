// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import Dispatch
import Synchronization

/// One client instance of librdkafka, and a queue of its own for calls that block.
///
/// Sendable: librdkafka's functions may be called on one instance from any thread (its INTRODUCTION.md, "Threads and
/// callbacks"). `pointer` is set once, and the instance is destroyed in `deinit`, when nobody holds this object; the
/// thread that polls and each block on `work` hold it. Everything else is behind a Mutex.
final class KafkaHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    /// Calls that wait for a broker run here, one after the other, never on Swift's cooperative threads.
    private let work: DispatchQueue
    private let notes = Mutex(Notes())

    private struct Notes {
        /// What the connection last complained of; makes timeouts understandable.
        var complaint: String?
        var isClosed = false
    }

    /// - Throws: `KafkaError` for properties that librdkafka refuses.
    init(_ type: rd_kafka_type_t, _ configuration: KafkaConfiguration, events: Int32) throws(KafkaError) {
        let native = try configuration.makeNative(events: events | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG)
        var reason = [CChar](repeating: 0, count: 512)
        guard let pointer = rd_kafka_new(type, native, &reason, reason.count) else {
            // librdkafka took the configuration over only if it succeeded.
            rd_kafka_conf_destroy(native)
            throw KafkaError(.invalidArgument, message: "the Kafka client cannot be made: \(text(reason))")
        }
        self.pointer = pointer
        work = DispatchQueue(label: "apus.kafka.\(configuration.clientID)")
    }

    deinit {
        // Destroying waits for librdkafka's threads. Nobody else has the address any more.
        let address = UInt(bitPattern: pointer)
        DispatchQueue.global().async {
            if let pointer = OpaquePointer(bitPattern: address) {
                rd_kafka_destroy_flags(pointer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
            }
        }
    }

    /// The error after which the client cannot go on. librdkafka is asked, as its event may still be on the way.
    var fatalError: KafkaError? {
        var reason = [CChar](repeating: 0, count: 512)
        let cause = rd_kafka_fatal_error(pointer, &reason, reason.count)
        guard cause != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        return KafkaError(cause, "the Kafka client cannot go on", detail: text(reason), isFatal: true)
    }

    /// What the connection last complained of.
    var complaint: String? { notes.withLock { $0.complaint } }

    var isClosed: Bool { notes.withLock { $0.isClosed } }

    /// Refuses calls from now on.
    /// - Returns: whether it was open.
    func markClosed() -> Bool {
        notes.withLock { notes in
            defer { notes.isClosed = true }
            return !notes.isClosed
        }
    }

    /// - Throws: `KafkaError` with code `closed` after ``markClosed()``.
    func checkOpen() throws(KafkaError) {
        guard !isClosed else {
            throw KafkaError(.closed, message: "the Kafka client is closed; make a new one")
        }
    }

    /// Runs a call that blocks, on a thread that may.
    func blocking<Result: Sendable>(
        _ body: @escaping @Sendable (OpaquePointer) throws -> Result
    ) async throws -> Result {
        try checkOpen()
        return try await afterClose(body)
    }

    /// As ``blocking(_:)``, also when closed: the last calls of all.
    func afterClose<Result: Sendable>(
        _ body: @escaping @Sendable (OpaquePointer) throws -> Result
    ) async throws -> Result {
        do {
            return try await withCheckedThrowingContinuation { continuation in
                work.async { [self] in continuation.resume(with: Swift.Result { try body(pointer) }) }
            }
        } catch let error as KafkaError where error.isRetriable {
            throw error.noting(complaint)
        }
    }

    /// Remembers an error or log event, and frees nothing.
    /// - Returns: the error, if it is one that concerns the user of the client.
    func note(_ event: OpaquePointer) -> KafkaError? {
        if rd_kafka_event_type(event) == RD_KAFKA_EVENT_LOG {
            var facility: UnsafePointer<CChar>?
            var line: UnsafePointer<CChar>?
            var level: Int32 = 0
            // 4: warnings and what is worse, in syslog's numbers.
            if rd_kafka_event_log(event, &facility, &line, &level) == 0, level <= 4, let line {
                let said = String(cString: line)
                notes.withLock { $0.complaint = said }
            }
            return nil
        }
        let code = rd_kafka_event_error(event)
        let said = rd_kafka_event_error_string(event).map { String(cString: $0) }
        if rd_kafka_event_error_is_fatal(event) != 0 { return fatalError }
        // That all brokers are down is said after why.
        if let said {
            notes.withLock {
                if code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || $0.complaint == nil { $0.complaint = said }
            }
        }
        return KafkaError(code, "", detail: said)
    }
}
