// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import Logging
import Synchronization
import TrackingModel
import TrackingStore

/// Tells webhooks what happens in the registry: after the request, in the background, a bounded number at a time.
package final class Webhooks: Sendable {
    private struct Job: Sendable {
        let webhook: Webhook
        let event: WebhookEvent
        let data: JSONValue
    }

    private struct Known: Sendable {
        var active: [Webhook] = []
        /// When they were read; nil where they are to be read.
        var read: ContinuousClock.Instant?
        /// Counts changes, so that what was read before one is not kept after it.
        var version = 0
        var dropped = 0
    }

    /// How long what another server changed may stay unseen (MLflow's).
    private static let memory: Duration = .seconds(60)

    let settings: WebhookSettings
    let secrets: WebhookSecrets
    private let store: TrackingStore
    private let logger: Logger
    private let known = Mutex(Known())
    private let jobs: AsyncStream<Job>
    private let input: AsyncStream<Job>.Continuation

    init(_ store: TrackingStore, _ settings: WebhookSettings, _ logger: Logger) {
        self.store = store
        self.settings = settings
        self.logger = logger
        secrets = WebhookSecrets(settings)
        (jobs, input) = AsyncStream.makeStream(
            of: Job.self, bufferingPolicy: .bufferingOldest(max(1, settings.waiting)))
    }

    /// Sends until the task is cancelled; what waits then is lost, as with MLflow.
    package func run() async {
        await withDiscardingTaskGroup { group in
            let room = AsyncStream<Void>.makeStream()
            for _ in 0..<max(1, settings.workers) { room.continuation.yield() }
            var free = room.stream.makeAsyncIterator()
            for await job in jobs {
                guard await free.next() != nil else { break }
                group.addTask {
                    await self.send(job)
                    room.continuation.yield()
                }
            }
            group.cancelAll()
        }
    }

    /// Webhooks were changed.
    func forget() {
        known.withLock { known in
            known.read = nil
            known.version += 1
        }
    }

    /// Tells of something that was done; never fails, whoever did it is answered either way.
    /// - Parameters:
    ///   - event: what, of a model or of a prompt.
    ///   - name: of the model or prompt.
    ///   - isPrompt: which it is; nil where the store has to say.
    ///   - data: what is told of it.
    func tell(
        _ event: RegistryEvent, of name: String, isPrompt: Bool? = nil,
        _ data: @Sendable (_ isPrompt: Bool) -> [String: JSONValue]
    ) async {
        do {
            let told = try await active().filter { webhook in webhook.events.contains { event.kinds.contains($0) } }
            guard !told.isEmpty else { return }
            let isOfPrompt = if let isPrompt { isPrompt } else { try await store.isPrompt(name) }
            guard let kind = isOfPrompt ? event.ofPrompt : event.ofModel else { return }
            var data = data(isOfPrompt)
            data["name"] = .string(name)
            for webhook in told where webhook.events.contains(kind) {
                if case .dropped = input.yield(Job(webhook: webhook, event: kind, data: .object(data))) { drop() }
            }
        } catch {
            logger.error("webhooks are not told", metadata: ["model": "\(name)", "error": "\(error)"])
        }
    }

    /// Sends an example and says what became of it (MLflow, WebhookTestResult).
    func test(_ webhook: Webhook, _ event: WebhookEvent) async -> JSONValue {
        do {
            let answer = try await answer(to: event, event.example, webhook)
            return [
                "success": .bool(answer.status < 400), "response_status": .int(Int64(answer.status)),
                "response_body": .string(answer.body),
            ]
        } catch {
            return ["success": false, "error_message": .string("Failed to test webhook: \(error)")]
        }
    }

    private func active() async throws -> [Webhook] {
        let (found, version) = known.withLock { known -> ([Webhook]?, Int) in
            guard let read = known.read, ContinuousClock.now - read < Self.memory else { return (nil, known.version) }
            return (known.active, known.version)
        }
        if let found { return found }
        let active = try await store.activeWebhooks()
        known.withLock { known in
            guard known.version == version else { return }
            known.active = active
            known.read = .now
        }
        return active
    }

    private func answer(
        to event: WebhookEvent, _ data: JSONValue, _ webhook: Webhook
    ) async throws -> WebhookSender.Answer {
        var secret: String?
        if let sealed = webhook.secret { secret = try await secrets.open(sealed) }
        return try await WebhookSender(settings: settings).send(webhook, secret: secret, event, data)
    }

    private func send(_ job: Job) async {
        let failure: String
        do {
            let answer = try await answer(to: job.event, job.data, job.webhook)
            guard answer.status >= 400 else { return }
            failure = "it answered \(answer.status)"
        } catch {
            failure = "\(error)"
        }
        logger.error(
            "a webhook was not told",
            metadata: ["webhook": "\(job.webhook.name)", "event": "\(job.event.name)", "error": "\(failure)"])
    }

    /// Not a line for each: 1, 2, 4, 8, …
    private func drop() {
        let dropped = known.withLock { known in
            known.dropped += 1
            return known.dropped
        }
        guard dropped & (dropped - 1) == 0 else { return }
        logger.warning("events for webhooks are dropped: too many wait", metadata: ["dropped": "\(dropped)"])
    }
}
