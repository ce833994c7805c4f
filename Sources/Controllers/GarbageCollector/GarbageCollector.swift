// SPDX-License-Identifier: Apache-2.0
import ApusCore
import ControllerRuntime
import KubeAPI
import KubeClient
import Logging
import Synchronization

/// Deletes objects whose owners are gone, and finishes foreground and orphaning deletions.
///
/// Follows every resource that can be listed, watched and deleted, events aside; those of custom kinds from when their
/// definitions are established. While new ones are being read, nothing is decided: who has dependents is not known yet.
/// Nothing is deleted from memory alone: each object and its owners are read from the server first, and deletions name
/// the uid.
final class GarbageCollector: Sendable {
    private struct State {
        var graph = OwnerGraph()
        var discovery = ResourceDiscovery()
        var followed: Set<KubeResource> = []
        /// Rounds of new resources that are being read; the first counts from the start.
        var settling: Set<Int> = [0]
        var rounds = 0
        /// Names of custom kinds that came or went, until discovery says so.
        var changed: Set<String> = []
    }

    /// Resources that cannot be read in this time are left behind.
    private static let settlingTime: Duration = .seconds(30)
    /// The round of custom kinds that discovery does not show yet.
    private static let announced = -1

    private let client: KubeClient
    private let informers: InformerFactory
    private let kinds: CustomKinds
    private let interval: Duration
    private let logger: Logger
    private let state = Mutex(State())
    private let queue = WorkQueue<String>()
    private let absent = AbsentOwners()

    init(_ context: ControllerContext) {
        client = context.client("generic-garbage-collector")
        informers = context.informers
        kinds = CustomKinds(context.informers)
        interval = context.configuration.discoveryInterval
        logger = context.logger
    }

    /// What its queue has done until now.
    var statistics: QueueStatistics { queue.statistics }

