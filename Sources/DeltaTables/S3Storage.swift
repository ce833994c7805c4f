// SPDX-License-Identifier: Apache-2.0
import ApusCore
import DataFolders
package import DeltaProtocol
import Foundation
import NIOCore
package import S3Client
import S3Protocol

/// A table below a prefix of a bucket. A commit is a conditional PUT (`If-None-Match: *`): of many writers exactly one
/// has the name. The engine works on copies in a folder of this machine, so that it needs neither keys nor network;
/// data files never change, so a copy is fetched once.
package struct S3Storage: DeltaStorage {
    private let client: S3Client
    private let bucket: String
    /// Empty, or with a slash at the end.
    private let prefix: String
    /// Where copies are.
    private let cache: FolderStorage

    /// Keeps copies in a folder, which the engine must be allowed to read and write.
    package init(_ client: S3Client, bucket: String, prefix: String, cache: String) {
        self.client = client
        self.bucket = bucket
        var prefix = prefix
        while prefix.hasPrefix("/") { prefix.removeFirst() }
        while prefix.hasSuffix("/") { prefix.removeLast() }
        self.prefix = prefix.isEmpty ? "" : prefix + "/"
        self.cache = FolderStorage(cache)
    }

    package var location: String { "s3://\(bucket)/\(prefix.dropLast())" }

    private func calling<T>(_ doing: String, _ work: () async throws(S3Error) -> T) async throws(DeltaError) -> T {
        do throws(S3Error) {
            return try await work()
        } catch {
            throw DeltaError(.storage, "\(location): cannot \(doing): \(error)")
        }
    }

    package func list(_ prefix: String, after: String?) async throws(DeltaError) -> [DeltaRetention.StoredFile] {
        let whole = self.prefix + prefix
        return try await calling("list \(prefix)") { () async throws(S3Error) in
            var files: [DeltaRetention.StoredFile] = []
            for try await element in client.list(
                bucket: bucket, prefix: whole, startAfter: after.map { self.prefix + $0 })
            {
                guard case .object(let entry) = element, !entry.key.hasSuffix("/") else { continue }
                files.append(
                    DeltaRetention.StoredFile(
                        path: String(entry.key.dropFirst(self.prefix.count)), size: entry.size, modified: entry.modified
                    ))
            }
            return files
        }
    }

    package func read(_ path: String, maximum: Int) async throws(DeltaError) -> [UInt8]? {
        do throws(S3Error) {
            return try await client.get(bucket: bucket, key: prefix + path).bytes(maximum: maximum)
        } catch {
            if error.code == .noSuchKey { return nil }
            throw DeltaError(
                error.code == .entityTooLarge ? .tooLarge : .storage, "\(location): cannot read \(path): \(error)")
        }
    }

    package func putIfAbsent(_ path: String, _ bytes: [UInt8]) async throws(DeltaError) -> Bool {
        do throws(S3Error) {
            try await client.put(
                bytes, bucket: bucket, key: prefix + path, options: S3WriteOptions(condition: .absent))
            return true
        } catch {
            // A conflict is the answer while another PUT of the name is on its way: it may fail, so it decides nothing.
            if error.code == .preconditionFailed { return false }
            throw DeltaError(.storage, "\(location): cannot create \(path): \(error)")
        }
    }

    package func put(_ path: String, _ bytes: [UInt8]) async throws(DeltaError) {
        if Self.isLocal(path) { return try await cache.put(path, bytes) }
        _ = try await calling("write \(path)") { () async throws(S3Error) in
            try await client.put(bytes, bucket: bucket, key: prefix + path)
        }
    }

    /// Files that only this machine needs for a while.
    private static func isLocal(_ path: String) -> Bool {
        path.hasPrefix(DeltaTable.stagingFolder + "/")
            || path.hasPrefix("\(DeltaLogName.folder)/\(FolderStorage.unfinished)")
    }

    package func delete(_ paths: [String]) async throws(DeltaError) {
        try await cache.delete(paths)
        let remote = paths.filter { !Self.isLocal($0) }
        guard !remote.isEmpty else { return }
        let failures = try await calling("delete \(remote.count) files") { () async throws(S3Error) in
            try await client.delete(bucket: bucket, objects: remote.map { .init(key: prefix + $0) })
        }
        if let first = failures.first {
            throw DeltaError(.storage, "\(location): cannot delete \(first.key): \(first.code) \(first.message)")
        }
    }

    package func local(_ path: String) async throws(DeltaError) -> String {
        let place = try await cache.target(path)
        if Self.isLocal(path) || FileManager.default.fileExists(atPath: place) { return place }
        let part = place + ".\(RandomID.uuid()).part"
        try await fetch(path, to: part)
        guard rename(part, place) == 0 else { throw DeltaError(.storage, "cannot name \(place)") }
        return place
    }

    /// Copies a file to a place of this machine, whose folder is there.
    /// - Throws: `corruptLog` where it has not as many bytes as were told; then no copy is left.
    func fetch(_ path: String, to place: String, size: Int64? = nil) async throws(DeltaError) {
        let stream = try await calling("read \(path)") { () async throws(S3Error) in
            try await client.get(bucket: bucket, key: prefix + path)
        }
        do {
            let file = try LocalFile(writing: place)
            var count: Int64 = 0
            for try await buffer in stream {
                count += Int64(buffer.readableBytes)
                guard count <= size ?? .max else { break }
                try await file.write(Array(buffer.readableBytesView))
            }
            try await file.finish()
            guard size == nil || count == size else {
                throw DeltaError(.corruptLog, "it has not the \(size ?? 0) bytes that the table's log says")
            }
        } catch {
            try? FileManager.default.removeItem(atPath: place)
            throw DeltaError(
                (error as? DeltaError)?.code ?? .storage, "\(location): cannot copy \(path) to \(place): \(error)")
        }
    }

    package func copy(_ path: String) async throws(DeltaError) -> String {
        let place = try await cache.target("\(DeltaTable.stagingFolder)/\(RandomID.uuid()).copy")
        try await fetch(path, to: place)
        return place
    }

    package func discard(copy: String) async { try? FileManager.default.removeItem(atPath: copy) }

    package func target(_ path: String) async throws(DeltaError) -> String { try await cache.target(path) }

    package func publish(_ from: String, as path: String) async throws(DeltaError) -> DeltaRetention.StoredFile {
        let stored = try await cache.publish(from, as: path)
        let place = try await cache.local(path)
        _ = try await calling("write \(path)") { () async throws(S3Error) in
            try await client.put(
                stream: FileChunks(path: place), length: stored.size, bucket: bucket, key: prefix + path)
        }
        return stored
    }
}

