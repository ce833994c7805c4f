// SPDX-License-Identifier: Apache-2.0
import DeltaProtocol
import DeltaTables
import KafkaClient
import Logging
import ModelKit
import ServiceLifecycle

/// Reads the topic of events and puts them into the tables in micro-batches.
///
/// Where to read on is what the tables say, at each start and after each failure: so the broker, the bucket's server and
/// this process may end at any time, and no event is lost or doubled. The consumer group is told the offsets
/// afterwards, again and again until it hears of them, for those who look at groups; nothing is read from it.
struct TopicReader: Service {
    /// The group's name.
    static let group = "movie-tables"
    /// Records taken at a time.
    private static let pieceSize = 10_000
    private static let retryDelay = Duration.milliseconds(500)
    private static let topicDelay = Duration.milliseconds(100)
    /// How often new partitions are looked for.
    private static let partitionInterval = Duration.seconds(10)
    /// How long the group is waited for; it is told again later.
    private static let groupTimeout = Duration.seconds(2)
    private static let vacuumInterval = Duration.seconds(86_400)
    /// Rows of a batch that needed much memory.
    private static let largeBatch = 10_000

    let topic: EventTopic
    let tables: EventTables
    let limits: EventTables.Batch.Limits
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
                        logger.warning("events cannot be put into the tables", metadata: ["error": "\(text)"])
                    }
                    lastError = text
                    counters.add("failures_total")
                    try? await Task.sleep(for: Self.retryDelay)
                }
            }
        }
    }

    /// Reads until something fails, or the topic has other partitions.
    private func follow(onSuccess: () -> Void) async throws {
        try await tables.prepare()
        let admin = try KafkaAdmin(topic.configuration, timeout: .seconds(10))
        defer { admin.close() }
        // Made by `ingest`, which then knows that it is empty.
        guard let (cluster, partitions) = try await topic.find(admin) else {
            return try await Task.sleep(for: Self.topicDelay)
        }
        let consumer = try KafkaConsumer(topic.configuration, group: Self.group, bufferedRecords: Self.pieceSize)
        let result: Result<Void, any Error>
        do {
            let source = Source(
                admin: admin, consumer: consumer, topic: topic, cluster: cluster, partitions: partitions)
            result = .success(try await read(source, onSuccess: onSuccess))
        } catch {
            result = .failure(error)
        }
        await consumer.close()
        try result.get()
    }

    private struct Source {
        let admin: KafkaAdmin
        let consumer: KafkaConsumer
        let topic: EventTopic
        let cluster: String
        let partitions: [TopicPartition]

        /// Names a partition in the tables; another cluster's is another.
        func application(_ partition: Int32) -> String { "\(cluster)/\(topic.name)-\(partition)" }

        /// How far the tables are, by partition; those that they have nothing of are left out.
        func offsets(in state: EventTables.State) -> [Int32: Int64] {
            var offsets: [Int32: Int64] = [:]
            for place in partitions { offsets[place.partition] = state.ratings[application(place.partition)] }
            return offsets
        }
    }

    private func read(_ source: Source, onSuccess: () -> Void) async throws {
        var state = try await tables.state()
        var batch = EventTables.Batch(limits, seen: state.seen)
        let known = state
        try await source.consumer.assign(
            Dictionary(
                source.partitions.map { place in
                    (place, known.ratings[source.application(place.partition)].map { .at($0) } ?? .beginning)
                }
            ) { $1 })
        try await report(state)
        let clock = ContinuousClock()
        var notice = GroupNotice<ContinuousClock.Instant>()
        // Whoever wrote them may have ended before the group heard of it.
        notice.add(source.offsets(in: known), at: clock.now)
        var nextLook = clock.now + Self.partitionInterval
        // At the first occasion, and then once a day.
        var nextVacuum = clock.now
        while !Task.isCancelled {
            if notice.wait(at: clock.now) == .zero { await tell(&notice, source) }
            let idle = max(.zero, clock.now.duration(to: nextLook))
            let wait = batch.wait(at: clock.now) ?? min(idle, notice.wait(at: clock.now) ?? idle)
            if batch.room > 0, wait > .zero {
                let room = min(batch.room, Self.pieceSize)
                for message in try await source.consumer.nextBatch(max: room, timeout: wait) {
                    batch.add(
                        message.value, partition: message.partition, offset: message.offset, at: clock.now)
                }
            }
            if batch.wait(at: clock.now) == .zero {
                try await commit(batch, source, &state)
                onSuccess()
                notice.add(batch.next, at: clock.now)
                batch = batch.successor
            }
            if batch.isEmpty, clock.now >= nextLook {
                nextLook = clock.now + Self.partitionInterval
                if clock.now >= nextVacuum {
                    nextVacuum = clock.now + Self.vacuumInterval
                    try await vacuum()
                }
                guard let (cluster, partitions) = try await topic.find(source.admin), cluster == source.cluster,
                    partitions == source.partitions
                else { return }
            }
        }
        throw CancellationError()
    }

    private func commit(_ batch: EventTables.Batch, _ source: Source, _ state: inout EventTables.State) async throws {
        try await tables.commit(batch, source.application, &state)
        counters.add("commits_total")
        counters.add("rows_total", Double(batch.rows.count))
        counters.add("repeated_events_total", Double(batch.repeatedCount))
        counters.add("unreadable_events_total", Double(batch.unreadableCount))
        if batch.unreadableCount > 0 {
            // Of somebody else: they must not stop the events behind them.
            logger.warning("records were no events", metadata: ["count": "\(batch.unreadableCount)"])
        }
        let compacted = try await tables.compact()
        counters.add("compacted_files_total", Double(compacted))
        if batch.rows.count >= Self.largeBatch || compacted > 0 { Lake.giveMemoryBack() }
        try await report(state)
    }

    /// Tells the group how far the tables are; that it does not hear of it changes nothing for them.
    private func tell(_ notice: inout GroupNotice<ContinuousClock.Instant>, _ source: Source) async {
        var offsets: [TopicPartition: Int64] = [:]
        for (partition, offset) in notice.offsets { offsets[TopicPartition(topic.name, partition)] = offset }
        do {
            try await source.consumer.commit(offsets, timeout: Self.groupTimeout)
            notice.heard(at: .now)
        } catch {
            notice.missed(at: .now)
            counters.add("group_failures_total")
            logger.debug("the group does not know the offsets yet", metadata: ["error": "\(error)"])
        }
    }

    private func report(_ state: EventTables.State) async throws {
        let snapshot = try await tables.ratingsSnapshot()
        counters.set("events", Double(state.seen.watermark))
        counters.set("ratings_version", Double(snapshot.version))
        counters.set("ratings_files", Double(snapshot.files.count))
        counters.set("ratings_rows", Double(snapshot.rowCount ?? 0))
    }

    private func vacuum() async throws {
        let count = try await tables.vacuum()
        counters.add("vacuumed_files_total", Double(count))
        if count > 0 { logger.info("vacuumed", metadata: ["files": "\(count)"]) }
    }
}
