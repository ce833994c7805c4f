// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import DeltaTables
import Foundation
import LakeEngine
import S3Client

/// `s3://BUCKET/PREFIX`, reached as AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION say.
struct BucketPlace {
    let bucket: String
    let prefix: String

    static func matches(_ text: String) -> Bool { text.hasPrefix("s3://") }

    init(_ text: String) throws {
        let parts = text.dropFirst(5).split(separator: "/", maxSplits: 1)
        guard Self.matches(text), let first = parts.first else {
            throw ValidationError("'\(text)' must be s3://BUCKET/PREFIX")
        }
        bucket = String(first)
        prefix = parts.count > 1 ? String(parts[1]) : ""
    }

    static func client() throws -> S3Client {
        do {
            return try S3Client(S3ClientConfiguration(environment: ProcessInfo.processInfo.environment))
        } catch {
            throw fail("\(error)")
        }
    }
}

/// A lake that a command works on: its tables, and what has to be closed after it.
struct OpenLake {
    let lake: DeltaLake
    /// DuckDB, allowed to read the lake.
    let database: LakeDatabase
    private let client: S3Client?

    /// Opens the tables below a folder or `s3://BUCKET/PREFIX`. Copies of a bucket's files are kept in a folder below
    /// `cache`, of `cacheBytes` at most.
    static func open(
        _ root: String, _ duckdb: DuckDBConfiguration = .init(), cache: String = NSTemporaryDirectory(),
        cacheBytes: Int64 = 4 << 30
    ) async throws -> OpenLake {
        var duckdb = duckdb
        do {
            guard BucketPlace.matches(root) else {
                let folder = absolute(root)
                var isFolder: ObjCBool = false
                guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
                    throw fail("there is no folder \(folder)")
                }
                duckdb.directories.append(folder + "/")
                let database = try await LakeDatabase.open(.duckdb, duckdb: duckdb)
                return OpenLake(
                    lake: DeltaLake(folder: folder, engine: DuckDBParquet(database)), database: database, client: nil)
            }
            let place = try BucketPlace(root)
            let files = try FileCache(in: cache, capacity: cacheBytes)
            duckdb.directories.append(files.folder + "/")
            let client = try BucketPlace.client()
            let database = try await LakeDatabase.open(.duckdb, duckdb: duckdb)
            let lake = DeltaLake(
                client, bucket: place.bucket, prefix: place.prefix, cache: files, engine: DuckDBParquet(database))
            return OpenLake(lake: lake, database: database, client: client)
        } catch let error as LakeError {
            throw fail(error.description)
        }
    }

    func close() async { try? await client?.shutdown() }
}