    /// Works until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.followResources() }
            for _ in 0..<8 { group.addTask { await self.work() } }
        }
    }

    private func followResources() async {
        let (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        kinds.onChange { [weak self] name in
            guard let self else { return }
            let comes = kinds.isServed(name)
            state.withLock { state in
                state.changed.insert(name)
                if comes { state.settling.insert(Self.announced) }
            }
            changed.yield()
        }
        await withDiscardingTaskGroup { group in
            changed.yield()
            group.addTask {
                while (try? await Task.sleep(for: self.interval)) != nil { changed.yield() }
                changed.finish()
            }
            for await _ in changes {
                var backoff = Backoff(base: .milliseconds(10), limit: .seconds(5))
                let deadline = ContinuousClock.now + Self.settlingTime
                while await !self.lookAround({ round, added in
                    group.addTask { await self.takeUp(added, round) }
                    group.addTask {
                        guard (try? await Task.sleep(for: Self.settlingTime)) != nil else { return }
                        self.settle(round)
                    }
                }) {
                    guard (try? await Task.sleep(for: backoff.next())) != nil else { return }
                    if ContinuousClock.now > deadline { settle(Self.announced) }
                }
            }
        }
    }

    /// Asks the server what it has, and passes on what is new; false when it has to be asked again.
    private func lookAround(_ take: (_ round: Int, Set<KubeResource>) -> Void) async -> Bool {
        let changed = state.withLock { state in
            defer { state.changed = [] }
            return state.changed
        }
        do {
            let discovery = try await ResourceDiscovery(client: client)
            if let (round, added) = follow(discovery) { take(round, added) }
            let left = kinds.notShown(changed, in: discovery)
            let areShown = state.withLock { state in
                state.changed.formUnion(left)
                return state.changed.isEmpty
            }
            if areShown { settle(Self.announced) }
            return left.isEmpty
        } catch {
            if !Task.isCancelled { logger.debug("garbage collector: discovery failed: \(error)") }
            state.withLock { $0.changed.formUnion(changed) }
            return false
        }
    }

    /// Follows the resources that came and forgets those that went; returns those that came, as a round.
    private func follow(_ discovery: ResourceDiscovery) -> (round: Int, added: Set<KubeResource>)? {
        let wanted = Set(
            discovery.entries.filter { $0.verbs.isSuperset(of: ["list", "watch", "delete"]) }.map(\.resource)
                .filter { $0.plural != "events" })
        // A group that cannot be read now is not gone.
        let isWhole = discovery.failures.isEmpty
        let shown = Set(wanted.map(\.qualifiedName))
        let (round, added, removed) = state.withLock { state in
            let added = wanted.subtracting(state.followed)
            // Nor is a kind gone that has come back since the server was asked: others follow it again.
            let removed = state.followed.subtracting(wanted).filter {
                isWhole && (shown.contains($0.qualifiedName) || !kinds.isServed($0.qualifiedName))
            }
            state.followed = state.followed.union(added).subtracting(removed)
            let round = state.rounds
            if isWhole || round == 0 { state.discovery = discovery }
            if round == 0 || !added.isEmpty {
                state.settling.insert(round)
                state.rounds += 1
            }
            return (round, added, removed)
        }
        for resource in removed { forget(resource) }
        for resource in added {
            informers.informer(resource).onChange { [weak self] event in self?.take(event, resource) }
        }
        return round == 0 || !added.isEmpty ? (round, added) : nil
    }

    /// Waits until the objects of new resources are known.
    private func takeUp(_ resources: Set<KubeResource>, _ round: Int) async {
        for resource in resources { await informers.waitUntilSynced(resource) }
        if !Task.isCancelled { settle(round) }
    }

    /// A round has been read: after the last one all objects are looked at that depend on what came.
    private func settle(_ round: Int) {
        // Owners of resources that came with this round may have looked absent before.
        absent.removeAll()
        let pending = state.withLock { state -> [String]? in
            guard state.settling.remove(round) != nil else { return nil }
            return state.settling.isEmpty ? state.graph.pending : []
        }
        for uid in pending ?? [] { queue.add(uid) }
    }

    private func forget(_ resource: KubeResource) {
        informers.remove(resource)
        let attention = state.withLock { state in
            state.graph.uids(of: resource).reduce(into: Set<String>()) { $0.formUnion(state.graph.remove($1)) }
        }
        for uid in attention { queue.add(uid) }
    }

    private func take(_ event: InformerEvent, _ resource: KubeResource) {
        let attention = state.withLock { state in
            var attention: Set<String> = []
            switch event {
            case .added(let object):
                attention = state.graph.put(OwnerGraph.Node(object, resource: resource))
            case .updated(let old, let object):
                if old.uid != object.uid { attention = state.graph.remove(old.uid) }
                attention.formUnion(state.graph.put(OwnerGraph.Node(object, resource: resource)))
            case .deleted(let object):
                attention = state.graph.remove(object.uid)
            }
            return state.settling.isEmpty ? attention : []
        }
        for uid in attention { queue.add(uid) }
    }

    private func work() async {
        await withDiscardingTaskGroup { delays in
            while let uid = await queue.next() {
                do {
                    try await process(uid)
                    queue.succeeded(uid)
                } catch {
                    let wait = queue.failed(uid)
                    if !Task.isCancelled, (error as? StatusError)?.isConflict != true {
                        logger.warning("garbage collector: \(uid) failed, next try in \(wait): \(error)")
                    }
                    queue.retried()
                    delays.addTask { [queue] in
                        guard (try? await Task.sleep(for: wait)) != nil else { return }
                        queue.add(uid)
                    }
                }
                queue.done(uid)
            }
            delays.cancelAll()
        }
    }

    private func process(_ uid: String) async throws {
        // All that wait are looked at when the last round of new resources has been read.
        guard let node = state.withLock({ $0.settling.isEmpty ? $0.graph.node(uid) : nil }) else { return }
        if node.isOrphaning { return try await orphan(node) }
        if node.isDeletingForeground { return try await finishForeground(node) }
        guard !node.isDeleting, !node.owners.isEmpty else { return }
        guard let live = try await read(node) else { return }
        let verdict = try await judge(live)
        switch verdict {
        case .keep: return
        case .release(let gone):
            let rest = live.ownerReferences.filter { !gone.contains($0.uid) }
            _ = try await Ownership.write(rest, to: live, node.resource, client)
        case .delete(let isForeground):
            if isForeground { try await unblockCircle(live, node) }
            try await delete(node, live: live, isForeground: isForeground)
        }
    }

    /// Lets the owners of an object go before it, when one of its dependents waits too: else a circle of owners would
    /// wait for itself.
    private func unblockCircle(_ live: KubeObject, _ node: OwnerGraph.Node) async throws {
        let isCircle = state.withLock {
            $0.graph.dependents(of: node.uid).contains(where: \.isDeletingForeground)
        }
        guard isCircle, live.ownerReferences.contains(where: \.blockOwnerDeletion) else { return }
        let references = live.ownerReferences.map { reference in
            var reference = reference
            reference.blockOwnerDeletion = false
            return reference
        }
        _ = try await Ownership.write(references, to: live, node.resource, client)
    }

    private enum Verdict {
        case keep
        /// Remove these owners; others remain.
        case release(Set<String>)
        case delete(isForeground: Bool)
    }

    private func judge(_ live: KubeObject) async throws -> Verdict {
        var gone: Set<String> = []
        var waiting: Set<String> = []
        var hasSolid = false
        for owner in live.ownerReferences {
            switch try await state(of: owner, dependentIn: live.namespace) {
            case .present: hasSolid = true
            case .waiting: waiting.insert(owner.uid)
            case .absent: gone.insert(owner.uid)
            }
        }
        guard !gone.isEmpty || !waiting.isEmpty else { return .keep }
        if hasSolid { return .release(gone.union(waiting)) }
        let hasDependents = state.withLock { !$0.graph.dependents(of: live.uid).isEmpty }
        return .delete(isForeground: !waiting.isEmpty && hasDependents)
    }

    private enum OwnerState { case present, waiting, absent }

    private func state(of owner: OwnerReference, dependentIn namespace: String) async throws -> OwnerState {
        let scoped = AbsentOwners.Key(uid: owner.uid, namespace: namespace)
        if absent.contains(scoped) { return .absent }
        let resource = state.withLock {
            $0.discovery.resource(ownerVersion: owner.apiVersion, kind: owner.kind)
        }
        // An owner of a kind that the server does not know may be of one that is down.
        guard let resource else { return .present }
        guard !resource.isNamespaced || !namespace.isEmpty else { return .present }
        let key = ObjectKey(namespace: resource.isNamespaced ? namespace : "", name: owner.name)
        do {
            let live = try await client.get(resource, key)
            if live.uid == owner.uid {
                return live.isBeingDeleted && live.finalizers.contains(OwnerGraph.foreground) ? .waiting : .present
            }
        } catch let error as StatusError where error.isNotFound {
            // Gone, as is one that has been replaced by another of its name.
        }
        absent.insert(scoped)
        return .absent
    }

    private func read(_ node: OwnerGraph.Node) async throws -> KubeObject? {
        do {
            let live = try await client.get(node.resource, node.key)
            return live.uid == node.uid && !live.isBeingDeleted ? live : nil
        } catch let error as StatusError where error.isNotFound {
            return nil
        }
    }

    private func delete(_ node: OwnerGraph.Node, live: KubeObject, isForeground: Bool) async throws {
        let policy: String
        if live.finalizers.contains(OwnerGraph.orphan) {
            policy = "Orphan"
        } else if isForeground || live.finalizers.contains(OwnerGraph.foreground) {
            policy = "Foreground"
        } else {
            policy = "Background"
        }
        do {
            try await client.delete(node.resource, node.key, .init(propagationPolicy: policy, uid: node.uid))
        } catch let error as StatusError where error.isNotFound {
            return
        }
    }

    private func finishForeground(_ node: OwnerGraph.Node) async throws {
        let (blockers, dependents) = state.withLock {
            ($0.graph.blockers(of: node.uid), $0.graph.dependents(of: node.uid))
        }
        for dependent in dependents where !dependent.isDeleting { queue.add(dependent.uid) }
        if blockers.isEmpty { try await removeFinalizer(OwnerGraph.foreground, from: node) }
    }

    private func orphan(_ node: OwnerGraph.Node) async throws {
        for dependent in state.withLock({ $0.graph.dependents(of: node.uid) }) {
            do {
                let live = try await client.get(dependent.resource, dependent.key)
                guard live.uid == dependent.uid else { continue }
                let rest = live.ownerReferences.filter { $0.uid != node.uid }
                if rest.count < live.ownerReferences.count {
                    _ = try await Ownership.write(rest, to: live, dependent.resource, client)
                }
            } catch let error as StatusError where error.isNotFound {
                continue
            }
        }
        try await removeFinalizer(OwnerGraph.orphan, from: node)
    }

    private func removeFinalizer(_ finalizer: String, from node: OwnerGraph.Node) async throws {
        do {
            let live = try await client.get(node.resource, node.key)
            guard live.uid == node.uid, live.finalizers.contains(finalizer) else { return }
            let rest = live.finalizers.filter { $0 != finalizer }
            let metadata: [String: JSONValue] = [
                "finalizers": rest.isEmpty ? .null : JSONValue(rest),
                "resourceVersion": .string(live.resourceVersion),
            ]
            _ = try await client.patch(
                node.resource, node.key, .merge, .object(["metadata": .object(metadata)]))
        } catch let error as StatusError where error.isNotFound {
            return
        }
    }
}
