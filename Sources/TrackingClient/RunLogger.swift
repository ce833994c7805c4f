// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import Logging
import Synchronization

/// Logs to a run without holding anybody up: what is said goes into a bounded buffer, and a task sends it.
///
/// Nothing is lost in silence: ``report`` counts what was sent, merged and dropped, and says why.
package final class RunLogger: Sendable {
    package struct Configuration: Sendable {
        /// How long what is said waits for more, at most.
        package var interval: Duration = .seconds(1)
        /// How long the end goes on trying when the server does not take it.
        package var patience: Duration = .seconds(30)
        /// How often the machine and the process are looked at; nil for never.
        package var systemInterval: Duration? = .seconds(10)
        package var limits = LogBuffer.Limits()

        package init() {}
    }

    /// What has become of what was said.
    package struct Report: Sendable, Hashable, CustomStringConvertible {
        package var counts: LogBuffer.Counts
        /// Why something was dropped.
        package var fault: TrackingClientError?

        /// Whether all that was said is with the server, but for points that were merged.
        package var isWhole: Bool { counts.dropped == 0 }

        package var description: String {
            var text = "\(counts.sent) sent"
            if counts.merged > 0 { text += ", \(counts.merged) merged into later ones" }
            if counts.dropped > 0 { text += ", \(counts.dropped) lost" }
            if let fault { text += ": \(fault)" }
            return text
        }
    }

    private struct State {
        var buffer: LogBuffer
        /// When a batch that did not go through is sent again.
        var retry: ContinuousClock.Instant?
        /// When what is left is given up; nil before the end.
        var deadline: ContinuousClock.Instant?
        /// Who waits for all that was said so far.
        var flushes: [CheckedContinuation<Bool, Never>] = []
    }

    private let client: TrackingClient
    package let run: String
    private let configuration: Configuration
    private let logger: Logger
    private let state: Mutex<State>
    /// Each element makes the sender look.
    private let signals: AsyncStream<Void>
    private let signal: AsyncStream<Void>.Continuation

    private init(_ client: TrackingClient, run: String, _ configuration: Configuration, _ logger: Logger) {
        self.client = client
        self.run = run
        self.configuration = configuration
        self.logger = logger
        state = Mutex(State(buffer: LogBuffer(limits: configuration.limits)))
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Runs `body` with a logger of a run, and ends the run: finished, or failed where `body` throws, or killed where the
    /// task was cancelled. What was said is sent before.
    ///
    /// - Throws: what `body` throws, and `TrackingClientError` where the run's end could not be told.
    package static func log<Value: Sendable>(
        to run: String, of client: TrackingClient, configuration: Configuration = Configuration(),
        logger: Logger = Logger(label: "apus.tracking"), _ body: @Sendable (RunLogger) async throws -> Value
    ) async throws -> (value: Value, report: Report) {
        let log = RunLogger(client, run: run, configuration, logger)
        // Tasks of their own, awaited below: what was said is sent also where the one that runs `body` is cancelled.
        let sender = Task { await log.send() }
        let ticker = Task { await log.tick() }
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(log))
        } catch {
            result = .failure(error)
        }
        ticker.cancel()
        await ticker.value
        log.beginEnd()
        await sender.value
        let status: RunStatus =
            switch result {
            case .success: .finished
            case .failure(let error): error is CancellationError || Task.isCancelled ? .killed : .failed
            }
        let told = Task { try await client.updateRun(run, status: status, end: now()) }
        let end = await told.result
        let value = try result.get()
        try end.get()
        return (value, log.report)
    }

    // MARK: Saying

    /// A metric's value, of now or of `time`, milliseconds since 1970. Returns at once.
    package func metric(
        _ key: String, _ value: Double, step: Int64 = 0, time: Int64? = nil, model: String? = nil,
        dataset: MetricPoint.Dataset? = nil
    ) {
        let point = MetricPoint(
            key, value, time: time ?? Self.now(), step: step, model: model, dataset: dataset)
        let isFull = state.withLock { state in
            state.buffer.add(point)
            return state.buffer.hasFullBatch
        }
        if isFull { signal.yield() }
    }

    /// A param. Returns at once.
    package func param(_ key: String, _ value: String) { state.withLock { $0.buffer.add(param: key, value) } }

    /// A tag. Returns at once.
    package func tag(_ key: String, _ value: String) { state.withLock { $0.buffer.add(tag: key, value) } }

    /// What has become of what was said so far.
    package var report: Report {
        state.withLock { Report(counts: $0.buffer.counts, fault: $0.buffer.fault) }
    }

    /// Waits until all that was said so far is sent or dropped.
    /// - Returns: false where the server did not take it just now. It is tried again later.
    @discardableResult
    package func flush() async -> Bool {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.buffer.isEmpty { return true }
                state.flushes.append(continuation)
                state.retry = nil
                return false
            }
            if isDone { continuation.resume(returning: true) } else { signal.yield() }
        }
    }

    static func now() -> Int64 { Timestamp.now().nanoseconds / 1_000_000 }

    // MARK: Sending

    /// Lets the sender look every now and then, and looks at the machine.
    private func tick() async {
        let clock = ContinuousClock()
        var system = configuration.systemInterval.map { SystemSampler(next: clock.now, interval: $0) }
        while !Task.isCancelled {
            let now = clock.now
            if system != nil, system?.isDue(now) == true, let sample = await system?.sample(now) { say(sample) }
            signal.yield()
            let pause = min(configuration.interval, system.map { $0.next - now } ?? configuration.interval)
            try? await clock.sleep(for: max(pause, .milliseconds(1)))
        }
        // Short runs have two samples at least.
        if let sample = await system?.sample(clock.now) { say(sample) }
    }

    private func say(_ sample: SystemSampler.Sample) {
        for (key, value) in sample.values { metric(key, value, step: sample.step) }
    }

    /// Sends what waits whenever there is a signal, until the end.
    private func send() async {
        for await _ in signals {
            let isOver = await sendAll()
            if isOver { return }
        }
    }

    /// Sends batches until there is none, or one does not go through.
    /// - Returns: whether this was the end.
    private func sendAll() async -> Bool {
        while true {
            // Together: what was said between the two would be given up at the end, though nobody tried to send it.
            let (batch, isEnd) = state.withLock { (Self.next(&$0), $0.deadline != nil) }
            guard let batch else { return settle(isEnd: isEnd) }
            do throws(TrackingClientError) {
                try await client.logBatch(run, batch, retries: TrackingRetries.none)
                state.withLock { $0.buffer.sent() }
            } catch {
                guard let pause = recover(from: error) else { continue }
                let deadline = state.withLock { $0.deadline }
                // At the end it goes on, as long as there is time.
                guard let end = deadline, ContinuousClock.now + pause < end else {
                    return settle(isEnd: deadline != nil)
                }
                try? await Task.sleep(for: pause)
            }
        }
    }

    /// The next batch, unless the last one is to wait.
    private static func next(_ state: inout State) -> LogBuffer.Batch? {
        if state.deadline == nil, let retry = state.retry, retry > .now { return nil }
        state.retry = nil
        return state.buffer.next()
    }

    /// - Returns: how long to wait before the same batch is sent again; nil for going on at once.
    private func recover(from error: TrackingClientError) -> Duration? {
        let (step, isLost) = state.withLock { state in
            let lost = state.buffer.counts.dropped
            return (state.buffer.failed(error), state.buffer.counts.dropped > lost)
        }
        guard case .again(let failures) = step else {
            if isLost {
                logger.warning("the tracking server refuses what is logged", metadata: ["error": "\(error)"])
            }
            return nil
        }
        if failures == 1 {
            logger.warning("logging waits for the tracking server", metadata: ["error": "\(error)"])
        }
        let pause =
            error.rest ?? client.configuration.retries.pause(failures: failures, random: .random(in: 0...1))
        state.withLock { $0.retry = .now + pause }
        return pause
    }

    /// Tells those who wait how it went, and at the end gives up what is left.
    /// - Parameter isEnd: whether the end had begun when it was last looked for something to send, or tried.
    /// - Returns: whether this was the end.
    private func settle(isEnd: Bool) -> Bool {
        let (flushes, isWhole) = state.withLock { state in
            let (flushes, isWhole) = (state.flushes, state.buffer.isEmpty)
            if isEnd, !isWhole {
                let patience = configuration.patience
                state.buffer.giveUp(
                    TrackingClientError(.connection, "the tracking server did not take it within \(patience)"))
            }
            // Nothing was tried: they go on waiting.
            if !isWhole, !isEnd, state.retry == nil { return ([CheckedContinuation<Bool, Never>](), false) }
            state.flushes = []
            return (flushes, isWhole)
        }
        for flush in flushes { flush.resume(returning: isWhole) }
        return isEnd
    }

    private func beginEnd() {
        state.withLock { $0.deadline = .now + configuration.patience }
        signal.yield()
    }
}
