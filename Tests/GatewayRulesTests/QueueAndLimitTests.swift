// SPDX-License-Identifier: Apache-2.0
import ApusCore
import GatewayRules
import Testing

struct ActivatorQueueTests {
    private let start = Instant.now

    @Test func requestsWaitUntilThereIsRoomInTheirOrder() {
        var queue = ActivatorQueue(maximumHeld: 3)
        let late = start + .seconds(5)
        #expect(queue.arrive(1, deadline: late, now: start) == .hold)
        #expect(queue.arrive(2, deadline: late, now: start) == .hold)
        #expect(queue.arrive(3, deadline: late, now: start) == .hold)
        #expect(queue.arrive(4, deadline: late, now: start) == .refuse)
        #expect(queue.capacity(2) == [1, 2])
        #expect(queue.arrive(5, deadline: late, now: start) == .hold)
        #expect(queue.finished() == [3])
        #expect(queue.finished() == [5])
        #expect(queue.finished() == [])
        #expect(queue.running == 1 && queue.held == 0)
        #expect(queue.arrive(6, deadline: late, now: start) == .pass)
    }

    @Test func anyNumberMayPass() {
        var queue = ActivatorQueue(maximumHeld: 0)
        #expect(queue.capacity(nil) == [])
        for id in 0..<100 { #expect(queue.arrive(UInt64(id), deadline: start, now: start) == .pass) }
        #expect(queue.running == 100)
    }

    @Test func whatWaitsTooLongOrIsGoneIsNotReleased() {
        var queue = ActivatorQueue(maximumHeld: 10)
        for id in 1...4 { _ = queue.arrive(UInt64(id), deadline: start + .seconds(id), now: start) }
        #expect(queue.nextDeadline == start + .seconds(1))
        #expect(queue.gone(2) == true)
        #expect(queue.gone(2) == false)
        #expect(queue.expire(now: start + .seconds(1)) == [1])
        #expect(queue.expire(now: start + .seconds(2)) == [])
        #expect(queue.capacity(nil) == [3, 4])
        #expect(queue.gone(3) == false)
        #expect(queue.arrive(9, deadline: start, now: start + .seconds(9)) == .pass)
    }

    @Test func aTimeThatIsOverIsRefused() {
        var queue = ActivatorQueue(maximumHeld: 10)
        #expect(queue.arrive(1, deadline: start, now: start) == .refuse)
    }

    /// Any sequence of events, against a plain list.
    @Test func randomEvents() {
        var queue = ActivatorQueue(maximumHeld: 20)
        var model: (held: [UInt64], running: Int, slots: Int) = ([], 0, 0)
        var seed: UInt64 = 7
        var next: UInt64 = 0
        func release() -> [UInt64] {
            var ids: [UInt64] = []
            while model.running < model.slots, !model.held.isEmpty {
                ids.append(model.held.removeFirst())
                model.running += 1
            }
            return ids
        }
        for _ in 0..<20_000 {
            seed &+= 0x9E37_79B9_7F4A_7C15
            let bits = StableHash.mixed(seed)
            switch bits % 5 {
            case 0, 1:
                next += 1
                let expected: ActivatorQueue.Arrival
                if model.held.isEmpty, model.running < model.slots {
                    expected = .pass
                    model.running += 1
                } else if model.held.count < 20 {
                    expected = .hold
                    model.held.append(next)
                } else {
                    expected = .refuse
                }
                #expect(queue.arrive(next, deadline: start + .seconds(1), now: start) == expected)
            case 2:
                model.slots = Int((bits >> 8) % 8)
                #expect(queue.capacity(model.slots) == release())
            case 3 where model.running > 0:
                model.running -= 1
                #expect(queue.finished() == release())
            default:
                guard !model.held.isEmpty else { continue }
                let id = model.held[Int((bits >> 8) % UInt64(model.held.count))]
                model.held.removeAll { $0 == id }
                #expect(queue.gone(id) == true)
            }
            #expect(queue.held == model.held.count && queue.running == model.running)
        }
    }
}

struct TokenBucketsTests {
    private let start = Instant.now

    @Test func soManyInAPeriod() {
        var buckets = TokenBuckets(TrafficPolicy.Rate(requests: 2, period: .seconds(10)))
        #expect(buckets.take("a", now: start) == nil)
        #expect(buckets.take("a", now: start) == nil)
        let wait = buckets.take("a", now: start)
        #expect(wait.map { abs($0 / .seconds(1) - 5) < 0.01 } == true)
        #expect(buckets.take("b", now: start) == nil)
        #expect(buckets.take("a", now: start + .seconds(5.01)) == nil)
        #expect(buckets.take("a", now: start + .seconds(5.02)) != nil)
        // Full again, and not fuller.
        #expect(buckets.take("a", now: start + .seconds(100)) == nil)
        #expect(buckets.take("a", now: start + .seconds(100)) == nil)
        #expect(buckets.take("a", now: start + .seconds(100)) != nil)
    }

    @Test func clientsAreBounded() {
        var buckets = TokenBuckets(TrafficPolicy.Rate(requests: 1, period: .seconds(1_000_000)))
        #expect(buckets.take("hungry", now: start) == nil)
        for number in 0..<TokenBuckets.maximumClients + 10 { _ = buckets.take("c\(number)", now: start) }
        #expect(buckets.count <= TokenBuckets.maximumClients)
    }
}

struct RetryDecisionTests {
    private func retries(
        _ failure: RetryDecision.Failure, failed: Int = 1, codes: [Int]? = nil, attempts: Int = 2,
        method: String = "GET",
        isReplayable: Bool = true
    ) -> Bool {
        var rules = codes.map { _ in RetryRules() }
        rules?.codes = codes ?? []
        rules?.attempts = attempts
        return RetryDecision.retries(
            failure, failed: failed, rules: rules, isIdempotent: RetryDecision.isIdempotent(method),
            isReplayable: isReplayable)
    }

