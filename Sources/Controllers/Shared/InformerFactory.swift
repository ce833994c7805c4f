// SPDX-License-Identifier: Apache-2.0
package import ControllerRuntime
package import KubeAPI
package import KubeClient
package import Logging
import Synchronization

/// Hands out one shared informer per resource and runs them all, those asked for later included.
package final class InformerFactory: Sendable {
    private struct Entry: Sendable {
        let informer: Informer
        let stop: AsyncStream<Void>.Continuation
        let stopped: AsyncStream<Void>

        /// Lists and watches until cancelled or stopped.
        func run() async {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await informer.run() }
                group.addTask { for await _ in stopped {} }
                await group.next()
                group.cancelAll()
            }
        }
    }

    private struct State {
        var entries: [KubeResource: Entry] = [:]
        var isStopped = false
    }

    private let client: KubeClient
    private let logger: Logger
    private let state = Mutex(State())
    private let starts: AsyncStream<Entry>
    private let start: AsyncStream<Entry>.Continuation

    package init(client: KubeClient, logger: Logger) {
        self.client = client
        self.logger = logger
        (starts, start) = AsyncStream.makeStream(of: Entry.self)
    }

    /// The informer of a resource; it runs while ``run()`` runs.
    package func informer(_ resource: KubeResource) -> Informer {
        state.withLock { state in
            if let entry = state.entries[resource] { return entry.informer }
            let informer = Informer(resource, client: client, logger: logger)
            let (stopped, stop) = AsyncStream.makeStream(of: Void.self)
            let entry = Entry(informer: informer, stop: stop, stopped: stopped)
            state.entries[resource] = entry
            start.yield(entry)
            return informer
        }
    }

    /// Returns once the resource's first list has been taken in, or when the factory or the informer has stopped.
    package func waitUntilSynced(_ resource: KubeResource) async {
        let entry = state.withLock { $0.isStopped ? nil : $0.entries[resource] }
        await entry?.informer.waitUntilSynced()
    }

    /// Stops following a resource that the server does not have any more.
    package func remove(_ resource: KubeResource) {
        state.withLock { $0.entries.removeValue(forKey: resource) }?.stop.finish()
    }

    /// Lists and watches until cancelled. Call it once.
    package func run() async {
        await withDiscardingTaskGroup { group in
            for await entry in starts { group.addTask { await entry.run() } }
        }
        let entries = state.withLock { state in
            state.isStopped = true
            return state.entries.values.map { $0 }
        }
        // Cancelled by now: this only releases those who wait for informers that were never started.
        for entry in entries { await entry.informer.run() }
    }
}
