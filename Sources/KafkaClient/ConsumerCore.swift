// SPDX-License-Identifier: Apache-2.0
import CRDKafka
import Dispatch
import Synchronization

/// What the consumer and its thread share.
final class ConsumerCore: KafkaEventHandler {
    let handle: KafkaHandle
    let queue: KafkaQueue
    let rebalances: AsyncStream<KafkaRebalance>
    private let announce: AsyncStream<KafkaRebalance>.Continuation
    private let capacity: Int
    private let state = Mutex(State())
    /// Wakes the thread while it waits for room in the buffer.
    private let room = DispatchSemaphore(value: 0)

    fileprivate enum Phase {
        case reading, closing, leaving, closed
    }

    fileprivate struct State {
        var buffer = ConsumerBuffer()
        /// Where partitions were found to end, under `enable.partition.eof`.
        var ends: [TopicPartition: Int64] = [:]
        var phase = Phase.reading
        /// The last poll brought something: there may be more, which comes before anybody is woken.
        var gotEvent = false
        /// The thread waits for room.
        var isWaitingForRoom = false
        /// Who waits for something to be in the buffer.
        var readers: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextReader: UInt64 = 0
        /// Who waits for the end.
        var closers: [CheckedContinuation<Void, Never>] = []
        /// What the thread is asked to do.
        var commands: [@Sendable () -> Void] = []
    }

