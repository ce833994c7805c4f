// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// The committed state in memory: objects, event window and watchers.
///
/// One writer publishes; any number of threads read. `state` guards the data and is held for lookups and for moving
/// references, never while JSON is made. `delivery` is taken before it, by whoever appends to watch buffers, so that
/// a progress item can never overtake an event.
final class LiveState: Sendable {
    /// What a watcher watches.
    struct Scope: Hashable, Sendable {
        var resource: String
        /// nil is every namespace.
        var namespace: String?
    }

    /// A watcher's entry.
    struct Registration: Sendable {
        var scope: Scope
        var id: Int64
    }

    struct State: Sendable {
        var objects: [StoreKey: StoredObject]
        var tables: [String: ObjectTable]
        var window: EventWindow
        var revision: Int64
        /// The revision of each resource's last change since the start.
        var changes: [String: Int64] = [:]
        var watchers: [Scope: [Int64: WatchBuffer]] = [:]
        var nextWatcher: Int64 = 0
        var closed = false
    }

    private let state: Mutex<State>
    private let delivery = Mutex(())
    private let configuration: StoreConfiguration

    /// Takes the objects that were loaded, sorted by key.
    init(objects: [StoredObject], revision: Int64, configuration: StoreConfiguration) {
        self.configuration = configuration
        var byKey: [StoreKey: StoredObject] = [:]
        byKey.reserveCapacity(objects.count)
        var byResource: [String: [StoredObject]] = [:]
        for object in objects {
            byKey[object.key] = object
            byResource[object.key.resource, default: []].append(object)
        }
        let window = EventWindow(
            after: revision, maximumEvents: configuration.windowEvents, maximumCost: configuration.windowBytes)
        state = Mutex(
            State(
                objects: byKey, tables: byResource.mapValues { ObjectTable(sorted: $0) }, window: window,
                revision: revision))
    }

    var revision: Int64 { state.withLock { $0.revision } }

    func get(_ key: StoreKey) -> StoredObject? { state.withLock { $0.objects[key] } }

    func lastChange(of resources: [String]) -> Int64 {
        state.withLock { state in
            var newest: Int64 = 0
            for resource in resources { newest = max(newest, state.changes[resource] ?? 0) }
            return newest
        }
    }

    // MARK: Lists

    func count(resource: String, namespace: String?) -> Int {
        let table = state.withLock { $0.tables[resource] }
        guard let table else { return 0 }
        guard namespace != nil else { return table.count }
        let range = table.range(of: namespace)
        return table.distance(from: range.start, to: range.end)
    }

    var counts: [String: Int] { state.withLock { $0.tables.mapValues(\.count) } }

    func list(
        resource: String, namespace: String?, limit: Int?, after: StoreKey?, atRevision: Int64?
    ) throws(StoreError) -> StoreList {
        let (table, revision, compacted, chunks) = state.withLock { state in
            let wanted = atRevision ?? state.revision
            let chunks = wanted < state.revision ? state.window.chunks(after: wanted) : []
            return (state.tables[resource] ?? ObjectTable(), state.revision, state.window.compactedRevision, chunks)
        }
        let wanted = atRevision ?? revision
        guard wanted <= revision else { throw Self.future(wanted, current: revision) }
        let snapshot = Snapshot(table: table, resource: resource, namespace: namespace)
        guard wanted < revision else { return snapshot.page(limit: limit, after: after, revision: wanted) }
        guard wanted >= compacted else { throw Self.compacted(wanted, oldest: compacted) }
        let changes = Snapshot.changes(chunks, after: wanted, resource: resource, namespace: namespace)
        return snapshot.page(limit: limit, after: after, revision: wanted, changes: changes)
    }

    // MARK: Publishing

    /// Makes committed events visible to readers and watchers. Only the writer calls it.
    func publish(_ events: [StoreEvent]) {
        delivery.withLock { _ in
            let watchers = state.withLock { state in
                for event in events { Self.apply(event, to: &state) }
                return state.watchers
            }
            guard !watchers.isEmpty else { return }
            for (scope, batch) in Self.batches(of: events, for: watchers) {
                for (id, buffer) in watchers[scope] ?? [:] where !buffer.append(batch) {
                    unregister(Registration(scope: scope, id: id))
                }
            }
        }
    }

    private static func apply(_ event: StoreEvent, to state: inout State) {
        let object = event.object
        switch event.kind {
        case .added, .modified:
            state.objects[object.key] = object
            state.tables[object.key.resource, default: ObjectTable()].set(object)
        case .deleted:
            state.objects[object.key] = nil
            state.tables[object.key.resource]?.remove(object.key)
        }
        state.window.append(event)
        state.changes[object.key.resource] = event.revision
        state.revision = event.revision
    }

