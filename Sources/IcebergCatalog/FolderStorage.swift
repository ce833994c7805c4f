// SPDX-License-Identifier: Apache-2.0
import DataFolders
import Foundation
package import IcebergProtocol

/// A warehouse in a folder of this machine.
package struct FolderStorage: WarehouseStorage {
    package let warehouse: Warehouse
    private let pool = WorkPool(label: "apus.catalog.files")
    /// How often a file is written whose folder goes meanwhile, as it was empty.
    private static let attempts = 20

    /// - Throws: where the warehouse is no folder.
    package init(_ warehouse: Warehouse) throws(IcebergError) {
        guard warehouse.bucket == nil else { throw IcebergError(.badRequest, "\(warehouse.root) is no folder") }
        self.warehouse = warehouse
    }

    /// Runs what blocks on a thread that may.
    private func run<T: Sendable>(
        _ work: @escaping @Sendable () throws(FileError) -> T
    ) async throws(IcebergError) -> T {
        do throws(FileError) {
            return try await pool.run(work)
        } catch {
            throw IcebergError(.unavailable, "the warehouse \(warehouse.root) failed: \(error)")
        }
    }

    package func prepare() async throws(IcebergError) {
        let path = warehouse.path
        try await run { () throws(FileError) in try Folder.create(path, mode: 0o755) }
        guard FileManager.default.isWritableFile(atPath: path) else {
            throw IcebergError(.unavailable, "the warehouse \(warehouse.root) cannot be written: who owns the folder?")
        }
    }

    package func read(_ location: String, maximum: Int) async throws(IcebergError) -> [UInt8]? {
        let path = try warehouse.inner(location)
        return try await run { () throws(FileError) in
            guard Folder.exists(path) else { return nil }
            return try Folder.read(path, atMost: maximum)
        }
    }

    package func write(_ location: String, _ bytes: [UInt8]) async throws(IcebergError) {
        let path = try warehouse.inner(location)
        try await run { () throws(FileError) in
            for _ in 1..<Self.attempts {
                do throws(FileError) {
                    return try Self.write(path, bytes)
                } catch {
                    // ENOTDIR, too, is said of one that was there first and then not.
                    guard error.code == ENOENT || error.code == ENOTDIR else { throw error }
                }
            }
            try Self.write(path, bytes)
        }
    }

    private static func write(_ path: String, _ bytes: [UInt8]) throws(FileError) {
        try Folder.create(parent(path), mode: 0o755)
        try Folder.replace(path, with: bytes, mode: 0o644)
    }

    package func list(
        _ folder: String, limit: Int
    ) async throws(IcebergError) -> [(location: String, modified: Int64)] {
        let path = try warehouse.inner(folder)
        return try await run { () throws(FileError) in
            var files: [(location: String, modified: Int64)] = []
            // Links are not followed.
            guard let names = FileManager.default.enumerator(atPath: path) else { return [] }
            while let name = names.nextObject() as? String {
                guard let attributes = names.fileAttributes, attributes[.type] as? FileAttributeType != .typeDirectory
                else { continue }
                let modified = attributes[.modificationDate] as? Date ?? .distantFuture
                files.append(("\(folder)/\(name)", Int64(modified.timeIntervalSince1970 * 1000)))
                if files.count >= limit { break }
            }
            return files
        }
    }

    package func delete(_ locations: [String]) async throws(IcebergError) {
        let paths = locations.compactMap { location in
            Warehouse.rest(location, after: warehouse.root + "/").map { "\(warehouse.path)/\($0)" }
        }
        let root = warehouse.path
        try await run { () throws(FileError) in
            var folders: Set<String> = []
            for path in paths {
                Folder.remove(path)
                folders.insert(Self.parent(path))
            }
            // Folders that are empty now go too, up to the warehouse.
            for var folder in folders {
                while folder.utf8.starts(with: (root + "/").utf8), Folder.removeEmpty(folder) {
                    folder = Self.parent(folder)
                }
            }
        }
    }

    private static func parent(_ path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
        return String(decoding: path.utf8[..<slash], as: UTF8.self)
    }
}
