// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Logging
import Synchronization
import Testing

@Suite struct InformerTests {
    /// What each handler was told last.
    private final class Seen: Sendable {
        private let versions = Mutex<[Int: String]>([:])

        func note(_ handler: Int, _ version: String) { versions.withLock { $0[handler] = version } }
        var all: [String] { versions.withLock { Array($0.values) } }
    }

    @Test("a handler that is registered while an object changes is told its last state last")
    func order() async throws {
        try await TestCluster.run { cluster in
            for number in 0..<100 { _ = try await cluster.client.create(.configMaps, map("other-\(number)")) }
            _ = try await cluster.client.create(.configMaps, map("changing"))
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let informer = Informer(.configMaps, client: cluster.client, namespace: "default", logger: logger)
            let seen = Seen()
            let key = cluster.key("changing")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await informer.run() }
                await informer.waitUntilSynced()
                group.addTask {
                    for handler in 0..<300 {
                        informer.onChange { event in
                            if event.object.key == key { seen.note(handler, event.object.resourceVersion) }
                        }
                        await Task.yield()
                    }
                }
                for number in 0..<200 {
                    try await cluster.change(.configMaps, key.name, ["data": ["number": .string("\(number)")]])
                }
                let last = try await cluster.client.get(.configMaps, key).resourceVersion
                while seen.all.count < 300 || informer.get(key)?.resourceVersion != last {
                    try await Task.sleep(for: .milliseconds(1))
                }
                // Registered last: all before it have been told.
                informer.onChange { _ in }
                #expect(seen.all.allSatisfy { $0 == last })
                group.cancelAll()
            }
        }
    }

    private func map(_ name: String) -> KubeObject { KubeObject(.configMaps, namespace: "default", name: name) }
}
