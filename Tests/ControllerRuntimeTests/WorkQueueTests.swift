// SPDX-License-Identifier: Apache-2.0
import ControllerRuntime
import Testing

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
}
