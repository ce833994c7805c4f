// SPDX-License-Identifier: Apache-2.0
import InferenceEngine
import Testing

@Suite struct MemoryBudgetTests {
    @Test func admitsWhatFits() {
        var budget = MemoryBudget(limit: 100, evicts: false)
        let answer1 = budget.admit("a", bytes: 60, isPinned: false)
        #expect(answer1 == .admitted(evicting: []))
        let answer2 = budget.admit("b", bytes: 41, isPinned: false)
        #expect(answer2 == .refused(free: 40))
        #expect(budget.used == 60)
        budget.release("a")
        let answer3 = budget.admit("b", bytes: 100, isPinned: false)
        #expect(answer3 == .admitted(evicting: []))
    }

    @Test func evictsWhatWasUsedLongestAgo() {
        var budget = MemoryBudget(limit: 100, evicts: true)
        _ = budget.admit("old", bytes: 40, isPinned: false)
        _ = budget.admit("new", bytes: 40, isPinned: false)
        let uses: [String: UInt64] = ["old": 1, "new": 2]
        let answer4 = budget.admit("c", bytes: 60, isPinned: false, lastUse: uses)
        #expect(answer4 == .admitted(evicting: ["old"]))
        #expect(budget.used == 100)
        let answer5 = budget.admit("d", bytes: 100, isPinned: false, lastUse: ["c": 3])
        #expect(answer5 == .admitted(evicting: ["new", "c"]))
    }

    @Test func keepsWhatIsPinned() {
        var budget = MemoryBudget(limit: 100, evicts: true)
        _ = budget.admit("pinned", bytes: 40, isPinned: true)
        _ = budget.admit("other", bytes: 60, isPinned: false)
        let answer6 = budget.admit("c", bytes: 61, isPinned: false)
        #expect(answer6 == .refused(free: 60))
        #expect(budget.used == 100)
        let answer7 = budget.admit("c", bytes: 60, isPinned: false)
        #expect(answer7 == .admitted(evicting: ["other"]))
    }

    @Test func correctsWhatALoadNeeds() {
        var budget = MemoryBudget(limit: 100, evicts: false)
        _ = budget.admit("a", bytes: 10, isPinned: false)
        let answer8 = budget.correct("a", bytes: 100)
        #expect(answer8)
        let answer9 = budget.correct("a", bytes: 101)
        #expect(!answer9)
        budget.release("a")
        #expect(budget.used == 0)
    }
}
