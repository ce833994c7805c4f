// SPDX-License-Identifier: Apache-2.0
import IcebergProtocol
import Synchronization
import Testing

@testable import IcebergCatalog

@Suite struct DocumentMemoryTests {
    @Test func bodiesHaveABoundTogether() async throws {
        let memory = DocumentMemory(bytes: 100, large: 1, small: 10)
        try await memory.holding(bytes: 60) {
            try await memory.holding(bytes: 40) {}
            let code = await CatalogFixture.error { try await memory.holding(bytes: 41) {} }
            #expect(code == .unavailable)
            try await memory.holding(bytes: 10) {}
        }
        try await memory.holding(bytes: 100) {}
    }

    private final class Turns: Sendable {
        private let counts = Mutex((now: 0, most: 0))

        var most: Int { counts.withLock { $0.most } }

        func take() {
            counts.withLock { counts in
                counts.now += 1
                counts.most = max(counts.most, counts.now)
            }
            counts.withLock { $0.now -= 1 }
        }
    }

    @Test func largeDocumentsTakeTurns() async throws {
        let memory = DocumentMemory(bytes: 0, large: 2)
        let turns = Turns()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    await memory.understanding(2 << 20) { turns.take() }
                }
            }
        }
        #expect(turns.most == 1 || turns.most == 2)
    }
}
