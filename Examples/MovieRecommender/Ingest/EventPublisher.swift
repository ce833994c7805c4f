// SPDX-License-Identifier: Apache-2.0
import KafkaClient
import Logging
import ModelKit
import ServiceLifecycle

/// Sends the stored events to the topic, in their order: the database is the outbox, and what a broker has
/// acknowledged (`acks=all`, idempotent) is noted in it.
///
/// While no broker is there, ratings are still taken in, and are sent when it is back. After a crash events may be sent
/// again; readers know them by their sequence number. A cluster or topic that is new gets all events.
actor EventPublisher: Service {
    /// Events sent before their acknowledgements are waited for.
    private static let batchSize = 10_000
    private static let retryDelay = Duration.milliseconds(500)

    private let store: EventStore
    private let topic: EventTopic
    private let logger: Logger
    private let counters: Counters
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    init(_ store: EventStore, topic: EventTopic, logger: Logger, counters: Counters) {
        self.store = store
        self.topic = topic
        self.logger = logger
        self.counters = counters
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Says that there are new events.
    nonisolated func wake() { signal.yield() }

    /// Sends until graceful shutdown. What is not sent by then is sent after the next start.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            var isFailing = false
            while !Task.isCancelled {
                do {
                    try await self.publish { isFailing = false }
                } catch is CancellationError {
                    return
                } catch {
                    if !isFailing {
                        self.logger.warning("events wait for the broker", metadata: ["error": "\(error)"])
                    }
                    isFailing = true
                    self.counters.add("publish_failures_total")
                    try? await Task.sleep(for: Self.retryDelay)
                }
            }
        }
    }

    /// Sends what waits, then what comes, until something fails.
    private func publish(onSuccess: () -> Void) async throws {
        let admin = try KafkaAdmin(topic.configuration, timeout: .seconds(10))
        defer { admin.close() }
        let (cluster, isNew) = try await topic.prepare(admin)
        if isNew { try await store.setPublished(0, to: cluster, topic: topic.name) }
        let producer = try KafkaProducer(topic.configuration)
        let result: Result<Void, any Error>
        do {
            result = .success(try await publish(to: producer, cluster: cluster, onSuccess: onSuccess))
        } catch {
            result = .failure(error)
        }
        // Whatever is still under way is sent again by the next producer.
        try? await producer.close(timeout: .milliseconds(1))
        try result.get()
    }

    private func publish(to producer: KafkaProducer, cluster: String, onSuccess: () -> Void) async throws {
        var position = try await store.published(to: cluster, topic: topic.name)
        wake()
        for await _ in signals {
            while true {
                try Task.checkCancellation()
                let events = try await store.events(after: position, limit: Self.batchSize)
                guard let last = events.last else { break }
                for delivery in try await producer.send(events.map(topic.record)) { _ = try delivery.get() }
                position = last.sequence
                try await store.setPublished(position, to: cluster, topic: topic.name)
                counters.set("published", Double(position))
                onSuccess()
            }
        }
        throw CancellationError()
    }
}
