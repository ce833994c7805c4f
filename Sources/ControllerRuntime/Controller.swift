// SPDX-License-Identifier: Apache-2.0
package import KubeAPI
package import Logging
import Synchronization

/// What a reconciler wants next.
package struct ReconcileResult: Sendable {
    /// Reconcile the same object again after this time; nil: only when something changes.
    package var requeueAfter: Duration?

    package static let done = ReconcileResult(requeueAfter: nil)

    /// Reconcile again after `duration`; nil: only when something changes.
    package static func after(_ duration: Duration?) -> ReconcileResult { ReconcileResult(requeueAfter: duration) }
}

/// Brings the world one step closer to what one object declares.
///
/// Level-based and idempotent: it reads the present state and may be called at any time, any number of times.
package protocol Reconciler: Sendable {
    func reconcile(_ key: ObjectKey) async throws -> ReconcileResult
}

/// Runs a reconciler: changes seen by informers become keys, keys become calls, failures are retried with back-off.
package struct Controller: Sendable {
    /// A collection whose changes matter, and which keys to reconcile then.
    package struct Source: Sendable {
        let informer: Informer
        let keys: @Sendable (InformerEvent) -> [ObjectKey]

        package init(_ informer: Informer, keys: @escaping @Sendable (InformerEvent) -> [ObjectKey]) {
            self.informer = informer
            self.keys = keys
        }

        /// The objects themselves.
        package static func objects(of informer: Informer) -> Source {
            Source(informer) { [$0.object.key] }
        }

        /// The controlling owners, of the given kind, of the objects.
        package static func owners(of informer: Informer, kind: String) -> Source {
            Source(informer) { event in
                var owners = [event.object.controllerOwner]
                if case .updated(let old, _) = event { owners.append(old.controllerOwner) }
                return owners.compactMap { $0 }.filter { $0.kind == kind }
                    .map { ObjectKey(namespace: event.object.namespace, name: $0.name) }
            }
        }
    }

    package let name: String
    private let sources: [Source]
    private let reconciler: any Reconciler
    private let workers: Int
    private let logger: Logger
    private let queue = WorkQueue<ObjectKey>()
    private let returns = DelayedReturns()

    /// - Parameters:
    ///   - name: appears in logs.
    ///   - sources: what to watch; their informers are run by the caller.
    ///   - reconciler: what to run for each object.
    ///   - workers: how many objects are reconciled at a time.
    ///   - logger: told of failures.
    package init(
        name: String, sources: [Source], reconciler: any Reconciler, workers: Int = 4, logger: Logger
    ) {
        self.name = name
        self.sources = sources
        self.reconciler = reconciler
        self.workers = workers
        self.logger = logger
    }

    /// Has an object reconciled for a reason that no source sees.
    package func add(_ key: ObjectKey) { queue.add(key) }

    /// What its queue has done until now.
    package var statistics: QueueStatistics { queue.statistics }

    /// Works until cancelled.
    package func run() async {
        for source in sources { await source.informer.waitUntilSynced() }
        for source in sources {
            source.informer.onChange { [queue] event in
                for key in source.keys(event) { queue.add(key) }
            }
        }
        await withDiscardingTaskGroup { group in
            for _ in 0..<workers {
                group.addTask { await work() }
            }
        }
    }

    private func work() async {
        await withDiscardingTaskGroup { delays in
            while let key = await queue.next() {
                var delay: Duration?
                do {
                    delay = try await reconciler.reconcile(key).requeueAfter
                    queue.succeeded(key)
                } catch {
                    let wait = queue.failed(key)
                    delay = wait
                    // A conflict is how two writers find out about each other: the next try sees the newer state.
                    if !Task.isCancelled, (error as? StatusError)?.code != 409 {
                        logger.warning("\(name): \(key) failed, next try in \(wait): \(error)")
                    }
                }
                queue.done(key)
                if let delay {
                    queue.retried()
                    let moment = ContinuousClock.now + delay
                    guard returns.add(key, at: moment) else { continue }
                    delays.addTask { [queue, returns] in
                        let isOver = (try? await Task.sleep(until: moment, clock: .continuous)) != nil
                        // First, so that what the reconciler asks for then is not taken for this one.
                        returns.remove(key, at: moment)
                        if isOver { queue.add(key) }
                    }
                }
            }
            delays.cancelAll()
        }
    }
}

/// When objects come again. A return is not added where the object comes sooner anyway, so that its changes do not
/// multiply the times that it is looked at: reconcilers say each time when they want to be called next. One that was
/// added stays.
final class DelayedReturns: Sendable {
    private let pending = Mutex<[ObjectKey: [ContinuousClock.Instant]]>([:])

    /// - Returns: whether it was added.
    func add(_ key: ObjectKey, at moment: ContinuousClock.Instant) -> Bool {
        pending.withLock { pending in
            guard !pending[key, default: []].contains(where: { $0 <= moment }) else { return false }
            pending[key, default: []].append(moment)
            return true
        }
    }

    /// It has come, or is called off.
    func remove(_ key: ObjectKey, at moment: ContinuousClock.Instant) {
        pending.withLock { pending in
            guard let index = pending[key]?.firstIndex(of: moment) else { return }
            pending[key]?.remove(at: index)
            if pending[key]?.isEmpty == true { pending[key] = nil }
        }
    }
}