    init(_ configuration: KafkaConfiguration, capacity: Int) throws(KafkaError) {
        handle = try KafkaHandle(
            RD_KAFKA_CONSUMER, configuration,
            events: RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT)
        try rd_kafka_poll_set_consumer(handle.pointer).check("making a consumer")
        queue = try KafkaQueue(rd_kafka_queue_get_consumer(handle.pointer), of: handle)
        self.capacity = capacity
        (rebalances, announce) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(256))
    }

    // MARK: Readers

    /// What is there without waiting; nil if nothing is.
    func takeNow() throws -> KafkaMessage? {
        let (item, wakes) = state.withLock { ($0.buffer.popFirst(), $0.wakesThread(capacity)) }
        if wakes { room.signal() }
        switch item {
        case .message(let message): return message
        case .failure(let error): throw error
        case nil: return nil
        }
    }

    func take(_ limit: Int, timeout: Duration?) async throws -> [KafkaMessage] {
        let deadline = timeout.map { ContinuousClock.now + $0 }
        while !Task.isCancelled {
            var taken: [KafkaMessage] = []
            while taken.count < limit {
                do {
                    guard let message = try takeNow() else { break }
                    taken.append(message)
                } catch {
                    if taken.isEmpty { throw error }
                    // It comes again, if it lasts; records before it come first.
                    break
                }
            }
            if !taken.isEmpty { return taken }
            if state.withLock({ $0.phase == .closed }) {
                if let fatal = handle.fatalError { throw fatal }
                return []
            }
            if let deadline, ContinuousClock.now >= deadline { return [] }
            await waitForItem(until: deadline)
        }
        return []
    }

    private func waitForItem(until deadline: ContinuousClock.Instant?) async {
        let id = state.withLock { state in
            state.nextReader += 1
            return state.nextReader
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.buffer.count > 0 || state.phase == .closed || Task.isCancelled { return true }
                    state.readers[id] = continuation
                    return false
                }
                if isReady { return continuation.resume() }
                if let deadline {
                    let wait = (deadline - .now).milliseconds
                    DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(Int(wait))) { [weak self] in
                        self?.wakeReader(id)
                    }
                }
            }
        } onCancel: {
            wakeReader(id)
        }
    }

    private func wakeReader(_ id: UInt64) {
        state.withLock { $0.readers.removeValue(forKey: id) }?.resume()
    }

    private func wakeReaders() {
        let readers = state.withLock { state in
            defer { state.readers = [:] }
            return state.readers.values.map { $0 }
        }
        for reader in readers { reader.resume() }
    }

    func firstBuffered() -> [TopicPartition: Int64] { state.withLock { $0.buffer.firstOffsets() } }

    func knownEnds() -> [TopicPartition: Int64] { state.withLock { $0.ends } }

    func hold(_ partitions: Set<TopicPartition>) { state.withLock { $0.buffer.hold(partitions) } }

    func release(_ partitions: Set<TopicPartition>) {
        state.withLock { $0.buffer.release(partitions) }
        wakeReaders()
    }

    func drop(_ partitions: Set<TopicPartition>?) {
        state.withLock { state in
            state.buffer.drop(partitions)
            state.ends = state.ends.filter { end in partitions.map { !$0.contains(end.key) } ?? false }
        }
    }

    func rewind(_ partitions: Set<TopicPartition>) {
        state.withLock { state in
            state.buffer.rewind(partitions)
            state.ends = state.ends.filter { !partitions.contains($0.key) }
        }
    }

    // MARK: Commands

    /// Runs `body` on the thread that takes records.
    func perform<Value: Sendable>(
        _ body: @escaping @Sendable (ConsumerCore) throws -> Value
    ) async throws -> Value {
        try handle.checkOpen()
        return try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Value, any Error>) in
            let accepted = state.withLock { state in
                guard state.phase == .reading else { return false }
                state.commands.append { [self] in continuation.resume(with: Result { try body(self) }) }
                return true
            }
            guard accepted else {
                return continuation.resume(
                    throwing: KafkaError(.closed, message: "the Kafka consumer is closed; make a new one"))
            }
            wakeThread()
        }
    }

    private func wakeThread() {
        room.signal()
        queue.wake()
    }

    /// Starts to leave.
    func close() {
        let isFirst = state.withLock { state in
            guard state.phase == .reading else { return false }
            state.phase = .closing
            return true
        }
        if isFirst { wakeThread() }
    }

    /// Leaves, and waits until that is done.
    func closed() async {
        close()
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.phase == .closed { return true }
                state.closers.append(continuation)
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    /// Commits what is stored, or `offsets`. Blocks.
    func commit(_ offsets: [TopicPartition: Int64]?, timeout: Duration) throws {
        let answers = try KafkaQueue(rd_kafka_queue_new(handle.pointer), of: handle)
        if let offsets {
            try PartitionList.with(offsets.map { ($0.key, $0.value) }) { list in
                try rd_kafka_commit_queue(handle.pointer, list, answers.pointer, nil, nil).check("committing offsets")
            }
        } else {
            try rd_kafka_commit_queue(handle.pointer, nil, answers.pointer, nil, nil).check("committing offsets")
        }
        guard let event = rd_kafka_queue_poll(answers.pointer, timeout.milliseconds) else {
            throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, "committing offsets within \(timeout)")
        }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        if code == RD_KAFKA_RESP_ERR__NO_OFFSET { return }
        try code.check("committing offsets")
        _ = try PartitionList.offsets(
            rd_kafka_event_topic_partition_list(event).map { UnsafePointer($0) }, "committing the offset")
    }

    // MARK: The thread

    func turn() -> KafkaPoller.Turn {
        while true {
            let (commands, phase, gotEvent, isFull) = state.withLock { state in
                defer {
                    state.commands = []
                    state.gotEvent = false
                }
                let isFull = state.buffer.count >= capacity && state.phase == .reading
                state.isWaitingForRoom = isFull
                return (state.commands, state.phase, state.gotEvent, isFull)
            }
            for command in commands { command() }
            switch phase {
            case .reading: break
            case .closing:
                state.withLock { $0.phase = .leaving }
                if let error = rd_kafka_consumer_close_queue(handle.pointer, queue.pointer) {
                    rd_kafka_error_destroy(error)
                    return .end
                }
                return .poll(milliseconds: 100)
            case .leaving, .closed:
                return rd_kafka_consumer_closed(handle.pointer) != 0 ? .end : .poll(milliseconds: 100)
            }
            if gotEvent, !isFull { return .poll(milliseconds: 0) }
            if state.withLock({ $0.buffer.count > 0 && !$0.readers.isEmpty }) { wakeReaders() }
            if !isFull { return .poll(milliseconds: KafkaPoller.idle) }
            room.wait()
        }
    }

    func ended() {
        let (closers, commands) = state.withLock { state in
            state.phase = .closed
            state.buffer.drop(nil)
            defer {
                state.closers = []
                state.commands = []
            }
            return (state.closers, state.commands)
        }
        for command in commands { command() }
        announce.finish()
        wakeReaders()
        for closer in closers { closer.resume() }
    }

    func handle(event: OpaquePointer) {
        switch rd_kafka_event_type(event) {
        case RD_KAFKA_EVENT_FETCH:
            while let message = rd_kafka_event_message_next(event) { receive(message) }
        case RD_KAFKA_EVENT_REBALANCE: rebalance(event)
        case RD_KAFKA_EVENT_OFFSET_COMMIT: break
        case RD_KAFKA_EVENT_ERROR where rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__PARTITION_EOF: noteEnd(event)
        default: if let error = handle.note(event) { fail(error) }
        }
        state.withLock { $0.gotEvent = true }
    }

    private func noteEnd(_ event: OpaquePointer) {
        guard let end = rd_kafka_event_topic_partition(event) else { return }
        defer { rd_kafka_topic_partition_destroy(end) }
        guard let topic = end.pointee.topic else { return }
        let place = TopicPartition(String(cString: topic), end.pointee.partition)
        let offset = end.pointee.offset
        if offset >= 0 { state.withLock { $0.ends[place] = offset } }
    }

    private func receive(_ message: UnsafePointer<rd_kafka_message_t>) {
        if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
            let copy = KafkaMessage(message)
            state.withLock { if $0.phase == .reading { $0.buffer.append(copy) } }
        } else {
            let topic = message.pointee.rkt.flatMap { rd_kafka_topic_name($0) }.map { String(cString: $0) }
            let said = rd_kafka_message_errstr(message).map { String(cString: $0) }
            fail(KafkaError(message.pointee.err, topic.map { "topic \($0)" } ?? "reading", detail: said))
        }
    }

    /// Errors that pass are not worth a word: the library tries again.
    private func fail(_ error: KafkaError) {
        guard error.isFatal || !error.isRetriable, error.code != .pollTooLate else {
            return
        }
        state.withLock { $0.buffer.append(error) }
    }

    private func rebalance(_ event: OpaquePointer) {
        let client = handle.pointer
        let list = rd_kafka_event_topic_partition_list(event)
        let partitions = PartitionList.places(list.map { UnsafePointer($0) }).sorted()
        let isCooperative = rd_kafka_rebalance_protocol(client).map { String(cString: $0) } == "COOPERATIVE"
        let isAssignment = rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS
        let isLost = rd_kafka_assignment_lost(client) != 0
        if !isAssignment {
            // Others read these records from the last commit on.
            drop(Set(partitions))
            if !isLost {
                do {
                    try commit(nil, timeout: .seconds(10))
                } catch {
                    if let error = error as? KafkaError, !error.isRetriable { fail(error) }
                }
            }
        }
        if isCooperative {
            let error =
                isAssignment ? rd_kafka_incremental_assign(client, list) : rd_kafka_incremental_unassign(client, list)
            if let error { fail(KafkaError(consuming: error, "rebalancing")) }
        } else {
            let code = rd_kafka_assign(client, isAssignment ? list : nil)
            if code != RD_KAFKA_RESP_ERR_NO_ERROR { fail(KafkaError(code, "rebalancing")) }
        }
        // After it took effect, so that who hears of it finds it so.
        announce.yield(isAssignment ? .assigned(partitions) : isLost ? .lost(partitions) : .revoked(partitions))
    }
}

