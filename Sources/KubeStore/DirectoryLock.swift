// SPDX-License-Identifier: Apache-2.0
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The exclusive use of a data directory, for as long as this object or the process lives.
///
/// An advisory lock (flock) on the file `lock`, which holds the owner's process id. The file stays behind; the lock
/// does not, even after kill -9.
final class DirectoryLock: Sendable {
    private let held: Mutex<CInt?>

    /// Creates the directory (mode 0700) where it is missing, and locks it.
    init(_ directory: String) throws(StoreError) {
        try Self.createDirectory(directory)
        let path = directory + "/lock"
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure(errno, "\(directory) is not writable") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let owner = Self.read(descriptor)
            close(descriptor)
            guard code == EWOULDBLOCK else { throw Self.failure(code, "\(directory) cannot be locked") }
            let who = owner.isEmpty ? "another apus" : "another apus (pid \(owner))"
            throw StoreError(.locked, "\(who) uses \(directory): stop it or use another --data-dir")
        }
        // Only for the message above: of one width, so that it also fits on a full disk.
        let pid = "\(getpid())"
        let line = Array((String(repeating: " ", count: max(0, 10 - pid.utf8.count)) + pid + "\n").utf8)
        _ = pwrite(descriptor, line, line.count, 0)
        held = Mutex(descriptor)
    }

    deinit { release() }

    /// Lets others use the directory.
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

    /// Creates an empty file that only the owner can read, where it is missing.
    static func createFile(_ path: String, in directory: String) throws(StoreError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(errno, "\(path) is not writable") }
        close(descriptor)
        // The new name survives a power failure only when the directory is synchronised too.
        let parent = open(directory, O_RDONLY | O_CLOEXEC)
        guard parent >= 0 else { throw failure(errno, "\(directory) is not readable") }
        fsync(parent)
        close(parent)
    }

    private static func failure(_ code: CInt, _ what: String) -> StoreError {
        if code == ENOSPC || code == EDQUOT {
            return StoreError(.storageFull, "\(what): the disk is full, free space and retry")
        }
        return StoreError(.unwritable, "\(what): \(String(cString: strerror(code)))")
    }

    private static func createDirectory(_ directory: String) throws(StoreError) {
        var path = directory.hasPrefix("/") ? "/" : ""
        for part in directory.split(separator: "/") {
            path += (path.isEmpty || path.hasSuffix("/") ? "" : "/") + part
            if mkdir(path, 0o700) == 0 { continue }
            let code = errno
            var status = stat()
            if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { continue }
            throw failure(code == EEXIST ? ENOTDIR : code, "\(directory) cannot be created: \(path)")
        }
    }

    private static func read(_ descriptor: CInt) -> String {
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer.prefix(max(0, count)).filter { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self)
    }
}
