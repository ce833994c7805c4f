// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import KubeAPI
package import KubeClient
package import Logging
import Synchronization

/// A change that an informer saw.
package enum InformerEvent: Sendable {
    case added(KubeObject)
    case updated(old: KubeObject, new: KubeObject)
    case deleted(KubeObject)

    /// The newest state of the object concerned.
    package var object: KubeObject {
        switch self {
        case .added(let object), .updated(_, let object), .deleted(let object): object
        }
    }
}

/// Keeps a local copy of a collection by list and watch, and tells its handlers of each change.
///
/// A broken watch is resumed; an expired one (410) is replaced by a new list whose difference to the copy is told.
package final class Informer: Sendable {
    package typealias Handler = @Sendable (InformerEvent) -> Void

    fileprivate struct State {
        var objects: [ObjectKey: KubeObject] = [:]
        var handlers: [Handler] = []
        var isSynced = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    package let resource: KubeResource
    private let client: KubeClient
    private let namespace: String
    private let selection: KubeClient.Selection
    private let logger: Logger
    private let state = Mutex(State())
    /// Held while handlers are told, so that each is told of an object's states in their order.
    private let telling = Mutex(())

    /// - Parameters:
    ///   - resource: which collection.
    ///   - client: reads it.
    ///   - namespace: only what is in this one; empty for all.
    ///   - selection: only these.
    ///   - logger: told of watches that broke.
    package init(
        _ resource: KubeResource, client: KubeClient, namespace: String = "",
        selection: KubeClient.Selection = .init(), logger: Logger
    ) {
        self.resource = resource
        self.client = client
        self.namespace = namespace
        self.selection = selection
        self.logger = logger
    }

    /// Registers a handler; it is told of all objects known now, and then of each later change. Must return quickly, and
    /// must not register handlers of this informer.
    package func onChange(_ handler: @escaping Handler) {
        telling.withLock { _ in
            let known = state.withLock { state in
                state.handlers.append(handler)
                return Array(state.objects.values)
            }
            for object in known { handler(.added(object)) }
        }
    }

    /// The object of a key; nil when there is none (yet).
    package func get(_ key: ObjectKey) -> KubeObject? { state.withLock { $0.objects[key] } }

    /// All objects, or those of a namespace, that the selector matches; in no order.
    package func list(namespace: String = "", matching selector: LabelSelector = .everything) -> [KubeObject] {
        let all = state.withLock { Array($0.objects.values) }
        return all.filter { object in
            (namespace.isEmpty || object.namespace == namespace)
                && (selector.requirements.isEmpty || selector.matches(object.labels))
        }
    }

    package var isSynced: Bool { state.withLock { $0.isSynced } }

    /// Returns once the first list has been taken in.
    package func waitUntilSynced() async {
        await withCheckedContinuation { continuation in
            let isSynced = state.withLock { state in
                if !state.isSynced { state.waiters.append(continuation) }
                return state.isSynced
            }
            if isSynced { continuation.resume() }
        }
    }

    /// Lists and watches until cancelled. Waiters are released at cancellation too.
    package func run() async {
        defer { markSynced() }
        var backoff = Backoff()
        var version: String?
        while !Task.isCancelled {
            do {
                if version == nil { version = try await relist() }
                try await follow(&version) { backoff.reset() }
            } catch is CancellationError {
                return
            } catch let error as StatusError where error.isExpired {
                version = nil
            } catch {
                logger.debug("watch of \(resource.qualifiedName) broke: \(error)")
                try? await Task.sleep(for: backoff.next())
            }
        }
    }

    private func relist() async throws -> String {
        var fresh: [ObjectKey: KubeObject] = [:]
        var token = ""
        var version = ""
        repeat {
            let page = try await client.list(
                resource, namespace: namespace, selection: selection, limit: 500, continueToken: token)
            for object in page.items { fresh[object.key] = object }
            token = page.continueToken
            version = page.resourceVersion
        } while !token.isEmpty
        let objects = fresh
        tell { state in
            state.objects.values.filter { objects[$0.key]?.uid != $0.uid }.compactMap { state.remove($0) }
                + objects.values.compactMap { state.put($0) }
        }
        markSynced()
        return version
    }

    private func follow(_ version: inout String?, onStart: () -> Void) async throws {
        let events = try await client.watch(
            resource, namespace: namespace, selection: selection, resourceVersion: version ?? "0")
        onStart()
        for try await event in events {
            switch event {
            case .bookmark(let resourceVersion):
                version = resourceVersion
            case .added(let object), .modified(let object):
                version = object.resourceVersion
                tell { [$0.put(object)].compactMap { $0 } }
            case .deleted(let object):
                version = object.resourceVersion
                tell { [$0.remove(object)].compactMap { $0 } }
            }
        }
    }

    /// Changes the copy, then tells the handlers, who may read it.
    private func tell(_ change: (inout State) -> [InformerEvent]) {
        telling.withLock { _ in
            let (events, handlers) = state.withLock { state in (change(&state), state.handlers) }
            for event in events {
                for handler in handlers { handler(event) }
            }
        }
    }

    private func markSynced() {
        let waiters = state.withLock { state in
            state.isSynced = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

extension Informer.State {
    /// Takes in an object; nil when it is known at that version.
    fileprivate mutating func put(_ object: KubeObject) -> InformerEvent? {
        guard let old = objects.updateValue(object, forKey: object.key) else { return .added(object) }
        return old.resourceVersion == object.resourceVersion ? nil : .updated(old: old, new: object)
    }

    /// Drops an object; nil when it is not known.
    fileprivate mutating func remove(_ object: KubeObject) -> InformerEvent? {
        objects.removeValue(forKey: object.key) == nil ? nil : .deleted(object)
    }
}
