// SPDX-License-Identifier: Apache-2.0
import InferenceEngine
import Testing

/// Every state of the queue (empty, waiting for more, ready to run, full, closed) with every event (a request, a free
/// instance, time, a deadline, a cancellation, the end).
@Suite struct BatchQueueTests {
    typealias Queue = BatchQueue<String, Int>
    static let start = ContinuousClock.now

    static func at(_ milliseconds: Int) -> ContinuousClock.Instant { start.advanced(by: .milliseconds(milliseconds)) }

    /// Batches of four rows, which wait for 10 ms.
    static func rules(_ change: (inout Queue.Rules) -> Void = { _ in }) -> Queue.Rules {
        var rules = Queue.Rules()
        rules.maximumBatch = 4
        rules.delay = .milliseconds(10)
        rules.maximumRequests = 6
        change(&rules)
        return rules
    }

    @discardableResult
    static func add(
        _ queue: inout Queue, _ item: String, rows: Int = 1, bytes: Int = 1, key: Int = 0, priority: UInt64 = 0,
        deadline: Int? = nil, at time: Int = 0
    ) -> Queue.Arrival {
        queue.add(
            item, rows: rows, bytes: bytes, key: key, priority: priority, deadline: deadline.map(at), now: at(time))
    }

    static func id(_ arrival: Queue.Arrival) -> UInt64 {
        guard case .queued(let id, _) = arrival else { return 0 }
        return id
    }

    /// What a step says, as a text: `run a b`, `wait 10`, `idle`.
    static func text(_ step: Queue.Step) -> String {
        switch step {
        case .run(let entries): "run " + entries.map(\.item).joined(separator: " ")
        case .wait(let time): "wait \(start.duration(to: time).components.attoseconds / 1_000_000_000_000_000)"
        case .idle: "idle"
        }
    }

    static func next(_ queue: inout Queue, _ time: Int = 0) -> String { text(queue.next(now: at(time))) }

    // MARK: Empty

    @Test func empty() {
        var queue = Queue(Self.rules())
        #expect(Self.next(&queue) == "idle")
        #expect(queue.expire(now: Self.at(1000)).isEmpty)
        #expect(queue.nextDeadline == nil)
        let cancelled = queue.cancel(1)
        #expect(cancelled == nil)
        #expect(queue.clear().isEmpty)
        let first = Self.add(&queue, "a")
        // Somebody has to keep the time.
        #expect(first == .queued(id: 1, asks: true))
        #expect(queue.count == 1)
    }

    @Test func closedWhenEmpty() {
        var queue = Queue(Self.rules())
        queue.close()
        let answer = Self.add(&queue, "a")
        #expect(answer == .closed)
        #expect(Self.next(&queue) == "idle")
    }

    // MARK: Waiting for more

    @Test func waitsForMore() {
        var queue = Queue(Self.rules())
        Self.add(&queue, "a", at: 3)
        #expect(Self.next(&queue, 3) == "wait 13")
        #expect(Self.next(&queue, 12) == "wait 13")
        let second = Self.add(&queue, "b", at: 12)
        #expect(second == .queued(id: 2, asks: false))
        #expect(Self.next(&queue, 13) == "run a b")
        #expect(Self.next(&queue, 13) == "idle")
        #expect(queue.bytes == 0)
    }

    @Test func isFullAtOnce() {
        var queue = Queue(Self.rules())
        Self.add(&queue, "a", rows: 2)
        let second = Self.add(&queue, "b", rows: 2)
        #expect(second == .queued(id: 2, asks: true))
        #expect(Self.next(&queue) == "run a b")
    }

    @Test func waitingIsCancelled() {
        var queue = Queue(Self.rules())
        let first = Self.id(Self.add(&queue, "a"))
        Self.add(&queue, "b", at: 5)
        #expect(queue.cancel(first)?.item == "a")
        let again = queue.cancel(first)
        #expect(again == nil)
        // The time counts from the one that is left.
        #expect(Self.next(&queue, 10) == "wait 15")
    }

    @Test func waitingExpires() {
        var queue = Queue(Self.rules())
        Self.add(&queue, "a", deadline: 4)
        Self.add(&queue, "b", deadline: 2)
        #expect(queue.nextDeadline == Self.at(2))
        #expect(queue.expire(now: Self.at(1)).isEmpty)
        #expect(queue.expire(now: Self.at(2)).map(\.item) == ["b"])
        #expect(queue.nextDeadline == Self.at(4))
        #expect(queue.expire(now: Self.at(9)).map(\.item) == ["a"])
        #expect(queue.nextDeadline == nil)
        #expect(Self.next(&queue, 9) == "idle")
    }

