// SPDX-License-Identifier: Apache-2.0
package import IcebergProtocol
import Logging
import ServiceLifecycle
import Synchronization

/// Deletes what nobody needs any more: files of purged tables, files of metadata that a table's log no longer has, and
/// files of metadata that no commit came to refer to.
package struct CatalogHousekeeping: Service {
    /// Files that are looked at in one table's folder.
    private static let listLimit = 1_000_000
    /// Files that are deleted at a time.
    private static let batch = 1000
    private let catalog: Catalog

    package init(_ catalog: Catalog) { self.catalog = catalog }

    /// Runs until it is cancelled or the service ends.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    await every(catalog.configuration.trashInterval) { () async throws(IcebergError) in
                        try await emptyTrash()
                    }
                }
                group.addTask {
                    await every(catalog.configuration.orphanInterval) { () async throws(IcebergError) in
                        try await collectOrphans()
                    }
                }
            }
        }
    }

    private func every(_ interval: Duration, _ work: () async throws(IcebergError) -> Void) async {
        while !Task.isCancelled {
            do throws(IcebergError) {
                try await work()
            } catch {
                if !Task.isCancelled {
                    catalog.logger.warning(
                        "files could not be deleted; tried again later", metadata: ["error": "\(error)"])
                }
            }
            try? await Task.sleep(for: interval)
        }
    }

    /// Deletes what is in the trash.
    package func emptyTrash() async throws(IcebergError) {
        while !Task.isCancelled {
            let trash = try await catalog.store.read { database throws(IcebergError) in
                try database.trash(limit: Self.batch)
            }
            if trash.isEmpty { return }
            let files = trash.filter { !$0.location.hasSuffix("/") }
            if !files.isEmpty {
                try await catalog.storage.delete(files.map(\.location))
                try await catalog.store.commit(.emptied(files.map(\.id)))
                catalog.counts.add(deleted: files.count)
            }
            for folder in trash where folder.location.hasSuffix("/") {
                let count = try await purge(String(folder.location.dropLast()))
                try await catalog.store.commit(.emptied([folder.id]))
                catalog.counts.add(deleted: count)
                catalog.logger.info(
                    "a table was purged", metadata: ["location": "\(folder.location)", "files": "\(count)"])
            }
        }
    }

    /// Deletes all files of a place; how many they were.
    private func purge(_ location: String) async throws(IcebergError) -> Int {
        var count = 0
        while true {
            let files = try await catalog.storage.list(location, limit: Self.batch)
            if files.isEmpty { return count }
            try await catalog.storage.delete(files.map(\.location))
            count += files.count
        }
    }

    /// In a folder a file has another name while it is written.
    private static func finalName(_ location: String) -> String {
        location.hasSuffix(".tmp") ? String(location.dropLast(4)) : location
    }

    /// Deletes files of metadata that this catalog wrote and that no commit made count: those of commits that failed
    /// or were killed. They are in the folder of a table, have the catalog's kind of name, are older than
    /// `orphanAge`, and are neither on record nor about to be.
    package func collectOrphans() async throws(IcebergError) {
        let (seconds, attoseconds) = catalog.configuration.orphanAge.components
        let oldest = catalog.clock() - seconds * 1000 - attoseconds / 1_000_000_000_000_000
        for entry in catalog.store.state.entries {
            if Task.isCancelled { return }
            guard let table = try await catalog.file(entry.metadataLocation) else { continue }
            let files = try await catalog.storage.list(table.metadata.metadataFolder, limit: Self.listLimit)
            let candidates = files.filter {
                $0.modified < oldest && Warehouse.isOwnMetadata(Self.finalName($0.location))
            }.map(\.location)
            if candidates.isEmpty { continue }
            // In this order: what a commit is about to make count is in one of the two.
            let unfinished = catalog.unfinished.withLock { $0 }
            let known = try await catalog.store.read { database throws(IcebergError) in
                try database.files(of: entry.id)
            }
            // Nothing is on record of a table that was dropped in the meantime, and its files are not ours to delete.
            guard catalog.store.state.entries.contains(where: { $0.id == entry.id }) else { continue }
            let orphans = candidates.filter {
                !known.contains($0) && !unfinished.contains(Self.finalName($0)) && $0 != entry.metadataLocation
            }
            for start in stride(from: 0, to: orphans.count, by: Self.batch) {
                let group = Array(orphans[start..<min(start + Self.batch, orphans.count)])
                try await catalog.storage.delete(group)
                catalog.counts.add(deleted: group.count)
                catalog.logger.info(
                    "orphaned files of metadata were deleted",
                    metadata: ["location": "\(entry.location)", "files": "\(group.count)"])
            }
        }
    }
}
