// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import ObjectServer

@Suite("Memory for bodies")
struct MemoryBudgetTests {
    @Test("Who gets none waits in line, and is served in order")
    func line() async throws {
        let budget = MemoryBudget(bytes: 100)
        var first: MemoryBudget.Share? = try await budget.take(60)
        #expect(budget.free == 40 && first?.bytes == 60)
        let large = Task { try await budget.take(80) }
        while budget.waiting < 1 { await Task.yield() }
        // There would be room, but another was first.
        let small = Task { try await budget.take(10) }
        while budget.waiting < 2 { await Task.yield() }
        first = nil
        let both = try await (large.value, small.value)
        #expect(both.0.bytes == 80 && both.1.bytes == 10 && budget.free == 10)
    }

    @Test("More than there is in all is all there is")
    func most() async throws {
        let budget = MemoryBudget(bytes: 100)
        let share = try await budget.take(1000)
        #expect(share.bytes == 100 && budget.free == 0)
    }

    @Test("Who gives up leaves the line, and lets others go on")
    func cancellation() async throws {
        let budget = MemoryBudget(bytes: 100)
        let held = try await budget.take(50)
        let waiting = Task { try await budget.take(80) }
        while budget.waiting < 1 { await Task.yield() }
        let next = Task { try await budget.take(50) }
        while budget.waiting < 2 { await Task.yield() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        #expect(try await next.value.bytes == 50)
        withExtendedLifetime(held) {}
        let gone = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await budget.take(90)
        }
        await #expect(throws: CancellationError.self) { try await gone.value }
    }
}
