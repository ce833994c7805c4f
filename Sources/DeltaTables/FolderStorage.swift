// SPDX-License-Identifier: Apache-2.0
import ApusCore
import DataFolders
package import DeltaProtocol
import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// A table in a folder of this machine. A new file is written under another name, made durable, and then linked to its
/// own: link(2) fails when the name is taken, so of many writers exactly one has it.
package struct FolderStorage: DeltaStorage {
    /// Absolute, without a slash at the end.
    package let root: String
    /// System calls block, so they have threads of their own.
    private static let pool = WorkPool(label: "apus.delta.folder")
    /// Names of files that are not finished; vacuum takes away old ones.
    static let unfinished = ".apus-"

    package init(_ root: String) {
        var root = root
        while root.count > 1, root.hasSuffix("/") { root.removeLast() }
        self.root = root
    }

    package var location: String { root }

    private func run<T: Sendable>(_ work: @escaping @Sendable () -> Result<T, DeltaError>) async throws(DeltaError) -> T
    {
        try await Self.pool.run(work).get()
    }

    private func full(_ path: String) throws(DeltaError) -> String {
        for part in path.split(separator: "/", omittingEmptySubsequences: false)
        where part.isEmpty || part == ".." || part == "." || part.utf8.contains(0) {
            throw DeltaError(.invalidArgument, "\"\(path)\" is no path inside \(root)")
        }
        return "\(root)/\(path)"
    }

    private static func failure(_ doing: String, _ path: String) -> DeltaError {
        let reason = String(cString: strerror(errno))
        return DeltaError(.storage, "cannot \(doing) \(path): \(reason)")
    }

    package func list(_ prefix: String, after: String?) async throws(DeltaError) -> [DeltaRetention.StoredFile] {
        let root = root
        return try await run { () -> Result<[DeltaRetention.StoredFile], DeltaError> in
            var files: [DeltaRetention.StoredFile] = []
            // Only the folder that the prefix names is walked.
            let folder = prefix.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
                separator: "/")
            var pending = [folder]
            while let folder = pending.popLast() {
                let place = folder.isEmpty ? root : "\(root)/\(folder)"
                guard let handle = opendir(place) else {
                    if errno == ENOENT || errno == ENOTDIR { continue }
                    return .failure(Self.failure("list", place))
                }
                defer { closedir(handle) }
                while let entry = readdir(handle) {
                    let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                    }
                    if name == "." || name == ".." { continue }
                    let path = folder.isEmpty ? name : "\(folder)/\(name)"
                    if entry.pointee.d_type == UInt8(DT_DIR) {
                        pending.append(path)
                        continue
                    }
                    guard path.hasPrefix(prefix), after.map({ path > $0 }) ?? true else { continue }
                    var status = stat()
                    // Another process may have deleted it since.
                    guard stat("\(root)/\(path)", &status) == 0 else { continue }
                    if status.st_mode & S_IFMT == S_IFDIR {
                        continue
                    }
                    files.append(Self.stored(path, status))
                }
            }
            return .success(files.sorted { $0.path < $1.path })
        }
    }

    /// Whether there is a folder of a path below the root.
    func hasFolder(_ path: String) async throws(DeltaError) -> Bool {
        let place = try full(path)
        return try await run { .success(Self.isFolder(place)) }
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Names of the folders in the root, by name; links to folders count.
    /// - Throws: `storage` where the root is no folder that can be read.
    func folders() async throws(DeltaError) -> [String] {
        let root = root
        return try await run { () -> Result<[String], DeltaError> in
            guard let handle = opendir(root) else { return .failure(Self.failure("list", root)) }
            defer { closedir(handle) }
            var names: [String] = []
            while let entry = readdir(handle) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if !name.hasPrefix("."), Self.isFolder("\(root)/\(name)") { names.append(name) }
            }
            return .success(names.sorted())
        }
    }

    private static func stored(_ path: String, _ status: stat) -> DeltaRetention.StoredFile {
        let time = Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
        return DeltaRetention.StoredFile(path: path, size: Int64(status.st_size), modified: time)
    }

    package func read(_ path: String, maximum: Int) async throws(DeltaError) -> [UInt8]? {
        let place = try full(path)
        return try await run { Self.read(place, maximum) }
    }

    private static func read(_ place: String, _ maximum: Int) -> Result<[UInt8]?, DeltaError> {
        let file = open(place, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            return errno == ENOENT || errno == ENOTDIR ? .success(nil) : .failure(failure("open", place))
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { return .failure(failure("read", place)) }
        guard status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) <= maximum else {
            return .failure(
                DeltaError(
                    .tooLarge, "\(place) has \(status.st_size) bytes, or is no file; at most \(maximum) are read"))
        }
        let size = Int(status.st_size)
        var isRead = true
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = 0
            while count < size, let base = buffer.baseAddress {
                let got = Glibc.read(file, base + count, size - count)
                if got < 0, errno == EINTR { continue }
                guard got > 0 else {
                    isRead = got == 0
                    break
                }
                count += got
            }
        }
        return isRead ? .success(bytes) : .failure(failure("read", place))
    }

    package func putIfAbsent(_ path: String, _ bytes: [UInt8]) async throws(DeltaError) -> Bool {
        let place = try full(path)
        return try await run { () -> Result<Bool, DeltaError> in
            Self.written(place, bytes).flatMap { temporary in
                defer { unlink(temporary) }
                guard link(temporary, place) == 0 else {
                    return errno == EEXIST ? .success(false) : .failure(Self.failure("create", place))
                }
                return Self.syncFolder(of: place).map { true }
            }
        }
    }

    package func put(_ path: String, _ bytes: [UInt8]) async throws(DeltaError) {
        let place = try full(path)
        try await run { () -> Result<Void, DeltaError> in
            Self.written(place, bytes).flatMap { temporary in
                guard rename(temporary, place) == 0 else {
                    let failure = Self.failure("replace", place)
                    unlink(temporary)
                    return .failure(failure)
                }
                return Self.syncFolder(of: place)
            }
        }
    }

    /// Writes a file beside `place` and makes its bytes durable; its name.
    private static func written(_ place: String, _ bytes: [UInt8]) -> Result<String, DeltaError> {
        let folder = parent(place)
        if case .failure(let error) = makeFolder(folder) { return .failure(error) }
        let temporary = "\(folder)/\(unfinished)\(RandomID.uuid()).tmp"
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard file >= 0 else { return .failure(failure("create", temporary)) }
        defer { close(file) }
        let isWritten = bytes.withUnsafeBytes { buffer in
            var sent = 0
            while sent < buffer.count, let base = buffer.baseAddress {
                let count = write(file, base + sent, buffer.count - sent)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
        guard isWritten, fsync(file) == 0 else {
            let failure = failure("write", temporary)
            unlink(temporary)
            return .failure(failure)
        }
        return .success(temporary)
    }

    private static func parent(_ place: String) -> String {
        place.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    }

    /// Makes a folder with those above it, each durable in its own.
    private static func makeFolder(_ folder: String) -> Result<Void, DeltaError> {
        if mkdir(folder, 0o755) == 0 { return syncFolder(of: folder) }
        if errno == EEXIST { return .success(()) }
        guard errno == ENOENT, folder.contains("/") else { return .failure(failure("create the folder", folder)) }
        return makeFolder(parent(folder)).flatMap {
            if mkdir(folder, 0o755) == 0 { return syncFolder(of: folder) }
            return errno == EEXIST ? .success(()) : .failure(failure("create the folder", folder))
        }
    }

    private static func syncFolder(of place: String) -> Result<Void, DeltaError> {
        let folder = parent(place)
        let file = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { return .failure(failure("open the folder", folder)) }
        defer { close(file) }
        return fsync(file) == 0 ? .success(()) : .failure(failure("write the folder", folder))
    }

    package func delete(_ paths: [String]) async throws(DeltaError) {
        var places: [String] = []
        for path in paths { places.append(try full(path)) }
        let all = places
        try await run { () -> Result<Void, DeltaError> in
            for place in all where unlink(place) != 0 && errno != ENOENT {
                return .failure(Self.failure("delete", place))
            }
            return .success(())
        }
    }

    package func local(_ path: String) async throws(DeltaError) -> String { try full(path) }

    package func target(_ path: String) async throws(DeltaError) -> String {
        let place = try full(path)
        try await run { Self.makeFolder(Self.parent(place)) }
        return place
    }

    package func publish(_ from: String, as path: String) async throws(DeltaError) -> DeltaRetention.StoredFile {
        let source = try full(from)
        let place = try full(path)
        return try await run { () -> Result<DeltaRetention.StoredFile, DeltaError> in
            let file = open(source, O_RDONLY | O_CLOEXEC)
            guard file >= 0 else { return .failure(Self.failure("open", source)) }
            defer { close(file) }
            var status = stat()
            guard fsync(file) == 0, fstat(file, &status) == 0 else { return .failure(Self.failure("write", source)) }
            if source != place, rename(source, place) != 0 { return .failure(Self.failure("name", place)) }
            return Self.syncFolder(of: place).map { Self.stored(path, status) }
        }
    }
}
