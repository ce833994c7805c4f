import ApusCore
// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
package import InferenceProtocol
package import KafkaClient
package import Logging
import NIOCore
import NIOHTTP1
import Synchronization

package struct PayloadLogConfiguration: Sendable {
    /// KServe's `logger.mode`.
    package enum Mode: String, Sendable, CaseIterable { case all, request, response }

    package var target: PayloadTarget
    package var mode = Mode.all
    package var origin = PayloadOrigin()
    /// Events that wait; more are dropped.
    package var queue = 1000
    /// Bytes of events that wait.
    package var queueBytes = 64 << 20
    /// Events that are sent at a time.
    package var workers = 4
    /// Tries of one event.
    package var attempts = 3
    /// How the cluster is reached, for topics; its brokers are the target's.
    package var kafka = KafkaConfiguration(clientID: "apus-payloads")

    package init(_ target: PayloadTarget) { self.target = target }
}

/// Sends payloads as CloudEvents, beside the requests: nobody waits for it. What is too much is dropped and counted.
package final class PayloadLogger: PayloadSink, Sendable {
    package struct Counts: Sendable, Hashable {
        package var sent = 0
        /// Given up after all tries.
        package var failed = 0
        /// There was no room for.
        package var dropped = 0
    }

    private let configuration: PayloadLogConfiguration
    private let logger: Logger
    private let events: AsyncStream<PayloadEvent>
    private let input: AsyncStream<PayloadEvent>.Continuation
    private let waitingBytes = Atomic(0)
    private let state = Mutex(Counts())

    package init(_ configuration: PayloadLogConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        (events, input) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(configuration.queue))
    }

    package var counts: Counts { state.withLock { $0 } }

    package func offer(_ event: PayloadEvent) {
        switch configuration.mode {
        case .request where !event.isRequest: return
        case .response where event.isRequest: return
        default: break
        }
        let size = event.body.readableBytes
        let (_, waiting) = waitingBytes.add(size, ordering: .relaxed)
        if waiting <= configuration.queueBytes, case .enqueued = input.yield(event) { return }
        waitingBytes.subtract(size, ordering: .relaxed)
        state.withLock { $0.dropped += 1 }
    }

    /// Sends until the task is cancelled or ``finish()`` was called; then what waits is sent before it returns.
    /// - Throws: what the Kafka client refuses of its configuration.
    package func run() async throws {
        switch configuration.target {
        case .web(let url):
            var settings = HTTPClient.Configuration()
            // Who is not there is tried again here, not within a try.
            settings.connectionPool.retryConnectionEstablishment = false
            let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: settings)
            await send { event in try await Self.post(event, to: url, by: client) }
            try? await client.shutdown()
        case .topic(let topic, let brokers):
            var kafka = configuration.kafka
            kafka.bootstrapServers = brokers
            let producer = try KafkaProducer(kafka)
            await send { event in
                let delivery = try await producer.send(Self.record(event, topic))
                _ = delivery
            }
            try? await producer.close(timeout: .seconds(5))
        }
    }

    /// No more events are taken; ``run()`` ends once those that wait are sent.
    package func finish() { input.finish() }

    private func send(_ deliver: @escaping @Sendable (CloudEvent) async throws -> Void) async {
        await withDiscardingTaskGroup { group in
            let room = AsyncStream<Void>.makeStream()
            for _ in 0..<configuration.workers { room.continuation.yield() }
            var free = room.stream.makeAsyncIterator()
            for await event in events {
                guard await free.next() != nil else { break }
                group.addTask {
                    await self.send(event, deliver)
                    room.continuation.yield()
                }
            }
        }
    }

    private func send(_ event: PayloadEvent, _ deliver: @Sendable (CloudEvent) async throws -> Void) async {
        defer { waitingBytes.subtract(event.body.readableBytes, ordering: .relaxed) }
        let cloudEvent = CloudEvent(event, configuration.origin)
        for attempt in 1...max(1, configuration.attempts) {
            do {
                try await deliver(cloudEvent)
                state.withLock { $0.sent += 1 }
                return
            } catch {
                let isLast = attempt == configuration.attempts || Task.isCancelled
                logger.debug("payload not sent", metadata: ["attempt": "\(attempt)", "error": "\(error)"])
                if isLast { break }
                try? await Task.sleep(for: .milliseconds(100 << (2 * (attempt - 1))))
            }
        }
        let failed = state.withLock { counts in
            counts.failed += 1
            return counts.failed
        }
        // Not a line for each: 1, 10, 100, …
        if Self.isPowerOfTen(failed) {
            logger.warning("payloads are lost", metadata: ["failed": "\(failed)", "id": "\(event.id)"])
        }
    }

    private static func isPowerOfTen(_ number: Int) -> Bool {
        var rest = number
        while rest >= 10, rest % 10 == 0 { rest /= 10 }
        return rest == 1
    }

    private static func post(_ event: CloudEvent, to url: String, by client: HTTPClient) async throws {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        for (name, value) in event.attributes { request.headers.add(name: "ce-\(name)", value: value) }
        request.headers.add(name: "content-type", value: event.contentType)
        request.body = .bytes(event.data)
        let response = try await client.execute(request, timeout: .seconds(10))
        // Read, so that the connection can be used again.
        _ = try await response.body.collect(upTo: 1 << 20)
        guard (200..<300).contains(response.status.code) else {
            throw PayloadTarget.Refusal(description: "\(url) answered \(response.status.code)")
        }
    }

    /// The binding of CloudEvents to Kafka, binary content mode.
    private static func record(_ event: CloudEvent, _ topic: String) -> KafkaRecord {
        let id = event.attributes.first { $0.name == "id" }?.value ?? ""
        return KafkaRecord(
            topic: topic, key: Array(id.utf8), value: Array(event.data.readableBytesView),
            headers: event.attributes.map { KafkaHeader("ce_\($0.name)", $0.value) }
                + [KafkaHeader("content-type", event.contentType)])
    }
}