    private static func batches(
        of events: [StoreEvent], for watchers: [Scope: [Int64: WatchBuffer]]
    ) -> [Scope: WatchBuffer.Batch] {
        var batches: [Scope: WatchBuffer.Batch] = [:]
        for event in events {
            let key = event.object.key
            for namespace in [nil, key.namespace] as [String?] {
                let scope = Scope(resource: key.resource, namespace: namespace)
                guard watchers[scope] != nil else { continue }
                batches[scope, default: WatchBuffer.Batch(items: [], bytes: 0)].items.append(.event(event))
                batches[scope]?.bytes += event.object.bytes.count
            }
        }
        return batches
    }

    // MARK: Watches

    func watch(
        resource: String, namespace: String?, after revision: Int64, bufferBytes: Int?
    ) throws(StoreError) -> StoreWatch {
        let scope = Scope(resource: resource, namespace: namespace)
        let buffer = WatchBuffer(
            maximumEvents: configuration.watchBufferEvents,
            maximumBytes: bufferBytes ?? configuration.watchBufferBytes)
        // Registered and cut off from the window at one revision: nothing is missed and nothing comes twice.
        let registered = state.withLock { state -> Result<(Int64, ArraySlice<EventWindow.Chunk>), StoreError> in
            if state.closed { return .failure(Self.closed) }
            if revision > state.revision { return .failure(Self.future(revision, current: state.revision)) }
            let oldest = state.window.compactedRevision
            if revision < oldest { return .failure(Self.compacted(revision, oldest: oldest)) }
            let id = state.nextWatcher
            state.nextWatcher += 1
            state.watchers[scope, default: [:]][id] = buffer
            return .success((id, state.window.chunks(after: revision)))
        }
        let (id, chunks) = try registered.get()
        buffer.prepend(Self.replay(chunks, after: revision, scope: scope))
        return StoreWatch(buffer: buffer, registration: Registration(scope: scope, id: id), live: self)
    }

    private static func replay(
        _ chunks: ArraySlice<EventWindow.Chunk>, after revision: Int64, scope: Scope
    ) -> [WatchBuffer.Batch] {
        var items: [StoreWatchItem] = []
        for chunk in chunks {
            for event in chunk.events where event.revision > revision {
                let key = event.object.key
                guard key.resource == scope.resource else { continue }
                guard scope.namespace == nil || key.namespace == scope.namespace else { continue }
                items.append(.event(event))
            }
        }
        return items.isEmpty ? [] : [WatchBuffer.Batch(items: items, bytes: 0)]
    }

    func deliverProgress(to buffer: WatchBuffer) {
        delivery.withLock { _ in
            _ = buffer.append(WatchBuffer.Batch(items: [.progress(revision)], bytes: 0))
        }
    }

    func unregister(_ registration: Registration) {
        state.withLock { state in
            state.watchers[registration.scope]?[registration.id] = nil
            if state.watchers[registration.scope]?.isEmpty == true { state.watchers[registration.scope] = nil }
        }
    }

    /// How many watchers are registered.
    var watcherCount: Int { state.withLock { $0.watchers.values.reduce(0) { $0 + $1.count } } }

    /// Ends the watches of a resource after what is buffered.
    func endWatches(resource: String) {
        delivery.withLock { _ in
            let ended = state.withLock { state in
                let scopes = state.watchers.keys.filter { $0.resource == resource }
                return scopes.flatMap { scope in (state.watchers.removeValue(forKey: scope) ?? [:]).values }
            }
            for buffer in ended { buffer.finish() }
        }
    }

    /// Ends every watch; later ones fail with `.closed`.
    func close() {
        delivery.withLock { _ in
            let watchers = state.withLock { state in
                state.closed = true
                defer { state.watchers = [:] }
                return state.watchers
            }
            for buffer in watchers.values.flatMap(\.values) { buffer.finish() }
        }
    }

    // MARK: Errors

    static var closed: StoreError { StoreError(.closed, "the store is closed") }

    private static func future(_ revision: Int64, current: Int64) -> StoreError {
        StoreError(.futureRevision, "revision \(revision) is not reached yet, the newest is \(current)")
    }

    private static func compacted(_ revision: Int64, oldest: Int64) -> StoreError {
        StoreError(.compacted, "revision \(revision) is too old, the history begins at \(oldest): list again")
    }
}
