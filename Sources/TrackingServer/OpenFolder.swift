// SPDX-License-Identifier: Apache-2.0
import DataFolders

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file or folder that is open; closed with the last reference. All of it blocks.
///
/// Names below it are looked up one after the other, and links are never followed: nothing that is done here reaches
/// a place outside of the folder that was opened first, whoever changes it meanwhile.
final class OpenFolder: Sendable {
    /// What there is of a name.
    struct Status {
        enum Kind { case file, folder, link, other }

        var kind: Kind
        var size: Int64
        /// Seconds since 1970.
        var modified: Int64
        var nanoseconds: Int64
    }

    let descriptor: CInt
    /// For errors.
    let path: String

    init(descriptor: CInt, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    /// The root, which may be a link.
    convenience init(root: String) throws(FileError) {
        let descriptor = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("open", root) }
        self.init(descriptor: descriptor, path: root)
    }

    /// A folder in it.
    func folder(_ name: String) throws(FileError) -> OpenFolder {
        try opened(name, O_RDONLY | O_DIRECTORY)
    }

    /// Anything in it, to be read. Pipes and devices are not waited for.
    func file(_ name: String) throws(FileError) -> OpenFolder { try opened(name, O_RDONLY | O_NONBLOCK) }

    /// A new file in it, to be written.
    func newFile(_ name: String, mode: UInt32 = 0o644) throws(FileError) -> OpenFolder {
        let file = openat(descriptor, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
        guard file >= 0 else { throw FileError("create", path + "/" + name) }
        return OpenFolder(descriptor: file, path: path + "/" + name)
    }

    private func opened(_ name: String, _ flags: CInt) throws(FileError) -> OpenFolder {
        let file = openat(descriptor, name, flags | O_NOFOLLOW | O_CLOEXEC)
        guard file >= 0 else { throw FileError("open", path + "/" + name) }
        return OpenFolder(descriptor: file, path: path + "/" + name)
    }

    /// A folder in it, made where it is missing, durably.
    func makeFolder(_ name: String) throws(FileError) -> OpenFolder {
        if mkdirat(descriptor, name, 0o755) == 0 {
            try sync()
        } else if errno != EEXIST {
            throw FileError("create the folder", path + "/" + name)
        }
        do throws(FileError) {
            return try folder(name)
        } catch {
            throw FileError("create the folder", error.path, code: error.code)
        }
    }

    /// What it is itself.
    func status() throws(FileError) -> Status {
        var found = stat()
        guard fstat(descriptor, &found) == 0 else { throw FileError("look at", path) }
        return Self.status(found)
    }

    /// What a name in it is; nil where there is none.
    func status(_ name: String) throws(FileError) -> Status? {
        var found = stat()
        guard fstatat(descriptor, name, &found, AT_SYMLINK_NOFOLLOW) == 0 else {
            if errno == ENOENT { return nil }
            throw FileError("look at", path + "/" + name)
        }
        return Self.status(found)
    }

    private static func status(_ found: stat) -> Status {
        let kind: Status.Kind =
            switch found.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            case S_IFLNK: .link
            default: .other
            }
        return Status(
            kind: kind, size: Int64(found.st_size), modified: Int64(found.st_mtim.tv_sec),
            nanoseconds: Int64(found.st_mtim.tv_nsec))
    }

    /// The names in it, in no order; those that are no UTF-8 are left out.
    func names(limit: Int = .max) throws(FileError) -> [String] {
        // An open folder of its own: the position in it is shared by copies of a descriptor.
        let own = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard own >= 0 else { throw FileError("list", path) }
        guard let stream = fdopendir(own) else {
            let error = FileError("list", path)
            close(own)
            throw error
        }
        defer { closedir(stream) }
        var names: [String] = []
        while names.count < limit, let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let name, name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Makes what was written or named in it survive a power failure.
    func sync() throws(FileError) {
        guard fsync(descriptor) == 0 else { throw FileError("sync", path) }
    }

    /// Gives a name in it another place.
    func move(_ name: String, to other: OpenFolder, as newName: String) throws(FileError) {
        guard renameat(descriptor, name, other.descriptor, newName) == 0 else {
            throw FileError("rename", path + "/" + name)
        }
    }

    /// Removes a name in it, and, where it is a folder, all that is in that. What is not there is no failure.
    func removeAll(_ name: String) throws(FileError) {
        if unlinkat(descriptor, name, 0) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM else { throw FileError("remove", path + "/" + name) }
        let inner = try folder(name)
        // Others may add to it meanwhile.
        while true {
            for name in try inner.names(limit: 10_000) { try inner.removeAll(name) }
            if unlinkat(descriptor, name, AT_REMOVEDIR) == 0 || errno == ENOENT { return }
            guard errno == ENOTEMPTY else { throw FileError("remove", path + "/" + name) }
        }
    }

    /// Writes all bytes at the end of what was written.
    func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        var done = 0
        while done < bytes.count {
            let count = systemWrite(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw FileError("write", path) }
            done += count
        }
    }

    /// Reads bytes from a place on; fewer at the end of the file.
    func read(_ bytes: UnsafeMutableRawBufferPointer, at offset: Int64) throws(FileError) -> Int {
        var done = 0
        while done < bytes.count {
            let count = pread(
                descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset) + off_t(done))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError("read", path) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Locks it for this one only.
    /// - Returns: whether nobody else has it locked.
    func lock() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }
}

private func systemWrite(_ descriptor: CInt, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    #if canImport(Glibc)
        Glibc.write(descriptor, bytes, count)
    #else
        Musl.write(descriptor, bytes, count)
    #endif
}
