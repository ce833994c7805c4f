// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Synchronization
import Testing

@testable import SQLDatabases

@Suite struct CommitQueueTests {
    /// Takes every statement.
    private final class Session: SQLSession {
        let dialect = SQLDialect.postgres
        func rows(_ sql: String, _ values: [SQLValue]) -> [SQLRow] { [] }
        func run(_ sql: String, _ values: [SQLValue]) -> Int { 0 }
    }

    /// What became of changes.
    private final class Counts: Sendable {
        let made = Mutex(0)
        let waiting = Mutex(0)
        /// How many changes were in each transaction.
        let sizes = Mutex<[Int]>([])
    }

    /// Another program that locks rows in another order is in the way of changes that are made together, each time.
    @Test func changesThatConflictTogetherAreMadeOneByOne() async throws {
        let counts = Counts()
        let queue = CommitQueue(label: "test", repeats: 2) { body in
            let before = counts.made.withLock { $0 }
            try body(Session())
            let size = counts.made.withLock { $0 } - before
            counts.sizes.withLock { $0.append(size) }
            if size > 1 { throw SQLError(.conflict, "deadlock") }
        }
        var rounds = 0
        // Changes wait, and so are made together, while the queue's thread is held.
        while !counts.sizes.withLock({ $0.contains { $0 > 1 } }), rounds < 100 {
            rounds += 1
            let held = DispatchGroup()
            held.enter()
            let answers = try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask { try await queue.write { _ in Self.make(-1, counts) { held.wait() } } }
                for number in 0..<10 {
                    group.addTask {
                        counts.waiting.withLock { $0 += 1 }
                        return try await queue.write { _ in Self.make(number, counts) }
                    }
                }
                while counts.waiting.withLock({ $0 }) < 10 * rounds { await Task.yield() }
                held.leave()
                return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
            }
            #expect(answers == Set(-1..<10))
        }
        let sizes = counts.sizes.withLock { $0 }
        #expect(sizes.contains { $0 > 1 } && sizes.filter { $0 == 1 }.count == 11 * rounds)
    }

    private static func make(_ number: Int, _ counts: Counts, wait: () -> Void = {}) -> Int {
        wait()
        counts.made.withLock { $0 += 1 }
        return number
    }

    @Test func whatConflictsForEverIsRefused() async {
        let counts = Counts()
        let queue = CommitQueue(label: "test", repeats: 2) { body in
            counts.made.withLock { $0 += 1 }
            try body(Session())
            throw SQLError(.conflict, "deadlock")
        }
        await #expect(throws: SQLError.self) { try await queue.write { _ in } }
        #expect(counts.made.withLock { $0 } == 3)
    }
}