    @Test func closedWhileWaiting() {
        var queue = Queue(Self.rules())
        Self.add(&queue, "a")
        queue.close()
        let late = Self.add(&queue, "b")
        #expect(late == .closed)
        // Nobody comes any more: it is not waited for.
        #expect(Self.next(&queue, 1) == "run a")
    }

    @Test func clearedWhileWaiting() {
        var queue = Queue(Self.rules())
        Self.add(&queue, "a")
        Self.add(&queue, "b", key: 1)
        #expect(queue.clear().map(\.item) == ["a", "b"])
        #expect(queue.count == 0)
        #expect(queue.bytes == 0)
    }

    // MARK: Ready

    @Test func runsAtOnceWithoutDelay() {
        var queue = Queue(Self.rules { $0.delay = .zero })
        let first = Self.add(&queue, "a")
        let second = Self.add(&queue, "b")
        #expect(first == .queued(id: 1, asks: true))
        #expect(second == .queued(id: 2, asks: true))
        #expect(Self.next(&queue) == "run a b")
    }

    @Test func oneRunHasNoMoreRowsThanItMay() {
        var queue = Queue(Self.rules())
        for item in ["a", "b", "c"] { Self.add(&queue, item, rows: 3) }
        // b does not fit beside a, and is not cut.
        #expect(Self.next(&queue, 10) == "run a")
        #expect(Self.next(&queue, 10) == "run b")
        #expect(Self.next(&queue, 10) == "run c")
    }

    @Test func smallOnesFillTheBatch() {
        var queue = Queue(Self.rules())
        Self.add(&queue, "a", rows: 3)
        Self.add(&queue, "b", rows: 2)
        Self.add(&queue, "c", rows: 1)
        #expect(Self.next(&queue) == "run a c")
        #expect(Self.next(&queue, 10) == "run b")
    }

    @Test func othersAreNotMixed() {
        var queue = Queue(Self.rules())
        Self.add(&queue, "a", key: 1)
        Self.add(&queue, "b", key: 2)
        Self.add(&queue, "c", key: 1)
        #expect(Self.next(&queue, 10) == "run a c")
        #expect(Self.next(&queue, 10) == "run b")
    }

    @Test func whatHasNoRowsRunsAlone() {
        var queue = Queue(Self.rules())
        Self.add(&queue, "empty", rows: 0)
        Self.add(&queue, "a")
        Self.add(&queue, "b", rows: 0)
        #expect(Self.next(&queue) == "run empty")
        #expect(Self.next(&queue) == "wait 10")
        #expect(Self.next(&queue, 10) == "run a")
        #expect(Self.next(&queue, 10) == "run b")
    }

    @Test func withoutBatchesEachRunsAlone() {
        var queue = Queue(Self.rules { $0.maximumBatch = 0 })
        Self.add(&queue, "a")
        Self.add(&queue, "b")
        #expect(Self.next(&queue) == "run a")
        #expect(Self.next(&queue) == "run b")
    }

    @Test func preferredSizesDoNotWait() {
        var queue = Queue(Self.rules { $0.preferred = [2, 3] })
        Self.add(&queue, "a")
        #expect(Self.next(&queue) == "wait 10")
        let second = Self.add(&queue, "b")
        #expect(second == .queued(id: 2, asks: true))
        Self.add(&queue, "c")
        // The largest that is preferred; without it they would wait for a fourth.
        #expect(Self.next(&queue) == "run a b c")
    }

    @Test func whatIsBeyondAPreferredSizeStays() {
        var queue = Queue(Self.rules { $0.preferred = [2] })
        for item in ["a", "b", "c"] { Self.add(&queue, item) }
        #expect(Self.next(&queue) == "run a b")
        #expect(Self.next(&queue, 5) == "wait 10")
        #expect(Self.next(&queue, 10) == "run c")
    }

    // MARK: Priorities

    @Test func urgentOnesComeFirst() {
        var queue = Queue(
            Self.rules {
                $0.levels = 3
                $0.defaultLevel = 2
                $0.maximumBatch = 0
            })
        Self.add(&queue, "default")
        Self.add(&queue, "low", priority: 3)
        Self.add(&queue, "beyond", priority: 99)
        Self.add(&queue, "urgent", priority: 1)
        Self.add(&queue, "second", priority: 2)
        let order = (0..<5).map { _ in Self.next(&queue) }
        #expect(order == ["run urgent", "run default", "run second", "run low", "run beyond"])
    }

    @Test func urgentOnesTakeOthersAlong() {
        var queue = Queue(
            Self.rules {
                $0.levels = 2
                $0.defaultLevel = 2
            })
        Self.add(&queue, "low", rows: 2)
        Self.add(&queue, "urgent", rows: 2, priority: 1)
        #expect(Self.next(&queue) == "run urgent low")
    }

