// SPDX-License-Identifier: Apache-2.0
import ApusCore
import DataFolders
package import Hummingbird
import NIOCore
package import S3Protocol

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Artifacts in a folder of this machine.
///
/// A file is written beside the tree, synced, and then given its name; what is removed is first taken out of the tree.
/// After a crash there are whole files only, and ``prepare()`` collects the rest.
package struct ArtifactFolder: ArtifactStore {
    /// Bytes that are read or written at a time.
    private static let chunk = 512 << 10
    /// Entries of one list, at most.
    static let maximumEntries = 1_000_000
    /// Where uploads and what is being removed are, in the root.
    static let aside = ArtifactPath.reserved + "apus"

    private let root: String
    private let threads = WorkPool(label: "apus.artifacts")

    /// - Parameter root: absolute; made where it is missing.
    package init(_ root: String) { self.root = root }

    package func prepare() async throws(ArtifactError) {
        do throws(FileError) {
            try await threads.run { [root] () throws(FileError) in
                try Folder.create(root, mode: 0o755)
                let aside = try OpenFolder(root: root).makeFolder(Self.aside)
                for name in try aside.names() {
                    // Locked is what another server on this folder is writing.
                    let isFile = try aside.status(name)?.kind == .file
                    if isFile, let file = try? aside.file(name), !file.lock() { continue }
                    try aside.removeAll(name)
                }
            }
        } catch {
            throw .failed("the artifacts' folder cannot be used: \(error)")
        }
    }

    package func rest(of location: String) -> String? {
        let path = location.hasPrefix("file://") ? location.dropFirst("file://".count) : location[...]
        return path.hasPrefix(root + "/") ? String(path.dropFirst(root.count + 1)) : nil
    }

    // MARK: Writing

    package func write(_ path: ArtifactPath, _ body: RequestBody, length: Int64?) async throws(ArtifactError) {
        guard let name = path.names.last else { throw .invalid("Invalid path") }
        let temporary = RandomID.uuid()
        let file = try await run(path) { (root) throws(FileError) in
            let file = try OpenFolder(root: root).makeFolder(Self.aside).newFile(temporary)
            _ = file.lock()
            return file
        }
        do throws(ArtifactError) {
            try await write(body, to: file, path, length: length)
            try await run(path) { (root) throws(FileError) in
                try file.sync()
                let top = try OpenFolder(root: root)
                var folder = top
                for name in path.names.dropLast() { folder = try folder.makeFolder(name) }
                try top.folder(Self.aside).move(temporary, to: folder, as: name)
                try folder.sync()
            }
        } catch {
            _ = try? await run(path) { (root) throws(FileError) in
                try OpenFolder(root: root).folder(Self.aside).removeAll(temporary)
            }
            throw error
        }
    }

    private func write(
        _ body: RequestBody, to file: OpenFolder, _ path: ArtifactPath, length: Int64?
    ) async throws(ArtifactError) {
        var total: Int64 = 0
        var pending = ByteBuffer()
        var parts = body.makeAsyncIterator()
        while let part = try await Self.next(&parts, after: total) {
            total += Int64(part.readableBytes)
            if let length, total > length { break }
            pending.writeImmutableBuffer(part)
            guard pending.readableBytes >= Self.chunk else { continue }
            try await flush(&pending, to: file, path)
        }
        try await flush(&pending, to: file, path)
        if let length, total != length {
            throw .incomplete("the body of \(path) ended after \(total) of \(length) bytes: send it again")
        }
    }

    private static func next(
        _ parts: inout RequestBody.AsyncIterator, after total: Int64
    ) async throws(ArtifactError) -> ByteBuffer? {
        do {
            return try await parts.next()
        } catch is CancellationError {
            throw .cancelled
        } catch {
            throw .incomplete("the body failed after \(total) bytes: \(error)")
        }
    }

    private func flush(
        _ pending: inout ByteBuffer, to file: OpenFolder, _ path: ArtifactPath
    ) async throws(ArtifactError) {
        guard pending.readableBytes > 0 else { return }
        try await run(path) { [pending] (_) throws(FileError) in
            var failure: FileError?
            pending.withUnsafeReadableBytes { bytes in
                do throws(FileError) {
                    try file.write(bytes)
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
        }
        pending.clear()
    }

    // MARK: Reading

    package func read(_ path: ArtifactPath, range: ByteRange?) async throws(ArtifactError) -> ArtifactContent {
        guard let name = path.names.last else { throw Self.isFolder(path) }
        let (file, status) = try await run(path) { (root) throws(FileError) in
            let file = try Self.folder(root, path.names.dropLast()).file(name)
            return (file, try file.status())
        }
        guard status.kind != .folder else { throw Self.isFolder(path) }
        guard status.kind == .file else { throw .missing(path.text) }
        var bytes = 0..<status.size
        if let range {
            do throws(S3Error) {
                bytes = try range.resolve(size: status.size)
            } catch {
                throw .range(size: status.size)
            }
        }
        let etag = [status.modified, status.nanoseconds, status.size].map { String($0, radix: 16) }
        return ArtifactContent(
            size: status.size, range: bytes, modified: status.modified, etag: etag.joined(separator: "-"),
            body: body(of: file, bytes, path))
    }

    private func body(of file: OpenFolder, _ range: Range<Int64>, _ path: ArtifactPath) -> ResponseBody {
        ResponseBody(contentLength: range.count) { [self] writer in
            var offset = range.lowerBound
            while offset < range.upperBound {
                let wanted = Int(min(Int64(Self.chunk), range.upperBound - offset))
                let part = try await run(path) { [offset] (_) throws(FileError) in
                    try Self.bytes(of: file, at: offset, count: wanted)
                }
                // It was said how many there are: the client sees that the connection breaks.
                guard part.readableBytes > 0 else {
                    throw ArtifactError.failed("\(path) got shorter while it was read")
                }
                offset += Int64(part.readableBytes)
                try await writer.write(part)
            }
            try await writer.finish(nil)
        }
    }

    private static func bytes(of file: OpenFolder, at offset: Int64, count: Int) throws(FileError) -> ByteBuffer {
        var buffer = ByteBuffer()
        var failure: FileError?
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            do throws(FileError) {
                return try file.read(UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]), at: offset)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return buffer
    }

    package func list(_ folder: ArtifactPath) async throws(ArtifactError) -> [ArtifactEntry] {
        do throws(ArtifactError) {
            let entries = try await run(folder) { (root) throws(FileError) -> [ArtifactEntry]? in
                let folder = try Self.folder(root, folder.names[...])
                let names = try folder.names(limit: Self.maximumEntries + 1)
                guard names.count <= Self.maximumEntries else { return nil }
                var entries: [ArtifactEntry] = []
                for name in names where !name.utf8.starts(with: ArtifactPath.reserved.utf8) {
                    guard let status = try folder.status(name) else { continue }
                    switch status.kind {
                    case .file: entries.append(ArtifactEntry(name: name, size: status.size))
                    case .folder: entries.append(ArtifactEntry(name: name, size: nil))
                    case .link, .other: continue
                    }
                }
                return entries
            }
            guard let entries else {
                throw .failed("\(folder) has more than \(Self.maximumEntries) entries: move some to other folders")
            }
            return entries.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        } catch {
            if case .missing = error { return [] }
            throw error
        }
    }

    // MARK: Removing

    package func delete(_ path: ArtifactPath) async throws(ArtifactError) {
        guard let name = path.names.last else { throw .invalid("Invalid path") }
        let aside = RandomID.uuid()
        do throws(ArtifactError) {
            try await run(path) { (root) throws(FileError) in
                let folder = try Self.folder(root, path.names.dropLast())
                let place = try OpenFolder(root: root).makeFolder(Self.aside)
                // Gone as a whole, and then piece by piece.
                try folder.move(name, to: place, as: aside)
                try folder.sync()
                try place.removeAll(aside)
            }
        } catch {
            if case .missing = error { return }
            throw error
        }
    }

    // MARK: Threads and errors

    private static func folder(_ root: String, _ names: ArraySlice<String>) throws(FileError) -> OpenFolder {
        var folder = try OpenFolder(root: root)
        for name in names { folder = try folder.folder(name) }
        return folder
    }

    private static func isFolder(_ path: ArtifactPath) -> ArtifactError {
        .invalid("Artifact path refers to a directory, not a file: '\(path)'")
    }

    /// Runs what blocks on a thread that may, with the root.
    private func run<Value: Sendable>(
        _ path: ArtifactPath, _ work: @escaping @Sendable (String) throws(FileError) -> Value
    ) async throws(ArtifactError) -> Value {
        do throws(FileError) {
            return try await threads.run { [root] () throws(FileError) in try work(root) }
        } catch {
            throw await failure(error, path)
        }
    }

    /// What a failure says to a client, which does not know where the folder is.
    private func failure(_ error: FileError, _ path: ArtifactPath) async -> ArtifactError {
        let name = path.isRoot ? "the artifacts' folder" : path.text
        switch error.code {
        case ENOENT:
            // Not the root: that is the server's trouble.
            return path.isRoot ? .failed("\(name) is not there") : .missing(path.text)
        case ELOOP, ENOTDIR:
            let isLink = await threads.run { [root] () -> Bool in Self.hasLink(root, path) }
            if isLink { return .invalid("Invalid path: resolved path is outside the artifact directory") }
            return error.operation == "create the folder"
                ? .invalid("Invalid path: a part of \(path) is a file") : .missing(path.text)
        case EISDIR, ENOTEMPTY, EEXIST: return .invalid("Invalid path: \(path) is a folder")
        case ENAMETOOLONG: return .invalid("Invalid path: a name of it is too long")
        default: return .failed(FileError(error.operation, name, code: error.code).description)
        }
    }

    /// Whether one of a path's names is a link.
    private static func hasLink(_ root: String, _ path: ArtifactPath) -> Bool {
        guard var folder = try? OpenFolder(root: root) else { return false }
        for name in path.names {
            guard let status = try? folder.status(name) else { return false }
            if status.kind == .link { return true }
            guard let next = try? folder.folder(name) else { return false }
            folder = next
        }
        return false
    }
}
