// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import Synchronization

/// Sends records.
///
/// Idempotent by default: what it retries is stored once and in order. Records are gathered into batches for
/// `linger.ms` (5 ms by default here) and sent together.
package final class KafkaProducer: Sendable {
    let core: ProducerCore

    /// A transactional id makes transactions possible; the same one after a restart ends what the former process left
    /// open and fences it off (KIP-98).
    /// - Throws: `KafkaError` for properties that librdkafka refuses. No broker is asked yet.
    package init(_ configuration: KafkaConfiguration, transactionalID: String? = nil) throws {
        var configuration = configuration.defaulting([
            "enable.idempotence": "true", "partitioner": "murmur2_random", "linger.ms": "5",
        ])
        if let transactionalID { configuration.properties["transactional.id"] = transactionalID }
        core = try ProducerCore(configuration)
        KafkaPoller.start(core, name: "kafka-producer")
    }

    deinit { core.stop() }

    /// Sends a record and waits until the broker has it (as `acks` says, all by default).
    /// - Throws: `KafkaError` when it was not delivered, or nobody knows whether it was.
    package func send(
        topic: String, partition: Int32? = nil, key: [UInt8]? = nil, value: [UInt8]?, headers: [KafkaHeader] = [],
        timestamp: Int64? = nil
    ) async throws -> Delivery {
        try await send(
            KafkaRecord(
                topic: topic, partition: partition, key: key, value: value, headers: headers, timestamp: timestamp))
    }

    /// Sends a record and waits until the broker has it.
    package func send(_ record: KafkaRecord) async throws -> Delivery {
        try await enqueue(record).delivery()
    }

    /// Sends records in order and waits for all.
    /// - Returns: one result a record, in their order.
    package func send(_ records: [KafkaRecord]) async throws -> [Result<Delivery, KafkaError>] {
        var tickets: [DeliveryTicket] = []
        tickets.reserveCapacity(records.count)
        for record in records { tickets.append(try await enqueue(record)) }
        var results: [Result<Delivery, KafkaError>] = []
        results.reserveCapacity(records.count)
        for ticket in tickets {
            do {
                results.append(.success(try await ticket.delivery()))
            } catch let error as KafkaError {
                results.append(.failure(error))
            }
        }
        return results
    }

    /// Puts a record into the queue of those to be sent; waits only while the queue is full.
    /// - Returns: what tells of its delivery. Need not be awaited: ``flush(timeout:)`` waits for all.
    @discardableResult
    package func enqueue(_ record: KafkaRecord) async throws -> DeliveryTicket {
        while true {
            if let ticket = try core.produce(record) { return ticket }
            await core.room()
            try Task.checkCancellation()
        }
    }

    /// Waits until every record was delivered or given up.
    /// - Throws: `KafkaError` with code `timedOut` when some still wait after `timeout`.
    package func flush(timeout: Duration = .seconds(60)) async throws {
        let milliseconds = timeout.milliseconds
        try await core.handle.blocking { client in
            try rd_kafka_flush(client, milliseconds).check("flushing: \(rd_kafka_outq_len(client)) records wait")
        }
    }

    /// Records that are not delivered yet.
    package var waiting: Int { Int(rd_kafka_outq_len(core.handle.pointer)) }

    /// The error after which this producer cannot go on, if one happened.
    package var fatalError: KafkaError? { core.handle.fatalError }

    /// Delivers what waits, up to `timeout`, gives the rest up (their tickets throw), and ends the connections.
    package func close(timeout: Duration = .seconds(30)) async throws {
        guard core.handle.markClosed() else { return }
        let milliseconds = timeout.milliseconds
        defer { core.stop() }
        try await core.handle.afterClose { client in
            try rd_kafka_flush(client, milliseconds).check("closing: \(rd_kafka_outq_len(client)) records are given up")
        }
    }
}

/// What the producer and its thread share.
final class ProducerCore: KafkaEventHandler {
    let handle: KafkaHandle
    let queue: KafkaQueue
    private let state = Mutex(State())

    private struct State {
        /// Who waits for room in the queue.
        var waiters: [CheckedContinuation<Void, Never>] = []
        var isStopping = false
        var isPurged = false
    }

    init(_ configuration: KafkaConfiguration) throws(KafkaError) {
        handle = try KafkaHandle(RD_KAFKA_PRODUCER, configuration, events: RD_KAFKA_EVENT_DR)
        queue = try KafkaQueue(rd_kafka_queue_get_main(handle.pointer), of: handle)
    }