    @Test func waitingCountsFromTheOldest() {
        var queue = Queue(
            Self.rules {
                $0.levels = 2
                $0.defaultLevel = 2
            })
        Self.add(&queue, "low", at: 0)
        Self.add(&queue, "urgent", priority: 1, at: 9)
        #expect(Self.next(&queue, 9) == "wait 10")
        #expect(Self.next(&queue, 10) == "run urgent low")
    }

    // MARK: Full

    @Test func isFull() {
        var queue = Queue(Self.rules { $0.maximumRequests = 2 })
        Self.add(&queue, "a")
        let second = Self.id(Self.add(&queue, "b", key: 1))
        let third = Self.add(&queue, "c")
        #expect(third == .full)
        #expect(queue.count == 2)
        #expect(queue.cancel(second)?.item == "b")
        let again = Self.add(&queue, "c")
        #expect(Self.id(again) > 0)
        #expect(Self.next(&queue, 10) == "run a c")
    }

    @Test func isFullUntilOneExpires() {
        var queue = Queue(Self.rules { $0.maximumRequests = 1 })
        Self.add(&queue, "a", deadline: 5)
        let early = Self.add(&queue, "b", at: 4)
        #expect(early == .full)
        #expect(queue.expire(now: Self.at(5)).count == 1)
        let late = Self.add(&queue, "b", at: 5)
        #expect(Self.id(late) > 0)
    }

    @Test func bytesAreBounded() {
        var queue = Queue(Self.rules { $0.maximumBytes = 10 })
        // A large one alone may always wait.
        let large = Self.add(&queue, "large", bytes: 100)
        #expect(Self.id(large) > 0)
        let more = Self.add(&queue, "b", bytes: 1)
        #expect(more == .full)
        #expect(Self.next(&queue, 10) == "run large")
        Self.add(&queue, "a", bytes: 5)
        let fits = Self.add(&queue, "b", bytes: 5)
        #expect(Self.id(fits) > 0)
        let over = Self.add(&queue, "c", bytes: 1)
        #expect(over == .full)
    }

    @Test func closedWhenFull() {
        var queue = Queue(Self.rules { $0.maximumRequests = 1 })
        Self.add(&queue, "a")
        queue.close()
        let answer = Self.add(&queue, "b")
        #expect(answer == .closed)
        #expect(queue.clear().map(\.item) == ["a"])
    }

    // MARK: All of it

    /// Whatever happens, each request comes out once, batches are as large as they may be, and counts are right.
    @Test(arguments: 0..<20) func anyOrder(seed: Int) {
        var random = Generator(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 | 1)
        var queue = Queue(
            Self.rules {
                $0.levels = 3
                $0.maximumRequests = 40
                $0.maximumBytes = 100
                $0.preferred = [2, 3]
            })
        var inside: [String: (rows: Int, bytes: Int)] = [:]
        var ids: [UInt64] = []
        func out(_ item: String) { #expect(inside.removeValue(forKey: item) != nil) }
        for step in 0..<2000 {
            let time = step / 3
            switch random.next() % 8 {
            case 0...3:
                let rows = Int(random.next() % 5)
                let bytes = Int(random.next() % 7)
                let arrival = Self.add(
                    &queue, "\(step)", rows: rows, bytes: bytes, key: Int(random.next() % 2),
                    priority: random.next() % 5,
                    deadline: random.next() % 3 == 0 ? time + Int(random.next() % 20) : nil, at: time)
                if case .queued(let id, _) = arrival {
                    inside["\(step)"] = (rows, bytes)
                    ids.append(id)
                } else {
                    #expect(inside.count == 40 || inside.values.reduce(0) { $0 + $1.bytes } + bytes > 100)
                }
            case 4, 5:
                if case .run(let entries) = queue.next(now: Self.at(time)) {
                    #expect(!entries.isEmpty)
                    #expect(entries.count == 1 || entries.reduce(0) { $0 + $1.rows } <= 4)
                    #expect(Set(entries.map(\.key)).count == 1)
                    for entry in entries { out(entry.item) }
                }
            case 6: for entry in queue.expire(now: Self.at(time)) { out(entry.item) }
            default:
                if let id = ids.randomElement(using: &random), let entry = queue.cancel(id) { out(entry.item) }
            }
            #expect(queue.count == inside.count)
            #expect(queue.bytes == inside.values.reduce(0) { $0 + $1.bytes })
        }
        for entry in queue.clear() { out(entry.item) }
        #expect(inside.isEmpty)
    }
}

/// xorshift64: the same numbers each time.
struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
