// SPDX-License-Identifier: Apache-2.0
import IcebergProtocol
import Synchronization
import Testing

@testable import IcebergCatalog

@Suite struct DocumentMemoryTests {
    @Test func bodiesHaveABoundTogether() async throws {
        let memory = DocumentMemory(bytes: 100, large: 1)
        try await memory.holding(bytes: 60) {
            try await memory.holding(bytes: 40) {}
            let code = await CatalogFixture.error { try await memory.holding(bytes: 41) {} }
            #expect(code == .unavailable)
        }
        try await memory.holding(bytes: 100) {}
    }

    @Test func largeDocumentsTakeTurns() async throws {
        let memory = DocumentMemory(bytes: 0, large: 2)
        let busy = Mutex((now: 0, most: 0))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    await memory.understanding(2 << 20) {
                        busy.withLock { busy in
                            busy.now += 1
                            busy.most = max(busy.most, busy.now)
                        }
                        busy.withLock { $0.now -= 1 }
                    }
                }
            }
        }
        #expect(busy.withLock { $0.now == 0 && (1...2).contains($0.most) })
    }
}