/// A file of this machine that is written or read a piece at a time, on threads that may block.
private struct LocalFile: Sendable {
    private static let pool = WorkPool(label: "apus.delta.copies")
    private let handle: FileHandle

    init(writing path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil) else {
            throw DeltaError(.storage, "cannot create \(path)")
        }
        handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    }

    init(reading path: String) throws {
        handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
    }

    private func run<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
        try await Self.pool.run(work)
    }

    func write(_ bytes: [UInt8]) async throws { try await run { [handle] in try handle.write(contentsOf: bytes) } }

    func read(_ count: Int) async throws -> [UInt8] {
        try await run { [handle] in try handle.read(upToCount: count).map { [UInt8]($0) } ?? [] }
    }

    func finish() async throws { try await run { [handle] in try handle.close() } }
}

/// A file's bytes as they are read.
private struct FileChunks: AsyncSequence, Sendable {
    let path: String

    struct AsyncIterator: AsyncIteratorProtocol {
        let path: String
        private var file: LocalFile?

        init(path: String) { self.path = path }

        mutating func next() async throws -> ByteBuffer? {
            let file = if let opened = self.file { opened } else { try LocalFile(reading: path) }
            self.file = file
            let bytes = try await file.read(1 << 20)
            return bytes.isEmpty ? nil : ByteBuffer(bytes: bytes)
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(path: path) }
}