    @Test func withoutRules() {
        #expect(retries(.neverSent, method: "POST"))
        #expect(retries(.neverSent, failed: 2, method: "POST"))
        #expect(!retries(.neverSent, failed: 3, method: "POST"))
        #expect(retries(.connectionLost))
        #expect(!retries(.connectionLost, method: "POST"))
        #expect(!retries(.connectionLost, failed: 2))
        #expect(!retries(.status(503)))
        #expect(!retries(.timeout))
    }

    @Test func withRules() {
        #expect(retries(.status(503), codes: [503], method: "POST"))
        #expect(retries(.status(503), failed: 2, codes: [503]))
        #expect(!retries(.status(503), failed: 3, codes: [503]))
        #expect(!retries(.status(500), codes: [503]))
        #expect(retries(.connectionLost, codes: [503], method: "POST"))
        #expect(retries(.timeout, codes: [504], method: "POST"))
        #expect(!retries(.timeout, codes: [503], method: "POST"))
        #expect(!retries(.status(503), codes: [503], isReplayable: false))
        #expect(!retries(.status(503), codes: [503], attempts: 0))
    }

    @Test func waitsGrowAndVary() {
        var rules = RetryRules()
        rules.backoff = .milliseconds(100)
        #expect(RetryDecision.wait(nil, failed: 1, random: 5) == .zero)
        #expect(RetryDecision.wait(rules, failed: 1, random: 0) == .milliseconds(50))
        #expect(RetryDecision.wait(rules, failed: 1, random: .max) > .milliseconds(99))
        #expect(RetryDecision.wait(rules, failed: 3, random: 0) == .milliseconds(200))
        #expect(RetryDecision.wait(rules, failed: 1000, random: .max) <= .milliseconds(6400))
    }

    @Test func theBudgetIsAShareOfWhatRuns() {
        let now = Instant.now
        var budget = RetryBudget(start: now)
        for _ in 0..<3 { #expect(budget.take(running: 1, now: now) == true) }
        #expect(budget.take(running: 10, now: now) == false)
        #expect(budget.take(running: 20, now: now) == true)
        #expect(budget.take(running: 20, now: now) == false)
        budget.giveBack()
        #expect(budget.take(running: 20, now: now) == true)
    }

    @Test func manyMayBeRepeatedAtOnceAfterManyWithoutTrouble() {
        let start = Instant.now
        var budget = RetryBudget(start: start)
        for second in 0..<20 {
            for _ in 0..<100 { budget.began(now: start + .seconds(second)) }
        }
        // 1000 in the last ten seconds.
        let now = start + .seconds(19)
        let allowed = (0..<1000).count { _ in budget.take(running: 32, now: now) }
        #expect(allowed == 200)
        #expect(budget.take(running: 32, now: now + .seconds(5)) == false)
        #expect(budget.take(running: 32, now: now + .seconds(30)) == false)
    }
}

struct UpstreamMeterTests {
    @Test func concurrencyIsTheMeanOverTime() {
        let start = Instant.now
        let upstream = UpstreamID(namespace: "n", service: "s", port: 80)
        var meter = UpstreamMeter(bounds: [0.1, 1], now: start)
        meter.began(now: start)
        meter.began(now: start + .milliseconds(500))
        meter.ended(after: .milliseconds(750), isFailure: false, now: start + .milliseconds(750))
        meter.ended(after: .milliseconds(50), isFailure: true, now: start + .seconds(1))
        let activity = meter.read(upstream, revision: "r", held: 2, time: 5, now: start + .seconds(2))
        // 1 for 0.5 s, 2 for 0.25 s, 1 for 0.25 s, none for 1 s.
        #expect(abs(activity.concurrency - 0.625) < 0.001)
        #expect(activity.requests == 2 && activity.failures == 1 && activity.held == 2)
        #expect(activity.latencies == [1, 1, 0])
        let empty = meter.read(upstream, revision: "r", held: 0, time: 6, now: start + .seconds(3))
        #expect(empty.requests == 0 && empty.concurrency == 0 && empty.latencies == [0, 0, 0])
        #expect(meter.total.requests == 2)
        #expect(UpstreamActivity(json: activity.json) == activity)
    }

    @Test(arguments: [
        ("requests", JSONValue.int(-1)), ("failures", .int(.max)), ("held", .int(1 << 41)), ("span", JSONValue(1e300)),
        ("concurrency", JSONValue(-0.5)), ("concurrency", JSONValue(1e300)), ("time", "now"),
        ("latencies", .array([JSONValue](repeating: 1, count: 65))),
    ]) func numbersThatCannotBeAreNoActivity(_ name: String, _ value: JSONValue) {
        var meter = UpstreamMeter(bounds: [1], now: .now)
        let activity = meter.read(
            UpstreamID(namespace: "n", service: "s", port: 80), revision: "r", held: 0, time: 5, now: .now)
        var json = activity.json
        #expect(UpstreamActivity(json: json) != nil)
        json[name] = value
        #expect(UpstreamActivity(json: json) == nil)
    }
}
