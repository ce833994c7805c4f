// SPDX-License-Identifier: Apache-2.0
package import ControllerRuntime
package import KubeAPI
package import KubeClient
package import Logging
import Synchronization

/// Hands out one shared informer per resource and runs them all, those asked for later included.
package final class InformerFactory: Sendable {
    private struct Entry {
        let informer: Informer
        let stop: AsyncStream<Void>.Continuation
        let stopped: AsyncStream<Void>
    }

    private let client: KubeClient
    private let logger: Logger
    private let entries = Mutex<[KubeResource: Entry]>([:])
    private let starts: AsyncStream<KubeResource>
    private let start: AsyncStream<KubeResource>.Continuation

    package init(client: KubeClient, logger: Logger) {
        self.client = client
        self.logger = logger
        (starts, start) = AsyncStream.makeStream(of: KubeResource.self)
    }

    /// The informer of a resource; it runs while ``run()`` runs.
    package func informer(_ resource: KubeResource) -> Informer {
        entries.withLock { entries in
            if let entry = entries[resource] { return entry.informer }
            let informer = Informer(resource, client: client, logger: logger)
            let (stopped, stop) = AsyncStream.makeStream(of: Void.self)
            entries[resource] = Entry(informer: informer, stop: stop, stopped: stopped)
            start.yield(resource)
            return informer
        }
    }

    /// Stops following a resource that the server does not have any more.
    package func remove(_ resource: KubeResource) {
        entries.withLock { $0.removeValue(forKey: resource) }?.stop.finish()
    }

    /// Lists and watches until cancelled. Call it once.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for await resource in starts {
                guard let entry = entries.withLock({ $0[resource] }) else { continue }
                group.addTask {
                    await withTaskGroup(of: Void.self) { group in
                        group.addTask { await entry.informer.run() }
                        group.addTask { for await _ in entry.stopped {} }
                        await group.next()
                        group.cancelAll()
                    }
                }
            }
        }
    }
}