    /// - Returns: nil when the queue is full.
    func produce(_ record: KafkaRecord) throws(KafkaError) -> DeliveryTicket? {
        try handle.checkOpen()
        var headers: OpaquePointer?
        if !record.headers.isEmpty {
            headers = rd_kafka_headers_new(record.headers.count)
            for header in record.headers {
                // A null value is passed as such; an empty one needs an address.
                let code = Self.withBytes(header.value) { value, size in
                    rd_kafka_header_add(headers, header.name, -1, value, size)
                }
                if code != RD_KAFKA_RESP_ERR_NO_ERROR {
                    rd_kafka_headers_destroy(headers)
                    throw KafkaError(code, "header \(header.name)")
                }
            }
        }
        let ticket = DeliveryTicket()
        // Owned by the message until its delivery is reported.
        let opaque = Unmanaged.passRetained(ticket)
        let code = Self.withBytes(record.key) { key, keySize in
            Self.withBytes(record.value) { value, valueSize in
                apus_rd_kafka_produce(
                    handle.pointer, record.topic, record.partition ?? -1, key, keySize, value, valueSize,
                    record.timestamp ?? 0, headers, opaque.toOpaque())
            }
        }
        if code == RD_KAFKA_RESP_ERR_NO_ERROR { return ticket }
        opaque.release()
        if let headers { rd_kafka_headers_destroy(headers) }
        if code == RD_KAFKA_RESP_ERR__QUEUE_FULL { return nil }
        if code == RD_KAFKA_RESP_ERR__FATAL, let fatal = handle.fatalError { throw fatal }
        throw KafkaError(code, "topic \(record.topic)\(record.partition.map { ", partition \($0)" } ?? "")")
    }

    /// Null for nil; an address for an empty array, too.
    private static func withBytes<Result>(
        _ bytes: [UInt8]?, _ body: (UnsafeRawPointer?, Int) -> Result
    ) -> Result {
        guard let bytes else { return body(nil, 0) }
        guard !bytes.isEmpty else { return withUnsafeBytes(of: UInt8(0)) { body($0.baseAddress, 0) } }
        return bytes.withUnsafeBytes { body($0.baseAddress, $0.count) }
    }

    /// Waits until a delivery was reported, if one is still to come.
    func room() async {
        await withCheckedContinuation { continuation in
            state.withLock { $0.waiters.append(continuation) }
            // Reports that came before this have woken nobody; if none is to come, none will.
            if rd_kafka_outq_len(handle.pointer) == 0 { wakeWaiters() }
        }
    }

    private func wakeWaiters() {
        let waiters = state.withLock { state in
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Ends the thread, after every ticket was answered.
    func stop() {
        state.withLock { $0.isStopping = true }
        queue.wake()
    }

    func handle(event: OpaquePointer) {
        guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR else {
            _ = handle.note(event)
            return
        }
        while let message = rd_kafka_event_message_next(event) {
            let report = message.pointee
            guard let opaque = report._private else { continue }
            let ticket = Unmanaged<DeliveryTicket>.fromOpaque(opaque).takeRetainedValue()
            ticket.complete(result(message))
        }
    }

    private func result(_ message: UnsafePointer<rd_kafka_message_t>) -> Result<Delivery, KafkaError> {
        let report = message.pointee
        let topic = report.rkt.flatMap { rd_kafka_topic_name($0) }.map { String(cString: $0) } ?? ""
        guard report.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let place = report.partition >= 0 ? "topic \(topic), partition \(report.partition)" : "topic \(topic)"
            let error = KafkaError(report.err, place)
            return .failure(error.isRetriable ? error.noting(handle.complaint) : error)
        }
        return .success(
            Delivery(
                topic: topic, partition: report.partition, offset: report.offset,
                timestamp: rd_kafka_message_timestamp(message, nil)))
    }

    func turn() -> KafkaPoller.Turn {
        let (isStopping, isPurged, hasWaiters) = state.withLock { ($0.isStopping, $0.isPurged, !$0.waiters.isEmpty) }
        if hasWaiters { wakeWaiters() }
        guard isStopping else { return .poll(milliseconds: KafkaPoller.idle) }
        if !isPurged {
            rd_kafka_purge(handle.pointer, Int32(RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT))
            state.withLock { $0.isPurged = true }
        }
        return rd_kafka_outq_len(handle.pointer) == 0 ? .end : .poll(milliseconds: 10)
    }

    func ended() { wakeWaiters() }
}
