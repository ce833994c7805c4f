// SPDX-License-Identifier: Apache-2.0
import ApusCore
import IcebergProtocol
import Logging
import Synchronization

extension Catalog {
    /// How often a commit is tried that others overtake. Within this catalog they wait for each other: it is tables
    /// being dropped and renamed that overtake.
    private static let attempts = 20

    /// A table's next state, not yet written.
    struct Prepared: Sendable {
        var name: TableName
        /// What it follows on; nil for a new table.
        var base: LoadedTable?
        /// Nil where nothing changes.
        var next: TableMetadata?
        /// The number of the file that is written.
        var number: Int
    }

    /// Changes one table; the answer is how it is then.
    func commit(_ name: TableName, _ request: CommitRequest) async throws(IcebergError) -> LoadedTable {
        if let other = request.table, other != name {
            throw IcebergError(.badRequest, "identifier is \(other), and the path says \(name)")
        }
        let tables = try await commit([(name, request)])
        guard let table = tables.first else { throw CatalogChange.moved(name) }
        return table
    }

    /// Changes several tables: all of them, or none.
    func commit(_ requests: [(TableName, CommitRequest)]) async throws(IcebergError) -> [LoadedTable] {
        do throws(IcebergError) {
            let tables = try await locks.holding(requests.map(\.0)) { () async throws(IcebergError) in
                try await commitHolding(requests)
            }
            counts.add(commits: 1)
            return tables
        } catch {
            if error.code == .commitFailed { counts.add(conflicts: 1) }
            throw error
        }
    }

    private func commitHolding(_ requests: [(TableName, CommitRequest)]) async throws(IcebergError) -> [LoadedTable] {
        var attempt = 0
        while true {
            attempt += 1
            var prepared: [Prepared] = []
            for (name, request) in requests { prepared.append(try await prepare(name, request)) }
            do throws(IcebergError) {
                return try await publish(prepared)
            } catch {
                let isOvertaken = requests.contains { error == CatalogChange.moved($0.0) }
                guard isOvertaken, attempt < Self.attempts else { throw error }
            }
        }
    }

    private func prepare(_ name: TableName, _ request: CommitRequest) async throws(IcebergError) -> Prepared {
        let isThere = try store.state.entry(name) != nil
        if !isThere { try checkRoom() }
        let base = isThere ? try await load(name) : nil
        let file = base?.metadataLocation
        let next = try request.apply(to: base?.metadata, file: file, name: name.description, now: clock())
        if let next { try check(next, before: base?.metadata) }
        let number = file.map { (TableMetadata.fileNumber($0) ?? base?.metadata.metadataLog.count ?? 0) + 1 } ?? 0
        return Prepared(name: name, base: base, next: next, number: number)
    }

    /// Writes files of metadata and makes them the ones that count, all or none.
    func publish(_ prepared: [Prepared]) async throws(IcebergError) -> [LoadedTable] {
        var swaps: [CatalogChange.Swap] = []
        var tables: [LoadedTable] = []
        var written: [String] = []
        for change in prepared {
            let metadata: TableMetadata
            let location: String
            if let next = change.next {
                metadata = next
                let name = Warehouse.metadataName(number: change.number, uuid: RandomID.uuid())
                location = "\(next.metadataFolder)/\(name)"
                let bytes = next.json().encoded
                guard bytes.count <= configuration.maximumMetadataBytes else {
                    throw IcebergError(
                        .validation,
                        "\(change.name): its metadata would have \(bytes.count) bytes, at most "
                            + "\(configuration.maximumMetadataBytes) are kept: expire snapshots")
                }
                tables.append(LoadedTable(metadataLocation: location, metadata: next, bytes: bytes))
                written.append(location)
            } else if let base = change.base, let same = base.metadataLocation {
                metadata = base.metadata
                location = same
                tables.append(base)
            } else {
                throw CatalogChange.moved(change.name)
            }
            var swap = CatalogChange.Swap(
                table: change.name, expected: change.base?.metadataLocation, metadataLocation: location,
                uuid: metadata.uuid, location: Self.withoutSlash(metadata.location), files: [location])
            if metadata.deletesPrevious, let base = change.base {
                let kept = Set(metadata.metadataLog.map(\.file))
                swap.obsolete = base.metadata.metadataLog.map(\.file).filter { !kept.contains($0) }
            }
            swaps.append(swap)
        }
        let files = written
        unfinished.withLock { $0.formUnion(files) }
        defer { unfinished.withLock { $0.subtract(files) } }
        do throws(IcebergError) {
            for table in tables {
                guard let location = table.metadataLocation, files.contains(location) else { continue }
                try await storage.write(location, table.bytes)
            }
            try await store.commit(.swap(swaps))
        } catch {
            // What may count after all is left: it is an orphan at worst.
            if error.code != .commitStateUnknown, !files.isEmpty {
                do throws(IcebergError) { try await storage.delete(files) } catch {
                    logger.warning("files of a failed commit are left", metadata: ["error": "\(error)"])
                }
            }
            throw error
        }
        for table in tables { cache.put(table) }
        return tables
    }
}
