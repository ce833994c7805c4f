// SPDX-License-Identifier: Apache-2.0
import ArrowFormat
import Foundation
import Testing

@testable import LakeEngine

/// SQL from outside reaches only what the configuration names.
struct LockDownTests {
    private static func folder() throws -> String {
        let path = FileManager.default.temporaryDirectory.path + "/apus-lake-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    @Test func filesOutsideAndTheNetworkAreRefused() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let database = try await LakeDatabase.open(.duckdb, duckdb: .init(directories: [folder]))
        let connection = try await database.connect()
        let statements = [
            "SELECT * FROM read_csv('/etc/passwd', columns = {'line': 'VARCHAR'})",
            "SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM read_blob('/etc/passwd')",
            "SELECT * FROM '/etc/passwd.csv'", "SELECT * FROM glob('/etc/*')",
            "SELECT * FROM read_text('\(folder)/../../etc/passwd')",
            "SELECT * FROM read_csv('/dev/stdin')", "SELECT * FROM read_text('/proc/self/environ')",
            "SELECT * FROM read_json('http://127.0.0.1:1/x.json')",
            "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
            "COPY (SELECT 1) TO '/tmp/apus-lake-outside.csv'", "COPY (SELECT 1) TO '\(folder)/../outside.csv'",
            "ATTACH '/tmp/apus-lake-outside.db' AS other", "EXPORT DATABASE '/tmp/apus-lake-outside'",
            "INSTALL httpfs", "LOAD httpfs", "LOAD '\(folder)/evil.duckdb_extension'", "INSTALL spatial FROM community",
            "SET enable_external_access = true", "SET allowed_directories = ['/']", "RESET allowed_directories",
            "SET lock_configuration = false", "SET autoinstall_known_extensions = true",
            "SET GLOBAL allow_unsigned_extensions = true", "SET temp_directory = '/etc'", "PRAGMA enable_logging",
            "SET memory_limit = '100GB'", "CREATE PERSISTENT SECRET s (TYPE s3)",
            "SET VARIABLE x = (SELECT content FROM read_text('/etc/passwd'))",
            "CREATE VIEW v AS SELECT * FROM read_text('/etc/passwd')",
        ]
        for sql in statements {
            let error = await #expect(throws: LakeError.self, "\(sql)") { try await connection.execute(sql) }
            #expect(error?.message.contains("root:") == false)
        }
        #expect(!FileManager.default.fileExists(atPath: "/tmp/apus-lake-outside.csv"))
        #expect(!FileManager.default.fileExists(atPath: "/tmp/apus-lake-outside.db"))
        let error = await #expect(throws: LakeError.self) {
            try await connection.execute("SELECT * FROM read_text('/etc/passwd')")
        }
        #expect(error?.code == .unauthorized)
    }

    @Test func aFolderThatIsNamedIsReadAndWritten() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let database = try await LakeDatabase.open(.duckdb, duckdb: .init(directories: [folder]))
        let connection = try await database.connect()
        try await connection.execute(
            "COPY (SELECT i AS a, 'x' || i AS b FROM range(1000) t(i)) TO '\(folder)/a''b.parquet' (FORMAT parquet)")
        let rows = try await connection.query("SELECT count(*), max(a) FROM '\(folder)/a''b.parquet'").rows()
        #expect(rows == [[.int(1000), .int(999)]])
    }

    @Test func databasesInFilesAreOpenedAndLocked() async throws {
        let folder = try Self.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for round in 1...2 {
            // The engine of the round before ends on a thread of its own, and puts all into the file as its last.
            for _ in 0..<6000 where FileManager.default.fileExists(atPath: folder + "/lake.db.wal") {
                try await Task.sleep(for: .milliseconds(10))
            }
            let database = try await LakeDatabase.open(.duckdb, duckdb: .init(path: folder + "/lake.db"))
            let connection = try await database.connect()
            try await connection.execute("CREATE TABLE IF NOT EXISTS t (a INTEGER)")
            try await connection.execute("INSERT INTO t VALUES (\(round))")
            #expect(try await connection.query("SELECT count(*) FROM t").rows() == [[.int(Int64(round))]])
            await #expect(throws: LakeError.self) {
                try await connection.execute("SELECT * FROM read_text('/etc/passwd')")
            }
            await connection.close()
        }
    }

    @Test func theExtensionForS3ReachesOnlyWhatIsNamed() async throws {
        var configuration = DuckDBConfiguration(directories: ["s3://lake/"])
        configuration.extensions = ["httpfs"]
        configuration.setup = [
            "CREATE SECRET lake (TYPE s3, KEY_ID 'k', SECRET 's', ENDPOINT '127.0.0.1:1', USE_SSL false, URL_STYLE 'path')"
        ]
        let connection = try await LakeDatabase.open(.duckdb, duckdb: configuration).connect()
        for url in ["s3://other/x.parquet", "s3://lakes/x.parquet", "http://127.0.0.1:1/x.parquet", "/etc/passwd"] {
            let error = await #expect(throws: LakeError.self) {
                try await connection.execute("SELECT * FROM read_blob('\(url)')")
            }
            #expect(error?.code == .unauthorized, "\(url): \(String(describing: error))")
        }
        // What is named is tried: nobody listens there.
        let error = await #expect(throws: LakeError.self) {
            try await connection.execute("SELECT * FROM read_parquet('s3://lake/x.parquet')")
        }
        #expect(error?.code == .io, "\(String(describing: error))")
    }

    @Test func setupRunsBeforeTheLockAndItsFailureTellsNoSecret() async throws {
        var configuration = DuckDBConfiguration()
        configuration.setup = ["CREATE TABLE t AS SELECT 5 AS a"]
        let database = try await LakeDatabase.open(.duckdb, duckdb: configuration)
        #expect(try await database.connect().query("SELECT a FROM t").rows() == [[.int(5)]])
        configuration.setup = ["SET no_such_setting = 'hunter2'"]
        let error = await #expect(throws: LakeError.self) {
            try await LakeDatabase.open(.duckdb, duckdb: configuration)
        }
        #expect(error?.message.contains("hunter2") == false)
    }
}
