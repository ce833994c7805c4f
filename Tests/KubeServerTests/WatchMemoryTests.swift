// SPDX-License-Identifier: Apache-2.0
import ApusCore
import Foundation
import KubeAPI
import Testing

@testable import KubeServer

/// What watches hold in memory, without the connections that they go over.
@Suite struct WatchMemoryTests {
    /// This process' proportional share of memory, in KiB (proc(5)).
    private static func memory() throws -> Int {
        let text = try String(contentsOfFile: "/proc/self/smaps_rollup", encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("Pss:") })
        return try #require(line.split(separator: " ").compactMap { Int($0) }.first)
    }

    /// Ten thousand watches of one kind, each with a task that reads it and hears of changes.
    @Test(.timeLimit(.minutes(10)))
    func tenThousandWatchersOfOneKind() async throws {
        let test = try await TestServer()
        try await test.configMap("watched")
        let count = 10_000
        let own = test.server.store.watcherCount
        let before = try Self.memory()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<count {
                let response = await test.respond(
                    "GET", "/api/v1/configmaps?watch=true&resourceVersion=\(test.server.store.revision)")
                guard case .stream(let chunks) = response.body else { throw CancellationError() }
                group.addTask {
                    var lines = 0
                    for try await chunk in chunks {
                        lines += chunk.count { $0 == UInt8(ascii: "\n") }
                        if lines >= 6 { break }
                    }
                    return lines
                }
            }
            for index in 0..<5 {
                try await test.configMap("c\(index)", data: ["k": String(repeating: "v", count: 500)])
            }
            let used = try Self.memory() - before
            #expect(used < 200 * 1024, "\(used) KiB for \(count) watches")
            #expect(test.server.store.watcherCount >= count)
            try await test.configMap("last")
            var seen = 0
            for try await lines in group { seen += lines }
            #expect(seen == count * 6)
        }
        #expect(test.server.store.watcherCount == own)
    }
}
