// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Dispatch
import Synchronization
import Testing

@Suite("Threads for calls that block")
struct WorkPoolTests {
    private struct Failed: Error, Equatable {
        let number: Int
    }

    @Test("What a job returns or throws is what its caller gets")
    func results() async throws {
        let pool = WorkPool(label: "results", threads: 2)
        let value = await pool.run { 7 }
        #expect(value == 7)
        do throws(Failed) {
            try await pool.run { () throws(Failed) in throw Failed(number: 3) }
            Issue.record("it did not throw")
        } catch {
            #expect(error == Failed(number: 3))
        }
        #expect(await pool.runIfOpen { "open" } == "open")
    }

    @Test("One thread begins jobs in the order in which they came")
    func order() async {
        let pool = WorkPool(label: "order", threads: 1)
        let seen = Mutex<[Int]>([])
        for number in 0..<5000 { pool.submit { seen.withLock { $0.append(number) } } }
        await pool.idle()
        #expect(seen.withLock { $0 } == Array(0..<5000))
    }

    @Test("As many jobs run at a time as there are threads, even where all of them wait, and no more")
    func bound() async {
        let threads = 12
        let pool = WorkPool(label: "bound", threads: threads)
        let (begun, go) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let running = Mutex((now: 0, most: 0))
        for _ in 0..<(threads * 3) {
            pool.submit {
                running.withLock { running in
                    running.now += 1
                    running.most = max(running.most, running.now)
                }
                begun.signal()
                go.wait()
                running.withLock { $0.now -= 1 }
            }
        }
        await WorkPool(label: "watch", threads: 1).run { for _ in 0..<threads { begun.wait() } }
        #expect(running.withLock { $0.now } == threads)
        for _ in 0..<(threads * 3) { go.signal() }
        await pool.idle()
        #expect(running.withLock { $0.now } == 0 && running.withLock { $0.most } == threads)
    }

    @Test("A pool that is closed has done what it took, and takes nothing more")
    func closing() async {
        let pool = WorkPool(label: "closing", threads: 3)
        let done = Atomic<Int>(0)
        for _ in 0..<1000 { pool.submit { done.add(1, ordering: .relaxed) } }
        await pool.close()
        #expect(done.load(ordering: .relaxed) == 1000)
        #expect(!pool.submit { done.add(1, ordering: .relaxed) })
        #expect(await pool.runIfOpen { 1 } == nil)
        #expect(await pool.run { 2 } == 2)
        #expect(done.load(ordering: .relaxed) == 1000)
    }

    @Test("Many callers at once all get their own results")
    func callers() async {
        let pool = WorkPool(label: "callers", threads: 4)
        let sum = await withTaskGroup(of: Int.self) { group in
            for number in 0..<2000 { group.addTask { await pool.run { number } } }
            return await group.reduce(0, +)
        }
        #expect(sum == 1999 * 1000)
    }
}
