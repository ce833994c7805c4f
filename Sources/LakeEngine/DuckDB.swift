// SPDX-License-Identifier: Apache-2.0
import Foundation

/// How DuckDB is opened in this process. Whatever is not named here, SQL cannot reach: no file, no network, no other
/// extension, and no setting can be changed afterwards.
package struct DuckDBConfiguration: Sendable {
    /// The database's file; nil: in memory.
    package var path: String?
    /// Folders (and prefixes such as `s3://bucket/`) that SQL may read and write. Links inside a folder are followed:
    /// SQL cannot make any, and whoever else can has the host's files already.
    package var directories: [String] = []
    /// Single files (and pipes) that SQL may read and write.
    package var files: [String] = []
    /// Extensions to load, by the path of their file; `httpfs` is one that is beside the library.
    package var extensions: [String] = []
    /// Statements run before the lock-down: secrets, settings, views.
    package var setup: [String] = []
    /// Bytes of memory; beyond it a statement fails, or spills where there is a folder to spill to.
    package var memoryLimit: Int = 1 << 30
    /// Where to spill; nil: nowhere.
    package var temporaryDirectory: String?
    /// Worker threads; nil: as many as cores.
    package var threads: Int?

    package init(path: String? = nil, directories: [String] = []) {
        self.path = path
        self.directories = directories
    }

    /// The statements that configure and then lock the database, in order.
    var statements: [String] {
        var list = [
            "SET autoinstall_known_extensions = false",
            "SET autoload_known_extensions = false",
            "SET GLOBAL TimeZone = 'UTC'",
            "SET GLOBAL memory_limit = '\(memoryLimit)B'",
            "SET GLOBAL temp_directory = \(DuckDB.quoted(temporaryDirectory ?? ""))",
        ]
        if let threads { list.append("SET GLOBAL threads = \(threads)") }
        list += extensions.map { "LOAD \(DuckDB.quoted(DuckDB.extensionPath($0)))" }
        list += setup
        // Spilling is the engine's own and needs no leave.
        list.append("SET GLOBAL allowed_directories = [\(directories.map(DuckDB.quoted).joined(separator: ", "))]")
        if !files.isEmpty {
            list.append("SET GLOBAL allowed_paths = [\(files.map(DuckDB.quoted).joined(separator: ", "))]")
        }
        list.append("SET GLOBAL enable_external_access = false")
        list.append("SET GLOBAL lock_configuration = true")
        return list
    }
}

/// Where DuckDB's library is, and how its SQL is quoted.
package enum DuckDB {
    package static let version = "1.5.5"

    /// A string literal.
    package static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    }

    /// An identifier.
    package static func identifier(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    /// The folder with `libduckdb.so`: `APUS_DUCKDB`; a folder `duckdb` beside the binary; `.cache/duckdb` in the
    /// working directory or above the binary (a checkout).
    static func folder() throws(LakeError) -> String {
        var candidates: [String] = []
        if let named = ProcessInfo.processInfo.environment["APUS_DUCKDB"], !named.isEmpty {
            candidates = [named]
        } else {
            let manager = FileManager.default
            let binary = (try? manager.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
            var folder = (binary as NSString).deletingLastPathComponent
            candidates.append(folder + "/duckdb")
            candidates.append(manager.currentDirectoryPath + "/.cache/duckdb")
            while folder.count > 1 {
                candidates.append(folder + "/.cache/duckdb")
                folder = (folder as NSString).deletingLastPathComponent
            }
        }
        for candidate in candidates where access(candidate + "/libduckdb.so", R_OK) == 0 { return candidate }
        throw LakeError(
            .driver,
            "DuckDB's library is not installed: no libduckdb.so in \(candidates.prefix(3).joined(separator: ", ")); run scripts/fetch-duckdb, or name its folder in APUS_DUCKDB"
        )
    }

    /// The file of an extension that is beside the library; a path stays as it is.
    static func extensionPath(_ name: String) -> String {
        if name.contains("/") { return name }
        return ((try? folder()) ?? "") + "/\(name).duckdb_extension"
    }

    /// The library, its entry point, and what has to be loaded before it.
    static func library() throws(LakeError) -> (path: String, entryPoint: String, before: [String]) {
        let folder = try folder()
        let stub = folder + "/libpython-stub.so"
        return (folder + "/libduckdb.so", "duckdb_adbc_init", access(stub, R_OK) == 0 ? [stub] : [])
    }

    private static func driver() throws(LakeError) -> ADBCDriver {
        let library = try library()
        return try ADBCDriver.load(path: library.path, entryPoint: library.entryPoint, before: library.before)
    }

    /// Opens, configures and locks; blocks.
    static func open(_ configuration: DuckDBConfiguration, options: [String: String]) throws(LakeError) -> ADBCDatabase
    {
        var all = options
        if let path = configuration.path { all["path"] = path }
        let database = try ADBCDatabase(driver(), options: all)
        let session = try database.connect()
        defer { session.close() }
        try session.run(configuration.statements)
        return database
    }
}

extension LakeSession {
    /// Runs statements that set an engine up.
    func run(_ statements: [String]) throws(LakeError) {
        for sql in statements {
            do {
                _ = try execute(LakeStatement(sql: sql))
                while try next() != nil {}
                finish()
            } catch {
                // Secrets may stand in the statement: only its first words are told.
                throw LakeError(
                    error.code,
                    "opening the engine: '\(sql.split(separator: " ").prefix(3).joined(separator: " ")) …': "
                        + error.message, sqlState: error.sqlState, vendorCode: error.vendorCode)
            }
        }
    }
}
