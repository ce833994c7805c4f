// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ControllerRuntime

struct WorkQueueTests {
    @Test func handsOutOnceAndInOrder() {
        var queue = WorkQueueState<String>()
        #expect(queue.add("a") == true)
        #expect(queue.add("b") == true)
        #expect(queue.add("a") == false)
        #expect(queue.take() == "a")
        #expect(queue.take() == "b")
        #expect(queue.take() == nil)
    }

    @Test func keyAddedWhileActiveComesAgainAfterwards() {
        var queue = WorkQueueState<String>()
        _ = queue.add("a")
        _ = queue.take()
        #expect(queue.add("a") == false)
        #expect(queue.take() == nil)
        #expect(queue.done("a") == true)
        #expect(queue.take() == "a")
        #expect(queue.done("a") == false)
    }

    @Test func backsOffAndForgets() {
        var queue = WorkQueueState<String>()
        #expect(queue.failed("a") == .milliseconds(5))
        #expect(queue.failed("a") == .milliseconds(10))
        for _ in 0..<100 { _ = queue.failed("a") }
        #expect(queue.failed("a") == .seconds(30))
        queue.succeeded("a")
        #expect(queue.failed("a") == .milliseconds(5))
    }

    @Test func keepsOrderThroughItsInnerCompaction() {
        var queue = WorkQueueState<Int>()
        for key in 0..<5000 { _ = queue.add(key) }
        for key in 0..<5000 { #expect(queue.take() == key) }
        #expect(queue.take() == nil)
    }

    @Test func waitingTakerGetsTheKey() async {
        let queue = WorkQueue<String>()
        async let taken = queue.next()
        queue.add("a")
        #expect(await taken == "a")
    }

    @Test func cancellationReleasesTakers() async {
        let queue = WorkQueue<String>()
        await withTaskGroup(of: String?.self) { group in
            group.addTask { await queue.next() }
            group.cancelAll()
            for await key in group { #expect(key == nil) }
        }
    }

    @Test func measuresFromAddingToTheEndOfTheWork() {
        let start = ContinuousClock.now
        func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }
        var meter = QueueMeter<String>()
        meter.added("a", at: at(0))
        meter.added("a", at: at(5))
        meter.added("b", at: at(6))
        #expect(meter.read(at: at(6)).depth == 2 && meter.read(at: at(6)).adds == 2)
        meter.taken("a", at: at(10))
        // It comes again while it is worked on.
        meter.added("a", at: at(12))
        meter.retried()
        let busy = meter.read(at: at(40))
        #expect(busy.unfinished == [.milliseconds(30)] && busy.depth == 2 && busy.adds == 3 && busy.retries == 1)
        #expect(busy.waited.count == 1 && busy.worked.count == 0)
        #expect(busy.waited.buckets.firstIndex(of: 1) == 6)
        meter.done("a", at: at(60))
        meter.taken("a", at: at(5000))
        let later = meter.read(at: at(5000))
        #expect(later.worked.count == 1 && abs(later.worked.sum - 0.05) < 1e-9)
        #expect(later.waited.count == 2 && abs(later.waited.sum - 4.998) < 1e-9)
    }

    @Test func whatTookLongerThanAllBoundsIsCounted() {
        var histogram = DurationHistogram()
        histogram.add(.seconds(1001))
        histogram.add(.seconds(1000))
        #expect(histogram.count == 2 && histogram.buckets.reduce(0, +) == 1 && histogram.buckets.last == 1)
    }

    @Test func aQueueTellsWhatItDid() async {
        let queue = WorkQueue<String>()
        queue.add("a")
        queue.add("a")
        #expect(queue.statistics.depth == 1 && queue.statistics.adds == 1)
        #expect(await queue.next() == "a")
        queue.retried()
        queue.done("a")
        let statistics = queue.statistics
        #expect(statistics.depth == 0 && statistics.retries == 1 && statistics.unfinished.isEmpty)
        #expect(statistics.waited.count == 1 && statistics.worked.count == 1)
    }
}
