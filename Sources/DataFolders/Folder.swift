// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// What stores do with folders and small files. All of it blocks.
package enum Folder {
    /// Creates a folder and those above it, where they are missing, durably.
    /// - Parameters:
    ///   - folder: absolute, or below the current one.
    ///   - mode: of the new ones.
    /// - Throws: where one cannot be made.
    package static func create(_ folder: String, mode: UInt32 = 0o700) throws(FileError) {
        var path = folder.hasPrefix("/") ? "/" : ""
        for part in folder.split(separator: "/") {
            path += (path.isEmpty || path.hasSuffix("/") ? "" : "/") + part
            if mkdir(path, mode) == 0 {
                try sync(path + "/..")
                continue
            }
            let code = errno
            if isFolder(path) { continue }
            throw FileError("create the folder", path, code: code == EEXIST ? ENOTDIR : code)
        }
    }

    /// Whether there is a folder of this name.
    package static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether there is a file or folder of this name.
    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The names in a folder, in no order.
    package static func names(in folder: String) throws(FileError) -> [String] {
        guard let stream = opendir(folder) else { throw FileError("list", folder) }
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
    package static func sync(_ folder: String) throws(FileError) {
        let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError("open", folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileError("sync", folder) }
    }

    /// Gives a file another name.
    package static func rename(_ old: String, to new: String) throws(FileError) {
        guard systemRename(old, new) == 0 else { throw FileError("rename", old) }
    }

    private static func systemRename(_ old: String, _ new: String) -> CInt {
        #if canImport(Glibc)
            Glibc.rename(old, new)
        #else
            Musl.rename(old, new)
        #endif
    }

    /// Removes a file, if it is there.
    package static func remove(_ path: String) { unlink(path) }

    /// Removes a folder of files.
    package static func removeFolder(_ folder: String) throws(FileError) {
        for name in try names(in: folder) { unlink(folder + "/" + name) }
        guard rmdir(folder) == 0 else { throw FileError("remove", folder) }
    }

    /// Removes a folder in which there is nothing.
    /// - Returns: whether it is gone.
    package static func removeEmpty(_ folder: String) -> Bool { rmdir(folder) == 0 }

    /// Makes an empty file (mode 0600), where it is missing.
    package static func touch(_ path: String) throws(FileError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileError("create", path) }
        close(descriptor)
    }

    /// The bytes of a small file; nil when it is not there.
    package static func read(_ path: String, atMost limit: Int = 256 << 20) throws(FileError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw FileError("open", path)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw FileError("stat", path) }
        guard status.st_size <= limit else { throw FileError("read", path, code: EFBIG) }
        var failure: FileError?
        let bytes = [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, done in
            while done < buffer.count {
                let count = pread(
                    descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done, off_t(done))
                if count < 0, errno == EINTR { continue }
                if count < 0 { failure = FileError("read", path) }
                guard count > 0 else { return }
                done += count
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Replaces a file as a whole, durably: after a crash there is the old one or the new one.
    /// - Parameters:
    ///   - path: of the file.
    ///   - bytes: all of the new one.
    ///   - mode: of the new one.
    /// - Throws: where it cannot be written; the old one is there then.
    package static func replace(_ path: String, with bytes: [UInt8], mode: UInt32 = 0o600) throws(FileError) {
        let fresh = path + ".tmp"
        do throws(FileError) {
            try write(bytes, to: fresh, mode)
            try rename(fresh, to: path)
            try sync(folder(of: path))
        } catch {
            remove(fresh)
            throw error
        }
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func write(_ bytes: [UInt8], to path: String, _ mode: UInt32) throws(FileError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw FileError("create", path) }
        defer { close(descriptor) }
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress.map { $0 + done }, $0.count - done, off_t(done))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError("write", path) }
            done += count
        }
        guard fsync(descriptor) == 0 else { throw FileError("sync", path) }
    }
}
