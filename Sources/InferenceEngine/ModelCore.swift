// SPDX-License-Identifier: Apache-2.0
import InferenceProtocol
import Logging
import ModelRuntimes
import Synchronization

/// A request on its way.
final class Job: Sendable {
    typealias Done = @Sendable (Result<InferenceResponse, InferenceFault>) -> Void

    let id: String
    let plan: InferencePlan
    let deadline: ContinuousClock.Instant?
    /// Monotonic nanoseconds.
    let begun: Int
    let cacheKey: ResponseCache.Key?
    let done: Done

    init(
        id: String, plan: InferencePlan, deadline: ContinuousClock.Instant?, begun: Int, cacheKey: ResponseCache.Key?,
        done: @escaping Done
    ) {
        self.id = id
        self.plan = plan
        self.deadline = deadline
        self.begun = begun
        self.cacheKey = cacheKey
        self.done = done
    }
}

/// An instance of a model, which is used by one thread at a time.
///
/// Sendable although instances are not: whoever takes it out of the pool, or the thread that it was made for, is its
/// only user until it is put back; the pool's lock orders one user after the other.
final class InstanceBox: @unchecked Sendable {
    let instance: any ModelInstance
    init(_ instance: any ModelInstance) { self.instance = instance }
}

/// What answers for a loaded version: instances, their threads, the queue before them.
final class ModelCore: Sendable {
    typealias Queue = BatchQueue<Job, InferencePlan.Key>

    struct Waiting {
        var queue: Queue
        /// Threads that have nothing to do, the last one first to be woken.
        var idle: [InstanceThread] = []
        var threads = 0
        var isEnded = false
    }

    /// How long a run may take that is done on the thread that asks.
    private static let inlinePatience: Duration = .seconds(10)

    let name: String
    let version: String
    let signature: ModelSignature
    let config: ModelConfig
    let memory: Int
    private let outputs: [String]
    let isInline: Bool
    let pending = Atomic(0)
    let statistics = Mutex(ModelStatistics())
    let waiting: Mutex<Waiting>
    private let loaded: any LoadedModel
    private let inline: InlineBudget
    private let instances: Int
    /// Not in use now; the last used is the first to be used again.
    private let pool: Mutex<[InstanceBox]>
    private let cache: SharedCache?
    private let timekeeper: Timekeeper
    private let timeout: Duration?
    private let runTimeout: Duration?
    let load: UInt64
    let logger: Logger
    private let ended: @Sendable () -> Void
    private let released: @Sendable () -> Void

    /// - Parameters:
    ///   - parts: a loaded model.
    ///   - ended: called when nobody asks any more.
    ///   - released: called when its memory is given back.
    init(_ parts: Parts, ended: @escaping @Sendable () -> Void, released: @escaping @Sendable () -> Void) {
        name = parts.name
        version = parts.version
        signature = parts.signature
        config = parts.config
        memory = parts.loaded.memory
        outputs = parts.signature.outputs.map(\.name)
        loaded = parts.loaded
        pool = Mutex(parts.instances)
        instances = parts.threads
        inline = InlineBudget(parts.samples, limit: parts.inlineLimit)
        isInline = parts.inlineLimit > 0 && inline.allows(1)
        cache = parts.cache
        timekeeper = parts.timekeeper
        timeout = parts.timeout
        runTimeout = parts.runTimeout
        load = parts.load
        logger = parts.logger
        waiting = Mutex(Waiting(queue: Queue(parts.rules)))
        self.ended = ended
        self.released = released
    }

    deinit { released() }

    /// What a model is made of once it was loaded and warmed up.
    struct Parts {
        var name: String
        var version: String
        var signature: ModelSignature
        var config: ModelConfig
        var loaded: any LoadedModel
        var instances: [InstanceBox]
        var samples: [InlineBudget.Sample]
        /// Nanoseconds; 0: nothing runs on the thread that asks.
        var inlineLimit: Int
        var rules: Queue.Rules
        var threads: Int
        var timeout: Duration?
        /// How long one run may take; nil: as long as it likes.
        var runTimeout: Duration?
        var cache: SharedCache?
        var timekeeper: Timekeeper
        var load: UInt64
        var logger: Logger
    }

