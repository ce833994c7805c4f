// SPDX-License-Identifier: Apache-2.0
import ApusCore
package import DeltaProtocol
package import S3Client
import S3Protocol
import Synchronization

/// Delta tables that have names: the folders with a log in a root, and in the folders of the root (`schema.table`).
///
/// A table has no entry anywhere: it is there when its log is. Tables that were read stay known, so that the next
/// reading looks only at what came to their logs.
package final class DeltaLake: Sendable {
    private enum Root: Sendable {
        case folder(String)
        case bucket(S3Client, bucket: String, prefix: String, cache: FileCache)
    }

    private let root: Root
    private let engine: any DeltaParquet
    /// Tables by path, and when they were used last.
    private let known = Mutex<(tables: [String: (table: DeltaTable, lastUse: UInt64)], next: UInt64)>(([:], 0))
    private static let maximumKnown = 256
    /// Folders that are looked at for a listing.
    private static let maximumFolders = 10_000
    /// Files that are fetched at a time.
    private static let fetchWidth = 4

    /// A folder of this machine; `engine` reads checkpoints, and must be allowed to read the folder.
    package init(folder: String, engine: any DeltaParquet) {
        root = .folder(FolderStorage(folder).root)
        self.engine = engine
    }

    /// A prefix of a bucket; `engine` must be allowed to read the cache's folder.
    package init(_ client: S3Client, bucket: String, prefix: String, cache: FileCache, engine: any DeltaParquet) {
        let prefix = prefix.split(separator: "/").joined(separator: "/")
        root = .bucket(client, bucket: bucket, prefix: prefix.isEmpty ? "" : prefix + "/", cache: cache)
        self.engine = engine
    }

    /// The folders that an engine must be allowed to read, so that it can read the tables' files.
    package var directories: [String] {
        switch root {
        case .folder(let folder): [folder + "/"]
        case .bucket(_, _, _, let cache): [cache.folder + "/"]
        }
    }

    /// For messages.
    package var location: String {
        switch root {
        case .folder(let folder): folder
        case .bucket(_, let bucket, let prefix, _): "s3://\(bucket)/\(prefix)"
        }
    }

    // MARK: Names

    /// All tables, by name.
    package func tables() async throws(DeltaError) -> [LakeTableName] {
        guard try await !isTable("") else {
            throw DeltaError(.invalidArgument, "\(location) is a table itself: name the folder that it is in")
        }
        var found: [LakeTableName] = []
        var looked = 0
        for name in try await folders(in: "") {
            guard let table = LakeTableName(schema: nil, name: name), table.moment == .latest else { continue }
            looked += 1
            if try await isTable(name) {
                found.append(table)
                continue
            }
            for inner in try await folders(in: name) {
                guard let table = LakeTableName(schema: name, name: inner), table.moment == .latest else { continue }
                looked += 1
                if try await isTable(table.path) { found.append(table) }
            }
            guard looked <= Self.maximumFolders else {
                throw DeltaError(
                    .tooLarge, "\(location) has over \(Self.maximumFolders) folders: name one further down")
            }
        }
        return found.sorted { $0.path < $1.path }
    }

    /// The tables that names mean: exactly, else the only one that differs in capital letters. `exact` names are not
    /// looked for in the second way, which lists the lake.
    package func find(
        _ names: Set<LakeTableName>, exact: Set<LakeTableName> = []
    ) async throws(DeltaError) -> [LakeTableName: LakeTableName] {
        var found: [LakeTableName: LakeTableName] = [:]
        var missing = names
        // Many names are the words of a statement: a listing costs less.
        if names.count <= 16 {
            for name in names where try await isTable(name.path) {
                found[name] = name
                missing.remove(name)
            }
            missing.subtract(exact)
        }
        guard !missing.isEmpty else { return found }
        let tables = Dictionary(grouping: try await tables()) { $0.path.lowercased() }
        for name in missing {
            let similar = tables[name.path.lowercased()] ?? []
            let suffix = name.alias.dropFirst(name.table.count)
            guard let table = similar.first(where: { $0.path == name.path }) ?? (similar.count == 1 ? similar[0] : nil)
            else { continue }
            found[name] = LakeTableName(schema: table.schema, name: table.table + suffix)
        }
        return found
    }

    private func isTable(_ path: String) async throws(DeltaError) -> Bool {
        switch root {
        case .folder(let folder):
            let log = path.isEmpty ? DeltaLogName.folder : "\(path)/\(DeltaLogName.folder)"
            return try await FolderStorage(folder).hasFolder(log)
        case .bucket(let client, let bucket, let prefix, _):
            return try await calling { () async throws(S3Error) in
                let page = try await client.listPage(
                    bucket: bucket, prefix: prefix + (path.isEmpty ? "" : path + "/") + "\(DeltaLogName.folder)/",
                    maximum: 1)
                return !page.objects.isEmpty
            }
        }
    }

    private func folders(in path: String) async throws(DeltaError) -> [String] {
        switch root {
        case .folder(let folder):
            return try await FolderStorage(path.isEmpty ? folder : "\(folder)/\(path)").folders()
        case .bucket(let client, let bucket, let prefix, _):
            let whole = path.isEmpty ? prefix : "\(prefix)\(path)/"
            return try await calling { () async throws(S3Error) in
                var names: [String] = []
                for try await element in client.list(bucket: bucket, prefix: whole, delimiter: "/") {
                    if case .prefix(let key) = element { names.append(String(key.dropFirst(whole.count).dropLast())) }
                    if names.count > Self.maximumFolders { break }
                }
                return names
            }
        }
    }

    private func calling<T>(_ work: () async throws(S3Error) -> T) async throws(DeltaError) -> T {
        do throws(S3Error) {
            return try await work()
        } catch {
            throw DeltaError(.storage, "\(location): cannot be listed: \(error)")
        }
    }

    // MARK: Tables

    /// A table by its name; whether it is there shows when it is read.
    package func table(_ name: LakeTableName) -> DeltaTable {
        known.withLock { known in
            known.next += 1
            let path = name.path
            if let entry = known.tables[path] {
                known.tables[path]?.lastUse = known.next
                return entry.table
            }
            if known.tables.count >= Self.maximumKnown,
                let oldest = known.tables.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                known.tables[oldest.key] = nil
            }
            let table = DeltaTable(storage: storage(path), engine: engine)
            known.tables[path] = (table, known.next)
            return table
        }
    }

    private func storage(_ path: String) -> any DeltaStorage {
        switch root {
        case .folder(let folder): return FolderStorage("\(folder)/\(path)")
        case .bucket(let client, let bucket, let prefix, let cache):
            return S3Storage(client, bucket: bucket, prefix: prefix + path, cache: cache.folder + "/work")
        }
    }

    /// A state of a table.
    package func snapshot(_ name: LakeTableName) async throws(DeltaError) -> DeltaSnapshot {
        let table = table(name)
        switch name.moment {
        case .latest: return try await table.snapshot()
        case .version(let version): return try await table.snapshot(at: version)
        case .time(let time): return try await table.snapshot(atTime: time)
        }
    }

    /// Holds the files that a statement reads; nil where they are no copies.
    package func lease() -> FileCache.Lease? {
        if case .bucket(_, _, _, let cache) = root { cache.lease() } else { nil }
    }

    /// A query for the rows of a state, in DuckDB's dialect; its files stay for as long as the lease.
    package func query(
        _ name: LakeTableName, _ snapshot: DeltaSnapshot, _ lease: FileCache.Lease?
    ) async throws(DeltaError) -> String {
        let table = table(name)
        guard case .bucket(_, _, _, let cache) = root, let lease, let storage = table.storage as? S3Storage else {
            return try await table.query(snapshot)
        }
        let files = snapshot.sortedFiles
        var sources: [DeltaRelation.Source] = []
        sources.reserveCapacity(files.count)
        for start in stride(from: 0, to: files.count, by: Self.fetchWidth) {
            let part = Array(files[start..<min(start + Self.fetchWidth, files.count)])
            let results = await withTaskGroup(of: (Int, Result<DeltaRelation.Source, DeltaError>).self) { group in
                for (index, file) in part.enumerated() {
                    group.addTask { (index, await Self.source(file, table, storage, cache, lease)) }
                }
                var results: [Int: Result<DeltaRelation.Source, DeltaError>] = [:]
                for await (index, result) in group { results[index] = result }
                return results
            }
            for index in part.indices { if let result = results[index] { sources.append(try result.get()) } }
        }
        return try DeltaRelation(snapshot).sql(sources)
    }

    private static func source(
        _ file: DeltaAddFile, _ table: DeltaTable, _ storage: S3Storage, _ cache: FileCache, _ lease: FileCache.Lease
    ) async -> Result<DeltaRelation.Source, DeltaError> {
        do throws(DeltaError) {
            let path = try DeltaPath.inside(file.path)
            // Names of data files are made by chance; size and time tell one from that of a table made again.
            let key = "\(storage.location)\0\(path)\0\(file.size)\0\(file.modificationTime)"
            let local = try await cache.file(key, size: file.size, for: lease) { (place) async throws(DeltaError) in
                try await storage.fetch(path, to: place, size: file.size)
            }
            return .success(DeltaRelation.Source(file: file, local: local, deleted: try await table.deleted(file)))
        } catch {
            return .failure(error)
        }
    }
}
