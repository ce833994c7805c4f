// SPDX-License-Identifier: Apache-2.0
import DeltaProtocol
import Synchronization

@testable import DeltaTables

/// A folder whose next listings each leave out one commit.
final class GappedStorage: DeltaStorage {
    private let folder: FolderStorage
    /// The versions that are left out, a listing each.
    let hidden = Mutex<[Int64]>([])

    init(_ folder: FolderStorage) { self.folder = folder }

    var location: String { folder.location }

    func list(_ prefix: String, after: String?) async throws(DeltaError) -> [DeltaRetention.StoredFile] {
        let version = hidden.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        return try await folder.list(prefix, after: after).filter { file in
            version.map { file.path != DeltaLogName.commit($0).path } ?? true
        }
    }

    func read(_ path: String, maximum: Int) async throws(DeltaError) -> [UInt8]? {
        try await folder.read(path, maximum: maximum)
    }

    func putIfAbsent(_ path: String, _ bytes: [UInt8]) async throws(DeltaError) -> Bool {
        try await folder.putIfAbsent(path, bytes)
    }

    func put(_ path: String, _ bytes: [UInt8]) async throws(DeltaError) { try await folder.put(path, bytes) }

    func delete(_ paths: [String]) async throws(DeltaError) { try await folder.delete(paths) }

    func local(_ path: String) async throws(DeltaError) -> String { try await folder.local(path) }

    func target(_ path: String) async throws(DeltaError) -> String { try await folder.target(path) }

    func publish(_ from: String, as path: String) async throws(DeltaError) -> DeltaRetention.StoredFile {
        try await folder.publish(from, as: path)
    }
}