    /// Nobody asks any more.
    func end() {
        let idle = waiting.withLock { waiting in
            waiting.isEnded = true
            waiting.queue.close()
            defer { waiting.idle = [] }
            return waiting.idle
        }
        for thread in idle { thread.wake() }
        timekeeper.forget(self)
        cache?.remove(model: load)
        ended()
    }

    // MARK: A request

    func submit(_ request: InferenceRequest, deadline: ContinuousClock.Instant?, _ done: @escaping Job.Done) -> Ticket {
        let begun = Nanoseconds.now()
        let plan: InferencePlan
        do throws(InferenceFault) {
            plan = try InferencePlan(request, signature, all: outputs)
        } catch {
            done(.failure(error))
            return .spent
        }
        let deadline = self.deadline(deadline, of: request)
        var key: ResponseCache.Key?
        if let cache, config.isCached {
            let wanted = ResponseCache.Key(model: load, inputs: plan.inputs, outputs: plan.outputs)
            if let outputs = cache.find(wanted) {
                var timing = RequestTiming()
                timing.isCached = true
                timing.output = Nanoseconds.now() - begun
                count(timing, rows: plan.rows, isFailure: false)
                done(.success(response(request.id, outputs)))
                return .spent
            }
            key = wanted
        }
        let job = Job(id: request.id, plan: plan, deadline: deadline, begun: begun, cacheKey: key, done: done)
        if isInline, inline.allows(plan.elements), runHere(job) { return .spent }
        return enqueue(job, priority: request.priority)
    }

    private func deadline(
        _ given: ContinuousClock.Instant?, of request: borrowing InferenceRequest
    ) -> ContinuousClock.Instant? {
        guard let patience = request.timeout ?? config.defaultTimeout ?? timeout else { return given }
        let own = ContinuousClock.now.advanced(by: patience)
        return given.map { min($0, own) } ?? own
    }

    /// Runs on this thread.
    /// - Returns: false when there is no instance to run it.
    private func runHere(_ job: Job) -> Bool {
        guard let box = pool.withLock({ $0.popLast() }) ?? newInstance() else { return false }
        pending.wrappingAdd(1, ordering: .relaxed)
        let started = Nanoseconds.now()
        // A run that a thread of connections waits for has an end, even where its model turns out to have none.
        let last = ContinuousClock.now.advanced(by: Self.inlinePatience)
        let result = run(box, job, deadline: job.deadline.map { min($0, last) } ?? last)
        pool.withLock { $0.append(box) }
        let ended = Nanoseconds.now()
        inline.ran(elements: job.plan.elements, nanoseconds: ended - started)
        finish(job, result, started: started, ended: ended, runRows: job.plan.rows)
        return true
    }

    private func newInstance() -> InstanceBox? {
        do throws(InferenceFault) {
            return InstanceBox(try loaded.makeInstance())
        } catch {
            logger.warning(
                "a further instance of a model cannot be made",
                metadata: [
                    "model": "\(name)", "version": "\(version)", "reason": "\(error)",
                ])
            return nil
        }
    }

