// SPDX-License-Identifier: Apache-2.0
import ControllerRuntime
import KubeAPI
import KubeClient
import Logging
import Synchronization

/// Watches single objects for as long as somebody wants to know of their changes.
///
/// One watch per object, however many pods use it; what no pod uses costs nothing.
final class ObjectWatcher: Sendable {
    /// Names one object.
    struct Target: Hashable, Sendable {
        var resource: KubeResource
        var key: ObjectKey
    }

    private struct Watch {
        var subscribers: [String: @Sendable () -> Void] = [:]
        /// Finished when the last subscriber leaves, which ends the watch.
        var end: AsyncStream<Never>.Continuation
    }

    private let client: KubeClient
    private let logger: Logger
    private let watches = Mutex<[Target: Watch]>([:])
    private let begun = Mailbox<(Target, AsyncStream<Never>)>()

    init(client: KubeClient, logger: Logger) {
        self.client = client
        self.logger = logger
    }

    /// Calls `onChange` after each change of each target until ``unsubscribe(_:)``; replaces an earlier subscription
    /// of the same subscriber.
    func subscribe(_ subscriber: String, to targets: Set<Target>, onChange: @escaping @Sendable () -> Void) {
        unsubscribe(subscriber, except: targets)
        for target in targets {
            let fresh = watches.withLock { watches -> AsyncStream<Never>? in
                if watches[target] != nil {
                    watches[target]?.subscribers[subscriber] = onChange
                    return nil
                }
                let (stream, continuation) = AsyncStream.makeStream(of: Never.self)
                watches[target] = Watch(subscribers: [subscriber: onChange], end: continuation)
                return stream
            }
            if let fresh { begun.send((target, fresh)) }
        }
    }

    func unsubscribe(_ subscriber: String) { unsubscribe(subscriber, except: []) }

    private func unsubscribe(_ subscriber: String, except kept: Set<Target>) {
        watches.withLock { watches in
            for target in watches.keys where !kept.contains(target) {
                watches[target]?.subscribers[subscriber] = nil
                if let watch = watches[target], watch.subscribers.isEmpty {
                    watch.end.finish()
                    watches[target] = nil
                }
            }
        }
    }

    /// Follows the objects until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await _ in begun.rings {
                for (target, end) in begun.take() {
                    group.addTask { await self.follow(target, until: end) }
                }
            }
        }
    }

    private func follow(_ target: Target, until end: AsyncStream<Never>) async {
        // A node may watch what its pods need, one object at a time.
        let informer = Informer(
            target.resource, client: client, namespace: target.key.namespace,
            selection: .init(fields: "metadata.name=\(target.key.name)"), logger: logger)
        let isFirst = Mutex(true)
        informer.onChange { [self] _ in
            // The first sight of the object is what the subscriber has read itself.
            let first = isFirst.withLock { isFirst in
                defer { isFirst = false }
                return isFirst
            }
            if first, !informer.isSynced { return }
            let subscribers = watches.withLock { $0[target].map { Array($0.subscribers.values) } ?? [] }
            for subscriber in subscribers { subscriber() }
        }
        await withDiscardingTaskGroup { group in
            group.addTask { await informer.run() }
            for await _ in end {}
            group.cancelAll()
        }
    }
}
