import Synchronization

// SPDX-License-Identifier: Apache-2.0
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
        guard descriptor >= 0 else {
            throw StoreError(.unwritable, "\(directory) is not writable: \(Self.reason(errno))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let owner = Self.read(descriptor)
            close(descriptor)
            guard code == EWOULDBLOCK else {
                throw StoreError(.unwritable, "\(directory) cannot be locked: \(Self.reason(code))")
            }
            let who = owner.isEmpty ? "another apus" : "another apus (pid \(owner))"
            throw StoreError(.locked, "\(who) uses \(directory): stop it or use another --data-dir")
        }
        let pid = Array("\(getpid())\n".utf8)
        guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, pid, pid.count, 0) == pid.count else {
            let code = errno
            close(descriptor)
            if code == ENOSPC || code == EDQUOT {
                throw StoreError(.storageFull, "the disk that holds \(directory) is full: free space and retry")
            }
            throw StoreError(.unwritable, "\(directory) is not writable: \(Self.reason(code))")
        }
        held = Mutex(descriptor)
    }

    deinit { release() }

    /// Lets others use the directory.
    func release() {
        held.withLock { descriptor in
            if let descriptor { close(descriptor) }
            descriptor = nil
        }
    }

    /// The reason in words for an error number.
    static func reason(_ code: CInt) -> String { String(cString: strerror(code)) }

    private static func createDirectory(_ directory: String) throws(StoreError) {
        var path = directory.hasPrefix("/") ? "/" : ""
        for part in directory.split(separator: "/") {
            path += (path.isEmpty || path.hasSuffix("/") ? "" : "/") + part
            if mkdir(path, 0o700) == 0 { continue }
            let code = errno
            var status = stat()
            if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { continue }
            let reason = code == EEXIST ? "\(path) is not a directory" : Self.reason(code)
            if code == ENOSPC || code == EDQUOT {
                throw StoreError(.storageFull, "the disk that holds \(path) is full: free space and retry")
            }
            throw StoreError(.unwritable, "\(directory) cannot be created: \(reason)")
        }
    }

    private static func read(_ descriptor: CInt) -> String {
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer.prefix(max(0, count)).prefix { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self)
    }
}