extension ConsumerCore.State {
    /// Whether the thread waits for room and there is enough by now.
    fileprivate mutating func wakesThread(_ capacity: Int) -> Bool {
        guard isWaitingForRoom, buffer.count <= capacity / 2 else { return false }
        isWaitingForRoom = false
        return true
    }
}

extension KafkaMessage {
    /// Copies a message that the library owns.
    init(_ message: UnsafePointer<rd_kafka_message_t>) {
        let native = message.pointee
        topic = native.rkt.flatMap { rd_kafka_topic_name($0) }.map { String(cString: $0) } ?? ""
        partition = native.partition
        offset = native.offset
        var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let time = rd_kafka_message_timestamp(message, &kind)
        timestamp = kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? nil : time
        key = native.key.map { Array(UnsafeRawBufferPointer(start: $0, count: native.key_len)) }
        value = native.payload.map { Array(UnsafeRawBufferPointer(start: $0, count: native.len)) }
        var headers: [KafkaHeader] = []
        var list: OpaquePointer?
        if rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list {
            var name: UnsafePointer<CChar>?
            var bytes: UnsafeRawPointer?
            var size = 0
            while rd_kafka_header_get_all(list, headers.count, &name, &bytes, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
                guard let name else { break }
                let value = bytes.map { Array(UnsafeRawBufferPointer(start: $0, count: size)) }
                headers.append(KafkaHeader(String(cString: name), value))
            }
        }
        self.headers = headers
    }
}
