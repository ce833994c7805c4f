// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import CMalloc
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
        help: "Folder for copies of a bucket's files. (default: the system's for what is temporary)",
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
final class Lake: Sendable {
    /// The tables' names.
    let ratings, views, movies: LakeTableName
    let place: StoragePlace
    let tables: DeltaLake
    /// DuckDB, which reaches the tables' files and nothing else.
    let database: LakeDatabase
    private let client: S3Client?
    /// Where the writer of a bucket's tables has its files on their way.
    private let work: FolderStorage?

    /// Bytes of copies of a bucket's files.
    private static let copies: Int64 = 4 << 30
    /// Files that were on their way are deleted when they are older than this, in milliseconds.
    private static let workAge: Int64 = 60_000

    init(_ place: StoragePlace, cache: String?, memory: Int, logger: Logger) async throws {
        guard let ratings = LakeTableName(schema: nil, name: "ratings"),
            let views = LakeTableName(schema: nil, name: "views"),
            let movies = LakeTableName(schema: nil, name: "movies")
        else { throw CommandFailure("the tables have no names") }
        (self.ratings, self.views, self.movies) = (ratings, views, movies)
        self.place = place
        do {
            var configuration = DuckDBConfiguration()
            configuration.memoryLimit = memory
            configuration.threads = 2
            switch place {
            case .folder(let path):
                try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
                configuration.directories = [path.hasSuffix("/") ? path : path + "/"]
                database = try await LakeDatabase.open(.duckdb, duckdb: configuration)
                tables = DeltaLake(folder: path, engine: DuckDBParquet(database))
                (client, work) = (nil, nil)
            case .bucket(let bucket, let prefix):
                let files = try FileCache(
                    in: cache ?? FileManager.default.temporaryDirectory.path, capacity: Self.copies)
                configuration.directories = [files.folder + "/"]
                database = try await LakeDatabase.open(.duckdb, duckdb: configuration)
                let client = try S3Client.ofEnvironment(logger)
                tables = DeltaLake(
                    client, bucket: bucket, prefix: prefix, cache: files, engine: DuckDBParquet(database))
                self.client = client
                work = FolderStorage(files.folder + "/work")
            }
        } catch {
            throw CommandFailure("the tables of \(place) cannot be opened: \(error)")
        }
    }

    /// Makes the bucket where it is not there; a folder is there already.
    func prepare() async throws {
        if case .bucket(let bucket, _) = place { try await client?.ensureBucket(bucket) }
    }

    /// Gives memory that a large statement needed back to the system; takes milliseconds.
    static func giveMemoryBack() { malloc_trim(0) }

    /// Deletes what writing has left behind on this machine: it is in the bucket.
    func sweep() async throws(DeltaError) {
        guard let work else { return }
        let oldest = Int64(Date().timeIntervalSince1970 * 1000) - Self.workAge
        try await work.delete(try await work.list("", after: nil).filter { $0.modified < oldest }.map(\.path))
    }

    /// Lets the connections go.
    func close() async { try? await client?.shutdown() }
}
