// SPDX-License-Identifier: Apache-2.0
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The exclusive use of a store's folder, for as long as this object or the process lives.
///
/// An advisory lock (flock) on the file `lock`, which does not outlive the process, even after kill -9.
final class FolderLock: Sendable {
    private let held: Mutex<CInt?>

    /// Creates the folder where it is missing, and locks it.
    init(_ folder: String) throws(ObjectStoreError) {
        try Folder.create(folder)
        let path = folder + "/lock"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Folder.failure("open", path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            guard code == EWOULDBLOCK else { throw Folder.failure("lock", path, code: code) }
            throw ObjectStoreError(.locked, "another apus uses \(folder): stop it or use another folder")
        }
        held = Mutex(descriptor)
    }

    deinit { release() }

    /// Lets others use the folder.
    func release() {
        held.withLock { descriptor in
            if let descriptor {
                // Said outright: a child between fork and exec still has a copy of the descriptor.
                flock(descriptor, LOCK_UN)
                close(descriptor)
            }
            descriptor = nil
        }
    }
}

/// What the store does with folders.
enum Folder {
    /// The error of a call that failed.
    static func failure(_ operation: String, _ path: String, code: CInt = errno) -> ObjectStoreError {
        switch code {
        case ENOSPC, EDQUOT, EFBIG:
            ObjectStoreError(.full, "cannot \(operation) \(path): the disk is full, free space and retry")
        case EACCES, EROFS, EPERM, ENOTDIR:
            ObjectStoreError(.unwritable, "cannot \(operation) \(path): \(String(cString: strerror(code)))")
        default:
            ObjectStoreError(.storage, "cannot \(operation) \(path): \(String(cString: strerror(code)))")
        }
    }

    /// Creates a folder (mode 0700) and those above it, where they are missing.
    static func create(_ folder: String) throws(ObjectStoreError) {
        var path = folder.hasPrefix("/") ? "/" : ""
        for part in folder.split(separator: "/") {
            path += (path.isEmpty || path.hasSuffix("/") ? "" : "/") + part
            if mkdir(path, 0o700) == 0 {
                // The name survives a power failure only when the folder that has it is synchronised.
                try sync(path + "/..")
                continue
            }
            let code = errno
            var status = stat()
            if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { continue }
            throw failure("create the folder", path, code: code == EEXIST ? ENOTDIR : code)
        }
    }

    /// Makes an empty file that only the owner can read, where it is missing and can be made.
    static func touch(_ path: String) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        if descriptor >= 0 { close(descriptor) }
    }

    /// The names in a folder, in no order; none when it is not there.
    static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Makes names that were added to or removed from a folder survive a power failure.
    static func sync(_ folder: String) throws(ObjectStoreError) {
        let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("open", folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure("sync", folder) }
    }
}
