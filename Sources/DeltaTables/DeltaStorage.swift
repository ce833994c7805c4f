// SPDX-License-Identifier: Apache-2.0
package import DeltaProtocol

/// Where a table's files are: a folder, or a bucket's prefix. Paths are from the table's root, `/` between parts,
/// not escaped. Whatever a call has acknowledged is durable.
package protocol DeltaStorage: Sendable {
    /// For messages and logs; no secrets.
    var location: String { get }
    /// Every file whose path starts with `prefix` and is greater than `after`, by path.
    func list(_ prefix: String, after: String?) async throws(DeltaError) -> [DeltaRetention.StoredFile]
    /// The bytes of a file; nil when there is none.
    /// - Throws: `tooLarge` for more than `maximum` bytes.
    func read(_ path: String, maximum: Int) async throws(DeltaError) -> [UInt8]?
    /// Creates a file with all of its bytes, or not at all; false when there is one of that name.
    func putIfAbsent(_ path: String, _ bytes: [UInt8]) async throws(DeltaError) -> Bool
    /// Creates or replaces a file, all at once.
    func put(_ path: String, _ bytes: [UInt8]) async throws(DeltaError)
    /// Files that are not there are no error.
    func delete(_ paths: [String]) async throws(DeltaError)
    /// A path on this machine that the engine can read the file at. Data files never change, so a copy may be old.
    func local(_ path: String) async throws(DeltaError) -> String
    /// A path on this machine for one reading of a file that another table of the same place may have under the same
    /// name; `discard` ends it.
    func copy(_ path: String) async throws(DeltaError) -> String
    func discard(copy: String) async
    /// A path on this machine that the engine can write a file to, for `publish`; its folder is there.
    func target(_ path: String) async throws(DeltaError) -> String
    /// Makes a file that the engine has written at `target(from)` durable as `path`; its size and time.
    func publish(_ from: String, as path: String) async throws(DeltaError) -> DeltaRetention.StoredFile
}

extension DeltaStorage {
    package func copy(_ path: String) async throws(DeltaError) -> String { try await local(path) }
    package func discard(copy: String) async {}
}

/// What runs SQL over files: DuckDB's dialect, with `read_parquet`, `read_json` and `COPY`.
package protocol DeltaParquet: Sendable {
    /// Runs one statement. Every column that the statements here select is text.
    /// - Throws: `engine` with the engine's message.
    func texts(_ sql: String) async throws(DeltaError) -> [[String?]]
    /// The actions of a checkpoint's Parquet file at a path on this machine, in order; `path` is its name in the table.
    /// - Throws: `engine`; `corruptLog` for columns and values that no checkpoint has.
    func checkpoint(_ path: String, local: String) async throws(DeltaError) -> [DeltaAction]
}
