// SPDX-License-Identifier: Apache-2.0
import InferenceEngine
import InferenceProtocol
import Synchronization
import Testing

/// A queue by itself: nothing runs on the thread that asks, a run waits at the runtime's gate.
private func queued(_ config: String = "{}", _ change: (inout EngineConfiguration) -> Void = { _ in }) async throws
    -> Engine
{
    let engine = Engine {
        $0.inlineLimit = .zero
        change(&$0)
    }
    try await engine.load(config: config)
    engine.behaviour.runs.withLock { $0 = [] }
    return engine
}

@Suite(.timeLimit(.minutes(2))) struct ServedModelTests {
    @Test func runsOnTheThreadThatAsks() async throws {
        let engine = Engine()
        try await engine.load()
        let asked = Flag()
        _ = try engine.model().submit(.of([1, 2]), deadline: nil) { result in
            #expect((try? result.get().rows) == [2, 4])
            asked.set()
        }
        // It was answered before submit came back.
        #expect(asked.isSet)
        let model = try #require(try engine.model() as? ServedModel)
        #expect(model.isInline)
        #expect(model.pending == 0)
    }

    @Test func runsOnItsOwnThread() async throws {
        let engine = try await queued()
        let model = try engine.model()
        #expect(try await model.infer(.of([1])).rows == [2])
        #expect((model as? ServedModel)?.isInline == false)
    }

    @Test func answersNameTheModel() async throws {
        let engine = Engine()
        try await engine.load(version: "7")
        var request = InferenceRequest.of([1])
        request.id = "42"
        let answer = try await engine.model().infer(request)
        #expect(answer.model == "m")
        #expect(answer.version == "7")
        #expect(answer.id == "42")
    }

    @Test func refusesWhatDoesNotFit() async throws {
        let engine = Engine()
        try await engine.load()
        let wrong = InferenceRequest(
            model: "m", version: nil, inputs: [Tensor.of("X", [1, 2, 3], [1, 3])])
        await #expect(throws: InferenceFault.self) { try await engine.model().infer(wrong) }
        let model = try engine.model()
        #expect(model.statistics.fail.count == 0)
    }

    @Test func emptyBatches() async throws {
        for engine in [Engine(), try await queued(#"{"max_batch_size": 8, "dynamic_batching": {}}"#)] {
            if engine.repository.index(readyOnly: true).isEmpty { try await engine.load() }
            let answer = try await engine.model().infer(.of([]))
            #expect(answer.outputs[0].shape == [0, 4])
        }
    }

    // MARK: Batches

    @Test func putsRequestsTogether() async throws {
        let engine = try await queued(#"{"max_batch_size": 8, "dynamic_batching": {}}"#)
        let gate = engine.behaviour.close()
        let model = try engine.model()
        async let first = model.infer(.of([1]))
        await until { engine.behaviour.running.load(ordering: .relaxed) == 1 }
        let (answers, _) = try await withThrowingTaskGroup(of: (Int, [Float]).self) { group in
            for index in 0..<4 {
                group.addTask { (index, try await model.infer(.of([Float(index * 2), Float(index * 2 + 1)])).rows) }
            }
            await until { (model as? ServedModel)?.pending == 5 }
            engine.behaviour.open(gate)
            var answers: [Int: [Float]] = [:]
            for try await (index, rows) in group { answers[index] = rows }
            return (answers, ())
        }
        #expect(try await first.rows == [2])
        for (index, rows) in answers { #expect(rows == [Float(index * 4), Float(index * 4 + 2)]) }
        #expect(engine.behaviour.runs.withLock { $0 } == [1, 8])
        let statistics = model.statistics
        #expect(statistics.inferences == 9)
        #expect(statistics.executions == 2)
        #expect(statistics.success.count == 5)
        #expect(statistics.batches.keys.sorted() == [1, 8])
    }

    @Test func oneBadRequestDoesNotSpoilOthers() async throws {
        let engine = try await queued(#"{"max_batch_size": 8, "dynamic_batching": {}}"#)
        let gate = engine.behaviour.close()
        engine.behaviour.bad.withLock { $0 = 13 }
        let model = try engine.model()
        async let first = model.infer(.of([1]))
        await until { engine.behaviour.running.load(ordering: .relaxed) == 1 }
        async let good = model.infer(.of([2]))
        async let bad = model.infer(.of([13]))
        await until { (model as? ServedModel)?.pending == 3 }
        engine.behaviour.open(gate)
        #expect(try await first.rows == [2])
        #expect(try await good.rows == [4])
        do {
            _ = try await bad
            Issue.record("a bad request was answered")
        } catch let fault as InferenceFault {
            #expect(fault.code == .invalid)
        }
        #expect(model.statistics.fail.count == 1)
    }

    @Test func modelsThatLoseRowsRunAlone() async throws {
        let engine = Engine { $0.inlineLimit = .zero }
        engine.behaviour.cutsRows.store(true, ordering: .relaxed)
        try await engine.load(config: #"{"max_batch_size": 8, "dynamic_batching": {}}"#)
        engine.behaviour.runs.withLock { $0 = [] }
        let gate = engine.behaviour.close()
        let model = try engine.model()
        async let first = model.infer(.of([1]))
        await until { engine.behaviour.running.load(ordering: .relaxed) == 1 }
        async let second = model.infer(.of([2]))
        async let third = model.infer(.of([3]))
        await until { (model as? ServedModel)?.pending == 3 }
        engine.behaviour.open(gate)
        let answers = try await [first.rows, second.rows, third.rows]
        #expect(answers == [[2], [4], [6]])
        #expect(engine.behaviour.runs.withLock { $0 } == [1, 1, 1])
    }

    @Test func severalInstancesRunAtATime() async throws {
        let engine = try await queued(#"{"instance_group": [{"count": 3}]}"#)
        let gate = engine.behaviour.close()
        let model = try engine.model()
        try await withThrowingTaskGroup(of: [Float].self) { group in
            for index in 0..<5 { group.addTask { try await model.infer(.of([Float(index)])).rows } }
            await until { engine.behaviour.running.load(ordering: .relaxed) == 3 }
            #expect((model as? ServedModel)?.pending ?? 0 >= 3)
            engine.behaviour.open(gate)
            try await group.waitForAll()
        }
    }

    // MARK: Back-pressure, deadlines, cancellation

    @Test func tooManyAreRefused() async throws {
        let engine = try await queued(
            #"{"dynamic_batching": {"default_queue_policy": {"max_queue_size": 2}}, "max_batch_size": 1}"#)
        let gate = engine.behaviour.close()
        let model = try engine.model()
        async let first = model.infer(.of([1]))
        await until { engine.behaviour.running.load(ordering: .relaxed) == 1 }
        async let second = model.infer(.of([2]))
        async let third = model.infer(.of([3]))
        await until { (model as? ServedModel)?.pending == 3 }
        do {
            _ = try await model.infer(.of([4]))
            Issue.record("one more than may wait was taken")
        } catch {
            #expect(error.code == .tooMany)
            #expect(error.retryAfter != nil)
        }
        engine.behaviour.open(gate)
        let answers = try await [first.rows, second.rows, third.rows]
        #expect(answers == [[2], [4], [6]])
        #expect(try await model.infer(.of([4])).rows == [8])
    }

    @Test func deadlinesPassWhileAllAreBusy() async throws {
        let engine = try await queued()
        let gate = engine.behaviour.close()
        let model = try engine.model()
        async let first = model.infer(.of([1]))
        await until { engine.behaviour.running.load(ordering: .relaxed) == 1 }
        var late = InferenceRequest.of([2])
        late.timeout = .milliseconds(20)
        do {
            _ = try await model.infer(late)
            Issue.record("a request without time was answered")
        } catch {
            #expect(error.code == .deadline)
        }
        // The one before it still runs.
        let running = engine.behaviour.running.load(ordering: .relaxed)
        #expect(running == 1)
        engine.behaviour.open(gate)
        #expect(try await first.rows == [2])
    }

    @Test func deadlinesMayBeFarAway() async throws {
        let engine = try await queued()
        var patient = InferenceRequest.of([2])
        patient.timeout = .seconds(Int64.max)
        #expect(try await engine.model().infer(patient).rows == [4])
        let far = ContinuousClock.now.advanced(by: .seconds(99_999_999 * 3600))
        #expect(try await engine.model().infer(.of([3]), deadline: far).rows == [6])
    }

    @Test func cancelledRequestsAreNotRun() async throws {
        let engine = try await queued()
        let gate = engine.behaviour.close()
        let model = try engine.model()
        async let first = model.infer(.of([1]))
        await until { engine.behaviour.running.load(ordering: .relaxed) == 1 }
        let task = Task { try await model.infer(.of([2])) }
        await until { (model as? ServedModel)?.pending == 2 }
        task.cancel()
        do {
            _ = try await task.value
            Issue.record("a cancelled request was answered")
        } catch let fault as InferenceFault {
            #expect(fault.code == .cancelled)
        }
        engine.behaviour.open(gate)
        #expect(try await first.rows == [2])
        #expect(engine.behaviour.runs.withLock { $0 } == [1])
    }

    @Test func urgentRequestsGoFirst() async throws {
        let engine = try await queued(
            #"{"max_batch_size": 1, "dynamic_batching": {"priority_levels": 2, "default_priority_level": 2}}"#)
        let gate = engine.behaviour.close()
        let model = try engine.model()
        let order = Order()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await model.infer(.of([0])) }
            await until { engine.behaviour.running.load(ordering: .relaxed) == 1 }
            for (index, priority) in [(1, 2), (2, 0), (3, 1)] {
                group.addTask {
                    var request = InferenceRequest.of([Float(index)])
                    request.priority = UInt64(priority)
                    let answer = try await model.infer(request)
                    order.add(answer.rows[0] / 2)
                }
                await until { (model as? ServedModel)?.pending == index + 1 }
            }
            // The next runs only when the one before is answered.
            for count in 1...4 {
                gate.signal()
                await until { (model as? ServedModel)?.pending == 4 - count && order.all.count == count - 1 }
            }
            try await group.waitForAll()
        }
        #expect(order.all == [3, 1, 2])
    }

    // MARK: Cache

    @Test func equalRequestsAreAnsweredFromMemory() async throws {
        let engine = Engine { $0.cacheBytes = 1 << 20 }
        try await engine.load(config: #"{"response_cache": {"enable": true}}"#)
        engine.behaviour.runs.withLock { $0 = [] }
        let model = try engine.model()
        for _ in 0..<3 { #expect(try await model.infer(.of([5])).rows == [10]) }
        #expect(try await model.infer(.of([6])).rows == [12])
        #expect(engine.behaviour.runs.withLock { $0.count } == 2)
        #expect(model.statistics.cacheHit.count == 2)
        #expect(model.statistics.cacheMiss.count == 2)
        #expect(model.statistics.success.count == 4)
    }

    @Test func aNewVersionHasNewAnswers() async throws {
        let engine = Engine { $0.cacheBytes = 1 << 20 }
        engine.behaviour.factors.withLock { $0["2"] = 3 }
        let config = #"{"response_cache": {"enable": true}}"#
        try await engine.load(config: config)
        #expect(try await engine.model().infer(.of([5])).rows == [10])
        try await engine.load(version: "2", config: config)
        #expect(try await engine.model().infer(.of([5])).rows == [15])
    }
}

private final class Order: Sendable {
    private let numbers = Mutex<[Float]>([])
    var all: [Float] { numbers.withLock { $0 } }
    func add(_ number: Float) { numbers.withLock { $0.append(number) } }
}