    private func enqueue(_ job: Job, priority: UInt64) -> Ticket {
        let now = ContinuousClock.now
        let (arrival, woken, isNew) = waiting.withLock { waiting -> (Queue.Arrival, InstanceThread?, Bool) in
            // Here, so that what is counted is queued.
            pending.wrappingAdd(1, ordering: .relaxed)
            let arrival = waiting.queue.add(
                job, rows: signature.maximumBatch > 0 ? job.plan.rows : 0, bytes: job.plan.bytes,
                key: job.plan.key(signature), priority: priority, deadline: job.deadline, now: now)
            guard case .queued(_, let asks) = arrival, asks else { return (arrival, nil, false) }
            if let thread = waiting.idle.popLast() { return (arrival, thread, false) }
            guard waiting.threads < instances else { return (arrival, nil, false) }
            waiting.threads += 1
            return (arrival, nil, true)
        }
        woken?.wake()
        if isNew { InstanceThread.start(self) }
        switch arrival {
        case .queued(let id, _):
            if let deadline = job.deadline { timekeeper.wake(self, at: deadline) }
            return Ticket { [self] in cancel(id) }
        case .full:
            finish(job, .failure(full()))
        case .closed:
            finish(
                job,
                .failure(
                    InferenceFault(.notReady, "model '\(name)' is being unloaded: ask again", retryAfter: .seconds(1))))
        }
        return .spent
    }

    private func full() -> InferenceFault {
        InferenceFault(
            .tooMany,
            """
            \(pending.load(ordering: .relaxed)) requests to model '\(name)' wait already, which is its limit: send fewer \
            at a time, or raise max_queue_size or instances
            """, retryAfter: .seconds(1))
    }

    private func cancel(_ id: UInt64) {
        guard let entry = waiting.withLock({ $0.queue.cancel(id) }) else { return }
        finish(entry.item, .failure(InferenceFault(.cancelled, "the request was given up by its client")))
    }

    /// Answers those whose deadlines have passed.
    /// - Returns: the next deadline.
    func expire() -> ContinuousClock.Instant? {
        let now = ContinuousClock.now
        let (expired, next) = waiting.withLock { ($0.queue.expire(now: now), $0.queue.nextDeadline) }
        for entry in expired { finish(entry.item, .failure(late())) }
        return next
    }

    private func late() -> InferenceFault {
        InferenceFault(
            .deadline, "the request to model '\(name)' waited until its timeout: the server has more to do than it can")
    }

    // MARK: Instance threads

    /// What a thread does next.
    enum Next {
        case run([Job])
        case sleep(until: ContinuousClock.Instant?)
        case end
    }

    func next(for thread: InstanceThread) -> Next {
        let now = ContinuousClock.now
        let (next, expired) = waiting.withLock { waiting -> (Next, [Queue.Entry]) in
            waiting.idle.removeAll { $0 === thread }
            let expired = waiting.queue.expire(now: now)
            switch waiting.queue.next(now: now) {
            case .run(let entries):
                return (.run(entries.map(\.item)), expired)
            case .wait(let time):
                waiting.idle.append(thread)
                return (.sleep(until: time), expired)
            case .idle:
                guard !waiting.isEnded else { return (.end, expired) }
                waiting.idle.append(thread)
                return (.sleep(until: nil), expired)
            }
        }
        for entry in expired { finish(entry.item, .failure(late())) }
        return next
    }

    /// An instance for a thread.
    func takeInstance() -> InstanceBox? { pool.withLock { $0.popLast() } ?? newInstance() }

    func putBack(_ box: InstanceBox) { pool.withLock { $0.append(box) } }

    /// A thread ended, or could not get an instance: what waits fails where there is no other thread.
    func threadEnded(failing fault: InferenceFault?) {
        let left = waiting.withLock { waiting in
            waiting.threads -= 1
            return fault != nil && waiting.threads == 0 ? waiting.queue.clear() : []
        }
        guard let fault else { return }
        for entry in left { finish(entry.item, .failure(fault)) }
    }

