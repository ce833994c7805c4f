// SPDX-License-Identifier: Apache-2.0
package import Logging

/// A revisioned store of Kubernetes objects with watches: what etcd and the watch cache are upstream.
///
/// Every object is in memory, and durable in one SQLite file. Each accepted mutation gets a revision of its own, one
/// more than the last, also over restarts; the first is 2, so that an empty store has revision 1. Reads see committed
/// state only and never wait for the disk.
package final class KubeStore: Sendable {
    private let live: LiveState
    private let commits: CommitQueue

    /// Opens the store in a directory, which is created where it is missing and locked for this store alone.
    ///
    /// Throws `.locked`, `.unwritable`, `.storageFull`, `.newerFormat`, `.keyUnusable` or `.corrupt`. Reads the whole
    /// file.
    package convenience init(
        directory: String, configuration: StoreConfiguration = StoreConfiguration(), logger: Logger
    ) throws(StoreError) {
        let database = try ObjectDatabase(directory: directory, configuration: configuration)
        try self.init(database: database, configuration: configuration, logger: logger)
    }

    /// Makes an empty store that lives in memory only.
    package convenience init(
        inMemory configuration: StoreConfiguration = StoreConfiguration(), logger: Logger
    ) throws(StoreError) {
        let database = try ObjectDatabase(inMemory: configuration)
        try self.init(database: database, configuration: configuration, logger: logger)
    }

    private init(database: ObjectDatabase, configuration: StoreConfiguration, logger: Logger) throws(StoreError) {
        let (revision, objects) = try database.load()
        let resealed = try database.reseal(objects)
        if resealed > 0 { logger.info("objects were encrypted again", metadata: ["objects": "\(resealed)"]) }
        live = LiveState(objects: objects, revision: revision, configuration: configuration)
        commits = CommitQueue(database: database, live: live, configuration: configuration, logger: logger)
        logger.debug(
            "store opened",
            metadata: ["at": "\(database.location)", "revision": "\(revision)", "objects": "\(objects.count)"])
    }

    /// The newest durable revision.
    package var revision: Int64 { live.revision }

    /// How many watches are open.
    package var watcherCount: Int { live.watcherCount }

    /// The committed object of a key.
    package func get(_ key: StoreKey) -> StoredObject? { live.get(key) }

    /// How many objects a resource has, in a namespace or in all with nil; logarithmic.
    package func count(resource: String, namespace: String? = nil) -> Int {
        live.count(resource: resource, namespace: namespace)
    }

    /// How many objects there are, by resource.
    package var counts: [String: Int] { live.counts }

    /// The revision of the last change of any of some resources; 0 when none changed since the store was opened. What
    /// is derived from them is good as long as this is the same.
    package func lastChange(of resources: [String]) -> Int64 { live.lastChange(of: resources) }

    /// A page of a consistent snapshot, sorted by key.
    ///
    /// - Parameters:
    ///   - resource: the resource to list.
    ///   - namespace: the namespace; nil for all.
    ///   - limit: the most objects of the page; nil or 0 for all.
    ///   - after: the last key of the page before; nil for the first page.
    ///   - atRevision: the revision of the snapshot; nil for the newest.
    /// - Returns: the page, its revision, and how many objects follow.
    /// - Throws: `.compacted` when the revision is out of the window, `.futureRevision` when it is not reached.
    package func list(
        resource: String, namespace: String? = nil, limit: Int? = nil, after: StoreKey? = nil, atRevision: Int64? = nil
    ) throws(StoreError) -> StoreList {
        try live.list(resource: resource, namespace: namespace, limit: limit, after: after, atRevision: atRevision)
    }

    /// Makes a change; it is durable and visible to reads and watches when this returns.
    ///
    /// Once called it is carried out, also when the task is cancelled. Throws `.alreadyExists`, `.notFound`,
    /// `.conflict`, `.invalidKey`, `.objectTooLarge`, `.storageFull`, `.inputOutput` or `.closed`.
    @discardableResult
    package func commit(_ mutation: StoreMutation) async throws(StoreError) -> StoredObject {
        try await commits.commit(mutation)
    }

    /// Every change of a resource with a greater revision: first those of the window, then live ones.
    ///
    /// - Parameters:
    ///   - resource: the resource to watch.
    ///   - namespace: the namespace; nil for all.
    ///   - revision: the last revision that the watcher knows.
    ///   - bufferBytes: how many bytes of undelivered objects it may have; nil for the store's bound.
    /// - Returns: the registered watch; it holds events from now on, so read it or let go of it.
    /// - Throws: `.compacted` when the revision is out of the window, `.futureRevision` when it is not reached.
    package func watch(
        resource: String, namespace: String? = nil, after revision: Int64, bufferBytes: Int? = nil
    ) throws(StoreError) -> StoreWatch {
        try live.watch(resource: resource, namespace: namespace, after: revision, bufferBytes: bufferBytes)
    }

    /// Ends the watches of a resource after what has happened until now; new ones may begin.
    package func endWatches(resource: String) { live.endWatches(resource: resource) }

    /// Commits what waits, ends the watches, and closes the file. Reads still work; commits and watches fail.
    package func close() async { await commits.close() }
}
