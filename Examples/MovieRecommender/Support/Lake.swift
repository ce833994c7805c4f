// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import DeltaProtocol
import DeltaTables
import FoundationEssentials
import LakeEngine
import Logging
import S3Client

/// Where the tables are; shared by `tables` and `features`.
struct LakeOptions: ParsableArguments {
    @Option(
        help: """
            Folder of the tables, or s3://BUCKET[/PREFIX]; then AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and \
            AWS_SECRET_ACCESS_KEY say how to reach it.
            """, transform: { try StoragePlace($0) })
    var lake = StoragePlace.folder("./lake")

    @Option(
        help: "Folder for copies of a bucket's files. (default: one of the system's for this run)",
        transform: VolumeFolder.resolve)
    var cache: String?

    @Option(help: "MiB of memory for SQL.")
    var sqlMemory = 256

    func open(_ logger: Logger) async throws -> Lake {
        guard (32...1 << 20).contains(sqlMemory) else { throw ValidationError("--sql-memory is out of range") }
        return try await Lake(lake, cache: cache, memory: sqlMemory << 20, logger: logger)
    }
}

/// The tables of events, in a folder or a bucket, and the engine that reads and writes their rows.
struct Lake: Sendable {
    static let ratings = "ratings"
    static let views = "views"
    static let movies = "movies"

    let place: StoragePlace
    /// DuckDB, which reaches the tables' files and nothing else.
    let database: LakeDatabase
    private let engine: DuckDBParquet
    private let client: S3Client?
    /// Where copies of a bucket's files are, and whether the folder is only of this run.
    private let cache: (path: String, isOwn: Bool)?

    /// Copies that no version in use needs are deleted when they are older than this.
    private static let copyAge: Int64 = 600_000

    init(_ place: StoragePlace, cache: String?, memory: Int, logger: Logger) async throws {
        self.place = place
        let folder: String
        switch place {
        case .folder(let path):
            folder = path
            self.cache = nil
            client = nil
        case .bucket:
            folder = cache ?? "\(FileManager.default.temporaryDirectory.path)/movies-lake-\(UUID().uuidString)"
            self.cache = (folder, cache == nil)
            client = try ObjectStoreEnvironment.client(logger)
        }
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            var configuration = DuckDBConfiguration(directories: [folder.hasSuffix("/") ? folder : folder + "/"])
            configuration.memoryLimit = memory
            configuration.threads = 2
            database = try await LakeDatabase.open(.duckdb, duckdb: configuration)
        } catch {
            throw CommandFailure("the tables of \(place) cannot be opened: \(error)")
        }
        engine = DuckDBParquet(database)
    }

    /// A table; it need not be there.
    func table(_ name: String) -> DeltaTable {
        let storage: any DeltaStorage =
            switch (place.appending(name), client, cache) {
            case (.bucket(let bucket, let prefix), let client?, let cache?):
                S3Storage(client, bucket: bucket, prefix: prefix, cache: "\(cache.path)/\(name)")
            case (let place, _, _): FolderStorage("\(place)")
            }
        return DeltaTable(storage: storage, engine: engine)
    }

    /// Makes the bucket where it is not there; a folder is there already.
    func prepare() async throws {
        if case .bucket(let bucket, _) = place { try await client?.ensureBucket(bucket) }
    }

    /// Deletes copies of files that have left a table.
    func dropCopies(of name: String, notIn snapshot: DeltaSnapshot) async throws {
        guard let cache else { return }
        let copies = FolderStorage("\(cache.path)/\(name)")
        let used = Set(snapshot.files.values.map(\.location))
        let oldest = Int64(Date().timeIntervalSince1970 * 1000) - Self.copyAge
        let unused = try await copies.list("", after: nil).filter { !used.contains($0.path) && $0.modified < oldest }
        try await copies.delete(unused.map(\.path))
    }

    /// Lets the connections go.
    func close() async {
        try? await client?.shutdown()
        if let cache, cache.isOwn { try? FileManager.default.removeItem(atPath: cache.path) }
    }
}