    func run(_ jobs: [Job], on box: InstanceBox) {
        guard jobs.count > 1 else {
            for job in jobs {
                let started = Nanoseconds.now()
                let result = run(box, job, deadline: runEnd(job.deadline))
                finish(job, result, started: started, ended: Nanoseconds.now(), runRows: job.plan.rows)
            }
            return
        }
        let started = Nanoseconds.now()
        let rows = jobs.reduce(0) { $0 + $1.plan.rows }
        let first = jobs[0].plan
        let inputs = first.inputs.indices.map { index in Tensor.joined(jobs.map { $0.plan.inputs[index] }) }
        let joined = Nanoseconds.now()
        let result: Result<[Tensor], InferenceFault>
        do throws(InferenceFault) {
            result = .success(try box.instance.run(inputs, outputs: first.outputs, deadline: runEnd(latest(jobs))))
        } catch {
            result = .failure(error)
        }
        let ended = Nanoseconds.now()
        guard case .success(let outputs) = result, outputs.allSatisfy({ $0.shape.first == rows }) else {
            if case .failure(let fault) = result, fault.code == .deadline {
                // Run alone, each could take as long again, and nobody would be answered meanwhile.
                for job in jobs { finish(job, result, started: started, ended: ended) }
                return
            }
            // One request must not spoil the others' answers: each is run alone.
            for job in jobs { run([job], on: box) }
            return
        }
        var timing = RequestTiming()
        timing.input = joined - started
        timing.inference = ended - joined
        statistics.withLock { $0.addRun(timing, rows: rows) }
        var row = 0
        for job in jobs {
            let range = row..<row + job.plan.rows
            row = range.upperBound
            finish(job, .success(outputs.map { $0.rows(range) }), started: started, ended: ended, joined: timing)
        }
    }

    /// When a run that begins now has to end.
    private func runEnd(_ deadline: ContinuousClock.Instant?) -> ContinuousClock.Instant? {
        guard let runTimeout else { return deadline }
        let end = ContinuousClock.now.advanced(by: runTimeout)
        return deadline.map { min($0, end) } ?? end
    }

    /// Until when a run of several is worth while: nil where one of them has no deadline.
    private func latest(_ jobs: [Job]) -> ContinuousClock.Instant? {
        var latest: ContinuousClock.Instant?
        for job in jobs {
            guard let deadline = job.deadline else { return nil }
            latest = latest.map { max($0, deadline) } ?? deadline
        }
        return latest
    }

    private func run(
        _ box: InstanceBox, _ job: Job, deadline: ContinuousClock.Instant?
    ) -> Result<[Tensor], InferenceFault> {
        do throws(InferenceFault) {
            return .success(try box.instance.run(job.plan.inputs, outputs: job.plan.outputs, deadline: deadline))
        } catch {
            return .failure(error)
        }
    }

    // MARK: Answers

    private func finish(_ job: Job, _ result: Result<[Tensor], InferenceFault>) {
        let now = Nanoseconds.now()
        finish(job, result, started: now, ended: now)
    }

    private func finish(
        _ job: Job, _ result: Result<[Tensor], InferenceFault>, started: Int, ended: Int, runRows: Int? = nil,
        joined: RequestTiming? = nil
    ) {
        var timing = joined ?? RequestTiming()
        timing.queue = started - job.begun
        if joined == nil { timing.inference = ended - started }
        let isFailure = if case .failure = result { true } else { false }
        if let runRows, !isFailure { statistics.withLock { $0.addRun(timing, rows: runRows) } }
        count(timing, rows: job.plan.rows, isFailure: isFailure)
        pending.wrappingSubtract(1, ordering: .relaxed)
        if case .success(let outputs) = result, let key = job.cacheKey {
            cache?.insert(outputs, for: key)
            statistics.withLock { $0.cacheMiss.add(ended - job.begun) }
        }
        job.done(result.map { response(job.id, $0) })
    }

    private func count(_ timing: RequestTiming, rows: Int, isFailure: Bool) {
        let now = Nanoseconds.wallMilliseconds()
        statistics.withLock { $0.add(timing, rows: rows, isFailure: isFailure, now: now) }
    }

    private func response(_ id: String, _ outputs: [Tensor]) -> InferenceResponse {
        InferenceResponse(model: name, version: version, id: id, outputs: outputs)
    }
}

extension Ticket {
    /// Of a request that is answered.
    static let spent = Ticket {}
}
