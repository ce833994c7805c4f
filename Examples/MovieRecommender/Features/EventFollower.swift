// SPDX-License-Identifier: Apache-2.0
import KafkaClient
import Logging
import ModelKit
import ServiceLifecycle

/// Reads the topic of events as a member of a consumer group: what came is archived first, then given to the data
/// sets, then committed.
///
/// The broker may end and come back at any time: the client connects anew and goes on where it was. What is read twice
/// (after a crash between archive and commit, or because `ingest` sent it twice) is known by its sequence number.
struct EventFollower: Service {
    /// The group's name.
    static let group = "movie-features"
    /// Records taken at a time.
    private static let batchSize = 10_000
    private static let retryDelay = Duration.seconds(1)
    private static let topicDelay = Duration.milliseconds(200)

    let topic: EventTopic
    let archive: EventArchive
    let store: FeatureStore
    let logger: Logger
    let counters: Counters

    /// Reads until graceful shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            var lastError: String?
            while !Task.isCancelled {
                do {
                    try await follow { lastError = nil }
                } catch is CancellationError {
                    return
                } catch {
                    let text = "\(error)"
                    if text != lastError {
                        logger.warning("events cannot be read", metadata: ["error": "\(text)"])
                    }
                    lastError = text
                    counters.add("read_failures_total")
                    try? await Task.sleep(for: Self.retryDelay)
                }
            }
        }
    }

    private func follow(onSuccess: () -> Void) async throws {
        let admin = try KafkaAdmin(topic.configuration, timeout: .seconds(10))
        defer { admin.close() }
        // Made by `ingest`, which then knows that it is empty.
        guard let cluster = try await topic.find(admin) else {
            return try await Task.sleep(for: Self.topicDelay)
        }
        try await align(admin, cluster)
        var configuration = topic.configuration
        // A member that was killed is given up after 6 s, the least that Kafka's brokers allow.
        configuration.properties["session.timeout.ms"] = "6000"
        configuration.properties["heartbeat.interval.ms"] = "1500"
        let consumer = try KafkaConsumer(configuration, group: Self.group, bufferedRecords: Self.batchSize)
        let result: Result<Void, any Error>
        do {
            try consumer.subscribe([topic.name])
            result = .success(try await read(consumer, cluster, onSuccess: onSuccess))
        } catch {
            result = .failure(error)
        }
        await consumer.close()
        try result.get()
    }

    /// The archive says what was read. Where the group committed more (the archive's volume was lost), the group goes
    /// back to that.
    private func align(_ admin: KafkaAdmin, _ cluster: String) async throws {
        let archived = try await archive.next(of: cluster)
        var back: [TopicPartition: Int64] = [:]
        for (place, offset) in try await admin.committedOffsets(group: Self.group) where place.topic == topic.name {
            if offset > archived[place] ?? 0 { back[place] = archived[place] ?? 0 }
        }
        guard !back.isEmpty else { return }
        try await admin.alterCommittedOffsets(group: Self.group, back)
        logger.notice("reading again what is not archived", metadata: ["partitions": "\(back.count)"])
    }

    private func read(_ consumer: KafkaConsumer, _ cluster: String, onSuccess: () -> Void) async throws {
        // What was read and could not be committed, as while the broker is away.
        var isBehind = false
        while !Task.isCancelled {
            let messages = try await consumer.nextBatch(
                max: Self.batchSize, timeout: isBehind ? Self.retryDelay : nil)
            if messages.isEmpty {
                // Without a timeout nothing comes only when this ends.
                guard isBehind else { break }
                isBehind = try await !commit(consumer, [:])
                continue
            }
            var events: [UserEvent] = []
            var next: [TopicPartition: Int64] = [:]
            for message in messages {
                next[message.topicPartition] = message.offset + 1
                if let event = message.value.flatMap({ UserEvent(line: $0) }), event.sequence > 0 {
                    events.append(event)
                } else {
                    // Of somebody else: it must not stop the events behind it.
                    counters.add("unreadable_events_total")
                    logger.warning(
                        "a record is no event", metadata: ["place": "\(message.topicPartition)@\(message.offset)"])
                }
            }
            try await archive.add(events, next: next, of: cluster)
            await store.add(events)
            isBehind = try await !commit(consumer, next)
            onSuccess()
        }
        throw CancellationError()
    }

    /// Commits what was read before, too. What fails to be is tried again soon; nothing is lost meanwhile, as the archive
    /// knows better anyway. Of partitions that went to another member nothing is committed: they are read again.
    /// - Returns: whether nothing is left to commit.
    private func commit(_ consumer: KafkaConsumer, _ next: [TopicPartition: Int64]) async throws -> Bool {
        do {
            if !next.isEmpty { try consumer.store(next) }
            try await consumer.commit(timeout: .seconds(5))
            return true
        } catch let error as KafkaError where !error.isFatal {
            counters.add("commit_failures_total")
            logger.debug("offsets are not committed yet", metadata: ["error": "\(error)"])
            return false
        }
    }
}
